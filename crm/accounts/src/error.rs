//! What the CRM's rooms answer when they do not do what was asked. Shared by accounts, records and messaging, so that an
//! endpoint and a node translate it once.

use onward_core::{ErrorCode, StepError, ports::WriteError};
use onward_database::DatabaseError;

/// Why it was not done. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrmError {
    /// The input is wrong.
    #[error("{message}")]
    Invalid {
        /// Where: a JSON pointer without the leading slash (`phones/1`), or a name.
        field: String,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// There is no such record in this organisation.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `contact`, `conversation` …
        what: &'static str,
        /// The id or name that was asked for.
        id: String,
    },
    /// Several candidates, or a state that does not permit it.
    #[error("{message}")]
    Conflict {
        /// What stands against it, and the remedy.
        message: String,
        /// The records concerned.
        ids: Vec<String>,
    },
    /// Not now; it may be otherwise later (nobody is online).
    #[error("{message}")]
    Unavailable {
        /// What is missing, and the remedy.
        message: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl CrmError {
    /// The input is wrong at this place.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }
    /// There is no such record.
    #[expect(clippy::needless_pass_by_value, reason = "ids are Copy, and texts come as references")]
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
    /// It stands against what is there.
    pub fn conflict(message: impl Into<String>, ids: Vec<String>) -> Self {
        Self::Conflict { message: message.into(), ids }
    }
}

/// For nodes.
impl From<CrmError> for StepError {
    fn from(error: CrmError) -> Self {
        let message = error.to_string();
        match error {
            CrmError::Invalid { field, .. } => {
                Self::new(ErrorCode::InvalidInput, format!("{field}: {message}")).with_details(serde_json::json!({ "field": field }))
            }
            CrmError::NotFound { what, id } => Self::new(ErrorCode::NotFound, message).with_details(serde_json::json!({ "what": what, "id": id })),
            CrmError::Conflict { ids, .. } => Self::new(ErrorCode::Conflict, message).with_details(serde_json::json!({ "ids": ids })),
            CrmError::Unavailable { .. } => Self::new(ErrorCode::Unavailable, message),
            CrmError::Database(error) => error.into(),
        }
    }
}

/// For bodies of writes whose other errors travel in the slot of `onward_core::ports::write`.
impl From<CrmError> for WriteError {
    fn from(error: CrmError) -> Self {
        match error {
            CrmError::Database(error) => error.into(),
            _ => Self::Refused,
        }
    }
}
