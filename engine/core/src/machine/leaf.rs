//! Leaves: steps in progress that have no steps inside, and the undoing of steps.

use crate::{
    ErrorCode, RunId, Timestamp, Value,
    history::{OpenMatch, StepPath},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Before the path of a step: the path of its undoing.
pub(super) const UNDO: &str = "$undo.";

/// A step in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Leaf {
    /// A node is run.
    Node(NodeProgress),
    /// A durable sleep.
    Sleep { due: Timestamp },
    /// A durable wait.
    Wait { waits: BTreeMap<String, OpenMatch>, since: Timestamp, deadline: Option<Timestamp> },
    /// Another run.
    Child { workflow: String, run_id: RunId, input: Arc<Value>, waits: bool },
    /// A question.
    Ask { question: Arc<Value>, deadline: Option<Timestamp>, remind_at: Option<Timestamp> },
}

/// How far a node's step is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NodeProgress {
    pub(super) node: Arc<str>,
    pub(super) attempt: u32,
    /// Attempts that count against the policy.
    pub(super) spent: u32,
    pub(super) generation: u32,
    pub(super) input: Arc<Value>,
    pub(super) timeout_ms: Option<i64>,
    pub(super) prepared: Option<Arc<Value>>,
    pub(super) first_at: Timestamp,
    pub(super) phase: Phase,
}

/// What a node's step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// The attempt's outcome.
    InFlight,
    /// The next attempt.
    Retry { due: Timestamp, code: ErrorCode },
    /// A hold's end.
    Held { until: Option<Timestamp>, reason: String },
    /// Nothing: its run was taken up again, and it is scheduled in the same turn.
    Again {
        /// With a new idempotency key, for what was tried before surely had no effect.
        renew: bool,
    },
}

impl Leaf {
    /// Whether a call is made.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self, Self::Node(NodeProgress { phase: Phase::InFlight, .. }))
    }

    /// Whether nothing is done until something happens. A child that is only started is on its way.
    pub(super) fn rests(&self) -> bool {
        !self.is_in_flight() && !matches!(self, Self::Child { waits: false, .. })
    }

    /// When its timer is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Sleep { due } => Some(*due),
            Self::Wait { deadline, .. } => *deadline,
            Self::Ask { deadline, remind_at, .. } => [*deadline, *remind_at].into_iter().flatten().min(),
            Self::Node(progress) => match &progress.phase {
                Phase::Retry { due, .. } | Phase::Held { until: Some(due), .. } => Some(*due),
                Phase::InFlight | Phase::Held { until: None, .. } | Phase::Again { .. } => None,
            },
            Self::Child { .. } => None,
        }
    }

    /// What it waits for, for people and programs.
    pub(super) fn told(&self, path: &StepPath) -> Value {
        match self {
            Self::Sleep { due } => serde_json::json!({ "kind": "timer", "step": path, "until": due }),
            Self::Wait { waits, deadline, .. } => {
                let events: Vec<&str> = waits.values().map(|wait| wait.event.as_str()).collect();
                serde_json::json!({ "kind": "event", "step": path, "events": events, "until": deadline })
            }
            Self::Child { workflow, run_id, .. } => serde_json::json!({ "kind": "run", "step": path, "workflow": workflow, "run_id": run_id }),
            Self::Ask { question, deadline, .. } => {
                serde_json::json!({ "kind": "ask", "step": path, "who": question["who"], "title": question["title"], "until": deadline })
            }
            Self::Node(progress) => match &progress.phase {
                Phase::InFlight | Phase::Again { .. } => {
                    serde_json::json!({ "kind": "step", "step": path, "node": progress.node, "attempt": progress.attempt })
                }
                Phase::Retry { due, code } => {
                    serde_json::json!({ "kind": "retry", "step": path, "node": progress.node, "attempt": progress.attempt + 1, "until": due, "after": code })
                }
                Phase::Held { until, reason } => {
                    serde_json::json!({ "kind": "hold", "step": path, "node": progress.node, "until": until, "reason": reason })
                }
            },
        }
    }
}
