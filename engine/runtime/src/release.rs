//! Held starts: held, asked again when something changed, started, refused, or ended by a person (SEMANTICS.md 23).

use crate::{
    EngineError,
    admission::{Candidate, Origin},
    batch::{Batch, Work},
    engine::Engine,
    gates::{Passage, Wait},
    intake::stored_event,
    message::Command,
    ready::Turn,
    rollout::lot,
    size,
};
use onward_core::{
    ErrorCode, OrganisationId, RunId, Shard, StepError, Value,
    history::ChildOutcome,
    machine::Happening,
    ports::{Change, HeldQueue, HeldStart, InboxMessage, RoutingNote, RunRow, RunStatus, Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};

/// Queues looked at in one transaction when all of a kind may have changed.
const QUEUES_PAGE: usize = 100;
/// Bursts that end in one transaction.
const BURSTS_PAGE: usize = 100;
/// Starts of one queue that are let go within the transaction that makes room for them; more have their turn later.
const AT_ONCE: usize = 4;
/// Bytes of input that count as much as one start when organisations take turns.
const BYTES_OF_A_START: usize = 4_096;

impl<S: Store> Engine<S> {
    /// Keeps a start as a durable row, with a run of status `held` that lists show. Gives the run's id: an event that joins a
    /// burst gets that of the burst.
    pub(crate) async fn hold(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, candidate: Candidate, wait: Wait) -> Result<RunId, StoreError> {
        let store = Arc::clone(&self.shared.store);
        self.starts_are_held = true;
        let mut start = HeldStart {
            id: 0,
            organisation: candidate.organisation(),
            workflow: candidate.workflow().to_owned(),
            trigger: candidate.trigger(),
            event_id: candidate.event_id(),
            run_id: candidate.run_id,
            queue: wait.queue,
            reason: wait.reason,
            not_before: wait.not_before,
            priority: candidate.gates.priority,
            depth: candidate.depth,
            held_at: candidate.since,
            parent: candidate.parent(),
            key: candidate.key,
            input: candidate.input,
        };
        if let HeldQueue::Debounce { .. } = start.queue {
            self.join_burst(tx, batch, &mut start).await?;
        }
        store.hold_start(tx, &start).await?;
        batch.held_change(start.organisation, &start.workflow, &start.key, 1);
        batch.tally.start_held(&start.queue);
        self.show_held(tx, batch, &start, candidate.current.version).await?;
        Ok(start.run_id)
    }

    /// The last event of a burst takes the place of the one before it, and the end moves.
    async fn join_burst(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, start: &mut HeldStart) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        batch.burst_ends.extend(start.not_before);
        let Some(before) = store.next_held(tx, start.organisation, &start.queue).await? else { return Ok(()) };
        if before.not_before.is_none_or(|end| end <= batch.now) {
            // That burst is over: it starts for itself.
            let queue = HeldQueue::Paused { workflow: before.workflow.clone() };
            store.move_held(tx, before.organisation, before.id, &queue, "its burst is over", None).await?;
            batch.work.push_back(Work::Release { organisation: before.organisation, queue });
            return Ok(());
        }
        store.remove_held(tx, before.organisation, before.id).await?;
        batch.held_change(before.organisation, &before.workflow, &before.key, -1);
        if let Some(event_id) = before.event_id {
            let reason = format!("limits.debounce: a later event of the burst starts run {}", before.run_id);
            let note = RoutingNote::Suppressed { workflow: before.workflow, key: before.key.clone(), reason };
            batch.notes.push((before.organisation, event_id, note));
        }
        start.run_id = before.run_id;
        start.key = before.key;
        start.held_at = before.held_at;
        Ok(())
    }

    /// Writes the run's row as it stands while its start is held, and tells those who watch.
    async fn show_held(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, start: &HeldStart, version: u32) -> Result<(), StoreError> {
        let row = held_row(start, version);
        let data = serde_json::json!({ "workflow": start.workflow, "status": RunStatus::Held, "step": null });
        batch.changes.push(Change { organisation: start.organisation, topic: "run".into(), id: start.run_id.to_string(), data });
        self.write_row(tx, row).await
    }

    /// Starts of the queues whose turn it is.
    pub(crate) async fn release_turns(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, turns: &[Turn]) -> Result<(), StoreError> {
        for turn in turns {
            self.release(tx, batch, turn.organisation, &turn.queue, turn.starts).await?;
            // What began is settled before the next organisation has its turn: it may have given back a permit.
            self.settle(tx, batch).await?;
        }
        Ok(())
    }

    /// Asks the head of a queue again, and those behind it, until one has to stay or so many have left.
    pub(crate) async fn release(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        queue: &HeldQueue,
        most: usize,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        for _ in 0..most {
            let Some(held) = store.next_held(tx, organisation, queue).await? else { return Ok(()) };
            let shard = Shard::of(organisation, &held.workflow, &held.key);
            if !self.leases.own(shard) && self.is_in_company() {
                // Whoever is first may only be let go by its owner.
                if !matches!(queue, HeldQueue::Debounce { .. } | HeldQueue::Person { .. }) || held.not_before.is_some_and(|end| end <= batch.now) {
                    let message = InboxMessage::Release { queue: queue.clone() };
                    self.address(tx, batch, organisation, shard, None, "release", &message).await?;
                }
                return Ok(());
            }
            if !self.ask_again(tx, batch, held).await? {
                return Ok(());
            }
        }
        batch.ready.push((organisation, queue.clone()));
        Ok(())
    }

    /// Frees what the release in the same transaction may use at once.
    pub(crate) async fn release_some(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        queue: &HeldQueue,
    ) -> Result<(), StoreError> {
        self.release(tx, batch, organisation, queue, AT_ONCE).await
    }

    /// Asks a held start again; whether it left its queue.
    async fn ask_again(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, held: HeldStart) -> Result<bool, StoreError> {
        let store = Arc::clone(&self.shared.store);
        if matches!(held.queue, HeldQueue::Person { .. })
            || (matches!(held.queue, HeldQueue::Debounce { .. }) && held.not_before.is_some_and(|end| end > batch.now))
        {
            batch.burst_ends.extend(held.not_before);
            return Ok(false);
        }
        *batch.spent.entry(held.organisation).or_default() += size::of(&held.input) / BYTES_OF_A_START;
        let wait = match self.candidate(tx, batch, &held).await? {
            Err(wait) => wait,
            Ok(candidate) => match self.pass(tx, batch, &candidate).await? {
                Passage::Start => {
                    store.remove_held(tx, held.organisation, held.id).await?;
                    batch.held_change(held.organisation, &held.workflow, &held.key, -1);
                    if let Some(event_id) = candidate.event_id() {
                        batch.notes.push((held.organisation, event_id, RoutingNote::Started { run_id: held.run_id, workflow: held.workflow }));
                    }
                    self.begin_run(batch, candidate);
                    return Ok(true);
                }
                Passage::Refuse(reason) => {
                    self.end_held(tx, batch, held, &reason).await?;
                    return Ok(true);
                }
                Passage::Wait(wait) => wait,
            },
        };
        if wait.queue == held.queue && wait.reason == held.reason && wait.not_before == held.not_before {
            return Ok(false);
        }
        let stays = wait.queue == held.queue;
        store.move_held(tx, held.organisation, held.id, &wait.queue, &wait.reason, wait.not_before).await?;
        if !stays && !matches!(wait.queue, HeldQueue::Rate { .. }) {
            self.give_permits_back(tx, batch, &[held.run_id]).await?;
        }
        let version = self.shared.definitions.snapshot().current(held.organisation, &held.workflow).map_or(0, |current| current.version);
        let moved = HeldStart { queue: wait.queue, reason: wait.reason, not_before: wait.not_before, ..held };
        self.show_held(tx, batch, &moved, version).await?;
        Ok(!stays)
    }

    /// A held start as it would begin now: on the version published now. The inner error says where it waits instead.
    async fn candidate(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, held: &HeldStart) -> Result<Result<Candidate, Wait>, StoreError> {
        let paused = || HeldQueue::Paused { workflow: held.workflow.clone() };
        let store = Arc::clone(&self.shared.store);
        let event = match held.event_id {
            Some(event_id) => stored_event(store.as_ref(), tx, held.organisation, event_id).await?,
            None => None,
        };
        let origin = match (event, held.trigger) {
            (Some(event), Some(trigger)) => Origin::Event { trigger, event: Arc::new(event) },
            _ => match held.parent.clone() {
                Some(parent) => Origin::Run { run_id: held.run_id, parent },
                None => Origin::Hand,
            },
        };
        let snapshot = self.shared.definitions.snapshot();
        let key = (held.key != held.run_id.to_string()).then_some(held.key.as_str());
        let lot = lot(key, held.event_id, held.run_id);
        let Some(current) = snapshot.versions(held.organisation, &held.workflow).find(|version| version.takes(&lot)) else {
            return Ok(Err(Wait::new(paused(), "no version of the workflow takes starts; publish one")));
        };
        let gates = match self.gates_again(tx, batch, current, &origin, &held.input, key).await? {
            Ok(gates) => gates,
            Err(message) => return Ok(Err(Wait::new(paused(), format!("its limits cannot be told: {message}; publish a version that can")))),
        };
        Ok(Ok(Candidate {
            current: Arc::clone(current),
            origin,
            input: held.input.clone(),
            key: held.key.clone(),
            reads: BTreeMap::new(),
            gates: onward_core::machine::Gates { priority: held.priority, ..gates },
            depth: held.depth,
            run_id: held.run_id,
            held: Some(held.id),
            since: held.held_at,
        }))
    }

    /// A held start that will never be a run: it is shown as cancelled, with the reason.
    pub(crate) async fn end_held(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, held: HeldStart, reason: &str) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        store.remove_held(tx, held.organisation, held.id).await?;
        batch.held_change(held.organisation, &held.workflow, &held.key, -1);
        self.give_permits_back(tx, batch, &[held.run_id]).await?;
        if let Some(event_id) = held.event_id {
            let note = RoutingNote::Suppressed { workflow: held.workflow.clone(), key: held.key.clone(), reason: reason.to_owned() };
            batch.notes.push((held.organisation, event_id, note));
        }
        let row = held_row(&held, 0);
        let data = serde_json::json!({ "workflow": held.workflow, "status": RunStatus::Cancelled, "step": null });
        batch.changes.push(Change { organisation: held.organisation, topic: "run".into(), id: held.run_id.to_string(), data });
        let ended = RunRow {
            status: RunStatus::Cancelled,
            waiting_on: Value::Null,
            error: Some(StepError::new(ErrorCode::Cancelled, format!("it never started: {reason}"))),
            ended_at: None,
            ..row
        };
        self.write_row(tx, ended).await?;
        if let Some(parent) = held.parent {
            let error = StepError::new(ErrorCode::Conflict, format!("workflow {:?} was not started: {reason}", held.workflow));
            batch.happen(parent.run_id, Happening::ChildEnded { step: parent.step, run_id: held.run_id, outcome: ChildOutcome::Failed { error } });
        }
        // Whoever stood behind it in the order of its key is next.
        batch.work.push_back(Work::Release { organisation: held.organisation, queue: HeldQueue::Key { workflow: held.workflow, key: held.key } });
        Ok(())
    }

    /// Gives permits back, and lets those go who wait for them.
    pub(crate) async fn give_permits_back(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, runs: &[RunId]) -> Result<(), StoreError> {
        if !self.permits_are_out || runs.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.shared.store);
        for (organisation, limit) in store.release_permits(tx, runs).await? {
            batch.work.push_back(Work::Release { organisation, queue: HeldQueue::concurrency(&limit) });
        }
        Ok(())
    }

    /// Bursts that are over start their runs; when the next one ends is noted.
    pub(crate) async fn end_bursts(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let page = store.bursts(tx, BURSTS_PAGE).await?;
        let more = page.len() == BURSTS_PAGE;
        for (organisation, queue, end) in page {
            if end > batch.now {
                batch.burst_ends.push(end);
                return Ok(());
            }
            self.release(tx, batch, organisation, &queue, 1).await?;
        }
        if more {
            batch.burst_ends.push(batch.now);
        }
        Ok(())
    }

    /// Queues that may have somebody to let go: all of them after a take-over, those of a workflow after it changed.
    pub(crate) async fn look_at_queues(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, looking: &Looking) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let first = looking.of.as_ref().map(|(organisation, _)| (*organisation, HeldQueue::Concurrency { name: String::new(), key: String::new() }));
        let page = store.held_queues(tx, looking.after.as_ref().or(first.as_ref()), QUEUES_PAGE).await?;
        let more = page.len() == QUEUES_PAGE;
        if looking.of.is_none() && looking.after.is_none() && page.is_empty() && !self.is_in_company() {
            self.starts_are_held = false;
        }
        for (organisation, queue) in page {
            let last = (organisation, queue.clone());
            let elsewhere = match &queue {
                HeldQueue::Key { workflow, key } => self.is_in_company() && !self.leases.own(Shard::of(organisation, workflow, key)),
                _ => false,
            };
            let concerned = !elsewhere
                && match &looking.of {
                    None => true,
                    Some((whose, _)) if *whose != organisation => return Ok(()),
                    Some((_, workflow)) => concerns(&queue, workflow.as_deref()),
                };
            if concerned {
                batch.ready.push((organisation, queue));
            }
            batch.looked_at = Some(last);
        }
        if more {
            batch.look_further.push(Looking { of: looking.of.clone(), after: batch.looked_at.take() });
        }
        Ok(())
    }

    /// What a person wants of a run whose start is held. `None`: it is not.
    pub(crate) async fn control_held(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        command: &Command,
    ) -> Result<Option<Result<RunStatus, EngineError>>, StoreError> {
        if !self.starts_are_held || self.runs.contains(run_id) {
            return Ok(None);
        }
        let store = Arc::clone(&self.shared.store);
        let Some(held) = store.held_start(tx, organisation, run_id).await? else { return Ok(None) };
        Ok(Some(match command {
            Command::Cancel { by, reason, .. } => {
                let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                self.end_held(tx, batch, held, &format!("cancelled by {by}{why}")).await?;
                Ok(RunStatus::Cancelled)
            }
            Command::Resume { .. } if matches!(held.queue, HeldQueue::Person { .. }) => {
                // Whoever lets it go answers for it: its causes count anew.
                let queue = HeldQueue::Paused { workflow: held.workflow.clone() };
                store.remove_held(tx, organisation, held.id).await?;
                store.hold_start(tx, &HeldStart { depth: 0, queue: queue.clone(), ..held }).await?;
                batch.work.push_back(Work::Release { organisation, queue });
                Ok(RunStatus::Held)
            }
            Command::Resume { .. } => Err(EngineError::Conflict(format!("run {run_id} has not started; it is held: {}", held.reason))),
            Command::Answer { .. } => Err(EngineError::Conflict(format!("run {run_id} has not started, so it asks nothing; it is held: {}", held.reason))),
            Command::Pause { .. } => Err(EngineError::Conflict(format!("run {run_id} has not started ({}); cancel it, or pause its workflow", held.reason))),
        }))
    }
}

