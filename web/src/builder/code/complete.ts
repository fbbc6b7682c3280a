// What the code view offers at the caret, and what it tells of the word under the pointer: from the language's schema, the catalogue and the scope.
import { read, valueAt, type Path } from "../document/read";
import { complete as completeExpression } from "../expression/complete";
import { FILE_SCHEMA, propertiesOf, resolved, schemaAt, stepSchema, variantsOf, type Schema } from "../form/schema";
import { VERBS, type Verb } from "../graph/verbs";
import { treeOf } from "../graph/tree";
import { scopeAt, type NodeFacts, type Samples } from "../scope/scope";
import { contextAt } from "./context";

export interface CodeNode extends NodeFacts {
  title: string;
  description: string;
  input: unknown;
}

export interface Surroundings {
  nodes: ReadonlyMap<string, CodeNode>;
  eventTypes: readonly string[];
  samples: Samples;
  /** The last text that could be read. */
  shown: string;
}

export interface Offer {
  label: string;
  detail: string;
  about: string;
  /** What is put in, where that is more than the label. */
  apply: string;
}

export interface Offers {
  from: number;
  options: Offer[];
}

const BARE = new Set(["if", "while", "until"]);
const EVENTS = new Set(["event", "emit"]);

/** What may be written at a place; `null` when nothing is known. */
export function offersAt(text: string, offset: number, around: Surroundings): Offers | null {
  const context = contextAt(text, offset);
  const last = context.path.at(-1);
  if (context.writes === "value") {
    const expression = expressionOffers(text, offset, context.word, BARE.has(String(last)), around);
    if (expression) return expression;
  }
  const from = offset - context.word.length;
  const options = context.writes === "key" ? keyOffers(context.path, context.siblings, text.slice(0, offset), around) : valueOffers(context.path, text.slice(0, offset), around);
  return options.length === 0 ? null : { from, options };
}

