// Where in the file the caret of the code view stands, also while the text cannot be read: by indentation. Pure.

export interface CodeContext {
  /** Keys from the top to the place; a dash in a list counts as `0`. */
  path: (string | number)[];
  /** A key is being written, or the value of the last one of the path. */
  writes: "key" | "value";
  /** What is written so far. */
  word: string;
  /** Keys that stand in the same map already. */
  siblings: string[];
}

interface Line {
  indent: number;
  dashes: number;
  key: string | null;
  rest: string;
}

/** The context at a place of a text. */
export function contextAt(text: string, offset: number): CodeContext {
  const before = text.slice(0, offset).split("\n");
  const lines = before.map(parsed);
  const here = lines.at(-1) ?? parsed("");
  const tail = before.at(-1) ?? "";
  const flow = flowContext(tail);
  const writesValue = flow ? flow.key !== undefined : here.key !== null;
  let column = here.indent;
  const path: (string | number)[] = [];
  if (flow) path.unshift(...flow.path);
  if (here.key !== null) path.unshift(here.key);
  const inMap = here.indent;
  // A dash on the line itself, and every line above with less indentation, opens what is around.
  if (here.dashes > 0) {
    path.unshift(0);
    column = here.indent - 2 * here.dashes;
  }
  const siblings: string[] = [];
  for (let index = lines.length - 2; index >= 0; index -= 1) {
    const line = lines[index];
    if (!line || (line.key === null && line.dashes === 0)) continue;
    const dash = line.indent - 2 * line.dashes;
    if (line.indent === inMap && here.dashes === 0 && line.key !== null && column === inMap) siblings.push(line.key);
    if (line.dashes > 0 && line.indent === column && dash < column) {
      path.unshift(0);
      column = dash;
      continue;
    }
    const opens = line.key !== null && line.rest === "";
    if (opens && (line.indent < column || (line.indent === column && path[0] === 0 && line.dashes === 0))) {
      path.unshift(line.key ?? "");
      column = line.indent;
      if (line.dashes > 0) {
        path.unshift(0);
        column = dash;
      }
    }
    if (column <= 0 && line.dashes === 0 && line.indent === 0 && opens) break;
  }
  for (const line of after(text, offset)) {
    if (line.key === null && line.dashes === 0) continue;
    if (line.indent < inMap || line.dashes > 0) break;
    if (line.indent === inMap && line.key !== null) siblings.push(line.key);
  }
  const word = (writesValue ? (flow?.value ?? here.rest) : (flow?.word ?? tail.trim().replace(/^(- ?)+/, ""))).trimStart();
  return { path, writes: writesValue ? "value" : "key", word: word.replace(/^["']/, ""), siblings: flow ? flow.siblings : siblings };
}

function after(text: string, offset: number): Line[] {
  return text.slice(offset).split("\n").slice(1, 60).map(parsed);
}

function parsed(line: string): Line {
  const match = line.match(/^(\s*)((?:- +)*)(?:(-)$)?(.*)$/);
  const [, space = "", dashes = "", lone = "", content = ""] = match ?? [];
  const count = (dashes.match(/-/g)?.length ?? 0) + (lone === "" ? 0 : 1);
  const indent = space.length + dashes.length + (lone === "" ? 0 : 2);
  if (content.startsWith("#")) return { indent, dashes: 0, key: null, rest: "" };
  const pair = content.match(/^("[^"]*"|'[^']*'|[^\s:#{[][^:#]*?)\s*:(?:\s+(.*)|)$/);
  const rest = (pair?.[2] ?? "").replace(/\s*(^|\s)#.*$/, "");
  return { indent, dashes: count, key: pair?.[1]?.replaceAll(/^["']|["']$/g, "") ?? null, rest };
}

interface Flow {
  path: (string | number)[];
  key?: string;
  value?: string;
  word?: string;
  siblings: string[];
}

/** Inside braces or brackets of one line. */
function flowContext(line: string): Flow | null {
  const stack: { list: boolean; key: string | null; keys: string[]; from: number }[] = [];
  let quote: string | null = null;
  let word = "";
  for (let index = 0; index < line.length; index += 1) {
    const sign = line[index] ?? "";
    if (quote !== null) {
      if (sign === quote) quote = null;
      word += sign;
    } else if ((sign === '"' || sign === "'") && /[\s:[{,]/.test(line[index - 1] ?? " ")) {
      quote = sign;
      word = sign;
    } else if (sign === "{" || sign === "[") {
      if (stack.length === 0 && !/(?:^|[:\-\s])\s*$/.test(line.slice(0, index))) continue;
      stack.push({ list: sign === "[", key: null, keys: [], from: index });
      word = "";
    } else if (sign === "}" || sign === "]") {
      stack.pop();
      word = "";
    } else if (sign === ":" && stack.length > 0 && /[\s]|$/.test(line[index + 1] ?? "")) {
      const top = stack.at(-1);
      if (top && !top.list) {
        top.key = word.trim().replaceAll(/^["']|["']$/g, "");
        top.keys.push(top.key);
        word = "";
      }
    } else if (sign === "," && stack.length > 0) {
      const top = stack.at(-1);
      if (top) top.key = null;
      word = "";
    } else {
      word += sign;
    }
  }
  if (stack.length === 0) return null;
  const top = stack.at(-1);
  const path = stack.flatMap((level, index): (string | number)[] => (level.list ? [0] : level.key !== null && (index < stack.length - 1 || level === top) ? [level.key] : []));
  if (top && !top.list && top.key !== null) return { path, key: top.key, value: word, siblings: top.keys };
  if (top?.list) return { path, key: "", value: word, siblings: [] };
  return { path, word: word.trim(), siblings: top?.keys ?? [] };
}
