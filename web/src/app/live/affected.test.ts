import { describe, expect, it } from "vitest";
import { affected, isAbout } from "./affected";

const key = (path: string, params?: object) => ["get", path, params === undefined ? undefined : { params }] as const;
const hits = (change: Parameters<typeof affected>[0], query: readonly unknown[]) => affected(change).some((one) => isAbout(query, one));

describe("a change", () => {
  it("of a contact makes its page and every list of contacts old, and no other contact's page", () => {
    const change = { topic: "contact", id: "c1", data: { event: "contact.created" } };
    expect(hits(change, key("/api/v1/contacts", { query: { q: "meera" } }))).toBe(true);
    expect(hits(change, key("/api/v1/contacts/{id}", { path: { id: "c1" } }))).toBe(true);
    expect(hits(change, key("/api/v1/contacts/{id}", { path: { id: "c2" } }))).toBe(false);
    expect(hits(change, key("/api/v1/runs"))).toBe(false);
  });
  it("of a message reaches its conversation, the lists, and its contact's timeline", () => {
    const change = { topic: "message", id: "m", data: { conversation_id: "v1", contact_id: "c1" } };
    expect(hits(change, key("/api/v1/conversations/{id}/messages", { path: { id: "v1" } }))).toBe(true);
    expect(hits(change, key("/api/v1/conversations/{id}/messages", { path: { id: "v2" } }))).toBe(false);
    expect(hits(change, key("/api/v1/conversations"))).toBe(true);
    expect(hits(change, key("/api/v1/contacts/{id}/timeline", { path: { id: "c1" } }))).toBe(true);
  });
  it("of a run reaches the run and its workflow's counts, the counts less often", () => {
    const change = { topic: "run", id: "r1", data: { workflow: "welcome", status: "failed" } };
    expect(hits(change, key("/api/v1/runs/{id}/history", { path: { id: "r1" } }))).toBe(true);
    expect(hits(change, key("/api/v1/workflows/{name}/stats", { path: { name: "welcome" } }))).toBe(true);
    expect(hits(change, key("/api/v1/workflows/{name}/stats", { path: { name: "other" } }))).toBe(false);
    const rests = new Map(affected(change).map((one) => [one.path, one.restMs]));
    expect(rests.get("/api/v1/overview")).toBeGreaterThan(rests.get("/api/v1/runs") ?? Number.NaN);
  });
  it("of an unknown topic reaches nothing", () => {
    expect(affected({ topic: "weather", id: "", data: {} })).toEqual([]);
  });
});
