// Every address of the app. Pages are loaded when they are opened.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Loading } from "../parts/Loading";
import { NotFound } from "../parts/NotFound";
import { PageFailed } from "../parts/PageFailed";
import { Shell } from "./shell/Shell";

/** A search parameter of an address, when it is a text. */
function text(value: unknown): string | undefined {
  return (typeof value === "string" || typeof value === "number") && value !== "" ? String(value) : undefined;
}

/** Only these parameters, and only when they say something: an address is no place for anything else. */
function only<Name extends string>(...names: Name[]): (search: Record<string, unknown>) => { [name in Name]?: string } {
  return (search) => {
    const pairs = names.map((name) => [name, text(search[name])] as const).filter(([, value]) => value !== undefined);
    return Object.fromEntries(pairs) as { [name in Name]?: string };
  };
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const home = createRoute({ getParentRoute: () => root, path: "/", component: lazyRouteComponent(() => import("../pages/home/HomePage"), "HomePage") });
const contacts = createRoute({
  getParentRoute: () => root,
  path: "/contacts",
  validateSearch: only("q", "tag"),
  component: lazyRouteComponent(() => import("../pages/contacts/ContactsPage"), "ContactsPage"),
});
const contact = createRoute({
  getParentRoute: () => root,
  path: "/contacts/$id",
  component: lazyRouteComponent(() => import("../pages/contacts/ContactPage"), "ContactPage"),
});
const conversations = createRoute({
  getParentRoute: () => root,
  path: "/conversations",
  validateSearch: only("status"),
  component: lazyRouteComponent(() => import("../pages/conversations/ConversationsPage"), "ConversationsPage"),
});
const noConversation = createRoute({
  getParentRoute: () => conversations,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/conversations/NoConversation"), "NoConversation"),
});
const conversation = createRoute({
  getParentRoute: () => conversations,
  path: "$id",
  component: lazyRouteComponent(() => import("../pages/conversations/ConversationPage"), "ConversationPage"),
});
const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  component: lazyRouteComponent(() => import("../pages/workflows/WorkflowsPage"), "WorkflowsPage"),
});
const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$name",
  validateSearch: only("view", "version"),
  component: lazyRouteComponent(() => import("../pages/workflows/BuilderPage"), "BuilderPage"),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: only("workflow", "status", "key", "view"),
  component: lazyRouteComponent(() => import("../pages/runs/RunsPage"), "RunsPage"),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  component: lazyRouteComponent(() => import("../pages/runs/RunPage"), "RunPage"),
});
const gallery = createRoute({
  getParentRoute: () => root,
  path: "/gallery",
  component: lazyRouteComponent(() => import("../pages/gallery/GalleryPage"), "GalleryPage"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  validateSearch: only("tab"),
  component: lazyRouteComponent(() => import("../pages/settings/SettingsPage"), "SettingsPage"),
});

const tree = root.addChildren([
  home,
  contacts,
  contact,
  conversations.addChildren([noConversation, conversation]),
  workflows,
  workflow,
  runs,
  run,
  gallery,
  settings,
]);

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
