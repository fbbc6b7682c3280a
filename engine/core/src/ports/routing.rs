//! What becomes of an event.

use crate::{Event, EventId, RunId};
use serde::{Deserialize, Serialize};

/// What became of one event's insertion.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one for each event, moved once; nearly all are the large one")]
pub enum Inserted {
    /// New: it is stored.
    Stored(Event),
    /// Known within the dedupe time: the first body won; this is its id.
    Duplicate(EventId),
}

/// What routing noted on an event, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RoutingNote {
    /// A run was started.
    Started {
        /// Which.
        run_id: RunId,
        /// Of which workflow.
        workflow: String,
    },
    /// A trigger's `if`, `with` or `key` failed (SEMANTICS.md 9).
    TriggerError {
        /// Of which workflow.
        workflow: String,
        /// The trigger's place.
        trigger: usize,
        /// What went wrong.
        message: String,
    },
    /// `mode` or `reentry` refused the start.
    Suppressed {
        /// Of which workflow.
        workflow: String,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The start waits.
    Held {
        /// Of which workflow.
        workflow: String,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A waiting run got it.
    Delivered {
        /// Which.
        run_id: RunId,
        /// Where.
        target: String,
    },
}
