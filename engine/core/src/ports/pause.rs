//! What people hold: never skipped, it goes on where it stood (SEMANTICS.md 29).

use crate::{OrganisationId, Timestamp};

/// Before the scope in `by` of a run that is held with others: nobody signs in under such a name.
pub const HELD_WITH_OTHERS: &str = "paused:";

/// What a pause holds. A whole workflow's pause is kept with the workflow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseScope {
    /// Every organisation.
    Everything,
    /// One organisation.
    Organisation(OrganisationId),
    /// A step of a workflow: held for every run that reaches it.
    Step {
        /// Whose.
        organisation: OrganisationId,
        /// The workflow.
        workflow: String,
        /// The step's key.
        step: String,
    },
    /// What a version started, and its new starts.
    Version {
        /// Whose.
        organisation: OrganisationId,
        /// The workflow.
        workflow: String,
        /// The version.
        version: u32,
    },
    /// A version's new starts: its runs go on.
    Starts {
        /// Whose.
        organisation: OrganisationId,
        /// The workflow.
        workflow: String,
        /// The version.
        version: u32,
    },
}

impl PauseScope {
    /// Whose it is; `None`: everybody's.
    pub fn organisation(&self) -> Option<OrganisationId> {
        match self {
            Self::Everything => None,
            Self::Organisation(organisation) | Self::Step { organisation, .. } | Self::Version { organisation, .. } | Self::Starts { organisation, .. } => {
                Some(*organisation)
            }
        }
    }
    /// As stored and shown: kind, workflow, and the step or the version.
    pub fn parts(&self) -> (&'static str, &str, String) {
        match self {
            Self::Everything => ("everything", "", String::new()),
            Self::Organisation(_) => ("organisation", "", String::new()),
            Self::Step { workflow, step, .. } => ("step", workflow, step.clone()),
            Self::Version { workflow, version, .. } => ("version", workflow, version.to_string()),
            Self::Starts { workflow, version, .. } => ("starts", workflow, version.to_string()),
        }
    }
    /// Reads what [`PauseScope::parts`] wrote.
    pub fn of_parts(organisation: OrganisationId, kind: &str, workflow: String, target: String) -> Option<Self> {
        Some(match kind {
            "everything" => Self::Everything,
            "organisation" => Self::Organisation(organisation),
            "step" => Self::Step { organisation, workflow, step: target },
            "version" => Self::Version { organisation, workflow, version: target.parse().ok()? },
            "starts" => Self::Starts { organisation, workflow, version: target.parse().ok()? },
            _ => return None,
        })
    }
}

/// A pause and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What it holds.
    pub scope: PauseScope,
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}
