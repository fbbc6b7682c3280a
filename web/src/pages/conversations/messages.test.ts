import { describe, expect, it } from "vitest";
import { sinceWhen, whyNotSent } from "./messages";

describe("messages", () => {
  it("have a heading for each day", () => {
    expect(sinceWhen(undefined, "2026-11-22T10:00:00")).toBe(true);
    expect(sinceWhen("2026-11-22T09:00:00", "2026-11-22T10:00:00")).toBe(false);
    expect(sinceWhen("2026-11-21T23:59:00", "2026-11-22T00:01:00")).toBe(true);
  });
  it("tell why they were not sent", () => {
    expect(whyNotSent({ status: "failed", error: { message: "the window has closed" } })).toBe("the window has closed");
    expect(whyNotSent({ status: "failed", error: null })).toBeNull();
    expect(whyNotSent({ status: "sent", error: { message: "old" } })).toBeNull();
  });
});
