// Edits of steps. Each gives the new text, and which steps are selected then.
import { treeOf, placeOf, type Tree } from "../graph/tree";
import { newStep, STEP_ORDER, WITH_OUTPUT, type Verb } from "../graph/verbs";
import { EditError, insertItem, insertItems, itemText, removeValue, renameKey, setValue } from "./edit";
import { isMap, isWithin, pathOf, pointerOf, read, samePath, valueAt, type Path } from "./read";
import { namedSteps, renameReferences } from "./references";
import { windowOf } from "./window";

export interface Edited {
  source: string;
  /** Pointers of the steps that are selected after it. */
  selected: string[];
}

/** A place between steps. */
export interface Place {
  list: Path;
  index: number;
}

export function readTree(source: string): Tree {
  return treeOf(read(source).value);
}

/** Puts steps, as the text of a YAML list, into a place. Ids that are taken get another name, in the new steps' references, too. */
export function insertSteps(source: string, place: Place, text: string): Edited {
  const fresh = withFreshIds(source, text);
  const count = (read(fresh).value as unknown[]).length;
  const selected = Array.from({ length: count }, (_, index) => pointerOf([...place.list, place.index + index]));
  const next = within(source, aroundPlace(place), (text, path) => insertItems(withList(text, path(place.list)), path(place.list), indexIn(place, path), fresh));
  return { source: next, selected };
}

/** Puts a new step of a verb into a place. */
export function insertNewStep(source: string, place: Place, verb: Verb, node = "", input: Record<string, unknown> | null = null): Edited {
  const step = newStep(verb, node, input);
  const id = WITH_OUTPUT.includes(verb) ? freeId(idsOf(source), suggestedId(verb, node)) : null;
  const value = id === null ? step : { id, ...step };
  const next = within(source, aroundPlace(place), (text, path) => insertItem(withList(text, path(place.list)), path(place.list), indexIn(place, path), value));
  return { source: next, selected: [pointerOf([...place.list, place.index])] };
}

/** Takes steps away; the ones that lie inside another of them go with it. */
export function removeSteps(source: string, pointers: readonly string[]): Edited {
  const paths = outermost(source, pointers).toReversed();
  return { source: within(source, paths, (text, path) => paths.reduce((now, one) => removeValue(now, path(one)), text)), selected: [] };
}

/** The text of steps, as a YAML list that can be put in elsewhere. */
export function copySteps(source: string, pointers: readonly string[]): string {
  return `${outermost(source, pointers).map(textOf(source)).join("\n")}\n`;
}

/** The text of an item, from a small part of the file. */
function textOf(source: string): (path: Path) => string {
  return (path) => {
    const window = windowOf(source, [path]);
    return window === null ? itemText(source, path) : itemText(window.text, window.inside(path));
  };
}

/** Moves steps to a place, their text as it is. */
export function moveSteps(source: string, pointers: readonly string[], place: Place): Edited {
  const paths = outermost(source, pointers);
  if (paths.some((path) => isWithin(place.list, path))) throw new EditError("a step cannot be moved into itself");
  if (paths.length === 0) return { source, selected: [] };
  const text = copySteps(source, pointers);
  const window = windowOf(source, [...paths, ...aroundPlace(place)]);
  if (window === null) return moved(source, paths, place, text);
  const there = { list: window.inside(place.list), index: indexIn(place, window.inside) };
  const small = moved(window.text, paths.map(window.inside), there, text);
  return { source: window.restore(small.source), selected: small.selected.map((pointer) => pointerOf(window.outside(pathOf(pointer)))) };
}

function moved(source: string, paths: readonly Path[], place: Place, text: string): Edited {
  const prepared = withList(source, place.list);
  let next = insertItems(prepared, place.list, place.index, text);
  let target: Path = [...place.list, place.index];
  const originals = paths.map((path) => shifted(path, place.list, place.index, paths.length));
  for (const path of originals.toReversed()) {
    next = removeValue(next, path);
    const { list, index } = placeOf(path);
    target = shifted(target, list, index + 1, -1);
  }
  const { list, index } = placeOf(target);
  return { source: next, selected: paths.map((_, offset) => pointerOf([...list, index + offset])) };
}

/** Moves steps that follow each other one place up or down in their list. */
export function nudgeSteps(source: string, pointers: readonly string[], by: -1 | 1): Edited {
  const stay = { source, selected: [...pointers] };
  const paths = outermost(source, pointers);
  const [first] = paths;
  if (!first) return stay;
  const { list, index } = placeOf(first);
  const together = paths.every((path, offset) => samePath(path, [...list, index + offset]));
  if (!together) throw new EditError("only steps that follow each other move together");
  const items = valueAt(read(source).value, list);
  const goal = by < 0 ? index - 1 : index + paths.length + 1;
  return !Array.isArray(items) || goal < 0 || goal > items.length ? stay : moveSteps(source, pointers, { list, index: goal });
}

/** A copy of steps right behind the last of them. */
export function duplicateSteps(source: string, pointers: readonly string[]): Edited {
  const last = outermost(source, pointers).at(-1);
  if (!last) return { source, selected: [] };
  const { list, index } = placeOf(last);
  return insertSteps(source, { list, index: index + 1 }, copySteps(source, pointers));
}

