// What the palette offers: every verb and every node, found by words, the ones that fit best first. Pure.
import { kindOf, VERBS, type Kind, type Verb } from "../graph/verbs";

export interface Entry {
  /** `verb` or `do:NODE`: also what is dragged. */
  id: string;
  verb: Verb;
  node: string;
  title: string;
  about: string;
  group: string;
  kind: Kind;
  /** The input that a new step begins with. */
  input: Record<string, unknown> | null;
}

interface CatalogueEntry {
  id: string;
  title: string;
  description: string;
  category: string;
  example?: unknown;
  input?: unknown;
}

/** Verbs first in the order of use, then nodes by category. */
export function entriesOf(nodes: readonly CatalogueEntry[], words: { verb: (verb: Verb) => string; about: (verb: Verb) => string; flow: string }): Entry[] {
  const verbs = VERBS.filter((verb) => verb !== "do").map((verb): Entry => ({ id: verb, verb, node: "", title: words.verb(verb), about: words.about(verb), group: words.flow, kind: kindOf(verb, ""), input: null }));
  const actions = nodes.map((node): Entry => ({ id: `do:${node.id}`, verb: "do", node: node.id, title: node.title, about: node.description, group: node.category, kind: kindOf("do", node.id), input: required(node) }));
  const order = ["Messaging", "CRM"];
  const rank = (group: string): number => (order.includes(group) ? order.indexOf(group) : order.length);
  return [...actions.filter((one) => one.group === "Messaging"), ...verbs, ...actions.filter((one) => one.group !== "Messaging").toSorted((one, other) => rank(one.group) - rank(other.group) || one.group.localeCompare(other.group))];
}

/** What a node cannot do without, as in its example. */
function required(node: CatalogueEntry): Record<string, unknown> | null {
  const schema = node.input as { required?: unknown } | null | undefined;
  const keys = Array.isArray(schema?.required) ? schema.required.map(String) : [];
  const example = typeof node.example === "object" && node.example !== null ? (node.example as Record<string, unknown>) : {};
  if (node.id === "message.send") return { text: "Hello {{ contact.first_name | default('there', true) }}" };
  return keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, example[key] ?? ""]));
}

/** The entries that have every word of a search; titles before descriptions. */
export function find(entries: readonly Entry[], words: string): Entry[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...entries];
  const scored = entries.flatMap((entry) => {
    const title = entry.title.toLowerCase();
    const text = `${title} ${entry.id} ${entry.about} ${entry.group}`.toLowerCase();
    if (!wanted.every((word) => text.includes(word))) return [];
    const score = wanted.reduce((sum, word) => sum + (title.startsWith(word) ? 0 : title.includes(word) ? 1 : entry.id.includes(word) ? 2 : 3), 0);
    return [{ entry, score }];
  });
  return scored.toSorted((one, other) => one.score - other.score).map(({ entry }) => entry);
}
