// What forms do to the workflow. The same functions all the time, so that a form is drawn anew when what it shows changes, and not with
// every key on the graph.
import { useLayoutEffect, useMemo, useRef } from "react";
import type { StepActions } from "../inspector/StepForm";
import type { Builder } from "./useBuilder";

export interface FormHands {
  fields: Pick<Builder, "set" | "rename" | "done">;
  /** To the step that is selected. */
  step: StepActions;
}

export function useFormHands(builder: Builder): FormHands {
  const latest = useRef(builder);
  useLayoutEffect(() => { latest.current = builder; });
  return useMemo(() => {
    const only = (): Builder["steps"][number] | undefined => (latest.current.steps.length === 1 ? latest.current.steps[0] : undefined);
    const selected = (): readonly string[] => latest.current.session.selected;
    return {
      fields: {
        set: (path, value, gesture) => latest.current.set(path, value, gesture),
        rename: (path, name) => latest.current.rename(path, name),
        done: () => latest.current.done(),
      },
      step: {
        renameId: (id) => { const step = only(); if (step) latest.current.renameId(step.pointer, id); },
        changeNode: (node) => { const step = only(); if (step) latest.current.set([...step.path, "do"], node); },
        duplicate: () => latest.current.duplicate(selected()),
        remove: () => latest.current.remove(selected()),
        nudge: (by) => { const step = only(); if (step) latest.current.nudge([step.pointer], by); },
      },
    };
  }, []);
}
