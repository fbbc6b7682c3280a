import { Badge, Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconBolt, IconPlus } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { WorkflowSummary } from "../../client/schema";
import { EmptyState } from "../../parts/EmptyState";
import { ButtonLink } from "../../parts/links";
import classes from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { MoreButton } from "../../parts/MoreButton";
import { PageTitle } from "../../parts/PageTitle";
import { RecordsTable } from "../../parts/RecordsTable";
import { RowsLoading } from "../../parts/RowsLoading";

const NewWorkflow = lazy(() => import("./NewWorkflow").then((module) => ({ default: module.NewWorkflow })));

export function WorkflowsPage() {
  const { t } = useTranslation("workflows");
  const [adding, { open, close }] = useDisclosure(false);
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/workflows",
    { params: { query: { limit: 50 } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined },
  );
  const workflows = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageTitle
        title={t("title")}
        actions={
          <>
            <ButtonLink to="/gallery" variant="default">
              {t("fromGallery")}
            </ButtonLink>
            <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
              {t("add")}
            </Button>
          </>
        }
      >
        {t("about")}
      </PageTitle>
      {list.isPending && <RowsLoading />}
      {list.isError && workflows.length === 0 && <LoadFailed error={list.error} retry={list.refetch} />}
      {list.isSuccess && workflows.length === 0 && (
        <EmptyState icon={IconBolt} title={t("empty.title")} action={<ButtonLink to="/gallery">{t("fromGallery")}</ButtonLink>}>
          {t("empty.text")}
        </EmptyState>
      )}
      {workflows.length > 0 && <Table workflows={workflows} />}
      <MoreButton list={list} />
      <Suspense>{adding && <NewWorkflow close={close} />}</Suspense>
    </>
  );
}

function Table({ workflows }: { workflows: readonly WorkflowSummary[] }) {
  const { t } = useTranslation("workflows");
  return (
    <RecordsTable
      items={workflows}
      keyOf={({ name }) => name}
      columns={[
        {
          title: t("column.name"),
          cell: ({ name }) => (
            <Link to="/workflows/$name" params={{ name }} className={classes.lead}>
              <bdi>{name}</bdi>
            </Link>
          ),
        },
        { title: t("column.state"), cell: (workflow) => <State workflow={workflow} /> },
        {
          title: t("column.runs"),
          quiet: true,
          cell: ({ name, live_runs: count }) => (
            <Link to="/runs" search={{ workflow: name }} className={classes.above} style={{ color: "inherit" }}>
              {t("liveRuns", { count })}
            </Link>
          ),
        },
        { title: t("column.published"), quiet: true, nowrap: true, cell: ({ published_at: at }) => (at === null ? t("never") : <Moment at={at} />) },
      ]}
    />
  );
}

function State({ workflow }: { workflow: WorkflowSummary }) {
  const { t } = useTranslation("workflows");
  return (
    <>
      {workflow.paused && (
        <Badge color="gray" variant="light" tt="none" me={4}>
          {t("state.paused")}
        </Badge>
      )}
      {workflow.current_version !== null && (
        <Badge color="teal" variant="light" tt="none" me={4}>
          {t("state.published", { version: workflow.current_version })}
        </Badge>
      )}
      {workflow.draft_updated_at !== null && (
        <Badge color="blue" variant="light" tt="none">
          {t("state.draft")}
        </Badge>
      )}
    </>
  );
}
