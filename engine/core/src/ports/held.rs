//! Starts that are held back, and what holds them.

use crate::{EventId, OrganisationId, RunId, Timestamp, Value, history::Parent, machine::LimitKey};
use serde::{Deserialize, Serialize};

/// The queue in which a held start waits. It leaves it for the next one, or starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HeldQueue {
    /// Runs of one key go one at a time, in order of intake (`mode`).
    Key {
        /// The workflow.
        workflow: String,
        /// The key.
        key: String,
    },
    /// A permit of a concurrency limit.
    Concurrency {
        /// The limit's name.
        name: String,
        /// The value that it counts apart.
        key: String,
    },
    /// Its turn under a rate limit. It holds its permit already, where it needs one.
    Rate {
        /// The limit's name.
        name: String,
        /// The value that it counts apart.
        key: String,
    },
    /// The end of its burst.
    Debounce {
        /// The workflow.
        workflow: String,
        /// The key.
        key: String,
    },
    /// Its workflow, a part of it, or what it belongs to is paused.
    Paused {
        /// The workflow.
        workflow: String,
    },
    /// A person: something is wrong that time does not mend.
    Person {
        /// The workflow.
        workflow: String,
    },
}

impl HeldQueue {
    /// The queue of a concurrency limit.
    pub fn concurrency(limit: &LimitKey) -> Self {
        Self::Concurrency { name: limit.name.clone(), key: limit.key.clone() }
    }
    /// The queue of a rate limit.
    pub fn rate(limit: &LimitKey) -> Self {
        Self::Rate { name: limit.name.clone(), key: limit.key.clone() }
    }
    /// The kind's name, as stored and shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key { .. } => "key",
            Self::Concurrency { .. } => "concurrency",
            Self::Rate { .. } => "rate",
            Self::Debounce { .. } => "debounce",
            Self::Paused { .. } => "paused",
            Self::Person { .. } => "person",
        }
    }
    /// Its name and key within its kind: the workflow, or the limit.
    pub fn parts(&self) -> (&str, &str) {
        match self {
            Self::Key { workflow, key } | Self::Debounce { workflow, key } => (workflow, key),
            Self::Concurrency { name, key } | Self::Rate { name, key } => (name, key),
            Self::Paused { workflow } | Self::Person { workflow } => (workflow, ""),
        }
    }
    /// Reads what [`HeldQueue::kind`] and [`HeldQueue::parts`] wrote.
    pub fn of_parts(kind: &str, name: String, key: String) -> Option<Self> {
        Some(match kind {
            "key" => Self::Key { workflow: name, key },
            "concurrency" => Self::Concurrency { name, key },
            "rate" => Self::Rate { name, key },
            "debounce" => Self::Debounce { workflow: name, key },
            "paused" => Self::Paused { workflow: name },
            "person" => Self::Person { workflow: name },
            _ => return None,
        })
    }
    /// Whether urgent starts overtake others here. Runs of one key go in order of intake.
    pub fn by_priority(&self) -> bool {
        !matches!(self, Self::Key { .. })
    }
}

/// A start that is held back: a durable row (SEMANTICS.md 23).
#[derive(Clone, Debug, PartialEq)]
pub struct HeldStart {
    /// Its number, in order of intake.
    pub id: i64,
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// The key.
    pub key: String,
    /// The trigger's place; `None` for a start by hand.
    pub trigger: Option<usize>,
    /// The event.
    pub event_id: Option<EventId>,
    /// Input given directly.
    pub input: Value,
    /// The id that the run will have: it was told to the caller.
    pub run_id: RunId,
    /// What it waits for.
    pub queue: HeldQueue,
    /// Why it is held, for people.
    pub reason: String,
    /// Not before: for a burst its end, for a rate about when.
    pub not_before: Option<Timestamp>,
    /// 1 goes first, 10 last.
    pub priority: u8,
    /// Causes in a row that led here.
    pub depth: u16,
    /// When it was first held; for a burst when that began.
    pub held_at: Timestamp,
    /// The step that waits for the run's end.
    pub parent: Option<Parent>,
}
