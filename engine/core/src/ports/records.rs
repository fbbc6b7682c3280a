//! Live records and credentials, as the engine asks for them.

use super::Transaction;
use crate::{ConnectionId, Object, OrganisationId, StepError, Value};

/// A record that an expression names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordRef {
    /// `contact`, `company`, `deal`, `conversation`, `org`.
    pub name: String,
    /// Its id; empty for `org`.
    pub id: String,
}

/// Reads live records for expressions, through the transaction, so that a step sees what the one before it wrote.
#[crate::async_trait]
pub trait Records<T: Transaction>: Send + Sync + 'static {
    /// The record as expressions see it; `None` when there is none.
    async fn read(&self, tx: &mut T, organisation: OrganisationId, record: &RecordRef) -> Result<Option<Value>, StepError>;
}

/// A connection with its secrets opened; never stored, logged or shown.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The connector.
    pub connector: String,
    /// Its name in the organisation.
    pub name: String,
    /// What is not secret.
    pub config: Object,
    /// What is.
    pub secrets: std::sync::Arc<std::collections::BTreeMap<String, Secret>>,
}

/// A secret text: shows nothing of itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text, for the one place that sends or checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Hands nodes the credential that `connection: NAME` names.
#[crate::async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// By name or id within the organisation; with `connector`, of that connector only, and then without a name the only
    /// one there is.
    async fn connection(&self, organisation: OrganisationId, connector: Option<&str>, name: Option<&str>) -> Result<Connection, StepError>;
}
