// @vitest-environment node
import { describe, expect, it } from "vitest";
import { read } from "../document/read";
import { treeOf } from "../graph/tree";
import { shipped } from "../tests/files";
import { requestOf, settingsOf, startsOf } from "./start";

describe("what a simulation begins with", () => {
  it("is each of the workflow's triggers, with data", () => {
    const file = read("name: x\non:\n  - event: message.received\n  - webhook: { path: a, verify: none }\n  - schedule: { cron: 0 9 * * * }\n  - manual: { input: { type: object, properties: { phone: { type: string, default: '1' } } } }\nsteps: []\n").value;
    const starts = startsOf(file, treeOf(file));
    expect(starts.map((start) => start.kind)).toEqual(["event", "webhook", "schedule", "manual"]);
    expect(starts.map((start) => Object.keys(requestOf(start, start.data))[0])).toEqual(["event", "webhook", "schedule", "input"]);
    expect(starts[0]?.data).toMatchObject({ contact_id: "c1" });
    expect(starts[3]?.data).toEqual({ phone: "1" });
  });
  it("is read from a script's first lines", () => {
    const settings = settingsOf('//! name: trial\n//! on: [{ event: trial.started }]\n\nlet a = 1;\n');
    expect(startsOf(settings, treeOf(settings))).toMatchObject([{ kind: "event", name: "trial.started" }]);
  });
  it.each(shipped)("is there for %s", (_, source) => {
    const file = read(source).value;
    expect(startsOf(file, treeOf(file)).length).toBeGreaterThan(0);
  });
});
