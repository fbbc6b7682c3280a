//! The fold of one entry into the state. Evaluates nothing.

use super::State;
use crate::{RunId, definition::Workflow, history::Entry};

/// A history that contradicts itself or its definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("history entry {seq} ({kind}): {reason}")]
pub struct FoldError {
    /// Where.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What does not fit.
    pub reason: String,
}

/// Folds one entry.
pub fn fold(_workflow: &Workflow, _state: &mut State, _entry: &Entry) -> Result<(), FoldError> {
    todo!()
}

/// Folds a whole history.
pub fn fold_all(_workflow: &Workflow, _run_id: RunId, _entries: &[Entry]) -> Result<State, FoldError> {
    todo!()
}
