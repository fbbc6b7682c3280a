// axe finds nothing on any page, light and dark, in both directions, nor in what opens over a page.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axe, openBrowser, openPage, Server, signIn } from "./harness";
import { type AppPage, pagesOf, visit } from "./pages";

let server: Server;
let browser: Browser;
let pages: AppPage[];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start("--demo"), openBrowser()]);
  pages = await pagesOf(server);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

/** Everything that axe finds on all pages, each named by its page. */
async function found(page: Page): Promise<string[]> {
  const all: string[] = [];
  for (const one of pages) {
    await visit(page, server, one);
    all.push(...(await axe(page)).map((problem) => `${one.name}: ${problem}`));
  }
  return all;
}

describe("axe finds nothing", () => {
  it("on the sign-in", async () => {
    const { page } = await openPage(browser);
    await page.goto(server.served.url);
    await page.getByLabel("E-mail").waitFor();
    expect(await axe(page)).toEqual([]);
  });
  it.each(["light", "dark"] as const)("on any page, %s", async (colorScheme) => {
    const { page, complaints } = await openPage(browser, { colorScheme });
    await signIn(page, server);
    expect(await found(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });
  it("on any page in Arabic, on a phone", async () => {
    const { page } = await openPage(browser, { locale: "ar", viewport: { width: 360, height: 740 } });
    await page.goto(server.served.url);
    await page.locator("input[type=email]").fill(server.demo.email);
    await page.locator("input[type=password]").fill(server.demo.password);
    await page.locator("button[type=submit]").click();
    await page.locator("#content").waitFor();
    expect(await page.evaluate(() => document.documentElement.dir)).toBe("rtl");
    expect(await found(page)).toEqual([]);
  });
  it("in what opens over a page", async () => {
    const { page } = await openPage(browser);
    await signIn(page, server);
    const at = async (name: string) => {
      const wanted = pages.find((one) => one.name === name);
      if (wanted !== undefined) {
        await visit(page, server, wanted);
      }
    };
    const openings: [string, () => Promise<void>][] = [
      ["contacts", () => page.keyboard.press("Control+k")],
      ["contacts", () => page.getByRole("button", { name: "Add a contact" }).click()],
      ["home", () => page.getByRole("button", { name: /Language, appearance/ }).click()],
      ["workflows", () => page.getByRole("button", { name: "New workflow" }).click()],
      ["run-failed", () => page.getByRole("button", { name: "Retry" }).click()],
      ["run-failed", () => page.getByRole("button", { name: "Skip the step" }).click()],
      ["failures", () => page.getByRole("button", { name: "Retry all" }).first().click()],
      ["settings-connections", () => page.getByRole("button", { name: "Add a connection" }).click()],
      ["settings-users", () => page.getByRole("button", { name: "Add a user" }).click()],
      ["settings-tokens", () => page.getByRole("button", { name: "Make a token" }).click()],
    ];
    for (const [name, open] of openings) {
      await at(name);
      await open();
      await page.locator('[role="dialog"], [role="menu"]').first().waitFor();
      // Colours are looked at once the opening is over.
      await page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== "running"));
      expect({ name, found: await axe(page) }).toEqual({ name, found: [] });
    }
  });
});
