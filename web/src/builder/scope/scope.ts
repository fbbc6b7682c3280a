// What a step's expressions may name, with a value as it may look: from a recorded run where there is one, else from the node's example.
import { isMap, valueAt, type Path } from "../document/read";
import { enclosing, type Step, type Tree } from "../graph/tree";

/** What the scope needs to know of a node. */
export interface NodeFacts {
  id: string;
  output: unknown;
  example_output: unknown;
  binds?: string | null | undefined;
}

/** Values of a recorded run. */
export interface Samples {
  event: unknown;
  input: unknown;
  vars: Readonly<Record<string, unknown>>;
  /** Outputs by the step's key. */
  steps: Readonly<Record<string, unknown>>;
}

export const NO_SAMPLES: Samples = { event: null, input: null, vars: {}, steps: {} };

export interface Variable {
  /** As it is written: `steps.reply.data.text`. */
  path: string;
  /** The last part. */
  name: string;
  sample: unknown;
  /** The sample is of a real run. */
  real: boolean;
  /** What it is, for people; the step's name for its output. */
  about: string | null;
  children: Variable[];
}

const EVENT = { id: "01J…", source: "/onward", type: "message.received", subject: null, time: "2026-01-05T09:00:00Z", data: {} };
const RUN = { id: "0198…", workflow: "", version: 1, key: "", started_at: "2026-01-05T09:00:00Z" };
const CONTACT = { id: "c1", name: "Asha Rao", first_name: "Asha", last_name: "Rao", phone: "+919812345678", email: "asha@example.com", tags: ["new"], fields: {}, timezone: "Asia/Kolkata", language: "en", score: 0 };
const COMPANY = { id: "co1", name: "Rao Traders", domain: "example.com", fields: {} };
const DEAL = { id: "d1", title: "A deal", amount: 10000, currency: "EUR", stage: "new", fields: {} };
const CONVERSATION = { id: "cv1", status: "open", channel: "whatsapp", team: null, user: null };
const ORG = { id: "o1", name: "Example", timezone: "UTC", currency: "EUR" };
const LOOP = { index: 1, index0: 0, length: 3, first: true, last: false };
const ERROR = { code: "timeout", message: "no answer in time", step: "", details: null };

/** What common events carry, for a sample before the first run. */
const EVENT_DATA: Record<string, unknown> = {
  "message.received": { contact_id: "c1", conversation_id: "cv1", channel: "whatsapp", kind: "text", text: "Yes please", reply_id: null, from: "+919812345678" },
  "lead.captured": { source: "whatsapp", name: "Asha Rao", phone: "+919812345678", email: "asha@example.com", fields: {}, campaign: null },
  "payment.succeeded": { contact_id: "c1", amount: 10000, currency: "EUR", reference: "r1", status: "succeeded" },
  "deal.won": { contact_id: "c1", deal_id: "d1", amount: 10000, currency: "EUR" },
};

/** Everything that the expressions of a step may name. `path` of the step; an empty path stands for what is above the steps. */
export function scopeAt(file: unknown, tree: Tree, path: Path, nodes: ReadonlyMap<string, NodeFacts>, samples: Samples = NO_SAMPLES): Variable[] {
  const found: Variable[] = [];
  const put = (name: string, sample: unknown, real: boolean, about: string | null = null): void => {
    found.push(variable(name, name, sample, real, about, 0));
  };
  put("event", samples.event ?? eventSample(tree), samples.event !== null);
  put("input", samples.input ?? inputSample(tree), samples.input !== null);
  const around = path.length === 0 ? [] : enclosing(tree, path);
  for (const { step, branch } of around) {
    if (step.verb === "for_each") put(typeof step.value.as === "string" ? step.value.as : "item", itemSample(step), false, step.name);
    if (step.verb === "for_each" || step.verb === "repeat") put("loop", LOOP, false, step.name);
    if (branch.label.kind === "catch") put("error", ERROR, false, step.name);
  }
  const vars = { ...(isMap(file) && isMap(file.vars) ? file.vars : {}), ...setBefore(tree, path), ...samples.vars };
  if (Object.keys(vars).length > 0) put("vars", vars, Object.keys(samples.vars).length > 0);
  const steps = visibleSteps(tree, path).map((step) => {
    const real = Object.hasOwn(samples.steps, step.key);
    return variable(`steps.${step.key}`, step.key, real ? samples.steps[step.key] : outputSample(step, nodes), real, step.name ?? (step.node || step.verb), 0);
  });
  if (steps.length > 0) found.push({ path: "steps", name: "steps", sample: null, real: false, about: null, children: steps });
  put("contact", CONTACT, false);
  put("company", COMPANY, false);
  put("deal", DEAL, false);
  put("conversation", CONVERSATION, false);
  put("org", ORG, false);
  put("run", { ...RUN, workflow: tree.name }, false);
  put("now", "2026-01-05T09:00:00Z", false);
  return found;
}

const DEPTH = 4;

function variable(path: string, name: string, sample: unknown, real: boolean, about: string | null, depth: number): Variable {
  const children =
    isMap(sample) && depth < DEPTH
      ? Object.entries(sample).map(([key, value]) => variable(/^[A-Za-z_]\w*$/.test(key) ? `${path}.${key}` : `${path}["${key}"]`, key, value, real, null, depth + 1))
      : [];
  return { path, name, sample, real, about, children };
}

