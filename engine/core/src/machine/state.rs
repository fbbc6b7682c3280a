//! The state of a run: the fold of its history. In memory only; rebuilt by folding.

use super::{
    journal::ScriptRun,
    leaf::{Leaf, NodeProgress, Phase, UNDO},
    strand::{Strand, View, is_in_finally, trail_of},
};
use crate::{
    Event, EventId, RunId, StepError, Timestamp, Value,
    definition::Workflow,
    digest,
    history::{Entry, Fact, OpenMatch, Parent, StepPath},
    ports::{Outcome, RunStatus},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The state of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The run that waits for this one's end.
    pub parent: Option<Parent>,
    pub(super) root: Strand,
    /// What takes the strands' place where the workflow is a script.
    pub(super) script: ScriptRun,
    /// Steps in progress that have no steps inside, and the undoing of steps.
    pub(super) leaves: BTreeMap<StepPath, Leaf>,
    /// Calls of steps that were cancelled: their outcomes count for undoing them and decide nothing else.
    pub(super) detached: BTreeMap<StepPath, NodeProgress>,
    /// How far each wait has listened, by the step's key.
    pub(super) listened: BTreeMap<Arc<str>, Listened>,
    /// What is to be undone, in order of completion.
    pub(super) undo: Vec<Undo>,
    pub(super) exits_open: BTreeMap<usize, OpenMatch>,
    pub(super) ending: Option<Ending>,
    pub(super) emitted: u64,
    /// How often the run was taken up again; the generation of steps that are first scheduled since (SEMANTICS.md 15).
    #[serde(default)]
    pub(super) reopens: u32,
    pub(super) facts: Arc<Value>,
    /// Bytes of the values in scope, roughly.
    pub(super) scope_bytes: usize,
    /// Loops keep the outputs of all their passes, however many; transient.
    #[serde(skip)]
    pub(super) keeps_all_outputs: bool,
    /// How much of the beginning (records, variables) is done; transient, a recorded history is past it.
    #[serde(skip)]
    pub(super) opening: Opening,
    /// What an ending run does first is done; transient: doing it again is harmless.
    #[serde(skip)]
    pub(super) winding_down: bool,
    /// What needs a live record before it can be taken in; transient.
    #[serde(skip)]
    pub(super) undecided: Option<Undecided>,
    /// Where the run stands once it is taken up again, for the very next entry; transient.
    #[serde(skip)]
    pub(super) restored: Option<Box<State>>,
}

/// What needs a live record before it can be taken in.
#[derive(Clone, Debug)]
pub(super) enum Undecided {
    /// An event, for a target and a name of its wait.
    Event(String, String, Arc<Event>),
    /// The outcome of an attempt.
    Outcome(StepPath, u32, Outcome),
    /// A step that begins with an input that somebody gave it.
    Begin(StepPath, Value),
}

/// How far a wait has listened (SEMANTICS.md 11).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Listened {
    pub(super) consumed: BTreeSet<EventId>,
    /// When the event that it last consumed was taken in, or its last time-out.
    pub(super) until: Option<Timestamp>,
}

/// A step that is undone when the run fails or is cancelled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Undo {
    pub(super) step: StepPath,
    /// The input of its compensation, rendered when the step completed; or why it could not be.
    pub(super) input: Result<Arc<Value>, StepError>,
}

/// The steps before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opening {
    /// Records are to be bound.
    Bindings,
    /// Variables are to be set.
    Variables,
    /// Exits are to be opened.
    Exits,
    /// The steps run.
    #[default]
    Done,
}

/// Why the run is ending (SEMANTICS.md 25).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ending {
    pub(super) cause: Cause,
    pub(super) at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Cause {
    Cancelled {
        reason: Option<String>,
        force: bool,
    },
    Exited {
        event: String,
        /// Compensations run too.
        compensate: bool,
    },
    TimedOut,
    Failed(StepError),
    /// `stop`.
    Stopped(Value),
}

