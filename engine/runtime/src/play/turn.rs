//! One turn of one run: the machine decides, its needs are met, its actions are done.

use super::{
    Answered, Outside, Stage, Watch, World,
    listening::Listening,
    world::{Coming, Work},
};
use onward_core::{
    ErrorCode, Event, Object, StepError, Timestamp, Value,
    definition::Workflow,
    history::{Entry as HistoryEntry, Fact},
    hours,
    machine::{self, Action, Context, Decision, Happening, InFlight, Known, Need, State, decide},
    ports::{Effect, HeldQueue, Outcome, RecordRef},
};
use std::{collections::hash_map::Entry, sync::Arc};

/// Needs that one happening may have, in rounds.
const NEEDS: usize = 10_000;

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Hands a happening to the machine.
    pub(super) fn turn(&mut self, run: usize, happening: Happening) {
        let Some(played) = self.runs.get(run).filter(|played| !played.gone) else { return };
        let (contact, workflow) = (played.contact, self.stage.workflows.get(played.workflow).map(Arc::clone));
        let Some(workflow) = workflow else { return };
        self.about(contact);
        if !self.takes_turn() {
            return;
        }
        self.tried_before(run, &workflow, &happening);
        let Some(mut state) = self.runs.get_mut(run).map(|played| std::mem::replace(&mut played.state, State::new(self.stage.run_id(run)))) else { return };
        let again = self.trial.repeats().then(|| happening.clone());
        let decision = self.decide(run, &workflow, &mut state, happening);
        let ended = state.status.is_final();
        if let Some(played) = self.runs.get_mut(run) {
            played.state = state;
            if self.stage.keep_histories {
                played.history.extend(decision.entries.iter().cloned());
            }
        }
        self.watch.recorded(run, &decision.entries);
        for action in decision.actions {
            self.act(run, &workflow, action, &decision.entries);
        }
        if ended {
            self.end(run);
        }
        if let Some(happening) = again {
            self.tried_again(run, &workflow, happening);
        }
    }

    /// Everything that one happening leads to, its needs met; entries and actions of all rounds together.
    pub(super) fn decide(&mut self, run: usize, workflow: &Workflow, state: &mut State, mut happening: Happening) -> Decision {
        let mut known = Known::default();
        let mut all = Decision::default();
        for _ in 0..NEEDS {
            let context = Context { organisation: Stage::organisation(), now: self.now, known: &known, timezone: &self.stage.timezone };
            let mut decision = decide(workflow, state, happening, &context);
            all.entries.append(&mut decision.entries);
            all.actions.append(&mut decision.actions);
            let Some(need) = decision.need else { return all };
            self.meet(run, need, &mut known);
            happening = Happening::Continue;
        }
        self.faults.push(format!("run {} asks again and again for what it was told", state.run_id));
        all
    }

    /// A live record; what an organisation always has is there without anybody saying so.
    pub(super) fn live_record(&mut self, record: &RecordRef) -> Value {
        let mut value = self.outside.record(record);
        let Some(fields) = value.as_object_mut() else { return value };
        match record.name.as_str() {
            "org" => {
                fields.entry("timezone").or_insert_with(|| self.stage.timezone.as_str().into());
                fields.entry("business_hours").or_insert_with(hours::usual);
            }
            "contact" => {
                fields.entry("fields").or_insert_with(|| Value::Object(Object::new()));
                fields.entry("tags").or_insert_with(|| Value::Array(Vec::new()));
            }
            _ => {}
        }
        value
    }

    fn meet(&mut self, run: usize, need: Need, known: &mut Known) {
        match need {
            Need::Records(records) => {
                for record in records {
                    let value = self.live_record(&record);
                    known.records.insert(record.name, value);
                }
            }
            Need::Variant { step, by, proposal } => {
                let key = step.split('#').next().unwrap_or_default().to_owned();
                let told = self.outside.variant(&key);
                let workflow = self.runs.get(run).map_or(0, |played| played.workflow);
                let stored = self.variants.get(&(workflow, key.clone(), by.clone())).cloned();
                let sticky = stored.is_some();
                let variant = stored.or(told).unwrap_or(proposal);
                self.variants.insert((workflow, key, by), variant.clone());
                known.variants.insert(step, (variant, sticky));
            }
        }
    }

    fn act(&mut self, run: usize, workflow: &Workflow, action: Action, entries: &[HistoryEntry]) {
        match action {
            Action::Run(call) => self.call(run, workflow, call),
            Action::SetTimer { key, due } => {
                if let Some(played) = self.runs.get_mut(run) {
                    played.timers.insert(key.clone(), due);
                }
                self.comes_at(due, Coming::Timer { run, key });
            }
            Action::ClearTimer { key } => {
                if let Some(played) = self.runs.get_mut(run) {
                    played.timers.remove(&key);
                }
            }
            Action::OpenWait { target, which, correlation, since } => self.listen(run, Listening { run, target, which, correlation }, since, entries),
            Action::CloseWait { target } => self.correlated.close(run, Some(&target)),
            Action::Emit(event) => {
                self.watch.emitted(run, &event);
                self.arrive(event, None);
            }
            Action::StartChild { step, run_id, workflow: child, input } => self.start_child(run, &step, run_id, &child, input),
            Action::ContinueAs { run_id, input } => self.continue_as(run, run_id, input),
            Action::CancelChild { run_id } => self.cancel_child(run, run_id),
            Action::TellParent { parent, outcome } => self.tell_parent(run, parent, outcome),
            // Its outcome comes late and changes nothing.
            Action::Abandon { .. } | Action::Ended => {}
        }
    }

    /// Makes a call: the outside answers, in its time, unless the attempt's own time is up before.
    fn call(&mut self, run: usize, workflow: &Workflow, call: InFlight) {
        let answered = self.trial.intercept(run, &call).unwrap_or_else(|| self.outside.call(self.stage, &call, self.now));
        let answered = match call.timeout_ms {
            Some(timeout_ms) if answered.takes_ms > timeout_ms => Answered { outcome: timed_out(workflow, &call, timeout_ms), takes_ms: timeout_ms },
            _ => answered,
        };
        self.watch.called(run, self.now, &call, &answered);
        let Answered { outcome, takes_ms } = answered;
        if takes_ms > 0 {
            self.comes(takes_ms, Coming::Ended { run, step: call.step, attempt: call.attempt, outcome });
        } else {
            self.does(run, Happening::StepEnded { step: call.step, attempt: call.attempt, outcome });
        }
    }

    /// Opens a wait, looks back as far as it wants to, and lets the outside know.
    fn listen(&mut self, run: usize, wait: Listening, since: Option<Timestamp>, entries: &[HistoryEntry]) {
        if let Some(since) = since {
            for event in self.correlated.since(since, &wait.correlation) {
                let happening = Happening::Event { target: wait.target.clone(), which: wait.which.clone(), event };
                self.does(run, happening);
            }
        }
        let opened = entries.iter().find_map(|entry| match (&entry.fact, entry.step.as_deref()) {
            (Fact::WaitOpened { waits, .. }, Some(step)) if step == wait.target && waits.keys().next() == Some(&wait.which) => Some((step, waits)),
            _ => None,
        });
        // Once a step, however many names its wait has.
        if let Some((step, waits)) = opened {
            for (after_ms, event) in self.outside.waited(self.stage, step, waits) {
                self.comes(after_ms, Coming::Event(Box::new(event), self.contact));
            }
        }
        self.correlated.open(wait);
    }

    /// Hands an event to the waits that it finds, then asks every trigger.
    pub(super) fn route(&mut self, event: &Arc<Event>, meant: Option<(usize, usize)>) {
        for Listening { run, target, which, .. } in self.correlated.found(event) {
            self.does(run, Happening::Event { target, which, event: Arc::clone(event) });
        }
        self.triggers(event, meant);
    }

    fn end(&mut self, run: usize) {
        self.correlated.close(run, None);
        let Some(played) = self.runs.get_mut(run) else { return };
        played.timers.clear();
        let (workflow, key, at, permit) = (played.workflow, played.state.key.to_string(), played.state.at, played.permit.take());
        self.watch.ended(run, &played.state);
        if !self.stage.keep_histories {
            // A crowd has many: what has ended is counted, and is not kept.
            (played.state, played.gone) = (State::new(played.state.run_id), true);
        }
        if let Entry::Occupied(mut living) = self.living.entry((workflow, key.clone())) {
            living.get_mut().retain(|living| *living != run);
            if living.get().is_empty() {
                living.remove();
            }
        }
        let last = self.ended.entry((workflow, key.clone())).or_insert(at);
        *last = at.max(*last);
        self.give_permit_back(permit);
        let Some(workflow) = self.stage.workflows.get(workflow) else { return };
        self.work.push_back(Work::Release(HeldQueue::Key { workflow: workflow.name.clone(), key }));
    }
}

