// Working on several steps at a time, taking steps to another workflow, and trying before publishing: one step alone, a start with a
// contact of ours, the last runs on the draft; and what the graph of a published workflow counts.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { draft, draftOf, look, openWorkflow, publishNow, stands, start } from "./drawing";
import { axe, drag, placeOf, stage } from "./harness";

const here = stage();
const { server } = here;

const five = (name: string): string => `name: ${name}
on: [{ manual: {} }]
steps:
${["one", "two", "three", "four", "five"].map((id) => `  - id: ${id} # the ${id}\n    do: debug.log\n    with: { message: ${id} }\n`).join("")}`;

/** The ids of a draft as the server has it, in order. */
async function order(name: string): Promise<string> {
  return [...(await draftOf(server, name)).matchAll(/id: (\w+)/g)].map(([, id]) => id).join(" ");
}

async function becomes(name: string, ids: string): Promise<void> {
  await expect.poll(() => order(name)).toBe(ids);
}

async function undone(page: Page, name: string): Promise<void> {
  await page.keyboard.press("Control+Z");
  await becomes(name, "one two three four five");
}

it("several steps are chosen by keyboard, and moved, copied and deleted in one go each", async () => {
  await draft(server, "several", five("several"));
  const { page, complaints, graph } = await openWorkflow(here, "several");
  await graph.locator('[data-step="two"]').click();
  await graph.focus();
  await page.keyboard.press("Shift+ArrowDown");
  await graph.getByText("Steps selected: 2").waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await becomes("several", "one four two three five");
  await undone(page, "several");
  await page.keyboard.press("Alt+ArrowUp");
  await becomes("several", "two three one four five");
  await undone(page, "several");
  await page.keyboard.press("Control+D");
  await becomes("several", "one two three two_2 three_2 four five");
  await undone(page, "several");
  await page.keyboard.press("Control+X");
  await becomes("several", "one four five");
  // Both come back behind the step that is chosen, with their comments.
  await graph.locator('[data-step="four"]').click();
  await graph.focus();
  await page.keyboard.press("Control+V");
  await becomes("several", "one four two three five");
  expect(await draftOf(server, "several")).toContain("- id: two # the two");
  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Control+Z");
  await becomes("several", "one two three four five");
  await page.keyboard.press("Control+A");
  await graph.getByText("Steps selected: 5").waitFor();
  await page.keyboard.press("Delete");
  await becomes("several", "");
  await undone(page, "several");
  expect(await draftOf(server, "several")).toBe(five("several"));
  expect(complaints).toEqual([]);
});

it("several steps are chosen by mouse, one by one and with a frame, and dragged together", async () => {
  await draft(server, "dragged", five("dragged"));
  const { page, complaints, graph } = await openWorkflow(here, "dragged");
  await graph.locator('[data-step="one"]').click();
  await graph.locator('[data-step="three"]').click({ modifiers: ["Control"] });
  await graph.getByText("Steps selected: 2").waitFor();
  await page.getByRole("complementary", { name: "Settings" }).getByRole("button", { name: "Delete" }).click();
  await becomes("dragged", "two four five");
  await graph.focus();
  await undone(page, "dragged");

  // A frame around the first two.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary", { name: "Settings" }).waitFor({ state: "detached" });
  const top = await placeOf(graph.locator('[data-step="one"]'));
  const bottom = await placeOf(graph.locator('[data-step="two"]'));
  await page.keyboard.down("Shift");
  await page.mouse.move(top.x - 40, top.y - 8);
  await page.mouse.down();
  await page.mouse.move(bottom.x + bottom.width + 30, bottom.y + bottom.height + 4, { steps: 8 });
  await look(page, "frame");
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await graph.getByText("Steps selected: 2").waitFor();
  await look(page, "chosen");
  // Both go where one of them is dragged to.
  await page.getByRole("complementary", { name: "Settings" }).getByRole("heading", { name: "Steps selected: 2" }).waitFor();
  await drag(page, graph.locator('[data-step="two"]'), graph.locator('[data-line="/steps/3>/steps/4"]'));
  await becomes("dragged", "three four one two five");
  await graph.focus();
  await undone(page, "dragged");
  expect(complaints).toEqual([]);
});

