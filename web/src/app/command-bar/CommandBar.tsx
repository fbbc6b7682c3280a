// Ctrl+K or Cmd+K: anywhere from anywhere.

import { useHotkeys } from "@mantine/hooks";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { OPEN } from "./open";

const CommandDialog = lazy(() => import("./CommandDialog").then((module) => ({ default: module.CommandDialog })));

export function CommandBar() {
  const [opened, setOpened] = useState(false);
  const before = useRef<Element | null>(null);
  const open = useCallback(() => {
    before.current = document.activeElement;
    // Until the dialog is there, what is typed must not go into the field that one came from: Enter might send it.
    if (before.current instanceof HTMLElement) {
      before.current.blur();
    }
    setOpened(true);
  }, []);
  const close = useCallback(() => {
    setOpened(false);
    if (before.current instanceof HTMLElement && before.current.isConnected) {
      before.current.focus();
    }
  }, []);
  useHotkeys([["mod+K", () => (opened ? close() : open())]], []);
  useEffect(() => {
    addEventListener(OPEN, open);
    return () => removeEventListener(OPEN, open);
  }, [open]);
  return <Suspense>{opened && <CommandDialog close={close} />}</Suspense>;
}