/// What an attempt comes to whose time is up.
fn timed_out(workflow: &Workflow, call: &InFlight, timeout_ms: i64) -> Outcome {
    let error = StepError::new(ErrorCode::Timeout, format!("{} took longer than {timeout_ms} ms", call.node));
    let mut at_most_once = false;
    workflow.steps.each_step(&mut |step| {
        if let onward_core::definition::Verb::Do { node, effect, .. } = &step.verb {
            at_most_once |= **node == *call.node && *effect == Effect::AtMostOnce;
        }
    });
    if at_most_once { Outcome::Unknown { error } } else { Outcome::Failed { error } }
}

/// The envelope of a start by hand.
pub(super) fn by_hand(run_id: onward_core::RunId, now: Timestamp, input: &Value) -> Value {
    crate::intake::manual_envelope(run_id, now, input)
}

/// The machine's words for a happening, for faults.
pub(super) fn named(happening: &Happening) -> String {
    match happening {
        Happening::Started(_) => "the start".into(),
        Happening::Continue => "going on".into(),
        Happening::StepEnded { step, attempt, .. } => format!("the end of attempt {attempt} of step {step}"),
        Happening::Woken { step } => format!("{step} looks again"),
        Happening::Due { key } if key == machine::RUN_TIMER => "the run's time-out".into(),
        Happening::Due { key } => format!("the timer of {key}"),
        Happening::Event { target, event, .. } => format!("event {} for {target}", event.body.kind),
        Happening::Signal { step, .. } => format!("a signal to step {step}"),
        Happening::Reopen(_) => "a repair".into(),
        Happening::Cancel { .. } => "a cancel".into(),
        Happening::Pause { .. } => "a pause".into(),
        Happening::Resume { .. } => "a resume".into(),
        Happening::Migrate(_) => "a move to another version".into(),
        Happening::ChildStarted { step } => format!("the start of the run of step {step}"),
        Happening::ChildRefused { step, .. } => format!("the refusal of the run of step {step}"),
        Happening::ChildEnded { step, .. } => format!("the end of the run of step {step}"),
        Happening::Answered { step, .. } => format!("the answer to step {step}"),
    }
}
