// One conversation: what was said, oldest above, and the field to answer in.

import { ActionIcon, Badge, Skeleton } from "@mantine/core";
import { IconArrowLeft, IconUser } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { nameTab } from "../../parts/product";
import { api } from "../../client/http";
import { Channel } from "../../parts/Channel";
import { ActionLink, ButtonLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { Care } from "./Care";
import { Composer } from "./Composer";
import classes from "./Conversations.module.css";
import { Messages } from "./Messages";

const route = getRouteApi("/conversations/$id");

export function ConversationPage() {
  const { t } = useTranslation(["conversations", "shell"]);
  const { id } = route.useParams();
  const conversation = api.useQuery("get", "/api/v1/conversations/{id}", { params: { path: { id } } });
  const { mutate: read } = api.useMutation("post", "/api/v1/conversations/{id}/read");
  const unread = conversation.data?.unread ?? 0;
  const name = conversation.data?.contact_name;
  useEffect(() => {
    if (unread > 0) {
      read({ params: { path: { id } } });
    }
  }, [read, id, unread]);
  useEffect(() => {
    if (name !== undefined) {
      nameTab(name);
    }
  }, [name]);
  if (conversation.isError && conversation.data === undefined) {
    return <LoadFailed error={conversation.error} retry={conversation.refetch} />;
  }
  const data = conversation.data;
  return (
    <>
      <header className={classes.head}>
        <ActionLink to="/conversations" className={classes.back} variant="subtle" color="gray" aria-label={t("conversations:back")}>
          <IconArrowLeft size={18} className="onward-flip" aria-hidden />
        </ActionLink>
        {data === undefined ? (
          <>
            <Skeleton key="name waits" height={53} maw={220} style={{ flex: 1 }} />
            <div key="care waits" className={classes.care}>
              <Skeleton height={36} width={220} />
            </div>
          </>
        ) : (
          <>
            <PersonAvatar name={data.contact_name} size={40} />
            <div className={classes.headNames}>
              <h1>
                <bdi>{data.contact_name}</bdi>
              </h1>
              <Channel channel={data.channel} />
              {data.status === "closed" && (
                <Badge variant="default" tt="none">
                  {t("conversations:isClosed")}
                </Badge>
              )}
            </div>
            <div className={classes.care}>
              <Care conversation={data} />
            </div>
            <ButtonLink to="/contacts/$id" params={{ id: data.contact_id }} variant="default" size="sm" visibleFrom="sm" leftSection={<IconUser size={16} aria-hidden />}>
              {t("conversations:toContact")}
            </ButtonLink>
            <ActionIcon.Group hiddenFrom="sm">
              <ActionLink to="/contacts/$id" params={{ id: data.contact_id }} variant="default" size="lg" aria-label={t("conversations:toContact")}>
                <IconUser size={18} aria-hidden />
              </ActionLink>
            </ActionIcon.Group>
          </>
        )}
      </header>
      <Messages key={`messages ${id}`} conversation={id} />
      <Composer key={`composer ${id}`} conversation={id} />
    </>
  );
}
