//! Checkpoints: the state of a long run, written down, so that its history need not be folded whole (SEMANTICS.md 19). A cache and
//! never a truth: without one, or with one that does not fit, the history is folded from its first entry.
//!
//! A fold from the middle knows the state and the entries behind it, and nothing else. Two entries ask for more: `reopened` goes back
//! to states before the failure that it takes back, and what follows `migrated` is of another version than what went before it. A
//! checkpoint with one of them behind it is not used; whoever writes checkpoints writes a new one with such an entry, which then is
//! in it.

use super::{
    State,
    fold::{FoldError, fold},
};
use crate::{
    RunId,
    definition::Workflow,
    digest,
    history::{Entry, Fact, REVISION},
};
use std::sync::LazyLock;

/// What a checkpoint must be of to be read: this revision of the machine, this version of the program, and this shape of a state.
static CHECKPOINT_REVISION: LazyLock<u32> = LazyLock::new(|| {
    let empty = serde_json::to_string(&State::new(RunId(uuid::Uuid::nil()))).unwrap_or_default();
    let [a, b, c, d, ..] = digest::short(&[&REVISION.to_be_bytes(), env!("CARGO_PKG_VERSION").as_bytes(), empty.as_bytes()]);
    // The database's integers have a sign.
    u32::from_be_bytes([a, b, c, d]) >> 1
});

/// The revision of the checkpoints that this build writes and reads. Whatever may change what a state means changes it, and with it
/// every checkpoint is folded anew.
pub fn checkpoint_revision() -> u32 {
    *CHECKPOINT_REVISION
}

/// Why a checkpoint is not used. No error: the history is folded from its first entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is of another run or version, or of no place of this history.
    #[error("it is of {0}")]
    Elsewhere(String),
    /// An entry behind it needs what was before it.
    #[error("entry {seq} ({kind}) needs what was before it")]
    LooksBack {
        /// Where.
        seq: u64,
        /// Its kind.
        kind: &'static str,
    },
    /// What is behind it does not follow from it.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// Folds a run from the state that a checkpoint holds. `entries` begin with the one that the state is of: it proves that the state is
/// of this history, and is not folded again.
///
/// # Errors
/// The checkpoint is not to be used; then the whole history is folded.
pub fn fold_from(workflow: &Workflow, run_id: RunId, version: u32, mut state: State, entries: &[Entry]) -> Result<State, Unfit> {
    if state.run_id != run_id || state.version != version {
        return Err(Unfit::Elsewhere(format!("run {} on version {}, and this is run {run_id} on version {version}", state.run_id, state.version)));
    }
    let Some(behind) = entries.split_first().filter(|(last, _)| last.seq == state.seq && last.at == state.at).map(|(_, behind)| behind) else {
        return Err(Unfit::Elsewhere(format!("an entry {} of {} that this history does not have", state.seq, state.at)));
    };
    if let Some(entry) = behind.iter().find(|entry| matches!(entry.fact, Fact::Reopened { .. } | Fact::Migrated { .. })) {
        return Err(Unfit::LooksBack { seq: entry.seq, kind: entry.fact.kind() });
    }
    // As after a fold: a script is looked at once, wherever it stood.
    state.script.stale = workflow.script.is_some();
    for entry in behind {
        fold(workflow, &mut state, entry)?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::checkpoint_revision;

    #[test]
    fn a_revision_fits_into_every_database() {
        assert_eq!(checkpoint_revision(), checkpoint_revision());
        assert!(i32::try_from(checkpoint_revision()).is_ok());
    }
}
