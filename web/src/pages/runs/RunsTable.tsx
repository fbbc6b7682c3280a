import { Badge } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { EmptyState } from "../../parts/EmptyState";
import { ButtonLink } from "../../parts/links";
import classes from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { MoreButton } from "../../parts/MoreButton";
import { RecordsTable } from "../../parts/RecordsTable";
import { RowsLoading } from "../../parts/RowsLoading";
import { RunStatus } from "../../parts/RunStatus";
import { useWaiting } from "../../parts/useWaiting";

export interface RunFilter {
  workflow?: string | undefined;
  status?: string | undefined;
  key?: string | undefined;
  contact?: string | undefined;
}

/** Runs, newest first, as they are. `compact`: beside something else, that says already what they are about. */
export function RunsTable({ filter, compact = false }: { filter: RunFilter; compact?: boolean }) {
  const { t } = useTranslation("runs");
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/runs",
    { params: { query: { limit: 50, ...filter } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined, placeholderData: (before) => before },
  );
  const runs = list.data?.pages.flatMap((page) => page.items) ?? [];
  const waiting = useWaiting(list.isPending);
  if (waiting) {
    return <RowsLoading />;
  }
  if (list.isError && runs.length === 0) {
    return <LoadFailed error={list.error} retry={list.refetch} />;
  }
  if (runs.length === 0) {
    const filtered = Object.values(filter).some((value) => value !== undefined);
    return (
      <EmptyState
        icon={IconPlayerPlay}
        title={filtered ? t("noneFits") : t("empty.title")}
        action={filtered ? undefined : <ButtonLink to="/gallery">{t("empty.action")}</ButtonLink>}
      >
        {filtered ? undefined : t("empty.text")}
      </EmptyState>
    );
  }
  return (
    <>
      <RecordsTable
        items={runs}
        keyOf={({ id }) => id}
        columns={[
          { title: t("column.workflow"), cell: (run) => <Name run={run} /> },
          { title: t("column.status"), cell: ({ status }) => <RunStatus status={status} /> },
          ...(compact ? [] : [{ title: t("column.about"), quiet: true, cell: (run: Run) => <About run={run} /> }]),
          { title: t("column.at"), quiet: true, cell: (run) => <bdi style={{ overflowWrap: "anywhere" }}>{standsAt(run)}</bdi> },
          { title: t("column.started"), quiet: true, nowrap: true, cell: ({ started_at: at }) => <Moment at={at} /> },
        ]}
      />
      <MoreButton list={list} />
    </>
  );
}

/** The step at which a run stands, or the failure that ended it. */
function standsAt(run: Run): string {
  const waits = run.waiting_on as { step?: unknown } | null;
  const error = run.error as { message?: unknown } | null;
  if (run.status === "failed" && typeof error?.message === "string") {
    return error.message;
  }
  return typeof waits?.step === "string" ? waits.step : "";
}

function Name({ run }: { run: Run }) {
  const { t } = useTranslation("runs");
  return (
    <>
      <Link to="/runs/$id" params={{ id: run.id }} className={classes.lead}>
        <bdi>{run.workflow}</bdi>
      </Link>{" "}
      <Badge variant="default" size="sm" tt="none" fw={500}>
        {t("version", { version: run.version })}
      </Badge>
    </>
  );
}

/** Whom or what a run is about: its contact by name, else its key. */
function About({ run }: { run: Run }) {
  const contact = api.useQuery(
    "get",
    "/api/v1/contacts/{id}",
    { params: { path: { id: run.contact ?? "" } } },
    { enabled: run.contact !== null, staleTime: Number.POSITIVE_INFINITY, retry: false },
  );
  if (run.contact === null || contact.isError) {
    return <bdi>{run.key}</bdi>;
  }
  if (contact.data === undefined) {
    return "…";
  }
  return (
    <Link to="/contacts/$id" params={{ id: run.contact }} className={classes.above} style={{ color: "inherit" }}>
      <bdi>{contact.data.name ?? contact.data.phone ?? contact.data.email ?? run.key}</bdi>
    </Link>
  );
}
