//! The database under every room that has tables: opening, migrations, the one writing connection, readers, and the
//! common dialect.
//!
//! SQL is written once, in the dialect common to SQLite and PostgreSQL: `$1` placeholders, `RETURNING`, `ON CONFLICT`, and
//! for lists the [`Rows`] marker. Where the two really differ, the split stands in this crate and never in a query.
//!
//! ```text
//! pub async fn by_name<Q: Query>(db: &mut Q, organisation: OrganisationId, name: &str) -> Result<Option<Team>, DatabaseError> {
//!     let row = db.fetch_optional("SELECT id, name FROM teams WHERE organisation = $1 AND name = $2", args![organisation, name]).await?;
//!     row.map(|row| Ok(Team { id: row.get("id")?, name: row.get("name")? })).transpose()
//! }
//! ```
//!
//! What this crate must never know: any room's table. It embeds the migrations and runs them at open; the one table of its own is
//! that of background [`jobs`], which every room may want.

pub mod backup;
mod clock;
mod database;
mod error;
mod identifiers;
pub mod jobs;
mod listening;
mod lists;
mod migrations;
mod nap;
mod postgres;
mod query;
mod row;
mod sizes;
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tx;
mod value;

pub use clock::SystemClock;
pub use database::{Database, Report, without_password};
pub use error::DatabaseError;
pub use identifiers::SystemIds;
pub use listening::Listener;
pub use lists::Rows;
pub use query::{Query, Reader, Snapshot};
pub use row::{Column, FromColumn, Row};
pub use sizes::TableSize;
pub use tx::{Refusal, Tx};
pub use value::{Arg, Args, IntoArg, Kind};

/// `#[async_trait]`, for implementors of [`Query`].
pub use onward_core::async_trait;

#[cfg(test)]
mod tests;
