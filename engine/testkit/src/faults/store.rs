//! Every operation of a store, done by the one within unless a fault is due.

use super::{CommitFault, FaultyStore, notices::FaultyNotices};
use onward_core::{
    Event, EventId, NewEvent, NodeId, OrganisationId, RunId, Shard, Timestamp, Value, async_trait,
    history::StepPath,
    machine::LimitKey,
    ports::{
        Beat, Checkpoint, Clock as _, CommitError, Correlation, HeldQueue, HeldStart, InboxMessage, InboxRow, Inserted, KeyState, Lease, NodeRow, Notice,
        Notices, OpenWait, Pause, PauseScope, PublishedVersion, ResumedRun, RolloutState, RoutingNote, RunWrite, ScheduleRow, ShardOwner, ShardSet, Standing,
        Store, StoreError, StoredRun, Timer,
    },
};

/// Transactions that may begin before the virtual clock moves. More of them are a loop that turns for ever: a real clock
/// would go on, and hide it behind a busy processor.
const MOST_AT_ONE_MOMENT: u32 = 10_000;

impl<S: Store> FaultyStore<S> {
    fn count_begin(&self) {
        let at = self.clock.now();
        let began = self.plan(|plan| {
            plan.began = if plan.began.0 == at { (at, plan.began.1 + 1) } else { (at, 1) };
            plan.began.1
        });
        assert!(began <= MOST_AT_ONE_MOMENT, "every run goes on by itself (promise 10): {began} transactions began at {at}, and time stands still");
    }

    /// A transaction has its turn: what is noted from now on is of this one.
    fn note_turn(&self) {
        self.plan(|plan| {
            plan.ownership.written = ShardSet::EMPTY;
            plan.late_check = None;
            plan.late_generation = None;
            plan.late_inbox = None;
        });
    }

    /// Commits, and looks whether whoever did owned what it wrote to.
    async fn commit_and_watch(&self, tx: S::Tx) -> Result<(), CommitError> {
        self.inner.commit(tx).await?;
        if let Some(node) = self.node {
            self.plan(|plan| plan.ownership.committed(node));
        }
        Ok(())
    }
}

#[async_trait]
impl<S: Store + Clone> Store for FaultyStore<S> {
    type Tx = S::Tx;