it("steps go into another workflow, and what they name follows", async () => {
  const body = `steps:
  - id: price
    do: debug.echo
    with: { amount: 10 }
  - id: tell
    if: steps.price.amount > 5
    do: debug.log
    with: { message: "it costs {{ steps.price.amount }}" }
`;
  await draft(server, "source", `name: source\non: [{ manual: {} }]\n${body}`);
  await draft(server, "target", "name: target\non: [{ manual: {} }]\nsteps:\n  - { id: price, do: debug.echo, with: { amount: 99 } }\n");
  const { page, complaints, graph } = await openWorkflow(here, "source");
  await graph.locator('[data-step="price"]').click();
  await graph.locator('[data-step="tell"]').click({ modifiers: ["Control"] });
  await graph.focus();
  await page.keyboard.press("Control+C");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("- id: price");
  const other = await page.context().newPage();
  await other.goto(`${server.served.url}/workflows/target`);
  await other.locator('[data-step="price"]').click();
  await other.locator("[data-graph]").focus();
  await other.keyboard.press("Control+V");
  await other.locator('[data-step="price_2"]').waitFor();
  await becomes("target", "price price_2 tell");
  const pasted = await draftOf(server, "target");
  expect(pasted).toContain("if: steps.price_2.amount > 5");
  expect(pasted).toContain("it costs {{ steps.price_2.amount }}");
  expect(pasted).toContain("{ id: price, do: debug.echo, with: { amount: 99 } }");
  await other.keyboard.press("Control+Z");
  await becomes("target", "price");

  // A step alone tells what it names and is not there.
  await page.bringToFront();
  await graph.locator('[data-step="tell"]').click();
  await graph.focus();
  await page.keyboard.press("Control+C");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).not.toContain("id: price");
  await other.bringToFront();
  await draft(server, "empty", "name: empty\non: [{ manual: {} }]\nsteps: []\n");
  await other.goto(`${server.served.url}/workflows/empty`);
  await other.locator("[data-graph]").focus();
  await other.keyboard.press("Control+V");
  await other.getByText("What you pasted names steps that are not here: price").waitFor();
  expect(complaints).toEqual([]);
});

const PRICED = (name: string, factor: number): string => `name: ${name}
on: [{ manual: { input: { type: object, properties: { amount: { type: number } } } } }]
steps:
  - id: price
    do: debug.echo
    with: { total: "{{ input.amount * ${factor} }}" }
  - if: steps.price.total > 50
    then:
      - { id: dear, do: debug.log, with: { message: "dear: {{ steps.price.total }}" } }
    else:
      - { id: cheap, do: debug.log, with: { message: cheap } }
`;

/** The values of a trial, as the field shows them. */
async function valuesOf(page: Page): Promise<Record<string, unknown>> {
  const text = await page.getByRole("textbox", { name: "Values that it sees" }).inputValue();
  return JSON.parse(text === "" ? "{}" : text) as Record<string, unknown>;
}

it("one step is tried alone, with sample values and with those of the last run", async () => {
  await draft(server, "tried", PRICED("tried", 2));
  const { page, complaints, graph } = await openWorkflow(here, "tried");
  await graph.locator('[data-step="price"]').click();
  await page.getByRole("tab", { name: "Try" }).click();
  await page.getByText("With sample values; change what you like. Nothing is sent.").waitFor();
  await expect.poll(async () => typeof (await valuesOf(page)).input).toBe("object");
  await page.getByRole("textbox", { name: "Values that it sees" }).fill('{ "input": { "amount": 4 } }');
  await page.getByRole("button", { name: "Try this step" }).click();
  await page.getByText("What it would be called with").waitFor();
  await page.getByText('"total": 8').first().waitFor();
  await look(page, "try-sample");
  expect(await axe(page)).toEqual([]);

  await publishNow(server, "tried", PRICED("tried", 2));
  await stands(server, await start(server, "tried", { amount: 30 }), "completed");
  await page.reload();
  await graph.locator('[data-step="dear"]').click();
  await page.getByRole("tab", { name: "Try" }).click();
  await page.getByText("With the values of the last run; change what you like. Nothing is sent.").waitFor();
  await expect.poll(() => valuesOf(page)).toMatchObject({ input: { amount: 30 }, steps: { price: { total: 60 } } });
  await page.getByRole("button", { name: "Try this step" }).click();
  await page.getByText("dear: 60").first().waitFor();
  await look(page, "try-recorded");
  expect(complaints).toEqual([]);
});

it("a start is simulated with a contact of ours, whose fields decide", async () => {
  const meera = await server.api<{ id: string }>("/contacts", { name: "Meera Rao", first_name: "Meera", phone: "+919812345699", fields: { level: "gold" } });
  await draft(server, "simulated", `name: simulated
on: [{ event: message.received }]
contact: "event.data.contact_id"
steps:
  - if: contact.fields.level == "gold"
    then:
      - { id: hello, do: message.send, with: { text: "Welcome back {{ contact.first_name }}" } }
    else:
      - { id: plain, do: message.send, with: { text: "Who are you?" } }
`);
  const { page, complaints, graph } = await openWorkflow(here, "simulated");
  await page.getByRole("button", { name: "Try it" }).click();
  await page.getByRole("combobox", { name: "Contact" }).fill("Meera");
  await page.getByRole("option", { name: "Meera Rao" }).click();
  await expect.poll(() => page.getByRole("textbox", { name: "Data of message.received" }).inputValue()).toContain(meera.id);
  await page.getByRole("button", { name: "Simulate", exact: true }).last().click();
  const result = page.locator("[data-result]");
  await result.getByText("Welcome back Meera").first().waitFor();
  await graph.locator('[data-step="hello"][data-state="done"]').waitFor();
  await graph.locator('[data-step="plain"]:not([data-state])').waitFor();
  await look(page, "simulated");
  expect(await axe(page)).toEqual([]);
  // Nothing was sent and nothing is stored.
  expect((await server.api<{ items: unknown[] }>("/runs?workflow=simulated")).items).toEqual([]);
  expect(complaints).toEqual([]);
});

