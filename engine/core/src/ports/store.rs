//! The store: what the runtime needs of a database. A store is what the conformance suite in `engine/testkit` says it is.

use super::{Beat, HeldQueue, HeldStart, NodeRow, Notice, Notices, Pause, PauseScope, RolloutState, ShardOwner, Standing, Transaction};
use crate::{
    Event, EventId, NewEvent, NodeId, OrganisationId, RunId, Shard, StepError, Timestamp, Value,
    history::{ChildOutcome, Entry, Parent, StepPath},
    machine::LimitKey,
};
use serde::{Deserialize, Serialize};

/// Why the store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A shard that this work relies on is not ours any more; nothing was written.
    #[error("the lease of shard {shard} was lost (epoch {expected} expected)")]
    LeaseLost {
        /// Which.
        shard: Shard,
        /// The epoch that we held.
        expected: i64,
    },
    /// What every node keeps in memory was changed by another one; nothing was written.
    #[error("definitions or pauses were changed by another server meanwhile")]
    GenerationChanged,
    /// Another node addressed something to one of these shards; nothing was written.
    #[error("another server addressed something to this one meanwhile")]
    InboxWaits,
    /// `(run, seq)` is taken: someone else wrote this run's history.
    #[error("history of run {run_id} already has an entry {seq}")]
    HistoryConflict {
        /// Which run.
        run_id: RunId,
        /// Which entry.
        seq: u64,
    },
    /// Stored data that cannot be read; named, never dropped.
    #[error("stored data of {what} cannot be read: {reason}")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// The disk is full; nothing was written. Goes away when there is room again.
    #[error("the disk is full")]
    DiskFull,
    /// The database cannot be reached, or somebody else held what was wanted for too long; nothing was written. Goes away by
    /// itself.
    #[error("the database is not there for now: {0}")]
    Unavailable(String),
    /// Anything else; nothing was written.
    #[error("the database failed: {0}")]
    Failed(String),
}

/// How a commit ended when it was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Surely not stored.
    #[error("the commit failed: {0}")]
    Failed(StoreError),
    /// Surely not stored, and not for want of a database: a check or a write that the store put off until the commit was refused.
    #[error("{0}")]
    Refused(StoreError),
    /// It may or may not be stored (SEMANTICS.md 5).
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(String),
}

/// A shard and the epoch under which this node owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lease {
    /// Which.
    pub shard: Shard,
    /// Raised by one at each take-over: the fencing number.
    pub epoch: i64,
}

/// A run's state as people see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Admitted, not started: a limit or a queue holds it.
    Held,
    /// Work is in flight.
    #[default]
    Running,
    /// Sleeps until a time or an event.
    Waiting,
    /// Held by a person or by the engine.
    Paused,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended on request.
    Cancelled,
}

impl RunStatus {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
    /// Reads what [`RunStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Running, Self::Waiting, Self::Paused, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
    /// Whether nothing can happen to the run any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The derived row of a run: what lists and filters need; can be rebuilt from history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Whose.
    pub organisation: OrganisationId,
    /// Where it lives.
    pub shard: Shard,
    /// The workflow.
    pub workflow: String,
    /// The version it runs on.
    pub version: u32,
    /// What it is about.
    pub key: String,
    /// State.
    pub status: RunStatus,
    /// The run's contact.
    pub contact: Option<String>,
    /// The start's input.
    pub input: Value,
    /// The run's output, when it has ended well.
    pub output: Value,
    /// Why it failed.
    pub error: Option<StepError>,
    /// The event type of the `exit_on` that ended it.
    pub exit: Option<String>,
    /// What it waits for; `null` when it does not wait.
    pub waiting_on: Value,
    /// The questions that it asks people now, a list of [`crate::machine::State::open_questions`]; `null` when it asks none.
    pub questions: Value,
    /// The event that started it.
    pub event_id: Option<EventId>,
    /// First entry's time.
    pub started_at: Timestamp,
    /// Last entry's time, once ended.
    pub ended_at: Option<Timestamp>,
    /// The last entry's position.
    pub last_seq: u64,
    /// Causes in a row that led here.
    pub depth: u16,
}

