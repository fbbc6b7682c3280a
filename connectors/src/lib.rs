//! Connectors: one folder a provider, connections and their secrets, the one HTTP client.
//!
//! A connector knows its provider's wire format and nothing of contacts, conversations or runs: it verifies and takes
//! apart what comes in ([`incoming`]) and sends what `crm/messaging` hands it ([`channel`]). It never writes a row; only
//! [`connection`] has a table.

pub mod catalogue;
pub mod channel;
pub mod connection;
pub mod connector;
pub mod http;
pub mod incoming;
pub mod json;
pub mod manifest;
mod signature;
pub mod whatsapp;

pub use catalogue::Connectors;
pub use connector::{Challenge, Connector, NormaliseError, TestReport, Verified, WebhookRequest};
pub use manifest::{Capability, Manifest};
