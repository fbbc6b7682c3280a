// The app's places, in the order in which they stand. Later screens (deals, segments, campaigns) find theirs here.

import {
  type Icon,
  IconAddressBook,
  IconBolt,
  IconHome2,
  IconMessages,
  IconPlayerPlay,
  IconSettings,
  IconTemplate,
} from "@tabler/icons-react";

export type PlaceName = "home" | "conversations" | "contacts" | "workflows" | "runs" | "gallery" | "settings";

export interface Place {
  name: PlaceName;
  to: "/" | "/conversations" | "/contacts" | "/workflows" | "/runs" | "/gallery" | "/settings";
  icon: Icon;
  /** Stands in the bar at the bottom of a phone; the others are behind its last button. */
  onPhone: boolean;
}

export const PLACES: readonly Place[] = [
  { name: "home", to: "/", icon: IconHome2, onPhone: true },
  { name: "conversations", to: "/conversations", icon: IconMessages, onPhone: true },
  { name: "contacts", to: "/contacts", icon: IconAddressBook, onPhone: true },
  { name: "workflows", to: "/workflows", icon: IconBolt, onPhone: false },
  { name: "runs", to: "/runs", icon: IconPlayerPlay, onPhone: true },
  { name: "gallery", to: "/gallery", icon: IconTemplate, onPhone: false },
  { name: "settings", to: "/settings", icon: IconSettings, onPhone: false },
];

/** Whether a page is at this place. */
export function isAt(pathname: string, { to }: Place): boolean {
  return to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(`${to}/`);
}
