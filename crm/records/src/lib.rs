//! Records: contacts, their identities, tags, notes and timeline; the nodes that work on them.
//!
//! What this crate must never know: messages, providers, HTTP. A record function takes the transaction, who does it, and
//! what to do; node, endpoint, import and webhook call that same function (DESIGN.md, "One durable write path"). A write
//! that changes nothing writes nothing and emits nothing.

pub mod addresses;
pub mod contacts;
pub mod events;
pub mod identities;
pub mod live;
pub mod nodes;
pub mod notes;
pub mod tags;
pub mod timeline;

#[cfg(test)]
mod tests;

pub use contacts::{Contact, ContactChange, ContactPatch};
pub use events::event_types;
pub use identities::{Identity, IdentityKey};
pub use live::ContactRecords;
pub use nodes::nodes;
pub use onward_accounts::CrmError;

onward_core::define_id!(
    /// A person we know.
    ContactId
);
onward_core::define_id!(
    /// One item of a timeline.
    TimelineId
);

onward_database::id_columns!(ContactId, TimelineId);
