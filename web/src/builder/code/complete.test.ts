// @vitest-environment node
import { describe, expect, it } from "vitest";
import { NO_SAMPLES } from "../scope/scope";
import { VERBS } from "../graph/verbs";
import { verbsOfLanguage } from "../form/schema";
import { aboutAt, offersAt, type CodeNode } from "./complete";

const send: CodeNode = {
  id: "message.send", title: "Send a message", description: "To the contact.", output: null, example_output: null,
  input: { type: "object", properties: { text: { type: "string", description: "The words." }, channel: { type: "string", enum: ["whatsapp", "email"] } } },
};
const around = { nodes: new Map([[send.id, send]]), eventTypes: ["message.received"], samples: NO_SAMPLES, shown: "name: x\nsteps:\n  - id: hello\n    do: message.send\n" };

function labels(text: string): string[] {
  return offersAt(text.replace("|", ""), text.indexOf("|"), around)?.options.map((option) => option.label) ?? [];
}

describe("completion in the code view", () => {
  it("knows the language's verbs", () => expect(verbsOfLanguage().toSorted()).toEqual([...VERBS].toSorted()));
  it("offers what stands above the steps", () => expect(labels("name: x\n|")).toEqual(expect.arrayContaining(["on", "key", "mode", "exit_on"])));
  it("does not offer what is there", () => expect(labels("name: x\n|")).not.toContain("name"));
  it("offers verbs in a step", () => expect(labels("steps:\n  - |")).toEqual(expect.arrayContaining(["do", "wait_for", "if"])));
  it("offers nodes and their input", () => {
    expect(labels("steps:\n  - do: me|")).toEqual(["message.send"]);
    expect(labels("steps:\n  - do: message.send\n    with: { |")).toEqual(["text", "channel"]);
    expect(labels("steps:\n  - do: message.send\n    with: { channel: |")).toEqual(["whatsapp", "email"]);
  });
  it("offers event types, modes, and variables", () => {
    expect(labels("on:\n  - event: |")).toEqual(["message.received"]);
    expect(labels("mode: |")).toEqual(["parallel", "single", "queued", "restart"]);
    expect(labels('steps:\n  - do: message.send\n    with: { text: "Hi {{ contact.fir|')).toEqual(["first_name"]);
    expect(labels("steps:\n  - id: hello\n    do: message.send\n  - wait_for: { ev|")).toContain("event");
  });
});

describe("hover", () => {
  it("tells of nodes and keys", () => {
    expect(aboutAt("steps:\n  - do: message.send\n", 20, around)?.title).toBe("Send a message");
    expect(aboutAt("mode: single\n", 2, around)?.about).toContain("runs of one key");
    expect(aboutAt("steps:\n  - do: message.send\n    with: { text: hi }", 43, around)?.about).toBe("The words.");
  });
});
