//! The inbox: what others addressed to our shards. Rows are taken by their existence, never by number (SEMANTICS.md 2).

use crate::{batch::Batch, engine::Engine};
use onward_core::{
    Event, EventId, OrganisationId, RunId, limits,
    machine::Happening,
    ports::{InboxMessage, InboxRow, Store, StoreError, Timer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl<S: Store> Engine<S> {
    /// Applies a page of rows and removes them, all in this transaction. Whether more wait is in `inbox_waits`.
    pub(crate) async fn apply_inbox(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let rows = store.inbox(tx, self.leases.held(), limits::FAN_OUT_TARGETS).await?;
        self.inbox_waits = rows.len() == limits::FAN_OUT_TARGETS;
        if rows.is_empty() {
            return Ok(());
        }
        let runs: Vec<RunId> = rows.iter().filter_map(|row| row.run_id).collect();
        self.load(tx, batch, &runs).await?;
        let events = self.events_of(tx, &rows).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        for row in rows {
            self.apply_row(tx, batch, row, &events).await?;
        }
        store.remove_inbox(tx, &ids).await
    }

    async fn apply_row(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, row: InboxRow, events: &BTreeMap<EventId, Arc<Event>>) -> Result<(), StoreError> {
        match (row.message, row.run_id) {
            (InboxMessage::Event { target, which, event_id }, Some(run_id)) => {
                if let Some(event) = events.get(&event_id) {
                    batch.happen(run_id, Happening::Event { target, which, event: Arc::clone(event) });
                }
            }
            (InboxMessage::Cancel { by, reason, force }, Some(run_id)) => batch.happen(run_id, Happening::Cancel { by, reason, force }),
            (InboxMessage::Start { workflow, trigger, event_id }, _) => {
                let snapshot = self.shared.definitions.snapshot();
                let Some(event) = events.get(&event_id) else { return Ok(()) };
                for current in snapshot.versions(row.organisation, &workflow) {
                    if self.try_trigger(tx, batch, current, trigger, event).await?.is_some() {
                        break;
                    }
                }
            }
            (InboxMessage::Event { .. } | InboxMessage::Cancel { .. }, None) => {
                tracing::error!(row = row.id, organisation = %row.organisation, "an inbox row names no run; it cannot be applied");
            }
        }
        Ok(())
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
        let Some(live) = self.runs.get(timer.run_id) else {
            if let Some(reason) = batch.unreadable.get(&timer.run_id).cloned() {
                batch.quarantined.insert(timer.run_id, (timer.organisation, reason));
            }
            batch.drop_stale_timer(timer.run_id, timer.organisation, timer.shard, timer.key.clone());
            return Ok(());
        };
        let known = live.state.timers().iter().any(|(key, _)| *key == timer.key);
        let sleeps = live.state.paused.is_some() && !timer.key.starts_with('$');
        if !known || sleeps {
            batch.drop_stale_timer(timer.run_id, timer.organisation, timer.shard, timer.key.clone());
            return Ok(());
        }
        batch.timers_due.push(timer.clone());
        batch.happen(timer.run_id, Happening::Due { key: timer.key.clone() });
        Ok(())
    }
}
