//! What every endpoint takes of a request: body, path, query, cursor, preconditions.

pub(crate) mod body;
pub(crate) mod page;
pub(crate) mod params;
pub(crate) mod precondition;

pub(crate) use body::{Body, Payload};
pub(crate) use page::{Cursor, Page, Paging};
pub(crate) use params::{Id, Name, Params};
pub(crate) use precondition::{IfMatch, etag};
