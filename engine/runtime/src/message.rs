//! What the loop is told: everything that wants a commit.

use crate::{
    EngineError,
    calls::CallKey,
    definitions::Addressee,
    migration::{MigrationRequest, Move, Relocated},
    ready::Turn,
    release::Looking,
    schedules::ScheduleKey,
    size,
};
use onward_core::{
    EventId, NewEvent, OrganisationId, RunId, Shard, Value,
    definition::{Problem, Workflow},
    history::StepPath,
    machine::{Point, Repair},
    ports::{Body, BoxFuture, Outcome, Pause, RunStatus, StoredRun, Timer, Transaction, WriteError},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::Span;

/// What became of an event that was handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ingested {
    /// Our id of the event; of the first one when it is a duplicate.
    pub event_id: EventId,
    /// It was known already: nothing happened.
    pub duplicate: bool,
    /// Runs that it started, and those that are held and will start.
    pub run_ids: Vec<RunId>,
}

/// A start by hand.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow's name.
    pub workflow: String,
    /// Becomes `input`; checked against the `manual` trigger's schema.
    pub input: Value,
    /// Instead of the definition's `key`.
    pub key: Option<String>,
}

/// A run that was started by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedRun {
    /// The run.
    pub run_id: RunId,
    /// Why it is held, when it did not start at once.
    pub held: Option<String>,
}

/// A version that was published.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedWorkflow {
    /// Its number; that of the current version when the text is the same.
    pub version: u32,
    /// Warnings and hints.
    pub problems: Vec<Problem>,
}

/// Work that is told the answer and stores it in the effect's own transaction.
pub type After<T> = Box<dyn for<'t> FnMut(&'t mut T, &'t Value) -> BoxFuture<'t, Result<(), WriteError>> + Send>;

/// Work around an effect, in its transaction: an `Idempotency-Key` is checked before and answered after
/// (SEMANTICS.md 34). Both may run again after a rollback.
pub struct Guard<T: Transaction> {
    /// May refuse the effect.
    pub before: Body<T>,
    /// Gets the answer as JSON. A failure here undoes the effect.
    pub after: After<T>,
}

/// What a person wants of a run.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Cancel { by: String, reason: Option<String>, force: bool },
    Pause { by: String, reason: Option<String> },
    Resume { by: String },
    Answer { step: StepPath, answer: Value, by: String },
}

/// How a person repairs a run.
#[derive(Clone, Debug)]
pub(crate) enum Mending {
    /// Takes it up again after it failed.
    Repair { by: String, repair: Repair },
    /// Goes on with a copy of it.
    Fork { by: String, point: Point, input: Option<Value>, version: Option<u32> },
    /// Hands it an event, or an answer, for what it waits for.
    Signal { by: String, signal: Signal },
}

/// What a run is told by hand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// The event's type, or the name of the wait.
    pub name: Option<String>,
    /// The step that waits; needed where several wait for the same.
    pub step: Option<String>,
    /// The event's data; the answer, where the step asks.
    pub data: Value,
}

/// A run that was repaired; of a fork the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MendedRun {
    /// The run.
    pub run_id: RunId,
    /// Its state now.
    pub status: RunStatus,
}

pub(crate) type Reply<R> = oneshot::Sender<Result<R, EngineError>>;

/// A message to the loop. Those with a `reply` come from outside and are told when it went wrong; the others are the
/// engine's own and are kept until they took effect.
pub(crate) enum Item<T: Transaction> {
    /// A room's write.
    Write { body: Body<T>, request: Span, reply: oneshot::Sender<Result<(), WriteError>> },
    /// Events from outside.
    Ingest { events: Vec<NewEvent>, addressee: Option<Addressee>, guard: Option<Guard<T>>, request: Span, reply: Reply<Vec<Ingested>> },
    /// A start by hand.
    Start { request: StartRequest, guard: Option<Guard<T>>, reply: Reply<StartedRun> },
    /// Something that a person wants of a run.
    Control { organisation: OrganisationId, run_id: RunId, command: Command, guard: Option<Guard<T>>, reply: Reply<RunStatus> },
    /// A person repairs a run.
    Mend { organisation: OrganisationId, run_id: RunId, mending: Mending, guard: Option<Guard<T>>, reply: Reply<MendedRun> },
    /// A new version; commits alone.
    Publish { organisation: OrganisationId, workflow: Arc<Workflow>, reply: Reply<u32> },
    /// Another current version, or none; commits alone.
    SetCurrent { organisation: OrganisationId, workflow: String, version: Option<u32>, reply: Reply<()> },
    /// A workflow holds its starts, or lets them go; commits alone.
    SetPaused { organisation: OrganisationId, workflow: String, paused: bool, reply: Reply<()> },
    /// Something is paused, or goes on; commits alone.
    SetPause { pause: Pause, on: bool, guard: Option<Guard<T>>, reply: Reply<bool> },
    /// Runs move to another version; commits alone.
    Migrate { organisation: OrganisationId, moves: Vec<Move>, guard: Option<Guard<T>>, reply: Reply<Relocated> },
    /// Runs of one shard move to another version; its owner plans that anew, and does it.
    MigrateOf { shard: Shard, request: Arc<MigrationRequest>, runs: Vec<RunId>, guard: Option<Guard<T>>, reply: Reply<u64> },
    /// Paused runs that nothing holds any more go on.
    ResumeRuns { after: Option<RunId> },
    /// Queues of held starts may have somebody to let go: shards were taken over, a definition or a pause changed.
    LookAtQueues { looking: Looking },
    /// Queues of held starts have their turn.
    Release { turns: Vec<Turn> },
    /// Bursts may be over.
    BurstsEnd,
    /// Histories, for replay.
    Load { organisation: OrganisationId, runs: Vec<RunId>, reply: Reply<Vec<StoredRun>> },
    /// A call ended.
    Outcome { key: CallKey, outcome: Outcome },
    /// Timers fell due.
    Due { timers: Vec<Timer> },
    /// Schedules fire.
    Schedules { keys: Vec<ScheduleKey> },
    /// Inbox rows wait.
    Inbox,
    /// Other nodes may have answered.
    Replies,
    /// Runs to be taken up where they stand: after a start, a failed commit, or a long chain of steps.
    TakeUp { runs: Vec<RunId> },
}

