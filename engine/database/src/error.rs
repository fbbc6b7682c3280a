//! What can go wrong with the database, sorted by who must act.

use onward_core::{
    ErrorCode, StepError,
    ports::{StoreError, WriteError},
};
use std::path::PathBuf;

/// Why the database did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// A row with these values is already there.
    #[error("{table} already has a row with this {}", columns.join(", "))]
    UniqueViolation {
        /// The table.
        table: String,
        /// The columns of the constraint.
        columns: Vec<String>,
    },
    /// A foreign key, `CHECK`, `NOT NULL` or column type forbids the row.
    #[error("the row breaks a rule of its table: {0}")]
    ConstraintViolation(String),
    /// The disk is full; nothing was written. Goes away when there is room again.
    #[error("the disk is full")]
    DiskFull,
    /// Another connection held the database for longer than the time-out.
    #[error("the database is busy")]
    Busy,
    /// Another transaction holds what this one wants, and may be waiting for what this one holds: nothing of this one is stored, so that
    /// the other can go on.
    #[error("another server holds what was wanted")]
    Contended,
    /// The connection to the server was lost, or cannot be made; what was not committed is undone.
    #[error("the connection to the database is lost: {0}")]
    Disconnected(String),
    /// `fetch_one` found none.
    #[error("no row was found")]
    NoRow,
    /// A column is missing, null or of another type than the code expects.
    #[error("column {column}: {reason}")]
    Column {
        /// Its name.
        column: String,
        /// What does not fit.
        reason: String,
    },
    /// The statement and its arguments do not fit together: our own mistake.
    #[error("statement `{sql}`: {reason}")]
    Statement {
        /// The statement.
        sql: String,
        /// What does not fit.
        reason: String,
    },
    /// An earlier error, or a statement that was not waited for, has ended this transaction; nothing of it is stored.
    #[error("the transaction was already given up: {0}")]
    TransactionLost(String),
    /// The URL names something that cannot be opened.
    #[error("database URL `{url}`: {reason}")]
    Url {
        /// As given, without a password.
        url: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// Another process serves this file.
    #[error("{} is in use by the process {process} (it holds {}); stop it, or let it do the work", file.display(), lock.display())]
    InUse {
        /// The database file.
        file: PathBuf,
        /// The lock beside it.
        lock: PathBuf,
        /// The id of the process that holds it, or `unknown`.
        process: String,
    },
    /// The database does not give the durability that we promise.
    #[error("the database cannot be used: {0}")]
    Unfit(String),
    /// A migration failed, or the file was written by a newer version.
    #[error("the schema cannot be brought up to date: {0}")]
    Migration(String),
    /// Something that was left to the commit failed there; nothing is stored.
    #[error("{0}")]
    CommitRefused(Box<DatabaseError>),
    /// A condition of the commit did not hold; nothing is stored.
    #[error("a condition of the commit does not hold any more")]
    ConditionFailed,
    /// A commit's outcome is unknown: it may or may not be stored.
    #[error("the outcome of the commit is unknown: {0}")]
    CommitUnknown(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl DatabaseError {
    /// Whether this is a unique violation of this table.
    pub fn is_unique_violation_of(&self, of: &str) -> bool {
        matches!(self, Self::UniqueViolation { table, .. } if table == of)
    }
    /// Whether the same work may succeed later without a change to it.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::DiskFull | Self::Busy | Self::Contended | Self::Disconnected(_) | Self::TransactionLost(_))
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::CommitRefused(reason) => Self::from(*reason),
            DatabaseError::DiskFull => Self::DiskFull,
            DatabaseError::Contended => Self::Contended,
            passing if passing.is_passing() => Self::Unavailable(passing.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<DatabaseError> for WriteError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::CommitRefused(reason) => Self::from(*reason),
            DatabaseError::CommitUnknown(_) => Self::OutcomeUnknown,
            passing if passing.is_passing() => Self::Unavailable { retry_after_ms: 1_000 },
            other => Self::Database(other.to_string()),
        }
    }
}

/// For nodes: what passes by itself is `unavailable`, and so tried again; the rest is our own mistake.
impl From<DatabaseError> for StepError {
    fn from(error: DatabaseError) -> Self {
        let code = if error.is_passing() { ErrorCode::Unavailable } else { ErrorCode::Internal };
        Self::new(code, error.to_string())
    }
}
