// How messages are told. Pure.

import type { Message } from "../../client/schema";

/** Whether a message is the first of its day. */
export function sinceWhen(before: string | undefined, at: string): boolean {
  return before === undefined || new Date(before).toDateString() !== new Date(at).toDateString();
}

/** The provider's or the policy's reason for which a message was not sent. */
export function whyNotSent({ status, error }: Pick<Message, "status" | "error">): string | null {
  if (status !== "failed" && status !== "unknown") {
    return null;
  }
  const said = (error as { message?: unknown } | null)?.message;
  return typeof said === "string" ? said : null;
}
