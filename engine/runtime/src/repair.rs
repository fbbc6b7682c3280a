//! Repair by people: a run that failed is taken up again, a copy of a run goes on, a run is handed what it waits for
//! (SEMANTICS.md 15, 27).

use crate::{
    EngineError, MendedRun, Signal,
    advance::{entry_bytes, touches_personal},
    batch::Batch,
    engine::Engine,
    live::Live,
    message::Mending,
    questions,
};
use onward_core::{
    Event, EventId, NewEvent, OrganisationId, RunId, Shard, Value,
    definition::{Verb, Workflow, key_of_path},
    history::Entry,
    limits,
    machine::{self, Context, Copied, Fork, Happening, Known, Point, Refusal, Repair, State},
    ports::{ResumedRun, RunStatus, Store, StoreError, StoredRun, Transaction as _},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// From where a copy of a run goes on, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForkRequest {
    /// From where.
    pub point: Point,
    /// Instead of the input of the step at that point.
    pub input: Option<Value>,
    /// The version that it goes on with; `None`: that of the run.
    pub version: Option<u32>,
}

/// What a person asked for, or why not.
type Asked<T> = Result<Result<T, EngineError>, StoreError>;

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict(reason) => Self::Conflict(reason),
            Refusal::Invalid(reason) => Self::InvalidInput(reason),
        }
    }
}

impl<S: Store> Engine<S> {
    /// Does what a person asked for within the transaction.
    pub(crate) async fn mend(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        mending: &Mending,
    ) -> Asked<MendedRun> {
        if let Err(refusal) = self.begun(batch, organisation, run_id) {
            return Ok(Err(refusal));
        }
        match mending {
            Mending::Repair { by, repair } => self.take_up_again(tx, batch, run_id, by, repair).await,
            Mending::Fork { by, point, input, version } => self.fork(tx, batch, run_id, by, point, input.as_ref(), *version).await,
            Mending::Signal { by, signal } => Ok(self.signal(tx, batch, run_id, by, signal)),
        }
    }

    /// Whether a run of this organisation has a history that can be read.
    fn begun(&self, batch: &Batch<S::Tx>, organisation: OrganisationId, run_id: RunId) -> Result<(), EngineError> {
        if self.runs.get(run_id).is_some_and(|live| live.organisation == organisation) {
            return Ok(());
        }
        if let Some((_, status)) = batch.unbegun.get(&run_id).filter(|(whose, _)| *whose == organisation) {
            return Err(EngineError::Conflict(format!("run {run_id} never began ({}); there is nothing to repair", status.as_str())));
        }
        let quarantined = batch.quarantined.get(&run_id).is_some_and(|(whose, _)| *whose == organisation);
        if batch.unreadable.contains_key(&run_id) || quarantined {
            return Err(EngineError::Conflict(format!("run {run_id} is paused by the engine; see `onward runs show {run_id}`")));
        }
        Err(EngineError::NotFound { what: format!("run {run_id}") })
    }

