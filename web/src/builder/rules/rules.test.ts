// @vitest-environment node
import { describe, expect, it } from "vitest";
import { logicOf, rowsOf, textOf, valueOf } from "./rules";

describe("rules", () => {
  it.each([
    { ">=": [{ var: "contact.score" }, 70] },
    { and: [{ "==": [{ var: "input.a" }, "x"] }, { or: [{ in: [{ var: "input.b" }, ["x", "y"]] }, { "!": { var: "contact.email" } }] }] },
    { "!!": { var: "event.data.text" } },
  ])("go into rows and back: %j", (logic) => {
    const rows = rowsOf(logic);
    expect(rows && logicOf(rows)).toEqual(logic);
  });
  it.each([{ "+": [1, 2] }, { ">": [{ "+": [1, { var: "a" }] }, 2] }, "steps.a", { and: [{ if: [1, 2, 3] }] }])("that rows cannot say stay text: %j", (logic) => {
    expect(rowsOf(logic)).toBeNull();
  });
  it.each([[70, "70"], [true, "true"], [["a", 1], "[a, 1]"], ["text", "text"]])("have values as they look: %j", (value, text) => {
    expect(textOf(value)).toBe(text);
    expect(valueOf(text)).toEqual(value);
  });
});
