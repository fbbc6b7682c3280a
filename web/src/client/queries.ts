// How answers are kept: read again when the live socket says that something changed, not by the clock.

import { type InvalidateOptions, type InvalidateQueryFilters, type Query, QueryClient, type QueryKey } from "@tanstack/react-query";
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

/** An answer that is on its way for the first time when its subject changes may tell of before. The library would take it for the newest. */
class Answers extends QueryClient {
  /** Those that will be asked for again anyhow, however often they change before their first answer. */
  readonly #again = new WeakSet<Query>();

  override async invalidateQueries<Key extends QueryKey = QueryKey>(filters?: InvalidateQueryFilters<Key>, options?: InvalidateOptions): Promise<void> {
    const onTheWay = this.getQueryCache().findAll(filters ?? {}).filter(({ state }) => state.fetchStatus === "fetching" && state.data === undefined);
    for (const query of onTheWay) {
      if (this.#again.has(query)) {
        continue;
      }
      this.#again.add(query);
      const again = () => {
        this.#again.delete(query);
        void super.invalidateQueries({ queryKey: query.queryKey, exact: true });
      };
      // The same request: while one is under way, no second one begins.
      query.fetch().then(again, again);
    }
    await super.invalidateQueries(filters, options);
  }
}

export function makeQueryClient(): QueryClient {
  return new Answers({
    defaultOptions: {
      queries: { staleTime: MINUTE, retry: isWorthAnotherTry, refetchOnWindowFocus: false },
      mutations: { retry: false },
    },
  });
}
