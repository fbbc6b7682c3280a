// From the drawing to what React Flow draws: boxes with what they say, lines with where their labels and buttons stand. Pure.
import { Position, type Edge, type Node } from "@xyflow/react";
import type { TFunction } from "i18next";
import { kindOf, type Kind } from "../graph/verbs";
import type { Step, Tree } from "../graph/tree";
import type { Box, Drawing, Line, Point } from "../layout/layout";
import { branchText, detailOf, exitTexts, titleOf, triggerText, type Nodes } from "../words/describe";

/** How a step stands in a run that is drawn on the graph. */
export type StepState = "done" | "waiting" | "failed" | "skipped" | "running" | "retrying";

export interface Counter {
  waiting: number;
  /** Of real runs those that failed today; of simulated ones all. */
  failed: number;
  entered: number;
  /** Of real runs. */
  real: boolean;
}

/** How a variant of a split fares. */
export interface Conversion {
  entered: number;
  completed: number;
  failed: number;
  /** `null` without a goal that can be told. */
  reached: number | null;
}

export interface Overlay {
  /** By step key. */
  states: ReadonlyMap<string, StepState>;
  counters: ReadonlyMap<string, Counter>;
  /** Shares of branches, `KEY:BRANCH`: how many went there. */
  branches: ReadonlyMap<string, number>;
  /** How variants fare, `KEY:VARIANT`. */
  conversions: ReadonlyMap<string, Conversion>;
  /** What became of steps between two versions, or would have gone differently; by step key. */
  changes: ReadonlyMap<string, string>;
  /** Branches that were taken, `KEY:BRANCH`; `null` when no run is shown. */
  taken: ReadonlySet<string> | null;
}

export const NO_OVERLAY: Overlay = { states: new Map(), counters: new Map(), branches: new Map(), conversions: new Map(), changes: new Map(), taken: null };

export type CardData = {
  kind: Kind;
  title: string;
  detail: string;
  id: string | null;
  problems: { errors: number; warnings: number };
  state: StepState | null;
  counter: Counter | null;
  change: string | null;
  hidden: number;
  folds: boolean;
  guard: boolean;
  dimmed: boolean;
  width: number;
  height: number;
};
export type TriggerData = { lines: string[]; problems: { errors: number; warnings: number } };
export type LineData = { points: readonly Point[]; labels: string[]; labelAt: Point | null; plusAt: Point | null; count: string | null; told: string; faded: boolean; taken: boolean };

export type FlowNode = Node<CardData, "step"> | Node<TriggerData, "trigger"> | Node<Record<string, never>, "group" | "merge"> | Node<{ title: string }, "end">;
export type FlowEdge = Edge<LineData, "line">;

export interface Looks {
  tree: Tree;
  nodes: Nodes;
  problems: ReadonlyMap<string, { errors: number; warnings: number }>;
  overlay: Overlay;
  t: TFunction<"builder">;
}

const NO_PROBLEMS = { errors: 0, warnings: 0 };

export function flowNodes(drawing: Drawing, looks: Looks): FlowNode[] {
  return drawing.boxes.map((box) => flowNode(box, looks));
}

function flowNode(box: Box, { tree, nodes, problems, overlay, t }: Looks): FlowNode {
  const handles = [
    { type: "target" as const, position: Position.Top, x: box.width / 2, y: 0, width: 1, height: 1 },
    { type: "source" as const, position: Position.Bottom, x: box.width / 2, y: box.height, width: 1, height: 1 },
  ];
  const common = { id: box.id, position: { x: box.x, y: box.y }, width: box.width, height: box.height, handles, connectable: false, deletable: false };
  if (box.kind === "trigger") {
    const lines = tree.triggers.length === 0 ? [t("trigger.none")] : tree.triggers.map((trigger) => triggerText(trigger, t));
    return { ...common, type: "trigger", draggable: false, data: { lines, problems: problems.get("") ?? NO_PROBLEMS } };
  }
  if (box.kind === "end") return { ...common, type: "end", draggable: false, selectable: false, data: { title: t("end") } };
  if (box.kind !== "step" || !box.step) return { ...common, type: box.kind === "group" ? "group" : "merge", draggable: false, selectable: false, zIndex: -1, data: {} };
  const { step } = box;
  const state = overlay.states.get(step.key) ?? null;
  return {
    ...common,
    type: "step",
    data: {
      kind: kindOf(step.verb, step.node),
      ...wordsOf(step, nodes, t),
      id: step.id,
      problems: problems.get(step.pointer) ?? NO_PROBLEMS,
      state,
      counter: overlay.counters.get(step.key) ?? null,
      change: overlay.changes.get(step.key) ?? null,
      hidden: box.hidden,
      folds: step.branches.length > 0,
      guard: step.verb !== "if" && "if" in step.value,
      dimmed: overlay.taken !== null && state === null,
      width: box.width,
      height: box.height,
    },
  };
}

interface Words {
  nodes: Nodes;
  t: Looks["t"];
  title: string;
  detail: string;
}

/** The words of a step as long as the file says the same of it; the values of steps that nobody changed stay the same objects. */
const words = new WeakMap<object, Words>();