    async fn begin(&self, now: Timestamp) -> Result<S::Tx, StoreError> {
        self.count_begin();
        let scripted = self.plan(|plan| std::mem::take(&mut plan.next_begin_fails));
        let thousandths = self.plan(|plan| plan.faults.begin_fails);
        if scripted || self.happens(thousandths) {
            return Err(StoreError::Failed("a planted fault of begin".into()));
        }
        if let Some(millis) = self.plan(|plan| plan.next_begin_takes.take()) {
            self.clock.sleep_until(self.clock.now().plus_millis(millis)).await;
        }
        let tx = self.inner.begin(now).await?;
        self.note_turn();
        Ok(tx)
    }
    fn begin_behind(&self, now: Timestamp) -> Option<S::Tx> {
        self.count_begin();
        self.inner.begin_behind(now)
    }
    async fn check_leases(&self, tx: &mut S::Tx, leases: &[Lease]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        // One that was begun behind another has its turn now at the latest, and has written nothing of a run before.
        self.inner.check_leases(tx, &[]).await?;
        self.note_turn();
        if self.happens(self.plan(|plan| plan.faults.late_checks)) {
            self.plan(|plan| plan.late_check = Some(leases.to_vec()));
            return Ok(());
        }
        self.inner.check_leases(tx, leases).await
    }
    async fn savepoint(&self, tx: &mut S::Tx) -> Result<(), StoreError> {
        self.inner.savepoint(tx).await
    }
    async fn release_savepoint(&self, tx: &mut S::Tx) -> Result<(), StoreError> {
        self.maybe_contended()?;
        self.inner.release_savepoint(tx).await
    }
    async fn rollback_to_savepoint(&self, tx: &mut S::Tx) -> Result<(), StoreError> {
        self.inner.rollback_to_savepoint(tx).await
    }
    async fn commit(&self, mut tx: S::Tx) -> Result<(), CommitError> {
        let (leases, generation, inbox) = self.plan(|plan| (plan.late_check.take(), plan.late_generation.take(), plan.late_inbox.take()));
        let mut checked = Ok(());
        if let Some(leases) = leases {
            checked = self.inner.check_leases(&mut tx, &leases).await;
        }
        if let Some(expected) = generation.filter(|_| checked.is_ok()) {
            checked = self.inner.check_generation(&mut tx, expected).await;
        }
        if let Some(leases) = inbox.filter(|_| checked.is_ok()) {
            checked = self.inner.expect_empty_inbox(&mut tx, &leases).await;
        }
        if let Err(refused) = checked {
            self.inner.rollback(tx).await;
            return Err(CommitError::Refused(refused));
        }
        let fault = self.commit_fault();
        let takes = self.commit_takes(fault);
        if takes > 0 {
            self.clock.sleep_until(self.clock.now().plus_millis(takes)).await;
        }
        match fault {
            None => self.commit_and_watch(tx).await,
            Some(CommitFault::Slow(millis)) => {
                self.clock.sleep_until(self.clock.now().plus_millis(millis)).await;
                self.commit_and_watch(tx).await
            }
            Some(CommitFault::UnknownStored) => {
                self.commit_and_watch(tx).await?;
                Err(CommitError::Unknown("a planted fault: the connection is lost, the commit is stored".into()))
            }
            Some(fault) => {
                self.inner.rollback(tx).await;
                Err(match fault {
                    CommitFault::Failed => CommitError::Failed(StoreError::Failed("a planted fault of commit".into())),
                    CommitFault::DiskFull => CommitError::Failed(StoreError::DiskFull),
                    _ => CommitError::Unknown("a planted fault: the connection is lost, the commit is not stored".into()),
                })
            }
        }
    }
    async fn rollback(&self, tx: S::Tx) {
        self.inner.rollback(tx).await;
    }
    async fn clock(&self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        self.inner.clock(now).await
    }
    async fn beat(&self, beat: &Beat<'_>) -> Result<Standing, StoreError> {
        let now = if self.plan(|plan| plan.keeps_time) { self.now() } else { beat.now };
        let standing = self.inner.beat(&Beat { now, ..*beat }).await?;
        self.plan(|plan| plan.ownership.stands(beat.node, &standing.leases));
        Ok(standing)
    }
    async fn leave(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError> {
        let now = if self.plan(|plan| plan.keeps_time) { self.now() } else { now };
        self.inner.leave(node, now).await?;
        self.plan(|plan| plan.ownership.stands(node, &[]));
        Ok(())
    }
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.inner.nodes().await
    }
    async fn owners(&self) -> Result<Vec<ShardOwner>, StoreError> {
        self.inner.owners().await
    }
    async fn shards_of(&self, tx: &mut S::Tx, runs: &[RunId]) -> Result<Vec<(RunId, OrganisationId, Shard)>, StoreError> {
        self.inner.shards_of(tx, runs).await
    }
    async fn check_generation(&self, tx: &mut S::Tx, expected: i64) -> Result<(), StoreError> {
        if self.happens(self.plan(|plan| plan.faults.late_checks)) {
            self.plan(|plan| plan.late_generation = Some(expected));
            return Ok(());
        }
        self.inner.check_generation(tx, expected).await
    }
    async fn committed_generation(&self) -> Result<i64, StoreError> {
        self.inner.committed_generation().await
    }
    async fn raise_generation(&self, tx: &mut S::Tx) -> Result<i64, StoreError> {
        self.maybe_fail_write()?;
        self.inner.raise_generation(tx).await
    }
    async fn notify(&self, tx: &mut S::Tx, notices: &[Notice]) -> Result<(), StoreError> {
        self.inner.notify(tx, notices).await
    }
    fn listen(&self) -> Box<dyn Notices> {
        Box::new(FaultyNotices { inner: self.inner.listen(), store: self.clone(), kept: Vec::new() })
    }
    async fn keep_reply(&self, tx: &mut S::Tx, request: uuid::Uuid, answer: &Value) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.keep_reply(tx, request, answer).await
    }
    async fn replies(&self, tx: &mut S::Tx, requests: &[uuid::Uuid]) -> Result<Vec<(uuid::Uuid, Value)>, StoreError> {
        self.inner.replies(tx, requests).await
    }
    async fn forget_replies(&self, tx: &mut S::Tx, before: Timestamp) -> Result<u64, StoreError> {
        self.inner.forget_replies(tx, before).await
    }
    async fn publish(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        workflow: &str,
        source: &str,
        digest: &str,
        language_revision: u32,
    ) -> Result<PublishedVersion, StoreError> {
        self.maybe_fail_write()?;
        self.inner.publish(tx, organisation, workflow, source, digest, language_revision).await
    }
    async fn set_current(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.set_current(tx, organisation, workflow, version).await
    }
    async fn set_paused(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<bool, StoreError> {
        self.maybe_fail_write()?;
        self.inner.set_paused(tx, organisation, workflow, paused).await
    }
    async fn current_versions(&self) -> Result<Vec<PublishedVersion>, StoreError> {
        self.inner.current_versions().await
    }
    async fn version(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError> {
        self.inner.version(organisation, workflow, version).await
    }
    async fn insert_events(&self, tx: &mut S::Tx, events: Vec<(NewEvent, Vec<Correlation>)>) -> Result<Vec<Inserted>, StoreError> {
        self.maybe_fail_write()?;
        self.inner.insert_events(tx, events).await
    }
    async fn note_routing(&self, tx: &mut S::Tx, notes: &[(OrganisationId, EventId, RoutingNote)]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.note_routing(tx, notes).await
    }
    async fn events(&self, tx: &mut S::Tx, organisation: OrganisationId, ids: &[EventId]) -> Result<Vec<Event>, StoreError> {
        self.inner.events(tx, organisation, ids).await
    }
    async fn runs_of_event(&self, tx: &mut S::Tx, organisation: OrganisationId, event: EventId) -> Result<Vec<RunId>, StoreError> {
        self.inner.runs_of_event(tx, organisation, event).await
    }
    async fn early_events(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        correlation: &Correlation,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.inner.early_events(tx, organisation, correlation, since, limit).await
    }
    async fn wait_shapes(&self) -> Result<Vec<(OrganisationId, String, Vec<String>)>, StoreError> {
        self.inner.wait_shapes().await
    }
    async fn add_wait_shapes(&self, tx: &mut S::Tx, shapes: &[(OrganisationId, String, Vec<String>)]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.add_wait_shapes(tx, shapes).await
    }
    async fn find_waits(&self, tx: &mut S::Tx, organisation: OrganisationId, correlations: &[Correlation], limit: usize) -> Result<Vec<OpenWait>, StoreError> {
        self.inner.find_waits(tx, organisation, correlations, limit).await
    }
    async fn write_runs(&self, tx: &mut S::Tx, writes: &[RunWrite]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.write_runs(tx, writes).await?;
        let appended = writes.iter().filter(|write| !write.entries.is_empty()).map(|write| write.shard);
        self.plan(|plan| {
            appended.for_each(|shard| plan.ownership.written.insert(shard));
            plan.timers_cleared += writes.iter().map(|write| write.timers_cleared.len()).sum::<usize>();
        });
        Ok(())
    }
    async fn load_runs(&self, tx: &mut S::Tx, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
        self.inner.load_runs(tx, ids).await
    }
    async fn resume_runs(&self, tx: &mut S::Tx, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        self.inner.resume_runs(tx, ids, revision).await
    }
    async fn resume_committed_runs(&self, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        let read = self.inner.resume_committed_runs(ids, revision).await?;
        self.plan(|plan| plan.read_ahead += read.len());
        let faults = self.plan(|plan| plan.faults);
        if self.happens(10 * faults.commit_slow) {
            // What was read is old by the time it comes.
            let millis = self.executor.random_below(u64::try_from(faults.slowest_ms).unwrap_or(0)) as i64;
            self.clock.sleep_until(self.clock.now().plus_millis(millis)).await;
        }
        Ok(read)
    }
    async fn keep_checkpoints(&self, tx: &mut S::Tx, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.keep_checkpoints(tx, checkpoints).await
    }
    async fn drop_checkpoints(&self, tx: &mut S::Tx, organisation: OrganisationId, runs: &[RunId]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.drop_checkpoints(tx, organisation, runs).await
    }
    async fn running_runs(&self, leases: &[Lease], after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
        self.inner.running_runs(leases, after, limit).await
    }
    async fn quarantine_run(&self, tx: &mut S::Tx, organisation: OrganisationId, run: RunId, reason: &str) -> Result<(), StoreError> {
        self.inner.quarantine_run(tx, organisation, run, reason).await
    }
    async fn key_state(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<KeyState, StoreError> {
        self.inner.key_state(tx, organisation, workflow, key).await
    }
    async fn assign_variant(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        workflow: &str,
        step: &StepPath,
        by: &str,
        proposal: &str,
    ) -> Result<(String, bool), StoreError> {
        self.maybe_fail_write()?;
        self.inner.assign_variant(tx, organisation, workflow, step, by, proposal).await
    }
    async fn timers_due(&self, leases: &[Lease], until: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.inner.timers_due(leases, until, limit).await
    }
    async fn schedules(&self, leases: &[Lease]) -> Result<Vec<ScheduleRow>, StoreError> {
        self.inner.schedules(leases).await
    }
    async fn schedules_of(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError> {
        self.inner.schedules_of(tx, organisation, workflow).await
    }
    async fn move_schedule(&self, tx: &mut S::Tx, before: &ScheduleRow, after: Option<&ScheduleRow>) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.move_schedule(tx, before, after).await
    }
    async fn set_schedules(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.set_schedules(tx, organisation, workflow, rows).await
    }
    async fn add_inbox(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        shard: Shard,
        run: Option<RunId>,
        cause: &str,
        message: &InboxMessage,
    ) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.add_inbox(tx, organisation, shard, run, cause, message).await
    }
    async fn inbox(&self, tx: &mut S::Tx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.inner.inbox(tx, leases, limit).await
    }
    async fn expect_empty_inbox(&self, tx: &mut S::Tx, leases: &[Lease]) -> Result<(), StoreError> {
        if self.happens(self.plan(|plan| plan.faults.late_checks)) {
            self.plan(|plan| plan.late_inbox = Some(leases.to_vec()));
            return Ok(());
        }
        self.inner.expect_empty_inbox(tx, leases).await
    }
    async fn remove_inbox(&self, tx: &mut S::Tx, ids: &[i64]) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.remove_inbox(tx, ids).await
    }
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.inner.pauses().await
    }
    async fn add_pause(&self, tx: &mut S::Tx, pause: &Pause) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.add_pause(tx, pause).await
    }
    async fn remove_pause(&self, tx: &mut S::Tx, scope: &PauseScope) -> Result<bool, StoreError> {
        self.maybe_fail_write()?;
        self.inner.remove_pause(tx, scope).await
    }
    async fn paused_runs(&self, tx: &mut S::Tx, after: Option<RunId>, limit: usize) -> Result<Vec<(RunId, Value)>, StoreError> {
        self.inner.paused_runs(tx, after, limit).await
    }
    async fn runs_on_versions(
        &self,
        organisation: OrganisationId,
        workflow: &str,
        on: Option<u32>,
        not_on: Option<u32>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        self.inner.runs_on_versions(organisation, workflow, on, not_on, after, limit).await
    }
    async fn rollouts(&self) -> Result<Vec<RolloutState>, StoreError> {
        self.inner.rollouts().await
    }
    async fn set_rollout(&self, tx: &mut S::Tx, state: &RolloutState) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.set_rollout(tx, state).await
    }
    async fn remove_rollout(&self, tx: &mut S::Tx, organisation: OrganisationId, workflow: &str) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.remove_rollout(tx, organisation, workflow).await
    }
    async fn hold_start(&self, tx: &mut S::Tx, start: &HeldStart) -> Result<i64, StoreError> {
        self.maybe_fail_write()?;
        self.inner.hold_start(tx, start).await
    }
    async fn next_held(&self, tx: &mut S::Tx, organisation: OrganisationId, queue: &HeldQueue) -> Result<Option<HeldStart>, StoreError> {
        self.inner.next_held(tx, organisation, queue).await
    }
    async fn held_start(&self, tx: &mut S::Tx, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError> {
        self.inner.held_start(tx, organisation, run).await
    }
    async fn move_held(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        id: i64,
        queue: &HeldQueue,
        reason: &str,
        not_before: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.move_held(tx, organisation, id, queue, reason, not_before).await
    }
    async fn held_queues(
        &self,
        tx: &mut S::Tx,
        after: Option<&(OrganisationId, HeldQueue)>,
        limit: usize,
    ) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError> {
        self.inner.held_queues(tx, after, limit).await
    }
    async fn bursts(&self, tx: &mut S::Tx, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue, Timestamp)>, StoreError> {
        self.inner.bursts(tx, limit).await
    }
    async fn count_held(&self, tx: &mut S::Tx, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> Result<u64, StoreError> {
        self.inner.count_held(tx, organisation, of, most).await
    }
    async fn remove_held(&self, tx: &mut S::Tx, organisation: OrganisationId, id: i64) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.remove_held(tx, organisation, id).await
    }
    async fn take_permit(
        &self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        limit: &LimitKey,
        shard: Shard,
        run: RunId,
        max: u32,
    ) -> Result<bool, StoreError> {
        self.maybe_fail_write()?;
        self.inner.take_permit(tx, organisation, limit, shard, run, max).await
    }
    async fn release_permits(&self, tx: &mut S::Tx, runs: &[RunId]) -> Result<Vec<(OrganisationId, LimitKey)>, StoreError> {
        self.maybe_fail_write()?;
        self.inner.release_permits(tx, runs).await
    }
    async fn permits_are_out(&self) -> Result<bool, StoreError> {
        self.inner.permits_are_out().await
    }
    async fn rate_used_until(&self, tx: &mut S::Tx, organisation: OrganisationId, limit: &LimitKey) -> Result<Option<i64>, StoreError> {
        self.inner.rate_used_until(tx, organisation, limit).await
    }
    async fn use_rate(&self, tx: &mut S::Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, until_micros: i64) -> Result<(), StoreError> {
        self.maybe_fail_write()?;
        self.inner.use_rate(tx, organisation, limit, shard, until_micros).await
    }
}
