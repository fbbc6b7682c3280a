// Where everything of the graph stands. A workflow is made of lists and branches, so its layout is too: each list is a column, the
// branches of a step are columns side by side below it. One pass, no positions kept anywhere, the same file always drawn the same.
import type { Branch, BranchLabel, Step, Tree } from "../graph/tree";
import type { Place } from "../document/steps";

export const CARD_WIDTH = 268;
export const CARD_HEIGHT = 72;
const GAP = 46;
const BRANCH_GAP = 78;
const LANE_GAP = 36;
const EMPTY_LANE = 150;
const GROUP_PADDING = 26;
const TRIGGER_ROW = 30;
const TRIGGER_HEAD = 46;

export interface Box {
  id: string;
  kind: "trigger" | "step" | "group" | "merge" | "end";
  x: number;
  y: number;
  width: number;
  height: number;
  step: Step | null;
  /** How many steps are folded away below it. */
  hidden: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Line {
  id: string;
  from: string;
  to: string;
  points: readonly Point[];
  label: BranchLabel | null;
  /** The step whose branch this is, and the branch's name. */
  branch: { step: Step; name: string } | null;
  /** Where a step goes that is put on this line. */
  insert: Place | null;
}

export interface Drawing {
  boxes: Box[];
  lines: Line[];
  width: number;
  height: number;
}

export const START = "start";
export const END = "end";

/** The drawing of a workflow; the steps whose keys are in `collapsed` hide what is inside them. */
export function layout(tree: Tree, collapsed: ReadonlySet<string> = new Set()): Drawing {
  const pen: Pen = { boxes: [], lines: [], collapsed };
  const size = measureList(tree.steps, collapsed);
  const axis = Math.max(size.axis, CARD_WIDTH / 2);
  const startHeight = TRIGGER_HEAD + TRIGGER_ROW * Math.max(1, tree.triggers.length);
  pen.boxes.push({ id: START, kind: "trigger", x: axis - CARD_WIDTH / 2, y: 0, width: CARD_WIDTH, height: startHeight, step: null, hidden: 0 });
  const exit = drawList(pen, tree.steps, ["steps"], { id: START, x: axis, y: startHeight }, axis, startHeight + GAP, null);
  const last = tree.steps.at(-1);
  const bottom = startHeight + GAP + size.height + (last ? GAP : 0);
  pen.boxes.push({ id: END, kind: "end", x: axis - 44, y: bottom, width: 88, height: 34, step: null, hidden: 0 });
  if (exit) connect(pen, exit, { id: END, x: axis, y: bottom }, { insert: exit.insert, label: exit.label, branch: exit.branch });
  const right = Math.max(...pen.boxes.map((box) => box.x + box.width));
  return { boxes: pen.boxes, lines: pen.lines, width: right, height: bottom + 34 };
}

interface Pen {
  boxes: Box[];
  lines: Line[];
  collapsed: ReadonlySet<string>;
}

/** `axis` is how far from its left side the middle line of a column is. */
interface Size {
  width: number;
  height: number;
  axis: number;
}

interface Exit extends Point {
  id: string;
}

interface OpenExit extends Exit {
  insert: Place | null;
  label: BranchLabel | null;
  branch: { step: Step; name: string } | null;
}

// ---- measuring; each step is measured once a layout

const sizes = new WeakMap<Step, { collapsed: ReadonlySet<string>; size: Size }>();

function measureList(steps: readonly Step[], collapsed: ReadonlySet<string>): Size {
  let [axis, right, height] = [0, 0, 0];
  steps.forEach((step, index) => {
    const size = measure(step, collapsed);
    axis = Math.max(axis, size.axis);
    right = Math.max(right, size.width - size.axis);
    height += size.height + (index < steps.length - 1 ? gapBelow(step) : gapBelow(step) - GAP);
  });
  return { width: axis + right, height, axis };
}

function measure(step: Step, collapsed: ReadonlySet<string>): Size {
  const known = sizes.get(step);
  if (known && known.collapsed === collapsed) return known.size;
  const size = measured(step, collapsed);
  sizes.set(step, { collapsed, size });
  return size;
}

function measured(step: Step, collapsed: ReadonlySet<string>): Size {
  const card = { width: CARD_WIDTH, height: CARD_HEIGHT, axis: CARD_WIDTH / 2 };
  if (step.branches.length === 0 || collapsed.has(step.key)) return card;
  const { lanes, last } = lanesOf(step);
  if (isLoop(step)) {
    const body = measureList(lanes[0]?.steps ?? [], collapsed);
    const inner = Math.max(body.width, CARD_WIDTH);
    const axis = Math.max(body.axis, inner === CARD_WIDTH ? CARD_WIDTH / 2 : body.axis, CARD_WIDTH / 2);
    const width = axis + Math.max(body.width - body.axis, CARD_WIDTH / 2);
    return { width: width + 2 * GROUP_PADDING, height: CARD_HEIGHT + GAP + body.height + 2 * GROUP_PADDING + GAP, axis: axis + GROUP_PADDING };
  }
  const sizes = lanes.map((lane) => laneSize(lane, collapsed));
  const width = sizes.reduce((sum, size) => sum + size.width, 0) + LANE_GAP * Math.max(0, sizes.length - 1);
  const axis = Math.max(laneAxis(sizes), CARD_WIDTH / 2);
  const height = CARD_HEIGHT + BRANCH_GAP + Math.max(0, ...sizes.map((size) => size.height)) + GAP;
  const right = Math.max(width - laneAxis(sizes), CARD_WIDTH / 2);
  const whole = { width: axis + right, height, axis };
  if (!last) return whole;
  const end = laneSize(last, collapsed);
  return { width: Math.max(whole.axis, end.axis) + Math.max(whole.width - whole.axis, end.width - end.axis), height: height + BRANCH_GAP + end.height, axis: Math.max(whole.axis, end.axis) };
}

/** The middle line of lanes side by side: half-way between the first's and the last's. */
function laneAxis(sizes: readonly Size[]): number {
  const first = sizes[0];
  const last = sizes.at(-1);
  if (!first || !last) return 0;
  const left = sizes.slice(0, -1).reduce((sum, size) => sum + size.width + LANE_GAP, 0);
  return (first.axis + left + last.axis) / 2;
}

function laneSize(lane: Branch, collapsed: ReadonlySet<string>): Size {
  if (lane.steps.length === 0) return { width: EMPTY_LANE, height: 0, axis: EMPTY_LANE / 2 };
  return measureList(lane.steps, collapsed);
}

/** Below what waits there is room for how it ends. */
function gapBelow(step: Step): number {
  return step.verb === "wait_for" || step.verb === "ask" ? GAP + 24 : GAP;
}

function isLoop(step: Step): boolean {
  return step.verb === "for_each" || step.verb === "repeat";
}

/** `finally` comes behind the others, not beside them. */
function lanesOf(step: Step): { lanes: Branch[]; last: Branch | null } {
  const last = step.branches.find((branch) => branch.label.kind === "finally") ?? null;
  return { lanes: step.branches.filter((branch) => branch !== last), last };
}

// ---- drawing

function connect(pen: Pen, from: Exit, to: Exit, more: { insert: Place | null; label?: BranchLabel | null; branch?: { step: Step; name: string } | null; points?: Point[] }): void {
  const points = more.points ?? [{ x: from.x, y: from.y }, { x: to.x, y: to.y }];
  const name = more.branch ? `:${more.branch.name}` : "";
  pen.lines.push({ id: `${from.id}>${to.id}${name}`, from: from.id, to: to.id, points, label: more.label ?? null, branch: more.branch ?? null, insert: more.insert });
}

/** Draws a list below a point; gives where it goes on from, or nothing when nothing goes on. */
function drawList(
  pen: Pen, steps: readonly Step[], list: Place["list"], from: Exit, axis: number, top: number, lane: { label: BranchLabel; branch: { step: Step; name: string } } | null,
): OpenExit | null {
  let exit: OpenExit | null = { ...from, insert: { list, index: 0 }, label: lane?.label ?? null, branch: lane?.branch ?? null };
  let y = top;
  steps.forEach((step, index) => {
    const size = measure(step, pen.collapsed);
    if (exit) {
      const bend = exit.x === axis ? undefined : elbow(exit, { x: axis, y });
      connect(pen, exit, { id: step.pointer, x: axis, y }, { insert: exit.insert, label: exit.label, branch: exit.branch, ...(bend && { points: bend }) });
    }
    const end = drawStep(pen, step, axis, y);
    exit = end === null ? null : { ...end, insert: { list, index: index + 1 }, label: null, branch: null };
    y += size.height + gapBelow(step);
  });
  return exit;
}

/** Down a little, across, and down. */
function elbow(from: Point, to: Point): Point[] {
  const y = from.y + 20;
  return [{ x: from.x, y: from.y }, { x: from.x, y }, { x: to.x, y }, { x: to.x, y: to.y }];
}

/** Down, across at the end, and down. */
function join(from: Point, to: Point): Point[] {
  const y = to.y - 12;
  return [{ x: from.x, y: from.y }, { x: from.x, y }, { x: to.x, y }, { x: to.x, y: to.y }];
}

function drawStep(pen: Pen, step: Step, axis: number, y: number): Exit | null {
  const hidden = step.branches.length > 0 && pen.collapsed.has(step.key) ? step.branches.reduce((sum, branch) => sum + countSteps(branch.steps), 0) : 0;
  pen.boxes.push({ id: step.pointer, kind: "step", x: axis - CARD_WIDTH / 2, y, width: CARD_WIDTH, height: CARD_HEIGHT, step, hidden });
  const out = { id: step.pointer, x: axis, y: y + CARD_HEIGHT };
  if (step.branches.length === 0 || pen.collapsed.has(step.key)) return step.ends ? null : out;
  return isLoop(step) ? drawLoop(pen, step, axis, y) : drawBranches(pen, step, out, axis);
}

function drawLoop(pen: Pen, step: Step, axis: number, y: number): Exit | null {
  const size = measure(step, pen.collapsed);
  const body = step.branches[0];
  const top = y + CARD_HEIGHT + GAP / 2;
  const height = size.height - CARD_HEIGHT - GAP / 2;
  pen.boxes.push({ id: `${step.pointer}:group`, kind: "group", x: axis - size.axis, y: top, width: size.width, height, step, hidden: 0 });
  if (!body) return null;
  const first = top + GROUP_PADDING + GAP / 2;
  const exit = drawList(pen, body.steps, body.list, { id: step.pointer, x: axis, y: y + CARD_HEIGHT }, axis, first, { label: body.label, branch: { step, name: body.name } });
  const bottom = { id: `${step.pointer}:merge`, x: axis, y: top + height };
  pen.boxes.push({ id: bottom.id, kind: "merge", x: axis - 1, y: bottom.y - 1, width: 2, height: 2, step, hidden: 0 });
  if (exit) connect(pen, exit, bottom, { insert: exit.insert, label: exit.label, branch: exit.branch });
  return bottom;
}

function drawBranches(pen: Pen, step: Step, out: Exit, axis: number): Exit | null {
  const { lanes, last } = lanesOf(step);
  const sizes = lanes.map((lane) => laneSize(lane, pen.collapsed));
  const top = out.y + BRANCH_GAP;
  const tallest = Math.max(0, ...sizes.map((size) => size.height));
  const merge = { id: `${step.pointer}:merge`, x: axis, y: top + tallest + GAP };
  let left = axis - laneAxis(sizes);
  let open = 0;
  lanes.forEach((lane, index) => {
    const size = sizes[index] ?? { width: 0, axis: 0, height: 0 };
    const laneX = left + size.axis;
    left += size.width + LANE_GAP;
    const branch = { step, name: lane.name };
    if (lane.steps.length === 0) {
      open += 1;
      const points = [...elbow(out, { x: laneX, y: merge.y - 12 }), { x: axis, y: merge.y - 12 }, { x: axis, y: merge.y }];
      connect(pen, out, merge, { insert: { list: lane.list, index: 0 }, label: lane.label, branch, points });
      return;
    }
    const exit = drawList(pen, lane.steps, lane.list, out, laneX, top, { label: lane.label, branch });
    if (!exit) return;
    open += 1;
    connect(pen, exit, merge, { insert: exit.insert, points: join(exit, merge) });
  });
  if (open === 0 && !last) return null;
  pen.boxes.push({ id: merge.id, kind: "merge", x: merge.x - 1, y: merge.y - 1, width: 2, height: 2, step, hidden: 0 });
  if (!last) return merge;
  const end = drawList(pen, last.steps, last.list, merge, axis, merge.y + BRANCH_GAP, { label: last.label, branch: { step, name: last.name } });
  if (!end || end.id !== merge.id) return end;
  // An empty `finally` still has its line, so that something can be put on it.
  const below = { id: `${step.pointer}:finally`, x: axis, y: merge.y + BRANCH_GAP };
  pen.boxes.push({ id: below.id, kind: "merge", x: axis - 1, y: below.y - 1, width: 2, height: 2, step, hidden: 0 });
  connect(pen, end, below, { insert: end.insert, label: end.label, branch: end.branch });
  return below;
}

function countSteps(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + 1 + step.branches.reduce((inner, branch) => inner + countSteps(branch.steps), 0), 0);
}