/** The steps with an id that a place sees: those before it and around it, and what is inside those before, but for loops and other branches of `parallel`. */
export function visibleSteps(tree: Tree, path: Path): Step[] {
  const found: Step[] = [];
  const gather = (step: Step): void => {
    if (step.id !== null) found.push(step);
    if (step.verb === "for_each" || step.verb === "repeat" || step.verb === "parallel") return;
    for (const branch of step.branches) branch.steps.forEach(gather);
  };
  let steps = tree.steps;
  let depth = 1;
  for (;;) {
    const index = path[depth];
    if (typeof index !== "number") return found;
    steps.slice(0, index).forEach(gather);
    const here = steps[index];
    if (!here) return found;
    const inside = here.branches.find((branch) => branch.list.every((part, place) => part === path[place]) && path.length > branch.list.length);
    if (!inside) return found;
    // Branches before this one, of a step that takes one of them, are told as null; they may be named.
    if (here.verb !== "parallel") for (const before of here.branches.slice(0, here.branches.indexOf(inside))) before.steps.forEach(gather);
    steps = inside.steps;
    depth = inside.list.length;
  }
}

function setBefore(tree: Tree, path: Path): Record<string, unknown> {
  const end = tree.all.findIndex((step) => step.path.length === path.length && step.path.every((part, index) => part === path[index]));
  const before = tree.all.slice(0, end < 0 ? tree.all.length : end).filter((step) => step.verb === "set");
  return Object.assign({}, ...before.map((step) => (isMap(step.value.set) ? step.value.set : {}))) as Record<string, unknown>;
}

function eventSample(tree: Tree): unknown {
  const trigger = tree.triggers.find((one) => isMap(one) && typeof one.event === "string");
  const type = isMap(trigger) ? String(trigger.event) : "manual.started";
  return { ...EVENT, type, data: EVENT_DATA[type] ?? inputOfManual(tree) ?? {} };
}

function inputSample(tree: Tree): unknown {
  const manual = inputOfManual(tree);
  if (manual) return manual;
  const mapped = tree.triggers.find((one) => isMap(one) && isMap(one.with));
  if (isMap(mapped) && isMap(mapped.with)) return mapped.with;
  const event = eventSample(tree);
  return isMap(event) ? event.data : {};
}

function inputOfManual(tree: Tree): Record<string, unknown> | null {
  const manual = tree.triggers.find((one) => isMap(one) && isMap(one.manual));
  const schema = isMap(manual) ? valueAt(manual, ["manual", "input"]) : null;
  return isMap(schema) ? (sampleOf(schema) as Record<string, unknown>) : null;
}

function itemSample(step: Step): unknown {
  const list = step.value.for_each;
  return Array.isArray(list) ? list[0] : {};
}

/** What a step may give: its node's example, else what its verb always has. */
export function outputSample(step: Step, nodes: ReadonlyMap<string, NodeFacts>): unknown {
  switch (step.verb) {
    case "do": {
      const node = nodes.get(step.node);
      return node?.example_output ?? sampleOf(node?.output) ?? {};
    }
    case "if":
    case "choose":
      return { taken: step.verb === "if" ? "then" : 1 };
    case "split":
      return { variant: step.branches[0]?.name ?? "" };
    case "delay":
      return { due: "2026-01-05T09:00:00Z", fired: "2026-01-05T09:00:00Z" };
    case "wait_for":
      return waitSample(step);
    case "ask":
      return { answer: askSample(step), by: "", at: "2026-01-05T09:00:00Z", timed_out: false };
    case "repeat":
      return { iterations: 1 };
    case "start":
      return { run_id: "0198…" };
    case "emit":
      return { event_id: "0198…" };
    case "set":
      return step.value.set;
    case "parallel":
      return Object.fromEntries(step.branches.map((branch) => [branch.name, branch.steps.length > 0 ? {} : null]));
    case "for_each":
      return [];
    default:
      return null;
  }
}

function waitSample(step: Step): unknown {
  const event = valueAt(step.value, ["wait_for", "event"]) ?? Object.values((valueAt(step.value, ["wait_for", "any"]) as object | undefined) ?? {}).map((one) => valueAt(one, ["event"]))[0];
  return { ...EVENT, type: event, data: EVENT_DATA[String(event)] ?? {}, which: "event", timed_out: false };
}

function askSample(step: Step): unknown {
  const form = valueAt(step.value, ["ask", "form"]);
  return isMap(form) ? sampleOf(form) : "approve";
}

/** A value as a JSON Schema describes it. */
export function sampleOf(schema: unknown): unknown {
  if (!isMap(schema)) return null;
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (Array.isArray(schema.examples)) return schema.examples[0];
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  if (type === "object" || isMap(schema.properties)) {
    return Object.fromEntries(Object.entries(isMap(schema.properties) ? schema.properties : {}).map(([key, value]) => [key, sampleOf(value)]));
  }
  if (type === "array") return [];
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return true;
  return type === "string" ? "" : null;
}

/** Every variable with the ones inside it, in one list. */
export function flat(variables: readonly Variable[]): Variable[] {
  return variables.flatMap((one) => [one, ...flat(one.children)]);
}