/// Everything that one transition of one run writes.
#[derive(Clone, Debug)]
pub struct RunWrite {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which.
    pub run_id: RunId,
    /// Where it lives.
    pub shard: Shard,
    /// The new entries: consecutive, all of one `at`.
    pub entries: Vec<Entry>,
    /// Payloads of these entries' values are personal and lie apart whatever their size.
    pub personal: bool,
    /// The derived row, when anything but `last_seq` changed in it; inserted when new.
    pub row: Option<RunRow>,
    /// Timers set or moved.
    pub timers_set: Vec<(String, Timestamp)>,
    /// Timers gone.
    pub timers_cleared: Vec<String>,
    /// Waits opened.
    pub waits_opened: Vec<OpenWait>,
    /// Waits closed: every row of these targets.
    pub waits_closed: Vec<String>,
    /// Inbox rows that this transition applied.
    pub inbox_applied: Vec<i64>,
}

/// A wait's row in the correlation index.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenWait {
    /// Whose.
    pub organisation: OrganisationId,
    /// The run that waits.
    pub run_id: RunId,
    /// Its shard.
    pub shard: Shard,
    /// The step's path, or `$exit.N`.
    pub target: String,
    /// The wait's name within the step.
    pub which: String,
    /// What is compared.
    pub correlation: Correlation,
}

/// A value of the correlation index: hash(organisation, type, sorted paths, canonical typed values) (SEMANTICS.md 10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Correlation {
    /// The event's type.
    pub event: String,
    /// The paths that are compared, sorted; empty for `match: any`.
    pub paths: Vec<String>,
    /// The hash.
    pub hash: [u8; 16],
}

/// A run with its whole history, as loaded.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The derived row.
    pub row: RunRow,
    /// The history, payloads put back.
    pub entries: Vec<Entry>,
}

/// The state of a run as it was written down: a disposable cache of the fold (SEMANTICS.md 19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose.
    pub organisation: OrganisationId,
    /// Of which run.
    pub run_id: RunId,
    /// The last entry that is in it.
    pub seq: u64,
    /// What wrote it: only the same can read it.
    pub revision: u32,
    /// The state, and what else is known of the run; the writer's own form.
    pub content: String,
}

/// A run as it is taken up.
#[derive(Clone, Debug)]
pub struct ResumedRun {
    /// The run. With a checkpoint, its entries begin with the one that the checkpoint is of, where the history has that.
    pub stored: StoredRun,
    /// Its checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// A timer's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The run.
    pub run_id: RunId,
    /// Whose.
    pub organisation: OrganisationId,
    /// Its shard.
    pub shard: Shard,
    /// The step's path, or a name that begins with `$`.
    pub key: String,
    /// When it falls due.
    pub due: Timestamp,
}

/// Where a `schedule` trigger of a current version stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// The trigger's place in it.
    pub trigger: usize,
    /// Its shard, by hash of organisation, workflow and place.
    pub shard: Shard,
    /// The due time that is next to be worked on.
    pub next_due: Timestamp,
    /// When that fires: later by its jitter.
    pub fires_at: Timestamp,
    /// What its due times follow from ([`crate::definition::Schedule::rhythm`]).
    pub rhythm: String,
    /// `each`: the last contact that `next_due` has served.
    pub position: Option<String>,
}

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

/// What became of one event's insertion.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one for each event, moved once; nearly all are the large one")]
pub enum Inserted {
    /// New: it is stored.
    Stored(Event),
    /// Known within the dedupe time: the first body won; this is its id.
    Duplicate(EventId),
}

