// Holds the socket while somebody is signed in, and makes what it tells visible: answers that are old are read again.

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { noteSessionEnded, useSessionEnded } from "../../client/session";
import { type Affected, affected, isAbout } from "./affected";
import { Coalescer } from "./coalesce";
import { type LiveState, listen } from "./socket";

function address(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
}

/** Lets whoever wants to hear of each change itself, as the builder does of its draft. */
export const changes = new EventTarget();

function refresher(queries: QueryClient): (one: Affected) => void {
  const wanted = new Map<string, Affected>();
  const coalescer = new Coalescer((name) => {
    const one = wanted.get(name);
    if (one !== undefined) {
      void queries.invalidateQueries({ predicate: ({ queryKey }) => isAbout(queryKey, one) });
    }
  });
  return (one) => {
    const name = `${one.path} ${one.id ?? ""}`;
    wanted.set(name, one);
    coalescer.changed(name, one.restMs);
  };
}

export function useLive(): LiveState {
  const queries = useQueryClient();
  const ended = useSessionEnded();
  const [state, setState] = useState<LiveState>("connecting");
  useEffect(() => {
    if (ended) {
      return undefined;
    }
    const refresh = refresher(queries);
    return listen(address(), {
      state: setState,
      change: (change) => {
        for (const one of affected(change)) {
          refresh(one);
        }
        changes.dispatchEvent(new CustomEvent(change.topic, { detail: change }));
      },
      resync: () => void queries.invalidateQueries(),
      ended: noteSessionEnded,
      // A socket that is refused cannot say why; this request can, and the client notes an ended session.
      refused: () => void queries.invalidateQueries({ queryKey: ["get", "/api/v1/auth/session"] }),
    });
  }, [queries, ended]);
  return state;
}
