//! The `Store` port.

use crate::{checkpoints, definitions, events, fences::Fences, flow_limits, held, inbox, leases, notices, pauses, rollouts, runs, schedules, timers, waits};
use onward_core::{
    Event, EventId, NewEvent, NodeId, OrganisationId, RunId, Shard, Timestamp, Value, async_trait,
    history::StepPath,
    machine::LimitKey,
    ports::{
        Beat, Checkpoint, CommitError, Correlation, HeldQueue, HeldStart, InboxMessage, InboxRow, Inserted, KeyState, Lease, NodeRow, Notice, Notices,
        OpenWait, Pause, PauseScope, PublishedVersion, ResumedRun, RolloutState, RoutingNote, RunWrite, ScheduleRow, ShardOwner, Standing, Store, StoreError,
        StoredRun, Timer,
    },
};
use onward_database::{Database, Tx};

/// The engine's tables in a database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
    /// Leases run by the database's clock, where it has one, and not by that of whoever asks.
    by_database_clock: bool,
    fences: Fences,
}

impl SqlStore {
    /// Over an open database.
    pub fn new(database: Database) -> Self {
        Self { database, by_database_clock: true, fences: Fences::default() }
    }
    /// The same with leases by the clock of whoever asks: for tests, whose time is their own.
    #[cfg(test)]
    pub(crate) fn by_the_askers_clock(database: Database) -> Self {
        Self { database, by_database_clock: false, fences: Fences::default() }
    }
    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }
}

#[async_trait]
impl Store for SqlStore {
    type Tx = Tx;

    // ---- transactions ----

    async fn begin(&self, now: Timestamp) -> Result<Tx, StoreError> {
        Ok(self.database.begin(now).await?)
    }
    fn begin_behind(&self, now: Timestamp) -> Option<Tx> {
        self.database.begin_behind(now)
    }
    async fn check_leases(&self, tx: &mut Tx, leases: &[Lease]) -> Result<(), StoreError> {
        leases::check(tx, self.database.reader(), &self.fences, leases).await
    }
    async fn savepoint(&self, tx: &mut Tx) -> Result<(), StoreError> {
        Ok(tx.savepoint().await?)
    }
    async fn release_savepoint(&self, tx: &mut Tx) -> Result<(), StoreError> {
        Ok(tx.release().await?)
    }
    async fn rollback_to_savepoint(&self, tx: &mut Tx) -> Result<(), StoreError> {
        Ok(tx.rollback_to().await?)
    }
    async fn commit(&self, tx: Tx) -> Result<(), CommitError> {
        tx.commit().await
    }
    async fn rollback(&self, tx: Tx) {
        tx.rollback().await;
    }

    // ---- nodes and leases ----

    async fn clock(&self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        if !self.by_database_clock || self.database.path().is_some() {
            return Ok(None);
        }
        let mut tx = self.database.begin(now).await?;
        let shown = tx.database_clock_micros().await?;
        tx.rollback().await;
        Ok(shown)
    }
    async fn beat(&self, beat: &Beat<'_>) -> Result<Standing, StoreError> {
        let (standing, fence) = leases::beat(&self.database, self.by_database_clock, beat).await?;
        self.fences.learn(beat.node, fence, &standing);
        Ok(standing)
    }
    async fn leave(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError> {
        self.fences.forget(node);
        leases::leave(&self.database, self.by_database_clock, node, now).await
    }
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        leases::nodes(&mut self.database.reader()).await
    }
    async fn owners(&self) -> Result<Vec<ShardOwner>, StoreError> {
        leases::owners(&mut self.database.reader()).await
    }
    async fn shards_of(&self, tx: &mut Tx, runs: &[RunId]) -> Result<Vec<(RunId, OrganisationId, Shard)>, StoreError> {
        leases::shards_of(tx, runs).await
    }

    // ---- between nodes ----

    async fn check_generation(&self, tx: &mut Tx, expected: i64) -> Result<(), StoreError> {
        leases::check_generation(tx, self.database.reader(), expected)
    }
    async fn committed_generation(&self) -> Result<i64, StoreError> {
        leases::committed_generation(&mut self.database.reader()).await
    }
    async fn raise_generation(&self, tx: &mut Tx) -> Result<i64, StoreError> {
        leases::raise_generation(tx).await
    }
    async fn notify(&self, tx: &mut Tx, notices: &[Notice]) -> Result<(), StoreError> {
        notices::send(tx, notices).await
    }
    fn listen(&self) -> Box<dyn Notices> {
        Box::new(notices::Listening::new(self.database.clone()))
    }
    async fn keep_reply(&self, tx: &mut Tx, request: uuid::Uuid, answer: &Value) -> Result<(), StoreError> {
        leases::keep_reply(tx, request, answer).await
    }
    async fn replies(&self, tx: &mut Tx, requests: &[uuid::Uuid]) -> Result<Vec<(uuid::Uuid, Value)>, StoreError> {
        leases::replies(tx, requests).await
    }
    async fn forget_replies(&self, tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
        leases::forget_replies(tx, before).await
    }

