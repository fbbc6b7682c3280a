// Everything that can be done to the workflow at hand: one history for graph, forms and text.
import { useCallback, useMemo, useReducer } from "react";
import { isMap, read, valueAt, type Path } from "../document/read";
import { copySteps, duplicateSteps, insertNewStep, insertSteps, missingReferences, moveSteps, nudgeSteps, removeSteps, removeIn, renameBranch, renameStep, setIn, type Edited, type Place } from "../document/steps";
import { treeOf, type Step, type Tree } from "../graph/tree";
import { FILE_ORDER, STEP_ORDER } from "../graph/verbs";
import type { Entry } from "../palette/entries";
import { begin, isScript, reduce, type Session } from "./history";

export interface Builder {
  session: Session;
  tree: Tree;
  file: unknown;
  script: boolean;
  /** The graph shows this very text. */
  inStep: boolean;
  steps: readonly Step[];
  edit: (source: string, gesture?: string) => void;
  replace: (source: string) => void;
  select: (selected: readonly string[]) => void;
  undo: () => void;
  redo: () => void;
  set: (path: Path, value: unknown, gesture?: string) => void;
  rename: (path: Path, name: string) => void;
  done: () => void;
  insert: (entry: Pick<Entry, "verb" | "node" | "input">, place: Place) => boolean;
  paste: (text: string, place: Place) => { missing: string[] } | null;
  copy: (pointers: readonly string[]) => string;
  remove: (pointers: readonly string[]) => void;
  move: (pointers: readonly string[], place: Place) => void;
  nudge: (pointers: readonly string[], by: -1 | 1) => void;
  duplicate: (pointers: readonly string[]) => void;
  renameId: (pointer: string, id: string) => void;
}

/** `refused` hears of edits that cannot be made; nothing was changed then. */
export function useBuilder(start: string, refused: (reason: unknown) => void): Builder {
  const [session, dispatch] = useReducer(reduce, start, begin);
  const { source, shown, selected } = session;
  const file = useMemo(() => read(shown).value, [shown]);
  const tree = useMemo(() => treeOf(file), [file]);
  const steps = useMemo(() => selected.flatMap((pointer) => tree.byPointer.get(pointer) ?? []), [selected, tree]);
  const inStep = shown === source;

  const attempt = useCallback(
    <T,>(act: () => T): T | null => {
      try {
        return act();
      } catch (error) {
        refused(error);
        return null;
      }
    },
    [refused],
  );
  const apply = useCallback(
    (act: () => Edited, gesture?: string): boolean => {
      const edited = attempt(act);
      if (edited) dispatch({ kind: "edit", source: edited.source, selected: edited.selected, ...(gesture !== undefined && { gesture }) });
      return edited !== null;
    },
    [attempt],
  );

  return useMemo(
    (): Builder => ({
      session,
      tree,
      file,
      script: isScript(source),
      inStep,
      steps,
      edit: (text, gesture) => dispatch({ kind: "edit", source: text, ...(gesture !== undefined && { gesture }) }),
      replace: (text) => dispatch({ kind: "replace", source: text }),
      select: (next) => dispatch({ kind: "select", selected: next }),
      undo: () => dispatch({ kind: "undo" }),
      redo: () => dispatch({ kind: "redo" }),
      done: () => dispatch({ kind: "endGesture" }),
      set: (path, value, gesture) => void apply(() => ({ source: value === undefined ? removed(source, path) : setIn(source, path, value, path[0] === "steps" ? STEP_ORDER : FILE_ORDER), selected: [...selected] }), gesture),
      rename: (path, name) => void apply(() => ({ source: renameBranch(source, path, name), selected: [...selected] })),
      insert: ({ verb, node, input }, place) => apply(() => insertNewStep(source, place, verb, node, input)),
      paste: (text, place) => {
        const missing = attempt(() => missingReferences(source, text));
        return missing && apply(() => insertSteps(source, place, text)) ? { missing } : null;
      },
      copy: (pointers) => attempt(() => copySteps(source, pointers)) ?? "",
      remove: (pointers) => void apply(() => removeSteps(source, pointers)),
      move: (pointers, place) => void apply(() => moveSteps(source, pointers, place)),
      nudge: (pointers, by) => void apply(() => nudgeSteps(source, pointers, by)),
      duplicate: (pointers) => void apply(() => duplicateSteps(source, pointers)),
      renameId: (pointer, id) => void apply(() => ({ source: renameStep(source, pointer, id), selected: [...selected] })),
    }),
    [session, tree, file, source, inStep, steps, selected, apply, attempt],
  );
}

/** A value taken away; an input that held nothing else goes with it. */
function removed(source: string, path: Path): string {
  const parent = valueAt(read(source).value, path.slice(0, -1));
  const alone = path.length > 2 && path.at(-2) === "with" && isMap(parent) && Object.keys(parent).length === 1;
  return removeIn(source, alone ? path.slice(0, -1) : path);
}

/** Where something is put that has no place of its own: behind what is selected, else at the end. */
export function placeBehind(tree: Tree, selected: readonly string[]): Place {
  const step = selected.flatMap((pointer) => tree.byPointer.get(pointer) ?? []).at(-1);
  if (step) return { list: step.path.slice(0, -1), index: Number(step.path.at(-1)) + 1 };
  if (selected.includes("start")) return { list: ["steps"], index: 0 };
  return { list: ["steps"], index: tree.steps.length };
}
