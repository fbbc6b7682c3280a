// A contact as a form: what is typed, what of it changed, and what becomes of it when somebody else changed the contact
// meanwhile. Pure.

import type { Contact } from "../../../client/schema";

export interface Field {
  name: string;
  value: string;
}

/** Everything as text, as it stands in the form's fields. */
export interface ContactForm {
  name: string;
  first_name: string;
  last_name: string;
  phones: string[];
  emails: string[];
  /** By name: a new name makes a new company. */
  company: string;
  language: string;
  timezone: string;
  score: string;
  fields: Field[];
}

export type FormPart = keyof ContactForm;

export function formOf(contact: Contact, company: string): ContactForm {
  return {
    name: contact.name ?? "",
    first_name: contact.first_name ?? "",
    last_name: contact.last_name ?? "",
    phones: contact.phones,
    emails: contact.emails,
    company,
    language: contact.language ?? "",
    timezone: contact.timezone ?? "",
    score: String(contact.score),
    fields: Object.entries(contact.fields).map(([name, value]) => ({ name, value: typeof value === "string" ? value : JSON.stringify(value) })),
  };
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

const filled = (lines: readonly string[]): string[] => lines.map((line) => line.trim()).filter((line) => line !== "");

/** What goes to the server: only what changed, so that nothing else is touched. The company goes by its id. */
export interface ContactPatch {
  name?: string | null;
  first_name?: string | null;
  last_name?: string | null;
  phones?: string[];
  emails?: string[];
  company_id?: string | null;
  language?: string | null;
  timezone?: string | null;
  score?: number;
  fields?: Record<string, unknown>;
}

const TEXTS = ["name", "first_name", "last_name", "language", "timezone"] as const;

export function changeOf(base: ContactForm, mine: ContactForm, contact: Contact, company: string | null): ContactPatch {
  const change: ContactPatch = {};
  for (const part of TEXTS) {
    if (mine[part].trim() !== base[part].trim()) {
      change[part] = mine[part].trim() === "" ? null : mine[part].trim();
    }
  }
  for (const part of ["phones", "emails"] as const) {
    if (!same(filled(mine[part]), base[part])) {
      change[part] = filled(mine[part]);
    }
  }
  if (mine.company.trim() !== base.company.trim()) {
    change.company_id = company;
  }
  if (mine.score.trim() !== base.score.trim()) {
    change.score = Math.trunc(Number(mine.score)) || 0;
  }
  const fields = fieldsChange(base.fields, mine.fields, contact.fields);
  return Object.keys(fields).length === 0 ? change : { ...change, fields };
}

/** Fields by name: the new values, and `null` for those that went. */
function fieldsChange(base: readonly Field[], mine: readonly Field[], known: Record<string, unknown>): Record<string, unknown> {
  const before = new Map(base.map(({ name, value }) => [name, value]));
  const after = new Map(mine.filter(({ name }) => name.trim() !== "").map(({ name, value }) => [name.trim(), value]));
  const changed = [...after].filter(([name, value]) => before.get(name) !== value).map(([name, value]) => [name, valueOf(value, known[name])] as const);
  const gone = [...before.keys()].filter((name) => !after.has(name)).map((name) => [name, null] as const);
  return Object.fromEntries([...changed, ...gone]);
}

/** A number or the like stays one as long as it reads as one; a text stays a text even if it looks like a number. */
function valueOf(typed: string, before: unknown): unknown {
  if (before === undefined || before === null || typeof before === "string") {
    return typed;
  }
  try {
    return JSON.parse(typed);
  } catch {
    return typed;
  }
}

export interface Rebased {
  form: ContactForm;
  /** Changed by both, and not to the same: what is typed stays, and theirs is shown. */
  conflicts: FormPart[];
}

/** Puts what is typed upon what somebody else saved meanwhile. */
export function rebase(base: ContactForm, mine: ContactForm, theirs: ContactForm): Rebased {
  const parts = (Object.keys(base) as FormPart[]).filter((part) => part !== "fields");
  const touched = parts.filter((part) => !same(mine[part], base[part]));
  const conflicts = touched.filter((part) => !same(theirs[part], base[part]) && !same(theirs[part], mine[part]));
  const fields = rebaseFields(base.fields, mine.fields, theirs.fields);
  const form = { ...theirs, ...Object.fromEntries(touched.map((part) => [part, mine[part]])), fields: fields.fields };
  return { form, conflicts: fields.conflict ? [...conflicts, "fields"] : conflicts };
}

/** Fields name by name: two people may change two of them. */
function rebaseFields(base: readonly Field[], mine: readonly Field[], theirs: readonly Field[]): { fields: Field[]; conflict: boolean } {
  const [before, ours, other] = [base, mine, theirs].map((fields) => new Map(fields.map(({ name, value }) => [name, value]))) as [Map<string, string>, Map<string, string>, Map<string, string>];
  const names = [...new Set([...other.keys(), ...ours.keys()])];
  const touched = (name: string) => ours.get(name) !== before.get(name);
  const fields = names.flatMap((name) => {
    const value = touched(name) ? ours.get(name) : other.get(name);
    return value === undefined ? [] : [{ name, value }];
  });
  const conflict = names.some((name) => touched(name) && other.get(name) !== before.get(name) && other.get(name) !== ours.get(name));
  return { fields, conflict };
}