/** Gives a step an id, another one, or none; whatever names it follows. */
export function renameStep(source: string, pointer: string, id: string): string {
  const path = pathOf(pointer);
  const old = valueAt(read(source).value, [...path, "id"]);
  if (id === "") return removeValue(source, [...path, "id"]);
  const next = setValue(source, [...path, "id"], id, STEP_ORDER);
  return typeof old === "string" && old !== "" ? renameReferences(next, new Map([[old, id]])) : next;
}

/** Gives a branch of `parallel` or a variant of `split` another name. */
export function renameBranch(source: string, path: Path, name: string): string {
  return renameKey(source, path, name);
}

/** Sets a value of a step, or of the file. */
export function setIn(source: string, path: Path, value: unknown, order: readonly string[]): string {
  return within(source, [path], (text, inside) => setValue(text, inside(path), value, order));
}

/** Takes a value of a step away, or of the file. */
export function removeIn(source: string, path: Path): string {
  return within(source, [path], (text, inside) => removeValue(text, inside(path)));
}

// ---- in a part of the file

/** Makes an edit that touches nothing but these paths in a small part of the file, where it has one. */
function within(source: string, paths: readonly Path[], edit: (text: string, inside: (path: Path) => Path) => string): string {
  const window = windowOf(source, paths);
  return window === null ? edit(source, (path) => path) : window.restore(edit(window.text, window.inside));
}

/** The steps on both sides of a place. */
function aroundPlace({ list, index }: Place): Path[] {
  return list.length === 1 ? [...(index > 0 ? [[...list, index - 1]] : []), [...list, index]] : [list];
}

/** The index of a place, in a part of the file. */
function indexIn({ list, index }: Place, inside: (path: Path) => Path): number {
  return Number(inside([...list, index]).at(-1));
}

// ---- ids

export function idsOf(source: string): Set<string> {
  return new Set(readTree(source).all.flatMap((step) => (step.id === null ? [] : [step.id])));
}

function suggestedId(verb: Verb, node: string): string {
  const word = verb === "do" ? node.split(".").slice(-2).join("_") : verb === "wait_for" ? "reply" : verb;
  const clean = word.toLowerCase().replaceAll(/[^a-z0-9_]/g, "_");
  return /^[a-z_]/.test(clean) ? clean : `step_${clean}`;
}

export function freeId(taken: ReadonlySet<string>, wanted: string): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/_\d+$/, "");
  for (let number = 2; ; number += 1) if (!taken.has(`${stem}_${number}`)) return `${stem}_${number}`;
}

function withFreshIds(source: string, text: string): string {
  const reading = read(text);
  if (reading.errors.length > 0 || !Array.isArray(reading.value)) throw new EditError("what is put in is no list of steps");
  const taken = idsOf(source);
  const names = new Map<string, string>();
  const steps = treeOf({ steps: reading.value }).all;
  for (const step of steps) {
    if (step.id === null) continue;
    const id = freeId(taken, step.id);
    taken.add(id);
    if (id !== step.id) names.set(step.id, id);
  }
  let next = text;
  for (const step of steps) {
    const id = step.id === null ? undefined : names.get(step.id);
    if (id !== undefined) next = setValue(next, [...step.path.slice(1), "id"], id);
  }
  return renameReferences(next, names);
}

/** The steps that pasted text names and that neither it nor the file has. */
export function missingReferences(source: string, text: string): string[] {
  const there = new Set([...idsOf(source), ...treeOf({ steps: read(text).value }).all.map((step) => step.key)]);
  return [...namedSteps(text)].filter((id) => !there.has(id));
}

// ---- places

function outermost(source: string, pointers: readonly string[]): Path[] {
  const order = readTree(source).all.map((step) => step.pointer);
  const paths = [...new Set(pointers)]
    .filter((pointer) => order.includes(pointer))
    .toSorted((one, other) => order.indexOf(one) - order.indexOf(other))
    .map(pathOf);
  return paths.filter((path) => !paths.some((other) => other !== path && isWithin(path, other)));
}

/** A path after `count` items were put in (or taken away, when negative) before `index` of a list. */
function shifted(path: Path, list: Path, index: number, count: number): Path {
  const place = path[list.length];
  if (!isWithin(path, list) || typeof place !== "number" || place < index) return path;
  return [...path.slice(0, list.length), place + count, ...path.slice(list.length + 1)];
}

/** Makes what a list stands in, where the file says it shorter: a variant that is only a weight, an `else` of `choose` that is missing. */
function withList(source: string, list: Path): string {
  const value = read(source).value;
  const owner = list.slice(0, -1);
  const there = valueAt(value, owner);
  if (list.at(-1) === "steps" && typeof there === "number") return setValue(source, owner, { weight: there });
  if (list.at(-1) === "else" && there === undefined && typeof owner.at(-1) === "number") {
    return insertItem(source, owner.slice(0, -1), Number(owner.at(-1)), { else: [] });
  }
  if (owner.length > 0 && !isMap(there) && !Array.isArray(there)) return setValue(source, owner, {});
  return source;
}
