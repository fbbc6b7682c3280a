// A server of its own with its sandbox, and a browser: what every journey needs.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
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

/** A page of the app that notes what a page must never do. */
export async function openPage(browser: Browser, options: PageOptions = {}): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
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

const AXE = readFileSync(path.resolve(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with the page by WCAG 2.1 AA and its own best practices, as sentences. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    const { axe: engine } = globalThis as unknown as {
      axe: { run: (context: Document, options: object) => Promise<{ violations: { id: string; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }[] }> };
    };
    const { violations } = await engine.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help} at ${JSON.stringify(node.target)} ${node.failureSummary ?? ""}`));
  });
}
