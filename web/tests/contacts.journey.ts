// A contact is changed by hand, by two people at once too; and conversations get somebody who cares for them.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { axe, signIn, stage } from "./harness";

const PHONE = "919812345670";
const { server, openPage } = stage({
  prepare: async (started) => {
    await started.customerWrites(PHONE, "Meera Nair", "hello");
    await started.customerWrites("919812345671", "Jonas Weber", "hello");
  },
});

interface Contact {
  id: string;
  name: string;
  first_name: string;
  phones: string[];
  emails: string[];
  tags: string[];
  language: string | null;
  timezone: string | null;
  company_id: string | null;
  fields: Record<string, unknown>;
}

async function contactOf(q: string): Promise<Contact> {
  const { items } = await server.api<{ items: Contact[] }>(`/contacts?q=${encodeURIComponent(q)}`);
  if (items[0] === undefined) {
    throw new Error(`nobody is called ${q}`);
  }
  return items[0];
}

/** Opens somebody's page, and the dialog that changes them. */
async function edit(page: Page): Promise<ReturnType<Page["getByRole"]>> {
  await page.getByRole("button", { name: "Edit the contact" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit the contact" });
  await dialog.getByLabel("Name", { exact: true }).waitFor();
  return dialog;
}

it("everything that the server knows of a contact can be changed; a mistake is shown where it was made", async () => {
  const { page, complaints } = await openPage();
  const { id } = await contactOf("Meera");
  await signIn(page, server, `/contacts/${id}`);
  const dialog = await edit(page);
  expect(await axe(page)).toEqual([]);
  await dialog.getByLabel("Name", { exact: true }).fill("Meera K. Nair");
  await dialog.getByLabel("Last name").fill("Nair");
  await dialog.getByRole("button", { name: "Add a phone" }).click();
  await dialog.getByLabel("Phone 2", { exact: true }).fill("12");
  await dialog.getByLabel("E-mail 1", { exact: true }).fill("Meera@Example.com");
  await dialog.getByLabel("Company").fill("Nair & Daughters");
  await dialog.getByLabel("Language").fill("ml");
  await dialog.getByLabel("Time zone").fill("Asia/Kolkata");
  await dialog.getByRole("button", { name: "Add a field" }).click();
  await dialog.getByLabel("Name of field 1").fill("plan");
  await dialog.getByLabel("Value of plan").fill("pro");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("`12` is no phone number").waitFor();
  expect((await contactOf("Meera")).name).toBe("Meera Nair");

  await dialog.getByLabel("Phone 2", { exact: true }).fill("+33 1 23 45 67 89");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("heading", { level: 1, name: "Meera K. Nair" }).waitFor();
  const details = page.getByRole("region", { name: "Details" });
  await details.getByText("+33123456789").waitFor();
  await details.getByText("Nair & Daughters").waitFor();
  const changed = await contactOf("Meera");
  expect(changed).toMatchObject({ phones: [`+${PHONE}`, "+33123456789"], emails: ["meera@example.com"], language: "ml", timezone: "Asia/Kolkata", fields: { plan: "pro" } });

  // And taken back: the field goes, the company goes.
  const again = await edit(page);
  await again.getByRole("button", { name: "Remove plan" }).click();
  await again.getByLabel("Company").fill("");
  await again.getByRole("button", { name: "Save" }).click();
  await again.waitFor({ state: "detached" });
  expect(await contactOf("Meera")).toMatchObject({ fields: {}, company_id: null });
  expect(complaints).toEqual([]);
});

it("two people who change one contact both keep what they wrote; the same field asks", async () => {
  const { page } = await openPage();
  const { id } = await contactOf("Jonas");
  await signIn(page, server, `/contacts/${id}`);
  const dialog = await edit(page);
  await server.api(`/contacts/${id}`, { language: "de" }, "PATCH");
  await dialog.getByLabel("First name").fill("Jonas Emil");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await contactOf("Jonas")).toMatchObject({ first_name: "Jonas Emil", language: "de" });

  const second = await edit(page);
  await server.api(`/contacts/${id}`, { name: "J. Weber", timezone: "Europe/Berlin" }, "PATCH");
  await second.getByLabel("Name", { exact: true }).fill("Jonas E. Weber");
  await second.getByLabel("Language").fill("de-AT");
  await second.getByRole("button", { name: "Save" }).click();
  await second.getByRole("alert").getByText("J. Weber").waitFor();
  expect(await axe(page)).toEqual([]);
  await second.getByRole("button", { name: "Name: take theirs" }).click();
  await second.getByRole("button", { name: "Save" }).click();
  await second.waitFor({ state: "detached" });
  expect(await contactOf("Weber")).toMatchObject({ name: "J. Weber", language: "de-AT", timezone: "Europe/Berlin" });
});

it("tags that two people add are both there", async () => {
  const { page } = await openPage();
  const { id } = await contactOf("Meera");
  await signIn(page, server, `/contacts/${id}`);
  const tags = page.getByLabel("Tags", { exact: true });
  await tags.waitFor();
  // The page has not heard of it yet when the second tag is added.
  let first = true;
  await page.route("**/api/v1/contacts/*", async (route) => {
    if (first && route.request().method() === "PATCH") {
      first = false;
      await server.api(`/contacts/${id}`, { tags: ["theirs"] }, "PATCH");
    }
    await route.continue();
  });
  await tags.fill("ours");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await contactOf("Meera")).tags).toEqual(["ours", "theirs"]);
});

