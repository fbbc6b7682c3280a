// What the first load weighs, as the built files say: everything before the builder well within 300 kB. `loading` looks at what a
// browser really asks for.

import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { filesOf, type Manifest } from "../scripts/manifest";
import { LANGUAGES } from "../src/texts/languages";

const DIST = path.resolve(import.meta.dirname, "../dist");
const MOST_BYTES = 250_000;

function gzipped(file: string): number {
  try {
    return statSync(path.join(DIST, `${file}.gz`)).size;
  } catch {
    // Too small to be worth it.
    return statSync(path.join(DIST, file)).size;
  }
}

it("the first load is under 250 kB gzip, whichever page is first and in any language", () => {
  const manifest = JSON.parse(readFileSync(path.join(DIST, ".vite/manifest.json"), "utf8")) as Manifest;
  const pages = Object.keys(manifest).filter((name) => /^src\/pages\/.*Page\.tsx$/.test(name) && !name.includes("BuilderPage"));
  expect(pages.length).toBeGreaterThan(7);
  const weights = pages.map((page) => {
    const heaviest = Math.max(
      ...LANGUAGES.map((language) => {
        const needed = filesOf(manifest, ["index.html", page, `src/texts/${language}.ts`]);
        return [...needed].reduce((sum, file) => sum + gzipped(file), gzipped("index.html"));
      }),
    );
    return [page, heaviest] as const;
  });
  const [page, most] = weights.toSorted(([, one], [, other]) => other - one)[0] ?? ["", 0];
  process.stdout.write(`the heaviest first load: ${page}, ${Math.round(most / 1000)} kB\n`);
  expect(most).toBeLessThan(MOST_BYTES);
  // The builder's own libraries come with the builder.
  const early = new Set(pages.flatMap((name) => [...filesOf(manifest, ["index.html", name])]));
  const builder = [...filesOf(manifest, ["src/builder/index.tsx", "src/pages/workflows/BuilderPage.tsx"])].filter((file) => !early.has(file));
  expect(builder.length).toBeGreaterThan(0);
});
