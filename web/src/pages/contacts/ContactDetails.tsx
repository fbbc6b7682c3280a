import { Badge, Button, Group } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPencil } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useSessionQuery } from "../../client/session";
import { api } from "../../client/http";
import type { Contact } from "../../client/schema";
import { Channel } from "../../parts/Channel";
import { Moment } from "../../parts/Moment";
import { tellProblem } from "../../parts/tell";
import classes from "./ContactPage.module.css";
import { changeTags } from "./edit/store";
import { Tags } from "./Tags";

const EditContact = lazy(() => import("./edit/EditContact").then((module) => ({ default: module.EditContact })));
const EraseContact = lazy(() => import("./EraseContact").then((module) => ({ default: module.EraseContact })));

/** Who somebody is, and where they can be reached. Tags are changed in place, the rest in a dialog. */
export function ContactDetails({ contact }: { contact: Contact }) {
  const { t } = useTranslation("contacts");
  const queries = useQueryClient();
  const { data: session } = useSessionQuery();
  const [editing, edit] = useDisclosure(false);
  const [erasing, erase] = useDisclosure(false);
  const path = { params: { path: { id: contact.id } } };
  const show = (changed: Contact) => void queries.setQueryData(["get", "/api/v1/contacts/{id}", path], changed);
  const tags = useMutation({
    mutationFn: ({ add, remove }: { add: string[]; remove: string[] }) => changeTags(contact.id, add, remove),
    onSuccess: show,
    onError: tellProblem,
  });
  const shownTags = tags.isPending ? [...contact.tags.filter((tag) => !tags.variables.remove.includes(tag)), ...tags.variables.add] : contact.tags;
  return (
    <section className={classes.details} aria-label={t("details")}>
      <Group justify="space-between" mb="md">
        <h2 className={classes.detailsTitle}>{t("details")}</h2>
        <Button size="compact-sm" variant="default" leftSection={<IconPencil size={14} aria-hidden />} onClick={edit.open} aria-label={t("edit.title")}>
          {t("edit.open")}
        </Button>
      </Group>
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
            <Tags
              tags={shownTags}
              change={(next) => tags.mutate({ add: next.filter((tag) => !contact.tags.includes(tag)), remove: contact.tags.filter((tag) => !next.includes(tag)) })}
            />
          </dd>
        </div>
        {contact.company_id !== null && <Company id={contact.company_id} />}
        {contact.language !== null && <Facts title={t("language")} values={[contact.language]} />}
        {contact.timezone !== null && <Facts title={t("timezone")} values={[contact.timezone]} />}
        {contact.score !== 0 && <Facts title={t("edit.score")} values={[String(contact.score)]} />}
        {contact.opt_outs.length > 0 && <Facts title={t("optOuts")} values={contact.opt_outs} />}
        {Object.entries(contact.fields).map(([name, value]) => (
          <Facts key={name} title={name} values={[typeof value === "string" ? value : JSON.stringify(value)]} />
        ))}
        <div>
          <dt>{t("column.since")}</dt>
          <dd>
            <Moment at={contact.created_at} exact />
          </dd>
        </div>
      </dl>
      {session?.role === "admin" && (
        <Button mt="lg" size="compact-sm" variant="subtle" color="red" onClick={erase.open}>
          {t("erase.open")}
        </Button>
      )}
      <Suspense>
        {editing && <EditContact id={contact.id} close={edit.close} saved={show} />}
        {erasing && <EraseContact contact={contact} close={erase.close} />}
      </Suspense>
    </section>
  );
}

function Company({ id }: { id: string }) {
  const { t } = useTranslation("contacts");
  const company = api.useQuery("get", "/api/v1/companies/{id}", { params: { path: { id } } });
  return <Facts title={t("company")} values={[company.data?.name ?? "…"]} />;
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
