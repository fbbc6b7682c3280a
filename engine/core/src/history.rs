//! History: the append-only truth about a run. A run is the fold of these entries.
//!
//! In storage one transition of the machine is one row: its entries share `at` and follow each other by `seq`, so the row
//! needs neither (see [`encode_chunk`]). The format is versioned by `RunStarted::revision`.

use crate::{
    EventId, StepError, Timestamp, Value,
    machine::{ExitCause, Moved},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The revision of the machine and of this format; a change of meaning takes a new one, and older ones still execute.
pub const REVISION: u32 = 1;

/// Where a step stands in a run: its key, and behind `#` the iterations it is in (`nudge#3`, `item#2.5`).
pub type StepPath = std::sync::Arc<str>;

/// One entry of a run's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the run's history, from 1.
    pub seq: u64,
    /// Engine time; never decreases within a run.
    pub at: Timestamp,
    /// The step it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What one named wait of a `wait_for` listens for, with its values rendered once when it opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenMatch {
    /// The event's type.
    pub event: String,
    /// Equality on literal paths of the event's data; empty means `match: any`.
    #[serde(rename = "match", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
}

/// The run that waits for another one's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run.
    pub run_id: crate::RunId,
    /// Its step that waits.
    pub step: StepPath,
}

/// Where a fork comes from: every entry before the one that says so is that run's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The run that was copied.
    pub source: crate::RunId,
    /// The run that goes on from here.
    pub run_id: crate::RunId,
}

/// How a child run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ChildOutcome {
    /// Well.
    Completed {
        /// Its output.
        output: Value,
    },
    /// Badly.
    Failed {
        /// Why.
        error: StepError,
    },
    /// On request.
    Cancelled {},
    /// Not yet: it goes on in a new history.
    Continued {
        /// As this run.
        next: crate::RunId,
    },
}

/// The input of a compensation, or why it could not be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Undoing {
    /// What the compensating node gets.
    Input {
        /// Its input.
        input: Value,
    },
    /// Rendering it failed: a person must undo the step.
    Error {
        /// Why.
        error: StepError,
    },
    /// It was erased with the person whom it was about.
    Erased(Value),
}

