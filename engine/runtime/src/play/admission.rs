//! Starts in the pretended world: triggers, and what is asked of them before they are let in (see `gates`).

use super::{Outside, Refused, Watch, World, gates::Candidate, turn::by_hand, world::Played};
use onward_core::{
    Event, RunId, Value,
    definition::{TriggerKind, Workflow},
    limits,
    machine::{Admission, Asked, Happening, Known, LimitKey, Need, Start, State, admit, admit_input},
};
use std::{collections::BTreeMap, sync::Arc};

/// Records that one trigger may ask for, in rounds.
const NEEDS: usize = 16;

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Starts the first workflow of the stage by hand.
    pub fn start_by_hand(&mut self, input: &Value) {
        let Some(workflow) = self.stage.workflows.first().map(Arc::clone) else { return };
        match self.ask(|asked| admit_input(&workflow, input, asked)) {
            Admission::Yes { input, key, reads, gates } => {
                drop(self.request(Candidate { key, reads, gates, ..Candidate::new(0, input) }));
            }
            Admission::Error(reason) => self.refuse(self.contact, &workflow, reason),
            Admission::No | Admission::Need(_) => self.refuse(self.contact, &workflow, "it does not start with this input".into()),
        }
        self.settle();
    }

    /// Asks the triggers of all workflows about an event; `meant` is the schedule (workflow, trigger) that it is for.
    pub(super) fn triggers(&mut self, event: &Arc<Event>, meant: Option<(usize, usize)>) {
        let mut envelope = None;
        for (index, workflow) in self.stage.workflows.iter().enumerate() {
            for (trigger, on) in workflow.triggers.iter().enumerate() {
                let elsewhere = matches!(on.on, TriggerKind::Schedule(_)) && meant.is_some_and(|meant| meant != (index, trigger));
                if elsewhere || !listens(&on.on, &event.body.kind) {
                    continue;
                }
                let envelope = Arc::clone(envelope.get_or_insert_with(|| Arc::new(event.envelope())));
                match self.ask(|asked| admit(workflow, trigger, &envelope, asked)) {
                    Admission::Yes { input, key, reads, gates } => {
                        let origin = Some((trigger, Arc::clone(event)));
                        drop(self.request(Candidate { origin, key, reads, gates, depth: event.body.depth, ..Candidate::new(index, input) }));
                        // A workflow starts once by one event.
                        break;
                    }
                    Admission::No => self.refuse(self.contact, workflow, format!("the `if` of trigger {} does not hold", trigger + 1)),
                    Admission::Error(message) => self.refuse(self.contact, workflow, format!("trigger {} failed: {message}", trigger + 1)),
                    Admission::Need(_) => self.refuse(self.contact, workflow, format!("trigger {} asked for the same record again and again", trigger + 1)),
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

    pub(super) fn refuse(&mut self, contact: u64, workflow: &Workflow, reason: String) {
        self.watch.refused(contact, &Refused { workflow: workflow.name.clone(), reason });
    }

    /// Lets a start in, holds it, or refuses it: `Err` says why.
    pub(super) fn request(&mut self, mut candidate: Candidate) -> Result<(), String> {
        candidate.contact = self.contact;
        let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) else { return Ok(()) };
        if candidate.depth > limits::EVENT_DEPTH {
            let reason = format!("more than {} causes in a row led here: the automations trigger each other", limits::EVENT_DEPTH);
            self.refuse(candidate.contact, &workflow, reason.clone());
            return Err(reason);
        }
        self.let_in(candidate)
    }

    /// A start that passed every gate becomes a run.
    pub(super) fn begin(&mut self, mut candidate: Candidate) {
        self.leaves(&mut candidate, true);
        let run = self.runs.len();
        let (run_id, parent) = candidate.child.map_or_else(|| (self.stage.run_id(run), None), |(run_id, parent)| (run_id, Some(parent)));
        let (trigger, event, event_id) = match &candidate.origin {
            Some((trigger, event)) => (Some(*trigger), event.envelope(), Some(event.event_id)),
            None => (None, by_hand(run_id, self.now, &candidate.input), None),
        };
        let seed = self.stage.chance(&[b"run", &run.to_be_bytes()]);
        let Candidate { workflow, input, reads, depth, permit, contact, .. } = candidate;
        let key = Start::key_or_id(candidate.key, run_id);
        let start = Start { version: 1, key, trigger, input, event, event_id, seed, depth, parent, reads };
        self.add(workflow, start, run_id, permit, contact);
    }

    fn add(&mut self, workflow: usize, start: Start, run_id: RunId, permit: Option<LimitKey>, contact: u64) {
        let run = self.runs.len();
        self.places.insert(run_id, run);
        self.living.entry((workflow, start.key.clone())).or_default().push(run);
        self.runs.push(Played { workflow, state: State::new(run_id), timers: BTreeMap::new(), history: Vec::new(), permit, contact, gone: false });
        self.watch.started(run, workflow, contact);
        self.does(run, Happening::Started(start));
    }

    /// Begins the new history of a run that goes on in one, with the permit that it has.
    pub(super) fn continue_as(&mut self, old: usize, run_id: RunId, input: Value) {
        let Some(played) = self.runs.get_mut(old) else { return };
        let permit = played.permit.take();
        let Some(played) = self.runs.get(old) else { return };
        let run = self.runs.len();
        let start = Start {
            version: 1,
            key: played.state.key.to_string(),
            trigger: None,
            input,
            event: Value::clone(&played.state.event),
            event_id: played.state.event_id,
            seed: self.stage.chance(&[b"run", &run.to_be_bytes()]),
            depth: played.state.depth,
            parent: played.state.parent.clone(),
            reads: BTreeMap::new(),
        };
        let (workflow, contact) = (played.workflow, played.contact);
        self.add(workflow, start, run_id, permit, contact);
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
