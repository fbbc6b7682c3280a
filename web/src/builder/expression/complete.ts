// Completion inside expressions: which part of a text is one, what is being written there, and what may come. Pure.
import type { Variable } from "../scope/scope";

export interface Suggestion {
  text: string;
  detail: string;
}

export interface Completion {
  from: number;
  to: number;
  options: Suggestion[];
}

/** Filters of the text language, with what they do in short. */
export const FILTERS = [
  "abs", "batch", "bool", "capitalize", "default", "dictsort", "first", "float", "format", "int", "items", "join", "last", "length", "lines", "list", "lower", "map", "max", "min", "minus",
  "plus", "reject", "replace", "reverse", "round", "select", "slice", "sort", "split", "string", "sum", "time", "title", "tojson", "trim", "unique", "upper", "urlencode",
] as const;

/** The expression around a place in a text with `{{ … }}`; `bare` when the whole text is one. */
export function expressionAt(text: string, caret: number, bare: boolean): { from: number; to: number } | null {
  if (bare) return { from: 0, to: text.length };
  const open = Math.max(text.lastIndexOf("{{", caret - 1), text.lastIndexOf("{%", caret - 1));
  if (open < 0) return null;
  const closed = text.slice(open, caret).search(/\}\}|%\}/);
  if (closed >= 0) return null;
  const close = text.slice(caret).search(/\}\}|%\}/);
  return { from: open + 2, to: close < 0 ? text.length : caret + close };
}

/** What may be written at the caret; `null` when it is in no expression. */
export function complete(text: string, caret: number, variables: readonly Variable[], bare: boolean): Completion | null {
  const inside = expressionAt(text, caret, bare);
  if (!inside) return null;
  const before = text.slice(inside.from, caret);
  const filter = before.match(/\|\s*(\w*)$/);
  if (filter) {
    const word = filter[1] ?? "";
    return { from: caret - word.length, to: caret, options: FILTERS.filter((name) => name.startsWith(word)).map((name) => ({ text: name, detail: "" })) };
  }
  const path = before.match(/(?:^|[^\w.\]"'])((?:[A-Za-z_]\w*\.)*)(\w*)$/);
  if (!path) return null;
  const [, owner = "", word = ""] = path;
  if (isInString(before)) return null;
  const level = owner === "" ? variables : childrenAt(variables, owner.slice(0, -1).split("."));
  const lower = word.toLowerCase();
  const options = level.filter((one) => one.name.toLowerCase().includes(lower)).map((one) => ({ text: one.name, detail: sampleText(one.sample) || (one.about ?? "") }));
  return { from: caret - word.length, to: caret, options: options.toSorted((one, other) => rank(one.text, lower) - rank(other.text, lower)) };
}

function rank(name: string, word: string): number {
  return name.toLowerCase().startsWith(word) ? 0 : 1;
}

function isInString(before: string): boolean {
  const quotes = before.replaceAll(/\\./g, "").match(/["']/g) ?? [];
  let open: string | null = null;
  for (const quote of quotes) {
    if (open === null) open = quote;
    else if (open === quote) open = null;
  }
  return open !== null;
}

function childrenAt(variables: readonly Variable[], path: readonly string[]): readonly Variable[] {
  return path.reduce<readonly Variable[]>((level, name) => level.find((one) => one.name === name)?.children ?? [], variables);
}

/** A value in a few signs. */
export function sampleText(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

/** A text with a variable put in at the caret: in braces where there are none yet. */
export function withVariable(text: string, caret: number, path: string, bare: boolean): { text: string; caret: number } {
  const put = expressionAt(text, caret, bare) ? path : `{{ ${path} }}`;
  return { text: text.slice(0, caret) + put + text.slice(caret), caret: caret + put.length };
}

/** Variables whose path or sample has every word of a search. */
export function search(variables: readonly Variable[], words: string): Variable[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return variables.filter((one) => {
    const text = `${one.path} ${one.about ?? ""} ${sampleText(one.sample)}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
