// @vitest-environment node
import { describe, expect, it } from "vitest";
import { read } from "../document/read";
import { readTree } from "../document/steps";
import { shipped } from "../tests/files";
import { flat, NO_SAMPLES, scopeAt, visibleSteps } from "./scope";
import { samplesOf } from "./samples";

const source = `name: x
on: [{ event: message.received }]
vars: { team: sales }
steps:
  - id: first
    delay: 1h
  - for_each: "{{ input.items }}"
    as: lead
    steps:
      - id: inner
        delay: 1h
      - id: after_inner
        delay: 1h
  - id: sides
    parallel:
      left: [{ id: a, delay: 1h }]
      right: [{ id: b, delay: 1h }]
  - try: [{ id: risky, delay: 1h }]
    catch:
      - steps: [{ id: mend, delay: 1h }]
  - id: last
    delay: 1h
`;

function names(...path: (string | number)[]): string[] {
  return flat(scopeAt(read(source).value, readTree(source), ["steps", ...path], new Map())).map((one) => one.path);
}

describe("what a step sees", () => {
  it("is what comes before it, not what comes behind", () => {
    expect(names(0)).not.toContain("steps.first");
    expect(names(1)).toContain("steps.first.due");
    expect(names(0)).toEqual(expect.arrayContaining(["event.data.text", "vars.team", "contact.first_name", "run.id", "now"]));
  });
  it("is the item and the loop inside a loop, and nothing of it behind", () => {
    expect(names(1, "steps", 1)).toEqual(expect.arrayContaining(["lead", "loop.index", "steps.inner"]));
    expect(names(4)).not.toContain("steps.inner");
    expect(names(4)).not.toContain("lead");
  });
  it("is not what other branches of parallel do", () => {
    expect(names(2, "parallel", "right", 0)).not.toContain("steps.a");
    expect(names(4)).not.toContain("steps.a");
    expect(names(4)).toContain("steps.sides");
  });
  it("is the error inside a catch", () => {
    expect(names(3, "catch", 0, "steps", 0)).toEqual(expect.arrayContaining(["error.code", "steps.risky"]));
    expect(names(4)).not.toContain("error.code");
  });
  it("shows what a run saw", () => {
    const samples = samplesOf([
      { seq: 1, kind: "run_started", event: { type: "message.received", data: { text: "hi" } }, input: { a: 1 } },
      { seq: 2, kind: "step_completed", step: "first#2", output: { due: "then" } },
    ]);
    const seen = flat(scopeAt(read(source).value, readTree(source), ["steps", 4], new Map(), samples));
    expect(seen.find((one) => one.path === "event.data.text")).toMatchObject({ sample: "hi", real: true });
    expect(seen.find((one) => one.path === "steps.first.due")).toMatchObject({ sample: "then", real: true });
  });
});

const HOLDS_STEPS = new Set(["then", "else", "steps", "choose", "parallel", "repeat", "try", "catch", "finally", "split", "compensate", "wait_for"]);

describe.each(shipped)("%s", (_, text) => {
  it("names only steps that are in scope", () => {
    const tree = readTree(text);
    for (const step of tree.all) {
      const seen = new Set(visibleSteps(tree, step.path).map((one) => one.id));
      const own = JSON.stringify(Object.entries(step.value).filter(([key]) => !HOLDS_STEPS.has(key)));
      const named = [...own.matchAll(/(?<![\w.])steps\.(\w+)/g)].flatMap((match) => match[1] ?? []);
      expect(named.filter((id) => !seen.has(id))).toEqual([]);
    }
    expect(scopeAt(read(text).value, tree, [], new Map(), NO_SAMPLES).length).toBeGreaterThan(5);
  });
});
