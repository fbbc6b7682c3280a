import { Badge, Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconBolt, IconPlus } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
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
import { RowsLoading } from "../../parts/RowsLoading";
import { NewWorkflow } from "./NewWorkflow";

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
      <NewWorkflow opened={adding} close={close} />
    </>
  );
}

function Table({ workflows }: { workflows: readonly WorkflowSummary[] }) {
  const { t } = useTranslation("workflows");
  return (
    <div className={classes.card}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t("column.name")}</th>
            <th scope="col">{t("column.state")}</th>
            <th scope="col">{t("column.runs")}</th>
            <th scope="col">{t("column.published")}</th>
          </tr>
        </thead>
        <tbody>
          {workflows.map((workflow) => (
            <tr key={workflow.name}>
              <td>
                <Link to="/workflows/$name" params={{ name: workflow.name }} className={classes.lead}>
                  <bdi>{workflow.name}</bdi>
                </Link>
              </td>
              <td>
                <State workflow={workflow} />
              </td>
              <td className={classes.quiet}>
                <Link to="/runs" search={{ workflow: workflow.name }} className={classes.above} style={{ color: "inherit" }}>
                  {t("liveRuns", { count: workflow.live_runs })}
                </Link>
              </td>
              <td className={`${classes.quiet} ${classes.nowrap}`}>{workflow.published_at === null ? t("never") : <Moment at={workflow.published_at} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
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
