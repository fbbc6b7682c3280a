// What goes wrong around the app: a session that ends while one writes, a server that is killed and comes back.

import { expect, it } from "vitest";
import { signIn, stage } from "./harness";

const { server, openPage } = stage({
  prepare: async (started) => {
    await started.customerWrites("919812345670", "Meera Nair", "hello");
  },
});

it("an ended session is begun again without losing what was typed", async () => {
  const { page } = await openPage();
  await signIn(page, server, "/conversations");
  await page.getByRole("link", { name: /Meera Nair/ }).click();
  await page.getByLabel("Your answer").fill("A long answer that nobody wants to write twice.");
  // A new password ends every session.
  const { items } = await server.api<{ items: { id: string; email: string }[] }>("/users");
  const user = items.find(({ email }) => email === server.demo.email);
  await server.api(`/users/${user?.id}`, { password: "another horse battery" }, "PATCH");

  server.demo.password = "another horse battery";
  await page.getByRole("button", { name: "Send" }).click();
  const dialog = page.getByRole("dialog", { name: "Sign in again" });
  await dialog.waitFor();
  expect(await dialog.getByLabel("E-mail").inputValue()).toBe(server.demo.email);
  await dialog.locator("input[type=password]").fill("wrong");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("the e-mail or the password is wrong").waitFor();
  await dialog.locator("input[type=password]").fill("another horse battery");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await page.getByLabel("Your answer").inputValue()).toBe("A long answer that nobody wants to write twice.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("region", { name: "Messages" }).getByRole("listitem").filter({ hasText: "nobody wants to write twice" }).waitFor();
});

it("a server that is killed and comes back loses nothing, and the page goes on by itself", async () => {
  const { page } = await openPage();
  await signIn(page, server, "/conversations");
  await page.getByRole("link", { name: /Meera Nair/ }).click();
  await page.getByLabel("Your answer").fill("Are you still there?");
  await server.kill();
  await page.getByText("The server is away; trying again").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByText("The server cannot be reached").waitFor();
  expect(await page.getByLabel("Your answer").inputValue()).toBe("Are you still there?");

  await server.go("--demo");
  // The demonstration remembers the password that it made; the user has another one by now.
  server.demo.password = "another horse battery";
  await page.getByText("The server is away; trying again").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Send" }).click();
  const sent = page.getByRole("region", { name: "Messages" }).getByRole("listitem").filter({ hasText: "Are you still there?" });
  await sent.waitFor();
  expect(await sent.count()).toBe(1);
  // And it hears again.
  await server.customerWrites("919812345671", "Jonas Weber", "I am new");
  await page.getByRole("link", { name: /Jonas Weber/ }).waitFor();
});

it("what is typed survives a reload", async () => {
  const { page } = await openPage();
  await signIn(page, server, "/conversations");
  await page.getByRole("link", { name: /Meera Nair/ }).click();
  await page.getByLabel("Your answer").fill("half a sentence");
  await page.reload();
  await page.getByLabel("Your answer").waitFor();
  expect(await page.getByLabel("Your answer").inputValue()).toBe("half a sentence");
});
