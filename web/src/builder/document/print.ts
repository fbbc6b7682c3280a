// Printing new values in the style of the shipped files: short maps on one line, steps as blocks, quotes only where they are needed.
import { Document, Scalar, stringify } from "yaml";
import { isMap } from "./read";

/** Wider than this, a map or list is written as a block. */
const WIDTH = 110;

/** A value on one line, as it may stand anywhere, also inside braces. */
export function printFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printFlow).join(", ")}]`;
  if (isMap(value)) {
    const entries = Object.entries(value).map(([key, item]) => `${printFlow(key)}: ${item === null ? "null" : printFlow(item)}`);
    return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
  }
  if (typeof value === "string") {
    if (value.includes("\n")) return JSON.stringify(value);
    const document = new Document([value]);
    (document.contents as { flow?: boolean }).flow = true;
    const text = document.toString({ lineWidth: 0, flowCollectionPadding: false }).trim();
    return text.slice(1, -1).trim();
  }
  return stringify(value, { lineWidth: 0 }).trim();
}

/** A text in the quotes that the old one had, where it can. */
export function printScalarLike(value: unknown, old: Scalar.Type | undefined, flow: boolean): string {
  if (typeof value !== "string" || value.includes("\n")) return printFlow(value);
  if (old === "QUOTE_DOUBLE") return JSON.stringify(value);
  // A single-quoted text stays so, unless it has signs that only double quotes can write.
  if (old === "QUOTE_SINGLE" && !/\p{Cc}/u.test(value)) return `'${value.replaceAll("'", "''")}'`;
  if (flow) return printFlow(value);
  return stringify(value, { lineWidth: 0 }).trimEnd();
}

/** The lines of a text of several lines: a header (`|`) and what stands below, indented by `indent`. */
export function printBlockText(value: string, indent: number, old: Scalar.Type | undefined): string[] {
  const scalar = new Scalar(value);
  scalar.type = old === "BLOCK_FOLDED" ? "BLOCK_FOLDED" : "BLOCK_LITERAL";
  const [header = "", ...lines] = new Document({ k: scalar }).toString({ lineWidth: 120, indent: 2 }).split("\n");
  if (!/^k: [|>]/.test(header)) return [JSON.stringify(value)];
  if (lines.at(-1) === "") lines.pop();
  return [header.slice(3), ...lines.map((line) => (line === "" ? "" : " ".repeat(indent) + line.slice(2)))];
}

/**
 * The lines of a value behind `key:` or `- `. The first goes on the line of the key (empty: the value begins on the next), the
 * others are already indented; `indent` is where a block below begins.
 */
export function printBlock(value: unknown, indent: number): string[] {
  if (typeof value === "string" && value.includes("\n")) return printBlockText(value, indent, undefined);
  const fits = !holdsSteps(value) && !holdsLines(value);
  if (fits) {
    const flow = isMap(value) || Array.isArray(value) ? printFlow(value) : printScalarLike(value, undefined, false);
    if (flow.length + indent <= WIDTH || !(isMap(value) || Array.isArray(value))) return [flow];
  }
  if (Array.isArray(value)) return ["", ...value.flatMap((item) => printItem(item, indent))];
  if (isMap(value)) return ["", ...printPairs(value, indent)];
  return [printFlow(value)];
}

/** The lines of a list's item, its dash at `indent`. */
export function printItem(value: unknown, indent: number): string[] {
  const pad = " ".repeat(indent);
  if (isMap(value) && Object.keys(value).length > 0) {
    const lines = printPairs(value, indent + 2);
    lines[0] = `${pad}- ${(lines[0] ?? "").slice(indent + 2)}`;
    return lines;
  }
  const [first = "", ...rest] = printBlock(value, indent + 2);
  if (first === "" && rest.length > 0) return [`${pad}- ${(rest[0] ?? "").slice(indent + 2)}`, ...rest.slice(1)];
  return [`${pad}- ${first}`, ...rest];
}

/** The lines of a map's entries, their keys at `indent`. */
export function printPairs(value: Record<string, unknown>, indent: number): string[] {
  return Object.entries(value).flatMap(([key, item]) => printPair(key, item, indent));
}

export function printPair(key: string, value: unknown, indent: number): string[] {
  const pad = " ".repeat(indent);
  if (value === null) return [`${pad}${printFlow(key)}: null`];
  const [first = "", ...rest] = printBlock(value, indent + 2);
  return [`${pad}${printFlow(key)}:${first === "" ? "" : ` ${first}`}`, ...rest];
}

const STEP_LISTS = new Set(["then", "else", "steps", "try", "catch", "finally", "parallel", "choose", "repeat", "split"]);

/** Steps, and what holds steps, are always written as blocks. */
function holdsSteps(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((item) => isMap(item) && isStepLike(item));
  if (!isMap(value)) return false;
  return Object.entries(value).some(([key, item]) => STEP_LISTS.has(key) || holdsSteps(item));
}

function isStepLike(value: Record<string, unknown>): boolean {
  return "do" in value || "id" in value || "delay" in value || "wait_for" in value || "set" in value || "stop" in value || "then" in value || "steps" in value;
}

function holdsLines(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\n");
  if (Array.isArray(value)) return value.some(holdsLines);
  return isMap(value) && Object.values(value).some(holdsLines);
}
