// Every language has every text, with the same values to be filled in; and no visible text stands outside the catalogues.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { CATALOGUES, LANGUAGES } from "./languages";
import { loadCatalogue } from "./start";

const TEXTS = path.resolve(import.meta.dirname);
const SOURCES = path.resolve(TEXTS, "..");

/** Plural forms are of a language: Arabic has six, English two. They count as one key. */
const PLURAL = /_(?:zero|one|two|few|many|other)$/;

function flatten(value: unknown, at: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === "string") {
    into.set(at, value);
  } else {
    for (const [key, inner] of Object.entries(value as Record<string, unknown>)) {
      flatten(inner, at === "" ? key : `${at}.${key}`, into);
    }
  }
  return into;
}

function catalogue(language: string, file: string): Map<string, string> {
  return flatten(JSON.parse(readFileSync(path.join(TEXTS, language, file), "utf8")), "", new Map());
}

function keys(texts: Map<string, string>): string[] {
  return [...new Set([...texts.keys()].map((key) => key.replace(PLURAL, "")))].toSorted();
}

/** The names of the values that are filled into a text. */
function values(text: string): string[] {
  return [...new Set(text.match(/\{\{\s*\w+/g) ?? [])].map((value) => value.replace(/\W/g, "")).toSorted();
}

const files = readdirSync(path.join(TEXTS, "en")).filter((file) => file.endsWith(".json"));

it.each(LANGUAGES)("every catalogue is loaded in %s", async (language) => {
  for (const name of CATALOGUES) {
    expect({ name, texts: Object.keys(await loadCatalogue(language, name)) }).not.toEqual({ name, texts: [] });
  }
});

describe.each(LANGUAGES.filter((language) => language !== "en"))("the catalogues in %s", (language) => {
  it("are the same files as in English", () => {
    expect(readdirSync(path.join(TEXTS, language)).toSorted()).toEqual(readdirSync(path.join(TEXTS, "en")).toSorted());
  });
  it.each(files)("have every text of %s, with the same values", (file) => {
    const english = catalogue("en", file);
    const other = catalogue(language, file);
    expect(keys(other)).toEqual(keys(english));
    for (const [key, text] of other) {
      expect(text.trim(), `${language}/${file} ${key}`).not.toBe("");
      const reference = english.get(key) ?? english.get(key.replace(PLURAL, "_other"));
      const missing = values(text).filter((value) => !values(reference ?? "").includes(value));
      expect(missing, `${language}/${file} ${key} names values that English does not give`).toEqual([]);
    }
  });
  it("have every plural form of the language", () => {
    const wanted = new Intl.PluralRules(language).resolvedOptions().pluralCategories.map((form) => `_${form}`);
    for (const file of files) {
      const texts = catalogue(language, file);
      const plural = keys(catalogue("en", file)).filter((key) => catalogue("en", file).has(`${key}_other`));
      for (const key of plural) {
        const missing = wanted.filter((form) => !texts.has(key + form));
        expect(missing, `${language}/${file} ${key}`).toEqual([]);
      }
    }
  });
});

// Attributes that people read or hear.
const READ = new Set(["title", "label", "placeholder", "aria-label", "alt", "description", "aria-description", "aria-roledescription", "legend", "message"]);
const HAS_WORDS = /\p{L}{2,}/u;

function visibleTexts(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const note = (node: ts.Node, text: string) => {
    if (HAS_WORDS.test(text)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${path.relative(SOURCES, file)}:${line + 1} ${JSON.stringify(text.trim())}`);
    }
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node)) {
      note(node, node.text);
    } else if (ts.isJsxExpression(node) && node.expression !== undefined && ts.isStringLiteralLike(node.expression) && !ts.isJsxAttribute(node.parent)) {
      note(node, node.expression.text);
    } else if (ts.isJsxAttribute(node) && READ.has(node.name.getText(source)) && node.initializer !== undefined) {
      const given = ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer;
      if (given !== undefined && ts.isStringLiteralLike(given)) {
        note(node, given.text);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe("the sources", () => {
  it("say nothing that stands in no catalogue", () => {
    const all = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
    const pages = all.filter((file) => file.endsWith(".tsx") && !file.endsWith(".test.tsx")).map((file) => path.join(SOURCES, file));
    expect(pages.flatMap(visibleTexts)).toEqual([]);
  });
});
