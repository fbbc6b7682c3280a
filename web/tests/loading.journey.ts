// How each page comes up in a browser that has nothing yet: what it asks for, and that nothing moves once it is on the screen.

import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { expect, it } from "vitest";
import { signIn, stage } from "./harness";
import { type AppPage, pagesOf } from "./pages";

const DIST = path.resolve(import.meta.dirname, "../dist");
const MOST_BYTES = 250_000;
/** What counts as nothing: below it a shift is not seen. */
const MOST_SHIFT = 0.02;
/** As a phone has it on the way: 1.6 Mbit/s with 150 ms each way round. */
const SLOW = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 94_000 };

let pages: AppPage[] = [];
const { server, openPage } = stage({
  prepare: async (started) => {
    pages = await pagesOf(started);
  },
});

interface Shift {
  value: number;
  /** What moved, as far as the browser tells. */
  what: string;
}

/** Notes what moves without anybody having touched anything. */
async function watchShifts(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const shifts: Shift[] = [];
    Object.assign(globalThis, { shifts });
    interface Entry extends PerformanceEntry {
      value: number;
      hadRecentInput: boolean;
      sources: { node: Node | null; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[];
    }
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as Entry[]) {
        if (!entry.hadRecentInput) {
          const what = entry.sources.map(({ node, previousRect: from, currentRect: to }) => {
            const element = node instanceof Element ? node : node?.parentElement;
            return `${element?.tagName} ${element?.className} "${(element?.textContent ?? "").slice(0, 30)}" ${from.x},${from.y} ${from.width}x${from.height} to ${to.x},${to.y} ${to.width}x${to.height}`;
          });
          shifts.push({ value: entry.value, what: what.join("; ") });
        }
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

/** Opens a page in a browser of its own, without a cache, and waits until it asks for nothing more. */
async function comesUp(to: AppPage, state: Awaited<ReturnType<BrowserContext["storageState"]>>, options: { slow?: boolean; width?: number; height?: number }): Promise<{ page: Page; asked: string[] }> {
  const { page, context } = await openPage({ storageState: state, viewport: { width: options.width ?? 1280, height: options.height ?? 800 } });
  await watchShifts(context);
  if (options.slow === true) {
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", SLOW);
  }
  const asked: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (request.resourceType() === "document") {
      asked.push("index.html");
    } else if (!pathname.startsWith("/api/") && !pathname.startsWith("/ws")) {
      asked.push(pathname.slice(1));
    }
  });
  await page.goto(server.served.url + to.path);
  await to.ready(page);
  await page.waitForLoadState("networkidle");
  return { page, asked };
}

function gzipped(file: string): number {
  try {
    return statSync(path.join(DIST, `${file}.gz`)).size;
  } catch {
    return readFileSync(path.join(DIST, file)).length;
  }
}

async function signedIn(): Promise<Awaited<ReturnType<BrowserContext["storageState"]>>> {
  const { page, context } = await openPage();
  await signIn(page, server);
  const state = await context.storageState();
  await context.close();
  return state;
}

it("no page asks for more than 250 kB gzip when it is the first, and for nothing that it does not use", { timeout: 600_000 }, async () => {
  const state = await signedIn();
  const weights: [string, number, number][] = [];
  const unused: string[] = [];
  // A run is drawn on the builder's graph, which comes with it as with the builder.
  for (const one of pages) {
    const { page, asked } = await comesUp(one, state, {});
    if (one.name !== "builder" && !one.name.startsWith("run-")) {
      weights.push([one.name, [...new Set(asked)].reduce((sum, file) => sum + gzipped(file), 0), new Set(asked).size]);
    }
    // What `start.js` asked the server for, and the page did not.
    const left = await page.evaluate(() => Object.keys((globalThis as unknown as { onwardFirst: object }).onwardFirst));
    unused.push(...left.map((ask) => `${one.name}: ${ask}`));
    await page.context().close();
  }
  const sorted = weights.toSorted(([, one], [, other]) => other - one);
  process.stdout.write(`first loads: ${sorted.map(([name, bytes, files]) => `${name} ${Math.round(bytes / 1000)} kB in ${files}`).join(", ")}\n`);
  expect(unused).toEqual([]);
  expect(sorted.filter(([, bytes]) => bytes > MOST_BYTES)).toEqual([]);
});

it.each([
  { width: 1280, height: 800, slow: false },
  { width: 1280, height: 800, slow: true },
  { width: 360, height: 740, slow: true },
])("nothing moves while a page comes up, $width wide, slow: $slow", { timeout: 900_000 }, async (options) => {
  const state = await signedIn();
  const moved: { page: string; shift: number; what: string[] }[] = [];
  for (const one of pages) {
    const { page } = await comesUp(one, state, options);
    const shifts = await page.evaluate(() => (globalThis as unknown as { shifts: Shift[] }).shifts);
    moved.push({ page: one.name, shift: shifts.reduce((sum, { value }) => sum + value, 0), what: shifts.map(({ what }) => what) });
    await page.context().close();
  }
  process.stdout.write(`shifts: ${moved.map(({ page, shift }) => `${page} ${shift.toFixed(4)}`).join(", ")}\n`);
  expect(moved.filter(({ shift }) => shift >= MOST_SHIFT)).toEqual([]);
});
