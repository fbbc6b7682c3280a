// What somebody types is taken in a moment later, so that no letter waits for a long workflow to be read; nothing typed is lost.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const MOMENT = 90;

/** `later` takes a value in after a moment without another; `now` takes in what is pending at once. */
export function useSettled<Value>(take: (value: Value) => void): { later: (value: Value) => void; now: () => void } {
  const pending = useRef<{ value: Value; timer: ReturnType<typeof setTimeout> } | null>(null);
  const latest = useRef(take);
  useLayoutEffect(() => { latest.current = take; });
  const now = useCallback(() => {
    if (pending.current === null) return;
    clearTimeout(pending.current.timer);
    const { value } = pending.current;
    pending.current = null;
    latest.current(value);
  }, []);
  const later = useCallback(
    (value: Value) => {
      if (pending.current !== null) clearTimeout(pending.current.timer);
      pending.current = { value, timer: setTimeout(now, MOMENT) };
    },
    [now],
  );
  useEffect(() => now, [now]);
  return { later, now };
}

/** The text of a field: what somebody types is there at once and taken in a moment later; a value from elsewhere replaces it, an echo of its own does not. */
export function useTyped(value: string, take: (text: string) => void): { text: string; write: (text: string) => void; now: () => void } {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const { later, now } = useSettled((next: string) => {
    sent.current = next;
    take(next);
  });
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  const write = useCallback((next: string) => { setText(next); later(next); }, [later]);
  return { text, write, now };
}
