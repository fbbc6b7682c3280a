// Why a run does not move: what it waits for and until when, what holds it back and who can lift that.

import { Skeleton, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import classes from "./Runs.module.css";

const KINDS = ["event", "ask", "timer", "retry", "hold", "run", "step", "paused", "resuming", "start", "settle", "unowned", "working", "ended"] as const;

function kindOf(kind: unknown): (typeof KINDS)[number] | "other" {
  return KINDS.find((known) => known === kind) ?? "other";
}

export function WhyNot({ run }: { run: string }) {
  const { t } = useTranslation("runs");
  const why = api.useQuery("get", "/api/v1/runs/{id}/why", { params: { path: { id: run } } }, { retry: false });
  return (
    <section className={classes.panel}>
      <h2>{t("why.title")}</h2>
      {why.isPending && <Skeleton height={60} />}
      {why.isError && why.data === undefined && <LoadFailed error={why.error} retry={why.refetch} />}
      {why.data?.reasons.map((reason, index) => (
        <Reason key={index} reason={reason as Record<string, unknown>} />
      ))}
      {why.data !== undefined && why.data.more > 0 && <Text size="sm">{t("why.more", { count: why.data.more })}</Text>}
    </section>
  );
}

function Reason({ reason }: { reason: Record<string, unknown> }) {
  const { t } = useTranslation("runs");
  const { step, until, since, text } = reason;
  return (
    <div className={classes.reason}>
      <Text fw={600}>{t(`why.kind.${kindOf(reason.kind)}`)}</Text>
      {typeof step === "string" && (
        <Text size="sm">
          {t("why.step")} <code>{step}</code>
        </Text>
      )}
      {typeof since === "string" && (
        <Text size="sm" c="dimmed">
          {t("why.since")} <Moment at={since} />
        </Text>
      )}
      {typeof until === "string" && (
        <Text size="sm" c="dimmed">
          {t("why.until")} <Moment at={until} exact />
        </Text>
      )}
      {typeof text === "string" && (
        <Text size="sm" mt={4} lang="en" dir="auto" style={{ overflowWrap: "anywhere" }}>
          {text}
        </Text>
      )}
    </div>
  );
}
