// Reading JSON Schemas for forms: which field a value gets, and which of several forms it has now. Pure.
import { isMap, type Path } from "../document/read";
import language from "../language/workflow.schema.json";
import type { Verb } from "../graph/verbs";

export type Schema = Readonly<Record<string, unknown>>;

const DEFINITIONS = language.$defs as Record<string, Schema>;

/** What a schema refers to, by name: the language's own words have fields of their own. */
export function definitionOf(schema: Schema): string | null {
  return typeof schema.$ref === "string" ? (schema.$ref.split("/").at(-1) ?? null) : null;
}

/** The schema with what it refers to put in. */
export function resolved(schema: unknown): Schema {
  if (!isMap(schema)) return {};
  const name = definitionOf(schema);
  if (name === null) return schema;
  const { $ref: _, ...own } = schema;
  return { ...resolved(DEFINITIONS[name]), ...own };
}

export function variantsOf(schema: Schema): Schema[] {
  const list = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(list)) return [];
  const { oneOf: _one, anyOf: _any, ...outer } = schema;
  return list.map((item) => Object.assign({}, outer, resolved(item)));
}

/** Which of several forms a value has. */
export function variantFor(variants: readonly Schema[], value: unknown): number {
  const exact = variants.findIndex((one) => fits(one, value));
  return exact < 0 ? 0 : exact;
}

function fits(schema: Schema, value: unknown): boolean {
  if (schema.const !== undefined) return schema.const === value;
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  if (typeof schema.pattern === "string" && typeof value === "string") {
    if (!new RegExp(schema.pattern, "u").test(value)) return false;
  }
  if (Array.isArray(schema.required) && isMap(value) && !schema.required.every((key) => String(key) in value)) return false;
  if (isMap(value) && isMap(schema.properties) && schema.additionalProperties === false && !Object.keys(value).every((key) => key in (schema.properties as object))) return false;
  const types = typesOf(schema);
  return types.length === 0 || types.includes(typeOf(value));
}

export function typesOf(schema: Schema): string[] {
  const type = schema.type;
  if (Array.isArray(type)) return type.map(String);
  if (typeof type === "string") return type === "integer" ? ["integer", "number"] : [type];
  if (isMap(schema.properties)) return ["object"];
  return [];
}

export function typeOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "object" ? "object" : typeof value;
}

/** What a form of several is called. */
export function variantName(schema: Schema): string {
  if (typeof schema.title === "string") return schema.title;
  if (Array.isArray(schema.required) && schema.required.length > 0) return String(schema.required[0]);
  if (schema.const !== undefined) return String(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join(" | ");
  return typesOf(schema)[0] ?? "…";
}

/** What a value of a schema begins with. */
export function emptyOf(schema: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const types = typesOf(schema);
  if (types.includes("string")) return "";
  if (types.includes("object") || isMap(schema.properties)) {
    const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
    const properties = isMap(schema.properties) ? schema.properties : {};
    return Object.fromEntries(required.map((key) => [key, emptyOf(firstVariant(resolved(properties[key])))]));
  }
  if (types.includes("array")) return [];
  if (types.includes("number")) return typeof schema.minimum === "number" ? schema.minimum : 1;
  if (types.includes("boolean")) return false;
  return "";
}

function firstVariant(schema: Schema): Schema {
  return variantsOf(schema)[0] ?? schema;
}

export interface Property {
  key: string;
  schema: Schema;
  required: boolean;
}

/** The properties of a schema: those that must be there, then in the order of `order`. */
export function propertiesOf(schema: Schema, order: readonly string[] = []): Property[] {
  const properties = isMap(schema.properties) ? schema.properties : {};
  const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : []);
  const place = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length);
  return Object.entries(properties)
    .map(([key, value]) => ({ key, schema: isMap(value) ? value : {}, required: required.has(key) }))
    .toSorted((one, other) => Number(other.required) - Number(one.required) || place(one.key) - place(other.key));
}

const STEPS = DEFINITIONS.step?.oneOf;
const STEP_SCHEMAS = new Map((Array.isArray(STEPS) ? (STEPS as Schema[]) : []).map((schema) => [String(schema.title), schema]));

/** The schema of a step with this verb. */
export function stepSchema(verb: Verb): Schema {
  return STEP_SCHEMAS.get(verb) ?? {};
}

export function verbsOfLanguage(): string[] {
  return [...STEP_SCHEMAS.keys()];
}

/** The schema of what stands above the steps. */
export const FILE_SCHEMA = language as unknown as Schema;

/** Fields that hold steps: they are drawn, not written into forms. */
export const HOLDS_STEPS = new Set(["steps", "then", "else", "try", "catch", "finally"]);

/** The schema of the value at a path below another schema; `null` when it says nothing about it. */
export function schemaAt(schema: Schema, path: Path, value: unknown): Schema | null {
  let here = resolved(schema);
  let now = value;
  for (const part of path) {
    const variants = variantsOf(here);
    if (variants.length > 0) here = variants[variantFor(variants, now)] ?? here;
    now = typeof now === "object" && now !== null ? (now as Record<string | number, unknown>)[part] : undefined;
    if (typeof part === "number") {
      if (!isMap(here.items)) return null;
      here = resolved(here.items);
    } else {
      const property = isMap(here.properties) ? here.properties[part] : undefined;
      const other = isMap(here.additionalProperties) ? here.additionalProperties : undefined;
      if (!property && !other) return null;
      here = resolved(property ?? other);
    }
  }
  return here;
}
