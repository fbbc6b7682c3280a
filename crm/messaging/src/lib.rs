//! Messaging: conversations, messages, drafts, notifications, consent, the messaging policy; `receive` (all that comes in) and `send` (the one door
//! out).
//!
//! What this crate must never know: a provider's wire format, HTTP. Connectors hand in [`onward_connectors::incoming`] and
//! take [`onward_connectors::channel::OutgoingMessage`]; everything between is here.

pub mod consent;
pub mod conversations;
pub mod drafts;
pub mod erase;
pub mod events;
pub mod inventory;
mod live;
pub mod merge;
pub mod messages;
pub mod nodes;
pub mod notifications;
pub mod policy;
pub mod questions;
pub mod raw;
pub mod receive;
pub mod send;
pub mod workflow;
pub mod workload;

#[cfg(test)]
mod tests;

pub use events::event_types;
pub use inventory::CrmInventory;
pub use live::CrmRecords;
pub use nodes::nodes;
pub use questions::ContactDesk;
pub use send::Channels;
pub use workload::OpenWork;

onward_core::define_id!(
    /// What is said between a contact and us on one connection, from its opening to its close.
    ConversationId
);
onward_core::define_id!(
    /// A message, in or out.
    MessageId
);

onward_core::define_id!(
    /// What a user of ours was told.
    NotificationId
);

onward_database::id_columns!(ConversationId, MessageId, NotificationId);
