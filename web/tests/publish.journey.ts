// Publishing while runs wait: they stay, move, begin again or are cancelled; versions are taken back, tried on a part of the keys,
// given every start, and held. What is read on the screen is what the API says.

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { draft, look, openWorkflow, publishNow, runsOf, stands, start } from "./drawing";
import { axe, stage } from "./harness";

const here = stage();
const { server } = here;

const first = (name: string): string => `name: ${name}
on: [{ manual: { input: { type: object, properties: { where: { type: string } } } } }]
steps:
  - id: hello
    do: debug.log
    with: { message: hello }
  - if: input.where == "nap"
    then:
      - { id: nap, delay: 1d }
    else:
      - { id: reply, wait_for: { event: order.paid, match: { who: "{{ run.key }}" } }, timeout: 1d }
  - id: bye
    do: debug.log
    with: { message: bye }
`;
const second = (name: string): string => first(name).replace("id: reply", "id: answer").replace("{ id: nap, delay: 1d }", "{ id: rest, do: debug.log, with: { message: rest } }");

/** A workflow with runs that wait in these places, and a changed draft. */
async function waiting(name: string, ...places: string[]): Promise<string[]> {
  await publishNow(server, name, first(name));
  const runs = [];
  for (const where of places) {
    const run = await start(server, name, { where });
    await stands(server, run, "waiting");
    runs.push(run);
  }
  await draft(server, name, second(name));
  return runs;
}

async function openDialog(page: Page): Promise<ReturnType<Page["getByRole"]>> {
  await page.getByRole("button", { name: "Publish" }).click();
  return page.getByRole("dialog");
}

async function versions(name: string): Promise<[string, number][]> {
  return (await runsOf(server, name)).map(({ status, version }) => [status, version]);
}

async function current(name: string): Promise<{ current_version: number; rollout: { version: number; held_at: string | null } | null }> {
  return await server.api(`/workflows/${name}`);
}

it("runs under way stay on their version, new starts take the new one", async () => {
  await waiting("stayers", "reply", "nap");
  const { page, complaints } = await openWorkflow(here, "stayers");
  await page.getByText("Changes since version 1").waitFor();
  const dialog = await openDialog(page);
  await dialog.getByText("What happens to the runs that are under way (2)?").waitFor();
  await dialog.getByText("New steps: 2, changed: 0, gone: 2").waitFor();
  await look(page, "publish-ask");
  expect(await axe(page)).toEqual([]);
  await dialog.getByText("Show the difference").click();
  await dialog.getByRole("region", { name: "Difference of the texts" }).getByText("id: answer").waitFor();
  await dialog.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 2 is published").waitFor();
  await page.getByText("Version 2", { exact: true }).waitFor();
  expect((await current("stayers")).current_version).toBe(2);
  await start(server, "stayers", { where: "reply" });
  await expect.poll(() => versions("stayers")).toEqual([["waiting", 1], ["waiting", 1], ["waiting", 2]]);
  expect(complaints).toEqual([]);
});

