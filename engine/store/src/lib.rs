//! The engine's tables: the `Store` port over a database, and what API and command line read of runs, events and
//! definitions.
//!
//! Statements are in the common dialect of `onward_database` and bounded in number: a batch of any size is written by one
//! array statement a table.
//!
//! What this crate must never know: what the machine decides, or why. It stores what it is told and finds it again.

mod checkpoints;
mod definitions;
mod events;
mod fences;
mod flow_limits;
mod held;
mod inbox;
mod leases;
mod notices;
mod payloads;
mod runs;
mod schedules;
mod store;
#[cfg(test)]
mod tests;
mod timers;
mod waits;

pub mod drafts;
pub mod idempotency;
pub mod pauses;
pub mod queries;
pub mod repairs;
pub mod retention;
pub mod rollouts;

pub use definitions::set_paused as set_workflow_paused;
pub use flow_limits::forget_rates;
pub use payloads::erase as erase_payloads;
pub use store::SqlStore;

use onward_core::{Timestamp, ports::StoreError};
use uuid::Uuid;

/// Stored data that cannot be read.
fn corrupt(what: impl Into<String>, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: what.into(), reason: reason.to_string() }
}

/// JSON that we made ourselves as text.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(format!("a value cannot be written as JSON: {error}")))
}

/// The first id that something made at or after this moment can have: ids are in order of creation, to the millisecond.
fn first_id_of(moment: Timestamp) -> Uuid {
    let millis = u64::try_from(moment.as_millis()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80)
}