    // ---- definitions ----

    async fn publish(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        workflow: &str,
        source: &str,
        digest: &str,
        language_revision: u32,
    ) -> Result<PublishedVersion, StoreError> {
        definitions::publish(tx, organisation, workflow, source, digest, language_revision).await
    }
    async fn set_current(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), StoreError> {
        definitions::set_current(tx, organisation, workflow, version).await
    }
    async fn set_paused(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<bool, StoreError> {
        definitions::set_paused(tx, organisation, workflow, paused).await
    }
    async fn current_versions(&self) -> Result<Vec<PublishedVersion>, StoreError> {
        definitions::all_current(&mut self.database.reader()).await
    }
    async fn version(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError> {
        definitions::one(&mut self.database.reader(), organisation, workflow, version).await
    }

    // ---- events ----

    async fn insert_events(&self, tx: &mut Tx, events: Vec<(NewEvent, Vec<Correlation>)>) -> Result<Vec<Inserted>, StoreError> {
        events::insert(tx, events).await
    }
    async fn note_routing(&self, tx: &mut Tx, notes: &[(OrganisationId, EventId, RoutingNote)]) -> Result<(), StoreError> {
        events::note(tx, notes)
    }
    async fn events(&self, tx: &mut Tx, organisation: OrganisationId, ids: &[EventId]) -> Result<Vec<Event>, StoreError> {
        events::by_ids(tx, organisation, ids).await
    }
    async fn runs_of_event(&self, tx: &mut Tx, organisation: OrganisationId, event: EventId) -> Result<Vec<RunId>, StoreError> {
        events::runs_of(tx, organisation, event).await
    }
    async fn early_events(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        correlation: &Correlation,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        events::early(tx, organisation, correlation, since, limit).await
    }

    // ---- waits ----

    async fn wait_shapes(&self) -> Result<Vec<(OrganisationId, String, Vec<String>)>, StoreError> {
        waits::shapes(&mut self.database.reader()).await
    }
    async fn add_wait_shapes(&self, tx: &mut Tx, shapes: &[(OrganisationId, String, Vec<String>)]) -> Result<(), StoreError> {
        waits::add_shapes(tx, shapes).await
    }
    async fn find_waits(&self, tx: &mut Tx, organisation: OrganisationId, correlations: &[Correlation], limit: usize) -> Result<Vec<OpenWait>, StoreError> {
        waits::find(tx, organisation, correlations, limit).await
    }

    // ---- runs ----

    async fn write_runs(&self, tx: &mut Tx, writes: &[RunWrite]) -> Result<(), StoreError> {
        runs::write::write_all(tx, self.database.reader(), writes).await
    }
    async fn load_runs(&self, tx: &mut Tx, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
        runs::load(tx, ids).await
    }
    async fn resume_runs(&self, tx: &mut Tx, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        checkpoints::resume(tx, ids, revision).await
    }
    async fn resume_committed_runs(&self, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        checkpoints::resume(&mut self.database.reader(), ids, revision).await
    }
    async fn keep_checkpoints(&self, tx: &mut Tx, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        checkpoints::keep(tx, checkpoints)
    }
    async fn drop_checkpoints(&self, tx: &mut Tx, organisation: OrganisationId, runs: &[RunId]) -> Result<(), StoreError> {
        Ok(checkpoints::remove(tx, organisation, runs)?)
    }
    async fn running_runs(&self, leases: &[Lease], after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
        runs::running(&mut self.database.reader(), leases, after, limit).await
    }
    async fn quarantine_run(&self, tx: &mut Tx, organisation: OrganisationId, run: RunId, reason: &str) -> Result<(), StoreError> {
        runs::quarantine(tx, organisation, run, reason).await
    }
    async fn key_state(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<KeyState, StoreError> {
        runs::key_state(tx, organisation, workflow, key).await
    }
    async fn assign_variant(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        workflow: &str,
        step: &StepPath,
        by: &str,
        proposal: &str,
    ) -> Result<(String, bool), StoreError> {
        runs::assign_variant(tx, organisation, workflow, step, by, proposal).await
    }

    // ---- timers ----

    async fn timers_due(&self, leases: &[Lease], until: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        timers::due(&mut self.database.reader(), leases, until, limit).await
    }

    // ---- schedules ----

    async fn schedules(&self, leases: &[Lease]) -> Result<Vec<ScheduleRow>, StoreError> {
        schedules::owned(&mut self.database.reader(), leases).await
    }
    async fn schedules_of(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError> {
        schedules::of(tx, organisation, workflow).await
    }
    async fn move_schedule(&self, tx: &mut Tx, before: &ScheduleRow, after: Option<&ScheduleRow>) -> Result<(), StoreError> {
        schedules::step(tx, before, after).await
    }
    async fn set_schedules(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) -> Result<(), StoreError> {
        schedules::set(tx, organisation, workflow, rows).await
    }

    // ---- inbox ----

    async fn add_inbox(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        shard: Shard,
        run: Option<RunId>,
        cause: &str,
        message: &InboxMessage,
    ) -> Result<(), StoreError> {
        inbox::add(tx, organisation, shard, run, cause, message).await
    }
    async fn inbox(&self, tx: &mut Tx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        inbox::list(tx, leases, limit).await
    }
    async fn expect_empty_inbox(&self, tx: &mut Tx, leases: &[Lease]) -> Result<(), StoreError> {
        inbox::expect_empty(tx, self.database.reader(), leases)
    }
    async fn remove_inbox(&self, tx: &mut Tx, ids: &[i64]) -> Result<(), StoreError> {
        inbox::remove(tx, ids)
    }

    // ---- pauses ----

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        pauses::all(&mut self.database.reader()).await
    }
    async fn add_pause(&self, tx: &mut Tx, pause: &Pause) -> Result<(), StoreError> {
        pauses::add(tx, pause).await
    }
    async fn remove_pause(&self, tx: &mut Tx, scope: &PauseScope) -> Result<bool, StoreError> {
        pauses::remove(tx, scope).await
    }
    async fn paused_runs(&self, tx: &mut Tx, after: Option<RunId>, limit: usize) -> Result<Vec<(RunId, Value)>, StoreError> {
        pauses::paused_runs(tx, after, limit).await
    }

    // ---- versions ----

    async fn runs_on_versions(
        &self,
        organisation: OrganisationId,
        workflow: &str,
        on: Option<u32>,
        not_on: Option<u32>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        runs::on_versions(&mut self.database.reader(), organisation, workflow, (on, not_on), after, limit).await
    }

    async fn rollouts(&self) -> Result<Vec<RolloutState>, StoreError> {
        rollouts::all(&mut self.database.reader()).await
    }
    async fn set_rollout(&self, tx: &mut Tx, state: &RolloutState) -> Result<(), StoreError> {
        rollouts::set(tx, state).await
    }
    async fn remove_rollout(&self, tx: &mut Tx, organisation: OrganisationId, workflow: &str) -> Result<(), StoreError> {
        rollouts::remove(tx, organisation, workflow).await
    }

    // ---- held starts, permits, rates ----

    async fn hold_start(&self, tx: &mut Tx, start: &HeldStart) -> Result<i64, StoreError> {
        held::hold(tx, start).await
    }
    async fn next_held(&self, tx: &mut Tx, organisation: OrganisationId, queue: &HeldQueue) -> Result<Option<HeldStart>, StoreError> {
        held::next(tx, organisation, queue).await
    }
    async fn held_start(&self, tx: &mut Tx, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError> {
        held::of_run(tx, organisation, run).await
    }
    async fn move_held(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        id: i64,
        queue: &HeldQueue,
        reason: &str,
        not_before: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        held::requeue(tx, organisation, id, queue, reason, not_before).await
    }
    async fn held_queues(
        &self,
        tx: &mut Tx,
        after: Option<&(OrganisationId, HeldQueue)>,
        limit: usize,
    ) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError> {
        held::queues(tx, after, limit).await
    }
    async fn bursts(&self, tx: &mut Tx, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue, Timestamp)>, StoreError> {
        held::bursts(tx, limit).await
    }
    async fn count_held(&self, tx: &mut Tx, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> Result<u64, StoreError> {
        held::count(tx, organisation, of, most).await
    }
    async fn remove_held(&self, tx: &mut Tx, organisation: OrganisationId, id: i64) -> Result<(), StoreError> {
        held::remove(tx, organisation, id).await
    }
    async fn take_permit(&self, tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, run: RunId, max: u32) -> Result<bool, StoreError> {
        flow_limits::take_permit(tx, organisation, limit, shard, run, max).await
    }
    async fn release_permits(&self, tx: &mut Tx, runs: &[RunId]) -> Result<Vec<(OrganisationId, LimitKey)>, StoreError> {
        flow_limits::release_permits(tx, runs).await
    }
    async fn permits_are_out(&self) -> Result<bool, StoreError> {
        flow_limits::permits_are_out(&mut self.database.reader()).await
    }
    async fn rate_used_until(&self, tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey) -> Result<Option<i64>, StoreError> {
        flow_limits::rate_used_until(tx, organisation, limit).await
    }
    async fn use_rate(&self, tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, until_micros: i64) -> Result<(), StoreError> {
        flow_limits::use_rate(tx, organisation, limit, shard, until_micros).await
    }
}
