//! Events: stored once, then routed to triggers and waits, all in the transaction that brings them.

use crate::{
    admission::{Origin, Request, Verdict},
    batch::{Arriving, Batch},
    definitions::{Addressee, Current, Snapshot},
    engine::Engine,
    rollout::lot,
    traces::{self, Traced},
    turn::ingested,
};
use onward_core::{
    Event, EventId, NewEvent, OrganisationId, RunId, Value, limits,
    machine::{self, Admission, Asked, Happening, Known, Need},
    ports::{Correlation, InboxMessage, Inserted, OpenWait, RoutingNote, Store, StoreError},
};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Waits that one event may find; a wait beyond is reported.
const TARGETS_MAX: usize = 100_000;
/// Records that one trigger may ask for, in rounds.
const TRIGGER_NEEDS: usize = 16;

impl<S: Store> Engine<S> {
    /// Stores events and routes those that are new.
    pub(crate) async fn take_in(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, arriving: Vec<Arriving>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let snapshot = self.shared.definitions.snapshot();
        let mut events = Vec::with_capacity(arriving.len());
        let mut told = Vec::with_capacity(arriving.len());
        for arrived in arriving {
            let event = self.planted_event(arrived.event);
            let correlations = self.correlations(&event);
            told.push((event.organisation, arrived.told, arrived.addressee, arrived.request));
            events.push((event, correlations));
        }
        let correlations: Vec<Vec<Correlation>> = events.iter().map(|(_, correlations)| correlations.clone()).collect();
        let count = events.len();
        let inserted = store.insert_events(tx, events).await?;
        if inserted.len() != count {
            return Err(StoreError::Corrupt { what: "events".into(), reason: format!("{count} were handed in and {} answered", inserted.len()) });
        }
        let mut duplicates = Vec::new();
        for ((inserted, correlations), (organisation, told, addressee, request)) in inserted.into_iter().zip(correlations).zip(told) {
            match inserted {
                Inserted::Stored(event) => {
                    batch.tally.events += 1;
                    let event_id = event.event_id;
                    let heading = batch.traced.is_some().then(|| (event.body.kind.clone(), event.body.cause, event.taken_in_at));
                    let run_ids = self.route(tx, batch, &Arc::new(event), &correlations, addressee.as_ref(), &snapshot).await?;
                    if let (Some(traced), Some((kind, cause, taken_in_at))) = (&mut batch.traced, heading) {
                        let asked = traces::brought(&request, event_id, traced);
                        traced.push(Traced::Event { event: event_id, kind, asked, cause, runs: run_ids.len(), began: traces::micros(taken_in_at) });
                    }
                    if let Some(told) = told {
                        batch.ingested.insert(told, ingested(event_id, false, run_ids));
                    }
                }
                Inserted::Duplicate(event_id) => {
                    batch.tally.duplicates += 1;
                    duplicates.push((organisation, event_id, told));
                }
            }
        }
        // Of what comes twice, the first may be of this very batch; all other notes go with what is written last.
        if !duplicates.is_empty() && !batch.notes.is_empty() {
            store.note_routing(tx, &std::mem::take(&mut batch.notes)).await?;
        }
        for (organisation, event_id, told) in duplicates {
            if let Some(told) = told {
                let run_ids = store.runs_of_event(tx, organisation, event_id).await?;
                batch.ingested.insert(told, ingested(event_id, true, run_ids));
            }
        }
        Ok(())
    }

    /// Under what an event can be found by waits.
    fn correlations(&self, event: &NewEvent) -> Vec<Correlation> {
        let Some(shapes) = self.shapes.get(&(event.organisation, event.kind.clone())) else { return Vec::new() };
        let shapes: Vec<Vec<String>> = shapes.iter().cloned().collect();
        machine::correlations_of_event(event.organisation, &event.kind, &event.data, &shapes)
    }

