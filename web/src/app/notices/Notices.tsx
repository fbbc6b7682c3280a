// Words at the edge of the page. What shows them is loaded with the first word; until then it waits in the store.

import { useNotifications } from "@mantine/notifications";
import { lazy, Suspense, useState } from "react";

const NoticeList = lazy(() => import("./NoticeList").then((module) => ({ default: module.NoticeList })));

export function Notices() {
  const { notifications } = useNotifications();
  const [wanted, setWanted] = useState(false);
  if (!wanted && notifications.length > 0) {
    setWanted(true);
  }
  return <Suspense>{wanted && <NoticeList />}</Suspense>;
}
