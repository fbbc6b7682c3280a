import { describe, expect, it } from "vitest";
import { read, waitBefore } from "./socket";

describe("the socket", () => {
  it("waits longer each time, at most eight seconds, never two clients alike", () => {
    const waits = [0, 1, 2, 3, 4, 5, 9].map((attempt) => waitBefore(attempt, 1));
    expect(waits).toEqual([300, 600, 1200, 2400, 4800, 8000, 8000]);
    expect(waitBefore(3, 0)).toBe(1200);
  });
  it("understands changes and leaves everything else alone", () => {
    expect(read('{"topic":"run","id":"r","data":{"status":"failed"}}')).toEqual({ topic: "run", id: "r", data: { status: "failed" } });
    expect(read('{"topic":"ready"}')).toEqual({ topic: "ready", id: "", data: {} });
    for (const wrong of ["", "{", "null", "[]", '"run"', '{"topic":1}', new ArrayBuffer(2)]) {
      expect(read(wrong)).toBeNull();
    }
  });
});
