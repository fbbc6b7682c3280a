// @vitest-environment jsdom

import { describe, expect, it } from "vitest";
import { commandOf, isTyping, SHORTCUTS } from "./shortcuts";

const plain = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };

describe("keys", () => {
  it.each([
    [{ key: "n" }, "palette"], [{ key: "z", ctrlKey: true }, "undo"], [{ key: "Z", ctrlKey: true, shiftKey: true }, "redo"], [{ key: "v", metaKey: true }, "paste"],
    [{ key: "P", shiftKey: true }, "publish"], [{ key: "Enter", ctrlKey: true }, "simulate"], [{ key: "ArrowDown", altKey: true }, "moveDown"], [{ key: "q" }, null],
  ])("%j", (key, command) => expect(commandOf({ ...plain, ...key })).toBe(command));
  it("belong to a field while somebody types", () => {
    const field = document.createElement("input");
    document.body.append(field);
    expect(isTyping(field)).toBe(true);
    expect(isTyping(document.body)).toBe(false);
  });
  it("are in the table once each", () => expect(new Set(SHORTCUTS.map(([command]) => command)).size).toBe(SHORTCUTS.length));
});
