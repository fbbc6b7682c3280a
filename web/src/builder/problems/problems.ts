// What is wrong with a file, told of its steps, and how it is mended by one click. Pure.
import { removeValue, renameKey, setValue } from "../document/edit";
import { freeId, idsOf } from "../document/steps";
import { isMap, pathOf, read, valueAt, type Path } from "../document/read";
import type { Tree } from "../graph/tree";
import type { DefinitionProblem } from "../../client/schema";

export type Problem = DefinitionProblem;

/** The pointer of the step that a problem is about; an empty one for what stands above the steps. */
export function stepOf(pointer: string, tree: Tree): string {
  let here = pointer;
  while (here !== "") {
    if (tree.byPointer.has(here)) return here;
    here = here.slice(0, here.lastIndexOf("/"));
  }
  return "";
}

/** How many errors and warnings each step has; hints are not counted. */
export function byStep(problems: readonly Problem[], tree: Tree): Map<string, { errors: number; warnings: number }> {
  const found = new Map<string, { errors: number; warnings: number }>();
  for (const problem of problems) {
    if (problem.severity === "hint") continue;
    const step = stepOf(problem.pointer, tree);
    const before = found.get(step) ?? { errors: 0, warnings: 0 };
    found.set(step, { errors: before.errors + Number(problem.severity === "error"), warnings: before.warnings + Number(problem.severity !== "error") });
  }
  return found;
}

export interface Fix {
  kind: "replace" | "remove" | "rename" | "addStop" | "addTrigger" | "matchContact";
  /** What is put in, for the button's words. */
  text: string;
  apply: (source: string) => string;
}

/** How a problem is mended by one click; `null` when a person must decide. */
export function fixOf(problem: Problem, source: string): Fix | null {
  const path = pathOf(problem.pointer);
  const value = read(source).value;
  switch (problem.code) {
    case "duplicate_id": {
      const old = valueAt(value, path);
      if (typeof old !== "string") return null;
      const id = freeId(idsOf(source), old);
      return { kind: "rename", text: id, apply: (text) => setValue(text, path, id) };
    }
    case "no_trigger":
      return { kind: "addTrigger", text: "manual", apply: (text) => setValue(text, ["on"], [{ manual: null }], FILE_ORDER) };
    case "no_effect":
      return { kind: "remove", text: String(path.at(-1)), apply: (text) => removeValue(text, path) };
    default:
      break;
  }
  if (problem.code === "missing_field" && /\bmatch\b/.test(problem.message) && isMap(valueAt(value, path))) {
    return { kind: "matchContact", text: "match: contact", apply: (text) => setValue(text, [...path, "match"], "contact", ["event", "match", "if"]) };
  }
  if (/`(then|steps|try|else)` has no steps/.test(problem.message)) {
    return { kind: "addStop", text: "stop", apply: (text) => setValue(text, path, [{ stop: null }]) };
  }
  const { suggestion } = problem;
  if (suggestion === null || suggestion === undefined || suggestion === "") return null;
  return replacement(problem, path, value, suggestion);
}

const FILE_ORDER = ["name", "description", "on"] as const;

function replacement(problem: Problem, path: Path, value: unknown, suggestion: string): Fix | null {
  // The wrong name stands in quotes in the message: a key, a whole value, or a word inside a text.
  const wrong = problem.message.match(/"([^"]+)"(?=[^"]*; did you mean|[^"]*$)/)?.[1] ?? problem.message.match(/"([^"]+)"/)?.[1];
  if (wrong === undefined) return null;
  const here = valueAt(value, path);
  if (isMap(here) && wrong in here) return { kind: "replace", text: suggestion, apply: (text) => renamed(text, [...path, wrong], suggestion) };
  if (path.at(-1) === wrong && isMap(valueAt(value, path.slice(0, -1)))) return { kind: "replace", text: suggestion, apply: (text) => renamed(text, path, suggestion) };
  if (here === wrong) return { kind: "replace", text: suggestion, apply: (text) => setValue(text, path, suggestion) };
  if (typeof here === "string" && here.includes(wrong)) return { kind: "replace", text: suggestion, apply: (text) => setValue(text, path, here.replace(wrong, suggestion)) };
  return null;
}

function renamed(source: string, path: Path, name: string): string {
  const parent = path.slice(0, -1);
  const map = valueAt(read(source).value, parent);
  if (!isMap(map) || name in map) return source;
  return renameKey(source, path, name);
}
