// The main job without a mouse, from the sign-in to the answer.

import type { Locator, Page } from "playwright-core";
import { expect, it } from "vitest";
import { stage } from "./harness";

const { server, openPage } = stage();

/** The name of what has the focus, as a screen reader would say it, shortened. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate(() => {
    const element = document.activeElement as HTMLElement | null;
    return (element?.getAttribute("aria-label") ?? element?.textContent ?? "").trim();
  });
}

/** Presses Tab until something of this name has the focus, once it is there. */
async function tabTo(page: Page, role: "button" | "link" | "textbox", name: string): Promise<void> {
  await page.getByRole(role, { name, exact: true }).waitFor();
  for (let presses = 0; presses < 60; presses += 1) {
    if ((await focused(page)) === name) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reaches ${name}; it is at ${await focused(page)}`);
}

/** Waits until letters go there. */
async function hasFocus(one: Locator): Promise<void> {
  await expect.poll(() => one.evaluate((element) => element === document.activeElement)).toBe(true);
}

it("signs in, finds a customer, answers, and pauses their run by keyboard alone", async () => {
  await server.customerWrites("919812345670", "Meera Nair", "hello");
  const { page } = await openPage();
  await page.goto(server.served.url);
  await page.getByLabel("E-mail").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(server.demo.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(server.demo.password);
  await page.keyboard.press("Enter");
  await page.locator("#content h1").waitFor();

  // The first stop leads past the places.
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("content");

  await page.keyboard.press("Control+k");
  await hasFocus(page.getByRole("combobox", { name: "Go anywhere" }));
  await page.keyboard.type("meera");
  await page.getByRole("option", { name: /Meera Nair/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Meera Nair" }).waitFor();

  await tabTo(page, "link", "Open the conversation");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Messages" }).waitFor();
  await tabTo(page, "textbox", "Your answer");
  await page.keyboard.type("Good morning");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Messages" }).getByRole("listitem").filter({ hasText: "Good morning" }).waitFor();

  // Escape leads back to where one was, with what one was writing.
  await tabTo(page, "textbox", "Your answer");
  await page.keyboard.type("Half");
  await page.keyboard.press("Control+k");
  await hasFocus(page.getByRole("combobox", { name: "Go anywhere" }));
  await page.keyboard.press("Escape");
  await page.getByRole("combobox", { name: "Go anywhere" }).waitFor({ state: "detached" });
  await hasFocus(page.getByLabel("Your answer"));
  await page.keyboard.type(" a word");
  expect(await page.getByLabel("Your answer").inputValue()).toBe("Half a word");

  await page.keyboard.press("Control+k");
  await hasFocus(page.getByRole("combobox", { name: "Go anywhere" }));
  await page.keyboard.type("runs");
  await page.getByRole("option", { name: /^Runs/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
  await tabTo(page, "link", "first-reply");
  await page.keyboard.press("Enter");
  await tabTo(page, "button", "Pause");
  await page.keyboard.press("Enter");
  await page.getByText("It is paused").waitFor();
  await tabTo(page, "button", "Resume");
  await page.keyboard.press("Enter");
  await page.getByText("It waits for an event").waitFor();
});