/// What a message is answered once its commit is confirmed.
#[derive(Debug)]
pub(crate) enum Answer {
    Write(Result<(), WriteError>),
    Ingest(Result<Vec<Ingested>, EngineError>),
    Start(Result<StartedRun, EngineError>),
    Control(Result<RunStatus, EngineError>),
    Mend(Result<MendedRun, EngineError>),
    Publish(Result<u32, EngineError>),
    SetCurrent(Result<(), EngineError>),
    SetPause(bool),
    Migrate(Relocated),
    MigrateOf(Result<u64, EngineError>),
    Load(Vec<StoredRun>),
    /// The owner of another shard is asked; the answer comes later.
    Asked(uuid::Uuid),
    /// Nobody waits.
    Done,
}

impl<T: Transaction> Item<T> {
    /// About how many bytes it brings into the transaction.
    pub(crate) fn bytes(&self) -> usize {
        const SMALL: usize = 512;
        match self {
            Self::Ingest { events, .. } => events.iter().map(event_bytes).sum(),
            Self::Start { request, .. } => SMALL + size::of(&request.input),
            Self::Outcome { outcome: Outcome::Done { output }, .. } => SMALL + size::of(output),
            Self::Publish { workflow, .. } => workflow.source.len(),
            _ => SMALL,
        }
    }
    /// It changes what later messages of the same commit would see in memory: it commits alone.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::SetCurrent { .. } | Self::SetPaused { .. } | Self::SetPause { .. } | Self::Migrate { .. })
    }
    /// It may be decided while the transaction before its own is committed.
    pub(crate) fn may_be_decided_behind(&self) -> bool {
        matches!(self, Self::Outcome { .. } | Self::Start { .. } | Self::Ingest { .. } | Self::Due { .. })
    }
    /// What is found again in the store by whoever takes the shards over.
    pub(crate) fn is_of_a_lease(&self) -> bool {
        matches!(
            self,
            Self::Due { .. }
                | Self::Schedules { .. }
                | Self::TakeUp { .. }
                | Self::Inbox
                | Self::Replies
                | Self::LookAtQueues { .. }
                | Self::ResumeRuns { .. }
                | Self::Release { .. }
                | Self::BurstsEnd
        )
    }
    /// It must not overtake what other nodes brought before.
    pub(crate) fn comes_after_the_inbox(&self) -> bool {
        !matches!(self, Self::Outcome { .. } | Self::TakeUp { .. } | Self::Load { .. } | Self::Replies)
    }
    /// Nobody outside waits for it: it must not be lost while the process lives.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Outcome { .. }) || self.is_of_a_lease()
    }
    /// Tells whoever waits. A caller that has gone away is no error.
    pub(crate) fn answer(self, answer: Answer) {
        match (self, answer) {
            (Self::Write { reply, .. }, Answer::Write(result)) => drop(reply.send(result)),
            (Self::Ingest { reply, .. }, Answer::Ingest(result)) => drop(reply.send(result)),
            (Self::Start { reply, .. }, Answer::Start(result)) => drop(reply.send(result)),
            (Self::Control { reply, .. }, Answer::Control(result)) => drop(reply.send(result)),
            (Self::Mend { reply, .. }, Answer::Mend(result)) => drop(reply.send(result)),
            (Self::SetPause { reply, .. }, Answer::SetPause(changed)) => drop(reply.send(Ok(changed))),
            (Self::Migrate { reply, .. }, Answer::Migrate(relocated)) => drop(reply.send(Ok(relocated))),
            (Self::MigrateOf { reply, .. }, Answer::MigrateOf(moved)) => drop(reply.send(moved)),
            (Self::Publish { reply, .. }, Answer::Publish(result)) => drop(reply.send(result)),
            (Self::Load { reply, .. }, Answer::Load(runs)) => drop(reply.send(Ok(runs))),
            (Self::SetCurrent { reply, .. } | Self::SetPaused { reply, .. }, Answer::SetCurrent(result)) => drop(reply.send(result)),
            _ => {}
        }
    }
    /// Tells whoever waits that it did not take effect, or that nobody knows.
    pub(crate) fn refuse(self, error: WriteError) {
        match self {
            Self::Write { reply, .. } => drop(reply.send(Err(error))),
            Self::Ingest { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Start { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Control { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Mend { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Publish { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::SetPause { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Migrate { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::MigrateOf { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::SetCurrent { reply, .. } | Self::SetPaused { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Load { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Outcome { .. }
            | Self::Due { .. }
            | Self::Schedules { .. }
            | Self::Inbox
            | Self::Replies
            | Self::TakeUp { .. }
            | Self::LookAtQueues { .. }
            | Self::ResumeRuns { .. }
            | Self::Release { .. }
            | Self::BurstsEnd => {}
        }
    }
}

/// About how many bytes an event takes.
pub(crate) fn event_bytes(event: &NewEvent) -> usize {
    256 + size::of(&event.data)
}
