// Edits of a workflow file. An edit changes the lines of what it touches; every other byte of the file stays as it was.
// Each is checked: what the new text says must be what the old one said, with the edit made to it.
import { isMap as isYamlMap, isScalar, isSeq, parse, type Node, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { attachedStart, colonEnd, columnOf, contentEnd, isEmptyScalar, isFlow, keyText, lineEnd, lineStart, locate, nextLine, pairEnd, start } from "./locate";
import { printBlock, printBlockText, printFlow, printPair, printScalarLike } from "./print";
import { isMap, read, valueAt, type Path, type Reading } from "./read";
import { indented } from "./text";

/** An edit that cannot be made; the message is for programmers, nothing was changed. */
export class EditError extends Error {}

/** Replaces a piece of the text. */
export function splice(source: string, from: number, to: number, text: string): string {
  return source.slice(0, from) + text + source.slice(to);
}

/** Sets the value at a path, and makes the maps on the way that are missing. `before` names keys that must come after a new one. */
export function setValue(source: string, path: Path, value: unknown, order: readonly string[] = []): string {
  const reading = readable(source);
  if (path.length === 0) throw new EditError("the whole file is no value");
  const located = locate(reading.document, path);
  if (located) {
    if (same(valueAt(reading.value, path), value)) return source;
    return checked(reading, path, value, replaceValue(reading, path, value));
  }
  const parentPath = path.slice(0, -1);
  const key = path.at(-1) as string | number;
  const parent = locate(reading.document, parentPath);
  if (!parent || parent.node === null || isEmptyScalar(parent.node) || (isYamlMap(parent.node) && parent.node.items.length === 0)) {
    return setValue(source, parentPath, { [key]: value }, order);
  }
  if (isSeq(parent.node) && typeof key === "number") return insertItem(source, parentPath, key, value);
  if (!isYamlMap(parent.node)) throw new EditError(`there is no map at /${parentPath.join("/")}`);
  return checked(reading, path, value, addPair(reading, parentPath, String(key), value, order));
}

/** Takes away the value at a path, with its key; a list that becomes empty is left as `[]`, a map as `{}`. */
export function removeValue(source: string, path: Path): string {
  const reading = readable(source);
  const located = locate(reading.document, path);
  if (!located) return source;
  return checked(reading, path, undefined, isSeq(located.parent) ? cutItem(reading, path) : cutPair(reading, path));
}

/** Puts an item into a list, which is made when it is missing. */
export function insertItem(source: string, list: Path, index: number, value: unknown): string {
  const lines = printBlock([value], 0).slice(1);
  const text = lines.length > 0 ? lines.join("\n") : `- ${printFlow(value)}`;
  return insertItems(source, list, index, text);
}

/**
 * Puts the items of a YAML list (its dashes in the first column) into a list, their text as it is: comments and quotes stay.
 */
export function insertItems(source: string, list: Path, index: number, text: string): string {
  const reading = readable(source);
  const items: unknown = parse(text);
  const lines = text.replace(/\n+$/, "");
  if (!Array.isArray(items)) throw new EditError("what is put into a list must be a list");
  const located = locate(reading.document, list);
  const expected = withItems(reading.value, list, index, items);
  const node = located?.node ?? null;
  if (isSeq(node) && node.items.length > 0) {
    const seq = node as YAMLSeq<Node>;
    const inserted = isFlow(seq)
      ? flowItems(reading, seq, index, items)
      : blockItems(reading, seq, index, lines);
    return compared(inserted, expected);
  }
  if (node !== null && !isEmptyScalar(node) && !isSeq(node)) throw new EditError("this is no list");
  return compared(newList(reading, list, lines, items), expected);
}

/** The text of items of a list, in the first column, with the comments right above them. */
export function itemText(source: string, path: Path): string {
  const reading = readable(source);
  const located = locate(reading.document, path);
  if (!located?.node || !isSeq(located.parent)) throw new EditError("this is no item of a list");
  const { node, parent } = located;
  if (isFlow(parent)) return `- ${source.slice(start(node), contentEnd(source, node))}`;
  const [from, to, column] = itemLines(source, parent as YAMLSeq<Node>, Number(path.at(-1)));
  return indented(source.slice(from, to).replace(/\n$/, ""), -column);
}

/** Gives an entry of a map another name. */
export function renameKey(source: string, path: Path, name: string): string {
  const reading = readable(source);
  const located = locate(reading.document, path);
  if (!located?.pair) throw new EditError("this is no entry of a map");
  const key = located.pair.key;
  const [from, to] = key.range ?? [0, 0];
  const next = splice(source, from, to, isFlow(located.parent) ? printFlow(name) : printScalarLike(name, undefined, false));
  if (read(next).errors.length > 0) throw new EditError("the new name cannot be written");
  return next;
}

function readable(source: string): Reading {
  const reading = read(source);
  if (reading.errors.length > 0) throw new EditError("the text cannot be read");
  return reading;
}

// ---- replacing

function replaceValue(reading: Reading, path: Path, value: unknown): string {
  const { source, document } = reading;
  const located = locate(document, path);
  if (!located) throw new EditError("there is nothing to replace");
  const { node, pair, parent } = located;
  // The quotes of an empty text say nothing about how its author likes them.
  const old = isScalar(node) && node.value !== "" ? (node.type as Scalar.Type | undefined) : undefined;
  if (insideFlow(reading, path)) {
    const text = printScalarLike(value, old, true);
    if (node === null || isEmptyScalar(node)) return splice(source, pair ? colonEnd(source, pair) : start(node as Node), pair ? colonEnd(source, pair) : start(node as Node), ` ${text}`);
    return splice(source, start(node), contentEnd(source, node), text);
  }
  const indent = pair ? columnOf(source, start(pair.key)) + 2 : isSeq(parent) ? dashColumn(source, parent as YAMLSeq<Node>) + 2 : 0;
  const lines =
    typeof value === "string" && value.includes("\n")
      ? printBlockText(value, indent, old)
      : isScalar(node) && typeof value === "string" && old !== "BLOCK_LITERAL" && old !== "BLOCK_FOLDED"
        ? [printScalarLike(value, old, false)]
        : printBlock(value, indent);
  const [first = "", ...rest] = lines;
  const empty = node === null || isEmptyScalar(node);
  const anchor = pair ? colonEnd(source, pair) : start(node as Node);
  const valueStart = empty ? anchor : start(node);
  const end = empty ? anchor : contentEnd(source, node);
  const sameLine = lineStart(source, valueStart) === lineStart(source, anchor);
  const startsBelow = !sameLine || valueStart === anchor || source.slice(anchor, valueStart).includes("\n");
  if (pair && (startsBelow || empty)) {
    // The old value began below its key: the line of the key keeps its comment, the lines below make room.
    const head = lineEnd(source, anchor);
    const [keyFrom, keyTo] = empty ? [anchor, anchor] : [head, lineEnd(source, end)];
    let next = splice(source, keyFrom, keyTo, "");
    const restText = rest.length > 0 ? `\n${rest.join("\n")}` : "";
    next = splice(next, lineEnd(next, anchor), lineEnd(next, anchor), restText);
    return first === "" ? next : splice(next, anchor, anchor, ` ${first}`);
  }
  const restText = rest.length > 0 ? `\n${rest.join("\n")}` : "";
  if (lineStart(source, end) === lineStart(source, valueStart)) {
    const close = lineEnd(source, end);
    const behind = source.slice(end, close);
    const [from, headText] = first === "" && pair ? [anchor, ""] : [valueStart, first];
    return splice(source, from, close, headText + (first === "" ? behind : behind) + restText);
  }
  // A text or braces of several lines; what stands behind its first line's header goes with it.
  return splice(source, first === "" && pair ? anchor : valueStart, end, first + restText);
}

function insideFlow(reading: Reading, path: Path): boolean {
  for (let length = 0; length < path.length; length += 1) {
    if (isFlow(locate(reading.document, path.slice(0, length))?.node)) return true;
  }
  return false;
}

// ---- adding and taking away entries of maps

function addPair(reading: Reading, parentPath: Path, key: string, value: unknown, order: readonly string[]): string {
  const { source, document } = reading;
  const map = locate(document, parentPath)?.node as YAMLMap<Node, Node | null>;
  const place = order.indexOf(key);
  const before = place < 0 ? -1 : map.items.findLastIndex((item) => { const at = order.indexOf(keyText(item.key)); return at >= 0 && at < place; });
  const after = place < 0 ? map.items.length - 1 : before;
  if (isFlow(map) || insideFlow(reading, parentPath)) {
    const text = `${printFlow(key)}: ${value === null ? "null" : printFlow(value)}`;
    const previous = map.items[after];
    if (previous) return splice(source, pairEnd(source, previous), pairEnd(source, previous), `, ${text}`);
    return splice(source, start(map.items[0]?.key as Node), start(map.items[0]?.key as Node), `${text}, `);
  }
  const column = columnOf(source, start(map.items[0]?.key as Node));
  const lines = printPair(key, value, column);
  const previous = map.items[after];
  if (previous) {
    const at = lineEnd(source, pairEnd(source, previous));
    return splice(source, at, at, `\n${lines.join("\n")}`);
  }
  const first = start(map.items[0]?.key as Node);
  return splice(source, first, first, `${lines.join("\n").slice(column)}\n${" ".repeat(column)}`);
}

function cutPair(reading: Reading, path: Path): string {
  const { source, document } = reading;
  const located = locate(document, path);
  const map = located?.parent as YAMLMap<Node, Node | null>;
  const pair = located?.pair;
  if (!pair) throw new EditError("this is no entry of a map");
  const index = map.items.indexOf(pair);
  if (map.items.length === 1) return emptied(reading, path, map, "{}");
  if (isFlow(map)) return cutBetween(source, map.items.map((item) => [start(item.key), pairEnd(source, item)] as const), index);
  const from = start(pair.key);
  const line = lineStart(source, from);
  if (source.slice(line, from).trim() !== "") {
    // The entry stands on the line of a dash: the next one takes its place.
    const next = start(map.items[index + 1]?.key as Node);
    const hash = source.slice(nextLine(source, pairEnd(source, pair)), next).search(/#/);
    return splice(source, from, hash < 0 ? next : nextLine(source, pairEnd(source, pair)) + hash, "");
  }
  return cutLines(source, attachedStart(source, line, from - line), pairEnd(source, pair));
}

function cutItem(reading: Reading, path: Path): string {
  const { source, document } = reading;
  const seq = locate(document, path)?.parent as YAMLSeq<Node>;
  const index = Number(path.at(-1));
  if (seq.items.length === 1) return emptied(reading, path, seq, "[]");
  if (isFlow(seq)) return cutBetween(source, seq.items.map((item) => [start(item), contentEnd(source, item)] as const), index);
  const [from, to] = itemLines(source, seq, index);
  const next = cutLines(source, from, to - 1);
  // The first of a list that was apart from the second: no blank line stays below the key.
  const underKey = from > 0 && next.slice(lineStart(next, from - 1), from).trim() !== "";
  return index === 0 && underKey && next[from] === "\n" ? splice(next, from, from + 1, "") : next;
}

/** The last entry is gone: an empty collection stays, on the line of its key. */
function emptied(reading: Reading, path: Path, collection: YAMLMap<Node, Node | null> | YAMLSeq<Node>, text: string): string {
  const { source, document } = reading;
  if (isFlow(collection)) return splice(source, start(collection) + 1, contentEnd(source, collection) - 1, "");
  const parent = locate(document, path.slice(0, -1));
  const end = contentEnd(source, collection);
  if (!parent?.pair) return splice(source, start(collection), lineEnd(source, end), text);
  const colon = colonEnd(source, parent.pair);
  const head = lineEnd(source, colon);
  const next = splice(source, head, lineEnd(source, end), "");
  return splice(next, colon, colon, ` ${text}`);
}

function cutBetween(source: string, ranges: readonly (readonly [number, number])[], index: number): string {
  const [from, to] = ranges[index] ?? [0, 0];
  const next = ranges[index + 1];
  const previous = ranges[index - 1];
  if (next) return splice(source, from, next[0], "");
  return splice(source, previous ? previous[1] : from, to, "");
}

/** Takes lines away, and the blank line above where there would be two. */
function cutLines(source: string, from: number, end: number): string {
  const to = nextLine(source, end);
  const blankAbove = source.slice(lineStart(source, from - 1), from).trim() === "" && from > 1;
  const nothingBelow = source.slice(to, nextLine(source, to)).trim() === "";
  const begin = blankAbove && nothingBelow ? lineStart(source, from - 1) : from;
  const next = splice(source, begin, to, "");
  return next.endsWith("\n") || !source.endsWith("\n") ? next : `${next}\n`;
}

// ---- items of lists

function dashColumn(source: string, seq: YAMLSeq<Node>): number {
  return columnOf(source, dashOf(source, seq.items[0] as Node));
}

/** Where the dash of an item stands. */
function dashOf(source: string, item: Node): number {
  let at = start(item) - 1;
  while (at >= 0 && source[at] !== "-") {
    // A comment between the dash and the item may hold dashes of its own.
    const line = lineStart(source, at);
    const hash = source.slice(line, at).search(/(^|\s)#/);
    at = hash >= 0 ? line + hash - 1 : at - 1;
  }
  return at;
}

/** From the comments above an item to the end of its last line, and the column of its dash. */
function itemLines(source: string, seq: YAMLSeq<Node>, index: number): [number, number, number] {
  const item = seq.items[index] as Node;
  const dash = dashOf(source, item);
  const line = lineStart(source, dash);
  const column = dash - line;
  return [attachedStart(source, line, column), nextLine(source, contentEnd(source, item)), column];
}

function blockItems(reading: Reading, seq: YAMLSeq<Node>, index: number, text: string): string {
  const { source } = reading;
  const column = dashColumn(source, seq);
  const block = indented(text, column);
  if (index < seq.items.length) {
    const [from] = itemLines(source, seq, index);
    const dash = dashOf(source, seq.items[index] as Node);
    if (source.slice(lineStart(source, dash), dash).trim() !== "") return splice(source, dash, dash, `${block.slice(column)}\n${" ".repeat(column)}`);
    return splice(source, from, from, `${block}\n`);
  }
  const end = lineEnd(source, contentEnd(source, seq.items.at(-1) as Node));
  return splice(source, end, end, `\n${block}`);
}

function flowItems(reading: Reading, seq: YAMLSeq<Node>, index: number, items: readonly unknown[]): string {
  const { source } = reading;
  const text = items.map(printFlow).join(", ");
  const next = seq.items[index];
  if (next) return splice(source, start(next), start(next), `${text}, `);
  const end = contentEnd(source, seq.items.at(-1) as Node);
  return splice(source, end, end, `, ${text}`);
}

function newList(reading: Reading, list: Path, text: string, items: readonly unknown[]): string {
  const { source, document } = reading;
  const located = locate(document, list);
  const flow = insideFlow(reading, list);
  if (!located) {
    const parent = locate(document, list.slice(0, -1))?.node;
    if (!isYamlMap(parent) || parent.items.length === 0) throw new EditError("there is no map for the list");
    if (flow || isFlow(parent)) return addPair(reading, list.slice(0, -1), String(list.at(-1)), items, []);
    const map = parent as YAMLMap<Node, Node | null>;
    const column = columnOf(source, start(map.items[0]?.key as Node));
    const end = lineEnd(source, pairEnd(source, map.items.at(-1) as (typeof map.items)[number]));
    return splice(source, end, end, `\n${" ".repeat(column)}${printFlow(String(list.at(-1)))}:\n${indented(text, column + 2)}`);
  }
  if (flow) return replaceValue(reading, list, items);
  const { node, pair } = located;
  if (!pair) throw new EditError("the list has no key");
  const colon = colonEnd(source, pair);
  const column = columnOf(source, start(pair.key));
  const next = node && !isEmptyScalar(node) ? splice(source, colon, contentEnd(source, node), "") : source;
  const end = lineEnd(next, colon);
  return splice(next, end, end, `\n${indented(text, column + 2)}`);
}

// ---- checking

/** The text, when it says what is expected; else the file is printed anew, which keeps comments but not every space. */
function compared(next: string, expected: unknown): string {
  const reading = read(next);
  if (reading.errors.length === 0 && same(reading.value, expected)) return next;
  throw new EditError("the text cannot be changed in this place");
}

function checked(reading: Reading, path: Path, value: unknown, next: string): string {
  const after = read(next);
  const expected = value === undefined ? without(reading.value, path) : withValue(reading.value, path, value);
  if (after.errors.length === 0 && same(after.value, expected)) return next;
  const document = reading.document.clone();
  if (value === undefined) document.deleteIn(path);
  else document.setIn(path, document.createNode(value));
  return compared(document.toString({ lineWidth: 0 }), expected);
}

/** Equal, whatever the order of keys. */
export function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, index) => same(item, other[index]));
  if (!isMap(one) || !isMap(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && same(one[key], other[key]));
}

function withValue(value: unknown, path: Path, put: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return put;
  if (Array.isArray(value)) return value.map((item, index) => (index === part ? withValue(item, rest, put) : item));
  const map = isMap(value) ? value : {};
  return { ...map, [part]: withValue(map[part], rest, put) };
}

function without(value: unknown, path: Path): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return undefined;
  if (Array.isArray(value)) {
    return rest.length === 0 ? value.filter((_, index) => index !== part) : value.map((item, index) => (index === part ? without(item, rest) : item));
  }
  if (!isMap(value)) return value;
  if (rest.length > 0) return { ...value, [part]: without(value[part], rest) };
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== String(part)));
}

function withItems(value: unknown, list: Path, index: number, items: readonly unknown[]): unknown {
  const old = valueAt(value, list);
  const before = Array.isArray(old) ? old : [];
  return withValue(value, list, [...before.slice(0, index), ...items, ...before.slice(index)]);
}
