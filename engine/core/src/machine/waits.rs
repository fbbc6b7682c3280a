//! Waits and exits: how they open, and what an event, a signal or a time-out does to them.

use super::{
    Action, EXIT_TARGET, ExitCause, correlation_of, journal,
    leaf::Leaf,
    state::{Opening, Undecided},
    strand::trail_of,
    turn::{Stop, Turn},
};
use crate::{
    ErrorCode, Event, StepError, Timestamp, Value,
    definition::{Match, Place, Since, Step, Verb, WaitRule, Workflow, key_of_path},
    history::{Fact, OpenMatch, StepPath},
};
use std::{collections::BTreeMap, sync::Arc};

impl Turn<'_, '_> {
    pub(super) fn begin_wait(&mut self, step: &Step, path: &StepPath, waits: &[(String, WaitRule)], since: &Since) -> Result<(), Stop> {
        let mut open = BTreeMap::new();
        for (name, rule) in waits {
            let values = self.match_values(&rule.matching, path)?.ok_or_else(|| {
                Stop::Failed(StepError::new(ErrorCode::InvalidInput, "match: contact, but the run has no contact yet; find or upsert one in a step before"))
            })?;
            open.insert(name.clone(), OpenMatch { event: rule.event.clone(), values });
        }
        let deadline = match &step.timeout {
            Some(template) => Some(self.span_end(template, path)?),
            None => None,
        };
        let since = self.since(path, since, &open);
        let mut listens = Vec::with_capacity(open.len());
        for (which, wait) in &open {
            let correlation = correlation_of(self.context.organisation, &wait.event, &wait.values)
                .map_err(|message| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)))?;
            listens.push(Action::OpenWait { target: path.to_string(), which: which.clone(), correlation, since: Some(since) });
        }
        self.record(Some(path), Fact::WaitOpened { waits: open, since, deadline });
        if let Some(due) = deadline {
            self.act(Action::SetTimer { key: path.to_string(), due });
        }
        self.decision.actions.append(&mut listens);
        Ok(())
    }

    /// The values of a `match`; `None` when it needs a contact that the run does not have yet.
    pub(super) fn match_values(&mut self, matching: &Match, path: &StepPath) -> Result<Option<BTreeMap<String, Value>>, Stop> {
        match matching {
            Match::Any => Ok(Some(BTreeMap::new())),
            Match::Contact => Ok(self.state.bindings.get("contact").map(|id| [("contact_id".to_owned(), Value::from(id.as_str()))].into())),
            Match::Values(values) => {
                let mut rendered = BTreeMap::new();
                for (name, template) in values {
                    rendered.insert(name.clone(), self.render(template, path)?);
                }
                Ok(Some(rendered))
            }
        }
    }

    /// From when on events count for a wait (SEMANTICS.md 11).
    fn since(&self, path: &StepPath, since: &Since, waits: &BTreeMap<String, OpenMatch>) -> Timestamp {
        let began = |key: &str| {
            let trail = trail_of(self.workflow, path).unwrap_or_default();
            (0..=trail.len()).rev().find_map(|depth| self.state.root.at(trail.get(..depth)?)?.view.as_ref()?.began.get(key).copied())
        };
        let key = key_of_path(path);
        // In a loop: after what it last consumed, or its last time-out.
        let listened = match self.workflow.script {
            Some(_) => self.state.listened.get(&journal::listening(path, waits)),
            None => self.state.listened.get(key),
        };
        let listened = listened.and_then(|listened| listened.until);
        let named = match since {
            Since::Run => return self.state.started_at,
            Since::Step(key) => began(key),
            Since::Preceding => self.workflow.places.get(key).and_then(|place| preceding(self.workflow, place)).and_then(|key| began(&key)),
        };
        listened.or(named).unwrap_or(self.state.started_at)
    }

    /// Listens for every exit that can be listened for by now and is not yet.
    pub(super) fn open_exits(&mut self) {
        let mut opened = BTreeMap::new();
        let mut listens = Vec::new();
        // A rule that listens from the start needs no look back; one that had to wait for a step or a contact does.
        let since = (self.state.opening == Opening::Done).then_some(self.state.started_at);
        for (index, exit) in self.workflow.exit_on.iter().enumerate() {
            if self.state.exits_open.contains_key(&index) || !exit.after.iter().all(|step| self.state.output_of(step).is_some()) {
                continue;
            }
            let path: StepPath = format!("{}{index}", super::EXIT_TARGET).into();
            // No contact yet, a record to be read first, or a value that is missing so far: later.
            let Ok(Some(values)) = self.match_values(&exit.rule.matching, &path) else {
                self.decision.need = None;
                continue;
            };
            let Ok(correlation) = correlation_of(self.context.organisation, &exit.rule.event, &values) else { continue };
            opened.insert(path.to_string(), OpenMatch { event: exit.rule.event.clone(), values });
            listens.push(Action::OpenWait { target: path.to_string(), which: "event".into(), correlation, since });
        }
        if !opened.is_empty() {
            self.record(None, Fact::WaitOpened { waits: opened, since: since.unwrap_or(self.at), deadline: None });
            self.decision.actions.append(&mut listens);
        }
    }

    /// Whether a wait is open at this path, with its facts.
    pub(super) fn open_wait(&self, path: &str) -> Option<(BTreeMap<String, OpenMatch>, Timestamp, Option<Timestamp>)> {
        match self.state.leaves.get(path) {
            Some(Leaf::Wait { waits, since, deadline }) => Some((waits.clone(), *since, *deadline)),
            _ => None,
        }
    }

    pub(super) fn event(&mut self, target: &str, which: &str, event: &Arc<Event>) {
        if self.state.paused.is_some() || self.state.event_id == Some(event.event_id) {
            return;
        }
        let result = match target.strip_prefix(EXIT_TARGET) {
            Some(_) if self.state.ending.is_some() => return,
            Some(number) => number.parse().map_or(Ok(()), |number| self.exit_event(number, event)),
            None => self.wait_event(target, which, event),
        };
        if let Err(Stop::Need) = result {
            self.state.undecided = Some(Undecided::Event(target.to_owned(), which.to_owned(), Arc::clone(event)));
        }
    }

    fn exit_event(&mut self, number: usize, event: &Event) -> Result<(), Stop> {
        let (Some(open), Some(exit)) = (self.state.exits_open.get(&number), self.workflow.exit_on.get(number)) else { return Ok(()) };
        if open.event != event.body.kind || !super::correlation::matches(&open.values, &event.body.data) {
            return Ok(());
        }
        let envelope = Arc::new(event.envelope());
        let path: StepPath = format!("{EXIT_TARGET}{number}").into();
        if !self.incoming_passes(exit.rule.condition.as_ref(), &envelope, &path)? {
            return Ok(());
        }
        let exit = ExitCause { rule: number, event: event.body.kind.clone(), event_id: event.event_id };
        self.record(None, Fact::Exited { exit, event: Value::clone(&envelope), taken_in_at: event.taken_in_at });
        Ok(())
    }

    fn wait_event(&mut self, target: &str, which: &str, event: &Event) -> Result<(), Stop> {
        let Some((waits, since, deadline)) = self.open_wait(target) else { return Ok(()) };
        let Some(wait) = waits.get(which) else { return Ok(()) };
        let path: StepPath = target.into();
        let listened = super::fold::listening(self.workflow, self.state, target).ok().and_then(|key| self.state.listened.get(&key));
        let consumed = listened.is_some_and(|listened| listened.consumed.contains(&event.event_id));
        if consumed || event.taken_in_at < since || wait.event != event.body.kind || !super::correlation::matches(&wait.values, &event.body.data) {
            return Ok(());
        }
        // An event taken in at or before the due time beats the time-out, one taken in after it loses, however late either
        // is processed (SEMANTICS.md 12).
        if let Some(due) = deadline
            && event.taken_in_at > due
        {
            self.time_out(&path, due);
            return Ok(());
        }
        let condition = match self.workflow.step(target).map(|step| &step.verb) {
            Some(Verb::WaitFor { waits, .. }) => waits.iter().find(|(name, _)| name == which).and_then(|(_, rule)| rule.condition.as_ref()),
            None if self.workflow.script.is_some() => None,
            _ => return Ok(()),
        };
        let envelope = Arc::new(event.envelope());
        if !self.incoming_passes(condition, &envelope, &path)? {
            return Ok(());
        }
        if deadline.is_some() {
            self.act(Action::ClearTimer { key: target.to_owned() });
        }
        self.act(Action::CloseWait { target: target.to_owned() });
        self.record(Some(&path), Fact::EventConsumed { event_id: event.event_id });
        self.record(Some(&path), Fact::WaitResolved { which: which.to_owned(), event: Value::clone(&envelope), taken_in_at: event.taken_in_at, by: None });
        Ok(())
    }

    /// An event that somebody meant for this very wait.
    pub(super) fn signal(&mut self, path: &StepPath, which: String, event: &Event, by: String) {
        let Some((waits, _, deadline)) = self.open_wait(path).filter(|_| self.state.paused.is_none()) else { return };
        if !waits.contains_key(&which) {
            return;
        }
        if let Some(due) = deadline {
            if event.taken_in_at > due {
                self.time_out(path, due);
                return;
            }
            self.act(Action::ClearTimer { key: path.to_string() });
        }
        self.act(Action::CloseWait { target: path.to_string() });
        self.record(Some(path), Fact::WaitResolved { which, event: event.envelope(), taken_in_at: event.taken_in_at, by: Some(by) });
    }

    /// Whether the arriving event passes the `if`. One that cannot be evaluated (an image has no text) does not pass: a
    /// stranger's odd event must not fail the run.
    fn incoming_passes(&mut self, condition: Option<&crate::expression::Condition>, envelope: &Arc<Value>, path: &StepPath) -> Result<bool, Stop> {
        let Some(condition) = condition else { return Ok(true) };
        let scope = self.scope(condition.records(), Some(envelope), Some(path))?;
        let passes = condition.test(&scope).unwrap_or(false);
        if passes {
            let step = (!path.starts_with(EXIT_TARGET)).then_some(path);
            self.note_reads(step, &scope);
        }
        Ok(passes)
    }

    /// Ends a wait without an event.
    pub(super) fn time_out(&mut self, path: &StepPath, due: Timestamp) {
        self.act(Action::ClearTimer { key: path.to_string() });
        self.act(Action::CloseWait { target: path.to_string() });
        self.record(Some(path), Fact::WaitTimedOut { due });
    }
}

/// What stands before a step: the sibling before it, or else the step around it. `None`: it is the first step of all.
fn preceding(workflow: &Workflow, place: &Place) -> Option<Arc<str>> {
    match place.index.checked_sub(1) {
        Some(before) => workflow.block_at(&place.hops)?.steps.get(before).map(|step| Arc::clone(&step.key)),
        None => workflow.around(&place.hops).map(|step| Arc::clone(&step.key)),
    }
}
