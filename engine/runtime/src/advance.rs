//! One run, one happening: the machine decides, needs are met, actions become rows and calls.

use crate::{
    Registry,
    batch::{Batch, Work},
    children::Child,
    engine::Engine,
    questions, size,
    traces::Traced,
};
use onward_core::{
    Event, OrganisationId, RunId, Timestamp, Value,
    history::{Entry, Fact, Parent},
    limits,
    machine::{self, Action, Context, Happening, Known, Need},
    ports::{Correlation, HeldQueue, OpenWait, RecordRef, RunStatus, Store, StoreError, Transaction},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tracing::Instrument as _;

/// Needs of one happening: far above what any workflow has steps for.
const NEEDS_PER_HAPPENING: usize = 4 * limits::DEFINITION_STEPS;
/// Early events looked at in one read, and reads for one wait.
const EARLY_EVENTS_PAGE: usize = 100;
const EARLY_EVENTS_PAGES: usize = 10;

/// A wait that was just opened and looks back.
struct LookBack {
    target: String,
    which: String,
    correlation: Correlation,
    since: Timestamp,
}

impl<S: Store> Engine<S> {
    /// Hands a happening to a run, and does what it decides.
    pub(crate) async fn happen(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, happening: Happening) -> Result<(), StoreError> {
        self.load(tx, batch, &[run_id]).await?;
        if batch.foreign.contains_key(&run_id) {
            return self.forward(tx, batch, run_id, happening).await;
        }
        let Some(live) = self.runs.get(run_id) else { return Ok(()) };
        if live.state.seq == 0 && !matches!(happening, Happening::Started(_)) {
            // It begins in this very transaction, and whoever wanted to take it up was too early.
            return Ok(());
        }
        let organisation = live.organisation;
        let span = tracing::debug_span!("turn", %organisation, workflow = live.workflow.name, run = %run_id);
        self.turn(tx, batch, organisation, run_id, happening).instrument(span).await
    }

    async fn turn(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        happening: Happening,
    ) -> Result<(), StoreError> {
        let zone = match (&happening, self.runs.get(run_id)) {
            (Happening::Started(_), _) | (_, None) => self.zone(tx, batch, organisation).await,
            // Kept by the run from its start on.
            (_, Some(live)) => Arc::clone(&live.state.timezone),
        };
        let mut known = Known::default();
        let mut next = Some(happening);
        let mut needs = 0;
        while let Some(happening) = next.take() {
            if !self.pause_with_others(batch, run_id, &happening, &known, &zone) {
                return Ok(());
            }
            let Some((actions, need)) = self.decide(batch, run_id, happening, &known, &zone) else { return Ok(()) };
            self.act(tx, batch, run_id, actions).await?;
            let Some(need) = need else { break };
            needs += 1;
            if needs > NEEDS_PER_HAPPENING {
                self.quarantine(batch, run_id, "it asked for the same again and again");
                return Ok(());
            }
            next = Some(match self.meet(tx, organisation, run_id, need, &mut known).await? {
                Ok(()) => Happening::Continue,
                Err(reason) => Happening::Pause { by: "engine".into(), reason: Some(reason) },
            });
        }
        Ok(())
    }

    /// Asks the machine and notes what it recorded. `None`: it panicked, and the run is paused.
    pub(crate) fn decide(
        &mut self,
        batch: &mut Batch<S::Tx>,
        run_id: RunId,
        happening: Happening,
        known: &Known,
        zone: &str,
    ) -> Option<(Vec<Action>, Option<Need>)> {
        let live = self.runs.get_mut(run_id)?;
        let taken_up = matches!(happening, Happening::Reopen(_));
        let before = (live.state.seq > 0).then_some(live.state.status);
        let asked = live.state.is_asking();
        let asked_contact = questions::standing(&live.state);
        let nodes = &self.shared.nodes;
        let is_personal = |node: &str| nodes.get(node).is_some_and(|node| node.descriptor().personal);
        let personal = live.personal || matches!(happening, Happening::StepEnded { .. }) && live.state.in_flight().iter().any(|call| is_personal(&call.node));
        let now = planted_now(&self.shared.limits, batch.now, &happening);
        let context = Context { organisation: live.organisation, now, known, timezone: zone };
        let workflow = Arc::clone(&live.workflow);
        batch.touched.insert(run_id);
        let Ok(decision) = catch_unwind(AssertUnwindSafe(|| machine::decide(&workflow, &mut live.state, happening, &context))) else {
            self.quarantine(batch, run_id, "deciding what comes next panicked; report this as a bug");
            return None;
        };
        if decision.entries.is_empty() {
            return Some((decision.actions, decision.need));
        }
        live.history_bytes += decision.entries.iter().map(entry_bytes).sum::<usize>();
        live.personal = personal || live.state.bindings.contains_key("contact") || touches_personal(&decision.entries, nodes);
        if asked_contact != questions::standing(&live.state) {
            batch.asking.insert(run_id);
        }
        let status = live.state.status;
        let row = before != Some(status)
            || status != RunStatus::Running
            || asked
            || live.state.is_asking()
            || decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Bound { .. } | Fact::Migrated { .. }));
        if status.is_final() && (taken_up || before.is_none_or(|before| !before.is_final())) {
            let (at, key) = (live.state.at, Arc::clone(&live.state.key));
            let change = batch.key_change(live.organisation, &workflow.name, &key);
            change.ended.push((run_id, at));
            let end = self.rollouts.ended(live.organisation, &live.state.workflow, live.state.version, status);
            batch.ended_on_trial.extend(end);
            batch.tally.run_ended(status);
            if let Some(traced) = &mut batch.traced {
                traced.push(Traced::run(&live.state));
            }
        }
        let too_long = live.state.seq > limits::RUN_ENTRIES || live.history_bytes > limits::RUN_HISTORY_BYTES;
        if too_long && live.state.paused.is_none() && !status.is_final() {
            let reason = format!(
                "its history has {} entries and about {} bytes; the limits are {} and {}",
                live.state.seq,
                live.history_bytes,
                limits::RUN_ENTRIES,
                limits::RUN_HISTORY_BYTES
            );
            batch.work.push_front(Work::Happen { run_id, happening: Happening::Pause { by: "engine".into(), reason: Some(reason) } });
        }
        batch.record(live, decision.entries, before, row, live.personal);
        Some((decision.actions, decision.need))
    }

    pub(crate) async fn act(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, actions: Vec<Action>) -> Result<(), StoreError> {
        let mut look_back = Vec::new();
        let mut steps = Vec::new();
        for action in actions {
            let Some(live) = self.runs.get(run_id) else { return Ok(()) };
            match action {
                Action::Run(call) => steps.push(Work::Run { run_id, call: Box::new(call) }),
                Action::StartChild { step, run_id: child, workflow, input } => {
                    let (organisation, depth) = (live.organisation, live.state.depth);
                    let child = Child { organisation, parent: Parent { run_id, step }, run_id: child, workflow, input, depth: depth.saturating_add(1) };
                    steps.push(Work::StartChild(Box::new(child)));
                }
                Action::ContinueAs { run_id: next, input } => self.continue_as(tx, batch, run_id, next, input).await?,
                Action::CancelChild { run_id: child } => batch.work.push_back(Work::CancelChild { parent: run_id, run_id: child }),
                Action::TellParent { parent, outcome } => {
                    batch.happen(parent.run_id, Happening::ChildEnded { step: parent.step, run_id, outcome });
                }
                Action::SetTimer { key, due } => batch.set_timer(live, key, planted_due(&self.shared.limits, due)),
                Action::ClearTimer { key } => batch.clear_timer(live, key),
                Action::OpenWait { target, which, correlation, since } => {
                    let wait = OpenWait {
                        organisation: live.organisation,
                        run_id,
                        shard: live.shard,
                        target: target.clone(),
                        which: which.clone(),
                        correlation: correlation.clone(),
                    };
                    batch.open_wait(live, wait);
                    let shape = (live.organisation, correlation.event.clone(), correlation.paths.clone());
                    let added = self.learn_shapes([shape]);
                    if self.is_in_company() && !added.is_empty() && batch.generation.is_none() {
                        // Before it looks back: whoever stores an event without this shape has ended then, or knows it.
                        let store = Arc::clone(&self.shared.store);
                        batch.generation = Some(store.raise_generation(tx).await?);
                    }
                    batch.shapes_added.extend(added);
                    if let Some(since) = since {
                        look_back.push(LookBack { target, which, correlation, since });
                    }
                }
                Action::CloseWait { target } => batch.close_wait(live, target),
                Action::Emit(event) => batch.arriving.push(crate::batch::Arriving { event, told: None, addressee: None, request: tracing::Span::none() }),
                Action::Abandon { step } => batch.abandoned.push((run_id, step)),
                Action::Ended => {
                    if live.may_hold_permit {
                        batch.ended.push(run_id);
                    }
                    // Whatever the mode of this run's version: that of the next one may be another.
                    // A key that is the run's own id never comes again.
                    if self.starts_are_held && *live.state.key != *run_id.to_string() {
                        let queue = HeldQueue::Key { workflow: live.workflow.name.clone(), key: live.state.key.to_string() };
                        batch.work.push_back(Work::Release { organisation: live.organisation, queue });
                    }
                }
            }
        }
        // A step runs before whatever else waits its turn, and steps side by side one after the other.
        for step in steps.into_iter().rev() {
            batch.work.push_front(step);
        }
        if !look_back.is_empty() {
            self.look_back(tx, batch, run_id, look_back).await?;
        }
        Ok(())
    }

    /// Hands in the events that were there before the wait, oldest first over all its names (SEMANTICS.md 11).
    async fn look_back(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, waits: Vec<LookBack>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let Some(organisation) = self.runs.get(run_id).map(|live| live.organisation) else { return Ok(()) };
        let mut found: Vec<(Timestamp, onward_core::EventId, String, String, Arc<Event>)> = Vec::new();
        for wait in waits {
            let mut since = wait.since;
            for _ in 0..EARLY_EVENTS_PAGES {
                let page = store.early_events(tx, organisation, &wait.correlation, since, EARLY_EVENTS_PAGE).await?;
                let full = page.len() == EARLY_EVENTS_PAGE;
                let last = page.last().map(|event| event.taken_in_at);
                #[cfg(test)]
                let page = crate::simulation::plants::without_open_transactions(&self.shared.limits, batch.now, page);
                for event in page {
                    found.push((event.taken_in_at, event.event_id, wait.target.clone(), wait.which.clone(), Arc::new(event)));
                }
                match last {
                    Some(last) if full && last > since => since = last,
                    _ => break,
                }
            }
        }
        found.sort_by(|a, b| (a.0, a.1, &a.2, &a.3).cmp(&(b.0, b.1, &b.2, &b.3)));
        found.dedup_by(|a, b| (a.1, &a.2, &a.3) == (b.1, &b.2, &b.3));
        for (_, _, target, which, event) in found.into_iter().rev() {
            batch.work.push_front(Work::Happen { run_id, happening: Happening::Event { target, which, event } });
        }
        Ok(())
    }

    /// Gets what the machine must know. The inner error says why it cannot be known: the run is paused with it.
    async fn meet(
        &mut self,
        tx: &mut S::Tx,
        organisation: OrganisationId,
        run_id: RunId,
        need: Need,
        known: &mut Known,
    ) -> Result<Result<(), String>, StoreError> {
        match need {
            Need::Records(records) => {
                for record in records {
                    if let Err(reason) = self.read_record(tx, organisation, &record, known).await {
                        return Ok(Err(reason));
                    }
                }
            }
            Need::Variant { step, by, proposal } => {
                let Some(workflow) = self.runs.get(run_id).map(|live| Arc::clone(&live.workflow)) else { return Ok(Ok(())) };
                let store = Arc::clone(&self.shared.store);
                let assigned = store.assign_variant(tx, organisation, &workflow.name, &step, &by, &proposal).await?;
                known.variants.insert(step, assigned);
            }
        }
        Ok(Ok(()))
    }

    /// Reads one live record into `known`. The error says why it cannot be read.
    pub(crate) async fn read_record(&mut self, tx: &mut S::Tx, organisation: OrganisationId, record: &RecordRef, known: &mut Known) -> Result<(), String> {
        let records = Arc::clone(&self.shared.records);
        match records.read(tx, organisation, record).await {
            Ok(value) => {
                known.records.insert(record.name.clone(), value.unwrap_or_default());
                Ok(())
            }
            Err(error) => {
                tracing::error!(%organisation, record = record.name, %error, "a live record cannot be read");
                Err(format!("{} {} cannot be read: {error}", record.name, record.id))
            }
        }
    }

    /// The organisation's time zone, as it stands in this transaction.
    pub(crate) async fn zone(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, organisation: OrganisationId) -> Arc<str> {
        // What this transaction itself changes is not what is remembered, and is forgotten with it when it fails.
        let remembers = self.is_in_company() && !batch.settings_changed.contains(&organisation);
        let known = batch.zones.get(&organisation).or_else(|| self.zones.get(&organisation).filter(|_| remembers));
        if let Some(zone) = known {
            return Arc::clone(zone);
        }
        let mut known = Known::default();
        let record = RecordRef { name: "org".into(), id: String::new() };
        // Without an answer the run goes on in UTC: its own zone was recorded when it started.
        let read = self.read_record(tx, organisation, &record, &mut known).await.is_ok();
        let name = known.records.get("org").and_then(|org| org.get("timezone")).and_then(Value::as_str).filter(|_| read);
        let (is_told, zone): (bool, Arc<str>) = (name.is_some(), name.unwrap_or("UTC").into());
        if is_told && remembers {
            self.zones.insert(organisation, Arc::clone(&zone));
        }
        batch.zones.insert(organisation, Arc::clone(&zone));
        zone
    }

    /// Pauses a run whose history or program cannot be used, and goes on with the others (SEMANTICS.md 21).
    pub(crate) fn quarantine(&mut self, batch: &mut Batch<S::Tx>, run_id: RunId, reason: &str) {
        let Some(live) = self.runs.get(run_id) else { return };
        tracing::error!(run = %run_id, workflow = live.workflow.name, reason, "the run is paused by the engine");
        batch.quarantined.insert(run_id, (live.organisation, format!("engine: {reason}")));
        self.runs.evict(run_id);
    }
}

