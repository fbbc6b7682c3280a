// What a failed call says to a person.

import i18next from "i18next";
import { problemOf } from "../client/http";

/** The server's own sentence, which names the place and the remedy; without an answer, that it cannot be reached. */
export function explain(error: unknown): string {
  const problem = problemOf(error);
  if (problem === null) {
    return i18next.t("shell:unreachable.text");
  }
  const fields = problem.errors ?? [];
  const [first] = fields;
  return fields.length === 1 && first !== undefined ? first.detail : problem.detail;
}
