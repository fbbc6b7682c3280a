// @vitest-environment node
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { begin, reduce, type Action } from "./history";
import { changes, merge } from "./merge";

const edit = (source: string, gesture?: string): Action => ({ kind: "edit", source, ...(gesture !== undefined && { gesture }) });

describe("undo", () => {
  it("takes one gesture back at a time", () => {
    const typed = ["a: 1", "a: 12", "a: 123"].reduce((session, text) => reduce(session, edit(text, "field")), begin("a: 0"));
    expect(typed.past.length).toBe(1);
    const back = reduce(typed, { kind: "undo" });
    expect(back.source).toBe("a: 0");
    expect(reduce(back, { kind: "redo" }).source).toBe("a: 123");
  });
  it("begins a new entry when the gesture has ended", () => {
    const one = reduce(reduce(begin("a: 0"), edit("a: 1", "field")), { kind: "endGesture" });
    expect(reduce(one, edit("a: 2", "field")).past.length).toBe(2);
  });
  it("goes all the way back and forth", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.option(fc.constantFrom("x", "y"), { nil: undefined }))), (edits) => {
        let session = begin("start");
        for (const [text, gesture] of edits) session = reduce(session, edit(text, gesture));
        const end = session.source;
        const count = session.past.length;
        for (let turn = 0; turn < count; turn += 1) session = reduce(session, { kind: "undo" });
        expect(session.source).toBe("start");
        for (let turn = 0; turn < count; turn += 1) session = reduce(session, { kind: "redo" });
        expect(session.source).toBe(end);
      }),
    );
  });
});

describe("a text that cannot be read", () => {
  it("leaves the graph at the last that could, and is not lost", () => {
    const session = reduce(begin("name: x\nsteps: []\n"), edit("name: x\nsteps: [\n"));
    expect(session.source).toBe("name: x\nsteps: [\n");
    expect(session.shown).toBe("name: x\nsteps: []\n");
  });
});

describe("two people", () => {
  const base = "one\ntwo\nthree\nfour\nfive";
  it("who change other lines get both", () => {
    expect(merge(base, base.replace("two", "TWO"), base.replace("four", "FOUR"))).toEqual({ source: "one\nTWO\nthree\nFOUR\nfive", conflict: false });
  });
  it("who change the same line are told", () => {
    expect(merge(base, base.replace("two", "2"), base.replace("two", "zwei"))).toEqual({ source: "one\n2\nthree\nfour\nfive", conflict: true });
  });
  it("lose nothing, whatever they change", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", "d", ""), { maxLength: 8 }).map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(text, text, text, (start, ours, theirs) => {
        const merged = merge(start, ours, theirs);
        const added = merged.conflict ? changes(start, ours) : [...changes(start, ours), ...changes(start, theirs)];
        const lines = merged.source.split("\n");
        expect(added.flatMap((change) => change.lines).filter((line) => !lines.includes(line))).toEqual([]);
      }),
    );
  });
});
