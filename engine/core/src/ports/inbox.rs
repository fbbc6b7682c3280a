//! What is addressed to a shard's owner from outside the shard.

use super::HeldQueue;
use crate::{
    EventId, OrganisationId, RunId, Shard, StepError, Value,
    history::{ChildOutcome, Parent, StepPath},
};
use serde::{Deserialize, Serialize};

/// A row addressed to a shard's owner from outside the shard; unique by (cause, target) (SEMANTICS.md 1).
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    /// Its number; only for deletion, never for "greater than".
    pub id: i64,
    /// Whose.
    pub organisation: OrganisationId,
    /// To whom.
    pub shard: Shard,
    /// The run, when it is for an existing one.
    pub run_id: Option<RunId>,
    /// What is to be done.
    pub message: InboxMessage,
}

/// What an inbox row asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboxMessage {
    /// An event that matched a wait or an exit.
    Event {
        /// The wait's target.
        target: String,
        /// The wait's name.
        which: String,
        /// The event.
        event_id: EventId,
    },
    /// A start that was matched elsewhere.
    Start {
        /// The workflow.
        workflow: String,
        /// The trigger's place.
        trigger: usize,
        /// The event.
        event_id: EventId,
    },
    /// A start that a step of another run asks for; the row names the run that it will be.
    Child {
        /// The step that asks.
        parent: Parent,
        /// The workflow.
        workflow: String,
        /// Its input.
        input: Value,
        /// Causes in a row that led to it.
        depth: u16,
    },
    /// A run that a step of this one asked for was let in.
    ChildStarted {
        /// The step.
        step: StepPath,
    },
    /// It was not let in.
    ChildRefused {
        /// The step.
        step: StepPath,
        /// Why.
        error: StepError,
    },
    /// It has ended.
    ChildEnded {
        /// The step.
        step: StepPath,
        /// The run that ended.
        child: RunId,
        /// How.
        outcome: ChildOutcome,
    },
    /// A held step is to look again.
    Woken {
        /// The step.
        step: StepPath,
    },
    /// A question was answered.
    Answered {
        /// The step that asks.
        step: StepPath,
        /// The answer; it fits.
        answer: Value,
        /// Who gives it.
        by: String,
    },
    /// A queue of held starts may have somebody to let go, whose run belongs to this shard.
    Release {
        /// The queue.
        queue: HeldQueue,
    },
    /// A run of a version on trial ended by itself.
    TrialEnded {
        /// The workflow.
        workflow: String,
        /// The version.
        version: u32,
        /// Whether it failed.
        failed: bool,
    },
    /// Something that somebody asked another node for, and that this shard's owner answers ([`Store::keep_reply`]).
    Request {
        /// Its name: under it the answer is kept.
        request: uuid::Uuid,
        /// What is asked for, in the runtime's own form.
        ask: Value,
    },
    /// A request to end the run.
    Cancel {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
        /// At once.
        force: bool,
    },
}

impl InboxMessage {
    /// What the row is addressed to: with its cause the row's identity (SEMANTICS.md 1). One event may reach several waits of
    /// one run, and start several workflows.
    pub fn target(&self, run: Option<RunId>) -> String {
        let run = run.map(|run| run.to_string()).unwrap_or_default();
        match self {
            Self::Event { target, which, .. } => format!("{run}/event/{target}/{which}"),
            Self::Start { workflow, trigger, .. } => format!("{run}/start/{workflow}/{trigger}"),
            Self::Cancel { force, .. } => format!("{run}/cancel/{force}"),
            Self::Child { .. } => format!("{run}/child"),
            Self::ChildStarted { step } => format!("{run}/child-started/{step}"),
            Self::ChildRefused { step, .. } => format!("{run}/child-refused/{step}"),
            Self::ChildEnded { step, child, .. } => format!("{run}/child-ended/{step}/{child}"),
            Self::Woken { step } => format!("{run}/woken/{step}"),
            Self::Answered { step, .. } => format!("{run}/answered/{step}"),
            Self::Release { queue } => {
                let (name, key) = queue.parts();
                format!("{run}/release/{}/{name}/{key}", queue.kind())
            }
            Self::TrialEnded { workflow, version, .. } => format!("{run}/trial/{workflow}/{version}"),
            Self::Request { request, .. } => format!("{run}/request/{request}"),
        }
    }
}
