// An edit of a few steps is made on a small file of those steps and their neighbours, and put back into the whole: what it costs does
// not grow with the workflow.
import { chunksOf } from "./chunks";
import type { Path } from "./read";

/** Steps below which a file is edited as a whole. */
const SMALL = 12;
const HEAD = "steps:\n";

export interface Window {
  /** The small file. */
  text: string;
  /** A path of the whole file, in the small one. */
  inside: (path: Path) => Path;
  /** A path of the small file, in the whole one. */
  outside: (path: Path) => Path;
  /** The whole file after the small one became this. */
  restore: (text: string) => string;
}

/** The window around the steps that these paths lie in; `null` where the whole file is what is edited. */
export function windowOf(source: string, paths: readonly Path[]): Window | null {
  const places = paths.map((path) => (path[0] === "steps" && typeof path[1] === "number" ? path[1] : Number.NaN));
  if (places.length === 0 || places.some(Number.isNaN)) return null;
  const chunks = chunksOf(source);
  if (chunks === null || chunks.items.length < SMALL) return null;
  const last = chunks.items.length - 1;
  // With a neighbour on each side: comments and blank lines between two belong to one of them.
  const from = Math.max(0, Math.min(last, ...places) - 1);
  const to = Math.min(last, Math.max(...places) + 1);
  if (to - from > chunks.items.length / 2) return null;
  const start = chunks.items[from]?.start ?? 0;
  const end = to === last ? source.length : (chunks.items[to + 1]?.start ?? source.length);
  const moved = (path: Path, by: number): Path => (path[0] === "steps" && typeof path[1] === "number" ? ["steps", path[1] + by, ...path.slice(2)] : path);
  return {
    text: HEAD + source.slice(start, end),
    inside: (path) => moved(path, -from),
    outside: (path) => moved(path, from),
    restore: (text) => {
      if (!text.startsWith(HEAD)) throw new Error("the list of steps is gone");
      return source.slice(0, start) + text.slice(HEAD.length) + source.slice(end);
    },
  };
}
