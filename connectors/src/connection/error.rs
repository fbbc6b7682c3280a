//! Why a connection could not be stored, changed or opened.

use super::seal::SealError;
use onward_core::{ErrorCode, StepError};
use onward_database::DatabaseError;

/// One mistake in what was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer of the place (`/config/phone_number_id`).
    pub pointer: String,
    /// What is wrong, and the remedy.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// What was handed in is wrong; every mistake at once.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    /// Another connection of the organisation has this name.
    #[error("there is already a connection named \"{0}\"; choose another name")]
    NameTaken(String),
    /// Somebody else changed it meanwhile.
    #[error("the connection was changed meanwhile (revision {actual}, not {expected}); read it again")]
    Changed {
        /// What the caller had seen.
        expected: i64,
        /// What it is.
        actual: i64,
    },
    /// Its secrets cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ConnectionError {
    pub(super) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl From<ConnectionError> for StepError {
    fn from(error: ConnectionError) -> Self {
        let code = match &error {
            ConnectionError::Invalid(_) => ErrorCode::InvalidInput,
            ConnectionError::NameTaken(_) | ConnectionError::Changed { .. } => ErrorCode::Conflict,
            // Only the operator can give the right key back; until then the credential is as good as missing.
            ConnectionError::Seal(_) => ErrorCode::Unauthorized,
            ConnectionError::Database(_) => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}
