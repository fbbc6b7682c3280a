// The session has ended while something was on the screen: one signs in again on top of it, and what was typed is still there.

import { lazy, Suspense } from "react";
import { useSessionEnded, useSessionQuery } from "../../client/session";

const SessionEndedDialog = lazy(() => import("./SessionEndedDialog").then((module) => ({ default: module.SessionEndedDialog })));

export function SessionEnded() {
  const ended = useSessionEnded();
  const { data } = useSessionQuery();
  return <Suspense>{ended && <SessionEndedDialog email={data?.user?.email ?? ""} />}</Suspense>;
}
