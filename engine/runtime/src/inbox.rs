//! The inbox: what others addressed to our shards. Rows are taken by their existence, never by number (SEMANTICS.md 2).

use crate::{
    admission::Verdict,
    batch::{Batch, Work},
    children::Child,
    engine::Engine,
    rollout::EndedRun,
};
use onward_core::{
    Event, EventId, OrganisationId, RunId, limits,
    machine::Happening,
    ports::{InboxMessage, InboxRow, RunStatus, Store, StoreError, Timer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Pages that are applied in one transaction.
const PAGES: usize = 1_000;

impl<S: Store> Engine<S> {
    /// Applies all that waits for us.
    pub(crate) async fn empty_the_inbox(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        for _ in 0..PAGES {
            self.apply_inbox(tx, batch).await?;
            self.settle(tx, batch).await?;
            if !self.inbox_waits {
                return Ok(());
            }
        }
        batch.more_inbox = true;
        Ok(())
    }

    /// A run that another node announced begins before anything is done to it: what starts it lies in our inbox.
    pub(crate) async fn begin_if_announced(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Result<(), StoreError> {
        let announced = batch.unbegun.get(&run_id).is_some_and(|(_, status)| *status == RunStatus::Held);
        if announced && self.is_in_company() && !self.runs.contains(run_id) {
            self.empty_the_inbox(tx, batch).await?;
        }
        Ok(())
    }

    /// Applies a page of rows and removes them, all in this transaction. Whether more wait is in `inbox_waits`.
    pub(crate) async fn apply_inbox(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let rows = store.inbox(tx, self.leases.held(), limits::FAN_OUT_TARGETS).await?;
        #[cfg(test)]
        let rows = crate::simulation::plants::greater_than_seen(&self.shared.limits, &mut self.inbox_seen, rows);
        self.inbox_waits = rows.len() == limits::FAN_OUT_TARGETS;
        if rows.is_empty() {
            return Ok(());
        }
        let mut rows = rows;
        // What begins a run goes before what is for one; otherwise in order.
        rows.sort_by_key(|row| (!matches!(row.message, InboxMessage::Start { .. } | InboxMessage::Child { .. }), row.id));
        let runs: Vec<RunId> = rows.iter().filter_map(|row| row.run_id).collect();
        self.load(tx, batch, &runs).await?;
        let events = self.events_of(tx, &rows).await?;
        let mut applied = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id;
            if self.apply_row(tx, batch, row, &events).await? {
                applied.push(id);
            }
        }
        store.remove_inbox(tx, &applied).await
    }

    /// Applies one row; `false`: it is not its turn yet.
    async fn apply_row(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, row: InboxRow, events: &BTreeMap<EventId, Arc<Event>>) -> Result<bool, StoreError> {
        let organisation = row.organisation;
        match (row.message, row.run_id) {
            (InboxMessage::Event { target, which, event_id }, Some(run_id)) => {
                if let Some(event) = events.get(&event_id) {
                    batch.happen(run_id, Happening::Event { target, which, event: Arc::clone(event) });
                }
            }
            (InboxMessage::Cancel { by, reason, force }, Some(run_id)) => {
                if self.runs.contains(run_id) {
                    batch.happen(run_id, Happening::Cancel { by, reason, force });
                    return Ok(true);
                }
                let store = Arc::clone(&self.shared.store);
                if let Some(held) = store.held_start(tx, organisation, run_id).await? {
                    self.end_held(tx, batch, held, reason.as_deref().unwrap_or("it was cancelled")).await?;
                } else if batch.unbegun.get(&run_id).is_some_and(|(_, status)| *status == RunStatus::Held) {
                    // It was announced, and what announces it lies in the same inbox.
                    self.inbox_waits = true;
                    return Ok(false);
                }
            }
            (InboxMessage::Start { workflow, trigger, event_id }, run_id) => {
                let Some(event) = events.get(&event_id) else { return Ok(true) };
                self.start_announced(tx, batch, event, &workflow, trigger, run_id).await?;
            }
            (InboxMessage::Child { parent, workflow, input, depth }, Some(run_id)) => {
                let child = Child { organisation, parent, run_id, workflow, input, depth };
                self.start_announced_child(tx, batch, child).await?;
            }
            (InboxMessage::ChildStarted { step }, Some(run_id)) => batch.happen(run_id, Happening::ChildStarted { step }),
            (InboxMessage::ChildRefused { step, error }, Some(run_id)) => batch.happen(run_id, Happening::ChildRefused { step, error }),
            (InboxMessage::ChildEnded { step, child, outcome }, Some(run_id)) => {
                batch.happen(run_id, Happening::ChildEnded { step, run_id: child, outcome });
            }
            (InboxMessage::Woken { step }, Some(run_id)) => batch.happen(run_id, Happening::Woken { step }),
            (InboxMessage::Answered { step, answer, by }, Some(run_id)) => batch.happen(run_id, Happening::Answered { step, answer, by }),
            (InboxMessage::Release { queue }, _) => batch.work.push_back(Work::Release { organisation, queue }),
            (InboxMessage::TrialEnded { workflow, version, failed }, _) => {
                batch.ended_on_trial.push(EndedRun { organisation, workflow: workflow.into(), version, failed });
                self.count_ends(tx, batch).await?;
            }
            (InboxMessage::Request { request, ask }, Some(run_id)) => {
                // What was caused before it comes first.
                self.settle(tx, batch).await?;
                self.answer_request(tx, batch, organisation, run_id, request, ask).await?;
            }
            (
                InboxMessage::Event { .. }
                | InboxMessage::Cancel { .. }
                | InboxMessage::Child { .. }
                | InboxMessage::ChildStarted { .. }
                | InboxMessage::ChildRefused { .. }
                | InboxMessage::ChildEnded { .. }
                | InboxMessage::Woken { .. }
                | InboxMessage::Answered { .. }
                | InboxMessage::Request { .. },
                None,
            ) => {
                tracing::error!(row = row.id, organisation = %row.organisation, "an inbox row names no run; it cannot be applied");
            }
        }
        Ok(true)
    }

    /// A start that another node brought, and announced under this id.
    async fn start_announced(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        event: &Arc<Event>,
        workflow: &str,
        trigger: usize,
        run_id: Option<RunId>,
    ) -> Result<(), StoreError> {
        let snapshot = self.shared.definitions.snapshot();
        let mut verdict = None;
        for current in snapshot.versions(event.body.organisation, workflow) {
            verdict = self.try_trigger(tx, batch, current, trigger, event, run_id).await?;
            if verdict.is_some() {
                break;
            }
        }
        let Some(run_id) = run_id else { return Ok(()) };
        match verdict {
            Some(Verdict::Started(_) | Verdict::Elsewhere(_)) => Ok(()),
            Some(Verdict::Held { run_id: held, .. }) if held == run_id => Ok(()),
            Some(Verdict::Held { run_id: held, .. }) => self.end_announced(tx, run_id, &format!("its event belongs to the burst that starts run {held}")).await,
            Some(Verdict::Refused(reason) | Verdict::TooMany(reason)) => self.end_announced(tx, run_id, &reason).await,
            None => self.end_announced(tx, run_id, "no version of the workflow lets the event in any more").await,
        }
    }

    async fn events_of(&mut self, tx: &mut S::Tx, rows: &[InboxRow]) -> Result<BTreeMap<EventId, Arc<Event>>, StoreError> {
        let mut ids: BTreeMap<OrganisationId, BTreeSet<EventId>> = BTreeMap::new();
        for row in rows {
            if let InboxMessage::Event { event_id, .. } | InboxMessage::Start { event_id, .. } = &row.message {
                ids.entry(row.organisation).or_default().insert(*event_id);
            }
        }
        let store = Arc::clone(&self.shared.store);
        let mut events = BTreeMap::new();
        for (organisation, ids) in ids {
            let ids: Vec<EventId> = ids.into_iter().collect();
            events.extend(store.events(tx, organisation, &ids).await?.into_iter().map(|event| (event.event_id, Arc::new(event))));
        }
        Ok(events)
    }

    /// A timer fell due: the run hears of it, or the row goes when the run does not know it, or not while it is paused
    /// (a resume sets its timers again).
    pub(crate) async fn due(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, timer: &Timer) -> Result<(), StoreError> {
        self.load(tx, batch, &[timer.run_id]).await?;
        // While this is committed the next transaction is decided, which would take it once more.
        self.timers.handed_over(timer);
        if batch.foreign.contains_key(&timer.run_id) {
            // Its owner has it.
            return Ok(());
        }
        let Some(live) = self.runs.get(timer.run_id) else {
            if let Some(reason) = batch.unreadable.get(&timer.run_id).cloned() {
                batch.quarantined.insert(timer.run_id, (timer.organisation, reason));
            }
            batch.drop_stale_timer(timer.run_id, timer.organisation, timer.shard, timer.key.clone());
            return Ok(());
        };
        let known = live.state.timers().iter().any(|(key, _)| *key == timer.key);
        if !known || live.state.rests(&timer.key) {
            batch.drop_stale_timer(timer.run_id, timer.organisation, timer.shard, timer.key.clone());
            return Ok(());
        }
        batch.timers_due.push(timer.clone());
        batch.happen(timer.run_id, Happening::Due { key: timer.key.clone() });
        Ok(())
    }
}
