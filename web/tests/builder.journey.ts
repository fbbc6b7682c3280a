// The builder: an automation drawn from nothing by mouse and again by keyboard, tried, published and run; and what must not go wrong.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { draftOf as draftAt, openWorkflow as openAt } from "./drawing";
import { axe, drag, type OpenedPage, type PageOptions, stage } from "./harness";

const here = stage();
const { server } = here;

async function openWorkflow(name: string, options: PageOptions = {}): Promise<OpenedPage> {
  return await openAt(here, name, options);
}

async function draftOf(name: string): Promise<string> {
  return await draftAt(server, name);
}

/** Waits until the server has this in the draft. What the screen says of saving may still be of the change before. */
async function saves(name: string, text: string): Promise<void> {
  await expect.poll(() => draftOf(name)).toContain(text);
}

/** Publishes what is on the screen. */
async function publish(page: Page): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
  await page.getByText("is published").waitFor();
}

interface Runs {
  items: { id: string; status: string; version: number }[];
}

/** The first run of a workflow, once there is one. */
async function runOf(name: string): Promise<string> {
  let id = "";
  const first = async () => {
    id = (await server.api<Runs>(`/runs?workflow=${name}`)).items[0]?.id ?? "";
    return id;
  };
  await expect.poll(first).not.toBe("");
  return id;
}

it("by mouse: drawn from nothing, simulated, published, and run when the customer writes", async () => {
  const { page, complaints } = await openWorkflow("by-mouse");
  const graph = page.locator("[data-graph]");

  // It starts when a message comes.
  await graph.getByText("Starts when").click();
  await page.getByRole("combobox", { name: "Kind of Number 1" }).click();
  await page.getByRole("option", { name: "Event", exact: true }).click();
  await page.getByRole("textbox", { name: /^Event/ }).fill("message.received");
  await graph.getByText("message.received").waitFor();

  // A step by the button on the line, one by dragging it there, one into a branch.
  const line = (from: string, to: string) => graph.locator(`[data-line="${from}>${to}"]`);
  const put = async (from: string, to: string, what: RegExp): Promise<void> => {
    await line(from, to).click();
    await page.getByRole("option", { name: what }).click();
    await page.getByRole("complementary", { name: "Add a step" }).waitFor({ state: "detached" });
  };
  await put("start", "end", /Send a message/);
  await graph.locator('[data-step="message_send"]').waitFor();
  await page.getByRole("button", { name: "Add a step" }).click();
  await drag(page, page.getByRole("option", { name: /Wait for an event/ }), line("/steps/0", "end"));
  await graph.locator('[data-step="reply"]').waitFor();
  await put("/steps/1", "end", /If … else/);
  await page.getByRole("textbox", { name: /^Condition/ }).fill("steps.reply.timed_out");
  await put("/steps/2", "/steps/2:merge:then", /^Stop/);
  // A card put on another line, and back by one undo.
  await drag(page, graph.locator('[data-step="message_send"]'), line("/steps/1", "/steps/2"));
  const order = async (): Promise<string> => ((await draftOf("by-mouse")).match(/id: \w+/g) ?? []).join();
  await expect.poll(order).toBe("id: reply,id: message_send");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(order).toBe("id: message_send,id: reply");
  await saves("by-mouse", "if: steps.reply.timed_out");
  await page.getByText("No problems").or(page.getByText("Problems and hints")).first().waitFor();

  await page.getByRole("button", { name: "Try it" }).click();
  await page.getByRole("button", { name: "Simulate", exact: true }).last().click();
  await page.locator("[data-result]").getByText("Hello").first().waitFor();
  await page.getByText("Messages that would be sent: 1").waitFor();

  await page.getByRole("button", { name: "Publish" }).click();
  await publish(page);
  await server.customerWrites("919812345611", "Meera", "hello");
  const run = await runOf("by-mouse");
  await graph.locator('[data-step="reply"]').getByTitle("Waiting now: 1").waitFor();

  await page.goto(`${server.served.url}/runs/${run}`);
  const drawn = page.locator("[data-run-graph]");
  await drawn.locator('[data-step="reply"][data-state="waiting"]').waitFor();
  await drawn.locator('[data-step="message_send"][data-state="done"]').click();
  await drawn.getByText("message_id").waitFor();
  // One moment back: the wait has not begun.
  await drawn.getByRole("button", { name: "One moment back" }).click();
  await drawn.locator('[data-step="reply"]:not([data-state])').waitFor();
  expect(complaints).toEqual([]);
});

