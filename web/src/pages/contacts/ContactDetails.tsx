import { Badge, TagsInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Contact } from "../../client/schema";
import { Channel } from "../../parts/Channel";
import { Moment } from "../../parts/Moment";
import { tellProblem } from "../../parts/tell";
import classes from "./ContactPage.module.css";

/** Who somebody is, and where they can be reached. Tags are changed in place. */
export function ContactDetails({ contact }: { contact: Contact }) {
  const { t } = useTranslation("contacts");
  const queries = useQueryClient();
  const key = ["get", "/api/v1/contacts/{id}", { params: { path: { id: contact.id } } }];
  const update = api.useMutation("patch", "/api/v1/contacts/{id}", {
    onSuccess: (changed) => queries.setQueryData(key, changed),
    onError: tellProblem,
  });
  const fields = Object.entries(contact.fields);
  return (
    <section className={classes.details} aria-label={t("details")}>
      <dl className={classes.facts}>
        <Facts title={t("field.phone")} values={contact.phones} />
        <Facts title={t("field.email")} values={contact.emails} />
        <div>
          <dt>{t("identities")}</dt>
          {contact.identities.length === 0 && <dd>{t("none")}</dd>}
          {contact.identities.map((identity) => (
            <dd key={`${identity.channel} ${identity.connection_id} ${identity.external_id}`}>
              <Channel channel={identity.channel} /> <bdi dir="ltr">{identity.username ?? identity.external_id}</bdi>{" "}
              {identity.replaced && <Badge variant="default">{t("replaced")}</Badge>}
            </dd>
          ))}
        </div>
        <div>
          <dt>{t("column.tags")}</dt>
          <dd>
            <TagsInput
              aria-label={t("column.tags")}
              placeholder={t("addTag")}
              value={contact.tags}
              onChange={(tags) => update.mutate({ params: { path: { id: contact.id } }, body: { tags } })}
            />
          </dd>
        </div>
        {contact.language !== null && <Facts title={t("language")} values={[contact.language]} />}
        {contact.timezone !== null && <Facts title={t("timezone")} values={[contact.timezone]} />}
        {contact.opt_outs.length > 0 && <Facts title={t("optOuts")} values={contact.opt_outs} />}
        {fields.map(([name, value]) => (
          <Facts key={name} title={name} values={[typeof value === "string" ? value : JSON.stringify(value)]} />
        ))}
        <div>
          <dt>{t("column.since")}</dt>
          <dd>
            <Moment at={contact.created_at} exact />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Facts({ title, values }: { title: string; values: readonly string[] }) {
  const { t } = useTranslation("contacts");
  return (
    <div>
      <dt>
        <bdi>{title}</bdi>
      </dt>
      {values.length === 0 && <dd>{t("none")}</dd>}
      {values.map((value) => (
        <dd key={value}>
          <bdi>{value}</bdi>
        </dd>
      ))}
    </div>
  );
}
