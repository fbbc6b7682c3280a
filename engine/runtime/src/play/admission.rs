//! Starts in the pretended world: triggers, keys and modes, as the engine takes them (SEMANTICS.md 22, 23).

use super::{
    Outside, Refused, Watch, World,
    turn::by_hand,
    world::{Played, Work},
};
use crate::{
    admission::bounded_key,
    gates::{Meeting, meet},
};
use onward_core::{
    ErrorCode, Event, RunId, StepError, Value,
    definition::{Mode, TriggerKind, Workflow},
    history::{ChildOutcome, Parent},
    limits,
    machine::{Admission, Asked, Happening, Known, Need, Start, State, admit, admit_input},
    ports::KeyState,
};
use std::{collections::BTreeMap, sync::Arc};

/// Records that one trigger may ask for, in rounds.
const NEEDS: usize = 16;

/// A start that wants to be let in.
#[derive(Debug)]
pub(super) struct Held {
    /// The trigger and its event; `None`: by hand.
    pub(super) origin: Option<(usize, Arc<Event>)>,
    /// The id of a run that another one starts, and who waits for it.
    pub(super) child: Option<(RunId, Parent)>,
    pub(super) input: Value,
    pub(super) reads: BTreeMap<String, Value>,
    pub(super) depth: u16,
}

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Starts the first workflow of the stage by hand.
    pub fn start_by_hand(&mut self, input: &Value) {
        let Some(workflow) = self.stage.workflows.first().map(Arc::clone) else { return };
        match self.ask(|asked| admit_input(&workflow, input, asked)) {
            Admission::Yes { input, key, reads, .. } => drop(self.request(0, key.as_deref(), Held::of_its_own(None, input, reads, 0))),
            Admission::Error(reason) => self.refuse(&workflow, reason),
            Admission::No | Admission::Need(_) => self.refuse(&workflow, "it does not start with this input".into()),
        }
        self.settle();
    }

    /// Asks the triggers of all workflows about an event.
    pub(super) fn triggers(&mut self, event: &Arc<Event>) {
        let mut envelope = None;
        for (index, workflow) in self.stage.workflows.iter().enumerate() {
            for (trigger, on) in workflow.triggers.iter().enumerate() {
                if !listens(&on.on, &event.body.kind) {
                    continue;
                }
                let envelope = Arc::clone(envelope.get_or_insert_with(|| Arc::new(event.envelope())));
                match self.ask(|asked| admit(workflow, trigger, &envelope, asked)) {
                    Admission::Yes { input, key, reads, .. } => {
                        let origin = Some((trigger, Arc::clone(event)));
                        drop(self.request(index, key.as_deref(), Held::of_its_own(origin, input, reads, event.body.depth)));
                        // A workflow starts once by one event.
                        break;
                    }
                    Admission::No => self.refuse(workflow, format!("the `if` of trigger {} does not hold", trigger + 1)),
                    Admission::Error(message) => self.refuse(workflow, format!("trigger {} failed: {message}", trigger + 1)),
                    Admission::Need(_) => self.refuse(workflow, format!("trigger {} asked for the same record again and again", trigger + 1)),
                }
            }
        }
    }

    pub(super) fn ask(&mut self, ask: impl Fn(Asked<'_>) -> Admission) -> Admission {
        let mut known = Known::default();
        for _ in 0..NEEDS {
            match ask(Asked { known: &known, now: self.now, timezone: &self.stage.timezone }) {
                Admission::Need(Need::Records(records)) => {
                    for record in records {
                        let value = self.live_record(&record);
                        known.records.insert(record.name, value);
                    }
                }
                decided => return decided,
            }
        }
        Admission::Error("the trigger asked for the same record again and again".into())
    }

    fn refuse(&mut self, workflow: &Workflow, reason: String) {
        self.watch.refused(&Refused { workflow: workflow.name.clone(), reason });
    }

    /// Lets a start in, holds it, or refuses it: `Err` says why.
    pub(super) fn request(&mut self, index: usize, key: Option<&str>, request: Held) -> Result<(), String> {
        let Some(workflow) = self.stage.workflows.get(index).map(Arc::clone) else { return Ok(()) };
        if request.depth > limits::EVENT_DEPTH {
            let reason = format!("more than {} causes in a row led here: the automations trigger each other", limits::EVENT_DEPTH);
            self.refuse(&workflow, reason.clone());
            return Err(reason);
        }
        let own = request.child.as_ref().map_or_else(|| self.stage.run_id(self.runs.len()), |(run_id, _)| *run_id);
        let key = key.map_or_else(|| own.to_string(), bounded_key);
        let state = self.key_state(index, &key);
        match meet(workflow.mode, &workflow.reentry, &state, None, self.now) {
            Meeting::Go => self.begin(index, key, request),
            Meeting::Refuse(reason) => {
                self.refuse(&workflow, reason.clone());
                return Err(reason);
            }
            Meeting::Hold(_) => self.held.entry((index, key)).or_default().push_back(request),
            Meeting::Replace(_) => {
                self.replace(&state);
                self.held.entry((index, key)).or_default().push_back(request);
            }
        }
        Ok(())
    }

    /// Cancels the living runs of a key, for a newer start.
    fn replace(&mut self, state: &KeyState) {
        for old in &state.live {
            if let Some(run) = self.runs.iter().position(|played| played.state.run_id == *old) {
                let happening = Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false };
                self.does(run, happening);
            }
        }
    }

    fn begin(&mut self, index: usize, key: String, request: Held) {
        let run = self.runs.len();
        let (run_id, parent) = request.child.map_or_else(|| (self.stage.run_id(run), None), |(run_id, parent)| (run_id, Some(parent)));
        let (trigger, event, event_id) = match &request.origin {
            Some((trigger, event)) => (Some(*trigger), event.envelope(), Some(event.event_id)),
            None => (None, by_hand(run_id, self.now, &request.input), None),
        };
        let seed = self.stage.chance(&[b"run", &run.to_be_bytes()]);
        let start = Start { version: 1, key, trigger, input: request.input, event, event_id, seed, depth: request.depth, parent, reads: request.reads };
        self.runs.push(Played { workflow: index, state: State::new(run_id), timers: BTreeMap::new(), history: Vec::new() });
        self.does(run, Happening::Started(start));
    }

    /// Begins the new history of a run that goes on in one.
    pub(super) fn continue_as(&mut self, old: usize, run_id: onward_core::RunId, input: onward_core::Value) {
        let Some(played) = self.runs.get(old) else { return };
        let run = self.runs.len();
        let start = Start {
            version: 1,
            key: played.state.key.to_string(),
            trigger: None,
            input,
            event: onward_core::Value::clone(&played.state.event),
            event_id: played.state.event_id,
            seed: self.stage.chance(&[b"run", &run.to_be_bytes()]),
            depth: played.state.depth,
            parent: played.state.parent.clone(),
            reads: BTreeMap::new(),
        };
        let workflow = played.workflow;
        self.runs.push(Played { workflow, state: State::new(run_id), timers: BTreeMap::new(), history: Vec::new() });
        self.does(run, Happening::Started(start));
    }

    /// What is known of a key. A run whose start is still to be handed to the machine lives already.
    fn key_state(&self, index: usize, key: &str) -> KeyState {
        let starting = self.work.iter().filter_map(|work| match work {
            Work::Happen { run, happening } => match (&**happening, self.runs.get(*run)) {
                (Happening::Started(start), Some(run)) if start.key == key && run.workflow == index => Some(run.state.run_id),
                _ => None,
            },
            _ => None,
        });
        let alive = self
            .runs
            .iter()
            .filter(|run| run.workflow == index && run.state.seq > 0 && !run.state.status.is_final() && *run.state.key == *key)
            .map(|run| run.state.run_id);
        KeyState {
            live: alive.chain(starting).collect(),
            last_ended_at: self.ended.get(&(index, key.to_owned())).copied(),
            oldest_held: self.held.get(&(index, key.to_owned())).and_then(|held| (!held.is_empty()).then_some(0)),
            newest_held: None,
        }
    }

    /// Starts the next held start of a key, as soon as `mode` permits.
    pub(super) fn release(&mut self, index: usize, key: &str) {
        let place = (index, key.to_owned());
        if !self.held.contains_key(&place) {
            return;
        }
        let Some(workflow) = self.stage.workflows.get(index).map(Arc::clone) else { return };
        let state = self.key_state(index, key);
        if matches!(workflow.mode, Mode::Queued | Mode::Restart) && !state.live.is_empty() {
            return;
        }
        let Some(held) = self.held.get_mut(&place) else { return };
        // A still newer start of `restart` replaces those before it.
        let newest = if workflow.mode == Mode::Restart { held.drain(..).next_back() } else { held.pop_front() };
        if held.is_empty() {
            self.held.remove(&place);
        }
        let Some(request) = newest else { return };
        match meet(workflow.mode, &workflow.reentry, &KeyState { oldest_held: None, newest_held: None, ..state }, None, self.now) {
            Meeting::Refuse(reason) => {
                if let Some((run_id, parent)) = request.child {
                    let error = StepError::new(ErrorCode::Conflict, format!("workflow {:?} was not started: {reason}", workflow.name));
                    self.tell(run_id, parent, ChildOutcome::Failed { error });
                }
                self.refuse(&workflow, reason);
                self.work.push_back(Work::Release { workflow: index, key: key.to_owned() });
            }
            Meeting::Go | Meeting::Hold(_) | Meeting::Replace(_) => self.begin(index, key.to_owned(), request),
        }
    }
}

/// Whether a trigger listens for events of a type. A time is played by its event.
fn listens(on: &TriggerKind, kind: &str) -> bool {
    match on {
        TriggerKind::Event(wanted) => wanted == kind,
        TriggerKind::Schedule(_) => kind == "schedule.fired",
        TriggerKind::Webhook(webhook) => kind == webhook.event_type(),
        TriggerKind::Manual { .. } => false,
    }
}