it("by keyboard: the same, without the mouse", async () => {
  const { page, complaints } = await openWorkflow("by-keyboard");
  const graph = page.locator("[data-graph]");
  await graph.focus();
  const add = async (words: string): Promise<void> => {
    await page.keyboard.press("n");
    await page.getByRole("combobox", { name: "Search" }).fill(words);
    await page.keyboard.press("Enter");
  };
  await add("send a message");
  await graph.locator('[data-step="message_send"]').waitFor();
  await add("wait for an event");
  await graph.locator('[data-step="reply"]').waitFor();
  // Up to the start, and into its form: by hand becomes an event.
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("combobox", { name: "Kind of Number 1" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: "Event", exact: true }).waitFor();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("textbox", { name: /^Event/ }).focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("message.received");
  await page.keyboard.press("Escape");
  await graph.locator("[id=step-start]").getByText("message.received").waitFor();

  // Copied, pasted under a name of its own, moved, taken away; one undo each.
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+C");
  await page.keyboard.press("Control+V");
  await graph.locator('[data-step="message_send_2"]').waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await page.keyboard.press("Delete");
  await graph.locator('[data-step="message_send_2"]').waitFor({ state: "detached" });
  await page.keyboard.press("Control+Z");
  await graph.locator('[data-step="message_send_2"]').waitFor();
  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Control+Z");
  await graph.locator('[data-step="message_send_2"]').waitFor({ state: "detached" });
  await expect.poll(async () => (await draftOf("by-keyboard")).match(/id: \w+/g)).toEqual(["id: message_send", "id: reply"]);

  await page.keyboard.press("Control+Enter");
  const simulate = page.getByRole("button", { name: "Simulate", exact: true }).last();
  await simulate.focus();
  await page.keyboard.press("Enter");
  await page.locator("[data-result]").getByText("Hello").first().waitFor();
  await graph.focus();
  await page.keyboard.press("Shift+P");
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("is published").waitFor();
  await server.customerWrites("919812345612", "Asha", "hello");
  expect(await runOf("by-keyboard")).not.toBe("");
  expect(complaints).toEqual([]);
});

const COMMENTED = `name: shared     # the name stays
on:
  - manual:
steps:
  # a greeting
  - id: first
    do: debug.log
    with: { message: "one" }   # said aloud
  - id: second
    do: debug.log
    with: { message: two }
`;

it("two people on one draft both keep what they wrote; the same line asks", async () => {
  await server.api("/workflows/shared/draft", { source: COMMENTED }, "PUT");
  const { page } = await openWorkflow("shared");
  await page.locator('[data-step="first"]').waitFor();
  await server.api("/workflows/shared/draft", { source: COMMENTED.replace("message: two", "message: zwei") }, "PUT");
  await page.locator('[data-step="first"]').click();
  await page.getByPlaceholder("Log", { exact: true }).fill("Say one");
  await page.getByText("both changes are in it now").waitFor();
  await saves("shared", "name: Say one");
  const both = await draftOf("shared");
  expect(both).toContain("message: zwei");
  expect(both).toContain("# said aloud");

  await server.api("/workflows/shared/draft", { source: both.replace("name: Say one", "name: Dire un") }, "PUT");
  await page.getByPlaceholder("Log", { exact: true }).fill("Say it");
  const dialog = page.getByRole("dialog", { name: "Two people changed the same lines" });
  await dialog.getByText("Dire un").waitFor();
  await dialog.getByRole("button", { name: "Keep mine" }).click();
  await expect.poll(() => draftOf("shared")).toContain("name: Say it");
});

it("a text that cannot be read keeps the graph and loses no word", async () => {
  await server.api("/workflows/broken/draft", { source: COMMENTED.replace("shared", "broken") }, "PUT");
  const { page } = await openWorkflow("broken");
  await page.getByText("Both", { exact: true }).click();
  const editor = page.getByRole("textbox", { name: "Text of the workflow" });
  await editor.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("  - id: a: b: c");
  await page.getByRole("alert").getByText("cannot be read").waitFor();
  await page.locator('[data-step="first"]').waitFor();
  await saves("broken", "- id: a: b: c");
  await page.keyboard.press("Control+Z");
  await page.getByRole("alert").waitFor({ state: "detached" });
  // The text and the graph are one: a name written here is on the card.
  await page.keyboard.press("Control+End");
  await page.keyboard.type("  - { id: third, delay: 1h");
  await page.locator('[data-step="third"]').waitFor();
});

