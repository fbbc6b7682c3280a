// What the first page needs, whichever it is, known before any of its code runs: its files and its first questions to the server.
// The build writes it into `start.js`, with the files' names.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "vite";
import { LANGUAGES } from "../src/texts/languages.ts";
import { filesOf, type Manifest } from "./manifest.ts";

interface First {
  /** As the router has it. */
  path: string;
  /** The page's own module, and those of what is shown in it. */
  modules: readonly string[];
  /** What it asks the API as soon as it is there, without search parameters of its own. */
  asks: readonly string[];
  /** What it asks as well where there is room beside it: not on a phone. */
  beside?: readonly string[];
  /** It speaks from the builder's catalogue. */
  builder?: boolean;
}

/** `first.test.ts` holds it against the router, the journey `loading` against what pages ask. */
export const FIRST: readonly First[] = [
  { path: "/", modules: ["pages/home/HomePage"], asks: ["overview", "runs/failures?limit=5"] },
  { path: "/contacts", modules: ["pages/contacts/ContactsPage"], asks: ["companies?limit=100", "contacts?limit=50"] },
  {
    path: "/contacts/$id",
    modules: ["pages/contacts/ContactPage"],
    asks: ["contacts/$id", "conversations?contact=$id&limit=1", "contacts/$id/timeline?limit=50"],
  },
  { path: "/conversations", modules: ["pages/conversations/ConversationsPage", "pages/conversations/NoConversation"], asks: ["users", "teams", "conversations?limit=50&status=open"] },
  {
    path: "/conversations/$id",
    modules: ["pages/conversations/ConversationsPage", "pages/conversations/ConversationPage"],
    asks: ["users", "teams", "conversations/$id/messages?limit=50", "conversations/$id"],
    beside: ["conversations?limit=50&status=open"],
  },
  { path: "/workflows", modules: ["pages/workflows/WorkflowsPage"], asks: ["workflows?limit=50"] },
  { path: "/workflows/$name", modules: ["pages/workflows/BuilderPage"], asks: ["workflows/$name", "workflows/$name/draft", "nodes", "event-types"], builder: true },
  { path: "/runs", modules: ["pages/runs/RunsPage"], asks: ["runs?limit=50", "workflows?limit=100"] },
  { path: "/runs/$id", modules: ["pages/runs/RunPage"], asks: ["runs/$id", "runs/$id/history"] },
  { path: "/gallery", modules: ["pages/gallery/GalleryPage"], asks: ["gallery", "workflows?limit=100"] },
  { path: "/settings", modules: ["pages/settings/SettingsPage"], asks: ["connections?limit=100"] },
];
const SIGN_IN = { modules: ["app/session/SignInPage"], asks: ["auth/first-run"] };
/** What the app asks before it draws any page. */
const ALWAYS = ["auth/session", "about"];
const API = "/api/v1/";

/** The signs of the places, as `navigation.ts` has them, on the side and at the bottom of a phone. */
export const PLACES = ["home-2", "messages", "address-book", "bolt", "player-play", "template", "settings"] as const;
export const ON_A_PHONE = ["home-2", "messages", "address-book", "player-play", "dots"] as const;

type Sign = readonly (readonly [tag: string, attributes: Readonly<Record<string, string>>])[];

/** The same drawings as the app has: nothing jumps when it takes their place. */
function places(size: number, names: readonly string[]): string {
  return names
    .map((name) => {
      const file = path.resolve(import.meta.dirname, `../node_modules/@tabler/icons-react/dist/esm/icons/Icon${name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}.mjs`);
      const drawn = JSON.parse(/const __iconNode = (\[.*?\]);$/m.exec(readFileSync(file, "utf8"))?.[1] ?? "[]") as Sign;
      const parts = drawn.map(([tag, attributes]) => `<${tag} ${Object.entries(attributes).flatMap(([key, value]) => (key === "key" ? [] : [`${key}="${value}"`])).join(" ")}/>`);
      return `<svg viewBox="0 0 24 24" width="${size}" height="${size}" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">${parts.join("")}</svg>`;
    })
    .join("");
}

