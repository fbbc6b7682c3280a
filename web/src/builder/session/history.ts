// What the builder holds of one workflow: its text, what is selected, and every text before and after it. Pure.
import { read } from "../document/read";

export interface Moment {
  source: string;
  selected: readonly string[];
}

export interface Session extends Moment {
  /** The last text that could be read: what the graph shows. */
  shown: string;
  past: readonly Moment[];
  future: readonly Moment[];
  /** The gesture that the last edit belongs to; the next edit of the same one makes no entry of its own. */
  gesture: string | null;
}

export type Action =
  | { kind: "edit"; source: string; selected?: readonly string[]; gesture?: string }
  | { kind: "select"; selected: readonly string[] }
  | { kind: "endGesture" }
  | { kind: "undo" }
  | { kind: "redo" }
  /** The text of somebody else, or of another version: may be undone like any edit. */
  | { kind: "replace"; source: string };

const KEPT = 200;

export function begin(source: string): Session {
  return { source, selected: [], shown: readable(source, ""), past: [], future: [], gesture: null };
}

export function reduce(session: Session, action: Action): Session {
  switch (action.kind) {
    case "select":
      return same(action.selected, session.selected) ? session : { ...session, selected: action.selected, gesture: null };
    case "endGesture":
      return session.gesture === null ? session : { ...session, gesture: null };
    case "edit":
      return edited(session, action.source, action.selected ?? session.selected, action.gesture ?? null);
    case "replace":
      return edited(session, action.source, session.selected, null);
    case "undo": {
      const before = session.past.at(-1);
      if (!before) return session;
      return moved(session, before, session.past.slice(0, -1), [moment(session), ...session.future]);
    }
    case "redo": {
      const [after, ...rest] = session.future;
      if (!after) return session;
      return moved(session, after, [...session.past, moment(session)], rest);
    }
  }
}

function edited(session: Session, source: string, selected: readonly string[], gesture: string | null): Session {
  if (source === session.source) return same(selected, session.selected) ? session : { ...session, selected };
  const goesOn = gesture !== null && gesture === session.gesture;
  const past = goesOn ? session.past : [...session.past, moment(session)].slice(-KEPT);
  return { source, selected, shown: readable(source, session.shown), past, future: [], gesture };
}

function moved(session: Session, to: Moment, past: readonly Moment[], future: readonly Moment[]): Session {
  return { ...to, shown: readable(to.source, session.shown), past, future, gesture: null };
}

function moment({ source, selected }: Session): Moment {
  return { source, selected };
}

/** A text that cannot be read leaves the graph at the last one that could. */
function readable(source: string, before: string): string {
  return isScript(source) || read(source).errors.length > 0 ? before : source;
}

/** A workflow that is a rhai script begins with its settings as `//!` comments. */
export function isScript(source: string): boolean {
  return /^\s*\/\/!/.test(source);
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}
