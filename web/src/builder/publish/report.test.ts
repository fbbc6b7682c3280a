import { expect, it } from "vitest";
import type { MigrationReport } from "../../client/schema";
import { wholeReport } from "./report";

const page = (runs: number, step: string, next: string | null): MigrationReport => ({
  dry_run: true,
  to: 2,
  runs,
  moved: runs - 1,
  changed: 0,
  steps: [{ from: 1, step, waits_for: "event", place: "kept", to_step: step, runs }],
  obstacles: [{ from: 1, code: "busy", message: "it works", runs: 1, example: "r" }],
  next_cursor: next,
});

it("counts each step and each obstacle once over all pages", () => {
  const whole = wholeReport([page(1000, "reply", "a"), page(1000, "reply", "b"), page(5, "nap", null)]);
  expect([whole.runs, whole.moved, whole.next_cursor]).toEqual([2005, 2002, null]);
  expect(whole.steps.map(({ step, runs }) => [step, runs])).toEqual([["reply", 2000], ["nap", 5]]);
  expect(whole.obstacles.map(({ runs }) => runs)).toEqual([3]);
});
