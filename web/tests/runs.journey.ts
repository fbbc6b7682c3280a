// What people do to runs: one is cancelled, retried, skipped, copied from a step with other values; many are retried, skipped or
// cancelled by what went wrong. What is read on the screen is what the API says.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { look, publishNow, runsOf, stands, start } from "./drawing";
import { axe, signIn, stage } from "./harness";

const { server, openPage } = stage();

const FAILING = (name: string): string => `name: ${name}
on: [{ manual: { input: { type: object, properties: { amount: {} } } } }]
steps:
  - id: price
    do: debug.echo
    with: { amount: "{{ input.amount }}" }
  - id: charge
    do: crm.contact.note
    with: { contact: "{{ steps.price.amount }}", text: paid }
  - id: done
    do: debug.echo
    with: { charged: "{{ steps.charge }}" }
`;

const WAITING = `name: patient
on: [{ manual: {} }]
steps:
  - { id: reply, wait_for: { event: order.paid, match: any }, timeout: 1d }
`;

async function openRun(run: string): Promise<{ page: Page; complaints: string[] }> {
  const { page, complaints } = await openPage({ viewport: { width: 1440, height: 900 } });
  await signIn(page, server, `/runs/${run}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return { page, complaints };
}

async function more(page: Page, what: string): Promise<ReturnType<Page["getByRole"]>> {
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: what }).click();
  return page.getByRole("dialog");
}

interface Told {
  kind: string;
  step?: string;
  reason?: string;
  input?: Record<string, unknown>;
  output?: unknown;
}

async function history(run: string): Promise<Told[]> {
  return (await server.api<{ items: Told[] }>(`/runs/${run}/history`)).items;
}

/** An address of a contact that is there, for a step that must succeed. */
async function somebody(): Promise<string> {
  return (await server.api<{ id: string }>("/contacts", { name: "Meera" })).id;
}

it("one is cancelled, and says why", async () => {
  await publishNow(server, "patient", WAITING);
  const run = await start(server, "patient");
  await stands(server, run, "waiting");
  const { page, complaints } = await openRun(run);
  await page.getByText("It waits for an event").waitFor();
  const dialog = await more(page, "Cancel the run");
  await dialog.getByRole("textbox", { name: "Why" }).fill("ordered by phone");
  await look(page, "run-cancel");
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Cancel the run" }).click();
  await page.getByRole("heading", { level: 1 }).locator("xpath=../..").getByText("Cancelled").waitFor();
  await page.getByText("ordered by phone").first().waitFor();
  await stands(server, run, "cancelled");
  expect((await history(run)).find(({ kind }) => kind === "cancel_requested")?.reason).toBe("ordered by phone");
  // What has ended is not cancelled again.
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Go on with a copy" }).waitFor();
  expect(await page.getByRole("menuitem", { name: "Cancel the run" }).count()).toBe(0);
  expect(complaints).toEqual([]);
});

it("one is retried with a mended input", async () => {
  await publishNow(server, "failing", FAILING("failing"));
  const run = await start(server, "failing", { amount: "nobody" });
  await stands(server, run, "failed");
  const { page, complaints } = await openRun(run);
  await page.getByText("It failed").waitFor();
  await look(page, "run-failed");
  await page.getByRole("button", { name: "Retry" }).click();
  const dialog = page.getByRole("dialog");
  const field = dialog.getByRole("textbox", { name: "The step’s input" });
  await expect.poll(() => field.inputValue()).toContain('"contact": "nobody"');
  await field.fill("{ broken");
  await expect.poll(() => dialog.getByRole("button", { name: "Retry" }).isDisabled()).toBe(true);
  await field.fill(JSON.stringify({ contact: await somebody(), text: "paid" }));
  await look(page, "run-retry");
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Retry" }).click();
  await stands(server, run, "completed");
  await page.getByText("Taken up again").waitFor();
  await page.getByRole("heading", { level: 1 }).locator("xpath=../..").getByText("Completed").waitFor();
  expect(complaints).toEqual([]);
});

it("one goes on without its failed step, with the output it is given", async () => {
  const run = await start(server, "failing", { amount: "nobody" });
  await stands(server, run, "failed");
  const { page } = await openRun(run);
  await page.getByRole("button", { name: "Skip the step" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "The step’s output" }).fill('{ "by_hand": true }');
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Skip the step" }).click();
  await stands(server, run, "completed");
  const done = (await history(run)).find(({ kind, step }) => kind === "step_completed" && step === "done");
  expect(JSON.stringify(done?.output)).toContain("by_hand");
});

it("a copy goes on from a step, with other values", async () => {
  const run = await start(server, "failing", { amount: "nobody" });
  await stands(server, run, "failed");
  const { page, complaints } = await openRun(run);
  const dialog = await more(page, "Go on with a copy");
  await dialog.getByRole("combobox", { name: "Before which step" }).click();
  await page.getByRole("option", { name: "charge" }).click();
  const field = dialog.getByRole("textbox", { name: "The step’s input" });
  await expect.poll(() => field.inputValue()).toContain('"contact": "nobody"');
  const meera = await somebody();
  await field.fill(JSON.stringify({ contact: meera, text: "copied" }));
  await look(page, "run-copy");
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Make the copy" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/runs/") && !url.pathname.endsWith(run));
  const copy = page.url().split("/").at(-1) ?? "";
  await stands(server, copy, "completed");
  await page.getByRole("heading", { level: 1 }).locator("xpath=../..").getByText("Completed").waitFor();
  expect((await history(copy)).find(({ kind, step }) => kind === "step_completed" && step === "charge")).toBeTruthy();
  // What was done before is not done again, and the first run stays as it is.
  expect((await history(copy)).filter(({ kind, step }) => kind === "step_scheduled" && step === "price")).toHaveLength(1);
  await stands(server, run, "failed");
  expect((await server.api<{ items: unknown[] }>(`/contacts/${meera}/timeline`)).items.length).toBeGreaterThan(0);
  expect(complaints).toEqual([]);
});

interface Repair {
  action: string;
  done: number;
  refused: number;
  pending: number;
  stopped: number;
  ended_at: string | null;
}

/** The dialog of a repair, once it began; the repair's id is in the requests it makes. */
async function begin(page: Page, button: string): Promise<string> {
  const looked = page.waitForRequest((request) => /\/runs\/repair\/[0-9a-f-]{36}$/.test(request.url()));
  await page.getByRole("dialog").getByRole("button", { name: button }).click();
  return (await looked).url().split("/").at(-1) ?? "";
}

it("many are retried, skipped and cancelled by cause, and the dialog tells how far it is", async () => {
  // Two causes: a contact that is not there, and a code of another step.
  await publishNow(server, "causes", FAILING("causes"));
  await publishNow(server, "declined", "name: declined\non: [{ manual: {} }]\nsteps:\n  - { id: pay, do: debug.fail, with: { code: declined, message: the card was declined } }\n");
  for (let number = 0; number < 5; number += 1) {
    await stands(server, await start(server, "causes", { amount: "nobody" }), "failed");
    await stands(server, await start(server, "declined"), "failed");
  }
  const { page, complaints } = await openPage({ viewport: { width: 1440, height: 900 } });
  await signIn(page, server, "/runs?view=failures");
  const cause = (words: string) => page.getByRole("listitem").filter({ hasText: words });
  await cause("declined").getByText("5 runs").waitFor();
  await look(page, "causes");
  expect(await axe(page)).toEqual([]);

  // Skip all of one cause: every run comes to its end.
  await cause("the card was declined").getByRole("button", { name: "Skip in all" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("5 runs").waitFor();
  await dialog.getByRole("textbox", { name: "Runs a minute, at the most" }).fill("6000");
  await look(page, "bulk-ask");
  expect(await axe(page)).toEqual([]);
  const skipping = await begin(page, "Skip the step");
  await dialog.getByText("5 of 5 done, 0 refused").waitFor();
  await dialog.getByText("It is finished.").waitFor();
  await look(page, "bulk-done");
  expect(await axe(page)).toEqual([]);
  expect(await server.api<Repair>(`/runs/repair/${skipping}`)).toMatchObject({ action: "skip", done: 5, refused: 0, pending: 0 });
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await cause("the card was declined").waitFor({ state: "detached" });
  await expect.poll(async () => (await runsOf(server, "declined")).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "completed"));

  // Retry slowly, and stop on the way: those that had no turn are left as they are.
  await page.getByRole("combobox", { name: "Workflow" }).selectOption("causes");
  await cause("causes").getByRole("button", { name: "Retry all" }).click();
  await dialog.getByRole("textbox", { name: "Runs a minute, at the most" }).fill("1");
  const retrying = await begin(page, "Retry them");
  await dialog.getByText(/1 of 5 done/).waitFor();
  await look(page, "bulk-slow");
  await dialog.getByRole("button", { name: "Stop", exact: true }).click();
  await dialog.getByText("It was stopped").waitFor();
  expect(await server.api<Repair>(`/runs/repair/${retrying}`)).toMatchObject({ action: "retry", stopped: 4, pending: 0 });
  await dialog.getByRole("button", { name: "Close" }).last().click();
  expect(complaints).toEqual([]);
});

it("all runs of a workflow are cancelled at a time", async () => {
  await publishNow(server, "crowd", WAITING.replace("patient", "crowd"));
  const runs = await Promise.all(Array.from({ length: 12 }, () => start(server, "crowd")));
  await Promise.all(runs.map((run) => stands(server, run, "waiting")));
  const { page } = await openPage({ viewport: { width: 1440, height: 900 } });
  await signIn(page, server, "/runs?workflow=crowd");
  await page.getByRole("button", { name: "Cancel all of these" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("12 runs").waitFor();
  await dialog.getByRole("textbox", { name: "Runs a minute, at the most" }).fill("6000");
  const cancelling = await begin(page, "Cancel them");
  await dialog.getByText("12 of 12 done, 0 refused").waitFor();
  await dialog.getByText("It is finished.").waitFor();
  expect((await server.api<Repair>(`/runs/repair/${cancelling}`)).ended_at).not.toBeNull();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect.poll(async () => new Set((await runsOf(server, "crowd")).map(({ status }) => status))).toEqual(new Set(["cancelled"]));
  await page.getByRole("table").getByText("Cancelled").first().waitFor();
  await look(page, "cancelled");
});
