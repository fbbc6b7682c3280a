// The fields of a JSON Schema's object, as far as a plain form shows them. Pure.

export interface Field {
  name: string;
  title: string;
  description: string | null;
  required: boolean;
  kind: "text" | "number" | "truth";
}

interface Schema {
  properties?: Record<string, { title?: string; description?: string; type?: string | string[] }>;
  required?: string[];
}

export function fieldsOf(schema: unknown): Field[] {
  const { properties = {}, required = [] } = (schema ?? {}) as Schema;
  const fields = Object.entries(properties).map(([name, { title, description, type }]): Field => {
    const types = [type].flat();
    const kind = types.includes("boolean") ? "truth" : types.includes("integer") || types.includes("number") ? "number" : "text";
    return { name, title: title ?? words(name), description: description ?? null, required: required.includes(name), kind };
  });
  // What must be said stands first.
  return fields.toSorted((one, other) => Number(other.required) - Number(one.required));
}

/** `phone_number_id` as a person reads it. */
function words(name: string): string {
  const spaced = name.replaceAll("_", " ");
  return spaced.charAt(0).toLocaleUpperCase() + spaced.slice(1);
}

/** What was typed, as the schema wants it; what was left empty is left out. */
export function valuesOf(fields: readonly Field[], typed: Readonly<Record<string, string>>): Record<string, string | number | boolean> {
  const values: Record<string, string | number | boolean> = {};
  for (const { name, kind } of fields) {
    const text = typed[name]?.trim() ?? "";
    if (text !== "") {
      values[name] = kind === "number" ? Number(text) : kind === "truth" ? text === "true" : text;
    }
  }
  return values;
}
