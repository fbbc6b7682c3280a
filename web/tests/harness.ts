// A server of its own with its sandbox, and a browser: what every journey needs.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
/**
 * How many times slower the browser is made, and how late answers come: `ONWARD_SLOW=4 scripts/web.sh journeys` finds what counts
 * on a fast machine. 1 leaves it as it is.
 */
const SLOWER = Number(process.env.ONWARD_SLOW ?? "1");
/** Milliseconds after which something that was waited for will not come any more, on a slow and busy machine either. */
export const PATIENCE_MS = 60_000;
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where the browser is, `ONWARD_CHROMIUM` first. */
export function browserPath(): string {
  const found = [process.env.ONWARD_CHROMIUM ?? "", ...CHROMIUM].find((file) => file !== "" && existsSync(file));
  if (found === undefined) {
    throw new Error("Chromium is not installed; scripts/web.sh installs Debian's");
  }
  return found;
}

/** The built server, `ONWARD` first. */
function binary(): string {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target");
  const found = [process.env.ONWARD ?? "", path.join(target, "debug/onward"), path.join(target, "release/onward")].find((file) => file !== "" && existsSync(file));
  if (found === undefined) {
    throw new Error("there is no built server; run `cargo build`, or name one with ONWARD");
  }
  return found;
}

export interface Served {
  url: string;
  set_up_url: string | null;
  demo: { sandbox: string; email: string; password: string; token: string } | null;
}

/** A server on a free port with a home of its own, which goes with it. */
export class Server {
  #home = "";
  served: Served = { url: "", set_up_url: null, demo: null };
  #process: ChildProcess | null = null;

