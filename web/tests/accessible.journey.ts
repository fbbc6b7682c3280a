// axe finds nothing on any page, light and dark, in both directions, nor in what opens over a page.

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { axe, signIn, stage } from "./harness";
import { type AppPage, pagesOf, visit } from "./pages";

let pages: AppPage[] = [];
const { server, openPage } = stage({
  prepare: async (started) => {
    pages = await pagesOf(started);
  },
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
    const { page } = await openPage();
    await page.goto(server.served.url);
    await page.getByLabel("E-mail").waitFor();
    expect(await axe(page)).toEqual([]);
  });
  it.each(["light", "dark"] as const)("on any page, %s", async (colorScheme) => {
    const { page, complaints } = await openPage({ colorScheme });
    await signIn(page, server);
    expect(await found(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });
  it("on any page in Arabic, on a phone", async () => {
    const { page } = await openPage({ locale: "ar", viewport: { width: 360, height: 740 } });
    await signIn(page, server);
    expect(await page.evaluate(() => document.documentElement.dir)).toBe("rtl");
    expect(await found(page)).toEqual([]);
  });
  it("in what opens over a page", async () => {
    const { page } = await openPage();
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
