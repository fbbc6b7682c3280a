// @vitest-environment node
import { describe, expect, it } from "vitest";
import { scopeAt } from "../scope/scope";
import { readTree } from "../document/steps";
import { read } from "../document/read";
import { complete, search, withVariable } from "./complete";
import { flat } from "../scope/scope";
import { probeFile } from "./probe";

const source = "name: x\nsteps:\n  - { id: hello, delay: 1h }\n  - { id: end, delay: 1h }\n";
const scope = scopeAt(read(source).value, readTree(source), ["steps", 1], new Map());
const texts = (text: string, bare = false): string[] => complete(text, text.length, scope, bare)?.options.map((option) => option.text) ?? [];

describe("completion", () => {
  it("begins with the names in scope", () => expect(texts("{{ ")).toEqual(expect.arrayContaining(["event", "steps", "contact"])));
  it("goes into a name", () => expect(texts("Hi {{ contact.fir")).toEqual(["first_name"]));
  it("knows steps before this one", () => expect(texts("{{ steps.")).toEqual(["hello"]));
  it("offers filters behind a bar", () => expect(texts("{{ contact.name | def")).toEqual(["default"]));
  it("is silent outside of braces and in quotes", () => {
    expect(complete("Hi contact.", 11, scope, false)).toBeNull();
    expect(complete("{{ 'contact.", 12, scope, false)).toBeNull();
  });
  it("takes a condition as one expression", () => expect(texts("steps.hello.du", true)).toEqual(["due"]));
});

describe("a picked variable", () => {
  it("gets braces where there are none", () => {
    expect(withVariable("Hi ", 3, "contact.name", false).text).toBe("Hi {{ contact.name }}");
    expect(withVariable("{{  }}", 3, "contact.name", false).text).toBe("{{ contact.name }}".replace(" }}", " }}"));
    expect(withVariable("", 0, "contact.name", true).text).toBe("contact.name");
  });
  it("is found by words", () => expect(search(flat(scope), "first").map((one) => one.path)).toEqual(expect.arrayContaining(["contact.first_name"])));
});

describe("the file that tries an expression", () => {
  it("has the steps that it names, and a loop and a catch around it where it needs them", () => {
    const tree = readTree(probeFile("{{ item }}", ["hello"], ["item", "loop", "error"]));
    expect(tree.all.map((step) => step.key)).toContain("probe__");
    expect(tree.all.map((step) => step.verb)).toEqual(expect.arrayContaining(["for_each", "try", "set"]));
  });
});