/// The kinds of entries (DESIGN.md, "Words"), each with its own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The first entry.
    RunStarted {
        /// Name of the workflow.
        workflow: String,
        /// Its version.
        version: u32,
        /// The machine's [`REVISION`] when the run began.
        revision: u32,
        /// What the run is about.
        key: String,
        /// The trigger's place in `on`, from 0; `None` for a start by hand, API or call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trigger: Option<usize>,
        /// The start's input.
        input: Arc<Value>,
        /// The `CloudEvents` envelope that expressions see as `event`.
        event: Arc<Value>,
        /// Our id of the event that started the run; it never counts for a wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<EventId>,
        /// Seed of all chance in the run.
        seed: u64,
        /// The organisation's time zone when the run began, an IANA name: the zone of everything that names none.
        timezone: String,
        /// When the whole run times out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// Causes in a row that led here.
        #[serde(default, skip_serializing_if = "is_zero")]
        depth: u16,
        /// The run that waits for this one's end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Parent>,
    },
    /// A node is to be run. Attempts that a timer begins leave out `input`: it is rendered once (SEMANTICS.md 15).
    StepScheduled {
        /// The node's id.
        node: String,
        /// Attempt, from 1.
        attempt: u32,
        /// Counts repairs that need a new idempotency key, from 0.
        #[serde(default, skip_serializing_if = "is_zero_u32")]
        generation: u32,
        /// The rendered input; on the first attempt, and on one that a repair or a copy makes again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Arc<Value>>,
        /// Bounds the attempt, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<i64>,
        /// What `prepare` made of it, when the node prepares.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prepared: Option<Arc<Value>>,
    },
    /// The step's outcome is good.
    StepCompleted {
        /// The step's output.
        output: Arc<Value>,
        /// The output was longer than allowed and is cut.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        truncated: bool,
        /// The input of its compensation, rendered now (SEMANTICS.md 25).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Undoing>,
    },
    /// The step has failed for good.
    StepFailed {
        /// Why.
        error: StepError,
        /// `on_error: continue` let the run go on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        continued: bool,
    },
    /// The guard was false, or an operator skipped it.
    StepSkipped {
        /// An operator's stand-in output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Value>,
    },
    /// The step was ended by a cancel, an exit or a join.
    StepCancelled {
        /// Its effect may have happened: the input of its compensation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Undoing>,
    },
    /// An attempt failed and another follows.
    RetryScheduled {
        /// The attempt that failed.
        attempt: u32,
        /// When the next attempt starts.
        due: Timestamp,
        /// Why it failed.
        error: StepError,
        /// The attempt was not counted (a `Retry-After` from the provider).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        free: bool,
    },
    /// A durable sleep began.
    TimerSet {
        /// When it ends.
        due: Timestamp,
    },
    /// A durable sleep ended.
    TimerFired {
        /// When it was due.
        due: Timestamp,
    },
    /// A wait for events began.
    WaitOpened {
        /// By name; a wait for a single event is named `event`.
        waits: BTreeMap<String, OpenMatch>,
        /// Events taken in from here on count.
        since: Timestamp,
        /// When it gives up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// This step consumed the event; no later wait of the same step sees it.
    EventConsumed {
        /// The event.
        event_id: EventId,
    },
    /// The wait ended with an event.
    WaitResolved {
        /// The name of the wait that matched.
        which: String,
        /// The event's envelope.
        event: Value,
        /// When it was taken in.
        taken_in_at: Timestamp,
        /// Who signalled it to this run alone, past `match` and `if`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The wait ended without one.
    WaitTimedOut {
        /// The deadline that passed.
        due: Timestamp,
    },
    /// `if` or `choose` decided.
    BranchTaken {
        /// `then`, `else`, or the number of the branch from 1.
        branch: String,
    },
    /// `split` decided.
    VariantChosen {
        /// The variant's name.
        variant: String,
        /// What the assignment is sticky for.
        by: String,
        /// It was already stored when this run asked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sticky: bool,
    },
    /// A pass of a loop began.
    IterationStarted {
        /// From 1.
        index: u64,
        /// The whole list of a `for_each`; its later passes have no entry of their own, the first entry of their steps tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items: Option<Value>,
        /// How many passes a `repeat` was told to make.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<u64>,
    },
    /// `set` gave variables values; without a step, the workflow's own `vars`.
    VarsSet {
        /// Name to value.
        values: crate::Object,
    },
    /// Fields of live records that an expression used, so that a replay sees what the run saw.
    ValueRead {
        /// `contact.first_name` to value.
        values: BTreeMap<String, Value>,
    },
    /// The run got its `contact`, `company`, `deal` or `conversation`.
    Bound {
        /// Which.
        record: String,
        /// Its id.
        id: String,
    },
    /// A child run was started.
    ChildStarted {
        /// The child's workflow.
        workflow: String,
        /// The child.
        run_id: crate::RunId,
        /// Its input.
        input: Value,
    },
    /// A child run that was waited for has ended.
    ChildEnded {
        /// The child.
        run_id: crate::RunId,
        /// How.
        #[serde(flatten)]
        outcome: ChildOutcome,
    },
    /// `emit` put an event on the bus.
    EventEmitted {
        /// Its type.
        event: String,
        /// Its id: hash(run, step path, n).
        id: String,
        /// Its data.
        data: Value,
    },
    /// A person was asked.
    AskOpened {
        /// What was asked, of whom.
        question: Value,
        /// When it expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// The person answered.
    AskAnswered {
        /// The answer.
        answer: Value,
        /// Who gave it.
        by: String,
    },
    /// The step may not go on yet; no attempt is spent.
    Held {
        /// Until when; `None`: until something changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// The run was paused: held, never skipped.
    Paused {
        /// `engine`, `diverged`, or who asked.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The run goes on.
    Resumed {
        /// Who asked.
        by: String,
    },
    /// An `exit_on` rule matched.
    Exited {
        /// The event that matched.
        exit: ExitCause,
        /// Its envelope.
        event: Value,
        /// When it was taken in.
        taken_in_at: Timestamp,
    },
    /// Someone asked for the run to end.
    CancelRequested {
        /// Who.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Skips `finally` and compensation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// The undoing of one step began; `step` is that step.
    CompensationStarted {
        /// The node that undoes it.
        node: String,
    },
    /// An operator's repair took the run up again (SEMANTICS.md 27); `step` is the step that had failed.
    Reopened {
        /// Who.
        by: String,
        /// What was done: `retry`, `edit` (a retry with another input), `skip`, `fork`.
        action: String,
        /// The entry that had made the run fail: the run stands again where it stood before it. Of a fork, this entry's own place.
        from: u64,
        /// What comes before was copied from another run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<Forked>,
    },
    /// The run moved to another version.
    Migrated {
        /// The version that it left.
        from: u32,
        /// The new version.
        version: u32,
        /// How it came there.
        how: Moved,
        /// Who wanted it.
        by: String,
        /// The machine's whole state at the new place.
        state: Value,
    },
    /// A note that a checkpoint was made; never needed to rebuild the run.
    Checkpointed {},
    /// The end, good.
    RunCompleted {
        /// The run's output.
        output: Value,
        /// The event type of the `exit_on` that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit: Option<String>,
    },
    /// The end, failed.
    RunFailed {
        /// Why.
        error: StepError,
    },
    /// The end, cancelled.
    RunCancelled {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands in a reference")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands in a reference")]
fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

impl Fact {
    /// The kind's name, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::StepScheduled { .. } => "step_scheduled",
            Self::StepCompleted { .. } => "step_completed",
            Self::StepFailed { .. } => "step_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::StepCancelled { .. } => "step_cancelled",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::TimerSet { .. } => "timer_set",
            Self::TimerFired { .. } => "timer_fired",
            Self::WaitOpened { .. } => "wait_opened",
            Self::EventConsumed { .. } => "event_consumed",
            Self::WaitResolved { .. } => "wait_resolved",
            Self::WaitTimedOut { .. } => "wait_timed_out",
            Self::BranchTaken { .. } => "branch_taken",
            Self::VariantChosen { .. } => "variant_chosen",
            Self::IterationStarted { .. } => "iteration_started",
            Self::VarsSet { .. } => "vars_set",
            Self::ValueRead { .. } => "value_read",
            Self::Bound { .. } => "bound",
            Self::ChildStarted { .. } => "child_started",
            Self::ChildEnded { .. } => "child_ended",
            Self::EventEmitted { .. } => "event_emitted",
            Self::AskOpened { .. } => "ask_opened",
            Self::AskAnswered { .. } => "ask_answered",
            Self::Held { .. } => "held",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Exited { .. } => "exited",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::CompensationStarted { .. } => "compensation_started",
            Self::Reopened { .. } => "reopened",
            Self::Migrated { .. } => "migrated",
            Self::Checkpointed {} => "checkpointed",
            Self::RunCompleted { .. } => "run_completed",
            Self::RunFailed { .. } => "run_failed",
            Self::RunCancelled { .. } => "run_cancelled",
        }
    }
}

/// An entry as it lies in a row: `seq` and `at` come from the row.
#[derive(Serialize)]
struct StoredEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(flatten)]
    fact: &'a Fact,
}
#[derive(Deserialize)]
struct ReadEntry {
    #[serde(default)]
    step: Option<StepPath>,
    #[serde(flatten)]
    fact: Fact,
}

/// The stored form of one transition. All entries share `at` and follow each other.
pub fn encode_chunk(entries: &[Entry]) -> Result<String, serde_json::Error> {
    let stored: Vec<_> = entries.iter().map(|entry| StoredEntry { step: entry.step.as_deref(), fact: &entry.fact }).collect();
    serde_json::to_string(&stored)
}

/// Reads what [`encode_chunk`] wrote.
pub fn decode_chunk(first_seq: u64, at: Timestamp, text: &str) -> Result<Vec<Entry>, serde_json::Error> {
    let read: Vec<ReadEntry> = serde_json::from_str(text)?;
    Ok(read.into_iter().zip(first_seq..).map(|(entry, seq)| Entry { seq, at, step: entry.step, fact: entry.fact }).collect())
}