/// What routing noted on an event, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RoutingNote {
    /// A run was started.
    Started {
        /// Which.
        run_id: RunId,
        /// Of which workflow.
        workflow: String,
    },
    /// A trigger's `if`, `with` or `key` failed (SEMANTICS.md 9).
    TriggerError {
        /// Of which workflow.
        workflow: String,
        /// The trigger's place.
        trigger: usize,
        /// What went wrong.
        message: String,
    },
    /// `mode` or `reentry` refused the start.
    Suppressed {
        /// Of which workflow.
        workflow: String,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The start waits.
    Held {
        /// Of which workflow.
        workflow: String,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A waiting run got it.
    Delivered {
        /// Which.
        run_id: RunId,
        /// Where.
        target: String,
    },
}

/// An immutable published version.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedVersion {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// From 1.
    pub version: u32,
    /// The file's text.
    pub source: String,
    /// SHA-256 of the text, hex.
    pub digest: String,
    /// The language it was written in.
    pub language_revision: u32,
    /// When.
    pub published_at: Timestamp,
    /// New events start it; of each workflow at most one version is current.
    pub current: bool,
    /// A paused workflow takes starts in and holds them.
    pub paused: bool,
}

/// What is known of a key: who lives, and when the last one ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyState {
    /// Living runs of the key, oldest first; one that is still `held` does not live yet.
    pub live: Vec<RunId>,
    /// When the last run of the key ended; remembered longer than the runs.
    pub last_ended_at: Option<Timestamp>,
    /// The first held start of the key that keeps its place in the order of intake: bursts that are not over and starts
    /// that wait for a person have none.
    pub oldest_held: Option<i64>,
    /// The last such start.
    pub newest_held: Option<i64>,
}

