//! Mistakes that are planted to see that the simulation finds them.

use crate::{
    EngineLimits,
    config::Plant,
    engine::Queued,
    message::{Answer, Item},
};
use onward_core::{
    Event, Timestamp, Value,
    machine::Happening,
    ports::{InboxRow, Store},
};
use std::sync::Arc;

/// Milliseconds for which an event's transaction may be open: as long as the slowest commit of the simulation.
const OPEN_MS: i64 = 3_000;

/// Rows with a number greater than the greatest one seen.
pub(crate) fn greater_than_seen(limits: &EngineLimits, seen: &mut i64, mut rows: Vec<InboxRow>) -> Vec<InboxRow> {
    if limits.planted(Plant::InboxByNumber) {
        rows.retain(|row| row.id > *seen);
        *seen = rows.iter().map(|row| row.id).fold(*seen, i64::max);
    }
    rows
}

/// Events that were taken in so long ago that their transactions have ended for certain.
pub(crate) fn without_open_transactions(limits: &EngineLimits, now: Timestamp, mut events: Vec<Event>) -> Vec<Event> {
    if limits.planted(Plant::BucketsNotLocked) {
        events.retain(|event| event.taken_in_at < now.plus_millis(-OPEN_MS));
    }
    events
}

/// What the live record says by now, where the first attempt had what it said then.
pub(crate) fn rendered_again(limits: &EngineLimits, now: Timestamp, attempt: u32, input: &Arc<Value>) -> Arc<Value> {
    let mut again = Arc::clone(input);
    if limits.planted(Plant::InputRenderedAgain)
        && attempt > 1
        && let Some(record) = Arc::make_mut(&mut again).get_mut("org")
    {
        *record = Value::from(super::world::organisation_name(now));
    }
    again
}

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
