// What a failed call says to a person.

import i18next from "i18next";
import { problemOf } from "../client/http";

/**
 * In the reader's language by the problem's code; what the server says itself where a code says too little, or is new. Without
 * an answer, that the server cannot be reached.
 */
export function explain(error: unknown): string {
  const problem = problemOf(error);
  if (problem === null) {
    return i18next.t("shell:unreachable.text");
  }
  const [first, ...others] = problem.errors ?? [];
  const detail = first !== undefined && others.length === 0 ? first.detail : problem.detail;
  const key = `shell:problem.${problem.code}`;
  return i18next.exists(key) ? i18next.t(key as "shell:problem.changed", { detail }) : detail;
}
