// @vitest-environment node
import { describe, expect, it } from "vitest";
import { readTree } from "../document/steps";
import { moments, overlayOf, valuesOf } from "./overlay";

const tree = readTree(`name: x
steps:
  - id: hello
    do: message.send
  - id: reply
    wait_for: { event: message.received, match: contact }
  - id: late
    if: steps.reply.timed_out
    then:
      - id: nudge
        do: message.send
  - for_each: [1, 2]
    steps:
      - id: each
        do: debug.echo
`);
const history = [
  { seq: 1, kind: "run_started" },
  { seq: 2, kind: "wait_opened", waits: {} },
  { seq: 3, kind: "step_scheduled", step: "hello", input: { text: "hi" }, at: "t1" },
  { seq: 4, kind: "step_completed", step: "hello", output: { message_id: "m" }, at: "t2" },
  { seq: 5, kind: "wait_opened", step: "reply" },
  { seq: 6, kind: "wait_timed_out", step: "reply" },
  { seq: 7, kind: "branch_taken", step: "late", branch: "then" },
  { seq: 8, kind: "step_scheduled", step: "nudge" },
  { seq: 9, kind: "step_failed", step: "nudge", error: { code: "timeout" } },
  { seq: 10, kind: "step_completed", step: "each#1", output: 1 },
];

describe("a run on its graph", () => {
  it("is drawn up to any entry", () => {
    expect(overlayOf(history, tree, 3).states.get("hello")).toBe("running");
    expect(overlayOf(history, tree, 5).states.get("reply")).toBe("waiting");
    const end = overlayOf(history, tree);
    expect(Object.fromEntries(end.states)).toMatchObject({ hello: "done", reply: "done", late: "done", nudge: "failed", each: "done", "for_each:1": "done" });
    expect([...(end.taken ?? [])]).toEqual(expect.arrayContaining(["late:then", "for_each:1:body"]));
  });
  it("shows what went in and out", () => {
    expect(valuesOf(history, "hello")).toMatchObject({ input: { text: "hi" }, output: { message_id: "m" }, started: "t1", ended: "t2" });
    expect(valuesOf(history, "nudge").error).toEqual({ code: "timeout" });
  });
  it("is stepped through without what is only for the machine", () => {
    expect(moments(history).map((entry) => entry.seq)).toEqual([1, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});
