//! Published versions, and where their schedules stand.

use crate::{OrganisationId, Shard, Timestamp};

/// An immutable published version.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedVersion {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// From 1.
    pub version: u32,
    /// The file's text.
    pub source: String,
    /// SHA-256 of the text, hex.
    pub digest: String,
    /// The language it was written in.
    pub language_revision: u32,
    /// When.
    pub published_at: Timestamp,
    /// New events start it; of each workflow at most one version is current.
    pub current: bool,
    /// A paused workflow takes starts in and holds them.
    pub paused: bool,
}

/// Where a `schedule` trigger of a current version stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// The trigger's place in it.
    pub trigger: usize,
    /// Its shard, by hash of organisation, workflow and place.
    pub shard: Shard,
    /// The due time that is next to be worked on.
    pub next_due: Timestamp,
    /// When that fires: later by its jitter.
    pub fires_at: Timestamp,
    /// What its due times follow from ([`crate::definition::Schedule::rhythm`]).
    pub rhythm: String,
    /// `each`: the last contact that `next_due` has served.
    pub position: Option<String>,
}
