// Values of a recorded or simulated run, taken from its history up to an entry: what the variable picker shows and steps are tried with.
import { isMap } from "../document/read";
import type { Samples } from "./scope";

/** One entry of a run's history: `{ seq, at, kind, step, … }`. */
export type Entry = Readonly<Record<string, unknown>>;

/** The key of the step that an entry's path names: what stands before the iterations (`nudge#3` → `nudge`). */
export function keyOfPath(path: unknown): string | null {
  return typeof path === "string" ? (path.split("#")[0] ?? path) : null;
}

/** What a run has seen so far. */
export function samplesOf(history: readonly Entry[]): Samples {
  const steps: Record<string, unknown> = {};
  const vars: Record<string, unknown> = {};
  let event: unknown = null;
  let input: unknown = null;
  for (const entry of history) {
    const key = keyOfPath(entry.step);
    if (entry.kind === "run_started") {
      event = entry.event ?? null;
      input = entry.input ?? null;
      if (isMap(entry.vars)) Object.assign(vars, entry.vars);
    } else if (entry.kind === "vars_set") {
      Object.assign(vars, isMap(entry.vars) ? entry.vars : {});
    } else if (key !== null) {
      const output = outputOf(entry);
      if (output !== undefined) steps[key] = output;
    }
  }
  return { event, input, vars, steps };
}

function outputOf(entry: Entry): unknown {
  switch (entry.kind) {
    case "step_completed":
      return entry.output;
    case "branch_taken":
      return { taken: entry.branch };
    case "variant_chosen":
      return { variant: entry.variant };
    case "wait_timed_out":
      return { timed_out: true };
    case "wait_resolved":
      return isMap(entry.event) ? { ...entry.event, which: entry.which, timed_out: false } : { timed_out: false };
    case "ask_answered":
      return { answer: entry.answer, by: entry.by, at: entry.at, timed_out: false };
    default:
      return undefined;
  }
}
