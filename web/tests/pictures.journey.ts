// Every page as a picture, to be looked at: three sizes, both directions, and dark. Only when asked for (`scripts/web.sh pictures`).

import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, it } from "vitest";
import { signIn, stage } from "./harness";
import { type AppPage, pagesOf, visit } from "./pages";

const FOLDER = path.resolve(import.meta.dirname, "../pictures");
const SIZES = [
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
  { width: 3840, height: 2160 },
];
const LOOKS = [
  ...SIZES.flatMap((size) => [
    { ...size, language: "en", scheme: "light" as const },
    { ...size, language: "ar", scheme: "light" as const },
  ]),
  { width: 1280, height: 800, language: "fr", scheme: "dark" as const },
];

describe.runIf(process.env.ONWARD_PICTURES !== undefined)("pictures", () => {
  let pages: AppPage[] = [];
  const { server, openPage } = stage({
    prepare: async (started) => {
      pages = await pagesOf(started);
    },
  });
  it.each(LOOKS)("at $width in $language, $scheme", { timeout: 600_000 }, async ({ width, height, language, scheme }) => {
    const folder = path.join(FOLDER, `${width}-${language}-${scheme}`);
    mkdirSync(folder, { recursive: true });
    const { page } = await openPage({ viewport: { width, height }, locale: language, colorScheme: scheme });
    await page.goto(server.served.url);
    await page.locator("input[type=email]").waitFor();
    await page.screenshot({ path: path.join(folder, "sign-in.png") });
    await signIn(page, server);
    for (const one of pages) {
      await visit(page, server, one);
      await page.screenshot({ path: path.join(folder, `${one.name}.png`), animations: "disabled" });
    }
  });
});
