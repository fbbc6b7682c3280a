// The main job: a customer writes, appears, is answered, and what ran for them can be seen.

import { expect, it } from "vitest";
import { signIn, slowness, stage } from "./harness";

const { server, openPage } = stage();

/** What the page's socket has told. */
interface Live {
  /** When a contact of a name was told of. */
  heard: Record<string, number>;
  listens: boolean;
}

it("a customer writes, appears without reload, is answered, and the run is shown", async () => {
  const { page, complaints } = await openPage();
  await signIn(page, server, "/contacts");
  await page.getByText("Nobody is here yet").waitFor();

  // HTML in a name is a name.
  await server.customerWrites("919812345670", "<b>Meera</b>", "hello <img src=x onerror=alert(1)>");
  await page.getByRole("link", { name: "<b>Meera</b>" }).click();
  await page.getByRole("heading", { level: 1, name: "<b>Meera</b>" }).waitFor();
  await page.getByText("hello <img src=x onerror=alert(1)>").waitFor();
  await page.getByRole("link", { name: "Open the conversation" }).click();
  await page.getByRole("region", { name: "Messages" }).getByText("Shall we call you?").waitFor();

  // By keyboard alone: into the field, and Enter sends.
  await page.getByLabel("Your answer").focus();
  await page.keyboard.type("We call you at four.");
  await page.keyboard.press("Enter");
  const answer = page.getByRole("region", { name: "Messages" }).getByRole("listitem").filter({ hasText: "We call you at four." });
  await answer.getByText(/Delivered|Read/).waitFor();
  expect(await server.phoneShows("919812345670", 2)).toContain("We call you at four.");
  expect(await page.getByLabel("Your answer").inputValue()).toBe("");

  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.getByRole("link", { name: "first-reply" }).click();
  await page.getByText("It waits for an event").waitFor();
  await page.getByRole("button", { name: /hello/ }).click();
  await page.getByRole("region", { name: "What went in" }).getByText("Shall we call you?").waitFor();
  expect(complaints).toEqual([]);
});

it("a new lead is on the screen within 100 ms of the server's commit", async () => {
  const { page } = await openPage();
  // The server tells of a change right after its commit; when that word comes in is noted here.
  await page.addInitScript(() => {
    const live: Live = { heard: {}, listens: false };
    Object.assign(globalThis, { live });
    globalThis.WebSocket = class extends WebSocket {
      constructor(...wanted: ConstructorParameters<typeof WebSocket>) {
        super(...wanted);
        this.addEventListener("message", ({ data }) => {
          const { topic, data: facts } = JSON.parse(String(data)) as { topic: string; data: { event?: string; name?: string } };
          live.listens ||= topic === "ready";
          if (facts.event === "contact.created") {
            live.heard[facts.name ?? ""] = performance.now();
          }
        });
      }
    };
  });
  await server.customerWrites("919812345699", "Somebody", "hello");
  await signIn(page, server, "/contacts");
  await page.getByRole("link", { name: "Somebody" }).waitFor();
  await page.waitForFunction(() => (globalThis as unknown as { live: Live }).live.listens);
  const took: number[] = [];
  for (let number = 0; number < 9; number += 1) {
    const name = `Lead ${number} of the measure`;
    const after = page.evaluate(async (wanted) => {
      await new Promise<void>((done) => {
        const look = () => {
          if (document.querySelector("tbody")?.textContent?.includes(wanted) === true) {
            observer.disconnect();
            done();
          }
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
        look();
      });
      return performance.now() - ((globalThis as unknown as { live: Live }).live.heard[wanted] ?? Number.NaN);
    }, name);
    await server.customerWrites(`91981234560${number}`, name, "hello");
    took.push(Math.round(await after));
  }
  const sorted = took.toSorted((one, other) => one - other);
  const slower = await slowness(page);
  process.stdout.write(`milliseconds from the commit to the screen: ${sorted.join(", ")}, on a machine ${slower.toFixed(1)} times as slow as it may be\n`);
  expect(sorted[4]).toBeLessThan(100 * slower);
});
