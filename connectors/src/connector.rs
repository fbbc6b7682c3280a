//! What every connector can do.

use crate::{channel::Channel, incoming::Incoming, manifest::Manifest};
use bytes::Bytes;
use onward_core::{StepError, ports::Connection};
use serde::Serialize;
use std::sync::Arc;

/// A delivery as it arrived, before anything of it is believed.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// The method.
    pub method: ::http::Method,
    /// The headers.
    pub headers: ::http::HeaderMap,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// When it arrived: a signed time must be near it.
    pub received_at: onward_core::Timestamp,
    /// The exact bytes: signatures are over these and over nothing derived from them.
    pub body: Bytes,
}

impl WebhookRequest {
    /// A header's text, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Whether a delivery comes from whom it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It does.
    Genuine,
    /// It does not, or nobody can tell: answered 401, and no trace stays but a counter.
    Forged {
        /// Why, for the operator's log; never the expected value.
        reason: &'static str,
    },
}

impl Verified {
    /// Whether it may be stored.
    pub fn is_genuine(self) -> bool {
        self == Self::Genuine
    }
}

/// The answer to a provider's GET that asks whether the address is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// 200, `text/plain`, exactly this body.
    Answer(String),
    /// 403.
    Refused,
    /// The provider knows no such question: 404 or 405.
    Unsupported,
}

/// Why a body cannot be taken apart at all: answered 400. What is only unknown is never an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// Not JSON, or nested too deeply.
    #[error(transparent)]
    Json(#[from] crate::json::JsonError),
    /// JSON, but not what this provider posts.
    #[error("the body is not a {connector} delivery: {expected} is missing")]
    Envelope {
        /// Which connector was asked.
        connector: &'static str,
        /// What every delivery of it has.
        expected: &'static str,
    },
}

/// What asking the provider gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// One sentence for a person: who the provider says we are.
    pub message: String,
    /// Facts that the provider gave.
    pub details: onward_core::Value,
}

/// A provider. Everything but [`Connector::test`] is free of I/O.
#[onward_core::async_trait]
pub trait Connector: Send + Sync + 'static {
    /// What people and programs must know of it.
    fn manifest(&self) -> &Manifest;

    /// Checks who sent a delivery, over the raw bytes, in constant time, before anything is parsed.
    fn verify(&self, connection: &Connection, request: &WebhookRequest) -> Verified;

    /// Answers a GET.
    fn challenge(&self, _connection: &Connection, _request: &WebhookRequest) -> Challenge {
        Challenge::Unsupported
    }

    /// Takes a delivery apart. Pure; drops nothing: what it does not know becomes `IncomingItem::Raw`.
    fn normalise(&self, body: &[u8]) -> Result<Vec<Incoming>, NormaliseError>;

    /// The sending half, for connectors that carry messages.
    fn channel(&self) -> Option<Arc<dyn Channel>> {
        None
    }

    /// Asks the provider whether the connection works. Changes nothing there.
    async fn test(&self, connection: &Connection) -> Result<TestReport, StepError>;
}
