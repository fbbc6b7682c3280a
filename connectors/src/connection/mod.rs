//! Connections: stored credentials for connectors.
//!
//! What this module must never do: show a secret. Secrets leave only opened into `onward_core::ports::Connection`, for the
//! one call that needs them.

mod check;
mod credentials;
mod error;
mod key;
mod model;
mod seal;
mod store;
#[cfg(test)]
mod tests;

pub use check::is_name;
pub use credentials::{Addressed, StoredCredentials};
pub use error::{ConnectionError, Problem};
pub use key::{KeyError, MasterKey};
pub use model::{ConnectionChange, Health, HealthState, NewConnection, StoredConnection, webhook_path};
pub use seal::{NonceSource, SealError, SystemNonces, Vault};
pub use store::{add, any_sealed, delete, find, find_by_account, is_current, list, record_health, update};
