//! Mistakes that are planted to see that the simulation finds them.

use crate::{
    EngineLimits,
    config::Plant,
    engine::Queued,
    message::{Answer, Item},
};
use onward_core::{Timestamp, machine::Happening, ports::Store};

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

/// Answers before the commit. Gives back the answers that are still to be given.
pub(crate) fn acknowledge_early<S: Store>(limits: &EngineLimits, items: &mut [Queued<S>], mut answers: Vec<Answer>) -> Vec<Answer> {
    if limits.planted(Plant::AcknowledgeBeforeCommit) {
        for (queued, answer) in items.iter_mut().zip(&mut answers) {
            // What another node is asked for is that node's to acknowledge.
            if !queued.item.is_own() && !queued.item.is_alone() && !matches!(answer, Answer::Asked(_)) {
                let item = std::mem::replace(&mut queued.item, Item::Inbox);
                item.answer(std::mem::replace(answer, Answer::Done));
            }
        }
    }
    answers
}
