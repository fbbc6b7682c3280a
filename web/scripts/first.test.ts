// What is asked for before the app is there is what its pages are and where they stand.

import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { PLACES as OF_THE_APP } from "../src/app/shell/navigation";
import { FIRST, ON_A_PHONE, PLACES } from "./first";

const ROUTER = readFileSync(path.resolve(import.meta.dirname, "../src/app/router.tsx"), "utf8");

/** The pages of the router with the addresses that they have, those inside another with both. */
function pagesOfTheRouter(): Map<string, string> {
  const routes = [...ROUTER.matchAll(/const (\w+) = createRoute\(\{([^]*?)\n?\}\);/g)].map(([, name, text = ""]) => ({
    name: name ?? "",
    parent: /getParentRoute: \(\) => (\w+)/.exec(text)?.[1] ?? "",
    path: /path: "([^"]*)"/.exec(text)?.[1] ?? "",
    page: /import\("\.\.\/([^"]*)"\)/.exec(text)?.[1] ?? "",
  }));
  return new Map(
    routes.map(({ parent, path: own, page }) => {
      const above = routes.find(({ name }) => name === parent)?.path ?? "";
      return [page, `${above}/${own}`.replaceAll(/\/+/g, "/").replace(/(.)\/$/, "$1")];
    }),
  );
}

describe("what the first page needs", () => {
  const pages = pagesOfTheRouter();
  it("is known of every page of the router, and of no other", () => {
    expect(pages.size).toBe(12);
    const asked = new Set(FIRST.flatMap(({ modules }) => modules));
    expect([...pages.keys()].filter((page) => !asked.has(page))).toEqual([]);
    expect([...asked].filter((page) => !pages.has(page))).toEqual([]);
  });
  it("is asked for at the page's own address", () => {
    for (const { path: address, modules } of FIRST) {
      // A page inside another stands last, and has the whole address.
      expect(pages.get(modules.at(-1) ?? "")).toBe(address);
    }
  });
  it("is drawn with the signs of the app's places", () => {
    const sign = ({ icon }: (typeof OF_THE_APP)[number]) => (icon as { displayName?: string }).displayName;
    const component = (name: string) => name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect(PLACES.map(component)).toEqual(OF_THE_APP.map(sign));
    expect(ON_A_PHONE.map(component)).toEqual([...OF_THE_APP.filter(({ onPhone }) => onPhone).map(sign), "Dots"]);
  });
});
