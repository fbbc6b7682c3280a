import { describe, expect, it } from "vitest";
import { folded } from "../../parts/folded";
import { type Entry, fitting, moved } from "./entries";

const entry = (label: string, detail?: string): Entry => ({ key: label, group: "places", label, to: "/", ...(detail === undefined ? {} : { detail }) });

describe("the command bar", () => {
  it("finds by every word, whatever case and accents", () => {
    const all = [entry("Exécutions"), entry("Réglages", "utilisateurs"), entry("Rappel")];
    expect(fitting(all, "execu").map(({ label }) => label)).toEqual(["Exécutions"]);
    expect(fitting(all, "UTIL reg").map(({ label }) => label)).toEqual(["Réglages"]);
    expect(fitting(all, "  ")).toHaveLength(3);
    expect(folded("Été")).toBe("ete");
  });
  it("puts first what begins with what was typed", () => {
    expect(fitting([entry("All runs"), entry("Runs")], "run").map(({ label }) => label)).toEqual(["Runs", "All runs"]);
  });
  it("goes round with the arrow keys", () => {
    expect([moved(0, -1, 3), moved(2, 1, 3), moved(0, 1, 0)]).toEqual([2, 0, 0]);
  });
});