/** An address of the router as the pattern of paths, and how its parameters are put into another. */
function patternOf(address: string): { pattern: string; fill: (ask: string) => string } {
  const names = [...address.matchAll(/\$(\w+)/g)].map(([, name]) => name ?? "");
  const pattern = `^${address.replaceAll(/\$\w+/g, "([^/]+)")}$`;
  return { pattern, fill: (ask) => names.reduce((text, name, index) => text.replaceAll(`$${name}`, `$${index + 1}`), API + ask) };
}

/** What `start.js` is told. */
function needsOf(manifest: Manifest, there: ReadonlySet<string>): object {
  const files: string[] = [];
  const indexesOf = (modules: readonly string[]): number[] =>
    [...filesOf(manifest, modules)]
      .filter((file) => !there.has(file))
      .map((file) => {
        const known = files.indexOf(file);
        return known < 0 ? files.push(file) - 1 : known;
      });
  const moduleOf = (name: string): string => {
    const module = `src/${name}.tsx`;
    if (manifest[module] === undefined) {
      throw new Error(`${module} is no file of its own; take it out of scripts/first.ts`);
    }
    return module;
  };
  const textsOf = (nameOf: (language: string) => string) => Object.fromEntries(LANGUAGES.map((language) => [language, indexesOf([nameOf(language)])]));
  return {
    texts: textsOf((language) => `src/texts/${language}.ts`),
    asks: ALWAYS.map((ask) => API + ask),
    signIn: { files: indexesOf(SIGN_IN.modules.map(moduleOf)), asks: SIGN_IN.asks.map((ask) => API + ask) },
    pages: FIRST.map(({ path: address, modules, asks, beside, builder }) => {
      const { pattern, fill } = patternOf(address);
      return { path: pattern, files: indexesOf(modules.map(moduleOf)), asks: asks.map(fill), ...(beside && { beside: beside.map(fill) }), ...(builder === true && { texts: textsOf((language) => `src/texts/${language}/builder.json`) }) };
    }),
    files,
  };
}

/** Writes into the built `start.js` what pages need, draws the shell into the page, and puts the styles behind what is shown before they are there. */
export function firstLoads(): Plugin {
  return {
    name: "onward-first-loads",
    enforce: "post",
    writeBundle({ dir = "dist" }) {
      const at = (name: string): string => path.join(dir, name);
      const manifest = JSON.parse(readFileSync(at(".vite/manifest.json"), "utf8")) as Manifest;
      const page = readFileSync(at("index.html"), "utf8");
      // In the order in which they need each other.
      const entry = [...page.matchAll(/<script type="module"[^>]*src="\/([^"]*)">/g)].map(([, file]) => file);
      const there = new Set([...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file ?? ""));
      const start = readFileSync(at("start.js"), "utf8");
      const written = start.replace("var needs = null;", () => `var needs = ${JSON.stringify({ ...needsOf(manifest, there), entry })};`);
      if (written === start || entry.length === 0) {
        throw new Error("start.js has no place for what pages need, or the page has no entry");
      }
      writeFileSync(at("start.js"), written);
      const styles = page.match(/ *<link rel="stylesheet"[^>]*>\n/g) ?? [];
      // The entry is begun by `start.js`, and fetched meanwhile; what is first on the screen needs neither it nor the styles.
      const without = styles
        .reduce((text, style) => text.replace(style, ""), page)
        .replaceAll(/<script type="module"([^>]*) src="([^"]*)"><\/script>/g, '<link rel="modulepreload" fetchpriority="low"$1 href="$2">');
      writeFileSync(at("index.html"), without.replace(/ *<!-- styles -->\n/, () => styles.join("").replaceAll('rel="stylesheet"', 'rel="stylesheet" fetchpriority="low"')));
    },
    transformIndexHtml: (html) => html.replace("<!-- places -->", places(19, PLACES)).replace("<!-- places on a phone -->", places(21, ON_A_PHONE)),
  };
}
