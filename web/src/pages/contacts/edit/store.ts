// Reading and changing a contact so that nobody's change is lost: each change says which state it was made on.

import { client } from "../../../client/http";
import type { Contact } from "../../../client/schema";
import { changeOf, type ContactForm, formOf, type FormPart, rebase } from "./form";

/** A contact as it was read, and what has been typed upon it. */
export interface Edit {
  contact: Contact;
  etag: string | null;
  base: ContactForm;
  form: ContactForm;
  /** What both have changed; theirs is in `base`. */
  conflicts: FormPart[];
}

const CHANGED = 412;
/** Somebody who keeps changing it faster than this is asked to stop by other means. */
const TRIES = 5;

async function read(id: string): Promise<{ contact: Contact; etag: string | null }> {
  const { data, error, response } = await client.GET("/api/v1/contacts/{id}", { params: { path: { id } } });
  if (error !== undefined) {
    throw error as unknown as Error;
  }
  return { contact: data, etag: response.headers.get("etag") };
}

export async function beginEdit(id: string): Promise<Edit> {
  const { contact, etag } = await read(id);
  const base = formOf(contact, await companyName(contact.company_id));
  return { contact, etag, base, form: base, conflicts: [] };
}

async function companyName(id: string | null): Promise<string> {
  if (id === null) {
    return "";
  }
  const { data } = await client.GET("/api/v1/companies/{id}", { params: { path: { id } } });
  return data?.name ?? "";
}

/** The id of the company with this name, which is made when there is none. */
async function companyId(name: string): Promise<string | null> {
  if (name === "") {
    return null;
  }
  const { data, error } = await client.POST("/api/v1/companies", { body: { name } });
  if (error !== undefined) {
    throw error as unknown as Error;
  }
  return data.id;
}

/** Saved; or, when somebody else changed the same meanwhile, the edit upon theirs, to be looked at. */
export async function save(edit: Edit): Promise<{ saved: Contact } | { conflicting: Edit }> {
  let now = edit;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { contact, base, form, etag } = now;
    const moved = form.company.trim() !== base.company.trim();
    const body = changeOf(base, form, contact, moved ? await companyId(form.company.trim()) : null);
    const header = etag === null ? {} : { header: { "If-Match": etag } };
    const { data, error, response } = await client.PATCH("/api/v1/contacts/{id}", { params: { path: { id: contact.id }, ...header }, body });
    if (response.status !== CHANGED) {
      if (error !== undefined) {
        throw error as unknown as Error;
      }
      return { saved: data };
    }
    const theirs = await beginEdit(contact.id);
    now = { ...theirs, ...rebase(base, form, theirs.base) };
    if (now.conflicts.length > 0) {
      break;
    }
  }
  return { conflicting: now };
}

/** Adds tags and takes others away; what others do to the tags meanwhile stays. */
export async function changeTags(id: string, add: readonly string[], remove: readonly string[]): Promise<Contact> {
  for (let tries = 1; ; tries += 1) {
    const { contact, etag } = await read(id);
    const tags = [...new Set([...contact.tags, ...add])].filter((tag) => !remove.includes(tag));
    const header = etag === null ? {} : { header: { "If-Match": etag } };
    const { data, error, response } = await client.PATCH("/api/v1/contacts/{id}", { params: { path: { id }, ...header }, body: { tags } });
    if (error === undefined) {
      return data;
    }
    if (response.status !== CHANGED || tries === TRIES) {
      throw error as unknown as Error;
    }
  }
}
