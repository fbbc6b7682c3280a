//! The `Store` port over the tables.

use super::{MemoryStore, MemoryTx, held, nodes, runs, state::State};
use onward_core::{
    Event, EventId, NewEvent, NodeId, OrganisationId, RunId, Shard, Timestamp, Value, async_trait,
    history::StepPath,
    limits,
    machine::LimitKey,
    ports::{
        Beat, Checkpoint, CommitError, Correlation, HeldQueue, HeldStart, InboxMessage, InboxRow, Inserted, KeyState, Lease, NodeRow, Notice, Notices,
        OpenWait, Pause, PauseScope, PublishedVersion, ResumedRun, RolloutState, RoutingNote, RunRow, RunStatus, RunWrite, ScheduleRow, ShardOwner, ShardSet,
        Standing, Store, StoreError, StoredRun, Timer, Transaction as _,
    },
};
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;
/// The number of what every node keeps in memory.
const GENERATION: &str = "generation";

impl MemoryStore {
    /// A small transaction of its own, for what the port does outside the caller's.
    async fn at_once<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let turn = Arc::clone(&self.shared.turn).lock_owned().await;
        let mut tx = MemoryTx::new(Arc::clone(&self.shared), Some(turn), Timestamp::default());
        let result = work(&mut *tx.state().await);
        // Nobody can end it in between.
        drop(tx.commit().await);
        result
    }
}

fn shards(leases: &[Lease]) -> ShardSet {
    leases.iter().map(|lease| lease.shard).collect()
}

#[async_trait]
impl Store for MemoryStore {
    type Tx = MemoryTx;

    async fn begin(&self, now: Timestamp) -> Result<MemoryTx, StoreError> {
        let turn = Arc::clone(&self.shared.turn).lock_owned().await;
        Ok(MemoryTx::new(Arc::clone(&self.shared), Some(turn), now))
    }

    fn begin_behind(&self, now: Timestamp) -> Option<MemoryTx> {
        Some(MemoryTx::new(Arc::clone(&self.shared), None, now))
    }

    async fn check_leases(&self, tx: &mut MemoryTx, leases: &[Lease]) -> Result<(), StoreError> {
        let state = tx.state().await;
        match nodes::first_lost(state.leases.working(), leases) {
            Some(lost) => Err(StoreError::LeaseLost { shard: lost.shard, expected: lost.epoch }),
            None => Ok(()),
        }
    }

    async fn savepoint(&self, tx: &mut MemoryTx) -> Result<(), StoreError> {
        tx.savepoint().await;
        Ok(())
    }

    async fn release_savepoint(&self, tx: &mut MemoryTx) -> Result<(), StoreError> {
        tx.release()
    }

    async fn rollback_to_savepoint(&self, tx: &mut MemoryTx) -> Result<(), StoreError> {
        tx.rollback_to().await
    }

    async fn commit(&self, tx: MemoryTx) -> Result<(), CommitError> {
        tx.commit().await.map_err(CommitError::Failed)
    }

    async fn rollback(&self, tx: MemoryTx) {
        drop(tx);
    }

