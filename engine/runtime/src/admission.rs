//! How runs of one key meet: `mode`, `reentry`, and what is held (SEMANTICS.md 22, 23).

use crate::{
    EngineError, StartRequest, StartedRun,
    batch::{Batch, Work},
    definitions::Current,
    engine::Engine,
    intake::{manual_envelope, stored_event},
    live::Live,
};
use onward_core::{
    Event, OrganisationId, RunId, Shard, Timestamp, Value,
    definition::{Mode, Reentry},
    digest, limits,
    machine::{self, Admission, Happening, Start, State},
    ports::{HeldStart, KeyState, RoutingNote, Store, StoreError, Transaction},
};
use std::{collections::BTreeMap, sync::Arc};

/// Keys whose held starts are looked at in one transaction.
const RELEASE_PAGE: usize = 100;

/// Where a start comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// An event that a trigger let in.
    Event { trigger: usize, event: Arc<Event> },
    /// A person or a program.
    Hand,
}

/// A start that wants to be let in.
pub(crate) struct Request {
    pub(crate) current: Arc<Current>,
    pub(crate) origin: Origin,
    pub(crate) input: Value,
    pub(crate) key: Option<String>,
    pub(crate) reads: BTreeMap<String, Value>,
    pub(crate) depth: u16,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Started(RunId),
    Held { run_id: RunId, reason: String },
    Refused(String),
}

/// What the key's other runs mean for a start.
#[derive(Debug, PartialEq)]
pub(crate) enum Meeting {
    Go,
    Hold(String),
    /// The living ones are cancelled first.
    Replace(String),
    Refuse(String),
}

pub(crate) fn meet(mode: Mode, reentry: &Reentry, state: &KeyState, now: Timestamp) -> Meeting {
    let entered = !state.live.is_empty() || state.last_ended_at.is_some();
    match (reentry, state.last_ended_at) {
        (Reentry::Never, _) if entered => return Meeting::Refuse("reentry: never, and this key has been here".into()),
        (Reentry::After(span), Some(ended)) => {
            let from = span.add_to(ended, "UTC");
            if now < from {
                return Meeting::Refuse(format!("reentry: after {}, so not before {from}", span.text));
            }
        }
        _ => {}
    }
    let Some(oldest) = state.live.first() else {
        return if state.held > 0 && mode != Mode::Parallel && mode != Mode::Single {
            Meeting::Hold("queued behind other starts of this key".into())
        } else {
            Meeting::Go
        };
    };
    match mode {
        Mode::Parallel => Meeting::Go,
        Mode::Single => Meeting::Refuse(format!("mode: single, and run {oldest} of this key is alive")),
        Mode::Queued => Meeting::Hold(format!("mode: queued, and run {oldest} of this key is alive")),
        Mode::Restart => Meeting::Replace(format!("mode: restart; it starts when run {oldest} has ended")),
    }
}

