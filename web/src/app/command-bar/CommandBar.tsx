// Ctrl+K or Cmd+K: anywhere from anywhere.

import { useHotkeys } from "@mantine/hooks";
import { lazy, Suspense, useEffect, useState } from "react";
import { OPEN } from "./open";

const CommandDialog = lazy(() => import("./CommandDialog").then((module) => ({ default: module.CommandDialog })));

export function CommandBar() {
  const [opened, setOpened] = useState(false);
  useHotkeys([["mod+K", () => setOpened((before) => !before)]], []);
  useEffect(() => {
    const open = () => setOpened(true);
    addEventListener(OPEN, open);
    return () => removeEventListener(OPEN, open);
  }, []);
  return <Suspense>{opened && <CommandDialog close={() => setOpened(false)} />}</Suspense>;
}
