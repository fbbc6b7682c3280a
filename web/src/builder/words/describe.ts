// What a step is called on its card, and the line below it. Names of nodes come from the server's catalogue.
import type { TFunction } from "i18next";
import { isMap, valueAt } from "../document/read";
import { conditionText, type BranchLabel, type Step } from "../graph/tree";
import type { CatalogueNode } from "../session/catalogue";

export type Nodes = ReadonlyMap<string, CatalogueNode>;
type Words = TFunction<"builder">;

/** The name of a step for people. */
export function titleOf(step: Step, nodes: Nodes, t: Words): string {
  if (step.name !== null) return step.name;
  if (step.verb === null) return t("verb.unknown");
  if (step.verb === "do") return nodes.get(step.node)?.title ?? (step.node === "" ? t("verb.do") : step.node);
  return t(`verb.${step.verb}`);
}

/** What it does, in short. */
export function detailOf(step: Step, nodes: Nodes, t: Words): string {
  const { value } = step;
  switch (step.verb) {
    case "do":
      return inputText(value.with) || (step.name === null ? step.node : (nodes.get(step.node)?.title ?? step.node));
    case "if":
      return conditionText(value.if);
    case "choose":
    case "parallel":
      return t("detail.branches", { count: step.branches.length });
    case "split":
      return step.branches.map((branch) => (branch.label.kind === "variant" ? `${branch.name} ${branch.label.weight}` : branch.name)).join(" · ");
    case "delay":
      return delayText(value.delay, t);
    case "wait_for":
      return waitText(value.wait_for);
    case "for_each":
      return short(value.for_each);
    case "repeat":
      return repeatText(value.repeat, t);
    case "ask":
      return short(valueAt(value.ask, ["title"]));
    case "set":
      return isMap(value.set) ? Object.keys(value.set).join(", ") : short(value.set);
    case "script":
      return short(String(value.script ?? "").trim().split("\n")[0]);
    case "stop":
      return short(valueAt(value.stop, ["reason"]) ?? valueAt(value.stop, ["status"]) ?? "");
    case "call":
    case "start":
    case "emit":
      return short(value[step.verb]);
    default:
      return Object.keys(value).join(", ");
  }
}

function inputText(input: unknown): string {
  if (!isMap(input)) return short(input);
  const telling = ["text", "title", "template", "url", "message", "tags", "team"].flatMap((key) => (key in input ? [input[key]] : []));
  return short(telling[0] ?? Object.values(input)[0]);
}

function delayText(delay: unknown, t: Words): string {
  if (!isMap(delay)) return short(delay);
  if (delay.until !== undefined) return t("detail.until", { until: short(delay.until) });
  return short(delay.for);
}

function waitText(wait: unknown): string {
  if (!isMap(wait)) return short(wait);
  if (isMap(wait.any)) return Object.keys(wait.any).join(" · ");
  return short(wait.event);
}

function repeatText(repeat: unknown, t: Words): string {
  if (!isMap(repeat)) return "";
  if (repeat.times !== undefined) return t("detail.times", { times: short(repeat.times) });
  if (repeat.while !== undefined) return t("detail.while", { condition: conditionText(repeat.while) });
  return t("detail.until", { until: conditionText(repeat.until) });
}

function short(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : Array.isArray(value) && value.every((item) => typeof item !== "object") ? value.join(", ") : JSON.stringify(value);
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
}

/** What stands on the line into a branch. */
export function branchText(label: BranchLabel, t: Words): string {
  switch (label.kind) {
    case "choice":
      return label.condition === "" ? t("branch.choice", { number: label.number }) : short(label.condition).slice(0, 42);
    case "variant":
      return `${label.name} · ${label.weight}`;
    case "parallel":
      return label.name;
    case "catch":
      return label.codes.length === 0 ? t("branch.catchAny") : t("branch.catch", { codes: label.codes.join(", ") });
    default:
      return t(`branch.${label.kind}`);
  }
}

/** What leads out of a step that waits: stands on the line below it. */
export function exitTexts(step: Step, t: Words): string[] {
  const timeout = step.value.timeout;
  const late = timeout === undefined ? [] : [t("exit.timeout", { timeout: isMap(timeout) ? short(timeout.for) : short(timeout) })];
  if (step.verb === "wait_for") {
    const any = valueAt(step.value.wait_for, ["any"]);
    return isMap(any) ? [...Object.keys(any), ...late] : [t("exit.event"), ...late];
  }
  if (step.verb === "ask") {
    const form = valueAt(step.value.ask, ["form"]);
    return [...(form === undefined ? [t("exit.approve"), t("exit.reject")] : [t("exit.answer")]), ...late];
  }
  return [];
}

/** What starts a run, in a line. */
export function triggerText(trigger: unknown, t: Words): string {
  if (!isMap(trigger)) return t("trigger.unknown");
  if (trigger.event !== undefined) return short(trigger.event);
  if ("manual" in trigger) return t("trigger.manual");
  if (isMap(trigger.schedule)) return t("trigger.schedule", { cron: short(trigger.schedule.cron) });
  if (isMap(trigger.webhook)) return t("trigger.webhook", { path: short(trigger.webhook.path) });
  return t("trigger.unknown");
}
