//! Whether an event starts a run, and with what.

use super::{Known, Need};
use crate::{EventId, RunId, Value, definition::Workflow, history::StepPath};
use std::collections::BTreeMap;

/// A start that was admitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The run's id.
    pub run_id: RunId,
    /// The version.
    pub version: u32,
    /// What it is about; the run's id when the workflow has no `key`.
    pub key: String,
    /// The trigger's place; `None` for a start by hand.
    pub trigger: Option<usize>,
    /// The input.
    pub input: Value,
    /// The envelope.
    pub event: Value,
    /// Our id of the event.
    pub event_id: Option<EventId>,
    /// Seed of all chance in the run.
    pub seed: u64,
    /// Causes in a row that led here.
    pub depth: u16,
    /// Record fields that the trigger's expressions used.
    pub reads: BTreeMap<String, Value>,
}

/// What a trigger says to an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// Its `if` is false.
    No,
    /// A run starts.
    Yes {
        /// Becomes `input`.
        input: Value,
        /// `None`: no `key` in the definition.
        key: Option<String>,
        /// Record fields that were used.
        reads: BTreeMap<String, Value>,
    },
    /// Something must be known first.
    Need(Need),
    /// `if`, `with` or `key` failed: concerns this trigger alone (SEMANTICS.md 9).
    Error(String),
}

/// Asks one event trigger (by its place) about an event's envelope.
pub fn admit(_workflow: &Workflow, _trigger: usize, _envelope: &Value, _known: &Known, _now: crate::Timestamp) -> Admission {
    todo!()
}

/// A start by hand, API or call: the key for this input, after the `manual` trigger's schema was checked.
pub fn admit_input(_workflow: &Workflow, _input: &Value, _known: &Known, _now: crate::Timestamp) -> Admission {
    todo!()
}

/// Kept so that doc links resolve.
pub type StartPath = StepPath;
