// @vitest-environment node
import { describe, expect, it } from "vitest";
import { contextAt } from "./context";

/** The context at the `|` of a text. */
function at(text: string) {
  return contextAt(text.replace("|", ""), text.indexOf("|"));
}

describe("where the caret stands", () => {
  it("knows a key at the top", () => {
    expect(at("name: x\nde|")).toMatchObject({ path: [], writes: "key", word: "de", siblings: ["name"] });
  });
  it("knows a key of a step", () => {
    expect(at("steps:\n  - id: a\n    |")).toMatchObject({ path: ["steps", 0], writes: "key" });
    expect(at("steps:\n  - |")).toMatchObject({ path: ["steps", 0], writes: "key" });
  });
  it("knows a value", () => {
    expect(at("steps:\n  - id: a\n    do: mess|")).toMatchObject({ path: ["steps", 0, "do"], writes: "value", word: "mess" });
    expect(at("steps:\n  - do: |")).toMatchObject({ path: ["steps", 0, "do"], writes: "value" });
    expect(at("mode: s|")).toMatchObject({ path: ["mode"], writes: "value", word: "s" });
  });
  it("knows the input of a node, as a block and in braces", () => {
    expect(at("steps:\n  - do: message.send\n    with:\n      te|")).toMatchObject({ path: ["steps", 0, "with"], writes: "key", word: "te" });
    expect(at("steps:\n  - do: message.send\n    with: { te|")).toMatchObject({ path: ["steps", 0, "with"], writes: "key", word: "te" });
    expect(at("steps:\n  - do: message.send\n    with: { text: hi, ch|")).toMatchObject({ path: ["steps", 0, "with"], writes: "key", word: "ch", siblings: ["text"] });
    expect(at("steps:\n  - do: message.send\n    with: { text: h|")).toMatchObject({ path: ["steps", 0, "with", "text"], writes: "value", word: "h" });
  });
  it("knows a step inside a branch, and a list written at the column of its key", () => {
    expect(at("steps:\n  - if: x\n    then:\n      - do: a\n        |")).toMatchObject({ path: ["steps", 0, "then", 0], writes: "key" });
    expect(at("steps:\n- do: a\n  |")).toMatchObject({ path: ["steps", 0], writes: "key" });
  });
  it("knows a trigger in brackets", () => {
    expect(at("on: [{ eve|")).toMatchObject({ path: ["on", 0], writes: "key", word: "eve" });
  });
});
