//! REST, `WebSocket`, webhooks in, `OpenAPI`. Thin: parse, authorise, call, render; one file an endpoint group.
//!
//! What this crate must never know: how a thing is done. A record's JSON shape stands in its room; here stand only the
//! bodies of requests. Every write goes through the engine's writer, and nothing is acknowledged before its commit.

mod answer;
mod app;
pub mod bulk_repairs;
mod caller;
mod endpoints;
pub mod export;
mod idempotency;
mod openapi;
mod passwords;
mod presence;
mod problem;
mod request;
pub mod retention;
mod router;
pub mod shapes;
mod token_lookups;
mod triggers;
mod write;

#[cfg(test)]
mod tests;

pub use app::{App, AppParts, LocalAdmin, RenderMetrics, Settings, Shared};
pub use caller::{COOKIE, CSRF_HEADER, ORGANISATION_HEADER};
pub use endpoints::first_run::invitation;
pub use endpoints::gallery::{GalleryItem, GalleryNeeds};
pub use openapi::{document as openapi, generate};
pub use problem::{FieldError, Problem};
pub use router::router;

pub(crate) use answer::Answer;
pub(crate) use caller::Caller;
pub(crate) use idempotency::Once;
