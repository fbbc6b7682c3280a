//! Events: `CloudEvents` 1.0 envelopes on the bus.

use crate::{EventId, OrganisationId, RunId, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// An event as someone hands it in: not yet stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Whose event it is.
    pub organisation: OrganisationId,
    /// The event's type: `[a-z0-9_.-]+`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who says so: a URI or a name. With `id` it is the identity for dedupe.
    pub source: String,
    /// The sender's id; without it the event is never deduplicated (SEMANTICS.md 8).
    pub id: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, as the sender says; intake time when absent.
    pub time: Option<Timestamp>,
    /// The facts.
    pub data: Value,
    /// The run that caused it, if one did.
    pub cause: Option<RunId>,
    /// How many events and runs led to it (SEMANTICS.md 13).
    pub depth: u16,
}

impl NewEvent {
    /// An event from our own side with no dedupe id.
    pub fn new(organisation: OrganisationId, kind: impl Into<String>, source: impl Into<String>, data: Value) -> Self {
        Self { organisation, kind: kind.into(), source: source.into(), id: None, subject: None, time: None, data, cause: None, depth: 0 }
    }
    /// Gives it an id, so that it takes effect at most once.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
    /// The key of the dedupe table, when it can be deduplicated.
    pub fn dedupe_key(&self) -> Option<[u8; 16]> {
        let id = self.id.as_deref()?;
        Some(crate::digest::short(&[self.organisation.0.as_bytes(), self.source.as_bytes(), id.as_bytes()]))
    }
}

/// An event that is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Our id for it.
    pub event_id: EventId,
    /// When it was taken in, by engine time: what "early" is measured by.
    pub taken_in_at: Timestamp,
    /// What was handed in.
    #[serde(flatten)]
    pub body: NewEvent,
}

impl Event {
    /// The `CloudEvents` envelope that expressions see as `event`.
    pub fn envelope(&self) -> Value {
        serde_json::json!({
            "specversion": "1.0",
            "id": self.body.id.clone().unwrap_or_else(|| self.event_id.to_string()),
            "source": self.body.source,
            "type": self.body.kind,
            "subject": self.body.subject,
            "time": self.body.time.unwrap_or(self.taken_in_at),
            "data": self.body.data,
        })
    }
}
