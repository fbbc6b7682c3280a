// A workflow in the builder, as the journeys through publishing, trying and runs need it.

import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { type OpenedPage, type PageOptions, type Server, signIn, type Stage } from "./harness";

export interface Opened extends OpenedPage {
  graph: Locator;
}

/** The builder of a workflow, signed in. */
export async function openWorkflow({ server, openPage }: Stage, name: string, options: PageOptions = {}): Promise<Opened> {
  const { page, complaints, context } = await openPage({ viewport: { width: 1440, height: 900 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signIn(page, server, `/workflows/${name}`);
  await page.locator("[data-builder]").waitFor();
  return { page, complaints, context, graph: page.locator("[data-graph]") };
}

export interface RunRow {
  id: string;
  status: string;
  version: number;
  key: string;
  output: unknown;
}

/** Runs of a workflow, the oldest first. */
export async function runsOf(server: Server, workflow: string): Promise<RunRow[]> {
  return (await server.api<{ items: RunRow[] }>(`/runs?workflow=${workflow}&limit=100`)).items.toReversed();
}

/** Starts a run by hand; its id. */
export async function start(server: Server, workflow: string, input: unknown = {}): Promise<string> {
  return (await server.api<{ run_id: string }>(`/workflows/${workflow}/runs`, { input })).run_id;
}

/** Waits until a run stands so. */
export async function stands(server: Server, run: string, status: string): Promise<void> {
  await expect.poll(async () => (await server.api<RunRow>(`/runs/${run}`)).status).toBe(status);
}

export async function publishNow(server: Server, name: string, source: string): Promise<number> {
  return (await server.api<{ version: number }>(`/workflows/${name}/publish`, { source })).version;
}

export async function draft(server: Server, name: string, source: string): Promise<void> {
  await server.api(`/workflows/${name}/draft`, { source }, "PUT");
}

export async function draftOf(server: Server, name: string): Promise<string> {
  return (await server.api<{ source: string }>(`/workflows/${name}/draft`)).source;
}

/** A picture for whoever looks, where `ONWARD_LOOK` names a folder. */
export async function look(page: Page, name: string): Promise<void> {
  const folder = process.env.ONWARD_LOOK;
  if (folder !== undefined) {
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${folder}/${name}.png` });
  }
}
