import { IconPlugConnectedX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { LiveState } from "../live/socket";
import classes from "./ConnectionState.module.css";

/** Says when the server is away. It lies over the page, so that nothing moves when it comes and goes. */
export function ConnectionState({ state }: { state: LiveState }) {
  const { t } = useTranslation("shell");
  return (
    <div className={classes.place} role="status">
      {state === "lost" && (
        <span className={classes.word}>
          <IconPlugConnectedX size={16} aria-hidden />
          {t("live.away")}
        </span>
      )}
    </div>
  );
}
