//! Connectors: one folder a provider, connections and their secrets, the one HTTP client.

pub mod channel;
pub mod incoming;
