// What happened to a contact, newest first: messages, notes, tags, consent, runs.

import { Badge } from "@mantine/core";
import {
  type Icon,
  IconBolt,
  IconCash,
  IconChecklist,
  IconHistory,
  IconMessage,
  IconNote,
  IconPencil,
  IconPlayerPlay,
  IconShieldCheck,
  IconTag,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { TimelineItem } from "../../client/schema";
import { EmptyState } from "../../parts/EmptyState";
import { TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { MoreButton } from "../../parts/MoreButton";
import { RowsLoading } from "../../parts/RowsLoading";
import classes from "./ContactPage.module.css";

const KINDS = ["message", "note", "field", "tag", "deal", "task", "consent", "run", "event"] as const;
type Kind = (typeof KINDS)[number];
const SIGNS: Record<Kind, Icon> = {
  message: IconMessage,
  note: IconNote,
  field: IconPencil,
  tag: IconTag,
  deal: IconCash,
  task: IconChecklist,
  consent: IconShieldCheck,
  run: IconPlayerPlay,
  event: IconBolt,
};

function kindOf(text: string): Kind {
  return KINDS.find((kind) => kind === text) ?? "event";
}

export function Timeline({ contact }: { contact: string }) {
  const { t } = useTranslation("contacts");
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/contacts/{id}/timeline",
    { params: { path: { id: contact }, query: { limit: 50 } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined },
  );
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.isPending) {
    return <RowsLoading rows={6} />;
  }
  if (list.isError && items.length === 0) {
    return <LoadFailed error={list.error} retry={list.refetch} />;
  }
  if (items.length === 0) {
    return <EmptyState icon={IconHistory} title={t("timeline.empty")} />;
  }
  return (
    <>
      <ol className={classes.timeline}>
        {items.map((item) => (
          <Item key={item.id} item={item} />
        ))}
      </ol>
      <MoreButton list={list} />
    </>
  );
}

function Item({ item }: { item: TimelineItem }) {
  const { t } = useTranslation("contacts");
  const kind = kindOf(item.kind);
  const Sign = SIGNS[kind];
  return (
    <li className={classes.item}>
      <span className={classes.sign}>
        <Sign size={17} stroke={1.7} aria-hidden />
      </span>
      <div>
        <p className={classes.text} dir="auto">
          {item.text}
        </p>
        <span className={classes.meta}>
          <Badge variant="default" size="sm" tt="none" fw={500} me={6}>
            {t(`timeline.kind.${kind}`)}
          </Badge>
          {t(`author.${authorKind(item)}`)}
          {item.run_id !== null && (
            <>
              {" · "}
              <TextLink to="/runs/$id" params={{ id: item.run_id }} inherit underline="always">
                {t("timeline.byRun")}
              </TextLink>
            </>
          )}
        </span>
      </div>
      <span className={classes.meta}>
        <Moment at={item.at} />
      </span>
    </li>
  );
}

function authorKind({ author }: TimelineItem): "contact" | "user" | "automation" | "ai" | "system" {
  const known = ["contact", "user", "automation", "ai"] as const;
  return known.find((kind) => kind === author.kind) ?? "system";
}
