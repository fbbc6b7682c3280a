// One contact: who they are, what was said and done in order of time, and the runs about them.

import { Button, Tabs } from "@mantine/core";
import { IconArrowLeft, IconMessages } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { ButtonLink, TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { PageLoading } from "../../parts/PageLoading";
import { PageTitle } from "../../parts/PageTitle";
import { calledBy } from "../../parts/people";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { useWaiting } from "../../parts/useWaiting";
import { RunsTable } from "../runs/RunsTable";
import { ContactDetails } from "./ContactDetails";
import classes from "./ContactPage.module.css";
import { Timeline } from "./Timeline";

const route = getRouteApi("/contacts/$id");

export function ContactPage() {
  const { t } = useTranslation("contacts");
  const { id } = route.useParams();
  const contact = api.useQuery("get", "/api/v1/contacts/{id}", { params: { path: { id } } });
  const conversations = api.useQuery("get", "/api/v1/conversations", { params: { query: { contact: id, limit: 1 } } });
  const conversation = conversations.data?.items[0];
  const waiting = useWaiting(contact.data === undefined);
  if (contact.isError) {
    return <LoadFailed error={contact.error} retry={contact.refetch} />;
  }
  if (waiting || contact.data === undefined) {
    return <PageLoading />;
  }
  const name = calledBy(contact.data, t("nameless"));
  return (
    <>
      <TextLink to="/contacts" size="sm" mb="sm" display="inline-flex" style={{ alignItems: "center", gap: 6 }}>
        <IconArrowLeft size={16} aria-hidden className="onward-flip" />
        {t("title")}
      </TextLink>
      <PageTitle
        title={name}
        before={<PersonAvatar name={name} size={48} />}
        actions={
          conversation === undefined ? (
            <Button disabled leftSection={<IconMessages size={16} aria-hidden />}>
              {t("noConversation")}
            </Button>
          ) : (
            <ButtonLink to="/conversations/$id" params={{ id: conversation.id }} leftSection={<IconMessages size={16} aria-hidden />}>
              {t("toConversation")}
            </ButtonLink>
          )
        }
      />
      <div className={classes.columns}>
        <ContactDetails contact={contact.data} />
        <Tabs defaultValue="timeline" keepMounted={false}>
          <Tabs.List mb="md">
            <Tabs.Tab value="timeline">{t("tab.timeline")}</Tabs.Tab>
            <Tabs.Tab value="runs">{t("tab.runs")}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="timeline">
            <Timeline contact={id} />
          </Tabs.Panel>
          <Tabs.Panel value="runs">
            <RunsTable filter={{ contact: id }} compact />
          </Tabs.Panel>
        </Tabs>
      </div>
    </>
  );
}
