//! Why the engine did not do what it was asked for.

use onward_core::{definition::Problem, ports::WriteError};

/// Why the engine did not do what it was asked for. Nothing of it is stored, except where [`WriteError::OutcomeUnknown`]
/// says that nobody knows.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// There is no such thing in this organisation.
    #[error("{what} does not exist")]
    NotFound {
        /// What was asked for: `workflow "welcome"`, `run 0190…`.
        what: String,
    },
    /// The definition has errors.
    #[error("the workflow has {} problem(s); the first: {}", .problems.len(), .problems.first().map_or("none", |problem| problem.message.as_str()))]
    Invalid {
        /// All of them, warnings included.
        problems: Vec<Problem>,
    },
    /// The input does not fit.
    #[error("{0}")]
    InvalidInput(String),
    /// The state does not permit it: `mode` or `reentry` refuses the start, the run has ended ….
    #[error("{0}")]
    Conflict(String),
    /// Too much is held already.
    #[error("{0}")]
    TooMany(String),
    /// The commit refused it, failed, or cannot take it now.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl EngineError {
    /// Nobody knows whether it is stored.
    pub const OUTCOME_UNKNOWN: Self = Self::Write(WriteError::OutcomeUnknown);
}