it("runs move with a map, told before what becomes of each", async () => {
  await waiting("movers", "reply", "reply", "nap");
  const { page, complaints } = await openWorkflow(here, "movers");
  const dialog = await openDialog(page);
  await dialog.getByRole("radio", { name: "They move to the new version" }).click();
  await dialog.getByRole("button", { name: "Publish" }).click();
  // Without a map nobody can go on, and the reason says what would help.
  await dialog.getByText("Of 3 runs under way, 0 would move to version 2; the others stay. Nothing is done yet.").waitFor();
  await dialog.getByText("the new version has no step reply at all").waitFor();
  expect(await dialog.getByRole("button", { name: "Move them" }).isDisabled()).toBe(true);
  await dialog.getByRole("combobox", { name: "Where runs go on that wait in reply" }).click();
  await page.getByRole("option", { name: "answer", exact: true }).click();
  await dialog.getByText("Of 3 runs under way, 2 would move to version 2").waitFor();
  await dialog.getByText("the new version has no step nap at all").waitFor();
  await look(page, "publish-move");
  expect(await axe(page)).toEqual([]);
  expect(await versions("movers")).toEqual([["waiting", 1], ["waiting", 1], ["waiting", 1]]);
  await dialog.getByRole("button", { name: "Move them" }).click();
  await dialog.getByText("2 of 3 runs moved to version 2.").waitFor();
  await look(page, "publish-moved");
  expect(await versions("movers")).toEqual([["waiting", 2], ["waiting", 2], ["waiting", 1]]);
  await dialog.getByRole("button", { name: "Close" }).last().click();
  // A moved run goes on: what it waited for still comes to it.
  const [moved] = await runsOf(server, "movers");
  await server.api("/events", { type: "order.paid", source: "test", data: { who: moved?.key } });
  await stands(server, moved?.id ?? "", "completed");
  expect(complaints).toEqual([]);
});

it("runs begin again, or are cancelled, whatever version they are of", async () => {
  await waiting("again", "reply", "nap");
  const { page } = await openWorkflow(here, "again");
  let dialog = await openDialog(page);
  await dialog.getByRole("radio", { name: "They begin again" }).click();
  await dialog.getByRole("button", { name: "Publish" }).click();
  await dialog.getByText("Of 2 runs under way, 2 would begin again on version 2").waitFor();
  await dialog.getByRole("button", { name: "Begin them again" }).click();
  await dialog.getByText("2 of 2 runs began again on version 2.").waitFor();
  await look(page, "publish-again");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  // The napper finds a step instead of its nap, and comes to the end.
  await expect.poll(() => versions("again")).toEqual([["waiting", 2], ["completed", 2]]);

  const run = await start(server, "again", { where: "reply" });
  await stands(server, run, "waiting");
  await draft(server, "again", second("again").replace("id: answer", "id: reaction"));
  await page.reload();
  dialog = await openDialog(page);
  await dialog.getByRole("radio", { name: "They are cancelled" }).click();
  await dialog.getByRole("button", { name: "Publish" }).click();
  await dialog.getByText("Of 2 runs under way, 2 would be cancelled").waitFor();
  await dialog.getByRole("button", { name: "Cancel them" }).click();
  await dialog.getByText("2 of 2 runs are cancelled.").waitFor();
  await expect.poll(() => versions("again")).toEqual([["cancelled", 2], ["completed", 2], ["cancelled", 2]]);
});

it("an older version is taken back, and is there as a draft", async () => {
  await publishNow(server, "backward", first("backward"));
  await publishNow(server, "backward", second("backward"));
  const { page, complaints, graph } = await openWorkflow(here, "backward");
  await page.getByRole("button", { name: "Versions" }).click();
  const side = page.getByRole("complementary", { name: "Versions" });
  await side.getByRole("button", { name: /^1/ }).click();
  await side.getByText("The draft against version 1").waitFor();
  await graph.locator('[data-step="answer"][data-change]').getByText("new").waitFor();
  await side.getByText("Steps that are gone: nap, reply").waitFor();
  await look(page, "versions");
  expect(await axe(page)).toEqual([]);
  await side.getByRole("button", { name: "Go back to version 1" }).click();
  await page.getByText("New starts take version 1 now.").waitFor();
  expect((await current("backward")).current_version).toBe(1);
  await start(server, "backward", { where: "nap" });
  await expect.poll(() => versions("backward")).toEqual([["waiting", 1]]);
  await page.getByText("Changes since version 1").waitFor();
  await side.getByRole("button", { name: "Use as draft" }).click();
  await graph.locator('[data-step="reply"]').waitFor();
  await page.getByText("Version 1", { exact: true }).waitFor();
  expect(complaints).toEqual([]);
});

