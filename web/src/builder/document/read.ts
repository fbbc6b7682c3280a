// Reading a workflow file: the parsed document with the place of every value, and the plain value of it.
import { parseDocument, type Document } from "yaml";

export type Path = readonly (string | number)[];

export interface Unreadable {
  message: string;
  /** From 1. */
  line: number;
  column: number;
}

export interface Reading {
  source: string;
  document: Document;
  /** The plain value; `null` when the text cannot be read. */
  value: unknown;
  /** Why the text cannot be read; empty when it can. */
  errors: Unreadable[];
}

const kept: Reading[] = [];
const KEPT = 6;

/** Reads a text. The last few readings are kept, since an edit and its check read the same text. */
export function read(source: string): Reading {
  const known = kept.find((reading) => reading.source === source);
  if (known) return known;
  const document = parseDocument(source, { prettyErrors: true, keepSourceTokens: false, logLevel: "silent" });
  const errors = document.errors.map((error) => ({
    message: firstLine(error.message),
    line: error.linePos?.[0].line ?? 1,
    column: error.linePos?.[0].col ?? 1,
  }));
  let value: unknown = null;
  if (errors.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 1000 });
    } catch (error) {
      errors.push({ message: error instanceof Error ? error.message : String(error), line: 1, column: 1 });
    }
  }
  const reading = { source, document, value, errors };
  kept.unshift(reading);
  kept.length = Math.min(kept.length, KEPT);
  return reading;
}

function firstLine(message: string): string {
  return message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? message;
}

/** A JSON pointer of a path. */
export function pointerOf(path: Path): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** The path of a JSON pointer. Numbers are taken as places in lists, so it fits pointers of values, not of maps with such keys. */
export function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^(0|[1-9]\d*)$/.test(part) ? Number(part) : part));
}

/** What stands at a path of a plain value. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const part of path) {
    if (here === null || typeof here !== "object") return undefined;
    here = (here as Record<string | number, unknown>)[part];
  }
  return here;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function samePath(one: Path, other: Path): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}

/** Whether `inner` is `outer` or lies below it. */
export function isWithin(inner: Path, outer: Path): boolean {
  return inner.length >= outer.length && outer.every((part, index) => part === inner[index]);
}