/// The engine's tables. Methods that take a `Tx` run inside it; the others read committed data.
#[crate::async_trait]
pub trait Store: Send + Sync + 'static {
    /// A write transaction.
    type Tx: Transaction;

    // ---- transactions ----

    /// Begins a write transaction: on SQLite `BEGIN IMMEDIATE`. `now` becomes [`Transaction::now`].
    async fn begin(&self, now: Timestamp) -> Result<Self::Tx, StoreError>;
    /// Locks and checks the epochs that this transaction relies on (SEMANTICS.md 4). The first mismatch is
    /// [`StoreError::LeaseLost`], told here or by the commit, which then is [`CommitError::Refused`].
    async fn check_leases(&self, tx: &mut Self::Tx, leases: &[Lease]) -> Result<(), StoreError>;
    /// Marks a point to return to. Savepoints nest.
    async fn savepoint(&self, tx: &mut Self::Tx) -> Result<(), StoreError>;
    /// Keeps what was written since the last savepoint.
    async fn release_savepoint(&self, tx: &mut Self::Tx) -> Result<(), StoreError>;
    /// Undoes what was written since the last savepoint, the outbox included, and drops it.
    async fn rollback_to_savepoint(&self, tx: &mut Self::Tx) -> Result<(), StoreError>;
    /// Commits durably.
    async fn commit(&self, tx: Self::Tx) -> Result<(), CommitError>;
    /// Undoes everything.
    async fn rollback(&self, tx: Self::Tx);

    // ---- nodes and leases ----

    /// A node's sign of life, in one transaction of its own: it is noted in the list of nodes, gives back what it gives, prolongs
    /// what it owns, and takes what [`super::to_take`] says, raising the epoch of each shard that changes hands. Expiry is by the
    /// database's clock where it has one (SEMANTICS.md 30).
    async fn beat(&self, beat: &Beat<'_>) -> Result<Standing, StoreError>;
    /// Gives everything back, and is no node any more.
    async fn leave(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError>;
    /// The nodes, by id, as they were last heard of.
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError>;
    /// Who owns each shard.
    async fn owners(&self) -> Result<Vec<ShardOwner>, StoreError>;
    /// The shards of stored runs; missing runs are left out.
    async fn shards_of(&self, tx: &mut Self::Tx, runs: &[RunId]) -> Result<Vec<(RunId, OrganisationId, Shard)>, StoreError>;

    // ---- between nodes ----

    /// The number that rises whenever something changes that every node keeps in memory: definitions, pauses, versions on trial,
    /// shapes of waits. Unless it is this one, the transaction is refused with [`StoreError::GenerationChanged`], here or by the commit,
    /// which then is [`CommitError::Refused`]; it cannot rise between the check and the end.
    async fn check_generation(&self, tx: &mut Self::Tx, expected: i64) -> Result<(), StoreError>;
    /// The number as committed.
    async fn committed_generation(&self) -> Result<i64, StoreError>;
    /// Raises the number, once every transaction has ended that checked it, and gives the new one.
    async fn raise_generation(&self, tx: &mut Self::Tx) -> Result<i64, StoreError>;
    /// Wakes other nodes when the transaction is committed.
    async fn notify(&self, tx: &mut Self::Tx, notices: &[Notice]) -> Result<(), StoreError>;
    /// What other nodes send from now on; one's own may come back.
    fn listen(&self) -> Box<dyn Notices>;
    /// Answers a request of another node ([`InboxMessage::Request`]).
    async fn keep_reply(&self, tx: &mut Self::Tx, request: uuid::Uuid, answer: &Value) -> Result<(), StoreError>;
    /// The answers to these requests, as far as there are any.
    async fn replies(&self, tx: &mut Self::Tx, requests: &[uuid::Uuid]) -> Result<Vec<(uuid::Uuid, Value)>, StoreError>;
    /// Forgets answers given before this moment; how many.
    async fn forget_replies(&self, tx: &mut Self::Tx, before: Timestamp) -> Result<u64, StoreError>;

    // ---- definitions ----

    /// Stores the next version of a workflow and makes it current; the same text as the current version makes none and
    /// returns that one.
    async fn publish(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        workflow: &str,
        source: &str,
        digest: &str,
        language_revision: u32,
    ) -> Result<PublishedVersion, StoreError>;
    /// Makes no version current (the workflow takes no new starts), or an older one.
    async fn set_current(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), StoreError>;
    /// Pauses a workflow (starts are taken in and held) or lets it go on; `false` when there is none of that name.
    async fn set_paused(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<bool, StoreError>;
    /// Every version that is current, of every organisation.
    async fn current_versions(&self) -> Result<Vec<PublishedVersion>, StoreError>;
    /// One version.
    async fn version(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError>;

    // ---- events ----

    /// Stores events that are not known yet, in order; a repeat within the batch is a duplicate too. `correlations`
    /// names, for each event, the rows under which waits may still find it (empty when nobody waits for its type).
    async fn insert_events(&self, tx: &mut Self::Tx, events: Vec<(NewEvent, Vec<Correlation>)>) -> Result<Vec<Inserted>, StoreError>;
    /// Adds what routing noted.
    async fn note_routing(&self, tx: &mut Self::Tx, notes: &[(OrganisationId, EventId, RoutingNote)]) -> Result<(), StoreError>;
    /// Stored events, in the order asked for; missing ones are left out.
    async fn events(&self, tx: &mut Self::Tx, organisation: OrganisationId, ids: &[EventId]) -> Result<Vec<Event>, StoreError>;
    /// The ids of the runs that an event started, from its routing notes.
    async fn runs_of_event(&self, tx: &mut Self::Tx, organisation: OrganisationId, event: EventId) -> Result<Vec<RunId>, StoreError>;
    /// Events under this correlation taken in at or after `since`, oldest first, at most `limit`.
    async fn early_events(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        correlation: &Correlation,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    // ---- waits ----

    /// The distinct (type, paths) of all open waits and of all that were ever opened by current versions: what an event's
    /// correlations are made from.
    async fn wait_shapes(&self) -> Result<Vec<(OrganisationId, String, Vec<String>)>, StoreError>;
    /// Remembers shapes; known ones are no error.
    async fn add_wait_shapes(&self, tx: &mut Self::Tx, shapes: &[(OrganisationId, String, Vec<String>)]) -> Result<(), StoreError>;
    /// Open waits under any of these correlations.
    async fn find_waits(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        correlations: &[Correlation],
        limit: usize,
    ) -> Result<Vec<OpenWait>, StoreError>;

    // ---- runs ----

    /// Writes transitions: history rows, derived rows, timers, waits, applied inbox rows; all in array statements. Within one
    /// write, what is cleared or closed goes before what is set or opened; several writes of one run apply in their order.
    async fn write_runs(&self, tx: &mut Self::Tx, writes: &[RunWrite]) -> Result<(), StoreError>;
    /// Runs with their histories; missing ones are left out. A history that cannot be read comes back as an error of that
    /// run alone.
    async fn load_runs(&self, tx: &mut Self::Tx, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError>;
    /// The same, for those that go on: of a run with a checkpoint of this revision, that and the history from its entry on.
    async fn resume_runs(&self, tx: &mut Self::Tx, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError>;
    /// The same without a transaction, as they were last committed.
    async fn resume_committed_runs(&self, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError>;
    /// Keeps checkpoints, each in place of the one that its run had; none of a run of which something was erased. A run's are gone
    /// with what is erased of it.
    async fn keep_checkpoints(&self, tx: &mut Self::Tx, checkpoints: &[Checkpoint]) -> Result<(), StoreError>;
    /// Drops the checkpoints of runs that have ended: nobody takes those up where they stood.
    async fn drop_checkpoints(&self, tx: &mut Self::Tx, organisation: OrganisationId, runs: &[RunId]) -> Result<(), StoreError>;
    /// Runs in state `running` of these shards, by id, after `after`: what recovery takes up.
    async fn running_runs(&self, leases: &[Lease], after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError>;
    /// Runs of a workflow that wait or are paused, by id, after `after`: of this version, and not of that one.
    async fn runs_on_versions(
        &self,
        organisation: OrganisationId,
        workflow: &str,
        on: Option<u32>,
        not_on: Option<u32>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError>;
    /// Marks a run paused without an entry, when its history cannot be folded (SEMANTICS.md 21).
    async fn quarantine_run(&self, tx: &mut Self::Tx, organisation: OrganisationId, run: RunId, reason: &str) -> Result<(), StoreError>;
    /// What is known of a key.
    async fn key_state(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<KeyState, StoreError>;
    /// The stored variant for (workflow, step, by), after storing `proposal` if there was none; and whether there was one
    /// (SEMANTICS.md 35).
    async fn assign_variant(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        workflow: &str,
        step: &StepPath,
        by: &str,
        proposal: &str,
    ) -> Result<(String, bool), StoreError>;

    // ---- timers ----

    /// Timers of these shards due at or before `until`, by due time, at most `limit`.
    async fn timers_due(&self, leases: &[Lease], until: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError>;

    // ---- schedules ----

    /// The schedules of these shards, in order of organisation, workflow and place.
    async fn schedules(&self, leases: &[Lease]) -> Result<Vec<ScheduleRow>, StoreError>;
    /// The schedules of a workflow, by place.
    async fn schedules_of(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError>;
    /// Puts these rows, which are of that workflow, in place of all that it had.
    async fn set_schedules(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) -> Result<(), StoreError>;
    /// Moves one schedule on, from `before` to `after`; `None`: it has no due time any more. The workflow's other schedules may be
    /// other nodes', which move them on at the same time, and are left alone. Nothing happens where it is not there any more.
    async fn move_schedule(&self, tx: &mut Self::Tx, before: &ScheduleRow, after: Option<&ScheduleRow>) -> Result<(), StoreError>;

    // ---- inbox ----

    /// Adds a row; a known (cause, target) is no error and adds none.
    async fn add_inbox(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        shard: Shard,
        run: Option<RunId>,
        cause: &str,
        message: &InboxMessage,
    ) -> Result<(), StoreError>;
    /// Rows for these shards, in any order, at most `limit`.
    async fn inbox(&self, tx: &mut Self::Tx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError>;
    /// Makes the transaction hang on there being none for these shards. Otherwise it is refused with [`StoreError::InboxWaits`], here or by
    /// the commit, which then is [`CommitError::Refused`]: so one that expects none need not look first. It is for transactions that
    /// neither add nor remove rows.
    async fn expect_empty_inbox(&self, tx: &mut Self::Tx, leases: &[Lease]) -> Result<(), StoreError>;
    /// Removes rows that were applied without a run's transition.
    async fn remove_inbox(&self, tx: &mut Self::Tx, ids: &[i64]) -> Result<(), StoreError>;

    // ---- pauses ----

    /// Every pause of every organisation, but for those of whole workflows.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;
    /// Pauses what `pause` names; a pause that is there stays as it was.
    async fn add_pause(&self, tx: &mut Self::Tx, pause: &Pause) -> Result<(), StoreError>;
    /// Lets it go on; whether it was paused.
    async fn remove_pause(&self, tx: &mut Self::Tx, scope: &PauseScope) -> Result<bool, StoreError>;
    /// Paused runs, by id, after `after`, at most `limit`, with what their row says they wait for.
    async fn paused_runs(&self, tx: &mut Self::Tx, after: Option<RunId>, limit: usize) -> Result<Vec<(RunId, Value)>, StoreError>;

    // ---- versions on trial ----

    /// Every version on trial, of every organisation.
    async fn rollouts(&self) -> Result<Vec<RolloutState>, StoreError>;
    /// Notes how a version's trial stands; of a workflow one is on trial at the most.
    async fn set_rollout(&self, tx: &mut Self::Tx, state: &RolloutState) -> Result<(), StoreError>;
    /// No version of this workflow is on trial any more.
    async fn remove_rollout(&self, tx: &mut Self::Tx, organisation: OrganisationId, workflow: &str) -> Result<(), StoreError>;

    // ---- held starts, permits, rates ----

    /// Holds a start back and gives it its number.
    async fn hold_start(&self, tx: &mut Self::Tx, start: &HeldStart) -> Result<i64, StoreError>;
    /// The next held start of a queue: by priority where the queue goes by it, then in order of intake.
    async fn next_held(&self, tx: &mut Self::Tx, organisation: OrganisationId, queue: &HeldQueue) -> Result<Option<HeldStart>, StoreError>;
    /// The held start that will be this run.
    async fn held_start(&self, tx: &mut Self::Tx, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError>;
    /// Puts a held start into another queue, or into the same one for another reason; its number stays. `Ok` also when there
    /// is none of that number.
    async fn move_held(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        id: i64,
        queue: &HeldQueue,
        reason: &str,
        not_before: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// Queues that have held starts, in a fixed order, after `after`, at most `limit`.
    async fn held_queues(
        &self,
        tx: &mut Self::Tx,
        after: Option<&(OrganisationId, HeldQueue)>,
        limit: usize,
    ) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError>;
    /// The ends of bursts, earliest first, at most `limit`.
    async fn bursts(&self, tx: &mut Self::Tx, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue, Timestamp)>, StoreError>;
    /// How many starts an organisation has held, of one workflow and key when they are given; not counted further than `most`.
    async fn count_held(&self, tx: &mut Self::Tx, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> Result<u64, StoreError>;
    /// Removes a held start that was released or dropped.
    async fn remove_held(&self, tx: &mut Self::Tx, organisation: OrganisationId, id: i64) -> Result<(), StoreError>;
    /// Takes a permit of a concurrency limit for a run, when fewer than `max` are out; whether the run has one now. A run
    /// that has one keeps it.
    async fn take_permit(
        &self,
        tx: &mut Self::Tx,
        organisation: OrganisationId,
        limit: &LimitKey,
        shard: Shard,
        run: RunId,
        max: u32,
    ) -> Result<bool, StoreError>;
    /// Gives back every permit of these runs, and says of which limits.
    async fn release_permits(&self, tx: &mut Self::Tx, runs: &[RunId]) -> Result<Vec<(OrganisationId, LimitKey)>, StoreError>;
    /// Whether any permit is out, of any organisation.
    async fn permits_are_out(&self) -> Result<bool, StoreError>;
    /// Until when the past starts of a rate limit count, in microseconds since 1970; `None`: there were none.
    async fn rate_used_until(&self, tx: &mut Self::Tx, organisation: OrganisationId, limit: &LimitKey) -> Result<Option<i64>, StoreError>;
    /// Notes a start of a rate limit.
    async fn use_rate(&self, tx: &mut Self::Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, until_micros: i64) -> Result<(), StoreError>;
}
