import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Coalescer } from "./coalesce";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("looks at once, then once for all that came meanwhile", () => {
  const looks: string[] = [];
  const coalescer = new Coalescer((name) => looks.push(name));
  for (let number = 0; number < 50; number += 1) {
    coalescer.changed("runs", 100);
  }
  coalescer.changed("contacts", 100);
  expect(looks).toEqual(["runs", "contacts"]);
  vi.advanceTimersByTime(100);
  expect(looks).toEqual(["runs", "contacts", "runs"]);
  vi.advanceTimersByTime(500);
  expect(looks).toEqual(["runs", "contacts", "runs"]);
  coalescer.changed("runs", 100);
  expect(looks).toHaveLength(4);
});
