// How answers are kept: read again when the live socket says that something changed, not by the clock.

import { QueryClient } from "@tanstack/react-query";
import { problemOf } from "./http";

const MINUTE = 60_000;

/** Answers that no second try changes: the request itself is wrong, or refused. */
export function isWorthAnotherTry(failures: number, error: unknown): boolean {
  const problem = problemOf(error);
  if (problem !== null && problem.status < 500 && problem.status !== 429) {
    return false;
  }
  return failures < 2;
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: MINUTE, retry: isWorthAnotherTry, refetchOnWindowFocus: false },
      mutations: { retry: false },
    },
  });
}
