// @vitest-environment node
import { describe, expect, it } from "vitest";
import { insertItems, itemText, removeValue, setValue } from "./edit";

const file = `name: x # the name
steps:
  # greets
  - id: hello # first
    do: message.send
    with: { text: "Hi, {{ contact.name }}", tags: [a, b] }

  # waits
  - delay: 3d
  - if: steps.hello.verdict == 'allow'
    then:
      - stop:
    else: []
`;

describe("setting a value", () => {
  it("changes a text inside braces and keeps its quotes", () => {
    const next = setValue(file, ["steps", 0, "with", "text"], "Hello");
    expect(next).toBe(file.replace("Hi, {{ contact.name }}", "Hello"));
  });
  it("keeps the comment behind a value", () => {
    expect(setValue(file, ["name"], "y")).toBe(file.replace("name: x #", "name: y #"));
  });
  it("adds an entry to braces", () => {
    expect(setValue(file, ["steps", 0, "with", "channel"], "whatsapp")).toContain("tags: [a, b], channel: whatsapp }");
  });
  it("adds an entry to a block in its order", () => {
    const next = setValue(file, ["steps", 0, "name"], "Greet", ["id", "name", "do", "with"]);
    expect(next).toBe(file.replace("# first\n", "# first\n    name: Greet\n"));
  });
  it("adds an entry before the first, on the line of the dash", () => {
    const next = setValue(file, ["steps", 1, "id"], "pause", ["id", "name", "delay"]);
    expect(next).toBe(file.replace("- delay: 3d", "- id: pause\n    delay: 3d"));
  });
  it("makes a block of a text of several lines", () => {
    const next = setValue(file, ["steps", 1, "delay"], "one\ntwo\n");
    expect(next).toBe(file.replace("- delay: 3d", "- delay: |\n      one\n      two"));
  });
  it("gives an empty entry a value", () => {
    expect(setValue(file, ["steps", 2, "then", 0, "stop"], { reason: "done" })).toBe(file.replace("- stop:", "- stop: { reason: done }"));
  });
  it("turns a value into a map", () => {
    expect(setValue(file, ["steps", 1, "delay"], { until: "next weekday 09:30", timezone: "contact" })).toBe(
      file.replace("- delay: 3d", "- delay: { until: next weekday 09:30, timezone: contact }"),
    );
  });
  it("makes the maps on the way", () => {
    expect(setValue(file, ["steps", 0, "retry", "max_attempts"], 3)).toContain("tags: [a, b] }\n    retry: { max_attempts: 3 }\n");
  });
});

describe("taking a value away", () => {
  it("cuts an entry of braces", () => {
    expect(removeValue(file, ["steps", 0, "with", "text"])).toContain("with: { tags: [a, b] }");
  });
  it("cuts the entry on the line of a dash", () => {
    expect(removeValue(file, ["steps", 0, "id"])).toContain("  - do: message.send\n");
  });
  it("cuts a step with the comment above it and one blank line", () => {
    expect(removeValue(file, ["steps", 0])).toBe(file.replace(/ {2}# greets[^]*?tags: \[a, b\] \}\n\n/, ""));
  });
  it("leaves an empty list", () => {
    expect(removeValue(file, ["steps", 2, "then", 0])).toContain("    then: []\n    else: []\n");
  });
});

describe("lists", () => {
  it("puts a step between two, above the comment of the second", () => {
    const next = insertItems(file, ["steps"], 1, "- id: more\n  delay: 1h # soon");
    expect(next).toBe(file.replace("  # waits\n", "  - id: more\n    delay: 1h # soon\n  # waits\n"));
  });
  it("puts a step at the end", () => {
    expect(insertItems(file, ["steps"], 3, "- stop:")).toBe(`${file}  - stop:\n`);
  });
  it("fills an empty list", () => {
    expect(insertItems(file, ["steps", 2, "else"], 0, "- stop:")).toBe(file.replace("else: []", "else:\n      - stop:"));
  });
  it("makes a list that is missing", () => {
    const without = file.replace("    else: []\n", "");
    expect(insertItems(without, ["steps", 2, "else"], 0, "- stop:")).toBe(file.replace("else: []", "else:\n      - stop:"));
  });
  it("gives an item's text with its comments", () => {
    expect(itemText(file, ["steps", 0])).toBe(
      '# greets\n- id: hello # first\n  do: message.send\n  with: { text: "Hi, {{ contact.name }}", tags: [a, b] }',
    );
  });
});
