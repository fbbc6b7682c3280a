// Every address of the app. A page is loaded when it is opened, and its texts beside it.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import i18next from "i18next";
import { Loading } from "../parts/Loading";
import { NotFound } from "../parts/NotFound";
import { PageFailed } from "../parts/PageFailed";
import type { CATALOGUES } from "../texts/languages";
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

/** A page's code and the catalogues that it speaks from, loaded side by side. */
function page<Name extends string, Module extends Record<Name, unknown>>(load: () => Promise<Module>, name: Name, ...catalogues: (typeof CATALOGUES)[number][]) {
  return lazyRouteComponent(async () => (await Promise.all([load(), i18next.loadNamespaces(catalogues)]))[0], name);
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const home = createRoute({ getParentRoute: () => root, path: "/", component: page(() => import("../pages/home/HomePage"), "HomePage", "home", "runs") });
const contacts = createRoute({
  getParentRoute: () => root,
  path: "/contacts",
  validateSearch: only("q", "tag", "company"),
  component: page(() => import("../pages/contacts/ContactsPage"), "ContactsPage", "contacts"),
});
const contact = createRoute({
  getParentRoute: () => root,
  path: "/contacts/$id",
  component: page(() => import("../pages/contacts/ContactPage"), "ContactPage", "contacts", "runs"),
});
const conversations = createRoute({
  getParentRoute: () => root,
  path: "/conversations",
  validateSearch: only("status", "for"),
  component: page(() => import("../pages/conversations/ConversationsPage"), "ConversationsPage", "conversations"),
});
const noConversation = createRoute({
  getParentRoute: () => conversations,
  path: "/",
  component: page(() => import("../pages/conversations/NoConversation"), "NoConversation", "conversations"),
});
const conversation = createRoute({
  getParentRoute: () => conversations,
  path: "$id",
  component: page(() => import("../pages/conversations/ConversationPage"), "ConversationPage", "conversations"),
});
const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  component: page(() => import("../pages/workflows/WorkflowsPage"), "WorkflowsPage", "workflows"),
});
const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$name",
  validateSearch: only("view", "version"),
  component: page(() => import("../pages/workflows/BuilderPage"), "BuilderPage", "builder", "runs"),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: only("workflow", "status", "key", "view"),
  component: page(() => import("../pages/runs/RunsPage"), "RunsPage", "runs"),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  component: page(() => import("../pages/runs/RunPage"), "RunPage", "runs"),
});
const gallery = createRoute({
  getParentRoute: () => root,
  path: "/gallery",
  component: page(() => import("../pages/gallery/GalleryPage"), "GalleryPage", "gallery"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  validateSearch: only("tab"),
  component: page(() => import("../pages/settings/SettingsPage"), "SettingsPage", "settings"),
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
