//! What goes wrong at the store.

use crate::{RunId, Shard};

/// Why the store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A shard that this work relies on is not ours any more; nothing was written.
    #[error("the lease of shard {shard} was lost (epoch {expected} expected)")]
    LeaseLost {
        /// Which.
        shard: Shard,
        /// The epoch that we held.
        expected: i64,
    },
    /// What every node keeps in memory was changed by another one; nothing was written.
    #[error("definitions or pauses were changed by another server meanwhile")]
    GenerationChanged,
    /// Another node addressed something to one of these shards; nothing was written.
    #[error("another server addressed something to this one meanwhile")]
    InboxWaits,
    /// `(run, seq)` is taken: someone else wrote this run's history.
    #[error("history of run {run_id} already has an entry {seq}")]
    HistoryConflict {
        /// Which run.
        run_id: RunId,
        /// Which entry.
        seq: u64,
    },
    /// Stored data that cannot be read; named, never dropped.
    #[error("stored data of {what} cannot be read: {reason}")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// Another node holds what was wanted, and may be waiting for what this transaction holds: it ends here, and nothing of it was written.
    /// The same may be done anew at once.
    #[error("another server holds what was wanted")]
    Contended,
    /// The disk is full; nothing was written. Goes away when there is room again.
    #[error("the disk is full")]
    DiskFull,
    /// The database cannot be reached, or somebody else held what was wanted for too long; nothing was written. Goes away by
    /// itself.
    #[error("the database is not there for now: {0}")]
    Unavailable(String),
    /// Anything else; nothing was written.
    #[error("the database failed: {0}")]
    Failed(String),
}

/// How a commit ended when it was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Surely not stored.
    #[error("the commit failed: {0}")]
    Failed(StoreError),
    /// Surely not stored, and not for want of a database: a check or a write that the store put off until the commit was refused.
    #[error("{0}")]
    Refused(StoreError),
    /// It may or may not be stored (SEMANTICS.md 5).
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(String),
}
