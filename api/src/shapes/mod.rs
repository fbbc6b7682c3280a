//! The shapes of answers, as the `OpenAPI` document describes them.
//!
//! The shapes themselves stand in their rooms; these types only describe them and are never built. The tests check every
//! answer of theirs against these descriptions, in both directions, so that neither can drift.

mod accounts;
mod events;
mod operations;
mod records;
mod runs;
mod trials;
mod workflows;

pub use accounts::*;
pub use events::*;
pub use operations::*;
pub use records::*;
pub use runs::*;
pub use trials::*;
pub use workflows::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $type:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Serialize, Deserialize, ToSchema)]
        pub struct $name { $($(#[$field_meta])* #[schema(required = true)] pub $field: $type,)+ }
    )+};
}
use shapes;

/// A page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// `cursor` of the next page; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}
