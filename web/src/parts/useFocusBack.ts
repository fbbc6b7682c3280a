import { useEffect, useState } from "react";

/** Gives the focus back, when this part goes, to what had it before: a dialog closes, and one goes on where one was. */
export function useFocusBack(): void {
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement && before.isConnected) {
        before.focus();
      }
    },
    [before],
  );
}
