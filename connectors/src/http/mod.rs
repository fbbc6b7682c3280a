//! The one HTTP client, with its guard against private addresses, and the `http` connector with its node `http.request`.

mod client;
mod connector;
mod guard;
mod node;
mod reply;
mod request;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod verify;

pub use client::{HttpClient, HttpError, HttpReply, HttpRequest};
pub use connector::{HttpConnector, manifest};
pub use guard::{AllowPrivate, is_public};
pub use node::HttpRequestNode;
pub use reply::retry_after_ms;
pub(crate) use reply::scrub;
pub use verify::delivery_id;
