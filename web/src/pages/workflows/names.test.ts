import { describe, expect, it } from "vitest";
import { beginning, freeName, nameOf, renamed } from "./names";

describe("names of workflows", () => {
  it("are made of what is typed", () => {
    expect(nameOf("Répondre aux clients !")).toBe("repondre-aux-clients");
    expect(nameOf("  --  ")).toBe("");
    expect(nameOf("x".repeat(80))).toHaveLength(63);
  });
  it("are free", () => {
    expect(freeName("a", new Set(["b"]))).toBe("a");
    expect(freeName("a", new Set(["a", "a-2"]))).toBe("a-3");
  });
  it("stand in the file, and nothing else changes", () => {
    expect(renamed("# top\nname: old   # why\nsteps:\n  - name: old\n", "new")).toBe("# top\nname: new   # why\nsteps:\n  - name: old\n");
    expect(renamed(beginning("a"), "b")).toBe(beginning("b"));
  });
});
