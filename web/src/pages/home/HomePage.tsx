// Health at a glance: what lives, what failed and why, how many events come in.

import { Skeleton } from "@mantine/core";
import { IconMoodSmile } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useSessionQuery } from "../../client/session";
import { api } from "../../client/http";
import type { Overview } from "../../client/schema";
import { ButtonLink, TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { PageTitle } from "../../parts/PageTitle";
import { RUN_STATUSES, STATUS_LOOKS } from "../../parts/RunStatus";
import { SandboxLink } from "../../parts/SandboxLink";
import { useWaiting } from "../../parts/useWaiting";
import { Bars } from "./Bars";
import { everyHour, everyMinute, failedOf } from "./columns";
import classes from "./Home.module.css";

const LIVING = ["running", "waiting", "paused", "held"] as const;
const LOOK_MS = 15_000;

export function HomePage() {
  const { t } = useTranslation("home");
  const { data: session } = useSessionQuery();
  const overview = api.useQuery("get", "/api/v1/overview", undefined, { refetchInterval: LOOK_MS });
  const causes = useCauses();
  const name = session?.user?.name;
  const waiting = useWaiting(overview.isPending);
  return (
    <>
      <PageTitle title={name === undefined ? t("title") : t("hello", { name })} actions={<Next />}>
        {t("about")}
      </PageTitle>
      {waiting && <HomeLoading />}
      {overview.isError && overview.data === undefined && <LoadFailed error={overview.error} retry={overview.refetch} />}
      {!waiting && overview.data !== undefined && (
        <>
          <Numbers overview={overview.data} />
          <div className={classes.panels}>
            <RunsByHour overview={overview.data} />
            <EventsByMinute overview={overview.data} />
          </div>
          <Causes causes={causes} />
        </>
      )}
    </>
  );
}

/** The failures by cause, asked for beside the overview. */
function useCauses() {
  return api.useQuery("get", "/api/v1/runs/failures", { params: { query: { limit: 5 } } });
}

/** Nothing of it stays when the overview comes, so nothing moves. */
function HomeLoading() {
  const { t } = useTranslation("shell");
  return (
    <div role="status" aria-label={t("loading")}>
      <Skeleton height={92} radius="md" mb="lg" />
      <Skeleton height={260} radius="md" />
    </div>
  );
}

function Next() {
  const { t } = useTranslation("home");
  return (
    <>
      <SandboxLink variant="default" />
      <ButtonLink to="/gallery">{t("toGallery")}</ButtonLink>
    </>
  );
}

function Numbers({ overview }: { overview: Overview }) {
  const { t, i18n } = useTranslation(["home", "runs"]);
  const number = new Intl.NumberFormat(i18n.language);
  const failed = failedOf(overview);
  return (
    <ul className={classes.numbers}>
      {LIVING.map((status) => {
        const Sign = STATUS_LOOKS[status].icon;
        return (
          <li key={status}>
            <Link to="/runs" search={{ status }} className={classes.number}>
              <span className={classes.word}>
                <Sign size={16} aria-hidden />
                {t(`runs:status.${status}`)}
              </span>
              <b>{number.format(overview.living[status] ?? 0)}</b>
            </Link>
          </li>
        );
      })}
      <li>
        <Link to="/runs" search={{ view: "failures" }} className={classes.number} data-bad={failed > 0}>
          <span className={classes.word}>
            <STATUS_LOOKS.failed.icon size={16} aria-hidden />
            {t("home:failedToday")}
          </span>
          <b>{number.format(failed)}</b>
        </Link>
      </li>
    </ul>
  );
}

function RunsByHour({ overview }: { overview: Overview }) {
  const { t } = useTranslation(["home", "runs"]);
  return (
    <section className={classes.panel}>
      <h2>{t("home:byHour.title")}</h2>
      <Bars
        label={t("home:byHour.title")}
        columns={everyHour(overview)}
        series={RUN_STATUSES.map((status) => ({ name: status, label: t(`runs:status.${status}`) }))}
        unit="hour"
        empty={t("home:byHour.empty")}
      />
    </section>
  );
}

function EventsByMinute({ overview }: { overview: Overview }) {
  const { t } = useTranslation("home");
  return (
    <section className={classes.panel}>
      <h2>{t("byMinute.title")}</h2>
      <Bars label={t("byMinute.title")} columns={everyMinute(overview)} series={[{ name: "events", label: t("byMinute.events") }]} unit="minute" empty={t("byMinute.empty")} />
    </section>
  );
}

function Causes({ causes }: { causes: ReturnType<typeof useCauses> }) {
  const { t } = useTranslation("home");
  return (
    <section className={classes.panel}>
      <h2>{t("causes.title")}</h2>
      {causes.isPending && <Skeleton height={120} />}
      {causes.isError && causes.data === undefined && <LoadFailed error={causes.error} retry={causes.refetch} />}
      {causes.data?.items.length === 0 && (
        <p className={classes.good}>
          <IconMoodSmile size={20} aria-hidden /> {t("causes.none")}
        </p>
      )}
      {causes.data !== undefined && causes.data.items.length > 0 && (
        <>
          <ul className={classes.causes}>
            {causes.data.items.map((cause) => (
              <li key={cause.id}>
                <b className={classes.count}>{cause.count}</b>
                <span className={classes.what}>
                  <bdi className={classes.strong}>{cause.workflow}</bdi> <span dir="auto">{cause.message}</span>
                </span>
                <span className={classes.quiet}>
                  <Moment at={cause.last_seen} />
                </span>
              </li>
            ))}
          </ul>
          <TextLink to="/runs" search={{ view: "failures" }} size="sm">
            {t("causes.all")}
          </TextLink>
        </>
      )}
    </section>
  );
}
