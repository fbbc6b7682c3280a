import { describe, expect, it } from "vitest";
import { type Entry, type StepChapter, stepsOf, story, tookMs } from "./story";

function history(...facts: Record<string, unknown>[]): Entry[] {
  return facts.map((fact, index) => ({ seq: index + 1, at: `2026-11-22T10:00:0${Math.min(index, 9)}.000Z`, kind: "", ...fact }) as Entry);
}
const steps = (entries: Entry[]) => story(entries).filter((chapter): chapter is StepChapter => chapter.type === "step");

describe("a run's story", () => {
  it("tells each step with what went in and came out", () => {
    const told = steps(
      history(
        { kind: "run_started" },
        { kind: "bound", record: "contact" },
        { kind: "wait_opened", waits: { "$exit.0": {} } },
        { kind: "step_scheduled", step: "hello", node: "message.send", attempt: 1, input: { text: "Hi" } },
        { kind: "step_completed", step: "hello", output: { message_id: "m" } },
        { kind: "wait_opened", step: "answer", waits: { event: { event: "message.received" } } },
      ),
    );
    expect(told.map(({ step, state }) => [step, state])).toEqual([
      ["hello", "done"],
      ["answer", "waiting"],
    ]);
    expect(told[0]).toMatchObject({ node: "message.send", input: { text: "Hi" }, output: { message_id: "m" }, attempts: 1 });
    expect(told[0] === undefined ? 0 : tookMs(told[0], 0)).toBe(1_000);
    expect(told[1]?.ended).toBeNull();
  });
  it("keeps the input of the first attempt, and counts attempts", () => {
    const [step] = steps(
      history(
        { kind: "step_scheduled", step: "pay", node: "http.request", attempt: 1, input: { url: "u" } },
        { kind: "retry_scheduled", step: "pay", attempt: 1, error: { code: "http_503", message: "busy" } },
        { kind: "step_scheduled", step: "pay", node: "http.request", attempt: 2 },
        { kind: "step_failed", step: "pay", error: { code: "http_400", message: "no such plan" } },
      ),
    );
    expect(step).toMatchObject({ attempts: 2, input: { url: "u" }, state: "failed", error: { code: "http_400", message: "no such plan" } });
    expect(step?.notes.map(({ kind }) => kind)).toEqual(["retry_scheduled"]);
  });
  it("begins a step anew that a repair takes up again, and leaves the failure in its place", () => {
    const told = story(
      history(
        { kind: "step_scheduled", step: "pay", attempt: 1, input: 1 },
        { kind: "step_failed", step: "pay", error: {} },
        { kind: "run_failed", error: {} },
        { kind: "reopened", step: "pay", by: "meera", action: "retry", from: 2 },
        { kind: "step_scheduled", step: "pay", attempt: 1, input: 1 },
        { kind: "step_completed", step: "pay", output: 2 },
        { kind: "run_completed", output: null },
      ),
    );
    expect(told.map((chapter) => (chapter.type === "step" ? chapter.state : chapter.entry.kind))).toEqual(["failed", "run_failed", "reopened", "done", "run_completed"]);
    expect(stepsOf(told)).toEqual(["pay"]);
  });
  it("leaves nothing open when the run has ended", () => {
    const [step] = steps(history({ kind: "wait_opened", step: "answer", waits: {} }, { kind: "run_cancelled" }));
    expect(step?.state).toBe("cancelled");
  });
  it("understands entries of kinds that it does not know", () => {
    expect(steps(history({ kind: "something_new", step: "x" }))).toHaveLength(1);
    expect(story([])).toEqual([]);
  });
});
