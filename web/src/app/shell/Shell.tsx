// What stands around every page: the places on the side (on a phone at the bottom), and how things stand with the server.

import { Outlet, useRouterState } from "@tanstack/react-router";
import { Suspense, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Loading } from "../../parts/Loading";
import { CommandBar } from "../command-bar/CommandBar";
import { useLive } from "../live/useLive";
import { SessionEnded } from "../session/SessionEnded";
import { ConnectionState } from "./ConnectionState";
import { PhoneBar } from "./PhoneBar";
import { SideBar } from "./SideBar";
import classes from "./Shell.module.css";

export function Shell() {
  const { t } = useTranslation("shell");
  const live = useLive();
  const main = useRef<HTMLElement>(null);
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  return (
    <div className={classes.shell}>
      <a
        href="#content"
        className={classes.skip}
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t("skipToContent")}
      </a>
      <SideBar pathname={pathname} live={live} />
      <main ref={main} className={classes.main} tabIndex={-1} id="content">
        <ConnectionState state={live} />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      <PhoneBar pathname={pathname} />
      <CommandBar />
      <SessionEnded />
    </div>
  );
}