impl<S: Store> Engine<S> {
    /// Lets a start in, holds it, or refuses it; an event shows which.
    pub(crate) async fn request_start(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, request: Request) -> Result<Verdict, StoreError> {
        let workflow = Arc::clone(&request.current.workflow);
        let organisation = request.current.organisation;
        let event_id = match &request.origin {
            Origin::Event { event, .. } => Some(event.event_id),
            Origin::Hand => None,
        };
        let run_id = RunId(tx.fresh_id());
        let key = request.key.as_deref().map_or_else(|| run_id.to_string(), bounded_key);
        let mut note = |note: RoutingNote| batch.notes.extend(event_id.map(|event_id| (organisation, event_id, note)));
        if request.depth > limits::EVENT_DEPTH {
            let reason = format!("more than {} causes in a row led here: the automations trigger each other", limits::EVENT_DEPTH);
            tracing::error!(%organisation, workflow = workflow.name, key, "a start is held: {reason}");
            note(RoutingNote::Held { workflow: workflow.name.clone(), key, reason: reason.clone() });
            return Ok(Verdict::Refused(reason));
        }
        let meeting = if request.current.paused {
            Meeting::Hold("the workflow is paused".into())
        } else if workflow.mode == Mode::Parallel && workflow.reentry == Reentry::Always {
            Meeting::Go
        } else {
            let state = self.key_state(tx, batch, organisation, &workflow.name, &key).await?;
            let meeting = meet(workflow.mode, &workflow.reentry, &state, batch.now);
            if matches!(meeting, Meeting::Hold(_) | Meeting::Replace(_)) && state.held >= limits::HELD_STARTS_PER_KEY {
                tracing::error!(%organisation, workflow = workflow.name, key, held = state.held, "too many starts of one key are held");
                metrics::counter!("onward_held_starts_over_limit_total").increment(1);
                if event_id.is_none() {
                    return Ok(Verdict::Refused(format!("{} starts of this key are held already", state.held)));
                }
            }
            if matches!(meeting, Meeting::Replace(_)) {
                for old in &state.live {
                    batch.happen(*old, Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false });
                }
            }
            meeting
        };
        let mut note = |note: RoutingNote| batch.notes.extend(event_id.map(|event_id| (organisation, event_id, note)));
        match meeting {
            Meeting::Go => {
                note(RoutingNote::Started { run_id, workflow: workflow.name.clone() });
                self.begin_run(batch, run_id, key, request);
                Ok(Verdict::Started(run_id))
            }
            Meeting::Refuse(reason) => {
                note(RoutingNote::Suppressed { workflow: workflow.name.clone(), key, reason: reason.clone() });
                Ok(Verdict::Refused(reason))
            }
            Meeting::Hold(reason) | Meeting::Replace(reason) => {
                note(RoutingNote::Held { workflow: workflow.name.clone(), key: key.clone(), reason: reason.clone() });
                let trigger = match &request.origin {
                    Origin::Event { trigger, .. } => Some(*trigger),
                    Origin::Hand => None,
                };
                let held = HeldStart {
                    id: 0,
                    organisation,
                    workflow: workflow.name.clone(),
                    key,
                    trigger,
                    event_id,
                    input: request.input,
                    run_id,
                    reason: reason.clone(),
                    not_before: None,
                };
                let store = Arc::clone(&self.shared.store);
                store.hold_start(tx, &held).await?;
                metrics::counter!("onward_starts_held_total").increment(1);
                Ok(Verdict::Held { run_id, reason })
            }
        }
    }

    /// A start by hand: its input is checked, and the answer says what became of it.
    pub(crate) async fn start_by_hand(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        asked: &StartRequest,
    ) -> Result<Result<StartedRun, EngineError>, StoreError> {
        let snapshot = self.shared.definitions.snapshot();
        let Some(current) = snapshot.current(asked.organisation, &asked.workflow) else {
            return Ok(Err(EngineError::NotFound { what: format!("a published version of workflow {:?}", asked.workflow) }));
        };
        let workflow = Arc::clone(&current.workflow);
        let admission = self.admit(tx, batch, asked.organisation, |known| machine::admit_input(&workflow, &asked.input, known)).await?;
        let (input, key, reads) = match admission {
            Admission::Yes { input, key, reads } => (input, key, reads),
            Admission::Error(message) => return Ok(Err(EngineError::InvalidInput(message))),
            Admission::No | Admission::Need(_) => {
                return Ok(Err(EngineError::InvalidInput(format!("workflow {:?} does not start with this input", asked.workflow))));
            }
        };
        let key = asked.key.clone().or(key);
        if key.as_deref() == Some("") {
            return Ok(Err(EngineError::InvalidInput("the key is empty; leave it out, or name what the run is about".into())));
        }
        let request = Request { current: Arc::clone(current), origin: Origin::Hand, input, key, reads, depth: 0 };
        Ok(match self.request_start(tx, batch, request).await? {
            Verdict::Started(run_id) => Ok(StartedRun { run_id, held: None }),
            Verdict::Held { run_id, reason } => Ok(StartedRun { run_id, held: Some(reason) }),
            Verdict::Refused(reason) => Err(EngineError::Conflict(format!("the start was refused: {reason}"))),
        })
    }

    /// Puts a new run into memory and hands it its start.
    fn begin_run(&mut self, batch: &mut Batch<S::Tx>, run_id: RunId, key: String, request: Request) {
        let workflow = Arc::clone(&request.current.workflow);
        let organisation = request.current.organisation;
        let (trigger, event, event_id) = match &request.origin {
            Origin::Event { trigger, event } => (Some(*trigger), event.envelope(), Some(event.event_id)),
            Origin::Hand => (None, manual_envelope(run_id, batch.now, &request.input), None),
        };
        let shard = Shard::of(organisation, &workflow.name, &key);
        batch.key_change(organisation, &workflow.name, &key).started.push(run_id);
        batch.touched.insert(run_id);
        let start = Start {
            version: request.current.version,
            key,
            trigger,
            input: request.input,
            event,
            event_id,
            seed: self.shared.ids.seed(),
            depth: request.depth,
            reads: request.reads,
        };
        metrics::counter!("onward_runs_started_total").increment(1);
        self.runs.insert(Live::new(organisation, shard, workflow, State::new(run_id), 0));
        batch.happen(run_id, Happening::Started(start));
    }

    /// What is known of a key, this transaction's own changes included.
    async fn key_state(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        key: &str,
    ) -> Result<KeyState, StoreError> {
        let store = Arc::clone(&self.shared.store);
        let mut state = store.key_state(tx, organisation, workflow, key).await?;
        let change = batch.key_change(organisation, workflow, key);
        for run_id in &change.started {
            if !state.live.contains(run_id) {
                state.live.push(*run_id);
            }
        }
        for (run_id, at) in &change.ended {
            state.live.retain(|live| live != run_id);
            state.last_ended_at = state.last_ended_at.max(Some(*at));
        }
        Ok(state)
    }

    /// Releases a page of a workflow's held starts, each as far as its key permits.
    pub(crate) async fn release_all(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        after: Option<&str>,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let keys = store.held_keys(tx, organisation, workflow, after, RELEASE_PAGE).await?;
        if let Some(last) = keys.last().filter(|_| keys.len() == RELEASE_PAGE) {
            batch.more_held.push((organisation, workflow.to_owned(), last.clone()));
        }
        for key in keys {
            batch.work.push_back(Work::Release { organisation, workflow: workflow.to_owned(), key });
        }
        Ok(())
    }

    /// Starts the next held start of a key, as soon as `mode` permits: on the version published now.
    pub(crate) async fn release(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        key: &str,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let snapshot = self.shared.definitions.snapshot();
        let Some(current) = snapshot.current(organisation, workflow).filter(|current| !current.paused) else { return Ok(()) };
        let state = self.key_state(tx, batch, organisation, workflow, key).await?;
        let mode = current.workflow.mode;
        let one_at_a_time = matches!(mode, Mode::Queued | Mode::Restart);
        if state.held == 0 || (one_at_a_time && !state.live.is_empty()) {
            return Ok(());
        }
        let Some(held) = store.next_held(tx, organisation, workflow, key).await? else { return Ok(()) };
        if held.not_before.is_some_and(|moment| moment > batch.now) {
            return Ok(());
        }
        let event = match held.event_id {
            Some(event_id) => stored_event(store.as_ref(), tx, organisation, event_id).await?,
            None => None,
        };
        let (origin, depth) = match (event, held.trigger) {
            (Some(event), Some(trigger)) => {
                let depth = event.body.depth;
                (Origin::Event { trigger, event: Arc::new(event) }, depth)
            }
            _ => (Origin::Hand, 0),
        };
        store.remove_held(tx, organisation, held.id).await?;
        let refused = match meet(mode, &current.workflow.reentry, &KeyState { held: 0, ..state.clone() }, batch.now) {
            Meeting::Refuse(reason) => Some(reason),
            Meeting::Go | Meeting::Hold(_) | Meeting::Replace(_) => None,
        };
        if let Origin::Event { event, .. } = &origin {
            let workflow = workflow.to_owned();
            let note = match &refused {
                Some(reason) => RoutingNote::Suppressed { workflow, key: key.to_owned(), reason: reason.clone() },
                None => RoutingNote::Started { run_id: held.run_id, workflow },
            };
            batch.notes.push((organisation, event.event_id, note));
        }
        if refused.is_none() {
            let request = Request { current: Arc::clone(current), origin, input: held.input, key: Some(key.to_owned()), reads: BTreeMap::new(), depth };
            self.begin_run(batch, held.run_id, key.to_owned(), request);
            if mode == Mode::Restart && state.held > 1 {
                // A still newer start waits: this one shows, and gives way at once.
                batch.happen(
                    held.run_id,
                    Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false },
                );
            }
        }
        if !one_at_a_time || refused.is_some() {
            batch.work.push_back(Work::Release { organisation, workflow: workflow.to_owned(), key: key.to_owned() });
        }
        Ok(())
    }
}

