// What a simulation can begin with: the workflow's own triggers, with sample data. Pure.
import { isMap, read } from "../document/read";
import { sampleOf, scopeAt } from "../scope/scope";
import type { Tree } from "../graph/tree";

export interface Start {
  kind: "event" | "manual" | "webhook" | "schedule";
  /** The event's type, or the webhook's path. */
  name: string;
  /** The data that it comes with. */
  data: Record<string, unknown>;
}

/** What a script says above its first line of code: its settings, as `//!` comments. */
export function settingsOf(source: string): unknown {
  const lines = source.split("\n").filter((line) => line.trimStart().startsWith("//!"));
  return read(lines.map((line) => line.trimStart().slice(3).replace(/^ /, "")).join("\n")).value;
}

export function startsOf(file: unknown, tree: Tree): Start[] {
  const found = tree.triggers.flatMap((trigger): Start[] => {
    if (!isMap(trigger)) return [];
    if (typeof trigger.event === "string") return [{ kind: "event", name: trigger.event, data: eventData(file, tree, trigger.event) }];
    if (isMap(trigger.webhook)) return [{ kind: "webhook", name: String(trigger.webhook.path ?? ""), data: {} }];
    if (isMap(trigger.schedule)) return [{ kind: "schedule", name: String(trigger.schedule.cron ?? ""), data: {} }];
    if ("manual" in trigger) return [{ kind: "manual", name: "", data: manualData(trigger.manual) }];
    return [];
  });
  return found.length > 0 ? found : [{ kind: "manual", name: "", data: {} }];
}

function manualData(manual: unknown): Record<string, unknown> {
  const sample = isMap(manual) ? sampleOf(manual.input) : {};
  return isMap(sample) ? sample : {};
}

function eventData(file: unknown, tree: Tree, type: string): Record<string, unknown> {
  const alone = { ...tree, triggers: [{ event: type }] };
  const event = scopeAt(file, alone, [], new Map()).find((one) => one.name === "event")?.sample;
  return isMap(event) && isMap(event.data) ? event.data : {};
}

/** The body of a request that plays a start. */
export function requestOf(start: Start, data: unknown): Record<string, unknown> {
  if (start.kind === "event") return { event: { type: start.name, data } };
  if (start.kind === "webhook") return { webhook: { path: start.name, body: data } };
  if (start.kind === "schedule") return { schedule: "31d" };
  return { input: data };
}
