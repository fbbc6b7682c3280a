//! Taking runs up: at the start, after a lost lease, after a commit that was not confirmed. Folds what is recorded and
//! evaluates nothing again (SEMANTICS.md 14).

use crate::{
    Duty,
    ahead::ReadAhead,
    batch::{Batch, Work},
    checkpoints::Resumed,
    engine::{Engine, Queued, Recovery},
    live::Live,
    message::Item,
    steps::call_key,
};
use onward_core::{
    OrganisationId, RunId, Timestamp,
    definition::Workflow,
    machine,
    ports::{ResumedRun, RunRow, RunStatus, Store, StoreError, Timer},
};
use std::{collections::BTreeSet, sync::Arc};

/// The pause before a store that does not answer at the start is asked again.
const RETRY_MS: i64 = 500;
/// Runs loaded by one read.
const LOAD_PAGE: usize = 500;

impl<S: Store> Engine<S> {
    /// Reads what the loop must know and takes the shards; waits until the store answers.
    pub(crate) async fn take_over(&mut self) {
        while let Err(error) = self.read_definitions().await {
            tracing::error!(%error, "the definitions cannot be read; trying again");
            self.shared.clock.sleep_until(self.shared.clock.now().plus_millis(RETRY_MS)).await;
        }
        let settled = |engine: &Self| !engine.leases.held().is_empty() || (engine.is_in_company() && engine.leases.have_begun());
        while !settled(self) && !self.shared.load.is_stopping() {
            self.maintain_leases().await;
            if !settled(self) {
                self.shared.clock.sleep_until(self.shared.clock.now().plus_millis(RETRY_MS)).await;
            }
        }
    }

