import { describe, expect, it } from "vitest";
import { everyHour, everyMinute, failedOf, topOf, totalOf } from "./columns";

const at = "2026-11-22T10:20:30.000Z";

describe("columns", () => {
  it("stand for every hour, with or without runs", () => {
    const columns = everyHour({ at, hours: [{ at: "2026-11-22T09:00:00.000Z", runs: { completed: 3, failed: 1 } }] });
    expect(columns).toHaveLength(24);
    expect(columns.at(-1)?.at).toBe(Date.parse("2026-11-22T10:00:00Z"));
    expect(columns.at(-2)?.parts).toEqual({ completed: 3, failed: 1 });
    expect(columns.map(totalOf).reduce((sum, count) => sum + count, 0)).toBe(4);
  });
  it("stand for every minute", () => {
    const columns = everyMinute({ at, minutes: [{ at: "2026-11-22T10:20:00.000Z", events: 7 }] });
    expect(columns).toHaveLength(60);
    expect(columns.at(-1)?.parts).toEqual({ events: 7 });
  });
  it("have a round top", () => {
    const top = (count: number) => topOf([{ at: 0, parts: { events: count } }]);
    expect([0, 1, 3, 7, 11, 49, 51, 100, 4_200].map(top)).toEqual([1, 1, 5, 10, 20, 50, 100, 100, 5_000]);
  });
  it("tell what failed", () => {
    expect(failedOf({ hours: [{ at, runs: { failed: 2 } }, { at, runs: { completed: 1 } }] })).toBe(2);
  });
});
