// What every field of a form needs: the scope of its expressions, where to write, and what is wrong.
import { createContext, useContext } from "react";
import type { SplitStats } from "../../client/schema";
import type { Path } from "../document/read";
import type { Samples, Variable } from "../scope/scope";

export interface FormProblem {
  pointer: string;
  severity: string;
  message: string;
}

export interface FormSurroundings {
  workflow: string;
  variables: readonly Variable[];
  samples: Samples;
  eventTypes: readonly string[];
  /** How the published splits fare. */
  splits: readonly SplitStats[];
  problems: readonly FormProblem[];
  readOnly: boolean;
  /** Sets a value, or takes it away when `undefined`. */
  set: (path: Path, value: unknown, gesture?: string) => void;
  rename: (path: Path, name: string) => void;
  done: () => void;
}

export const FormContext = createContext<FormSurroundings>({
  workflow: "", variables: [], samples: { event: null, input: null, vars: {}, steps: {} }, eventTypes: [], splits: [], problems: [], readOnly: true, set: () => undefined, rename: () => undefined, done: () => undefined,
});

export function useForm(): FormSurroundings {
  return useContext(FormContext);
}

/** The first problem of the value at a pointer. */
export function problemAt(problems: readonly FormProblem[], pointer: string): string | undefined {
  return problems.find((problem) => problem.pointer === pointer && problem.severity !== "hint")?.message;
}
