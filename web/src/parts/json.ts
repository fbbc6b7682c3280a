/** Reads a text as JSON; an empty one is no value and no mistake. */
export function readJson(text: string): { valid: true; value: unknown } | { valid: false } {
  if (text.trim() === "") {
    return { valid: true, value: undefined };
  }
  try {
    return { valid: true, value: JSON.parse(text) };
  } catch {
    return { valid: false };
  }
}

/** A value when it is an object, as bodies want it. */
export function objectOf(value: unknown): Record<string, never> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, never>) : undefined;
}