it("the list is filtered by words, tag and company, and the address says so", async () => {
  const company = await server.api<{ id: string }>("/companies", { name: "Weber GmbH" });
  await server.api(`/contacts/${(await contactOf("Weber")).id}`, { company_id: company.id, tags: ["lead"] }, "PATCH");
  const { page } = await openPage();
  await signIn(page, server, "/contacts");
  const rows = page.locator("tbody tr");
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByRole("searchbox", { name: "Tag" }).fill("lead");
  await expect.poll(() => rows.count()).toBe(1);
  await page.getByRole("searchbox", { name: "Tag" }).fill("");
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByRole("combobox", { name: "Company" }).selectOption("Weber GmbH");
  await expect.poll(() => rows.count()).toBe(1);
  expect(new URL(page.url()).searchParams.get("company")).toBe(company.id);
  await page.getByRole("searchbox", { name: "Name, phone or e-mail" }).fill("nobody at all");
  await page.getByText("Nobody fits these filters").waitFor();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await expect.poll(() => rows.count()).toBe(2);
});

it("a conversation is given to a user, found by them, and closed", async () => {
  await server.api("/users", { name: "Kofi", email: "kofi@example.com", password: "correct horse battery", role: "agent" });
  const { page } = await openPage();
  await signIn(page, server, "/conversations");
  await page.getByRole("link", { name: /Weber/ }).click();
  await page.getByRole("combobox", { name: "Assigned to", exact: true }).selectOption("Kofi");
  const assigned = async () => (await server.api<{ items: { assigned_user: string | null }[] }>("/conversations")).items.filter((one) => one.assigned_user !== null).length;
  await expect.poll(assigned).toBe(1);
  await page.getByRole("combobox", { name: "Assigned to anyone" }).selectOption("Kofi");
  const list = page.getByRole("region", { name: "Conversations" });
  await expect.poll(() => list.getByRole("listitem").count()).toBe(1);
  await page.getByRole("button", { name: "Close the conversation" }).click();
  await page.getByText("No conversation here").waitFor();
  await list.getByText("Closed", { exact: true }).click();
  await list.getByRole("link", { name: /Weber/ }).waitFor();
  expect(await axe(page)).toEqual([]);
});

it("an admin erases a contact, after a question", async () => {
  const { page } = await openPage();
  const { id } = await contactOf("Meera");
  await signIn(page, server, `/contacts/${id}`);
  await page.getByRole("button", { name: "Erase this contact" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Erase", exact: true }).click();
  await page.waitForURL("**/contacts");
  await page.getByRole("link", { name: /Weber/ }).waitFor();
  expect((await server.api<{ items: Contact[] }>("/contacts?q=Meera")).items).toEqual([]);
});
