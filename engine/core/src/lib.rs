//! The pure heart of Onward: definitions, expressions, the state machine, history, and the ports to the world.
//!
//! What this crate must never know: tokio, a database, HTTP, the wall clock, randomness. Everything of that kind comes
//! in through the traits of [`ports`], or as plain parameters.

pub mod cause;
pub mod definition;
pub mod digest;
pub mod error;
pub mod event;
pub mod expression;
pub mod history;
pub mod hours;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod ports;
pub mod schedule;
pub mod time;
pub mod trace;

pub use async_trait::async_trait;
pub use error::{ErrorCode, StepError};
pub use event::{Event, NewEvent};
pub use ids::{ConnectionId, EventId, NodeId, OrganisationId, RunId, Shard};
pub use time::Timestamp;

/// The JSON value that inputs, outputs and records are made of.
pub use serde_json::Value;
/// A JSON object; keeps the order in which its author wrote the keys.
pub type Object = serde_json::Map<String, Value>;
