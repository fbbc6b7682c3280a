// Words that come up at the edge and go by themselves: what was done, and what could not be.

import { notifications } from "@mantine/notifications";
import i18next from "i18next";
import { explain } from "./problem";

export function tell(message: string): void {
  notifications.show({ message, color: "teal", closeButtonProps: { "aria-label": i18next.t("shell:close") } });
}

/** For a call that failed where no form shows why. */
export function tellProblem(error: unknown): void {
  notifications.show({
    message: explain(error),
    color: "red",
    autoClose: 10_000,
    role: "alert",
    closeButtonProps: { "aria-label": i18next.t("shell:close") },
  });
}