it("the last runs are executed again on the draft, and the differences stand on the graph", async () => {
  await publishNow(server, "what-if", PRICED("what-if", 2));
  for (const amount of [1, 20, 30, 40]) await stands(server, await start(server, "what-if", { amount }), "completed");
  await draft(server, "what-if", PRICED("what-if", 2).replace("> 50", "> 30"));
  const { page, complaints, graph } = await openWorkflow(here, "what-if");
  await page.getByRole("button", { name: "Try it" }).click();
  await page.getByRole("tab", { name: "What if" }).click();
  await page.getByRole("textbox", { name: "Last runs" }).fill("3");
  await page.getByRole("button", { name: "Compare" }).click();
  const result = page.locator("[data-result]");
  await result.getByText("different").waitFor();
  await expect.poll(() => result.getByRole("listitem").count()).toBe(1);
  await graph.locator("[data-change]").getByText("differs in 1").first().waitFor();
  await look(page, "what-if");
  expect(await axe(page)).toEqual([]);
  expect((await server.api<{ items: unknown[] }>("/runs?workflow=what-if")).items).toHaveLength(4);
  expect(complaints).toEqual([]);
});

it("the graph of a published workflow counts who waits, what failed today, and how variants fare", async () => {
  await publishNow(server, "counted", `name: counted
on: [{ event: lead.captured }]
key: "{{ event.data.contact_id }}"
steps:
  - id: test
    split:
      variants: { short: 1, long: 1 }
      goal: { event: order.paid, match: contact, within: 3d }
  - if: event.data.broken
    then:
      - { id: broken, do: debug.fail, with: { code: declined, message: no } }
  - { id: reply, wait_for: { event: message.received, match: contact }, timeout: 1d }
`);
  const contacts: string[] = [];
  for (let number = 0; number < 6; number += 1) contacts.push((await server.api<{ id: string }>("/contacts", { name: `Contact ${number}` })).id);
  const tell = (type: string, data: unknown) => server.api("/events", { type, source: "test", data });
  for (const [number, contact_id] of contacts.entries()) await tell("lead.captured", { contact_id, broken: number < 2 });
  await tell("order.paid", { contact_id: contacts[5] });
  await tell("order.paid", { contact_id: contacts[4] });
  await tell("message.received", { contact_id: contacts[5] });
  const { page, complaints, graph } = await openWorkflow(here, "counted");
  await graph.locator('[data-step="reply"]').getByTitle("Waiting now: 3").waitFor();
  await graph.locator('[data-step="broken"]').getByTitle("Failed today: 2").waitFor();
  const { splits } = await server.api<{ splits: { variants: { variant: string; entered: number; completed: number; reached: number }[] }[] }>("/workflows/counted/variants");
  const variants = splits[0]?.variants ?? [];
  const sum = (of: "entered" | "completed" | "reached"): number => variants.reduce((total, one) => total + one[of], 0);
  expect([sum("entered"), sum("completed"), sum("reached")]).toEqual([6, 1, 2]);
  for (const { entered, completed, reached } of variants) {
    await graph.getByTitle(`${entered} runs, ${completed} came to the end. ${reached} reached the goal.`).first().waitFor();
  }
  await graph.locator('[data-step="test"]').click();
  const table = page.getByRole("table", { name: "How the variants fare" });
  for (const { variant, entered } of variants) await table.getByRole("row", { name: new RegExp(`^${variant} ${entered} `) }).waitFor();
  await look(page, "counted");
  expect(await axe(page)).toEqual([]);
  // What is mended has not failed any more, and what came is not waited for.
  const failed = (await server.api<{ items: { id: string; status: string }[] }>("/runs?workflow=counted&status=failed")).items;
  await server.api(`/runs/${failed[0]?.id}/skip`, {});
  await tell("message.received", { contact_id: contacts[4] });
  await graph.locator('[data-step="broken"]').getByTitle("Failed today: 1").waitFor();
  expect(complaints).toEqual([]);
});
