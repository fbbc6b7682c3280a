//! The state of a run: the fold of its history. In memory only; rebuilt by folding.

use crate::{
    ErrorCode, EventId, Object, RunId, StepError, Timestamp, Value,
    history::{OpenMatch, StepPath},
    ports::RunStatus,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The state of a run.
#[derive(Clone, Debug)]
pub struct State {
    /// The run.
    pub run_id: RunId,
    /// What it runs.
    pub workflow: Arc<str>,
    /// Its version.
    pub version: u32,
    /// The machine revision that it began with.
    pub revision: u32,
    /// What it is about.
    pub key: Arc<str>,
    /// Seed of all chance.
    pub seed: u64,
    /// Causes in a row that led here.
    pub depth: u16,
    /// State as people see it.
    pub status: RunStatus,
    /// The last entry's position.
    pub seq: u64,
    /// The last entry's time.
    pub at: Timestamp,
    /// The first entry's time.
    pub started_at: Timestamp,
    /// The start's input.
    pub input: Arc<Value>,
    /// The start's envelope.
    pub event: Arc<Value>,
    /// The event that started the run.
    pub event_id: Option<EventId>,
    /// When the whole run times out.
    pub deadline: Option<Timestamp>,
    /// Variables.
    pub vars: Arc<Object>,
    /// Outputs by step key.
    pub outputs: Arc<BTreeMap<Arc<str>, Arc<Value>>>,
    /// The run's records: `contact` → id ….
    pub bindings: BTreeMap<String, String>,
    /// The run's output, once it has one.
    pub output: Value,
    /// Why it failed.
    pub error: Option<StepError>,
    /// The event type of the `exit_on` that ended it.
    pub exit: Option<String>,
    /// Who paused it.
    pub paused: Option<String>,
    pub(super) cursor: Cursor,
    pub(super) began: BTreeMap<StepPath, Timestamp>,
    pub(super) consumed: BTreeMap<StepPath, BTreeSet<EventId>>,
    pub(super) exits_open: BTreeMap<usize, OpenMatch>,
    pub(super) ending: Option<Ending>,
    pub(super) emitted: u64,
    pub(super) facts: Arc<Value>,
}

/// A place in a block: the step at `index` is next, or in progress when `active`.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    pub(super) index: usize,
    pub(super) active: Option<Box<Active>>,
}

/// A step in progress.
#[derive(Clone, Debug)]
pub(super) enum Active {
    /// A node is run.
    Node(NodeProgress),
    /// A durable sleep.
    Sleep { path: StepPath, due: Timestamp },
    /// A durable wait.
    Wait { path: StepPath, waits: BTreeMap<String, OpenMatch>, since: Timestamp, deadline: Option<Timestamp> },
    /// A branch of `if`, `choose` or `split`.
    Branch { path: StepPath, branch: Box<str>, cursor: Cursor },
}

/// How far a node's step is.
#[derive(Clone, Debug)]
pub(super) struct NodeProgress {
    pub(super) path: StepPath,
    pub(super) node: Arc<str>,
    pub(super) attempt: u32,
    /// Attempts that count against the policy.
    pub(super) spent: u32,
    pub(super) generation: u32,
    pub(super) input: Arc<Value>,
    pub(super) prepared: Option<Arc<Value>>,
    pub(super) first_at: Timestamp,
    pub(super) phase: Phase,
}

/// What a node's step waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// The attempt's outcome.
    InFlight,
    /// The next attempt.
    Retry { due: Timestamp, code: ErrorCode },
    /// A hold's end.
    Held { until: Option<Timestamp>, reason: String },
}

/// Why the run is ending while calls may still be in flight (SEMANTICS.md 25).
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Cancelled { reason: Option<String>, force: bool },
    Exited { event: String },
    TimedOut { due: Timestamp },
}

/// A call without a recorded outcome.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// The step's path.
    pub step: StepPath,
    /// The node.
    pub node: Arc<str>,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Constant over the attempts of a generation (SEMANTICS.md 15).
    pub idempotency_key: String,
    /// The rendered input.
    pub input: Arc<Value>,
    /// What `prepare` made of it, once recorded.
    pub prepared: Option<Arc<Value>>,
    /// Bounds the attempt, in milliseconds.
    pub timeout_ms: Option<i64>,
}

impl State {
    /// Before its first entry.
    pub fn new(_run_id: RunId) -> Self {
        todo!()
    }
    /// Calls without a recorded outcome: after a crash, what to reconcile, repeat or give up.
    pub fn in_flight(&self) -> Vec<InFlight> {
        todo!()
    }
    /// Every timer that must be set: what the timers table can be rebuilt from.
    pub fn timers(&self) -> Vec<(String, Timestamp)> {
        todo!()
    }
    /// Puts what a node's `prepare` gave into the state and into the `step_scheduled` entry that is about to be written.
    pub fn record_prepared(&mut self, _entries: &mut [crate::history::Entry], _step: &str, _prepared: Value) {
        todo!()
    }
    /// The derived row.
    pub fn row(&self, _organisation: crate::OrganisationId, _shard: crate::Shard) -> crate::ports::RunRow {
        todo!()
    }
}