function expressionOffers(text: string, offset: number, word: string, bare: boolean, around: Surroundings): Offers | null {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
  const inBraces = /\{\{[^}]*$|\{%[^%]*$/.test(line);
  if (!inBraces && !(bare && word !== "")) return null;
  const file = read(around.shown).value;
  const tree = treeOf(file);
  const here = stepNear(text, offset, around.shown);
  const variables = scopeAt(file, tree, here, around.nodes, around.samples);
  const piece = inBraces ? line : word;
  const found = completeExpression(piece, piece.length, variables, !inBraces);
  if (!found) return null;
  return { from: offset - (piece.length - found.from), options: found.options.map((one) => ({ label: one.text, detail: one.detail, about: "", apply: one.text })) };
}

/** The path of the step whose lines hold a place, as the last text that could be read has it. */
export function stepNear(text: string, offset: number, shown: string): Path {
  const line = text.slice(0, offset).split("\n").length;
  const { document, value } = read(shown);
  let best: Path = [];
  for (const step of treeOf(value).all) {
    const node = document.getIn(step.path, true) as { range?: [number, number, number] | null } | undefined;
    const start = node?.range?.[0];
    if (start !== undefined && shown.slice(0, start).split("\n").length <= line) best = step.path;
  }
  return best;
}

function keyOffers(path: Path, siblings: readonly string[], text: string, around: Surroundings): Offer[] {
  const schemas = schemasAt(path, text, around);
  const seen = new Set(siblings);
  const found = new Map<string, Offer>();
  for (const schema of schemas) {
    for (const { key, schema: property } of propertiesOf(schema)) {
      if (seen.has(key) || found.has(key)) continue;
      const about = describe(property);
      found.set(key, { label: key, detail: (VERBS as readonly string[]).includes(key) && isStepPath(path) ? "verb" : "", about, apply: `${key}: ` });
    }
  }
  return [...found.values()];
}

function valueOffers(path: Path, text: string, around: Surroundings): Offer[] {
  const last = String(path.at(-1) ?? "");
  if (last === "do") return [...around.nodes.values()].map((node) => ({ label: node.id, detail: node.title, about: node.description, apply: node.id }));
  if (EVENTS.has(last)) return around.eventTypes.map((type) => ({ label: type, detail: "", about: "", apply: type }));
  return schemasAt(path, text, around)
    .flatMap((schema) => variantsOf(schema).concat(schema))
    .flatMap((schema) => (Array.isArray(schema.enum) ? schema.enum : schema.const === undefined ? [] : [schema.const]))
    .map((value) => ({ label: String(value), detail: "", about: "", apply: String(value) }));
}

function isStepPath(path: Path): boolean {
  return path.at(-1) === 0 && ["steps", "then", "else", "try", "finally"].includes(String(path.at(-2))) || (path.length > 3 && path.at(-1) === 0 && path.at(-3) === "parallel");
}

/** The schemas that may hold at a path; in a step, those of its verb when it has one. */
function schemasAt(path: Path, text: string, around: Surroundings): Schema[] {
  const stepAt = path.findLastIndex((_, index) => isStepPath(path.slice(0, index + 1)));
  if (stepAt < 0) return outer(schemaAt(FILE_SCHEMA, path, null));
  const inside = path.slice(stepAt + 1);
  const verb = inside.map(String).find((key) => (VERBS as readonly string[]).includes(key)) as Verb | undefined;
  if (inside[0] === "with" || (inside[0] === "compensate" && inside[1] === "with")) {
    const node = around.nodes.get(nodeAbove(text, around));
    const below = schemaAt((node?.input ?? {}) as Schema, inside.slice(inside.indexOf("with") + 1), null);
    return outer(below);
  }
  if (inside.length === 0) return VERBS.map(stepSchema);
  const schemas = verb ? [stepSchema(verb)] : VERBS.map(stepSchema);
  return schemas.flatMap((schema) => outer(schemaAt(schema, inside, null)));
}

function outer(schema: Schema | null): Schema[] {
  if (!schema) return [];
  const variants = variantsOf(schema);
  return variants.length > 0 ? variants.flatMap(outer) : [schema];
}

/** The node of the step that the caret is in: the nearest `do:` above it with no more indentation than `with`. */
function nodeAbove(text: string, around: Surroundings): string {
  const lines = text.split("\n");
  const near = lines.findLast((line) => /(^|\s|-)do:\s*\S/.test(line) && around.nodes.has(nodeOf(line)));
  return near ? nodeOf(near) : "";
}

function nodeOf(line: string): string {
  return line.match(/(?:^|\s|-)do:\s*["']?([\w.]+)/)?.[1] ?? "";
}

function describe(schema: Schema): string {
  const full = resolved(schema);
  return typeof full.description === "string" ? full.description : "";
}

/** What is told of the word at a place: a key's meaning, a node's, a step's. */
export function aboutAt(text: string, offset: number, around: Surroundings): { title: string; about: string; from: number; to: number } | null {
  const from = offset - (text.slice(0, offset).match(/[\w.]*$/)?.[0].length ?? 0);
  const to = offset + (text.slice(offset).match(/^[\w.]*/)?.[0].length ?? 0);
  const word = text.slice(from, to);
  if (word === "") return null;
  const node = around.nodes.get(word);
  if (node) return { title: node.title, about: node.description, from, to };
  const step = word.match(/^steps\.(\w+)/)?.[1];
  if (step !== undefined) {
    const found = treeOf(read(around.shown).value).byKey.get(step);
    return found ? { title: word, about: found.name ?? (found.node || (found.verb ?? "")), from, to } : null;
  }
  if (text[to] !== ":") return null;
  const context = contextAt(text, from);
  const options = keyOffers(context.path, [], text.slice(0, offset), around);
  const key = options.find((option) => option.label === word);
  return key && key.about !== "" ? { title: word, about: key.about, from, to } : null;
}

/** The place of a step in the text; `null` when the text cannot be read. */
export function offsetOf(source: string, path: Path): number | null {
  const reading = read(source);
  if (reading.errors.length > 0 || valueAt(reading.value, path) === undefined) return null;
  const node = reading.document.getIn(path, true);
  const range = node ? (node as { range?: [number, number, number] | null }).range : null;
  return range?.[0] ?? null;
}
