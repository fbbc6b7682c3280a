// Names of workflows, and the file that a new one begins as. Pure.

/** A name as it stands in a file: small letters, digits, and hyphens between them. */
export function nameOf(typed: string): string {
  return typed
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

/** The name itself, or with the first number that makes it free. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) {
    return name;
  }
  for (let number = 2; ; number += 1) {
    const candidate = `${name}-${number}`;
    if (!taken.has(candidate)) {
      return candidate;
    }
  }
}

/** A file under another name; only its `name` line changes. */
export function renamed(source: string, name: string): string {
  const yaml = source.replace(/^name:[^\S\n]*[^\s#]+/m, `name: ${name}`);
  return yaml === source ? source.replace(/^\/\/! name:.*$/m, `//! name: ${name}`) : yaml;
}

/** What a workflow begins as. */
export function beginning(name: string): string {
  return `name: ${name}\non:\n  - event: message.received\nkey: "{{ event.data.contact_id }}"\nsteps: []\n`;
}