    /// Starts runs, wakes waits. Returns the runs that it starts, that of its addressee first. A workflow starts once, by the
    /// first of its triggers that lets the event in: `on` lists ways to start, not starts.
    async fn route(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        event: &Arc<Event>,
        correlations: &[Correlation],
        addressee: Option<&Addressee>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Vec<RunId>, StoreError> {
        // Waits first: a run that this event starts is no target of it.
        self.deliver(tx, batch, event, correlations).await?;
        let organisation = event.body.organisation;
        let meant = addressee.map(|addressee| snapshot.addressed(organisation, addressee)).unwrap_or_default();
        let by_type = snapshot.triggers(organisation, &event.body.kind);
        let (mut run_ids, mut let_in) = (Vec::new(), BTreeSet::new());
        for (current, trigger) in meant.iter().chain(by_type) {
            if let_in.contains(&current.workflow.name) {
                continue;
            }
            if let Some(verdict) = self.try_trigger(tx, batch, current, *trigger, event, None).await? {
                let_in.insert(&current.workflow.name);
                run_ids.extend(verdict.run_id());
            }
        }
        Ok(run_ids)
    }

    /// Hands the event to the waits that its correlations find: the first ones here, the rest through the inbox
    /// (SEMANTICS.md 13).
    async fn deliver(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, event: &Arc<Event>, correlations: &[Correlation]) -> Result<(), StoreError> {
        if correlations.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.shared.store);
        let organisation = event.body.organisation;
        let mut targets = store.find_waits(tx, organisation, correlations, TARGETS_MAX).await?;
        if targets.len() == TARGETS_MAX {
            tracing::error!(%organisation, event = %event.event_id, "an event has more targets than can be served at once");
        }
        for opened in self.opened_in(batch, correlations) {
            if !targets.iter().any(|target| target.run_id == opened.run_id && target.target == opened.target && target.which == opened.which) {
                targets.push(opened);
            }
        }
        let (mut targets, elsewhere): (Vec<_>, Vec<_>) = targets.into_iter().partition(|target| self.leases.own(target.shard) || !self.is_in_company());
        let mut rest = targets.split_off(targets.len().min(limits::FAN_OUT_TARGETS));
        let runs: Vec<RunId> = targets.iter().map(|wait| wait.run_id).collect();
        self.load(tx, batch, &runs).await?;
        for wait in targets {
            batch.notes.push((organisation, event.event_id, RoutingNote::Delivered { run_id: wait.run_id, target: wait.target.clone() }));
            batch.happen(wait.run_id, Happening::Event { target: wait.target, which: wait.which, event: Arc::clone(event) });
        }
        for wait in &elsewhere {
            batch.notes.push((organisation, event.event_id, RoutingNote::Delivered { run_id: wait.run_id, target: wait.target.clone() }));
            batch.woken.insert(wait.shard);
        }
        let here = !rest.is_empty();
        rest.extend(elsewhere);
        for wait in &rest {
            let cause = format!("{}:{}", event.event_id, wait.which);
            let message = InboxMessage::Event { target: wait.target.clone(), which: wait.which.clone(), event_id: event.event_id };
            store.add_inbox(tx, organisation, wait.shard, Some(wait.run_id), &cause, &message).await?;
        }
        if here {
            self.inbox_waits = true;
            batch.more_inbox = true;
        }
        Ok(())
    }

    /// Asks one trigger about an event; `None` when it does not let it in, or the start falls to another version. Its mistakes are
    /// its own (SEMANTICS.md 9).
    pub(crate) async fn try_trigger(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        current: &Arc<Current>,
        trigger: usize,
        event: &Arc<Event>,
        run_id: Option<RunId>,
    ) -> Result<Option<Verdict>, StoreError> {
        let organisation = event.body.organisation;
        let envelope = Arc::new(event.envelope());
        let workflow = Arc::clone(&current.workflow);
        let admission = self.admit(tx, batch, organisation, |asked| machine::admit(&workflow, trigger, &envelope, asked)).await?;
        let note = match admission {
            Admission::No | Admission::Need(_) => return Ok(None),
            Admission::Error(message) => RoutingNote::TriggerError { workflow: workflow.name.clone(), trigger, message },
            Admission::Yes { input, key, reads, gates } => {
                if !current.takes(&lot(key.as_deref(), Some(event.event_id), RunId(uuid::Uuid::nil()))) {
                    return Ok(None);
                }
                let origin = Origin::Event { trigger, event: Arc::clone(event) };
                let request = Request { current: Arc::clone(current), origin, input, key, reads, gates, depth: event.body.depth, run_id };
                return Ok(Some(self.request_start(tx, batch, request).await?));
            }
        };
        tracing::warn!(%organisation, event = %event.event_id, workflow = workflow.name, ?note, "a trigger failed");
        batch.notes.push((organisation, event.event_id, note));
        Ok(None)
    }

