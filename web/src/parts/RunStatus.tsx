import { Badge } from "@mantine/core";
import {
  type Icon,
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconClockPause,
  IconHourglass,
  IconPlayerPause,
  IconPlayerPlay,
  IconQuestionMark,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

export const RUN_STATUSES = ["held", "running", "waiting", "paused", "completed", "failed", "cancelled"] as const;
export type RunStatusName = (typeof RUN_STATUSES)[number];

/** Never told by colour alone: each has its sign and its word. */
export const STATUS_LOOKS: Record<RunStatusName, { color: string; icon: Icon }> = {
  held: { color: "grape", icon: IconClockPause },
  running: { color: "blue", icon: IconPlayerPlay },
  waiting: { color: "yellow", icon: IconHourglass },
  paused: { color: "gray", icon: IconPlayerPause },
  completed: { color: "teal", icon: IconCheck },
  failed: { color: "red", icon: IconAlertTriangle },
  cancelled: { color: "gray", icon: IconBan },
};

export function isRunStatus(text: string): text is RunStatusName {
  return text in STATUS_LOOKS;
}

/** How a run stands. */
export function RunStatus({ status }: { status: string }) {
  const { t } = useTranslation("runs");
  const known = isRunStatus(status);
  const { color, icon: Sign } = known ? STATUS_LOOKS[status] : { color: "gray", icon: IconQuestionMark };
  return (
    <Badge variant="light" color={color} leftSection={<Sign size={13} stroke={2.2} aria-hidden />} tt="none" fw={560} size="md" className="onward-status">
      {known ? t(`status.${status}`) : status}
    </Badge>
  );
}