    /// The whole history of a run, this transaction's entries included.
    async fn history(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Asked<Vec<Entry>> {
        let store = Arc::clone(&self.shared.store);
        let stored = store.load_runs(tx, &[run_id]).await?.into_iter().next();
        let mut entries = match stored {
            Some(Ok(stored)) => stored.entries,
            Some(Err((_, error))) => return Ok(Err(EngineError::Conflict(format!("the history of run {run_id} cannot be read: {error}")))),
            None => Vec::new(),
        };
        let last = entries.last().map_or(0, |entry| entry.seq);
        entries.extend(batch.entries_of(run_id).iter().filter(|entry| entry.seq > last).cloned());
        Ok(Ok(entries))
    }

    /// Takes a failed run up again.
    async fn take_up_again(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, by: &str, repair: &Repair) -> Asked<MendedRun> {
        if let Some(parent) = self.waiting_parent(tx, batch, run_id).await? {
            let reason =
                format!("run {parent} waited for run {run_id} and has gone on without it: retry it there, or fork this one (`onward runs fork {run_id}`)");
            return Ok(Err(EngineError::Conflict(reason)));
        }
        let entries = match self.history(tx, batch, run_id).await? {
            Ok(entries) => entries,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(live) = self.runs.get(run_id) else { return Ok(Err(EngineError::NotFound { what: format!("run {run_id}") })) };
        let (workflow, organisation) = (Arc::clone(&live.workflow), live.organisation);
        let reopening = catch_unwind(AssertUnwindSafe(|| machine::repair(&workflow, run_id, &entries, by, repair.clone())));
        let reopening = match reopening {
            Ok(Ok(reopening)) => reopening,
            Ok(Err(refusal)) => return Ok(Err(refusal.into())),
            Err(_) => return Ok(Err(panicked(run_id))),
        };
        let happening = Happening::Reopen(Box::new(reopening));
        let state = live.state.clone();
        if let Some(refusal) = self.is_held_back(tx, batch, live_copy(live, state.clone()), &happening).await {
            return Ok(Err(refusal));
        }
        if let Err(reason) = self.pass_again(tx, batch, organisation, run_id, &workflow, &state).await? {
            return Ok(Err(EngineError::Conflict(format!("run {run_id} cannot go on now: {reason}"))));
        }
        batch.key_change(organisation, &workflow.name, &state.key).started.push(run_id);
        batch.tally.taken_up_again += 1;
        batch.happen(run_id, happening);
        Ok(Ok(MendedRun { run_id, status: RunStatus::Running }))
    }

    /// Why what would go on is held by a pause: of the workflow, or of a step that comes next.
    async fn is_held_back(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, live: Live, happening: &Happening) -> Option<EngineError> {
        let run_id = live.state.run_id;
        if self.holds_live(&live).is_some() {
            return Some(EngineError::Conflict(format!("run {run_id} cannot go on now: its workflow, version or organisation is paused; resume that first")));
        }
        let zone = self.zone(tx, batch, live.organisation).await;
        let (_, reason) = self.reaches_paused_step(&live, happening, &Known::default(), &zone, batch.now)?;
        Some(EngineError::Conflict(format!("run {run_id} cannot go on now: {}", reason.unwrap_or_default())))
    }

    /// The run that waited for this one's end, when a step of it did.
    async fn waiting_parent(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Result<Option<RunId>, StoreError> {
        let Some(parent) = self.runs.get(run_id).and_then(|live| live.state.parent.clone()) else { return Ok(None) };
        self.load(tx, batch, &[parent.run_id]).await?;
        let workflow = match self.runs.get(parent.run_id) {
            Some(live) => Some(Arc::clone(&live.workflow)),
            None if batch.foreign.contains_key(&parent.run_id) => {
                let store = Arc::clone(&self.shared.store);
                match store.resume_runs(tx, &[parent.run_id], machine::checkpoint_revision()).await?.into_iter().next() {
                    Some(Ok(ResumedRun { stored: StoredRun { row, .. }, .. })) => self.program(row.organisation, &row.workflow, row.version).await?.ok(),
                    _ => None,
                }
            }
            None => None,
        };
        let verb = workflow.as_ref().and_then(|workflow| workflow.step(&parent.step)).map(|step| &step.verb);
        Ok(matches!(verb, Some(Verb::Call { waits: true, .. })).then_some(parent.run_id))
    }

    /// Copies a run and goes on with the copy.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    async fn fork(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        source: RunId,
        by: &str,
        point: &Point,
        input: Option<&Value>,
        version: Option<u32>,
    ) -> Asked<MendedRun> {
        let entries = match self.history(tx, batch, source).await? {
            Ok(entries) => entries,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if entries.len() > limits::FORK_ENTRIES {
            let reason = format!("run {source} has {} entries, and at most {} are copied", entries.len(), limits::FORK_ENTRIES);
            return Ok(Err(EngineError::TooMany(reason)));
        }
        let Some(live) = self.runs.get(source) else { return Ok(Err(EngineError::NotFound { what: format!("run {source}") })) };
        let (organisation, name, of) = (live.organisation, live.workflow.name.clone(), live.state.version);
        let version = version.unwrap_or(of);
        let workflow = match self.program(organisation, &name, version).await? {
            Ok(workflow) => workflow,
            Err(reason) => return Ok(Err(EngineError::Conflict(reason))),
        };
        let run_id = RunId(tx.fresh_id());
        let asked = Fork { by: by.to_owned(), run_id, point: point.clone(), input: input.cloned(), version };
        let copied = catch_unwind(AssertUnwindSafe(|| machine::fork(&workflow, organisation, source, &entries, &asked)));
        match copied {
            Ok(Ok(copied)) => self.begin_copy(tx, batch, organisation, run_id, workflow, copied).await,
            Ok(Err(refusal)) => Ok(Err(refusal.into())),
            Err(_) => Ok(Err(panicked(source))),
        }
    }

    /// Puts a copy into memory and lets it go on.
    async fn begin_copy(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        workflow: Arc<Workflow>,
        copied: Copied,
    ) -> Asked<MendedRun> {
        let Copied { mut entries, state, reopening } = copied;
        let shard = Shard::of(organisation, &workflow.name, &state.key);
        let happening = Happening::Reopen(Box::new(reopening));
        let mut live = Live::new(organisation, shard, Arc::clone(&workflow), state, 0);
        if let Some(refusal) = self.is_held_back(tx, batch, live_copy(&live, live.state.clone()), &happening).await {
            return Ok(Err(refusal));
        }
        if let Err(reason) = self.pass_again(tx, batch, organisation, run_id, &workflow, &live.state).await? {
            return Ok(Err(EngineError::Conflict(format!("the copy cannot go on now: {reason}"))));
        }
        let zone = self.zone(tx, batch, organisation).await;
        let known = Known::default();
        let context = Context { organisation, now: batch.now, known: &known, timezone: &zone };
        let Ok(decision) = catch_unwind(AssertUnwindSafe(|| machine::decide(&workflow, &mut live.state, happening, &context))) else {
            return Ok(Err(panicked(run_id)));
        };
        entries.extend(decision.entries);
        live.history_bytes = entries.iter().map(entry_bytes).sum();
        live.personal = live.state.bindings.contains_key("contact") || touches_personal(&entries, &self.shared.nodes);
        let (status, at, personal) = (live.state.status, live.state.at, live.personal);
        let change = batch.key_change(organisation, &workflow.name, &live.state.key);
        change.started.push(run_id);
        if status.is_final() {
            change.ended.push((run_id, at));
        }
        batch.tally.forked += 1;
        batch.record(&live, entries, None, true, personal);
        if questions::standing(&live.state).is_some() {
            // The copy's questions are its own.
            batch.asking.insert(run_id);
        }
        self.runs.insert(live);
        self.act(tx, batch, run_id, decision.actions).await?;
        // What it had to know first is asked for now.
        batch.happen(run_id, Happening::Continue);
        Ok(Ok(MendedRun { run_id, status }))
    }

    /// Hands a run what it waits for.
    fn signal(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, by: &str, signal: &Signal) -> Result<MendedRun, EngineError> {
        let Some(live) = self.runs.get(run_id) else { return Err(EngineError::NotFound { what: format!("run {run_id}") }) };
        let (organisation, status) = (live.organisation, live.state.status);
        if status.is_final() {
            return Err(EngineError::Conflict(format!("run {run_id} has ended ({}); it waits for nothing any more", status.as_str())));
        }
        if status == RunStatus::Paused {
            return Err(EngineError::Conflict(format!("run {run_id} is paused; resume it, then signal")));
        }
        let is_step = |path: &str| signal.step.as_deref().is_none_or(|step| step == path || step == key_of_path(path));
        let is_named = |which: &str, event: &str| signal.name.as_deref().is_none_or(|name| name == event || name == which);
        let question = live.state.questions().into_iter().find(|(path, _)| signal.step.is_some() && signal.name.is_none() && is_step(path));
        if let Some((step, question)) = question {
            machine::check_answer(question, &signal.data).map_err(EngineError::InvalidInput)?;
            let (step, answer, by) = (Arc::clone(step), signal.data.clone(), by.to_owned());
            batch.happen(run_id, Happening::Answered { step, answer, by });
            return Ok(MendedRun { run_id, status });
        }
        let open = live.state.open_waits();
        let found: Vec<_> = open.iter().filter(|(path, which, event)| is_step(path) && is_named(which, event)).collect();
        let (step, which, kind) = match found[..] {
            [(step, which, event)] => (Arc::clone(step), (*which).to_owned(), (*event).to_owned()),
            [] => return Err(EngineError::Conflict(format!("run {run_id} has no such open wait; {}", told(&open, &live.state)))),
            [..] => return Err(EngineError::Conflict(format!("several waits of run {run_id} would take that; name one: {}", told(&open, &live.state)))),
        };
        let event_id = EventId(tx.fresh_id());
        let body = NewEvent { time: Some(batch.now), ..NewEvent::new(organisation, kind, "/signals", signal.data.clone()).with_id(event_id.0.to_string()) };
        let event = Arc::new(Event { event_id, taken_in_at: batch.now, body });
        batch.happen(run_id, Happening::Signal { step, which, event, by: by.to_owned() });
        Ok(MendedRun { run_id, status })
    }
}

/// For asking what would happen.
fn live_copy(live: &Live, state: State) -> Live {
    Live::new(live.organisation, live.shard, Arc::clone(&live.workflow), state, 0)
}

fn panicked(run_id: RunId) -> EngineError {
    tracing::error!(run = %run_id, "taking a run up again panicked");
    EngineError::Conflict(format!("taking run {run_id} up again panicked; report this as a bug"))
}

/// What a run waits for, for people.
fn told(open: &[(&Arc<str>, &str, &str)], state: &State) -> String {
    let waits =
        open.iter().map(|(step, which, event)| if *which == "event" { format!("step {step}: {event}") } else { format!("step {step}: {event} ({which})") });
    let questions = state.questions().into_iter().map(|(step, _)| format!("step {step}: an answer"));
    let all: Vec<String> = waits.chain(questions).collect();
    if all.is_empty() { "it waits for no event now".to_owned() } else { format!("open are {}", all.join(", ")) }
}
