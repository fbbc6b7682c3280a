// The coloured sign of a kind of step.
import { IconArrowsSplit2, IconBolt, IconDatabase, IconFlagFilled, IconHelp, IconHourglass, IconMessage, IconUser, IconWorld, type Icon } from "@tabler/icons-react";
import type { Kind } from "../graph/verbs";
import styles from "./tile.module.css";

const SIGNS: Record<Kind, Icon> = {
  trigger: IconBolt, message: IconMessage, logic: IconArrowsSplit2, wait: IconHourglass, data: IconDatabase, person: IconUser, outside: IconWorld, end: IconFlagFilled, unknown: IconHelp,
};

export function Tile({ kind, small = false }: { kind: Kind; small?: boolean }) {
  const Sign = SIGNS[kind];
  return <span className={styles.tile} data-kind={kind} data-small={small || undefined} aria-hidden><Sign size={small ? 15 : 19} stroke={1.8} /></span>;
}
