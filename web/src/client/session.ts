// Who is signed in.

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { forgetFirst } from "./first";
import { api, onSessionEnded, problemOf, setCsrfToken } from "./http";
import type { Session } from "./schema";

let ended = false;
const listeners = new Set<() => void>();

function setEnded(next: boolean): void {
  if (ended !== next) {
    ended = next;
    for (const listener of listeners) {
      listener();
    }
  }
}

/** Notes that nobody is signed in any more. */
export function noteSessionEnded(): void {
  setEnded(true);
}
onSessionEnded(noteSessionEnded);

/** Whether a request was refused because the session has ended; what is on the screen stays meanwhile. */
export function useSessionEnded(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => ended,
  );
}

const WHETHER = { retry: false, staleTime: Number.POSITIVE_INFINITY };
const KEPT_AS = "onward.signed-in";

/** Asks who is signed in, and what server this is, before anything is drawn; whoever draws first finds the answers, or them on their way. */
export async function askForSession(queries: QueryClient): Promise<void> {
  await Promise.all([
    queries.prefetchQuery(api.queryOptions("get", "/api/v1/auth/session", undefined, WHETHER)),
    queries.prefetchQuery(api.queryOptions("get", "/api/v1/about", undefined, WHETHER)),
  ]);
}

/** Whether somebody was signed in here last: a guess, good enough to fetch the page beside the question. */
export function wasSignedIn(): boolean {
  try {
    return localStorage.getItem(KEPT_AS) !== null;
  } catch {
    return false;
  }
}

function keepSignedIn(signedIn: boolean): void {
  try {
    if (signedIn) {
      localStorage.setItem(KEPT_AS, "1");
    } else {
      localStorage.removeItem(KEPT_AS);
    }
  } catch {
    // A browser that keeps nothing fetches the page after the answer.
  }
}

/** Notes that somebody is signed in, again or for the first time: everything is read anew. */
export function useSignedIn(): (session: Session) => void {
  const queries = useQueryClient();
  return (session) => {
    setCsrfToken(session.csrf_token);
    forgetFirst();
    queries.setQueryData(["get", "/api/v1/auth/session"], session);
    setEnded(false);
    void queries.invalidateQueries();
  };
}

/** The session, `null` when nobody is signed in. */
export function useSessionQuery() {
  const query = api.useQuery("get", "/api/v1/auth/session", undefined, { ...WHETHER, retryOnMount: false });
  const token = query.data?.csrf_token ?? null;
  const nobody = problemOf(query.error)?.status === 401;
  useEffect(() => {
    setCsrfToken(token);
    if (token !== null || nobody) {
      keepSignedIn(token !== null);
    }
  }, [token, nobody]);
  return { ...query, nobody };
}
