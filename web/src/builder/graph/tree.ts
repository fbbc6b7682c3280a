// The steps of a workflow as a tree: what the graph draws, the list on phones shows, and edits point at.
// It reads whatever the file says, also what is not right yet: a mistake is shown on its step and hides none.
import { isMap, pointerOf, type Path } from "../document/read";
import { verbOf, type Verb } from "./verbs";

/** What a branch is called by; the words are made from it where it is shown. */
export type BranchLabel =
  | { kind: "then" | "else" | "body" | "try" | "finally" }
  | { kind: "choice"; number: number; condition: string }
  | { kind: "variant"; name: string; weight: number }
  | { kind: "parallel"; name: string }
  | { kind: "catch"; codes: readonly string[] };

export interface Branch {
  /** As histories name it: `then`, `1`, a variant's name, `catch:1`. */
  name: string;
  label: BranchLabel;
  /** Where its steps are listed, or would be. */
  list: Path;
  /** The file has the list. */
  exists: boolean;
  steps: Step[];
}

export interface Step {
  path: Path;
  pointer: string;
  /** Its id; without one `ANCESTOR/VERB:NODE:N`, as in histories and counters. */
  key: string;
  id: string | null;
  name: string | null;
  verb: Verb | null;
  /** The node of a `do`. */
  node: string;
  value: Readonly<Record<string, unknown>>;
  branches: Branch[];
  /** Nothing after it is reached. */
  ends: boolean;
}

export interface Tree {
  name: string;
  triggers: readonly unknown[];
  steps: Step[];
  /** Every step, in file order. */
  all: readonly Step[];
  byPointer: ReadonlyMap<string, Step>;
  byKey: ReadonlyMap<string, Step>;
}

/** The tree of a workflow's plain value. */
export function treeOf(value: unknown): Tree {
  const file = isMap(value) ? value : {};
  const all: Step[] = [];
  const ordinals = new Map<string, number>();
  const steps = block(file.steps, ["steps"], null, all, ordinals);
  return {
    name: typeof file.name === "string" ? file.name : "",
    triggers: Array.isArray(file.on) ? file.on : [],
    steps,
    all,
    byPointer: new Map(all.map((step) => [step.pointer, step])),
    byKey: new Map(all.map((step) => [step.key, step])),
  };
}

function block(value: unknown, list: Path, above: string | null, all: Step[], ordinals: Map<string, number>): Step[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, index) => {
    const map = isMap(item) ? item : {};
    const path = [...list, index];
    const verb = verbOf(map);
    const node = verb === "do" && typeof map.do === "string" ? map.do : "";
    const id = typeof map.id === "string" && map.id !== "" ? map.id : null;
    const step: Step = {
      path,
      pointer: pointerOf(path),
      key: id ?? derivedKey(above, verb ?? "?", node, ordinals),
      id,
      name: typeof map.name === "string" && map.name !== "" ? map.name : null,
      verb,
      node,
      value: map,
      branches: [],
      ends: false,
    };
    all.push(step);
    step.branches = branchesOf(map, verb, path).map((branch) => Object.assign(branch, { steps: block(branch.steps, branch.list, id ?? above, all, ordinals) }));
    step.ends = ends(step);
    return step;
  });
}

function derivedKey(above: string | null, verb: string, node: string, ordinals: Map<string, number>): string {
  const likeness = `${above === null ? "" : `${above}/`}${verb}${node === "" ? "" : `:${node}`}`;
  const ordinal = (ordinals.get(likeness) ?? 0) + 1;
  ordinals.set(likeness, ordinal);
  return `${likeness}:${ordinal}`;
}

type OpenBranch = Omit<Branch, "steps"> & { steps: unknown };

function open(name: string, label: BranchLabel, list: Path, steps: unknown): OpenBranch {
  return { name, label, list, exists: Array.isArray(steps), steps };
}