function wordsOf(step: Step, nodes: Nodes, t: Looks["t"]): { title: string; detail: string } {
  let found = words.get(step.value);
  if (found === undefined || found.nodes !== nodes || found.t !== t) {
    found = { nodes, t, title: titleOf(step, nodes, t), detail: detailOf(step, nodes, t) };
    words.set(step.value, found);
  }
  return { title: found.title, detail: found.detail };
}

export function flowEdges(drawing: Drawing, { tree, overlay, t }: Looks): FlowEdge[] {
  return drawing.lines.map((line) => {
    const key = line.branch ? `${line.branch.step.key}:${line.branch.name}` : null;
    const from = tree.byPointer.get(line.from);
    const exits = from && !line.branch ? exitTexts(from, t) : [];
    const labels = line.label ? [branchText(line.label, t)] : exits;
    const taken = overlay.taken !== null && isTaken(line, tree, overlay);
    const count = key === null ? undefined : overlay.branches.get(key);
    const conversion = key === null ? undefined : overlay.conversions.get(key);
    return {
      id: line.id,
      source: line.from,
      target: line.to,
      type: "line",
      selectable: false,
      focusable: false,
      data: { points: line.points, labels, ...places(line, labels.length > 0), count: count === undefined ? (conversion ? conversionText(conversion) : null) : String(count), told: conversion ? conversionWords(conversion, t) : "", taken, faded: overlay.taken !== null && !taken },
    };
  });
}

/** How many were given a variant, and which part of them came to its goal, or to the end where it has none. */
function conversionText({ entered, completed, reached }: Conversion): string {
  return entered === 0 ? "0" : `${entered} → ${Math.round((100 * (reached ?? completed)) / entered)} %`;
}

export function conversionWords({ entered, completed, reached }: Conversion, t: Looks["t"]): string {
  const end = t("variants.told", { entered, completed });
  return reached === null ? end : `${end} ${t("variants.reached", { reached })}`;
}

function isTaken(line: Line, tree: Tree, overlay: Overlay): boolean {
  if (line.branch) return overlay.taken?.has(`${line.branch.step.key}:${line.branch.name}`) ?? false;
  const from = tree.byPointer.get(line.from.replace(/:(merge|finally)$/, ""));
  const to = tree.byPointer.get(line.to);
  const left = from === undefined || overlay.states.has(from.key);
  return left && (to === undefined || overlay.states.has(to.key));
}

/** Where a line's label and its button stand. */
export function places(line: Line, labelled: boolean): { labelAt: Point | null; plusAt: Point | null } {
  const { points } = line;
  const [first, second, third, fourth] = points;
  if (!first || !second) return { labelAt: null, plusAt: null };
  if (points.length === 2 || !third || !fourth) {
    if (!labelled) return { labelAt: null, plusAt: line.insert && middle(first, second) };
    const long = second.y - first.y > 60;
    return { labelAt: long ? { x: first.x, y: first.y + (line.label ? 36 : 22) } : middle(first, second), plusAt: line.insert && (long ? { x: second.x, y: second.y - 16 } : { x: first.x, y: second.y - 9 }) };
  }
  const entering = line.label !== null || points.length > 4;
  const labelAt = labelled ? { x: third.x, y: third.y + 18 } : null;
  if (entering) return { labelAt, plusAt: line.insert && (points.length > 4 ? { x: third.x, y: Math.max(third.y + 44, (third.y + fourth.y) / 2) } : { x: fourth.x, y: fourth.y - 15 }) };
  return { labelAt: labelled ? { x: first.x, y: first.y + 14 } : null, plusAt: line.insert && (labelled ? { x: first.x, y: second.y - 14 } : middle(first, second, 18)) };
}

function middle(from: Point, to: Point, most = Number.POSITIVE_INFINITY): Point {
  return { x: (from.x + to.x) / 2, y: from.y + Math.min((to.y - from.y) / 2, most) };
}

/** The path of a line, its corners rounded. */
export function pathOf(points: readonly Point[], radius = 10): string {
  return points
    .map((point, index) => {
      const before = points[index - 1];
      const after = points[index + 1];
      if (!before) return `M${point.x},${point.y}`;
      if (!after) return `L${point.x},${point.y}`;
      const near = towards(point, before, radius);
      const far = towards(point, after, radius);
      return `L${near.x},${near.y} Q${point.x},${point.y} ${far.x},${far.y}`;
    })
    .join(" ");
}

function towards(from: Point, to: Point, radius: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const part = length === 0 ? 0 : Math.min(radius, length / 2) / length;
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

const REACH = 130;

/** The line nearest to a point, on which something can be put down. */
export function nearestLine(drawing: Drawing, point: Point): Line | null {
  let best: { line: Line; far: number } | null = null;
  for (const line of drawing.lines) {
    if (!line.insert) continue;
    for (let index = 1; index < line.points.length; index += 1) {
      const [from, to] = [line.points[index - 1], line.points[index]];
      if (!from || !to) continue;
      const far = distance(point, from, to);
      if (best === null || far < best.far) best = { line, far };
    }
  }
  return best !== null && best.far <= REACH ? best.line : null;
}

function distance(point: Point, from: Point, to: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  const part = square === 0 ? 0 : Math.max(0, Math.min(1, ((point.x - from.x) * dx + (point.y - from.y) * dy) / square));
  return Math.hypot(point.x - from.x - part * dx, point.y - from.y - part * dy);
}
