//! Accounts: organisations, users, teams, who is online, sessions, API tokens, sign-in, the audit log.
//!
//! What this crate must never know: contacts, messages, HTTP. A function that writes takes the transaction; one that reads
//! takes anything that can be asked ([`onward_database::Query`]). Secrets are handed in or made by a [`SecretSource`], and
//! only their hashes are stored.

pub mod actor;
pub mod audit;
pub mod error;
pub mod nodes;
pub mod organisations;
pub mod password;
pub mod presence;
pub mod role;
pub mod secret;
pub mod sessions;
pub mod teams;
pub mod throttle;
pub mod tokens;
pub mod users;

#[cfg(test)]
mod tests;

pub use actor::{Actor, Author, AuthorKind};
pub use error::CrmError;
pub use nodes::nodes;
pub use role::{Action, Role};
pub use secret::{SecretSource, SystemSecrets};

onward_core::define_id!(
    /// Someone who signs in.
    UserId
);
onward_core::define_id!(
    /// Users who share work.
    TeamId
);
onward_database::id_columns!(UserId, TokenId, TeamId);

onward_core::define_id!(
    /// An API token; the record, never the secret.
    TokenId
);
