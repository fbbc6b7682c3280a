//! The state of a run: the fold of its history. In memory only; rebuilt by folding.

use crate::{
    ErrorCode, Event, EventId, Object, OrganisationId, RunId, Shard, StepError, Timestamp, Value, digest,
    history::{Entry, Fact, OpenMatch, StepPath},
    ports::{RunRow, RunStatus},
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
    /// The zone of everything that names none, an IANA name.
    pub timezone: Arc<str>,
    pub(super) cursor: Cursor,
    pub(super) began: BTreeMap<StepPath, Timestamp>,
    pub(super) consumed: BTreeMap<StepPath, BTreeSet<EventId>>,
    pub(super) exits_open: BTreeMap<usize, OpenMatch>,
    pub(super) ending: Option<Ending>,
    pub(super) emitted: u64,
    pub(super) facts: Arc<Value>,
    /// Bytes of the values in scope, roughly.
    pub(super) scope_bytes: usize,
    /// How much of the beginning (records, variables) is done; transient, a recorded history is past it.
    pub(super) opening: Opening,
    /// An event whose `if` needs a live record first; transient.
    pub(super) undecided: Option<(String, String, Arc<Event>)>,
}

/// The steps before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opening {
    /// Records are to be bound.
    Bindings,
    /// Variables are to be set.
    Variables,
    /// Exits are to be opened.
    Exits,
    /// The steps run.
    Done,
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
    Branch { branch: Box<str>, cursor: Cursor },
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
    pub(super) timeout_ms: Option<i64>,
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
    Cancelled { at: Timestamp, reason: Option<String> },
    Exited { at: Timestamp, event: String },
    TimedOut { at: Timestamp },
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
    pub fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            workflow: "".into(),
            version: 0,
            revision: 0,
            key: "".into(),
            seed: 0,
            depth: 0,
            status: RunStatus::Running,
            seq: 0,
            at: Timestamp::MIN,
            started_at: Timestamp::MIN,
            input: Arc::default(),
            event: Arc::default(),
            event_id: None,
            deadline: None,
            vars: Arc::default(),
            outputs: Arc::default(),
            bindings: BTreeMap::new(),
            output: Value::Null,
            error: None,
            exit: None,
            paused: None,
            timezone: "UTC".into(),
            cursor: Cursor::default(),
            began: BTreeMap::new(),
            consumed: BTreeMap::new(),
            exits_open: BTreeMap::new(),
            ending: None,
            emitted: 0,
            facts: Arc::default(),
            scope_bytes: 0,
            opening: Opening::Bindings,
            undecided: None,
        }
    }

    /// Calls without a recorded outcome: after a crash, what to reconcile, repeat or give up.
    pub fn in_flight(&self) -> Vec<InFlight> {
        match self.cursor.leaf() {
            Some(Active::Node(progress)) if progress.phase == Phase::InFlight && !self.status.is_final() => vec![self.call(progress)],
            _ => Vec::new(),
        }
    }

    pub(super) fn call(&self, progress: &NodeProgress) -> InFlight {
        InFlight {
            step: Arc::clone(&progress.path),
            node: Arc::clone(&progress.node),
            attempt: progress.attempt,
            idempotency_key: idempotency_key(self.run_id, &progress.path, progress.generation),
            input: Arc::clone(&progress.input),
            prepared: progress.prepared.clone(),
            timeout_ms: progress.timeout_ms,
        }
    }

    /// Every timer that must be set: what the timers table can be rebuilt from.
    pub fn timers(&self) -> Vec<(String, Timestamp)> {
        if self.status.is_final() {
            return Vec::new();
        }
        let mut timers = Vec::new();
        if let Some(deadline) = self.deadline.filter(|_| self.ending.is_none()) {
            timers.push((super::RUN_TIMER.to_owned(), deadline));
        }
        if let Some(ending) = &self.ending {
            timers.push((super::SETTLE_TIMER.to_owned(), ending.settles_at()));
            return timers;
        }
        match self.cursor.leaf() {
            Some(Active::Sleep { path, due } | Active::Wait { path, deadline: Some(due), .. }) => timers.push((path.to_string(), *due)),
            Some(Active::Node(progress)) => match &progress.phase {
                Phase::Retry { due, .. } | Phase::Held { until: Some(due), .. } => timers.push((progress.path.to_string(), *due)),
                Phase::InFlight | Phase::Held { until: None, .. } => {}
            },
            _ => {}
        }
        timers
    }

    /// Puts what a node's `prepare` gave into the state and into the `step_scheduled` entry that is about to be written.
    pub fn record_prepared(&mut self, entries: &mut [Entry], step: &str, value: Value) {
        let scheduled = entries.iter_mut().rev().find(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepScheduled { .. }));
        if let Some(Entry { fact: Fact::StepScheduled { prepared, .. }, .. }) = scheduled {
            *prepared = Some(value.clone());
        }
        if let Some(Active::Node(progress)) = self.cursor.leaf_mut()
            && &*progress.path == step
        {
            progress.prepared = Some(Arc::new(value));
        }
    }

    /// The derived row.
    pub fn row(&self, organisation: OrganisationId, shard: Shard) -> RunRow {
        RunRow {
            id: self.run_id,
            organisation,
            shard,
            workflow: self.workflow.to_string(),
            version: self.version,
            key: self.key.to_string(),
            status: self.status,
            contact: self.bindings.get("contact").cloned(),
            input: Value::clone(&self.input),
            output: self.output.clone(),
            error: self.error.clone(),
            exit: self.exit.clone(),
            waiting_on: self.waiting_on(),
            event_id: self.event_id,
            started_at: self.started_at,
            ended_at: self.status.is_final().then_some(self.at),
            last_seq: self.seq,
            depth: self.depth,
        }
    }

    /// What the run waits for, for people and programs: `null`, or an object with `kind`
    /// (`event|timer|retry|hold|step|settle|resume`; a run that is held back has `start`), the step, and what belongs to it.
    pub fn waiting_on(&self) -> Value {
        if self.status.is_final() {
            return Value::Null;
        }
        if let Some(by) = &self.paused {
            return serde_json::json!({ "kind": "resume", "paused_by": by });
        }
        if let Some(ending) = &self.ending {
            return serde_json::json!({ "kind": "settle", "until": ending.settles_at() });
        }
        match self.cursor.leaf() {
            Some(Active::Sleep { path, due }) => serde_json::json!({ "kind": "timer", "step": path, "until": due }),
            Some(Active::Wait { path, waits, deadline, .. }) => {
                let events: Vec<&str> = waits.values().map(|wait| wait.event.as_str()).collect();
                serde_json::json!({ "kind": "event", "step": path, "events": events, "until": deadline })
            }
            Some(Active::Node(progress)) => match &progress.phase {
                Phase::InFlight => serde_json::json!({ "kind": "step", "step": progress.path, "node": progress.node, "attempt": progress.attempt }),
                Phase::Retry { due, code } => {
                    serde_json::json!({ "kind": "retry", "step": progress.path, "node": progress.node, "attempt": progress.attempt + 1, "until": due, "after": code })
                }
                Phase::Held { until, reason } => {
                    serde_json::json!({ "kind": "hold", "step": progress.path, "node": progress.node, "until": until, "reason": reason })
                }
            },
            Some(Active::Branch { .. }) | None => Value::Null,
        }
    }

    /// The status that follows from everything else.
    pub(super) fn derive_status(&self) -> RunStatus {
        if self.status.is_final() {
            return self.status;
        }
        if self.paused.is_some() {
            return RunStatus::Paused;
        }
        match self.cursor.leaf() {
            Some(Active::Sleep { .. } | Active::Wait { .. }) => RunStatus::Waiting,
            Some(Active::Node(progress)) if progress.phase != Phase::InFlight => RunStatus::Waiting,
            _ => RunStatus::Running,
        }
    }
}