    async fn clock(&self, _now: Timestamp) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }
    async fn beat(&self, beat: &Beat<'_>) -> Result<Standing, StoreError> {
        Ok(self.at_once(|state| nodes::beat(state, beat)).await)
    }

    async fn leave(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError> {
        self.at_once(|state| nodes::leave(state, node, now)).await;
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        Ok(self.shared.state().nodes.committed().values().cloned().collect())
    }

    async fn owners(&self) -> Result<Vec<ShardOwner>, StoreError> {
        Ok(self.committed_owners())
    }

    async fn shards_of(&self, tx: &mut MemoryTx, runs: &[RunId]) -> Result<Vec<(RunId, OrganisationId, Shard)>, StoreError> {
        let state = tx.state().await;
        Ok(runs.iter().filter_map(|run| state.runs.get(run)).map(|row| (row.id, row.organisation, row.shard)).collect())
    }

    async fn check_generation(&self, tx: &mut MemoryTx, expected: i64) -> Result<(), StoreError> {
        let current = tx.state().await.sequences.get(&GENERATION).copied().unwrap_or(0);
        if current == expected { Ok(()) } else { Err(StoreError::GenerationChanged) }
    }

    async fn committed_generation(&self) -> Result<i64, StoreError> {
        Ok(self.shared.state().sequences.committed().get(GENERATION).copied().unwrap_or(0))
    }

    async fn raise_generation(&self, tx: &mut MemoryTx) -> Result<i64, StoreError> {
        Ok(tx.state().await.next(GENERATION))
    }

    async fn notify(&self, tx: &mut MemoryTx, notices: &[Notice]) -> Result<(), StoreError> {
        tx.notices.extend(notices);
        Ok(())
    }

    fn listen(&self) -> Box<dyn Notices> {
        nodes::listen(&self.shared)
    }

    async fn keep_reply(&self, tx: &mut MemoryTx, request: uuid::Uuid, answer: &Value) -> Result<(), StoreError> {
        let now = tx.now();
        tx.state().await.replies.put(request, (now, answer.clone()));
        Ok(())
    }

    async fn replies(&self, tx: &mut MemoryTx, requests: &[uuid::Uuid]) -> Result<Vec<(uuid::Uuid, Value)>, StoreError> {
        let state = tx.state().await;
        Ok(requests.iter().filter_map(|request| Some((*request, state.replies.get(request)?.1.clone()))).collect())
    }

    async fn forget_replies(&self, tx: &mut MemoryTx, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = tx.state().await;
        let old: Vec<uuid::Uuid> = state.replies.working().iter().filter(|(_, (at, _))| *at < before).map(|(request, _)| *request).collect();
        for request in &old {
            state.replies.remove(request);
        }
        Ok(old.len() as u64)
    }

    async fn publish(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        workflow: &str,
        source: &str,
        digest: &str,
        language_revision: u32,
    ) -> Result<PublishedVersion, StoreError> {
        let published_at = tx.now();
        let mut state = tx.state().await;
        let place = (organisation, workflow.to_owned());
        let key = |version| (organisation, workflow.to_owned(), version);
        if let Some(current) = state.current.get(&place).and_then(|version| state.versions.get(&key(*version)))
            && current.digest == digest
        {
            return Ok(PublishedVersion { current: true, ..PublishedVersion::clone(current) });
        }
        let last = state.versions.working().range(key(0)..=key(u32::MAX)).next_back().map(|(key, last)| (key.2, last.paused));
        let (version, paused) = last.map_or((1, false), |(version, paused)| (version + 1, paused));
        let published = PublishedVersion {
            organisation,
            workflow: workflow.to_owned(),
            version,
            source: source.to_owned(),
            digest: digest.to_owned(),
            language_revision,
            published_at,
            current: true,
            paused,
        };
        state.versions.put(key(version), Arc::new(published.clone()));
        state.current.put(place, version);
        Ok(published)
    }

    async fn set_current(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        let place = (organisation, workflow.to_owned());
        match version {
            None => drop(state.current.remove(&place)),
            Some(version) if state.versions.get(&(organisation, workflow.to_owned(), version)).is_some() => state.current.put(place, version),
            Some(version) => return Err(StoreError::Failed(format!("workflow {workflow} has no version {version}"))),
        }
        Ok(())
    }

    async fn set_paused(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<bool, StoreError> {
        let mut state = tx.state().await;
        let of_workflow = (organisation, workflow.to_owned(), 0)..=(organisation, workflow.to_owned(), u32::MAX);
        let versions: Vec<_> = state.versions.working().range(of_workflow).map(|(key, version)| (key.clone(), Arc::clone(version))).collect();
        for (key, version) in &versions {
            state.versions.put(key.clone(), Arc::new(PublishedVersion { paused, ..PublishedVersion::clone(version) }));
        }
        Ok(!versions.is_empty())
    }
    async fn current_versions(&self) -> Result<Vec<PublishedVersion>, StoreError> {
        let state = self.shared.state();
        let key = |((organisation, workflow), version): (&(OrganisationId, String), &u32)| (*organisation, workflow.clone(), *version);
        let rows = state.current.committed().iter().filter_map(|place| state.versions.committed().get(&key(place)));
        Ok(rows.map(|row| PublishedVersion { current: true, ..PublishedVersion::clone(row) }).collect())
    }

    async fn version(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError> {
        let state = self.shared.state();
        let current = state.current.committed().get(&(organisation, workflow.to_owned())) == Some(&version);
        let row = state.versions.committed().get(&(organisation, workflow.to_owned(), version));
        Ok(row.map(|row| PublishedVersion { current, ..PublishedVersion::clone(row) }))
    }

    async fn insert_events(&self, tx: &mut MemoryTx, events: Vec<(NewEvent, Vec<Correlation>)>) -> Result<Vec<Inserted>, StoreError> {
        let now = tx.now();
        let mut inserted = Vec::with_capacity(events.len());
        for (body, correlations) in events {
            let organisation = body.organisation;
            let key = body.dedupe_key().map(|key| (organisation, key));
            // Also for a duplicate: a database makes the id before it knows, and the same seed must give the same ids.
            let event_id = EventId(tx.fresh_id());
            let forgotten = now.plus_millis(-limits::DEDUPE_DAYS * DAY_MS);
            let mut state = tx.state().await;
            let known = key.and_then(|key| state.event_keys.get(&key).copied()).filter(|(_, taken_in_at)| *taken_in_at > forgotten);
            if let Some((first, _)) = known {
                inserted.push(Inserted::Duplicate(first));
                continue;
            }
            let event = Event { event_id, taken_in_at: now, body };
            if let Some(key) = key {
                state.event_keys.put(key, (event.event_id, now));
            }
            for correlation in correlations {
                state.correlations.put((organisation, correlation.hash, now, event.event_id), ());
            }
            state.events.put((organisation, event.event_id), Arc::new(event.clone()));
            inserted.push(Inserted::Stored(event));
        }
        Ok(inserted)
    }

    async fn note_routing(&self, tx: &mut MemoryTx, notes: &[(OrganisationId, EventId, RoutingNote)]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        for (organisation, event, note) in notes {
            if state.events.get(&(*organisation, *event)).is_none() {
                continue;
            }
            let last = state.notes.working().range((*organisation, *event, 0)..=(*organisation, *event, usize::MAX)).next_back();
            let place = last.map_or(0, |((_, _, place), _)| place + 1);
            state.notes.put((*organisation, *event, place), note.clone());
        }
        Ok(())
    }

    async fn events(&self, tx: &mut MemoryTx, organisation: OrganisationId, ids: &[EventId]) -> Result<Vec<Event>, StoreError> {
        let state = tx.state().await;
        Ok(ids.iter().filter_map(|id| state.events.get(&(organisation, *id))).map(|event| Event::clone(event)).collect())
    }

    async fn runs_of_event(&self, tx: &mut MemoryTx, organisation: OrganisationId, event: EventId) -> Result<Vec<RunId>, StoreError> {
        let state = tx.state().await;
        let notes = state.notes.working().range((organisation, event, 0)..=(organisation, event, usize::MAX));
        Ok(notes
            .filter_map(|(_, note)| match note {
                RoutingNote::Started { run_id, .. } => Some(*run_id),
                _ => None,
            })
            .collect())
    }

    async fn early_events(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        correlation: &Correlation,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let state = tx.state().await;
        let from = (organisation, correlation.hash, since, EventId(uuid::Uuid::nil()));
        let places = state.correlations.working().range(from..).map(|(place, ())| place);
        let places = places.take_while(|place| place.0 == organisation && place.1 == correlation.hash);
        Ok(places.filter_map(|place| state.events.get(&(organisation, place.3))).take(limit).map(|event| Event::clone(event)).collect())
    }

    async fn wait_shapes(&self) -> Result<Vec<(OrganisationId, String, Vec<String>)>, StoreError> {
        Ok(self.shared.state().shapes.committed().keys().cloned().collect())
    }

    async fn add_wait_shapes(&self, tx: &mut MemoryTx, shapes: &[(OrganisationId, String, Vec<String>)]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        for shape in shapes {
            state.shapes.put(shape.clone(), ());
        }
        Ok(())
    }

    async fn find_waits(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        correlations: &[Correlation],
        limit: usize,
    ) -> Result<Vec<OpenWait>, StoreError> {
        let state = tx.state().await;
        let mut hashes: Vec<_> = correlations.iter().map(|correlation| correlation.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut found = Vec::new();
        for hash in hashes {
            let from = (organisation, hash, (RunId(uuid::Uuid::nil()), String::new(), String::new()));
            let places = state.wait_index.working().range(from..).map(|(place, ())| place).take_while(|place| place.0 == organisation && place.1 == hash);
            found.extend(places.filter_map(|place| state.waits.get(&place.2)).take(limit - found.len()).map(|wait| OpenWait::clone(wait)));
        }
        Ok(found)
    }

    async fn write_runs(&self, tx: &mut MemoryTx, writes: &[RunWrite]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        writes.iter().try_for_each(|write| runs::write(&mut state, write))
    }

    async fn load_runs(&self, tx: &mut MemoryTx, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
        let state = tx.state().await;
        Ok(ids.iter().filter_map(|id| runs::load(state.runs.working(), state.history.working(), *id)).collect())
    }

    async fn resume_runs(&self, tx: &mut MemoryTx, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        let state = tx.state().await;
        let tables = (state.runs.working(), state.history.working(), state.checkpoints.working());
        Ok(ids.iter().filter_map(|id| runs::resume(tables, *id, revision)).collect())
    }

    async fn resume_committed_runs(&self, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
        let state = self.shared.state();
        let tables = (state.runs.committed(), state.history.committed(), state.checkpoints.committed());
        Ok(ids.iter().filter_map(|id| runs::resume(tables, *id, revision)).collect())
    }

    async fn keep_checkpoints(&self, tx: &mut MemoryTx, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        for checkpoint in checkpoints {
            // Nobody writes over what is another's.
            if state.checkpoints.get(&checkpoint.run_id).is_none_or(|before| before.organisation == checkpoint.organisation) {
                state.checkpoints.put(checkpoint.run_id, checkpoint.clone());
            }
        }
        Ok(())
    }

    async fn drop_checkpoints(&self, tx: &mut MemoryTx, organisation: OrganisationId, runs: &[RunId]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        for run in runs {
            if state.checkpoints.get(run).is_some_and(|checkpoint| checkpoint.organisation == organisation) {
                state.checkpoints.remove(run);
            }
        }
        Ok(())
    }

    async fn running_runs(&self, leases: &[Lease], after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let ours = shards(leases);
        let state = self.shared.state();
        let rows = state.runs.committed().values().filter(|row| row.status == RunStatus::Running && ours.contains(row.shard));
        Ok(rows.map(|row| row.id).filter(|id| after.is_none_or(|after| *id > after)).take(limit).collect())
    }

    async fn quarantine_run(&self, tx: &mut MemoryTx, organisation: OrganisationId, run: RunId, reason: &str) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        if let Some(row) = state.runs.get(&run).filter(|row| row.organisation == organisation) {
            let mut row = onward_core::ports::RunRow::clone(row);
            row.status = RunStatus::Paused;
            row.waiting_on = serde_json::json!({ "paused": { "by": "engine", "reason": reason } });
            runs::put_row(&mut state, &row);
        }
        Ok(())
    }

    async fn key_state(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<KeyState, StoreError> {
        let state = tx.state().await;
        let from = (organisation, workflow.to_owned(), key.to_owned(), RunId(uuid::Uuid::nil()));
        let live =
            state.live.working().range(from..).map(|(place, ())| place).take_while(|place| place.0 == organisation && place.1 == workflow && place.2 == key);
        Ok(KeyState {
            live: live.map(|place| place.3).collect(),
            last_ended_at: state.last_ended.get(&(organisation, workflow.to_owned(), key.to_owned())).copied(),
            oldest_held: held::of_key(&state, organisation, workflow, key).next(),
            newest_held: held::of_key(&state, organisation, workflow, key).last(),
        })
    }

    async fn assign_variant(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        workflow: &str,
        step: &StepPath,
        by: &str,
        proposal: &str,
    ) -> Result<(String, bool), StoreError> {
        let mut state = tx.state().await;
        let place = (organisation, workflow.to_owned(), step.to_string(), by.to_owned());
        if let Some(variant) = state.variants.get(&place) {
            return Ok((variant.clone(), true));
        }
        state.variants.put(place, proposal.to_owned());
        Ok((proposal.to_owned(), false))
    }

    async fn timers_due(&self, leases: &[Lease], until: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        let ours = shards(leases);
        let state = self.shared.state();
        let mut due: Vec<_> = state.timers.committed().values().filter(|timer| timer.due <= until && ours.contains(timer.shard)).cloned().collect();
        due.sort_by(|a, b| (a.due, a.run_id, &a.key).cmp(&(b.due, b.run_id, &b.key)));
        due.truncate(limit);
        Ok(due)
    }

    async fn schedules(&self, leases: &[Lease]) -> Result<Vec<ScheduleRow>, StoreError> {
        let ours = shards(leases);
        Ok(self.shared.state().schedules.committed().values().filter(|row| ours.contains(row.shard)).cloned().collect())
    }

    async fn schedules_of(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError> {
        let state = tx.state().await;
        Ok(state.schedules.working().values().filter(|row| row.organisation == organisation && row.workflow == workflow).cloned().collect())
    }

    async fn move_schedule(&self, tx: &mut MemoryTx, before: &ScheduleRow, after: Option<&ScheduleRow>) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        let key = (before.organisation, before.workflow.clone(), before.trigger);
        match (state.schedules.get(&key).cloned(), after) {
            (None, _) => {}
            (Some(_), None) => drop(state.schedules.remove(&key)),
            (Some(row), Some(after)) => {
                let ScheduleRow { next_due, fires_at, position, .. } = after.clone();
                state.schedules.put(key, ScheduleRow { next_due, fires_at, position, ..row });
            }
        }
        Ok(())
    }

    async fn set_schedules(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        let old: Vec<_> = state.schedules.working().keys().filter(|key| key.0 == organisation && key.1 == workflow).cloned().collect();
        for key in old {
            state.schedules.remove(&key);
        }
        for row in rows {
            state.schedules.put((organisation, workflow.to_owned(), row.trigger), row.clone());
        }
        Ok(())
    }

    async fn add_inbox(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        shard: Shard,
        run: Option<RunId>,
        cause: &str,
        message: &InboxMessage,
    ) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        let key = (organisation, cause.to_owned(), message.target(run));
        if state.inbox_keys.get(&key).is_some() {
            return Ok(());
        }
        // Through JSON, as a database would, so that a message that does not survive it is found.
        let message = serde_json::to_value(message).and_then(serde_json::from_value).map_err(|error| StoreError::Failed(error.to_string()))?;
        let id = state.next("inbox");
        state.inbox.put(id, InboxRow { id, organisation, shard, run_id: run, message });
        state.inbox_causes.put(id, key.clone());
        state.inbox_keys.put(key, id);
        Ok(())
    }

    async fn inbox(&self, tx: &mut MemoryTx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        let ours = shards(leases);
        let state = tx.state().await;
        Ok(state.inbox.working().values().filter(|row| ours.contains(row.shard)).take(limit).cloned().collect())
    }

    async fn expect_empty_inbox(&self, tx: &mut MemoryTx, leases: &[Lease]) -> Result<(), StoreError> {
        if self.inbox(tx, leases, 1).await?.is_empty() { Ok(()) } else { Err(StoreError::InboxWaits) }
    }

    async fn remove_inbox(&self, tx: &mut MemoryTx, ids: &[i64]) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        for id in ids {
            runs::remove_inbox(&mut state, *id);
        }
        Ok(())
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        Ok(self.shared.state().pauses.committed().values().cloned().collect())
    }

    async fn add_pause(&self, tx: &mut MemoryTx, pause: &Pause) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        if state.pauses.get(&pause.scope).is_none() {
            state.pauses.put(pause.scope.clone(), pause.clone());
        }
        Ok(())
    }

    async fn remove_pause(&self, tx: &mut MemoryTx, scope: &PauseScope) -> Result<bool, StoreError> {
        Ok(tx.state().await.pauses.remove(scope).is_some())
    }

    async fn paused_runs(&self, tx: &mut MemoryTx, after: Option<RunId>, limit: usize) -> Result<Vec<(RunId, Value)>, StoreError> {
        let state = tx.state().await;
        let paused = state.runs.working().values().filter(|row| row.status == RunStatus::Paused && after.is_none_or(|after| row.id > after));
        Ok(paused.take(limit).map(|row| (row.id, row.waiting_on.clone())).collect())
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
        let state = self.shared.state();
        let rests = |row: &RunRow| matches!(row.status, RunStatus::Waiting | RunStatus::Paused) && row.organisation == organisation && row.workflow == workflow;
        let meant = |row: &RunRow| on.is_none_or(|on| row.version == on) && not_on.is_none_or(|not_on| row.version != not_on);
        let found = state.runs.committed().values().filter(|row| rests(row) && meant(row) && after.is_none_or(|after| row.id > after));
        Ok(found.take(limit).map(|row| row.id).collect())
    }

    async fn rollouts(&self) -> Result<Vec<RolloutState>, StoreError> {
        Ok(self.shared.state().rollouts.committed().values().cloned().collect())
    }

    async fn set_rollout(&self, tx: &mut MemoryTx, state: &RolloutState) -> Result<(), StoreError> {
        tx.state().await.rollouts.put((state.organisation, state.workflow.clone()), state.clone());
        Ok(())
    }

    async fn remove_rollout(&self, tx: &mut MemoryTx, organisation: OrganisationId, workflow: &str) -> Result<(), StoreError> {
        tx.state().await.rollouts.remove(&(organisation, workflow.to_owned()));
        Ok(())
    }

    async fn hold_start(&self, tx: &mut MemoryTx, start: &HeldStart) -> Result<i64, StoreError> {
        let mut state = tx.state().await;
        let id = state.next("held");
        held::put(&mut state, HeldStart { id, ..start.clone() });
        Ok(id)
    }

    async fn next_held(&self, tx: &mut MemoryTx, organisation: OrganisationId, queue: &HeldQueue) -> Result<Option<HeldStart>, StoreError> {
        Ok(held::next(&*tx.state().await, organisation, queue))
    }

    async fn held_start(&self, tx: &mut MemoryTx, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError> {
        let state = tx.state().await;
        let start = state.held_runs.get(&run).and_then(|id| state.held.get(id));
        Ok(start.filter(|start| start.organisation == organisation).map(|start| HeldStart::clone(start)))
    }

    async fn move_held(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        id: i64,
        queue: &HeldQueue,
        reason: &str,
        not_before: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut state = tx.state().await;
        if let Some(start) = held::remove(&mut state, organisation, id) {
            held::put(&mut state, HeldStart { queue: queue.clone(), reason: reason.to_owned(), not_before, ..HeldStart::clone(&start) });
        }
        Ok(())
    }

    async fn held_queues(
        &self,
        tx: &mut MemoryTx,
        after: Option<&(OrganisationId, HeldQueue)>,
        limit: usize,
    ) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError> {
        held::queues(&*tx.state().await, after, limit)
    }

    async fn bursts(&self, tx: &mut MemoryTx, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue, Timestamp)>, StoreError> {
        Ok(held::bursts(&*tx.state().await, limit))
    }

    async fn count_held(&self, tx: &mut MemoryTx, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> Result<u64, StoreError> {
        Ok(held::count(&*tx.state().await, organisation, of, most))
    }

    async fn remove_held(&self, tx: &mut MemoryTx, organisation: OrganisationId, id: i64) -> Result<(), StoreError> {
        held::remove(&mut *tx.state().await, organisation, id);
        Ok(())
    }

    async fn take_permit(
        &self,
        tx: &mut MemoryTx,
        organisation: OrganisationId,
        limit: &LimitKey,
        _shard: Shard,
        run: RunId,
        max: u32,
    ) -> Result<bool, StoreError> {
        let mut state = tx.state().await;
        let place = (organisation, limit.clone(), run);
        if state.permits.get(&place).is_some() {
            return Ok(true);
        }
        let from = (organisation, limit.clone(), RunId(uuid::Uuid::nil()));
        let taken = state.permits.working().range(from..).take_while(|((of, name, _), ())| *of == organisation && name == limit).count();
        if taken >= max as usize {
            return Ok(false);
        }
        state.permits.put(place, ());
        state.permits_of_run.put((run, organisation, limit.clone()), ());
        Ok(true)
    }

    async fn release_permits(&self, tx: &mut MemoryTx, runs: &[RunId]) -> Result<Vec<(OrganisationId, LimitKey)>, StoreError> {
        let mut state = tx.state().await;
        let mut freed = std::collections::BTreeSet::new();
        for run in runs {
            let of_run: Vec<_> = state.permits_of_run.working().keys().filter(|place| place.0 == *run).cloned().collect();
            for place in of_run {
                state.permits_of_run.remove(&place);
                let (run, organisation, limit) = place;
                state.permits.remove(&(organisation, limit.clone(), run));
                freed.insert((organisation, limit));
            }
        }
        Ok(freed.into_iter().collect())
    }

    async fn permits_are_out(&self) -> Result<bool, StoreError> {
        Ok(!self.shared.state().permits.committed().is_empty())
    }

    async fn rate_used_until(&self, tx: &mut MemoryTx, organisation: OrganisationId, limit: &LimitKey) -> Result<Option<i64>, StoreError> {
        Ok(tx.state().await.rates.get(&(organisation, limit.clone())).copied())
    }

    async fn use_rate(&self, tx: &mut MemoryTx, organisation: OrganisationId, limit: &LimitKey, _shard: Shard, until_micros: i64) -> Result<(), StoreError> {
        tx.state().await.rates.put((organisation, limit.clone()), until_micros);
        Ok(())
    }
}
