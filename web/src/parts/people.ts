// What somebody is called. Pure.

import type { Contact } from "../client/schema";

/** The name, else an address, else what a caller says for nobody. */
export function calledBy(contact: Pick<Contact, "name" | "phone" | "email">, nobody: string): string {
  return [contact.name, contact.phone, contact.email].find((text) => text !== null && text !== "") ?? nobody;
}
