// The mistakes that the server found, for the fields that they are in. Pure.

import { problemOf } from "../client/http";

/** What is wrong at this place of the body (`/phones/0`), and at what lies below it when `below`. */
export function mistakeAt(error: unknown, pointer: string, below = false): string | null {
  const found = problemOf(error)?.errors?.find((one) => one.pointer === pointer || (below && one.pointer.startsWith(`${pointer}/`)));
  return found?.detail ?? null;
}

/** Whether every mistake is at one of these places, so that no sentence above the form need repeat it. */
export function isAllAt(error: unknown, pointers: readonly string[]): boolean {
  const mistakes = problemOf(error)?.errors ?? [];
  return mistakes.length > 0 && mistakes.every(({ pointer }) => pointers.some((place) => pointer === place || pointer.startsWith(`${place}/`)));
}
