// Every address of the app. Pages are loaded when they are opened.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Loading } from "../parts/Loading";
import { NotFound } from "../parts/NotFound";
import { PageFailed } from "../parts/PageFailed";
import { Shell } from "./shell/Shell";

/** A search parameter of an address, when it is a text. */
function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const home = createRoute({ getParentRoute: () => root, path: "/", component: lazyRouteComponent(() => import("../pages/home/HomePage"), "HomePage") });
const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$name",
  validateSearch: (search) => ({ view: text(search.view), version: text(search.version) }),
  component: lazyRouteComponent(() => import("../pages/workflows/BuilderPage"), "BuilderPage"),
});

const tree = root.addChildren([home, workflow]);

export function makeRouter() {
  return createRouter({
    routeTree: tree,
    defaultPreload: "intent",
    defaultPendingComponent: Loading,
    defaultErrorComponent: PageFailed,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
