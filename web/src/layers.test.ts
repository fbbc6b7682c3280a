// Arrows point down: a folder imports only from itself and from those below it. ARCHITECTURE.md says what each is.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";

const SOURCES = import.meta.dirname;
const LAYERS = ["app", "pages", "builder", "parts", "texts", "client"];

function arrowsUp(file: string): string[] {
  const from = file.split(path.sep)[0] ?? "";
  const text = readFileSync(path.join(SOURCES, file), "utf8");
  const imports = [...text.matchAll(/(?:from|import|import\()\s*"(\.[^"]+)"/g)].map(([, to]) => path.relative(SOURCES, path.resolve(SOURCES, path.dirname(file), to ?? "")));
  return imports.filter((to) => LAYERS.indexOf(to.split(path.sep)[0] ?? "") < LAYERS.indexOf(from)).map((to) => `${file} imports ${to}`);
}

it("no folder imports from one above it", () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file) && file.includes(path.sep));
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap(arrowsUp)).toEqual([]);
});
