import { Button, Center, Skeleton } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconChecks, IconClock, IconPaperclip } from "@tabler/icons-react";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Message } from "../../client/schema";
import { TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { useNow } from "../../parts/Moment";
import { dayOf } from "../../parts/moments";
import { useWaiting } from "../../parts/useWaiting";
import classes from "./Conversations.module.css";
import { sinceWhen, whyNotSent } from "./messages";

export function Messages({ conversation }: { conversation: string }) {
  const { t, i18n } = useTranslation(["conversations", "shell"]);
  const now = useNow();
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/conversations/{id}/messages",
    { params: { path: { id: conversation }, query: { limit: 50 } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined },
  );
  const waiting = useWaiting(list.isPending);
  const messages = waiting ? [] : (list.data?.pages.flatMap((page) => page.items) ?? []).toReversed();
  return (
    // The reader scrolls with the keyboard too; it begins at its end, since the column is turned round.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={classes.messages} tabIndex={0} role="region" aria-label={t("conversations:messages")}>
      <div key={waiting ? "waiting" : "there"}>
        {list.isError && messages.length === 0 && <LoadFailed error={list.error} retry={list.refetch} />}
        {waiting && <Waiting />}
        {list.hasNextPage && (
          <Center mb="md">
            <Button variant="default" size="compact-sm" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t("conversations:earlier")}
            </Button>
          </Center>
        )}
        <ol className={classes.messageList} aria-live="polite" aria-relevant="additions">
          {messages.map((message, index) => (
            <Fragment key={message.id}>
              {sinceWhen(messages[index - 1]?.at, message.at) && (
                <li className={classes.day}>{dayOf(message.at, now, i18n.language)}</li>
              )}
              <Bubble message={message} />
            </Fragment>
          ))}
        </ol>
      </div>
    </div>
  );
}

const KINDS = ["image", "audio", "video", "document", "location", "contacts", "interactive", "template", "reaction", "sticker"] as const;

function kindOf(text: string): (typeof KINDS)[number] | "unsupported" {
  return KINDS.find((kind) => kind === text) ?? "unsupported";
}

function Waiting() {
  return [60, 45, 70, 30].map((width, row) => (
    <Skeleton key={width} height={44} width={`${width}%`} radius="lg" mb="sm" ms={row % 2 === 0 ? 0 : "auto"} />
  ));
}

function Bubble({ message }: { message: Message }) {
  const { t, i18n } = useTranslation("conversations");
  const ours = message.direction === "outbound";
  const time = new Intl.DateTimeFormat(i18n.language, { timeStyle: "short" }).format(new Date(message.at));
  const problem = whyNotSent(message);
  return (
    <li className={classes.message} data-ours={ours}>
      {message.kind !== "text" && (
        <span className={classes.foot} style={{ justifyContent: "flex-start" }}>
          <IconPaperclip size={14} aria-hidden /> {t(`kind.${kindOf(message.kind)}`)}
        </span>
      )}
      {message.text !== "" && (
        <p className={classes.text} dir="auto">
          {message.text}
        </p>
      )}
      <div className={classes.foot}>
        {ours && message.author.kind === "automation" && message.run_id !== null && (
          <TextLink to="/runs/$id" params={{ id: message.run_id }} inherit c="inherit" underline="always">
            {t("byAutomation")}
          </TextLink>
        )}
        <time dateTime={message.at}>{time}</time>
        {ours && <Delivery status={message.status} />}
      </div>
      {problem !== null && (
        <p className={`${classes.text} ${classes.failed}`}>
          <IconAlertTriangle size={14} aria-hidden /> {problem}
        </p>
      )}
    </li>
  );
}

const DELIVERY = {
  queued: IconClock,
  held: IconClock,
  sending: IconClock,
  sent: IconCheck,
  delivered: IconChecks,
  read: IconChecks,
  failed: IconAlertTriangle,
  unknown: IconAlertTriangle,
} as const;

function Delivery({ status }: { status: string }) {
  const { t } = useTranslation("conversations");
  if (!(status in DELIVERY)) {
    return null;
  }
  const known = status as keyof typeof DELIVERY;
  const Sign = DELIVERY[known];
  return (
    <span style={{ display: "inline-flex", gap: 4, alignItems: "center" }}>
      <Sign size={14} aria-hidden color={known === "read" ? "var(--mantine-color-blue-6)" : undefined} />
      {t(`delivery.${known}`)}
    </span>
  );
}
