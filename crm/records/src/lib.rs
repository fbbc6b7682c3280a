//! Records: contacts with their identities, tags, notes and timeline; companies, pipelines, deals, tasks, segments; the nodes
//! that work on them.
//!
//! What this crate must never know: messages, providers, HTTP. A record function takes the transaction, who does it, and
//! what to do; node, endpoint, import and webhook call that same function (DESIGN.md, "One durable write path"). A write
//! that changes nothing writes nothing and emits nothing.

pub mod addresses;
pub mod companies;
pub mod contacts;
pub mod deals;
pub mod events;
pub mod fields;
pub mod identities;
pub mod live;
pub mod nodes;
pub mod notes;
pub mod pipelines;
pub mod segments;
pub mod tags;
pub mod tasks;
mod text;
pub mod timeline;

#[cfg(test)]
mod tests;

pub use contacts::{Contact, ContactChange, ContactPatch};
pub use events::event_types;
pub use identities::{Identity, IdentityKey};
pub use live::LiveRecords;
pub use nodes::nodes;
pub use onward_accounts::CrmError;
pub use segments::StoredSegments;

onward_core::define_id!(
    /// A person we know.
    ContactId
);
onward_core::define_id!(
    /// One item of a timeline.
    TimelineId
);

onward_core::define_id!(
    /// Where contacts work.
    CompanyId
);
onward_core::define_id!(
    /// What somebody may buy.
    DealId
);
onward_core::define_id!(
    /// The stages that deals go through.
    PipelineId
);
onward_core::define_id!(
    /// One step on a deal's way.
    StageId
);
onward_core::define_id!(
    /// What somebody of ours is to do.
    TaskId
);
onward_core::define_id!(
    /// A named set of contacts.
    SegmentId
);

onward_database::id_columns!(ContactId, TimelineId, CompanyId, DealId, PipelineId, StageId, TaskId, SegmentId);
