// What a run's history tells, for people: what it did step by step, and what was done to it. Pure.

export interface Entry {
  seq: number;
  at: string;
  kind: string;
  step?: string;
  [fact: string]: unknown;
}

export type StepState = "running" | "waiting" | "done" | "failed" | "skipped" | "cancelled";

/** A step from its first entry to its last. A step that is tried again after a repair begins anew. */
export interface StepChapter {
  type: "step";
  seq: number;
  step: string;
  node: string | null;
  state: StepState;
  began: string;
  ended: string | null;
  attempts: number;
  /** What went in, and what came out; `undefined` where the history says nothing of it. */
  input: unknown;
  output: unknown;
  error: { code: string; message: string } | null;
  /** What happened on the way: branches, variants, events, retries. */
  notes: Entry[];
}

/** Something that concerns the whole run: its start and end, pauses, repairs. */
export interface RunChapter {
  type: "run";
  seq: number;
  entry: Entry;
}

export type Chapter = StepChapter | RunChapter;

/** Entries that tell people nothing. */
const SILENT = new Set(["checkpointed", "bound", "event_consumed", "value_read"]);

const ENDS: Record<string, StepState> = {
  step_completed: "done",
  step_failed: "failed",
  step_skipped: "skipped",
  step_cancelled: "cancelled",
  timer_fired: "done",
  wait_resolved: "done",
  wait_timed_out: "done",
  branch_taken: "done",
  variant_chosen: "done",
  vars_set: "done",
  child_ended: "done",
  event_emitted: "done",
  ask_answered: "done",
};
const WAITS = new Set(["wait_opened", "timer_set", "ask_opened", "held", "retry_scheduled", "child_started"]);

function errorOf(value: unknown): StepChapter["error"] {
  if (typeof value !== "object" || value === null) {
    return null;
  }
  const { code, message } = value as { code?: unknown; message?: unknown };
  return { code: String(code ?? ""), message: String(message ?? "") };
}

function begun(entry: Entry, step: string): StepChapter {
  return {
    type: "step",
    seq: entry.seq,
    step,
    node: null,
    state: "running",
    began: entry.at,
    ended: null,
    attempts: 0,
    input: undefined,
    output: undefined,
    error: null,
    notes: [],
  };
}

function tell(chapter: StepChapter, entry: Entry): void {
  const end = ENDS[entry.kind];
  if (end !== undefined) {
    chapter.state = end;
    chapter.ended = entry.at;
  } else if (WAITS.has(entry.kind)) {
    chapter.state = "waiting";
  }
  switch (entry.kind) {
    case "step_scheduled":
      chapter.state = "running";
      chapter.node = typeof entry.node === "string" ? entry.node : chapter.node;
      chapter.attempts = typeof entry.attempt === "number" ? entry.attempt : chapter.attempts + 1;
      chapter.input = entry.input ?? chapter.input;
      break;
    case "step_completed":
    case "step_skipped":
      chapter.output = entry.output;
      break;
    case "step_failed":
      chapter.error = errorOf(entry.error);
      break;
    case "wait_resolved":
      chapter.output = entry.event;
      chapter.notes.push(entry);
      break;
    case "vars_set":
      chapter.output = entry.values;
      break;
    case "ask_answered":
      chapter.output = entry.answer;
      chapter.notes.push(entry);
      break;
    case "ask_opened":
      chapter.input = entry.question;
      break;
    case "event_emitted":
      chapter.output = entry.data;
      chapter.notes.push(entry);
      break;
    case "child_started":
      chapter.input = entry.input;
      chapter.notes.push(entry);
      break;
    case "child_ended":
      chapter.output = entry.output;
      chapter.error = errorOf(entry.error);
      chapter.state = chapter.error === null ? "done" : "failed";
      break;
    case "timer_fired":
    case "step_cancelled":
      break;
    default:
      chapter.notes.push(entry);
  }
}

/** The chapters in the order in which they began. */
export function story(entries: readonly Entry[]): Chapter[] {
  const chapters: Chapter[] = [];
  const open = new Map<string, StepChapter>();
  for (const entry of entries) {
    const { step } = entry;
    // Waits of the whole run (`exit_on`) are no step's.
    const ofRun = step === undefined || entry.kind === "reopened";
    if (ofRun) {
      if (!SILENT.has(entry.kind) && entry.kind !== "wait_opened" && entry.kind !== "vars_set") {
        chapters.push({ type: "run", seq: entry.seq, entry });
      }
      if (entry.kind === "reopened" || entry.kind === "migrated") {
        open.clear();
      }
      continue;
    }
    if (SILENT.has(entry.kind)) {
      continue;
    }
    let chapter = open.get(step);
    const again = chapter?.ended !== null && (entry.kind === "step_scheduled" || entry.kind === "iteration_started");
    if (chapter === undefined || again) {
      chapter = begun(entry, step);
      open.set(step, chapter);
      chapters.push(chapter);
    }
    tell(chapter, entry);
  }
  const last = entries.at(-1)?.kind;
  if (last === "run_completed" || last === "run_failed" || last === "run_cancelled") {
    for (const chapter of open.values()) {
      if (chapter.ended === null) {
        chapter.state = last === "run_completed" ? "done" : "cancelled";
      }
    }
  }
  return chapters;
}

/** Milliseconds from a step's beginning to its end, or until now. */
export function tookMs(chapter: StepChapter, now: number): number {
  return (chapter.ended === null ? now : Date.parse(chapter.ended)) - Date.parse(chapter.began);
}

/** Steps from which a copy of the run can begin: each once, in order. */
export function stepsOf(chapters: readonly Chapter[]): string[] {
  return [...new Set(chapters.flatMap((chapter) => (chapter.type === "step" ? [chapter.step] : [])))];
}

/** What went into a step when it last began, as text to be changed; without a step, into the one that failed. `null`: nothing did. */
export function inputOf(chapters: readonly Chapter[], step: string | null): string | null {
  const found = chapters.findLast((chapter) => chapter.type === "step" && (step === null ? chapter.state === "failed" : chapter.step === step));
  return found?.type === "step" && found.node !== null && found.input !== undefined ? JSON.stringify(found.input, null, 2) : null;
}