  /** Starts it, or starts it again on what it left; `--listen` keeps its port. */
  async go(...flags: string[]): Promise<void> {
    this.#home ||= mkdtempSync(path.join(tmpdir(), "onward-web-"));
    const listen = this.served.url === "" ? "127.0.0.1:0" : new URL(this.served.url).host;
    const running = spawn(binary(), ["serve", "--json", "--listen", listen, ...flags], {
      cwd: this.#home,
      env: { ...process.env, ONWARD_LOG: "warn", ONWARD_DATABASE_URL: "sqlite://onward.db" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = running;
    let said = "";
    running.stderr?.on("data", (text: Buffer) => {
      said += text.toString();
    });
    this.served = await new Promise<Served>((done, failed) => {
      let text = "";
      running.on("exit", (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
      createInterface({ input: running.stdout as NonNullable<typeof running.stdout> }).on("line", (line) => {
        text += `${line}\n`;
        try {
          done(JSON.parse(text) as Served);
        } catch {
          // Not all of it yet.
        }
      });
    });
  }

  /** As `kill -9` would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    if (this.#home !== "") {
      rmSync(this.#home, { recursive: true, force: true });
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    if (running !== null && running.exitCode === null && running.signalCode === null) {
      const ended = new Promise((done) => running.once("exit", done));
      running.kill(signal);
      await ended;
    }
  }

  get demo(): NonNullable<Served["demo"]> {
    if (this.served.demo === null) {
      throw new Error("this server is no demonstration");
    }
    return this.served.demo;
  }

  /** Asks the API, past the app. */
  async api<Answer>(address: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.demo.token}`, "content-type": "application/json" };
    const answer = await fetch(`${this.served.url}/api/v1${address}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!answer.ok) {
      throw new Error(`${method} ${address}: ${answer.status} ${await answer.text()}`);
    }
    const text = await answer.text();
    return (text === "" ? null : JSON.parse(text)) as Answer;
  }

  /** Writes as a customer of the demonstration, as WhatsApp would deliver it. */
  async customerWrites(phone: string, name: string, text: string): Promise<void> {
    const answer = await fetch(`${this.demo.sandbox}/sandbox/customers/${phone}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, text }),
    });
    if (!answer.ok) {
      throw new Error(`the sandbox answered ${answer.status}: ${await answer.text()}`);
    }
  }

  /** What a customer's phone shows once it has so many messages of ours. */
  async phoneShows(phone: string, atLeast: number): Promise<string> {
    const answer = await fetch(`${this.demo.sandbox}/sandbox/customers/${phone}/messages?at_least=${atLeast}`);
    return await answer.text();
  }
}

export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: browserPath(), args: QUIET });
}

export type PageOptions = Parameters<Browser["newContext"]>[0];

export interface OpenedPage {
  page: Page;
  context: BrowserContext;
  /** What the page said that a page must never say. */
  complaints: string[];
}

/** Makes the pages of a context slow: what they do, and when they get answers, each of them at another moment. */
async function slowDown(context: BrowserContext): Promise<void> {
  context.on("page", (page) => {
    void context.newCDPSession(page).then((session) => session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER })).catch(() => undefined);
  });
  let number = 0;
  await context.route("**/api/v1/**", async (route) => {
    number += 1;
    await new Promise((done) => setTimeout(done, 40 * SLOWER * ((number * 7) % 5)));
    await route.continue().catch(() => undefined);
  });
}

/** A page of the app that notes what a page must never do. */
export async function openPage(browser: Browser, options: PageOptions = {}): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  if (SLOWER > 1) {
    await slowDown(context);
  }
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    // A refused request is told by the browser too; whether it may be is each journey's business.
    if (message.type() === "error" && !text.startsWith("Failed to load resource") && !text.includes("WebSocket connection to")) {
      complaints.push(text);
    }
  });
  return { page, context, complaints };
}

/** What the journeys of a file, or of a `describe`, share. */
export interface Stage {
  /** Serves from before the first journey until after the last. */
  server: Server;
  openPage: (options?: PageOptions) => Promise<OpenedPage>;
}

/** Sets the stage: a server with these flags, a browser, and what `prepare` does with the server. */
export function stage({ flags = ["--demo"], prepare }: { flags?: readonly string[]; prepare?: (server: Server) => Promise<void> } = {}): Stage {
  const server = new Server();
  let browser: Browser | undefined;
  beforeAll(async () => {
    [, browser] = await Promise.all([server.go(...flags), openBrowser()]);
    await prepare?.(server);
  });
  // Pages of one journey do nothing during the next.
  afterEach(async () => {
    await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
  });
  afterAll(async () => {
    await browser?.close();
    await server.stop();
  });
  return {
    server,
    openPage: async (options) => {
      if (browser === undefined) {
        throw new Error("there is no browser before the first journey begins");
      }
      return await openPage(browser, options);
    },
  };
}

/** Signs in, with the demonstration's user if no other is named, whatever the language. */
export async function signIn(page: Page, server: Server, at = "/", who: { email: string; password: string } = server.demo): Promise<void> {
  await page.goto(server.served.url + at);
  await page.locator("input[type=email]").fill(who.email);
  await page.locator("input[type=password]").fill(who.password);
  await page.locator("button[type=submit]").click();
  await page.locator("#content").waitFor();
}

/** Waits until nothing moves: what opened is open, and has its colours. What turns for ever, as a sign of waiting, may go on. */
export async function still(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await frame();
      const moving = document.getAnimations().filter((one) => one.playState === "running" && one.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
      if (moving.length > 0) {
        await Promise.allSettled(moving.map(({ finished }) => finished));
        quiet = -1;
      }
    }
  });
}

/** Where something is, once it stays there. */
export async function placeOf(one: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  return await one.evaluate(async (element) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const read = () => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x, y, width, height };
    };
    let place = read();
    for (let same = 0; same < 6; same += 1) {
      await frame();
      const now = read();
      same = now.x === place.x && now.y === place.y && now.width === place.width && now.height === place.height ? same : -1;
      place = now;
    }
    return place;
  });
}

/** Drags the middle of one thing to the middle of another, by the mouse. */
export async function drag(page: Page, from: Locator, to: Locator): Promise<void> {
  const middle = async (one: Locator) => {
    const { x, y, width, height } = await placeOf(one);
    return { x: x + width / 2, y: y + height / 2 };
  };
  const begin = await middle(from);
  const end = await middle(to);
  await page.mouse.move(begin.x, begin.y);
  await page.mouse.down();
  await page.mouse.move(begin.x, begin.y + 30, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 10 });
  await page.mouse.up();
}

/** How long the work below takes in a browser on the machine that promises of time are made for: two cores of a small server. */
const WORK_MS = 20;

/**
 * How many times slower than that machine this one is just now, with whatever else it does; at least 1. A promise of so many
 * milliseconds is held to on any machine when it is multiplied with this.
 */
export async function slowness(page: Page): Promise<number> {
  const took = await page.evaluate(() => {
    const work = () => {
      const begun = performance.now();
      let seed = 1;
      const numbers = Array.from({ length: 30_000 }, () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed;
      });
      const words = numbers.toSorted((one, other) => one - other).map(String);
      const text = JSON.stringify(words);
      return text.length > 0 ? performance.now() - begun : 0;
    };
    return Array.from({ length: 9 }, work).toSorted((one, other) => one - other)[4] ?? 0;
  });
  return Math.max(1, took / WORK_MS);
}

const AXE = readFileSync(path.resolve(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with the page by WCAG 2.2 AA and its own best practices, as sentences. */
export async function axe(page: Page): Promise<string[]> {
  await still(page);
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    const { axe: engine } = globalThis as unknown as {
      axe: { run: (context: Document, options: object) => Promise<{ violations: { id: string; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }[] }> };
    };
    const { violations } = await engine.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help} at ${JSON.stringify(node.target)} ${node.failureSummary ?? ""}`));
  });
}