impl Ending {
    /// When calls in flight are not waited for any more.
    pub(super) fn settles_at(&self) -> Timestamp {
        self.at.plus_millis(crate::limits::SETTLE_MS)
    }

    pub(super) fn is_forced(&self) -> bool {
        matches!(self.cause, Cause::Cancelled { force: true, .. })
    }

    /// Whether what was done is undone.
    pub(super) fn undoes(&self) -> bool {
        match &self.cause {
            Cause::Cancelled { force, .. } => !force,
            Cause::Exited { compensate, .. } => *compensate,
            Cause::TimedOut | Cause::Failed(_) => true,
            Cause::Stopped(_) => false,
        }
    }
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
    /// The run that calls.
    pub run_id: RunId,
    /// How often the call was begun anew.
    pub generation: u32,
    /// The rendered input.
    pub input: Arc<Value>,
    /// What `prepare` made of it, once recorded.
    pub prepared: Option<Arc<Value>>,
    /// Bounds the attempt, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// An attempt before it may have had the effect: ask first where that can be asked, and never repeat what must not happen
    /// twice.
    pub unsure: bool,
}

impl InFlight {
    /// Constant over all attempts of a generation (SEMANTICS.md 15); 32 hex digits. The iteration path is part of the step path.
    pub fn idempotency_key(&self) -> String {
        hex::encode(digest::short(&[self.run_id.0.as_bytes(), self.step.as_bytes(), &self.generation.to_be_bytes()]))
    }
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
            keeps_all_outputs: false,
            bindings: BTreeMap::new(),
            output: Value::Null,
            error: None,
            exit: None,
            paused: None,
            timezone: "UTC".into(),
            parent: None,
            script: ScriptRun::default(),
            root: Strand::new(Some(View { vars: Some(Arc::default()), ..View::default() })),
            leaves: BTreeMap::new(),
            detached: BTreeMap::new(),
            listened: BTreeMap::new(),
            undo: Vec::new(),
            exits_open: BTreeMap::new(),
            ending: None,
            emitted: 0,
            reopens: 0,
            facts: Arc::default(),
            scope_bytes: 0,
            opening: Opening::Bindings,
            winding_down: false,
            undecided: None,
            restored: None,
        }
    }

    /// Takes over what no entry tells of.
    pub(super) fn take_transient(&mut self, other: Self) {
        self.opening = other.opening;
        self.winding_down = other.winding_down;
        self.undecided = other.undecided;
    }

    /// Lets `run.version` say which version the run is on.
    pub(super) fn set_version_fact(&mut self) {
        if let Some(facts) = Arc::make_mut(&mut self.facts).as_object_mut() {
            facts.insert("version".into(), self.version.into());
        }
    }

    /// The run's variables, as the top of the file sees them.
    pub fn vars(&self) -> Option<&crate::Object> {
        self.root.variables(&[]).map(|vars| &**vars)
    }

    /// The output of a step, as the top of the file sees it.
    pub fn output_of(&self, step: &str) -> Option<&Arc<Value>> {
        self.root.view.as_ref()?.outputs.get(step)
    }

    /// Calls without a recorded outcome: after a crash, what to reconcile, repeat or give up.
    pub fn in_flight(&self) -> Vec<InFlight> {
        if self.status.is_final() {
            return Vec::new();
        }
        let standing = self.leaves.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Node(progress) if progress.phase == Phase::InFlight => Some(self.call(path, progress)),
            _ => None,
        });
        standing.chain(self.detached.iter().map(|(path, progress)| self.call(path, progress))).collect()
    }

    /// Where an attempt stands.
    pub fn standing_of(&self, step: &str, attempt: u32) -> CallStanding {
        if let Some(Leaf::Node(progress)) = self.leaves.get(step)
            && progress.attempt == attempt
            && progress.phase == Phase::InFlight
        {
            return CallStanding::Stands;
        }
        match self.detached.get(step) {
            Some(progress) if progress.attempt == attempt => CallStanding::Cancelled,
            _ => CallStanding::Gone,
        }
    }

    /// The runs that steps of this one started and whose start or end they wait for.
    pub fn children(&self) -> Vec<OpenChild> {
        let open = self.leaves.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Child { workflow, run_id, input, .. } => {
                Some(OpenChild { step: Arc::clone(path), workflow: workflow.clone(), run_id: *run_id, input: Value::clone(input) })
            }
            _ => None,
        });
        open.collect()
    }

    /// The waits that are open: step, name and event type of each.
    pub fn open_waits(&self) -> Vec<(&StepPath, &str, &str)> {
        let open = self.leaves.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Wait { waits, .. } => Some(waits.iter().map(move |(which, wait)| (path, which.as_str(), wait.event.as_str()))),
            _ => None,
        });
        open.flatten().collect()
    }

    /// The questions that are open: step and question.
    pub fn questions(&self) -> Vec<(&StepPath, &Value)> {
        let open = self.leaves.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Ask { question, .. } => Some((path, &**question)),
            _ => None,
        });
        open.collect()
    }

    pub(super) fn call(&self, path: &StepPath, progress: &NodeProgress) -> InFlight {
        InFlight {
            step: Arc::clone(path),
            node: Arc::clone(&progress.node),
            attempt: progress.attempt,
            run_id: self.run_id,
            generation: progress.generation,
            input: Arc::clone(&progress.input),
            prepared: progress.prepared.clone(),
            timeout_ms: progress.timeout_ms,
            unsure: false,
        }
    }

    /// Every timer that must be set: what the timers table can be rebuilt from.
    pub fn timers(&self) -> Vec<(String, Timestamp)> {
        if self.status.is_final() {
            return Vec::new();
        }
        let mut timers = Vec::new();
        match (&self.ending, self.deadline) {
            (Some(ending), _) => timers.push((super::SETTLE_TIMER.to_owned(), ending.settles_at())),
            (None, Some(deadline)) => timers.push((super::RUN_TIMER.to_owned(), deadline)),
            (None, None) => {}
        }
        timers.extend(self.leaves.iter().filter_map(|(path, leaf)| Some((path.to_string(), leaf.due()?))));
        timers
    }

    /// Whether this timer does nothing now: while a run is paused, those of its steps rest, and it sets them again when it
    /// goes on (SEMANTICS.md 29). What the run as a whole has as deadlines does not.
    pub fn rests(&self, timer: &str) -> bool {
        self.paused.is_some() && !timer.starts_with('$')
    }

    /// Puts what a node's `prepare` gave into the state and into the `step_scheduled` entry that is about to be written.
    pub fn record_prepared(&mut self, entries: &mut [Entry], step: &str, value: Arc<Value>) {
        let scheduled = entries.iter_mut().rev().find(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepScheduled { .. }));
        if let Some(Entry { fact: Fact::StepScheduled { prepared, .. }, .. }) = scheduled {
            *prepared = Some(Arc::clone(&value));
        }
        if let Some(Leaf::Node(progress)) = self.leaves.get_mut(step) {
            progress.prepared = Some(value);
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
        let rests = !self.leaves.is_empty() && self.leaves.values().all(Leaf::rests) && (self.ending.is_none() || self.detached.is_empty());
        if rests { RunStatus::Waiting } else { RunStatus::Running }
    }
}

/// Whether a step is part of the cleaning up of a run that is ending: of a `finally`, or an undoing.
pub(super) fn cleans_up(workflow: &Workflow, path: &str) -> bool {
    path.starts_with(UNDO) || trail_of(workflow, path).is_ok_and(|trail| is_in_finally(workflow, &trail, 0))
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStanding {
    /// Its outcome is awaited.
    Stands,
    /// The step was cancelled; the outcome counts for its undoing alone.
    Cancelled,
    /// Nobody waits for it.
    Gone,
}

/// A run that a step started.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenChild {
    /// The step.
    pub step: StepPath,
    /// What the child runs.
    pub workflow: String,
    /// The child.
    pub run_id: RunId,
    /// Its input.
    pub input: Value,
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