const keyed = (name: string, last: string): string => `name: ${name}
on: [{ manual: { input: { type: object, properties: { who: { type: string } }, required: [who] } } }]
key: "{{ input.who }}"
steps:
  - id: work
    ${last}
`;

async function begin(name: string, many: number): Promise<number[]> {
  await Promise.all(Array.from({ length: many }, (_, index) => start(server, name, { who: `key ${index}` })));
  await expect.poll(async () => (await runsOf(server, name)).every(({ status }) => status === "completed" || status === "failed" || status === "paused")).toBe(true);
  return (await runsOf(server, name)).slice(-many).map(({ version }) => version);
}

it("a version is tried on a part of the keys, and given every start", async () => {
  await publishNow(server, "canary", keyed("canary", "do: debug.log\n    with: { message: one }"));
  await draft(server, "canary", keyed("canary", "do: debug.log\n    with: { message: two }"));
  const { page, complaints } = await openWorkflow(here, "canary");
  const dialog = await openDialog(page);
  await dialog.getByRole("checkbox", { name: "For a part of the keys first" }).click();
  await dialog.getByRole("textbox", { name: "Share" }).fill("50");
  await look(page, "canary-ask");
  await dialog.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 2 is published on trial: it takes 50 % of the keys, version 1 the rest").waitFor();
  await page.getByText("Version 2 on trial").waitFor();
  expect(await current("canary")).toMatchObject({ current_version: 1, rollout: { version: 2 } });
  const taken = await begin("canary", 24);
  expect(new Set(taken)).toEqual(new Set([1, 2]));
  // After a reload the builder still shows what is on trial, not what it replaces.
  await page.reload();
  await page.getByText("Version 2 on trial").waitFor();
  await page.getByRole("button", { name: "Versions" }).click();
  const side = page.getByRole("complementary", { name: "Versions" });
  await side.getByText("Version 2 is on trial with 50 % of the keys").waitFor();
  await side.getByText(`Ended: ${taken.filter((version) => version === 2).length}, failed: 0`).waitFor();
  await look(page, "canary");
  expect(await axe(page)).toEqual([]);
  await side.getByRole("button", { name: "Give it every start" }).click();
  await page.getByText("New starts take version 2 now.").waitFor();
  await page.getByText("Version 2", { exact: true }).waitFor();
  expect(await current("canary")).toMatchObject({ current_version: 2, rollout: null });
  expect(new Set(await begin("canary", 8))).toEqual(new Set([2]));
  expect(complaints).toEqual([]);
});

it("a version that fails too often is held, and taken back", async () => {
  await publishNow(server, "held", keyed("held", "do: debug.log\n    with: { message: one }"));
  await draft(server, "held", keyed("held", "do: debug.fail\n    with: { code: declined, message: no }"));
  const { page, complaints } = await openWorkflow(here, "held");
  const dialog = await openDialog(page);
  await dialog.getByRole("checkbox", { name: "For a part of the keys first" }).click();
  await dialog.getByRole("textbox", { name: "Share" }).fill("50");
  await dialog.getByRole("textbox", { name: "of so many runs" }).fill("4");
  await dialog.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 2 on trial").waitFor();
  await begin("held", 16);
  await expect.poll(async () => (await current("held")).rollout?.held_at).toBeTruthy();
  expect(new Set(await begin("held", 16))).toEqual(new Set([1]));
  await page.reload();
  await page.getByText("Version 2 is held").first().waitFor();
  await page.getByRole("button", { name: "Versions" }).click();
  const side = page.getByRole("complementary", { name: "Versions" });
  await side.getByText("Version 2 is held: too many of its runs failed").waitFor();
  await look(page, "held");
  expect(await axe(page)).toEqual([]);
  await side.getByRole("button", { name: "Take version 2 back" }).click();
  await page.getByText("New starts take version 1 now.").waitFor();
  expect(await current("held")).toMatchObject({ current_version: 1, rollout: null });
  await page.getByText("Changes since version 1").waitFor();
  expect(complaints).toEqual([]);
});