function branchesOf(step: Record<string, unknown>, verb: Verb | null, path: Path): OpenBranch[] {
  switch (verb) {
    case "if":
      return [open("then", { kind: "then" }, [...path, "then"], step.then), open("else", { kind: "else" }, [...path, "else"], step.else)];
    case "choose":
      return choices(step.choose, [...path, "choose"]);
    case "split":
      return variants(step.split, [...path, "split", "variants"]);
    case "parallel":
      return Object.entries(isMap(step.parallel) ? step.parallel : {}).map(([name, steps]) =>
        open(name, { kind: "parallel", name }, [...path, "parallel", name], steps),
      );
    case "for_each":
      return [open("body", { kind: "body" }, [...path, "steps"], step.steps)];
    case "repeat":
      return [open("body", { kind: "body" }, [...path, "repeat", "steps"], isMap(step.repeat) ? step.repeat.steps : null)];
    case "try":
      return attempts(step, path);
    default:
      return [];
  }
}

function choices(value: unknown, path: Path): OpenBranch[] {
  const clauses: unknown[] = Array.isArray(value) ? value : [];
  const found = clauses.map((clause, index) => {
    const map = isMap(clause) ? clause : {};
    if ("else" in map) return open("else", { kind: "else" }, [...path, index, "else"], map.else);
    return open(String(index + 1), { kind: "choice", number: index + 1, condition: conditionText(map.if) }, [...path, index, "steps"], map.steps);
  });
  if (!found.some((branch) => branch.name === "else")) found.push(open("else", { kind: "else" }, [...path, clauses.length, "else"], null));
  return found;
}

function variants(value: unknown, path: Path): OpenBranch[] {
  const map = isMap(value) && isMap(value.variants) ? value.variants : {};
  return Object.entries(map).map(([name, variant]) => {
    const weight = isMap(variant) ? variant.weight : variant;
    return open(name, { kind: "variant", name, weight: typeof weight === "number" ? weight : 0 }, [...path, name, "steps"], isMap(variant) ? variant.steps : null);
  });
}

function attempts(step: Record<string, unknown>, path: Path): OpenBranch[] {
  const clauses: unknown[] = Array.isArray(step.catch) ? step.catch : [];
  const found = [open("try", { kind: "try" }, [...path, "try"], step.try)];
  clauses.forEach((clause, index) => {
    const map = isMap(clause) ? clause : {};
    const codes = Array.isArray(map.on) ? map.on.map(String) : [];
    found.push(open(`catch:${index + 1}`, { kind: "catch", codes }, [...path, "catch", index, "steps"], map.steps));
  });
  if ("finally" in step) found.push(open("finally", { kind: "finally" }, [...path, "finally"], step.finally));
  return found;
}

/** A condition as one line: the expression, or the rule as JSON. */
export function conditionText(condition: unknown): string {
  if (typeof condition === "string") return condition.trim();
  return condition === undefined || condition === null ? "" : JSON.stringify(condition);
}

function ends(step: Step): boolean {
  if (step.verb === "stop") return !("if" in step.value);
  if (step.verb !== "if" && step.verb !== "choose") return false;
  return step.branches.length > 0 && step.branches.every((branch) => branch.steps.some((inner) => inner.ends));
}

/** The steps around one, outermost first, each with the branch that the inner one is in. */
export function enclosing(tree: Tree, path: Path): { step: Step; branch: Branch }[] {
  const found: { step: Step; branch: Branch }[] = [];
  let steps = tree.steps;
  for (;;) {
    const around = steps.find((step) => step.path.length < path.length && step.path.every((part, index) => part === path[index]));
    const branch = around?.branches.find((inner) => inner.list.every((part, index) => part === path[index]));
    if (!around || !branch) return found;
    found.push({ step: around, branch });
    steps = branch.steps;
  }
}

/** The list that an item's path stands in, and its place there. */
export function placeOf(path: Path): { list: Path; index: number } {
  return { list: path.slice(0, -1), index: Number(path.at(-1)) };
}
