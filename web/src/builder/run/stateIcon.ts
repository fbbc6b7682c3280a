// One sign for each state of a step in a run: colour is never the only one.
import { IconCheck, IconClockPause, IconPlayerSkipForward, IconProgress, IconRefresh, IconX, type Icon } from "@tabler/icons-react";
import type { StepState } from "../canvas/flow";

export const STATE_ICONS: Record<StepState, Icon> = { done: IconCheck, waiting: IconClockPause, failed: IconX, skipped: IconPlayerSkipForward, running: IconProgress, retrying: IconRefresh };
