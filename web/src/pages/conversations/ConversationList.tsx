import { Badge, SegmentedControl, Title } from "@mantine/core";
import { IconMessages } from "@tabler/icons-react";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { nameTab } from "../../parts/product";
import { api } from "../../client/http";
import type { Conversation } from "../../client/schema";
import { ChoiceField } from "../../parts/ChoiceField";
import { EmptyState } from "../../parts/EmptyState";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { MoreButton } from "../../parts/MoreButton";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { RowsLoading } from "../../parts/RowsLoading";
import { SandboxLink } from "../../parts/SandboxLink";
import { useWaiting } from "../../parts/useWaiting";
import { readAssignee, useAssignees } from "./assignees";
import classes from "./Conversations.module.css";

export function ConversationList({ chosen }: { chosen: string | undefined }) {
  const { t } = useTranslation("conversations");
  const { status, for: assignee } = useSearch({ from: "/conversations" });
  useEffect(() => {
    nameTab(t("title"));
  }, [t]);
  const { user, team } = readAssignee(assignee);
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/conversations",
    { params: { query: { limit: 50, ...(status === "all" ? {} : { status: status ?? "open" }), ...(user === undefined ? {} : { assigned_user: user }), ...(team === undefined ? {} : { assigned_team: team }) } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined },
  );
  const waiting = useWaiting(list.isPending);
  const conversations = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <Filters order={chosen === undefined ? 1 : 2} status={status} assignee={assignee} />
      {waiting && <RowsLoading rows={6} />}
      {list.isError && conversations.length === 0 && <LoadFailed error={list.error} retry={list.refetch} />}
      {!waiting && list.isSuccess && conversations.length === 0 && (
        <EmptyState icon={IconMessages} title={t("empty.title")} action={<SandboxLink />}>
          {t("empty.text")}
        </EmptyState>
      )}
      {!waiting && conversations.length > 0 && (
        <ul className={classes.items}>
          {conversations.map((conversation) => (
            <Item key={conversation.id} conversation={conversation} chosen={conversation.id === chosen} />
          ))}
          {list.hasNextPage && (
            <li>
              <MoreButton list={list} />
            </li>
          )}
        </ul>
      )}
    </>
  );
}

/** What of the list is shown; it is drawn anew when that changes, not with every row. */
const Filters = memo(function Filters({ order, status, assignee }: { order: 1 | 2; status: string | undefined; assignee: string | undefined }) {
  const { t } = useTranslation("conversations");
  const navigate = useNavigate();
  // Where one is, an open conversation too, with another filter.
  const filter = (next: { status?: string | undefined; for?: string | undefined }) => void navigate({ to: ".", search: (before) => ({ ...before, ...next }), replace: true });
  return (
    <div className={classes.listHead}>
      <Title order={order} size="h2">
        {t("title")}
      </Title>
      <SegmentedControl
        aria-label={t("filter")}
        size="sm"
        value={status ?? "open"}
        onChange={(next) => filter({ status: next === "open" ? undefined : next })}
        data={[
          { value: "open", label: t("open") },
          { value: "closed", label: t("closed") },
          { value: "all", label: t("all") },
        ]}
      />
      <AssigneeFilter label={t("for")} value={assignee} choose={(next) => filter({ for: next })} />
    </div>
  );
});

function AssigneeFilter({ label, value, choose }: { label: string; value: string | undefined; choose: (next: string | undefined) => void }) {
  return <ChoiceField label={label} choices={useAssignees()} value={value} onChange={choose} />;
}

function Item({ conversation, chosen }: { conversation: Conversation; chosen: boolean }) {
  const { t } = useTranslation("conversations");
  return (
    <li>
      <Link
        to="/conversations/$id"
        params={{ id: conversation.id }}
        search={(before) => before}
        className={classes.item}
        aria-current={chosen ? "page" : undefined}
      >
        <PersonAvatar name={conversation.contact_name} size={40} />
        <div style={{ minWidth: 0 }}>
          <div className={classes.line}>
            <bdi className={classes.name}>{conversation.contact_name}</bdi>
            <span className={classes.when}>
              <Moment at={conversation.last_message_at} />
            </span>
          </div>
          <div className={classes.line}>
            <bdi className={classes.last}>{conversation.last_text}</bdi>
            {conversation.unread > 0 && (
              <Badge size="sm" circle={conversation.unread < 10} aria-label={t("unread", { count: conversation.unread })}>
                {conversation.unread}
              </Badge>
            )}
          </div>
        </div>
      </Link>
    </li>
  );
}
