// Who is signed in, with a menu. The menu is loaded when somebody is about to open it.

import { lazy, Suspense, useState } from "react";
import type { LiveState } from "../live/socket";
import { UserButton } from "./UserButton";

const load = () => import("./OpenUserMenu");
const OpenUserMenu = lazy(() => load().then((module) => ({ default: module.OpenUserMenu })));

export function UserMenu({ live }: { live?: LiveState }) {
  const [wanted, setWanted] = useState(false);
  const button = (
    <UserButton live={live} aria-haspopup="menu" aria-expanded={false} onPointerEnter={() => void load()} onFocus={() => void load()} onClick={() => setWanted(true)} />
  );
  return wanted ? (
    <Suspense fallback={button}>
      <OpenUserMenu live={live} />
    </Suspense>
  ) : (
    button
  );
}