impl Cursor {
    /// The innermost step in progress.
    pub(super) fn leaf(&self) -> Option<&Active> {
        let mut cursor = self;
        loop {
            match cursor.active.as_deref() {
                Some(Active::Branch { cursor: inner, .. }) => cursor = inner,
                other => return other,
            }
        }
    }

    pub(super) fn leaf_mut(&mut self) -> Option<&mut Active> {
        match self.active.as_deref_mut() {
            Some(Active::Branch { cursor, .. }) => cursor.leaf_mut(),
            other => other,
        }
    }
}

impl Ending {
    /// When calls in flight are not waited for any more.
    pub(super) fn settles_at(&self) -> Timestamp {
        match self {
            Self::Cancelled { at, .. } | Self::Exited { at, .. } | Self::TimedOut { at, .. } => at.plus_millis(crate::limits::SETTLE_MS),
        }
    }
}

/// Constant over all attempts of a generation (SEMANTICS.md 15); 32 hex digits. The iteration path is part of the step path.
fn idempotency_key(run: RunId, path: &str, generation: u32) -> String {
    hex::encode(digest::short(&[run.0.as_bytes(), path.as_bytes(), &generation.to_be_bytes()]))
}

/// Bytes that a value takes, roughly: for limits, without writing it out.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + items.len() + 2,
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>() + 2,
    }
}
