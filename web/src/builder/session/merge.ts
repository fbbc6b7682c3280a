// Two people changed one draft: what each changed, put together line by line where they did not touch the same lines.

export interface Merged {
  source: string;
  /** Both changed the same lines: nothing was put together, `source` is ours. */
  conflict: boolean;
}

/** What we made of `base`, with what they made of it. */
export function merge(base: string, ours: string, theirs: string): Merged {
  if (ours === theirs || theirs === base) return { source: ours, conflict: false };
  if (ours === base) return { source: theirs, conflict: false };
  const [lines, our, their] = [base.split("\n"), changes(base, ours), changes(base, theirs)];
  const all = [...our, ...their.filter((change) => !our.some((mine) => equal(mine, change)))].toSorted((one, other) => one.from - other.from || one.to - other.to);
  for (let index = 1; index < all.length; index += 1) {
    const [before, after] = [all[index - 1], all[index]];
    // Changes that touch each other are not put together: their order would be a guess.
    if (before && after && after.from <= before.to) return { source: ours, conflict: true };
  }
  let merged = lines;
  for (const change of all.toReversed()) merged = [...merged.slice(0, change.from), ...change.lines, ...merged.slice(change.to)];
  return { source: merged.join("\n"), conflict: false };
}

interface Change {
  from: number;
  to: number;
  lines: string[];
}

function equal(one: Change, other: Change): boolean {
  return one.from === other.from && one.to === other.to && one.lines.join("\n") === other.lines.join("\n");
}

/** The changed lines, as replacements of lines of `base`. */
export function changes(base: string, next: string): Change[] {
  const found: Change[] = [];
  let at = 0;
  let open: Change | null = null;
  for (const { kind, line } of difference(base.split("\n"), next.split("\n"))) {
    if (kind === "same") {
      open = null;
      at += 1;
      continue;
    }
    if (open === null) {
      open = { from: at, to: at, lines: [] };
      found.push(open);
    }
    if (kind === "removed") {
      at += 1;
      open.to = at;
    } else {
      open.lines.push(line);
    }
  }
  return found;
}

export interface DifferentLine {
  kind: "same" | "added" | "removed";
  line: string;
}

/** The shortest way from one list of lines to another. */
export function difference(before: readonly string[], after: readonly string[]): DifferentLine[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const one = before.slice(head, before.length - tail);
  const other = after.slice(head, after.length - tail);
  return [...before.slice(0, head).map(same), ...middle(one, other), ...before.slice(before.length - tail).map(same)];
}

function same(line: string): DifferentLine {
  return { kind: "same", line };
}

function middle(one: readonly string[], other: readonly string[]): DifferentLine[] {
  const width = other.length + 1;
  const longest = new Uint32Array((one.length + 1) * width);
  for (let row = one.length - 1; row >= 0; row -= 1) {
    for (let column = other.length - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      longest[at] = one[row] === other[column] ? (longest[at + width + 1] ?? 0) + 1 : Math.max(longest[at + width] ?? 0, longest[at + 1] ?? 0);
    }
  }
  const found: DifferentLine[] = [];
  let [row, column] = [0, 0];
  while (row < one.length || column < other.length) {
    const [removed, added] = [one[row], other[column]];
    if (removed !== undefined && removed === added) {
      found.push({ kind: "same", line: removed });
      row += 1;
      column += 1;
    } else if (removed !== undefined && (added === undefined || (longest[(row + 1) * width + column] ?? 0) >= (longest[row * width + column + 1] ?? 0))) {
      found.push({ kind: "removed", line: removed });
      row += 1;
    } else {
      found.push({ kind: "added", line: added ?? "" });
      column += 1;
    }
  }
  return found;
}
