import { useTranslation } from "react-i18next";
import { Moment } from "../../parts/Moment";
import type { Entry } from "./story";

const KINDS = [
  "run_started",
  "run_completed",
  "run_failed",
  "run_cancelled",
  "paused",
  "resumed",
  "exited",
  "cancel_requested",
  "reopened",
  "migrated",
  "held",
  "branch_taken",
  "variant_chosen",
  "iteration_started",
  "retry_scheduled",
  "wait_opened",
  "wait_resolved",
  "wait_timed_out",
  "timer_set",
  "ask_answered",
  "event_emitted",
  "child_started",
  "compensation_started",
] as const;

/** What is said of an entry: its kind in words, with the facts that matter. */
export function Note({ entry }: { entry: Entry }) {
  const { t } = useTranslation("runs");
  const kind = KINDS.find((known) => known === entry.kind);
  const facts = factsOf(entry);
  const until = [entry.due, entry.deadline, entry.until].find((moment) => typeof moment === "string");
  return (
    <span>
      {kind === undefined ? entry.kind : t(`note.${kind}`)}
      {facts !== "" && (
        <>
          {" "}
          <bdi>{facts}</bdi>
        </>
      )}
      {typeof until === "string" && (
        <>
          {" "}
          {t("why.until")} <Moment at={until} exact />
        </>
      )}
    </span>
  );
}

function factsOf(entry: Entry): string {
  const error = entry.error as { message?: string } | undefined;
  const event = entry.event as { type?: string } | string | undefined;
  const eventType = typeof event === "string" ? event : event?.type;
  const waits = entry.kind === "wait_opened" ? Object.values((entry.waits ?? {}) as Record<string, { event?: string }>).map((wait) => wait.event) : [];
  const facts = [entry.branch, entry.variant, entry.index, eventType, ...waits, entry.workflow, entry.by, entry.reason, error?.message];
  const isStart = entry.kind === "run_started";
  return isStart ? "" : facts.filter((fact) => typeof fact === "string" || typeof fact === "number").join(" · ");
}
