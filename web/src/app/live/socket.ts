// The one WebSocket: says what changes, and comes back by itself when the server does.

import type { Change } from "./affected";

export type LiveState = "connecting" | "live" | "lost";

/** Closed since nobody is signed in any more (`/ws`). */
const UNAUTHORISED = 4401;
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 8_000;

/** Milliseconds before the next try: twice as long each time, and never all clients at the same moment. */
export function waitBefore(attempt: number, chance: number): number {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return longest / 2 + (longest / 2) * chance;
}

export interface LiveListener {
  state: (state: LiveState) => void;
  change: (change: Change) => void;
  /** Something may have been missed: everything on the screen is read again. */
  resync: () => void;
  ended: () => void;
  /** It could not be opened: perhaps the server is away, perhaps it refuses. */
  refused: () => void;
}

/** Connects until it is told to stop; gives that. */
export function listen(address: string, listener: LiveListener): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let stopped = false;

  const connect = () => {
    clearTimeout(timer);
    const opened = new WebSocket(address);
    let isReady = false;
    socket = opened;
    opened.addEventListener("message", ({ data }) => {
      const said = read(data);
      if (said === null) {
        return;
      }
      if (said.topic === "ready") {
        attempt = 0;
        isReady = true;
        listener.state("live");
        listener.resync();
      } else if (said.topic === "resync") {
        listener.resync();
      } else {
        listener.change(said);
      }
    });
    opened.addEventListener("close", ({ code }) => {
      if (stopped || socket !== opened) {
        return;
      }
      listener.state("lost");
      if (code === UNAUTHORISED) {
        listener.ended();
      } else if (!isReady) {
        listener.refused();
      }
      timer = setTimeout(connect, waitBefore(attempt, Math.random()));
      attempt += 1;
    });
  };
  // A device that wakes up or gets its network back does not wait.
  const hurry = () => {
    if (!stopped && socket?.readyState !== WebSocket.OPEN && socket?.readyState !== WebSocket.CONNECTING) {
      attempt = 0;
      connect();
    }
  };
  listener.state("connecting");
  connect();
  addEventListener("online", hurry);
  addEventListener("focus", hurry);
  return () => {
    stopped = true;
    clearTimeout(timer);
    removeEventListener("online", hurry);
    removeEventListener("focus", hurry);
    socket?.close();
  };
}

/** What was said, when it is understood. */
export function read(data: unknown): Change | null {
  if (typeof data !== "string") {
    return null;
  }
  try {
    const said: unknown = JSON.parse(data);
    if (typeof said === "object" && said !== null && "topic" in said && typeof said.topic === "string") {
      const { topic, id, data: facts } = said as Partial<Change> & { topic: string };
      return { topic, id: typeof id === "string" ? id : "", data: typeof facts === "object" && facts !== null ? facts : {} };
    }
  } catch {
    // Not ours.
  }
  return null;
}
