// @vitest-environment node
import { describe, expect, it } from "vitest";
import { asSteps } from "./clipboard";

describe("pasted text", () => {
  it("is taken from any indentation", () => expect(asSteps("    - id: a\n      delay: 1h\n")).toBe("- id: a\n  delay: 1h"));
  it("may be one step without its dash", () => expect(asSteps("id: a\ndelay: 1h")).toBe("- id: a\n  delay: 1h"));
  it("may be the steps of a file", () => expect(asSteps("steps:\n  - delay: 1h\n")).toBe("- delay: 1h"));
});
