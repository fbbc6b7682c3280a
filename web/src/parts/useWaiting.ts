import { useDeferredValue } from "react";

/**
 * Whether something is still on its way, `pending`; for a moment longer than it is: what comes then is drawn in small pieces, so that
 * a slow phone hears a finger meanwhile. Only the first drawing waits, later changes are there at once.
 */
export function useWaiting(pending: boolean): boolean {
  const before = useDeferredValue(pending);
  return pending || before;
}
