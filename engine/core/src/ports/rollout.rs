//! A version on trial: it takes a share of the starts, the one before it takes the rest.

use crate::{OrganisationId, Timestamp};

/// How the trial of a version stands. What it takes, and when it is held, its file says ([`crate::definition::Rollout`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutState {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow; of each at most one version is on trial.
    pub workflow: String,
    /// The version on trial. The current one takes the other starts.
    pub version: u32,
    /// Since when.
    pub since: Timestamp,
    /// Its runs that ended by themselves, as far as they are counted.
    pub ended: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Since when it takes no starts any more, because too many failed.
    pub held_at: Option<Timestamp>,
}
