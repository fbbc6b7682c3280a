import { QueryObserver } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { makeQueryClient } from "./queries";

it("an answer that was asked for before a change, and comes after it, is asked for again", async () => {
  const queries = makeQueryClient();
  const waiting: ((answer: string) => void)[] = [];
  const queryFn = () => new Promise<string>((answer) => waiting.push(answer));
  const observer = new QueryObserver(queries, { queryKey: ["why"], queryFn });
  const told: (string | undefined)[] = [];
  const stop = observer.subscribe(({ data }) => told.push(data));
  expect(waiting.length).toBe(1);
  const old = Promise.all([queries.invalidateQueries({ queryKey: ["why"] }), queries.invalidateQueries({ queryKey: ["why"] })]);
  expect(waiting.length).toBe(1);
  waiting[0]?.("it waits");
  await old;
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]?.("it is paused");
  await expect.poll(() => told.at(-1)).toBe("it is paused");
  expect(waiting.length).toBe(2);
  // An answer that is there already is read anew at once, and once.
  const again = queries.invalidateQueries({ queryKey: ["why"] });
  await expect.poll(() => waiting.length).toBe(3);
  waiting[2]?.("it goes on");
  await again;
  expect([waiting.length, observer.getCurrentResult().data]).toEqual([3, "it goes on"]);
  stop();
  queries.clear();
});