/// Which queues are looked at, and how far that went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looking {
    /// Of an organisation and perhaps one workflow; `None`: all.
    pub(crate) of: Option<(OrganisationId, Option<String>)>,
    pub(crate) after: Option<(OrganisationId, HeldQueue)>,
}

/// Whether a queue may hold starts of this workflow.
fn concerns(queue: &HeldQueue, workflow: Option<&str>) -> bool {
    let Some(workflow) = workflow else { return true };
    match queue {
        HeldQueue::Key { workflow: of, .. }
        | HeldQueue::Debounce { workflow: of, .. }
        | HeldQueue::Paused { workflow: of }
        | HeldQueue::Person { workflow: of } => of == workflow,
        HeldQueue::Concurrency { name, .. } | HeldQueue::Rate { name, .. } => match name.split_once(':') {
            Some(("workflow", of)) => of == workflow,
            _ => true,
        },
    }
}

/// A run that has not started.
fn held_row(start: &HeldStart, version: u32) -> RunRow {
    let (name, _) = start.queue.parts();
    let limit = matches!(start.queue, HeldQueue::Concurrency { .. } | HeldQueue::Rate { .. }).then_some(name);
    RunRow {
        id: start.run_id,
        organisation: start.organisation,
        shard: Shard::of(start.organisation, &start.workflow, &start.key),
        workflow: start.workflow.clone(),
        version,
        key: start.key.clone(),
        status: RunStatus::Held,
        contact: None,
        input: start.input.clone(),
        output: Value::Null,
        error: None,
        exit: None,
        waiting_on: serde_json::json!({
            "kind": "start", "held_by": start.queue.kind(), "limit": limit, "priority": start.priority, "until": start.not_before, "reason": start.reason,
        }),
        questions: Value::Null,
        event_id: start.event_id,
        started_at: start.held_at,
        ended_at: None,
        last_seq: 0,
        depth: start.depth,
    }
}
