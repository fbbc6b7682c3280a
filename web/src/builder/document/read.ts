// Reading a workflow file: the plain value of it, and the parsed document with the place of every value for whoever asks.
import { parseDocument, type Document } from "yaml";
import { chunksOf } from "./chunks";

export type Path = readonly (string | number)[];

export interface Unreadable {
  message: string;
  /** From 1. */
  line: number;
  column: number;
}

export interface Reading {
  source: string;
  /** Made when it is asked for: a long file takes a while. */
  readonly document: Document;
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
  const value = pieced(source);
  const reading = value === undefined ? whole(source) : lazily(source, value);
  kept.unshift(reading);
  kept.length = Math.min(kept.length, KEPT);
  return reading;
}

function parsed(source: string): Document {
  return parseDocument(source, { prettyErrors: true, keepSourceTokens: false, logLevel: "silent" });
}

function whole(source: string): Reading {
  const document = parsed(source);
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
  return { source, document, value, errors };
}

function lazily(source: string, value: unknown): Reading {
  let document: Document | null = null;
  return {
    source,
    value,
    errors: [],
    get document() {
      document ??= parsed(source);
      return document;
    },
  };
}

// ---- piece by piece: steps that were read before are not read again

/** The items of lists of one step, by their text; those of the last few files. */
let known = new Map<string, unknown>();
const KNOWN_MOST = 4_000;

/** The value of a file whose pieces can be read each by itself; `undefined` where it is read as a whole, as with any mistake. */
function pieced(source: string): unknown {
  const chunks = chunksOf(source);
  if (chunks === null) return undefined;
  const head = pieceOf(chunks.head);
  const tail = chunks.tail === "" ? {} : pieceOf(chunks.tail);
  if (!isMap(head) || head.steps !== null || !isMap(tail) || Object.keys(tail).some((key) => key in head)) return undefined;
  const steps: unknown[] = [];
  for (const { text } of chunks.items) {
    const items = pieceOf(text);
    if (!Array.isArray(items) || items.length !== 1) return undefined;
    steps.push(items[0]);
  }
  return { ...head, steps, ...tail };
}

function pieceOf(text: string): unknown {
  if (known.has(text)) return known.get(text);
  const { value, errors } = whole(text);
  const read = errors.length > 0 ? undefined : value;
  if (known.size >= KNOWN_MOST) known = new Map();
  known.set(text, read);
  return read;
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
