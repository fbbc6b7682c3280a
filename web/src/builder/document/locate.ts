// Where a value stands in the text of its file.
import { isAlias, isCollection, isMap as isYamlMap, isPair, isScalar, isSeq, type Document, type Node, type Pair, type YAMLMap, type YAMLSeq } from "yaml";
import type { Path } from "./read";

export interface Located {
  node: Node | null;
  /** The pair that the value belongs to, when its parent is a map. */
  pair: Pair<Node, Node | null> | null;
  parent: YAMLMap<Node, Node | null> | YAMLSeq<Node> | null;
}

/** The node at a path; `null` when there is none. */
export function locate(document: Document, path: Path): Located | null {
  let here: Located = { node: document.contents as Node | null, pair: null, parent: null };
  for (const part of path) {
    const node = here.node;
    if (isYamlMap(node)) {
      const map = node as YAMLMap<Node, Node | null>;
      const pair = map.items.find((item) => keyText(item.key) === String(part));
      if (!pair) return null;
      here = { node: pair.value ?? null, pair, parent: map };
    } else if (isSeq(node) && typeof part === "number") {
      const seq = node as YAMLSeq<Node>;
      const item = seq.items[part];
      if (item === undefined || isPair(item)) return null;
      here = { node: item, pair: null, parent: seq };
    } else {
      return null;
    }
  }
  return here;
}

export function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : "";
}

/** Whether the collection is written with braces or brackets. */
export function isFlow(node: unknown): boolean {
  return isCollection(node) && node.flow === true;
}

export function start(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Where the last sign of a value ends; comments and blank lines behind it are not its own. */
export function contentEnd(source: string, node: Node): number {
  if (isCollection(node) && !isFlow(node)) {
    const last = node.items.at(-1);
    if (last !== undefined) {
      return isPair(last) ? pairEnd(source, last as Pair<Node, Node | null>) : contentEnd(source, last as Node);
    }
  }
  const [from, to] = node.range ?? [0, 0];
  if (isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")) {
    let end = to;
    while (end > from && /\s/.test(source[end - 1] ?? "")) end -= 1;
    return end;
  }
  return isAlias(node) || to > from ? to : from;
}

/** Where a pair ends: its value, or the colon of one without a value. */
export function pairEnd(source: string, pair: Pair<Node, Node | null>): number {
  const value = pair.value;
  if (value && !isEmptyScalar(value)) return contentEnd(source, value);
  return colonEnd(source, pair);
}

/** Behind the colon of a pair. */
export function colonEnd(source: string, pair: Pair<Node, Node | null>): number {
  const end = pair.key.range?.[1] ?? 0;
  const colon = source.indexOf(":", end);
  return colon < 0 || source.slice(end, colon).trim() !== "" ? end : colon + 1;
}

/** A value that is nothing at all (`key:`). */
export function isEmptyScalar(node: Node | null): boolean {
  return isScalar(node) && node.value === null && node.range !== undefined && node.range !== null && node.range[0] === node.range[1];
}

export function lineStart(source: string, offset: number): number {
  return source.lastIndexOf("\n", offset - 1) + 1;
}

/** The end of the line, its line break not included. */
export function lineEnd(source: string, offset: number): number {
  const end = source.indexOf("\n", offset);
  return end < 0 ? source.length : end;
}

/** The start of the next line, or the end of the text. */
export function nextLine(source: string, offset: number): number {
  return Math.min(lineEnd(source, offset) + 1, source.length);
}

/** From 0. */
export function columnOf(source: string, offset: number): number {
  return offset - lineStart(source, offset);
}

/**
 * Where the comment lines begin that stand right above a line, at the same or a deeper indentation: they belong to what follows.
 */
export function attachedStart(source: string, line: number, column: number): number {
  let from = line;
  while (from > 0) {
    const above = lineStart(source, from - 1);
    const text = source.slice(above, from - 1);
    const hash = text.search(/\S/);
    if (hash < 0 || text[hash] !== "#" || hash !== column) break;
    from = above;
  }
  return from;
}
