// The verbs of the language: which one a step has, what kind of step that is, and what a new one begins with.

export const VERBS = [
  "do", "if", "choose", "split", "delay", "wait_for", "parallel", "for_each", "repeat", "call", "start", "emit", "set", "script", "try", "ask", "stop",
] as const;
export type Verb = (typeof VERBS)[number];

/** What a step is to the eye: one colour and icon each. */
export type Kind = "trigger" | "message" | "logic" | "wait" | "data" | "person" | "outside" | "end" | "unknown";

/** The one verb of a step. `if` is the verb where there is a branch, and a guard elsewhere. */
export function verbOf(step: Readonly<Record<string, unknown>>): Verb | null {
  const branches = "then" in step || "else" in step;
  const found = VERBS.find((verb) => verb in step && (verb !== "if" || branches));
  return found ?? null;
}

const KINDS: Record<Exclude<Verb, "do">, Kind> = {
  if: "logic", choose: "logic", split: "logic", parallel: "logic", for_each: "logic", repeat: "logic", try: "logic",
  delay: "wait", wait_for: "wait", call: "outside", start: "outside", emit: "outside", set: "data", script: "data", ask: "person", stop: "end",
};

export function kindOf(verb: Verb | null, node: string): Kind {
  if (verb === null) return "unknown";
  if (verb !== "do") return KINDS[verb];
  if (node.startsWith("message.")) return "message";
  if (node.startsWith("crm.user.") || node.startsWith("notify.") || node.startsWith("crm.task.")) return "person";
  if (node.startsWith("crm.")) return "data";
  return "outside";
}

/** The order in which a step's keys are written. */
export const STEP_ORDER = [
  "id", "name", "if", "do", "choose", "split", "delay", "wait_for", "parallel", "join", "for_each", "as", "max_parallel", "on_item_error", "repeat", "call",
  "start", "emit", "set", "script", "try", "ask", "stop", "with", "compensate", "timeout", "retry", "on_error", "then", "else", "steps", "catch", "finally",
] as const;

/** The order in which a workflow's keys are written. */
export const FILE_ORDER = [
  "name", "description", "on", "contact", "company", "deal", "conversation", "key", "mode", "reentry", "limits", "priority", "rollout", "exit_on", "vars", "timeout", "retry", "steps",
] as const;

/** What a new step begins with; what people must still say is left for the form, and shown as a problem until then. */
export function newStep(verb: Verb, node = "", input: Record<string, unknown> | null = null): Record<string, unknown> {
  switch (verb) {
    case "do":
      return input === null || Object.keys(input).length === 0 ? { do: node } : { do: node, with: input };
    case "if":
      // oxlint-disable-next-line unicorn/no-thenable -- a key of the language; steps are never awaited
      return { if: true, then: [] };
    case "choose":
      return { choose: [{ if: true, steps: [] }, { else: [] }] };
    case "split":
      return { split: { variants: { a: 50, b: 50 } } };
    case "delay":
      return { delay: "1d" };
    case "wait_for":
      return { wait_for: { event: "message.received", match: "contact" }, timeout: "1d" };
    case "parallel":
      return { parallel: { first: [], second: [] } };
    case "for_each":
      return { for_each: "{{ input.items }}", steps: [] };
    case "repeat":
      return { repeat: { times: 3, steps: [] } };
    case "call":
    case "start":
      return { [verb]: node };
    case "emit":
      return { emit: "something.happened", with: {} };
    case "set":
      return { set: { name: "value" } };
    case "script":
      return { script: "let result = 1;\nresult\n" };
    case "try":
      return { try: [], catch: [{ steps: [] }] };
    case "ask":
      return { ask: { who: { role: "admin" }, title: "Go on?" }, timeout: "1d" };
    case "stop":
      return { stop: null };
  }
}

/** Verbs whose output other steps use: a new one gets an id at once. */
export const WITH_OUTPUT: readonly Verb[] = ["do", "wait_for", "ask", "split", "call", "script", "for_each"];
