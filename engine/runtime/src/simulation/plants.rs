//! Mistakes that are planted to see that the simulation finds them.

use crate::{EngineLimits, config::Plant};
use onward_core::{Timestamp, machine::Happening};

/// A timer is set for the second it is due in, not for the millisecond.
pub(crate) fn planted_due(limits: &EngineLimits, due: Timestamp) -> Timestamp {
    if limits.planted(Plant::TimerRoundedDown) { Timestamp::from_millis(due.as_millis() / 1_000 * 1_000) } else { due }
}

/// And the machine is told that the second has passed.
pub(crate) fn planted_now(limits: &EngineLimits, now: Timestamp, happening: &Happening) -> Timestamp {
    if limits.planted(Plant::TimerRoundedDown) && matches!(happening, Happening::Due { .. }) {
        Timestamp::from_millis(now.as_millis() / 1_000 * 1_000 + 999)
    } else {
        now
    }
}
