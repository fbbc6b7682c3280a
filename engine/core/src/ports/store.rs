//! The store: what the runtime needs of a database. A store is what the conformance suite in `engine/testkit` says it is.

use super::{
    Beat, Checkpoint, CommitError, Correlation, HeldQueue, HeldStart, InboxMessage, InboxRow, Inserted, KeyState, Lease, NodeRow, Notice, Notices, OpenWait,
    Pause, PauseScope, PublishedVersion, ResumedRun, RolloutState, RoutingNote, RunWrite, ScheduleRow, ShardOwner, Standing, StoreError, StoredRun, Timer,
    Transaction,
};
use crate::{Event, EventId, NewEvent, NodeId, OrganisationId, RunId, Shard, Timestamp, Value, history::StepPath, machine::LimitKey};

/// The engine's tables. Methods that take a `Tx` run inside it; the others read committed data.
#[crate::async_trait]
pub trait Store: Send + Sync + 'static {
    /// A write transaction.
    type Tx: Transaction;

    // ---- transactions ----

    /// Begins a write transaction: on SQLite `BEGIN IMMEDIATE`. `now` becomes [`Transaction::now`].
    async fn begin(&self, now: Timestamp) -> Result<Self::Tx, StoreError>;
    /// A write transaction that begins once the one before it in this process has ended: what it asks and writes waits until then, and
    /// whoever awaits that must let the one before go on. `None` where nothing is gained by it.
    fn begin_behind(&self, _now: Timestamp) -> Option<Self::Tx> {
        None
    }
    /// Locks and checks the epochs that this transaction relies on until it ends (SEMANTICS.md 4). The first mismatch is
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
    /// What the database's own clock shows, in microseconds since 1970; `None` where there is none that nodes share. `now` is the
    /// asker's.
    async fn clock(&self, now: Timestamp) -> Result<Option<i64>, StoreError>;
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
