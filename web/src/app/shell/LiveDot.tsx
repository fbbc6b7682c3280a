import { useTranslation } from "react-i18next";
import type { LiveState } from "../live/socket";
import classes from "./LiveDot.module.css";

/** Whether what is on the screen follows the server by itself. */
export function LiveDot({ state }: { state: LiveState }) {
  const { t } = useTranslation("shell");
  return <span className={classes.dot} data-state={state} role="img" aria-label={t(`live.${state}`)} title={t(`live.${state}`)} />;
}
