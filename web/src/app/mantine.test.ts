// The styles that are loaded are those of the components that are used, and of what those are made of, in Mantine's order.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const SOURCES = path.resolve(import.meta.dirname, "..");
const CORE = path.resolve(SOURCES, "../node_modules/@mantine/core");
const ESM = path.join(CORE, "esm");
const WHOLE = readFileSync(path.join(CORE, "styles.css"), "utf8");
const MODULES = new Map(
  readdirSync(ESM, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".mjs") && !file.endsWith(".module.mjs"))
    .map((file) => [path.basename(file, ".mjs"), path.join(ESM, file)]),
);
/** Shown by `@mantine/notifications`, which is made of it. */
const OF_NOTICES = ["Notification"];

/** The names that the files of a folder take from Mantine. */
function usedIn(folder: string): string[] {
  const files = readdirSync(path.join(SOURCES, folder), { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));
  const lists = files.flatMap((file) => [...readFileSync(path.join(SOURCES, folder, file), "utf8").matchAll(/import \{([^}]*)\} from "@mantine\/core"/g)].map(([, list]) => list ?? ""));
  const names = lists.flatMap((list) => list.split(",")).map((name) => name.trim().replace(/ as .*/, ""));
  return [...new Set(names)].filter((name) => name !== "" && !name.startsWith("type "));
}

/** Notes the styles that a module and all that it imports come with. */
function note(file: string, seen: Set<string>, styles: Set<string>): void {
  if (seen.has(file)) {
    return;
  }
  seen.add(file);
  for (const [, from] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g)) {
    const to = path.resolve(path.dirname(file), from ?? "");
    if (to.endsWith(".module.mjs")) {
      styles.add(path.basename(to, ".module.mjs"));
    } else {
      note(to, seen, styles);
    }
  }
}

function stylesOf(names: readonly string[]): string[] {
  const seen = new Set<string>();
  const styles = new Set<string>();
  for (const name of names) {
    const file = MODULES.get(name);
    if (file !== undefined) {
      note(file, seen, styles);
    }
  }
  return [...styles].filter((name) => existsSync(path.join(CORE, "styles", `${name}.css`))).toSorted((one, other) => place(one) - place(other));
}

function place(name: string): number {
  return WHOLE.indexOf(readFileSync(path.join(CORE, "styles", `${name}.css`), "utf8").trim().slice(0, 200));
}

function imported(file: string): string[] {
  return [...readFileSync(path.join(SOURCES, file), "utf8").matchAll(/@import "@mantine\/core\/styles\/([\w-]+)\.css"/g)].map(([, name]) => name ?? "");
}

describe("Mantine's styles", () => {
  const app = stylesOf([...["app", "parts", "pages"].flatMap(usedIn), ...OF_NOTICES]);
  it("of the app and its pages", () => {
    expect(imported("app/mantine.css")).toEqual(["baseline", "default-css-variables", "global", ...app]);
  });
  it("of what only the builder uses", () => {
    expect(imported("builder/mantine.css")).toEqual(stylesOf(usedIn("builder")).filter((name) => !app.includes(name)));
  });
});