    pub(crate) async fn read_definitions(&mut self) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        // First: what changes while the rest is read is read again.
        let generation = if self.is_in_company() { store.committed_generation().await? } else { 0 };
        let published = store.current_versions().await?;
        let rollouts = store.rollouts().await?;
        let mut on_trial = Vec::new();
        for state in rollouts.iter().filter(|state| state.held_at.is_none()) {
            on_trial.extend(store.version(state.organisation, &state.workflow, state.version).await?);
        }
        self.shared.definitions.replace_all(published, on_trial, &self.shared.nodes);
        self.rollouts.replace(rollouts);
        self.pauses.replace(store.pauses().await?);
        let shapes = store.wait_shapes().await?;
        self.learn_shapes(shapes);
        let mut declared = Vec::new();
        for current in self.shared.definitions.snapshot().every() {
            declared.extend(crate::definitions::shapes_of(&current.workflow).into_iter().map(|(event, paths)| (current.organisation, event, paths)));
        }
        self.learn_shapes(declared);
        self.zones.clear();
        self.generation = generation;
        Ok(())
    }

    /// For whoever watches.
    pub(crate) fn tell_leases(&self) {
        self.shared.load.leased(self.leases.held().len(), self.shared.time.of_own(self.leases.until()));
    }

    /// The shards are not ours any more: nothing in memory may be used, and no effect may start.
    pub(crate) fn lose_everything(&mut self) {
        self.meters.leases_lost.increment(1);
        self.leases.lost();
        self.tell_leases();
        self.runs.clear();
        self.ahead.forget();
        self.timers.reset();
        self.schedules.reset();
        self.calls.drop_unstarted();
        self.recovery = Recovery::Done;
        self.recovering.clear();
        // Timers are read from the store again; the outcomes of calls are kept, for they may still be ours to record.
        let own = std::mem::take(&mut self.own);
        self.own = own.into_iter().filter(|queued| !queued.item.is_of_a_lease()).collect();
        self.delayed.retain(|delayed| !delayed.item.is_of_a_lease());
        self.ready.clear();
        self.held_counts.clear();
        self.next_burst_end = None;
        self.pauses.resuming = false;
    }

    /// Reads the next timers and the next runs to be recovered, when it is time for them.
    pub(crate) async fn read_ahead(&mut self) {
        let now = self.shared.clock.now();
        if now < self.back_off_until {
            return;
        }
        if self.rollouts.unread && (self.is_in_company() || (!self.leases.held().is_empty() && self.shared.duty == Duty::Server)) {
            match self.read_if_changed().await {
                Ok(()) => self.rollouts.unread = false,
                Err(error) => return self.read_failed("definitions", &error, now),
            }
        }
        if self.shared.duty == Duty::Command || self.leases.held().is_empty() {
            return;
        }
        let store = Arc::clone(&self.shared.store);
        let (limit, horizon_ms) = (self.shared.limits.timer_read_ahead, self.shared.limits.timer_horizon_ms);
        if self.timers.wants_page(now, horizon_ms) {
            let until = now.plus_millis(horizon_ms);
            match store.timers_due(self.leases.held(), until, limit).await {
                Ok(page) => self.timers.page(page, until, limit),
                Err(error) => self.read_failed("timers", &error, now),
            }
        }
        if self.schedules.are_unread()
            && let Err(error) = self.read_schedules(now).await
        {
            self.read_failed("schedules", &error, now);
        }
        let after = match self.recovery {
            Recovery::Begins => None,
            Recovery::After(last) => Some(last),
            Recovery::Done => return,
        };
        if !self.own.iter().any(|queued| matches!(queued.item, Item::TakeUp { .. })) {
            let page = self.shared.limits.recovery_page;
            match store.running_runs(&self.recovering, after, page).await {
                Ok(runs) => {
                    self.recovery = runs.last().filter(|_| runs.len() >= page).map_or(Recovery::Done, |last| Recovery::After(*last));
                    if !runs.is_empty() {
                        tracing::info!(runs = runs.len(), "runs are taken up where they stood");
                        self.own.push_back(Queued { item: Item::TakeUp { runs }, failures: 0 });
                    }
                }
                Err(error) => self.read_failed("running runs", &error, now),
            }
        }
    }

    fn read_failed(&mut self, what: &str, error: &StoreError, now: Timestamp) {
        tracing::error!(%error, what, "the store cannot be read");
        self.back_off_until = now.plus_millis(RETRY_MS);
    }

    /// Brings runs into memory that are not there. Those whose history or program cannot be used are paused by the engine
    /// and stay out (SEMANTICS.md 21).
    pub(crate) async fn load(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, ids: &[RunId]) -> Result<(), StoreError> {
        let wanted = |id: &RunId| {
            !self.runs.contains(*id) && !batch.quarantined.contains_key(id) && !batch.unreadable.contains_key(id) && !batch.foreign.contains_key(id)
        };
        let mut missing: Vec<RunId> = ids.iter().copied().filter(wanted).collect::<BTreeSet<_>>().into_iter().collect();
        missing.retain(|run_id| match self.ahead.take(*run_id) {
            Some(ReadAhead { row, workflow, resumed }) => {
                self.place_in_memory(batch, &row, workflow, resumed, false);
                false
            }
            None => true,
        });
        let store = Arc::clone(&self.shared.store);
        let missing = self.ours_of(tx, batch, missing).await?;
        for page in missing.chunks(LOAD_PAGE) {
            for loaded in store.resume_runs(tx, page, machine::checkpoint_revision()).await? {
                match loaded {
                    Ok(run) => self.take_into_memory(tx, batch, run).await?,
                    Err((run_id, error)) => {
                        tracing::error!(run = %run_id, %error, "a run cannot be read");
                        batch.unreadable.insert(run_id, error.to_string());
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_into_memory(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run: ResumedRun) -> Result<(), StoreError> {
        let row = run.stored.row.clone();
        if run.stored.entries.is_empty() && run.checkpoint.is_none() {
            // Its start is held, or was and never will be one: it has no history, and nothing can happen to it.
            batch.unbegun.insert(row.id, (row.organisation, row.status));
            return Ok(());
        }
        let (run_id, organisation) = (row.id, row.organisation);
        let unusable = |batch: &mut Batch<S::Tx>, reason: String| {
            tracing::error!(run = %run_id, workflow = row.workflow, reason, "the run is paused by the engine");
            batch.quarantined.insert(run_id, (organisation, format!("engine: {reason}")));
        };
        let workflow = match self.program(organisation, &row.workflow, row.version).await? {
            Ok(workflow) => workflow,
            Err(reason) => {
                unusable(batch, reason);
                return Ok(());
            }
        };
        let resumed = match self.state_of(tx, &workflow, &run).await? {
            Ok(resumed) => resumed,
            Err(reason) => {
                unusable(batch, reason);
                return Ok(());
            }
        };
        let state = &resumed.state;
        let paused_by_engine = row.status == RunStatus::Paused && state.paused.is_none() && !state.status.is_final();
        if paused_by_engine && !batch.resumed.contains(&run_id) {
            batch.unreadable.insert(run_id, "it is paused by the engine".into());
            return Ok(());
        }
        self.place_in_memory(batch, &row, workflow, resumed, paused_by_engine);
        Ok(())
    }

    fn place_in_memory(&mut self, batch: &mut Batch<S::Tx>, row: &RunRow, workflow: Arc<Workflow>, resumed: Resumed, paused_by_engine: bool) {
        let (run_id, organisation) = (row.id, row.organisation);
        let Resumed { state, history_bytes, personal, kept } = resumed;
        for (key, due) in state.timers().into_iter().filter(|(key, _)| !state.rests(key)) {
            self.timers.set(Timer { run_id, organisation, shard: row.shard, key, due });
        }
        // What is in flight and known to nobody was in flight before this process, or before a commit of unknown outcome.
        let forgotten = state.in_flight().iter().any(|call| self.calls.get(&call_key(run_id, call)).is_none());
        if forgotten || paused_by_engine {
            batch.work.push_back(Work::TakeUp { run_id });
        }
        let mut live = Live::new(organisation, row.shard, workflow, state, history_bytes);
        (live.personal, live.kept) = (personal, kept);
        self.runs.insert(live);
        batch.touched.insert(run_id);
        if paused_by_engine && let Some(live) = self.runs.get(run_id) {
            batch.record(live, Vec::new(), Some(RunStatus::Paused), true, false);
        }
    }

    /// The program of a version. The inner error says why there is none.
    pub(crate) async fn program(&mut self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Result<Arc<Workflow>, String>, StoreError> {
        if let Some(known) = self.shared.definitions.known(organisation, workflow, version) {
            return Ok(Ok(known));
        }
        let store = Arc::clone(&self.shared.store);
        Ok(match store.version(organisation, workflow, version).await? {
            Some(published) => self.shared.definitions.compiled(&published, &self.shared.nodes),
            None => Err(format!("version {version} of workflow {workflow:?} does not exist")),
        })
    }
}
