// Where a file names its steps: `steps.ID` in expressions, rules and scripts, and `since: ID`.
import { isScalar, visit, type Document, type Scalar } from "yaml";
import { keyText } from "./locate";
import { read } from "./read";

/** Keys whose text is an expression or code as a whole; elsewhere only what stands in braces is. */
const CODE_KEYS = new Set(["if", "while", "until", "script", "var"]);

/** Gives steps other names wherever the text names them; everything else stays as it is. */
export function renameReferences(source: string, names: ReadonlyMap<string, string>): string {
  if (names.size === 0) return source;
  const reading = read(source);
  if (reading.errors.length > 0) return source;
  const changes: { from: number; to: number; text: string }[] = [];
  eachText(reading.document, (scalar, key) => {
    const [from, to] = scalar.range ?? [0, 0];
    const old = source.slice(from, to);
    const text = renamedIn(old, key, names);
    if (text !== old) changes.push({ from, to, text });
  });
  return changes.toReversed().reduce((text, change) => text.slice(0, change.from) + change.text + text.slice(change.to), source);
}

/** The ids of steps that a text's expressions name. */
export function namedSteps(source: string): Set<string> {
  const found = new Set<string>();
  eachText(read(source).document, (scalar, key) => {
    for (const piece of codePieces(String(scalar.value), key)) {
      for (const match of piece.matchAll(/(?<![\w.])steps(?:\.|\[\s*["'])(\w+)/g)) if (match[1]) found.add(match[1]);
    }
  });
  return found;
}

function eachText(document: Document, act: (scalar: Scalar, key: string) => void): void {
  visit(document, {
    Scalar(place, node, path) {
      if (place === "key" || typeof node.value !== "string") return;
      const pair = path.findLast((above) => typeof above === "object" && above !== null && "key" in above);
      const key = pair && "key" in pair && isScalar(pair.key) ? keyText(pair.key) : "";
      act(node, key);
    },
  });
}

function renamedIn(text: string, key: string, names: ReadonlyMap<string, string>): string {
  if (key === "since") {
    const bare = text.replaceAll(/^["']|["']$/g, "");
    const name = names.get(bare);
    return name === undefined ? text : text.replace(bare, name);
  }
  if (CODE_KEYS.has(key)) return renamedCode(text, names);
  return text.replaceAll(/\{\{[^]*?\}\}|\{%[^]*?%\}/g, (piece) => renamedCode(piece, names));
}

function codePieces(text: string, key: string): string[] {
  return CODE_KEYS.has(key) ? [text] : (text.match(/\{\{[^]*?\}\}|\{%[^]*?%\}/g) ?? []);
}

function renamedCode(code: string, names: ReadonlyMap<string, string>): string {
  return code
    .replaceAll(/(?<![\w.])(steps\.)(\w+)/g, (whole, head: string, id: string) => (names.has(id) ? head + names.get(id) : whole))
    .replaceAll(/(?<![\w.])(steps\[\s*\\?["'])(\w+)/g, (whole, head: string, id: string) => (names.has(id) ? head + names.get(id) : whole));
}
