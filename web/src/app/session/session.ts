// Who is signed in.

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { api, onSessionEnded, problemOf, setCsrfToken } from "../../client/http";
import type { Session } from "../../client/schema";

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

/** Notes that somebody is signed in, again or for the first time: everything is read anew. */
export function useSignedIn(): (session: Session) => void {
  const queries = useQueryClient();
  return (session) => {
    setCsrfToken(session.csrf_token);
    queries.setQueryData(["get", "/api/v1/auth/session"], session);
    setEnded(false);
    void queries.invalidateQueries();
  };
}

/** The session, `null` when nobody is signed in. */
export function useSessionQuery() {
  const query = api.useQuery("get", "/api/v1/auth/session", undefined, { retry: false, staleTime: Number.POSITIVE_INFINITY });
  const token = query.data?.csrf_token ?? null;
  useEffect(() => setCsrfToken(token), [token]);
  const nobody = problemOf(query.error)?.status === 401;
  return { ...query, nobody };
}