    /// Why the API's events are refused: what they would start is more than may be held (SEMANTICS.md 23). Asked before
    /// anything is stored; without a full queue it costs nothing.
    pub(crate) async fn overflows(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, events: &[NewEvent]) -> Result<Option<String>, StoreError> {
        let most = (self.shared.limits.held_per_key, self.shared.limits.held_per_organisation);
        let snapshot = self.shared.definitions.snapshot();
        for event in events {
            let organisation = event.organisation;
            let full = self.held_counts.of_organisation(organisation).is_some_and(|count| count >= most.1);
            if !full && !self.held_counts.full_keys(organisation, most.0) {
                continue;
            }
            let envelope = Arc::new(Event { event_id: EventId(uuid::Uuid::nil()), taken_in_at: batch.now, body: event.clone() }.envelope());
            for (current, trigger) in snapshot.triggers(organisation, &event.kind) {
                let workflow = Arc::clone(&current.workflow);
                let admission = self.admit(tx, batch, organisation, |asked| machine::admit(&workflow, *trigger, &envelope, asked)).await?;
                if let Admission::Yes { key, .. } = admission
                    && let Some(reason) = self.too_many_held(tx, batch, organisation, &workflow.name, key.as_deref().unwrap_or_default()).await?
                {
                    return Ok(Some(reason));
                }
            }
        }
        Ok(None)
    }

    /// Asks about a start until all that must be known is known.
    pub(crate) async fn admit(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        ask: impl Fn(Asked<'_>) -> Admission + Send,
    ) -> Result<Admission, StoreError> {
        let timezone = self.zone(tx, batch, organisation).await;
        let now = batch.now;
        let mut known = Known::default();
        for _ in 0..TRIGGER_NEEDS {
            let admission = catch_unwind(AssertUnwindSafe(|| ask(Asked { known: &known, now, timezone: &timezone })))
                .unwrap_or_else(|_| Admission::Error("evaluating the trigger panicked; report this as a bug".into()));
            match admission {
                Admission::Need(Need::Records(records)) => {
                    for record in records {
                        if let Err(reason) = self.read_record(tx, organisation, &record, &mut known).await {
                            return Ok(Admission::Error(reason));
                        }
                    }
                }
                Admission::Need(Need::Variant { step, .. }) => return Ok(Admission::Error(format!("a trigger asked for a variant of step {step}"))),
                decided => return Ok(decided),
            }
        }
        Ok(Admission::Error("the trigger asked for the same record again and again".into()))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a planted mistake in tests looks at the configuration")]
    fn planted_event(&self, event: NewEvent) -> NewEvent {
        event
    }
    #[cfg(test)]
    fn planted_event(&self, mut event: NewEvent) -> NewEvent {
        if self.shared.limits.planted(crate::config::Plant::DedupeDropped) {
            event.id = None;
        }
        event
    }
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a planted mistake in tests looks at the configuration")]
    fn opened_in(&self, batch: &Batch<S::Tx>, correlations: &[Correlation]) -> Vec<OpenWait> {
        batch.opened_here(correlations)
    }
    #[cfg(test)]
    fn opened_in(&self, batch: &Batch<S::Tx>, correlations: &[Correlation]) -> Vec<OpenWait> {
        if self.shared.limits.planted(crate::config::Plant::WaitsOfBatchOverlooked) {
            return Vec::new();
        }
        batch.opened_here(correlations)
    }
}

/// The envelope of a start by hand: no event is stored for it.
pub(crate) fn manual_envelope(run_id: RunId, now: onward_core::Timestamp, input: &Value) -> Value {
    serde_json::json!({
        "specversion": "1.0",
        "id": run_id,
        "source": "manual",
        "type": "manual.started",
        "subject": null,
        "time": now,
        "data": input,
    })
}

/// The event that an id names, when it is still stored.
pub(crate) async fn stored_event<S: Store>(store: &S, tx: &mut S::Tx, organisation: OrganisationId, id: EventId) -> Result<Option<Event>, StoreError> {
    Ok(store.events(tx, organisation, &[id]).await?.into_iter().next())
}
