//! A connection as it is stored and shown.

use onward_core::{ConnectionId, Object, OrganisationId, Timestamp, Value};
use serde_json::json;

/// A connection, without its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredConnection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose.
    pub organisation: OrganisationId,
    /// The connector.
    pub connector: String,
    /// Unique in its organisation; `[a-z0-9-]+`.
    pub name: String,
    /// The provider's account that the config names.
    pub account: Option<String>,
    /// What is not secret.
    pub config: Object,
    /// Which secrets are set.
    pub secret_names: Vec<String>,
    /// Rises with every change but health.
    pub revision: i64,
    /// How it was when last looked at.
    pub health: Health,
    /// When it was made.
    pub created_at: Timestamp,
    /// When name, config or secrets changed last.
    pub updated_at: Timestamp,
}

/// How a connection was when last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How it was.
    pub state: HealthState,
    /// What the provider said.
    pub message: Option<String>,
    /// When.
    pub checked_at: Option<Timestamp>,
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthState {
    /// Nobody has asked yet.
    #[default]
    Unknown,
    /// The provider said yes.
    Healthy,
    /// It did not.
    Unhealthy,
}

impl HealthState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Unknown, Self::Healthy, Self::Unhealthy].into_iter().find(|state| state.as_str() == text)
    }
}

/// Where a connection's provider delivers.
pub fn webhook_path(connector: &str, id: ConnectionId) -> String {
    format!("/hooks/{connector}/{id}")
}

impl StoredConnection {
    /// The JSON shape. `public_url` is the server's address as providers see it.
    pub fn to_json(&self, public_url: &str) -> Value {
        json!({
            "id": self.id,
            "connector": self.connector,
            "name": self.name,
            "config": self.config,
            "secrets_set": self.secret_names,
            "webhook_url": format!("{}{}", public_url.trim_end_matches('/'), webhook_path(&self.connector, self.id)),
            "health": { "status": self.health.state.as_str(), "message": self.health.message, "checked_at": self.health.checked_at },
            "revision": self.revision,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }
}

/// A connection to be made.
#[derive(Clone, Debug, Default)]
pub struct NewConnection {
    /// The connector's id.
    pub connector: String,
    /// Its name.
    pub name: String,
    /// What is not secret.
    pub config: Object,
    /// What is: texts by name.
    pub secrets: Object,
}

/// A change of a connection. What is `None` or absent stays.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    /// A new name.
    pub name: Option<String>,
    /// The whole new config.
    pub config: Option<Object>,
    /// Secrets to set; null removes one; those not named stay.
    pub secrets: Object,
    /// The revision that the caller has seen (`If-Match`).
    pub if_revision: Option<i64>,
}
