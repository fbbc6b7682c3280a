// A file's steps, one piece of text each, so that a change of one is not a reading of all. Pure. Whatever is not certain is left to
// whoever reads the file as a whole.

export interface Chunks {
  /** From the beginning to the line of `steps:`, that line with it. */
  head: string;
  /** The steps of the file's own list, each with what stands below it until the next; the first with what stands above it. */
  items: readonly Chunk[];
  /** The keys behind the steps. */
  tail: string;
}

export interface Chunk {
  start: number;
  text: string;
}

const STEPS_LINE = /^steps:[ \t]*(?:#.*)?$/;
const NEUTRAL = /^[ ]*(?:#.*)?$/;
const OTHER_DOCUMENT = /^(?:---|\.\.\.|%)/m;

/** The pieces of a file whose steps are a list in block style; `null` when it is not certain what they are. */
export function chunksOf(source: string): Chunks | null {
  if (OTHER_DOCUMENT.test(source) || source.includes("\r")) return null;
  let at = 0;
  let begin = -1;
  let column = -1;
  const starts: number[] = [];
  let end = source.length;
  while (at < source.length) {
    const close = source.indexOf("\n", at);
    const next = close < 0 ? source.length : close + 1;
    const line = source.slice(at, close < 0 ? source.length : close);
    if (begin < 0) {
      if (STEPS_LINE.test(line)) begin = next;
    } else if (!NEUTRAL.test(line)) {
      const indent = line.search(/[^ ]/);
      const dash = line[indent] === "-" && (line.length === indent + 1 || line[indent + 1] === " ");
      if (column < 0) {
        if (!dash) return null;
        column = indent;
      }
      if (indent === column && dash) starts.push(at);
      else if (indent <= column) {
        if (indent > 0) return null;
        end = at;
        break;
      }
    }
    at = next;
  }
  if (starts.length === 0) return null;
  const items = starts.map((start, index) => {
    const from = index === 0 ? begin : start;
    return { start: from, text: source.slice(from, starts[index + 1] ?? end) };
  });
  return { head: source.slice(0, begin), items, tail: source.slice(end) };
}
