// A moment in words: "3 minutes ago"; the exact time when pointed at.

import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { relative } from "./moments";

const TICK_MS = 20_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
  }
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of listeners) {
      one();
    }
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The present, to some seconds; every part that shows it moves on together. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

export function Moment({ at, exact = false }: { at: string; exact?: boolean }) {
  const { i18n } = useTranslation();
  const present = useNow();
  const full = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
  return (
    <time dateTime={at} title={full}>
      {exact ? full : relative(new Date(at).getTime(), present, i18n.language)}
    </time>
  );
}