#[cfg(not(test))]
fn planted_due(_limits: &crate::EngineLimits, due: Timestamp) -> Timestamp {
    due
}
#[cfg(not(test))]
fn planted_now(_limits: &crate::EngineLimits, now: Timestamp, _happening: &Happening) -> Timestamp {
    now
}
#[cfg(test)]
use crate::simulation::plants::{planted_due, planted_now};

/// Whether a node of these entries says that its input and output are personal.
pub(crate) fn touches_personal<T: Transaction>(entries: &[Entry], nodes: &Registry<T>) -> bool {
    let is_personal = |node: &str| nodes.get(node).is_some_and(|node| node.descriptor().personal);
    entries.iter().any(|entry| matches!(&entry.fact, Fact::StepScheduled { node, .. } if is_personal(node)))
}

/// About how many bytes an entry takes.
pub(crate) fn entry_bytes(entry: &Entry) -> usize {
    const FRAME: usize = 96;
    FRAME
        + match &entry.fact {
            Fact::RunStarted { input, event, .. } => size::of(input) + size::of(event),
            Fact::StepScheduled { input, prepared, .. } => input.as_deref().map_or(0, size::of) + prepared.as_deref().map_or(0, size::of),
            Fact::StepCompleted { output, .. } => size::of(output),
            Fact::RunCompleted { output, .. } => size::of(output),
            Fact::WaitResolved { event, .. } => size::of(event),
            Fact::VarsSet { values } => values.values().map(size::of).sum(),
            Fact::EventEmitted { data, .. } => size::of(data),
            Fact::IterationStarted { items: Some(items), .. } => size::of(items),
            Fact::ChildStarted { input, .. } => size::of(input),
            Fact::AskOpened { question, .. } => size::of(question),
            _ => 0,
        }
}
