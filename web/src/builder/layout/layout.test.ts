// @vitest-environment node
import { describe, expect, it } from "vitest";
import { readTree } from "../document/steps";
import { shipped } from "../tests/files";
import { neighbour } from "../graph/walk";
import { END, layout, START, type Box } from "./layout";

function overlap(one: Box, other: Box): boolean {
  return one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
}

describe.each(shipped)("%s", (_, source) => {
  const tree = readTree(source);
  const drawing = layout(tree);
  const cards = drawing.boxes.filter((box) => box.kind === "step");

  it("draws every step once, and none over another", () => {
    expect(cards.map((box) => box.id).toSorted()).toEqual(tree.all.map((step) => step.pointer).toSorted());
    const clashes = cards.flatMap((one, index) => cards.slice(index + 1).filter((other) => overlap(one, other)));
    expect(clashes).toEqual([]);
  });

  it("has lines between boxes that are there, each with its own name", () => {
    const ids = new Set(drawing.boxes.map((box) => box.id));
    expect(drawing.lines.filter((line) => !ids.has(line.from) || !ids.has(line.to))).toEqual([]);
    expect(new Set(drawing.lines.map((line) => line.id)).size).toBe(drawing.lines.length);
  });

  it("leads from the start to every step, and never in a circle", () => {
    const reached = new Set<string>();
    const walk = (id: string, above: readonly string[]): void => {
      expect(above).not.toContain(id);
      if (reached.has(id)) return;
      reached.add(id);
      for (const line of drawing.lines) if (line.from === id) walk(line.to, [...above, id]);
    };
    walk(START, []);
    expect(cards.filter((box) => !reached.has(box.id))).toEqual([]);
  });

  it("is the same each time, and small when all is folded", () => {
    expect(layout(readTree(`${source}\n`))).toEqual(drawing);
    const folded = layout(tree, new Set(tree.all.map((step) => step.key)));
    expect(folded.boxes.filter((box) => box.kind === "step").length).toBe(tree.steps.length);
  });

  it("is walked from the start to the end by the arrow keys", () => {
    let [here, steps] = [START as string, 0];
    for (;;) {
      const next = neighbour(drawing, here, "down");
      if (next === null) break;
      here = next;
      steps += 1;
    }
    expect(steps).toBeGreaterThan(0);
    expect(neighbour(drawing, cards[0]?.id ?? END, "up")).toBe(START);
  });
});

const step = (index: number): string => `  - if: input.yes\n    then:\n      - { id: a${index}, delay: 1h }\n    else:\n      - { id: b${index}, delay: 1h }\n`;

describe("300 steps", () => {
  it("are all drawn", () => {
    const tree = readTree(`name: long\nsteps:\n${Array.from({ length: 100 }, (_, index) => step(index)).join("")}`);
    expect(tree.all.length).toBe(300);
    expect(layout(tree).boxes.filter((box) => box.kind === "step").length).toBe(300);
  });
});