const threeSteps = (index: number): string => `  - if: input.yes\n    then:\n      - { id: a${index}, do: debug.log, with: { message: "{{ input.name }}" } }\n    else:\n      - { id: b${index}, delay: 1h }\n`;

it("answers within 100 ms with 300 steps", async () => {
  await server.api("/workflows/long/draft", { source: `name: long\non: [{ manual: { input: { type: object, properties: { yes: { type: boolean }, name: { type: string } } } } }]\nsteps:\n${Array.from({ length: 100 }, (_, index) => threeSteps(index)).join("")}` }, "PUT");
  const { page } = await openWorkflow("long");
  await page.locator('[data-step="a0"]').waitFor();
  await page.locator("[data-graph]").focus();
  await page.evaluate(watchInteractions);
  await page.keyboard.press("ArrowDown");
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "Control+D", "Control+Z", "Control+C", "Control+V", "Alt+ArrowUp", "Delete", "Control+Z"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(150);
  }
  await page.locator('[data-step^="a"]').first().click();
  await page.getByPlaceholder("Log", { exact: true }).focus();
  await page.keyboard.type("a name", { delay: 120 });
  const slow = await page.evaluate(() => (globalThis as unknown as { interactions: { name: string; duration: number }[] }).interactions);
  const sorted = slow.map((one) => one.duration).toSorted((one, other) => one - other);
  const typical = sorted[Math.floor(sorted.length / 2)] ?? 0;
  process.stdout.write(`300 steps: ${sorted.length} interactions, median ${typical} ms, longest ${sorted.at(-1)} ms\n  ${slow.map((one) => `${one.name} ${one.duration}`).join(", ")}\n`);
  expect(typical).toBeLessThan(100);
});

/** Notes how long each interaction takes until the next picture. */
function watchInteractions(): void {
  const interactions: { name: string; duration: number }[] = [];
  Object.assign(globalThis, { interactions });
  for (const kind of ["keydown", "pointerup"]) {
    addEventListener(kind, (event) => {
      const start = performance.now();
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.addEventListener("message", () => interactions.push({ name: event instanceof KeyboardEvent ? `${event.ctrlKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${event.key}` : kind, duration: Math.round(performance.now() - start) }), { once: true });
        channel.port1.start();
        channel.port2.postMessage(null);
      });
    }, { capture: true });
  }
}

it.each(["en", "ar"])("axe finds nothing in %s, whatever is open", async (language) => {
  const { page } = await openWorkflow("first-reply");
  await page.evaluate((chosen) => localStorage.setItem("onward.language", chosen), language);
  await page.reload();
  await page.locator('[data-step="person"]').waitFor();
  expect(await axe(page)).toEqual([]);
  await page.locator('[data-step="person"]').click();
  await page.locator("[data-side] input").first().waitFor();
  expect(await axe(page)).toEqual([]);
  await page.locator("[data-graph]").focus();
  await page.keyboard.press("n");
  await page.getByRole("option").first().waitFor();
  expect(await axe(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await page.getByRole("option").first().waitFor({ state: "detached" });
  await page.locator("[data-graph]").focus();
  await page.keyboard.press("Control+Enter");
  await page.getByRole("tabpanel").waitFor();
  expect(await axe(page)).toEqual([]);
  await page.locator("[data-graph]").focus();
  await page.keyboard.press("Shift+P");
  await page.getByRole("dialog").waitFor();
  expect(await axe(page)).toEqual([]);
});

it("is usable at 360 px: the list, the form, the text", async () => {
  const { page } = await openWorkflow("first-reply", { viewport: { width: 360, height: 740 }, hasTouch: true });
  await page.getByRole("button", { name: /Send a message/ }).first().click();
  await page.getByRole("textbox", { name: /^Text/ }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.getByRole("button", { name: "Close" }).first().click();
  await page.getByText("Text", { exact: true }).first().click();
  await page.getByRole("textbox", { name: "Text of the workflow" }).waitFor();
  expect(await axe(page)).toEqual([]);
});
