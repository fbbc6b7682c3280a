// @vitest-environment node
import { expect, it } from "vitest";
import { frameOf } from "./frame";

it("holds the graph and the screen, in its own shape, the middle in the middle", () => {
  const frame = frameOf({ x: 0, y: 0, width: 300, height: 2000 }, { x: -500, y: 100, width: 1000, height: 600 }, 150, 100);
  expect(frame.width / frame.height).toBeCloseTo(1.5);
  expect(frame.x).toBeLessThan(-500);
  expect(frame.x + frame.width).toBeGreaterThan(500);
  expect(frame.y).toBeLessThan(0);
  expect(frame.y + frame.height).toBeGreaterThan(2000);
  expect(frame.x + frame.width / 2).toBeCloseTo(0);
  expect(frame.y + frame.height / 2).toBeCloseTo(1000);
});
