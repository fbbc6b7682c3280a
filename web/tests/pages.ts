// Every page of the app with something on it, for what is tried on all of them.

import type { Page } from "playwright-core";
import type { Server } from "./harness";

export interface AppPage {
  name: string;
  path: string;
  /** Waits for what the page is about. */
  ready: (page: Page) => Promise<unknown>;
}

interface Items {
  items: { id: string }[];
}

/** Waits until an answer of the API is as it should be: the engine works beside the requests. */
async function until<Answer>(ask: () => Promise<Answer>, good: (answer: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (good(answer)) {
      return answer;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

function first({ items: [item] }: Items): string {
  if (item === undefined) {
    throw new Error("the list is empty");
  }
  return item.id;
}

/** Gives a demonstration some life: customers, a run that waits, one that failed. */
export async function pagesOf(server: Server): Promise<AppPage[]> {
  const customers = ["Meera Nair", "Jonas Weber", "ليلى حداد", "Amélie Laurent", "Kofi Mensah"];
  for (const [index, name] of customers.entries()) {
    await server.customerWrites(`9198123456${70 + index}`, name, index % 2 === 0 ? "Hello, is the offer still open?" : "Do you deliver on Saturdays?");
  }
  await server.customerWrites("919812345672", "ليلى حداد", "هل يمكنكم الاتصال بي؟");
  for (let number = 0; number < 3; number += 1) {
    // Calls to this machine are refused, so these runs fail.
    await server.api("/workflows/http-call/runs", { input: { url: `http://127.0.0.1:9/${number}` } });
  }
  const [contacts, conversations, waiting, failed] = await Promise.all([
    until(() => server.api<Items>("/contacts?q=Meera"), ({ items }) => items.length === 1),
    until(() => server.api<Items>("/conversations"), ({ items }) => items.length === customers.length),
    until(() => server.api<Items>("/runs?workflow=first-reply&status=waiting"), ({ items }) => items.length >= 4),
    until(() => server.api<Items>("/runs?workflow=http-call&status=failed"), ({ items }) => items.length === 3),
  ]);
  const heading = (page: Page) => page.locator("h1").first().waitFor();
  const row = (page: Page) => page.locator("tbody tr, main li").first().waitFor();
  const pages: AppPage[] = [
    { name: "home", path: "/", ready: (page) => page.locator("figure").first().waitFor() },
    { name: "contacts", path: "/contacts", ready: row },
    { name: "contact", path: `/contacts/${first(contacts)}`, ready: row },
    { name: "conversations", path: "/conversations", ready: row },
    { name: "conversation", path: `/conversations/${first(conversations)}`, ready: (page) => page.locator("main ol li").first().waitFor() },
    { name: "workflows", path: "/workflows", ready: row },
    { name: "builder", path: "/workflows/first-reply", ready: (page) => page.locator("[data-graph] [data-step], [data-builder] li").first().waitFor() },
    { name: "runs", path: "/runs", ready: row },
    { name: "failures", path: "/runs?view=failures", ready: row },
    { name: "run-waiting", path: `/runs/${first(waiting)}`, ready: row },
    { name: "run-failed", path: `/runs/${first(failed)}`, ready: row },
    { name: "gallery", path: "/gallery", ready: row },
    { name: "settings-connections", path: "/settings", ready: row },
    { name: "settings-users", path: "/settings?tab=users", ready: row },
    { name: "settings-tokens", path: "/settings?tab=tokens", ready: row },
    { name: "not-found", path: "/nowhere", ready: (page) => page.locator("#content h1").waitFor() },
  ];
  return pages.map(({ name, path, ready }) => ({
    name,
    path,
    ready: async (page) => {
      await ready(page);
      await page.waitForFunction(() => document.querySelector('[role="status"][aria-label], .mantine-Skeleton-root') === null);
      if (name !== "not-found") {
        await heading(page);
      }
    },
  }));
}

/** Goes to a page and waits for it and its fonts. */
export async function visit(page: Page, server: Server, to: AppPage): Promise<void> {
  await page.goto(server.served.url + to.path);
  await to.ready(page);
  await page.evaluate(async () => {
    await document.fonts.ready;
  });
}
