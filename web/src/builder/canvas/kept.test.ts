import { expect, it } from "vitest";
import { keeper } from "./kept";

it("gives the rows of before where they say the same", () => {
  const keep = keeper<{ id: string; at: { x: number }[] }>();
  const first = keep([{ id: "a", at: [{ x: 1 }] }, { id: "b", at: [{ x: 2 }] }]);
  const second = keep([{ id: "b", at: [{ x: 2 }] }, { id: "a", at: [{ x: 5 }] }]);
  expect(second[0]).toBe(first[1]);
  expect(second[1]).toEqual({ id: "a", at: [{ x: 5 }] });
  expect(keep([{ id: "b", at: [] }])).toEqual([{ id: "b", at: [] }]);
});
