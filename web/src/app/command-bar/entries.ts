// What the command bar offers for what was typed. Pure.

import { folded } from "../../parts/folded";

export interface Entry {
  key: string;
  group: "places" | "contacts" | "workflows" | "conversations";
  label: string;
  detail?: string;
  to: string;
}

/** Those that have every word of what was typed, in their order; the ones that begin with it first. */
export function fitting(entries: readonly Entry[], typed: string): Entry[] {
  const words = folded(typed).split(/\s+/).filter((word) => word !== "");
  const fits = entries.filter((entry) => {
    const text = folded(`${entry.label} ${entry.detail ?? ""}`);
    return words.every((word) => text.includes(word));
  });
  const begins = (entry: Entry) => Number(words.length > 0 && folded(entry.label).startsWith(words.join(" ")));
  return fits.toSorted((one, other) => begins(other) - begins(one));
}

/** The entry that an arrow key goes to, round and round. */
export function moved(chosen: number, by: number, count: number): number {
  return count === 0 ? 0 : (chosen + by + count) % count;
}
