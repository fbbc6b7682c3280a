// The builder: an automation drawn from nothing by mouse and again by keyboard, tried, published and run; and what must not go wrong.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { draft, draftOf as draftAt, openWorkflow as openAt } from "./drawing";
import { axe, drag, type OpenedPage, type PageOptions, slowness, stage } from "./harness";

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
  // Which option the list begins at depends on how soon it is there: up, as one does who looks, until it is the wanted one.
  const marked = page.locator("[role=option][data-combobox-selected]");
  for (let presses = 0; presses < 10 && (await marked.allTextContents())[0] !== "Event"; presses += 1) {
    await page.keyboard.press("ArrowUp");
  }
  expect(await marked.allTextContents()).toEqual(["Event"]);
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

it("answers within 100 ms with 300 steps, whatever is done", async () => {
  await draft(server, "long", `name: long\non: [{ manual: { input: { type: object, properties: { yes: { type: boolean }, name: { type: string } } } } }]\nsteps:\n${Array.from({ length: 100 }, (_, index) => threeSteps(index)).join("")}`);
  const { page } = await openWorkflow("long");
  const graph = page.locator("[data-graph]");
  const card = (id: string) => graph.locator(`[data-step="${id}"]`);
  await card("a0").waitFor();
  await page.evaluate(watchInteractions);
  const found = new Map<string, number[]>();
  /** Does something a few times, each when nothing of the last is left to do; notes how long the browser took to show it. */
  const measure = async (kind: string, ...acts: (() => Promise<unknown>)[]): Promise<void> => {
    for (const act of acts) {
      await page.evaluate(atRest);
      await act();
      found.set(kind, [...(found.get(kind) ?? []), await page.evaluate(slowestSince)]);
    }
  };
  const press = (...keys: string[]) => keys.map((key) => () => page.keyboard.press(key));
  const times = (count: number, act: () => Promise<unknown>) => Array.from({ length: count }, () => act);
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await measure("walk", ...press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"));
  await measure("choose several", ...press("Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown"));
  await page.keyboard.press("ArrowUp");
  await measure("duplicate", ...press("Control+D", "Control+D", "Control+D"));
  await measure("undo", ...press("Control+Z", "Control+Z", "Control+Z"));
  await measure("redo", ...press("Control+Shift+Z", "Control+Shift+Z", "Control+Shift+Z"));
  await measure("copy", ...press("Control+C", "Control+C", "Control+C"));
  await measure("paste", ...press("Control+V", "Control+V", "Control+V"));
  await measure("move", ...press("Alt+ArrowUp", "Alt+ArrowUp", "Alt+ArrowDown"));
  await measure("delete", ...press("Delete"));
  await page.keyboard.press("ArrowDown");
  await measure("choose all", ...press("Control+A"));
  await page.keyboard.press("ArrowUp");
  await measure("fit to view", ...press("1"));
  await measure("natural size", ...press("0"));
  await page.reload();
  await card("a0").waitFor();
  await page.evaluate(watchInteractions);
  await measure("click a card", () => card("a0").click(), () => card("b0").click(), () => card("a1").click());
  await measure("fold", ...times(2, () => graph.getByRole("button", { name: "Fold the branches", exact: true }).first().click()));
  await measure("unfold", ...times(2, () => graph.getByRole("button", { name: "Unfold the branches" }).first().click()));
  await card("a1").click();
  await page.getByPlaceholder("Log", { exact: true }).click();
  await measure("write a name", ...[..."a new name"].map((letter) => () => page.keyboard.type(letter)));
  await page.getByRole("textbox", { name: /^Message/ }).click();
  await measure("write an expression", ...[..." {{ input.na"].map((letter) => () => page.keyboard.type(letter)));
  await page.keyboard.press("Escape");
  await graph.focus();
  await measure("open the palette", ...press("n"));
  await measure("search it", ...[..."message"].map((letter) => () => page.keyboard.type(letter)));
  await measure("put a step in", ...press("Enter"));
  await page.getByText("Both", { exact: true }).click();
  const text = page.getByRole("textbox", { name: "Text of the workflow" });
  await text.click();
  await page.keyboard.press("Control+End");
  await measure("write in the text", ...[..."  - { id: last, delay: 1h }"].map((letter) => () => page.keyboard.type(letter)));
  await measure("undo in the text", ...press("Control+Z", "Control+Z"));
  const slower = await slowness(page);
  const told = [...found].map(([kind, all]) => ({ kind, median: all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)] ?? 0, longest: Math.max(...all) }));
  process.stdout.write(`300 steps, milliseconds, the median and the longest: ${told.map(({ kind, median, longest }) => `${kind} ${median}/${longest}`).join(", ")}; this machine is ${slower.toFixed(1)} times as slow as it may be\n`);
  expect(told.filter(({ median }) => median >= 100 * slower)).toEqual([]);
});

interface Interactions {
  durations: number[];
}

/** Notes how long each key and each click takes until the next picture. */
function watchInteractions(): void {
  const interactions: Interactions = { durations: [] };
  Object.assign(globalThis, { interactions });
  for (const kind of ["keydown", "pointerdown", "pointerup"]) {
    addEventListener(kind, (event) => {
      // Keys that only change others do nothing by themselves.
      if (event instanceof KeyboardEvent && ["Control", "Shift", "Alt"].includes(event.key)) return;
      const start = performance.now();
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.addEventListener("message", () => interactions.durations.push(Math.round(performance.now() - start)), { once: true });
        channel.port1.start();
        channel.port2.postMessage(null);
      });
    }, { capture: true });
  }
}

/** Waits until the page has nothing to do: no long piece of work for some frames. */
async function atRest(): Promise<void> {
  let last = performance.now();
  for (let quiet = 0; quiet < 8; quiet += 1) {
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    quiet = now - last > 34 ? -1 : quiet;
    last = now;
  }
  (globalThis as unknown as { interactions: Interactions }).interactions.durations.length = 0;
}

/** How long the slowest part of what was just done took until it was seen. */
async function slowestSince(): Promise<number> {
  const { interactions } = globalThis as unknown as { interactions: Interactions };
  while (interactions.durations.length === 0) {
    await new Promise((done) => requestAnimationFrame(done));
  }
  return Math.max(...interactions.durations);
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
