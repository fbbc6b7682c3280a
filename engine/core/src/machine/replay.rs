//! Replay: the same function over recorded outcomes. Touches no node, store, live record, clock or event
//! (SEMANTICS.md 20).

use crate::{RunId, Value, definition::Workflow, history::Entry};
use serde::{Deserialize, Serialize};

/// Where a re-execution leaves the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The history entry where it begins.
    pub seq: u64,
    /// The step.
    pub step: Option<String>,
    /// The recorded entry; null when the record has none there.
    pub was: Value,
    /// What the re-execution would record; null when nothing.
    pub would: Value,
}

/// A call that another definition would add or lack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallDifference {
    /// The step.
    pub step: String,
    /// The node.
    pub node: String,
    /// Its input.
    pub input: Value,
}

/// What a re-execution gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// No difference.
    pub same: bool,
    /// The first difference first.
    pub differences: Vec<Difference>,
    /// Calls that would be made and were not.
    pub added: Vec<CallDifference>,
    /// Calls that were made and would not be.
    pub missing: Vec<CallDifference>,
    /// From this entry on, values are assumed (a node's example), not recorded.
    pub assumed_from: Option<u64>,
    /// The report ends here: a value is neither recorded nor can be assumed.
    pub unknown: Option<String>,
}

/// Re-executes a history on its own definition: the first difference ends it.
pub fn replay(_workflow: &Workflow, _run_id: RunId, _entries: &[Entry]) -> Report {
    todo!()
}

/// Re-executes a history on another definition.
pub fn replay_against(_workflow: &Workflow, _run_id: RunId, _entries: &[Entry]) -> Report {
    todo!()
}
