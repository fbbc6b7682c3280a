// A run drawn on the graph it ran on: what its history says of each step, up to any of its entries. Pure.
import { NO_OVERLAY, type Overlay, type StepState } from "../canvas/flow";
import { enclosing, type Tree } from "../graph/tree";
import { keyOfPath, type Entry } from "../scope/samples";

const STATES: Record<string, StepState> = {
  step_scheduled: "running", step_completed: "done", step_failed: "failed", step_skipped: "skipped", step_cancelled: "skipped", retry_scheduled: "retrying",
  timer_set: "waiting", timer_fired: "done", wait_opened: "waiting", wait_resolved: "done", wait_timed_out: "done", branch_taken: "done", variant_chosen: "done",
  iteration_started: "running", vars_set: "done", event_emitted: "done", child_started: "waiting", child_ended: "done", ask_opened: "waiting", ask_answered: "done", held: "waiting",
};

/** How each step stands after the entries up to and with `until` (all, when it is left out). */
export function overlayOf(history: readonly Entry[], tree: Tree, until = Number.POSITIVE_INFINITY): Overlay {
  const states = new Map<string, StepState>();
  const taken = new Set<string>();
  for (const entry of history) {
    if (Number(entry.seq) > until) break;
    if (ENDS.has(String(entry.kind))) settle(states);
    const key = keyOfPath(entry.step);
    if (key === null || !tree.byKey.has(key)) continue;
    const state = STATES[String(entry.kind)];
    if (state) states.set(key, state);
    if (entry.kind === "branch_taken") taken.add(`${key}:${String(entry.branch)}`);
    if (entry.kind === "variant_chosen") taken.add(`${key}:${String(entry.variant)}`);
  }
  around(states, taken, tree);
  return { ...NO_OVERLAY, states, taken };
}

const ENDS = new Set(["run_completed", "run_cancelled"]);

/** A run that has ended waits for nothing more. */
function settle(states: Map<string, StepState>): void {
  for (const [key, state] of states) if (state === "waiting" || state === "running" || state === "retrying") states.set(key, "skipped");
}

/** Steps around others that have no entry of their own: a loop or branches whose inner steps were reached. */
function around(states: Map<string, StepState>, taken: Set<string>, tree: Tree): void {
  for (const step of tree.all) {
    const state = states.get(step.key);
    if (state === undefined) continue;
    for (const { step: outer, branch } of enclosing(tree, step.path)) {
      taken.add(`${outer.key}:${branch.name}`);
      const before = states.get(outer.key);
      if (before === undefined) states.set(outer.key, state === "waiting" || state === "running" || state === "retrying" ? "running" : "done");
    }
  }
}

/** The entries that a person wants to step through: those that say something of a step or of the run. */
export function moments(history: readonly Entry[]): Entry[] {
  return history.filter((entry) => !HIDDEN.has(String(entry.kind)) && !(entry.kind === "wait_opened" && entry.step === undefined));
}

const HIDDEN = new Set(["value_read", "bound", "checkpointed", "event_consumed"]);

/** What went into a step and what came out, the last time it ran before an entry. */
export function valuesOf(history: readonly Entry[], key: string, until = Number.POSITIVE_INFINITY): { input: unknown; output: unknown; error: unknown; started: string | null; ended: string | null } {
  let found: { input: unknown; output: unknown; error: unknown; started: string | null; ended: string | null } = { input: undefined, output: undefined, error: undefined, started: null, ended: null };
  for (const entry of history) {
    if (Number(entry.seq) > until) break;
    if (keyOfPath(entry.step) !== key) continue;
    const at = typeof entry.at === "string" ? entry.at : null;
    if (OPENING.has(String(entry.kind))) found = { input: entry.input ?? entry.waits ?? entry.due ?? entry.ask, output: undefined, error: undefined, started: at, ended: null };
    else found = { ...found, ...outcome(entry), ended: at };
  }
  return found;
}

const OPENING = new Set(["step_scheduled", "wait_opened", "timer_set", "child_started", "ask_opened"]);

function outcome(entry: Entry): { output?: unknown; error?: unknown } {
  switch (entry.kind) {
    case "step_failed":
    case "retry_scheduled":
      return { error: entry.error };
    case "branch_taken":
      return { output: { taken: entry.branch } };
    case "variant_chosen":
      return { output: { variant: entry.variant } };
    case "wait_timed_out":
      return { output: { timed_out: true } };
    case "wait_resolved":
      return { output: entry.event ?? entry.output };
    case "ask_answered":
      return { output: entry.answer };
    case "vars_set":
      return { output: entry.vars };
    default:
      return entry.output === undefined ? {} : { output: entry.output };
  }
}
