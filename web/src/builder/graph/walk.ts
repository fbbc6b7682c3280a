// Walking the graph by arrow keys: along its lines, and across its branches.
import type { Box, Drawing } from "../layout/layout";

export type Direction = "up" | "down" | "left" | "right";

/** The box that an arrow key leads to from another; `null` when there is none that way. */
export function neighbour(drawing: Drawing, id: string, direction: Direction): string | null {
  const stops = drawing.boxes.filter((box) => box.kind === "step" || box.kind === "trigger" || box.kind === "end");
  const here = stops.find((box) => box.id === id);
  if (!here) return stops[0]?.id ?? null;
  if (direction === "down") return along(drawing, id, "from", "to");
  if (direction === "up") return along(drawing, id, "to", "from");
  const side = direction === "left" ? -1 : 1;
  const beside = stops.filter((box) => (middle(box) - middle(here)) * side > 1 && box.kind === "step");
  return nearest(beside, here)?.id ?? null;
}

function along(drawing: Drawing, id: string, near: "from" | "to", far: "from" | "to"): string | null {
  const kinds = new Map(drawing.boxes.map((box) => [box.id, box.kind]));
  const seen = new Set<string>([id]);
  let edge = [id];
  // Points where branches meet are passed through.
  while (edge.length > 0) {
    const next = drawing.lines.filter((line) => edge.includes(line[near])).map((line) => line[far]);
    const stop = next.find((found) => kinds.get(found) !== "merge");
    if (stop !== undefined) return stop;
    edge = next.filter((found) => !seen.has(found));
    for (const found of edge) seen.add(found);
  }
  return null;
}

function middle(box: Box): number {
  return box.x + box.width / 2;
}

function nearest(boxes: readonly Box[], here: Box): Box | null {
  const far = (box: Box): number => Math.abs(box.y - here.y) * 3 + Math.abs(middle(box) - middle(here));
  return boxes.reduce<Box | null>((best, box) => (best === null || far(box) < far(best) ? box : best), null);
}
