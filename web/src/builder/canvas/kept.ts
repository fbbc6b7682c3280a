// What is drawn as it was stays the same object, so that nothing is drawn anew for it. Pure.

/** Rows by their id, each the one of the time before where it says the same. */
export function keeper<Row extends { id: string }>(): (rows: readonly Row[]) => Row[] {
  let before = new Map<string, Row>();
  return (rows) => {
    const kept = rows.map((row) => {
      const old = before.get(row.id);
      return old !== undefined && equal(old, row) ? old : row;
    });
    before = new Map(kept.map((row) => [row.id, row]));
    return kept;
  };
}

/** Equal in every part of plain values. */
function equal(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => equal((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]));
}