/// A key as it is stored: a long one is replaced by its hash (SEMANTICS.md 18).
pub(crate) fn bounded_key(key: &str) -> String {
    if key.len() > limits::KEY_BYTES { format!("sha256:{}", digest::hex(key.as_bytes())) } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::definition::Span;
    use uuid::Uuid;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
    fn live() -> KeyState {
        KeyState { live: vec![RunId(Uuid::from_u128(1))], last_ended_at: None, held: 0 }
    }
    fn day() -> Reentry {
        Reentry::After(Span { span: jiff::Span::new().hours(24), text: "1d".into() })
    }

    #[test]
    fn each_mode_meets_a_living_run_in_its_way() {
        let always = Reentry::Always;
        assert_eq!(meet(Mode::Parallel, &always, &live(), at(0)), Meeting::Go);
        assert!(matches!(meet(Mode::Single, &always, &live(), at(0)), Meeting::Refuse(reason) if reason.contains("single")));
        assert!(matches!(meet(Mode::Queued, &always, &live(), at(0)), Meeting::Hold(_)));
        assert!(matches!(meet(Mode::Restart, &always, &live(), at(0)), Meeting::Replace(_)));
        for mode in [Mode::Parallel, Mode::Single, Mode::Queued, Mode::Restart] {
            assert_eq!(meet(mode, &always, &KeyState::default(), at(0)), Meeting::Go);
        }
    }

    #[test]
    fn a_start_never_overtakes_held_ones() {
        let state = KeyState { held: 1, ..KeyState::default() };
        assert!(matches!(meet(Mode::Queued, &Reentry::Always, &state, at(0)), Meeting::Hold(_)));
        assert!(matches!(meet(Mode::Restart, &Reentry::Always, &state, at(0)), Meeting::Hold(_)));
    }

    #[test]
    fn reentry_counts_from_the_last_end() {
        let ended = KeyState { last_ended_at: Some(at(1_000)), ..KeyState::default() };
        assert!(matches!(meet(Mode::Parallel, &Reentry::Never, &ended, at(9_000)), Meeting::Refuse(_)));
        assert!(matches!(meet(Mode::Parallel, &Reentry::Never, &live(), at(0)), Meeting::Refuse(_)));
        assert_eq!(meet(Mode::Parallel, &Reentry::Never, &KeyState::default(), at(0)), Meeting::Go);
        let free = 1_000 + 24 * 3_600_000;
        assert!(matches!(meet(Mode::Parallel, &day(), &ended, at(free - 1)), Meeting::Refuse(_)));
        assert_eq!(meet(Mode::Parallel, &day(), &ended, at(free)), Meeting::Go);
        assert_eq!(meet(Mode::Parallel, &day(), &live(), at(0)), Meeting::Go, "nothing has ended yet");
    }

    #[test]
    fn long_keys_are_hashed() {
        assert_eq!(bounded_key("+919812345678"), "+919812345678");
        let long = bounded_key(&"k".repeat(limits::KEY_BYTES + 1));
        assert!(long.starts_with("sha256:") && long.len() < limits::KEY_BYTES);
    }
}
