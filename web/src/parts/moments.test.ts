import { describe, expect, it } from "vitest";
import { dayOf, lasting, relative } from "./moments";

const NOW = Date.parse("2026-11-22T12:00:00Z");

describe("moments", () => {
  it("are said relative to now, in each language", () => {
    expect(relative(NOW - 30_000, NOW, "en")).toBe("now");
    expect(relative(NOW - 180_000, NOW, "en")).toBe("3 minutes ago");
    expect(relative(NOW + 3 * 86_400_000, NOW, "en")).toBe("in 3 days");
    expect(relative(NOW - 86_400_000, NOW, "fr")).toBe("hier");
    expect(relative(NOW - 180_000, NOW, "ar")).toContain("دقائق");
  });
  it("last", () => {
    expect([12, 1_240, 90_000, 7_200_000, 259_200_000].map((millis) => lasting(millis, "en"))).toEqual(["12 ms", "1.2 sec", "1.5 min", "2 hr", "3 days"]);
  });
  it("are on a day", () => {
    expect(dayOf("2026-11-22T08:00:00Z", NOW, "en")).toBe("today");
    expect(dayOf("2026-11-21T12:00:00Z", NOW, "fr")).toBe("hier");
    expect(dayOf("2026-11-02T12:00:00Z", NOW, "en")).toBe("Monday, November 2, 2026");
  });
});
