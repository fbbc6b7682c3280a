// Parts that nobody sees at first: loaded when the browser has nothing else to do, or when they are wanted before that.
import { lazy, useState, type ComponentType } from "react";

export interface Late<Props> {
  (props: Props): React.ReactNode;
  /** Loads it, so that it is there at once when it is wanted. */
  prepare: () => void;
}

export function late<Props extends object>(load: () => Promise<ComponentType<Props>>): Late<Props> {
  let here: ComponentType<Props> | null = null;
  const fetched = async (): Promise<ComponentType<Props>> => (here ??= await load());
  const Awaited = lazy(async () => ({ default: await fetched() }));
  function Part(props: Props): React.ReactNode {
    // As it began: another component in its place would lose what it holds.
    const [Shown] = useState(() => (here ?? Awaited) as ComponentType<Props>);
    return <Shown {...props} />;
  }
  return Object.assign(Part, { prepare: () => void fetched() });
}

/** Calls something when the browser has nothing else to do; gives what calls it off. */
export function whenIdle(act: () => void): () => void {
  if (typeof requestIdleCallback === "undefined") {
    const timer = setTimeout(act, 1000);
    return () => clearTimeout(timer);
  }
  const id = requestIdleCallback(act, { timeout: 3000 });
  return () => cancelIdleCallback(id);
}
