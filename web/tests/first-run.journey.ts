// A server that nobody has used: the first user is made in the browser, and only with the server's code.

import { expect, it } from "vitest";
import { axe, signIn, stage } from "./harness";

const { server, openPage } = stage({ flags: [] });

it("makes the first user with the code of the server's start, and from then on asks to sign in", async () => {
  const stranger = await openPage();
  await stranger.page.goto(server.served.url);
  await stranger.page.getByRole("heading", { name: "Set up Onward" }).waitFor();
  expect(await axe(stranger.page)).toEqual([]);
  await stranger.page.getByLabel("Set-up code").fill("0000");
  await stranger.page.getByLabel("Your name").fill("Nobody");
  await stranger.page.getByLabel("E-mail").fill("nobody@example.com");
  await stranger.page.locator("input[type=password]").fill("correct horse battery");
  await stranger.page.getByRole("button", { name: "Make the first user" }).click();
  await stranger.page.getByRole("alert").getByText("this is not the code").waitFor();

  const { page, complaints } = await openPage();
  await page.goto(server.served.set_up_url ?? "");
  await page.getByLabel("Your name").fill("Meera");
  await page.getByLabel("E-mail").fill("meera@example.com");
  await page.locator("input[type=password]").fill("correct horse battery");
  await page.getByRole("button", { name: "Make the first user" }).click();
  await page.getByRole("heading", { name: "Hello, Meera" }).waitFor();
  expect(new URL(page.url()).search).toBe("");
  // Every list is empty, and says what to do next.
  for (const [path, says] of [
    ["/contacts", "Nobody is here yet"],
    ["/conversations", "No conversation here"],
    ["/runs", "Nothing has run yet"],
    ["/runs?view=failures", "Nothing has failed"],
    ["/settings", "Nothing is connected yet"],
    ["/settings?tab=tokens", "There is no token yet"],
  ] as const) {
    await page.goto(server.served.url + path);
    await page.getByText(says).waitFor();
    expect({ path, found: await axe(page) }).toEqual({ path, found: [] });
  }
  expect(complaints).toEqual([]);

  await stranger.page.reload();
  await stranger.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await stranger.page.getByLabel("E-mail").fill("meera@example.com");
  await stranger.page.locator("input[type=password]").fill("correct horse battery");
  await stranger.page.getByRole("button", { name: "Sign in" }).click();
  await stranger.page.getByRole("heading", { name: "Hello, Meera" }).waitFor();
});

it("one click makes a workflow of the gallery a draft and opens it", async () => {
  const { page } = await openPage();
  await signIn(page, server, "/gallery", { email: "meera@example.com", password: "correct horse battery" });
  await page.getByRole("button", { name: "Use welcome-new-lead" }).click();
  await page.waitForURL("**/workflows/welcome-new-lead");
  await page.goto(`${server.served.url}/gallery`);
  await page.getByRole("button", { name: "Use welcome-new-lead" }).click();
  await page.waitForURL("**/workflows/welcome-new-lead-2");
  await page.goto(`${server.served.url}/workflows`);
  await page.getByRole("link", { name: "welcome-new-lead-2" }).waitFor();
});
