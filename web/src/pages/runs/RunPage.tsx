// One run: how it stands and why it does not move, what it did step by step, and what can be done about it.
// The graph that it ran on stands above the story; it is loaded with the builder's parts, when a run is opened.

import { Alert, Skeleton, VisuallyHidden } from "@mantine/core";
import { IconAlertTriangle, IconArrowLeft } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { MoreButton } from "../../parts/MoreButton";
import { PageLoading } from "../../parts/PageLoading";
import { PageTitle } from "../../parts/PageTitle";
import { RunStatus } from "../../parts/RunStatus";
import { RunActions } from "./RunActions";
import classes from "./Runs.module.css";
import { type Entry, story } from "./story";
import { Story } from "./Story";
import { WhyNot } from "./WhyNot";

const RunGraph = lazy(async () => ({ default: (await import("../../builder/run/RunGraph")).RunGraph }));

const route = getRouteApi("/runs/$id");

/** The API's document leaves the entries' shape open: each kind has its own. */
function pageOf(page: unknown): { items: Entry[]; next_cursor: string | null } {
  return page as { items: Entry[]; next_cursor: string | null };
}

export function RunPage() {
  const { t } = useTranslation("runs");
  const { id } = route.useParams();
  const run = api.useQuery("get", "/api/v1/runs/{id}", { params: { path: { id } } });
  const history = api.useInfiniteQuery(
    "get",
    "/api/v1/runs/{id}/history",
    { params: { path: { id }, query: {} } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: (page) => pageOf(page).next_cursor ?? undefined },
  );
  if (run.isError && run.data === undefined) {
    return <LoadFailed error={run.error} retry={run.refetch} />;
  }
  if (run.data === undefined || history.isPending) {
    return <PageLoading />;
  }
  const entries = history.data?.pages.flatMap((page) => pageOf(page).items) ?? [];
  const chapters = story(entries);
  return (
    <>
      <TextLink to="/runs" size="sm" mb="sm" display="inline-flex" style={{ alignItems: "center", gap: 6 }}>
        <IconArrowLeft size={16} aria-hidden className="onward-flip" />
        {t("title")}
      </TextLink>
      <PageTitle title={run.data.workflow} actions={<RunActions run={run.data} chapters={chapters} />}>
        <RunStatus status={run.data.status} /> {t("version", { version: run.data.version })}
      </PageTitle>
      <div className={classes.drawing}>
        {entries.length > 0 && (
          <Suspense fallback={<Skeleton height={494} radius="md" />}>
            <RunGraph workflow={run.data.workflow} version={run.data.version} entries={entries} />
          </Suspense>
        )}
      </div>
      <div className={classes.columns}>
        <section>
          <VisuallyHidden component="h2">{t("story.title")}</VisuallyHidden>
          {history.isError && entries.length === 0 && <LoadFailed error={history.error} retry={history.refetch} />}
          {entries.length > 0 && <Story chapters={chapters} />}
          <MoreButton list={history} />
        </section>
        <aside>
          <Beside run={run.data} />
        </aside>
      </div>
    </>
  );
}

function Beside({ run }: { run: Run }) {
  const { t } = useTranslation("runs");
  const error = run.error as { code?: string; message?: string } | null;
  return (
    <>
      {error !== null && (
        <Alert color="red" icon={<IconAlertTriangle size={18} aria-hidden />} title={t("failedBecause")} mb="md">
          <span dir="auto">{error.message}</span> <code>{error.code}</code>
        </Alert>
      )}
      {run.ended_at === null && <WhyNot run={run.id} />}
      <div className={classes.panel}>
        <h2>{t("facts.title")}</h2>
        <dl className={classes.facts}>
          <div>
            <dt>{t("column.workflow")}</dt>
            <dd>
              <TextLink to="/workflows/$name" params={{ name: run.workflow }} search={{}}>
                <bdi>{run.workflow}</bdi>
              </TextLink>
            </dd>
          </div>
          {run.contact !== null && (
            <div>
              <dt>{t("facts.contact")}</dt>
              <dd>
                <TextLink to="/contacts/$id" params={{ id: run.contact }}>
                  {t("facts.toContact")}
                </TextLink>
              </dd>
            </div>
          )}
          <div>
            <dt>{t("column.started")}</dt>
            <dd>
              <Moment at={run.started_at} exact />
            </dd>
          </div>
          {run.ended_at !== null && (
            <div>
              <dt>{t("facts.ended")}</dt>
              <dd>
                <Moment at={run.ended_at} exact />
              </dd>
            </div>
          )}
          {run.exit !== null && (
            <div>
              <dt>{t("facts.exit")}</dt>
              <dd>
                <code>{run.exit}</code>
              </dd>
            </div>
          )}
          <div>
            <dt>{t("facts.key")}</dt>
            <dd>
              <code>{run.key}</code>
            </dd>
          </div>
          <div>
            <dt>{t("facts.id")}</dt>
            <dd>
              <code>{run.id}</code>
            </dd>
          </div>
        </dl>
      </div>
    </>
  );
}
