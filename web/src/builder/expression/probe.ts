// Trying an expression against values: a workflow of one step, made for it, that the server tries without any effect.
import { stringify } from "yaml";
import { client, problemOf } from "../../client/http";
import type { Samples, Variable } from "../scope/scope";
import { isMap } from "../document/read";
import { requestBody } from "../session/requestBody";

export interface Result {
  value: unknown;
  error: string | null;
}

/** The file of one step that says what an expression gives: beside it stand the steps that it names, so that they can exist. */
export function probeFile(text: unknown, names: readonly string[], locals: readonly string[]): string {
  const probe = { id: "probe__", set: { value: text } };
  const steps: unknown[] = names.filter((name) => name !== "probe__").map((id) => ({ id, do: "debug.echo" }));
  let inner: unknown[] = [probe];
  if (locals.includes("error")) inner = [{ try: [{ do: "debug.log", with: { message: "-" } }], catch: [{ steps: inner }] }];
  if (locals.includes("loop")) {
    const item = locals.find((name) => name !== "loop" && name !== "error") ?? "item";
    inner = [{ for_each: [1], as: item, steps: inner }];
  }
  return stringify({ name: "probe", on: [{ event: "probe.made" }, { manual: null }], vars: { probe: null }, steps: [...steps, ...inner] }, { lineWidth: 0 });
}

/** What a value with expressions gives with what a run saw. */
export async function probe(workflow: string, value: unknown, scope: readonly Variable[], samples: Samples): Promise<Result> {
  const at = (name: string): unknown => scope.find((one) => one.name === name)?.sample;
  const steps = scope.find((one) => one.name === "steps")?.children ?? [];
  const locals = scope.map((one) => one.name).filter((name) => !COMMON.has(name));
  const { data, error } = await client.POST("/api/v1/workflows/{name}/test-step", {
    params: { path: { name: workflow } },
    body: requestBody({
      source: probeFile(value, steps.map((one) => one.name), locals),
      step: "probe__",
      event: asMap(at("event")),
      input: at("input") ?? {},
      vars: asMap(at("vars")),
      steps: Object.fromEntries(steps.map((one) => [one.name, samples.steps[one.name] ?? one.sample])),
      locals: Object.fromEntries(locals.map((name) => [name, at(name)])),
      scenario: { records: Object.fromEntries(["contact", "company", "deal", "conversation"].map((name) => [name, at(name)])) },
    }),
  });
  if (error) return { value: null, error: problemOf(error)?.detail ?? "" };
  if (data.error) return { value: null, error: String(asMap(data.error).message ?? "") };
  return { value: asMap(data.output).value, error: null };
}

const COMMON = new Set(["event", "input", "vars", "steps", "contact", "company", "deal", "conversation", "org", "run", "now"]);

function asMap(value: unknown): Record<string, unknown> {
  return isMap(value) ? value : {};
}
