//! What each happening does to a run. Late and repeated ones do nothing.

use super::{
    Action, EXIT_TARGET, ExitCause, Happening, RUN_TIMER, SETTLE_TIMER, Start,
    journal::SCRIPT_STEP,
    leaf::{Leaf, Phase, UNDO},
    state::{Opening, Undecided, cleans_up, weight},
    turn::{Stop, Turn, identifier},
};
use crate::{
    ErrorCode, Event, StepError, Timestamp, Value,
    definition::{Compensation, RetryPolicy, Verb, Workflow},
    digest,
    history::{ChildOutcome, Fact, REVISION, StepPath},
    limits,
    ports::{Effect, Outcome},
};
use std::sync::Arc;

impl Turn<'_, '_> {
    /// Takes a happening in and goes on as far as the run can.
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Started(start) => self.started(start),
            Happening::Continue => match self.state.undecided.take() {
                Some(Undecided::Event(target, which, event)) => self.event(&target, &which, &event),
                Some(Undecided::Outcome(step, attempt, outcome)) => self.step_ended(&step, attempt, outcome),
                Some(Undecided::Begin(step, input)) => self.begin_edited(&step, input),
                None => {}
            },
            Happening::StepEnded { step, attempt, outcome } => self.step_ended(&step, attempt, outcome),
            Happening::Due { key } => self.due(&key),
            Happening::Woken { step } => self.woken(&step),
            Happening::Event { target, which, event } => self.event(&target, &which, &event),
            Happening::Signal { step, which, event, by } => self.signal(&step, which, &event, by),
            Happening::Cancel { by, reason, force } => self.cancel(by, reason, force),
            Happening::Pause { by, reason } => {
                // A run that is ending starts nothing that could be held.
                if self.state.paused.is_none() && self.state.ending.is_none() {
                    self.record(None, Fact::Paused { by, reason });
                }
            }
            Happening::Resume { by } => self.resume(by),
            Happening::Reopen(reopening) => self.reopen(*reopening),
            Happening::Migrate(migration) => self.migrate(*migration),
            Happening::ChildStarted { step } => self.child_started(&step),
            Happening::ChildRefused { step, error } => {
                if matches!(self.state.leaves.get(&step), Some(Leaf::Child { .. })) {
                    self.fail_step(&step, error);
                }
            }
            Happening::ChildEnded { step, run_id, outcome } => self.child_ended(&step, run_id, outcome),
            Happening::Answered { step, answer, by } => self.answered(&step, answer, by),
        }
        self.advance();
        if self.state.opening == Opening::Done && !self.state.status.is_final() && self.state.ending.is_none() && self.decision.need.is_none() {
            self.open_exits();
        }
    }

    fn started(&mut self, start: Start) {
        if self.state.seq != 0 {
            return;
        }
        let deadline = self.workflow.timeout.as_ref().map(|span| span.add_to(self.at, self.context.timezone));
        self.record(
            None,
            Fact::RunStarted {
                workflow: self.workflow.name.clone(),
                version: start.version,
                revision: REVISION,
                key: start.key,
                trigger: start.trigger,
                input: start.input.into(),
                event: start.event.into(),
                event_id: start.event_id,
                seed: start.seed,
                timezone: self.context.timezone.to_owned(),
                deadline,
                depth: start.depth,
                parent: start.parent,
            },
        );
        if !start.reads.is_empty() {
            self.record(None, Fact::ValueRead { values: start.reads });
        }
        if let Some(due) = deadline {
            self.act(Action::SetTimer { key: RUN_TIMER.to_owned(), due });
        }
    }

    fn step_ended(&mut self, path: &StepPath, attempt: u32, outcome: Outcome) {
        if let Some(progress) = self.state.detached.get(path) {
            if progress.attempt == attempt {
                self.detached_ended(path, attempt, outcome);
            }
            return;
        }
        let Some(Leaf::Node(progress)) = self.state.leaves.get(path) else { return };
        if progress.attempt != attempt || progress.phase != Phase::InFlight {
            return;
        }
        let facts = Attempt { number: attempt, spent: progress.spent + 1, first_at: progress.first_at };
        let Some(rules) = rules_of(self.workflow, path, &progress.node) else { return };
        // A run that is ending starts nothing new: what would be tried again is at its end (SEMANTICS.md 25).
        if self.state.ending.is_some() && !cleans_up(self.workflow, path) {
            let error = match outcome {
                Outcome::Done { output } => return self.step_done(path, attempt, output, rules.binds),
                Outcome::Retry { error, .. } | Outcome::Failed { error } => error,
                Outcome::Hold { reason, .. } => StepError::new(ErrorCode::Cancelled, format!("the run ended while the step was held back: {reason}")),
                Outcome::Unknown { error } => unknown(error),
            };
            self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false });
            return;
        }
        match outcome {
            Outcome::Done { output } => self.step_done(path, attempt, output, rules.binds),
            Outcome::Retry { after_ms, error } => self.retry_or_fail(path, rules.retry, facts, error, after_ms, true),
            Outcome::Failed { error } => {
                let again = rules.retry.retries(&error.code);
                self.retry_or_fail(path, rules.retry, facts, error, None, again);
            }
            Outcome::Unknown { error } if rules.effect == Effect::AtMostOnce => self.fail_step(path, unknown(error)),
            Outcome::Unknown { error } => self.retry_or_fail(path, rules.retry, facts, error, None, true),
            Outcome::Hold { until, reason } => {
                self.record(Some(path), Fact::Held { until, reason });
                if let Some(due) = until {
                    self.act(Action::SetTimer { key: path.to_string(), due });
                }
            }
        }
    }

    /// The outcome of a step that was cancelled: for its undoing alone (SEMANTICS.md 26).
    fn detached_ended(&mut self, path: &StepPath, attempt: u32, outcome: Outcome) {
        match outcome {
            Outcome::Done { output } => {
                let (output, truncated) = bounded(output);
                match self.undoing(path, &output) {
                    Ok(undo) => self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated, undo }),
                    Err(_) => self.state.undecided = Some(Undecided::Outcome(Arc::clone(path), attempt, Outcome::Done { output })),
                }
            }
            Outcome::Failed { error } => self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false }),
            Outcome::Retry { error, .. } | Outcome::Unknown { error } => {
                self.record(Some(path), Fact::StepFailed { error: unknown(error).at_step(&**path), continued: false });
            }
            Outcome::Hold { reason, .. } => {
                let error = StepError::new(ErrorCode::Cancelled, format!("it was held back: {reason}"));
                self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false });
            }
        }
    }

    fn step_done(&mut self, path: &StepPath, attempt: u32, output: Value, binds: Option<&str>) {
        let Ok(undo) = self.undoing(path, &output) else {
            self.state.undecided = Some(Undecided::Outcome(Arc::clone(path), attempt, Outcome::Done { output }));
            return;
        };
        let (output, truncated) = bounded(output);
        let bound = binds.filter(|record| !self.state.bindings.contains_key(*record)).and_then(|record| Some((record.to_owned(), identifier(&output["id"])?)));
        let heavy = self.state.scope_bytes + weight(&output) > limits::RUN_SCOPE_BYTES;
        self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated, undo });
        if let Some((record, id)) = bound {
            self.record(Some(path), Fact::Bound { record, id });
        }
        if heavy && self.state.ending.is_none() {
            self.hold_for_engine(&format!("the values of this run exceed {} bytes; keep less in step outputs and variables", limits::RUN_SCOPE_BYTES));
        }
    }

    fn retry_or_fail(&mut self, path: &StepPath, policy: &RetryPolicy, attempt: Attempt, error: StepError, after_ms: Option<i64>, again: bool) {
        // `Retry-After` is a floor and costs no attempt.
        let free = after_ms.is_some();
        let pause = self.pause_before(policy, path, attempt.spent);
        let due = self.at.plus_millis(pause.max(after_ms.unwrap_or(0)));
        let in_time = policy.within_ms.is_none_or(|within| due.millis_since(attempt.first_at) <= within);
        if !again || !in_time || (!free && attempt.spent >= policy.max_attempts) {
            self.fail_step(path, error);
            return;
        }
        self.record(Some(path), Fact::RetryScheduled { attempt: attempt.number, due, error, free });
        self.act(Action::SetTimer { key: path.to_string(), due });
    }

    /// Milliseconds before the attempt that follows `spent` ones.
    fn pause_before(&self, policy: &RetryPolicy, path: &StepPath, spent: u32) -> i64 {
        let steps = i32::try_from(spent.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = (policy.initial_ms as f64 * policy.factor.powi(steps)).min(policy.max_ms as f64).max(0.0);
        let chance = digest::fraction(&[&self.state.seed.to_be_bytes(), path.as_bytes(), &spent.to_be_bytes()]);
        (full * (1.0 - policy.jitter.clamp(0.0, 1.0) * chance)) as i64
    }

    /// Fails a step for good: the run goes on when the step says so, else what is around it fails too.
    pub(super) fn fail_step(&mut self, path: &StepPath, error: StepError) {
        let ends = path.starts_with(UNDO) || &**path == SCRIPT_STEP;
        let continued = !ends && self.workflow.step(path).map_or(self.workflow.script.is_some(), |step| step.continue_on_error);
        // An error that comes from inside the step keeps its place.
        let error = if error.step.is_some() { error } else { error.at_step(&**path) };
        self.record(Some(path), Fact::StepFailed { error, continued });
    }

    fn child_started(&mut self, path: &StepPath) {
        if let Some(Leaf::Child { run_id, waits: false, .. }) = self.state.leaves.get(path) {
            let output = serde_json::json!({ "run_id": run_id });
            self.complete_step(path, output);
        }
    }

    fn child_ended(&mut self, path: &StepPath, ended: crate::RunId, outcome: ChildOutcome) {
        let Some(Leaf::Child { workflow, run_id, waits: true, .. }) = self.state.leaves.get(path) else { return };
        let (workflow, run_id) = (workflow.clone(), *run_id);
        if run_id != ended {
            return;
        }
        let error = match &outcome {
            ChildOutcome::Completed { .. } => None,
            ChildOutcome::Continued { next } => {
                // It did not hear of the cancel: it had ended before.
                if self.state.ending.is_some() {
                    self.act(Action::CancelChild { run_id: *next });
                }
                None
            }
            ChildOutcome::Failed { error } => {
                let message = format!("the run of {workflow} failed: {}", error.message);
                let details = serde_json::json!({ "run_id": run_id, "error": error });
                let mut failed = StepError::new(error.code.clone(), message);
                failed.details = details;
                Some(failed)
            }
            ChildOutcome::Cancelled {} => {
                let mut cancelled = StepError::new(ErrorCode::Cancelled, format!("the run of {workflow} was cancelled"));
                cancelled.details = serde_json::json!({ "run_id": run_id });
                Some(cancelled)
            }
        };
        self.record(Some(path), Fact::ChildEnded { run_id: ended, outcome });
        if let Some(error) = error {
            self.fail_step(path, error);
        }
    }

    fn answered(&mut self, path: &StepPath, answer: Value, by: String) {
        if !matches!(self.state.leaves.get(path), Some(Leaf::Ask { .. })) || self.state.paused.is_some() {
            return;
        }
        if self.state.ending.is_some() && !cleans_up(self.workflow, path) {
            return;
        }
        let Some(Leaf::Ask { question, .. }) = self.state.leaves.get(path) else { return };
        let data = serde_json::json!({
            "run_id": self.state.run_id, "workflow": self.workflow.name, "step": path, "title": question["title"], "who": question["who"],
            "answer": answer, "by": by, "contact_id": self.state.bindings.get("contact"),
        });
        self.act(Action::ClearTimer { key: path.to_string() });
        self.record(Some(path), Fact::AskAnswered { answer, by });
        self.emit(path, super::ANSWERED.to_owned(), data);
    }

    fn due(&mut self, key: &str) {
        match key {
            // What falls due while the run is paused is applied when it goes on (SEMANTICS.md 29).
            _ if self.state.paused.is_some() => {}
            RUN_TIMER => {
                if let Some(due) = self.state.deadline.filter(|due| *due <= self.at)
                    && self.state.ending.is_none()
                {
                    self.act(Action::ClearTimer { key: RUN_TIMER.to_owned() });
                    self.record(None, Fact::TimerFired { due });
                }
            }
            SETTLE_TIMER => {
                if self.state.ending.as_ref().is_some_and(|ending| ending.settles_at() <= self.at) {
                    self.give_up_calls();
                }
            }
            _ => self.step_due(key),
        }
    }

    fn step_due(&mut self, key: &str) {
        let at = self.at;
        let Some((path, leaf)) = self.state.leaves.get_key_value(key) else { return };
        let path = Arc::clone(path);
        if leaf.due().is_none_or(|due| due > at) {
            return;
        }
        match leaf {
            Leaf::Sleep { due } => {
                let due = *due;
                self.act(Action::ClearTimer { key: key.to_owned() });
                self.record(Some(&path), Fact::TimerFired { due });
            }
            Leaf::Wait { deadline: Some(due), .. } => {
                let due = *due;
                self.time_out(&path, due);
            }
            Leaf::Ask { deadline: Some(due), .. } if *due <= at => {
                let due = *due;
                self.act(Action::ClearTimer { key: key.to_owned() });
                self.record(Some(&path), Fact::WaitTimedOut { due });
            }
            Leaf::Ask { .. } => {
                self.tell_of_question(&path, super::REMINDED);
                if let Some(due) = self.state.leaves.get(&path).and_then(Leaf::due) {
                    self.act(Action::SetTimer { key: key.to_owned(), due });
                }
            }
            Leaf::Node(_) => self.try_again(&path),
            Leaf::Wait { deadline: None, .. } | Leaf::Child { .. } => {}
        }
    }

    /// A held step asks again before its time. While the run is paused it stays held: its timer is set again at the resume. A
    /// step of a run that is ending begins nothing new.
    fn woken(&mut self, path: &StepPath) {
        let ends = self.state.ending.is_some() && !cleans_up(self.workflow, path);
        let held = matches!(self.state.leaves.get(path), Some(Leaf::Node(progress)) if matches!(progress.phase, Phase::Held { .. }));
        if held && !ends && self.state.paused.is_none() {
            self.try_again(path);
        }
    }

    fn try_again(&mut self, path: &StepPath) {
        let Some(Leaf::Node(progress)) = self.state.leaves.get(path) else { return };
        let (node, attempt, generation) = (progress.node.to_string(), progress.attempt + 1, progress.generation);
        self.act(Action::ClearTimer { key: path.to_string() });
        self.record(Some(path), Fact::StepScheduled { node, attempt, generation, input: None, timeout_ms: None, prepared: None });
        self.run(path);
    }

    /// Ends a wait without an event.
    fn time_out(&mut self, path: &StepPath, due: Timestamp) {
        self.act(Action::ClearTimer { key: path.to_string() });
        self.act(Action::CloseWait { target: path.to_string() });
        self.record(Some(path), Fact::WaitTimedOut { due });
    }

    fn event(&mut self, target: &str, which: &str, event: &Arc<Event>) {
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
    fn signal(&mut self, path: &StepPath, which: String, event: &Event, by: String) {
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

    fn resume(&mut self, by: String) {
        if self.state.paused.is_none() {
            return;
        }
        self.record(None, Fact::Resumed { by });
        self.stand_again();
    }

    /// Sets every timer and listens for everything, as where the run stands demands.
    pub(super) fn stand_again(&mut self) {
        // What fell due meanwhile is applied now: timers are set again, waits look again at what is there.
        for (key, due) in self.state.timers() {
            self.act(Action::SetTimer { key, due });
        }
        for (path, leaf) in &self.state.leaves {
            let Leaf::Wait { waits, since, .. } = leaf else { continue };
            for (which, wait) in waits {
                if let Ok(correlation) = super::correlation_of(self.context.organisation, &wait.event, &wait.values) {
                    let open = Action::OpenWait { target: path.to_string(), which: which.clone(), correlation, since: Some(*since) };
                    self.decision.actions.push(open);
                }
            }
        }
        for (index, open) in &self.state.exits_open {
            if let Ok(correlation) = super::correlation_of(self.context.organisation, &open.event, &open.values) {
                let since = Some(self.state.started_at);
                self.decision.actions.push(Action::OpenWait { target: format!("{EXIT_TARGET}{index}"), which: "event".into(), correlation, since });
            }
        }
    }
}

/// How a node is run.
#[derive(Clone, Copy)]
pub(super) struct CallRules<'w> {
    pub(super) retry: &'w RetryPolicy,
    pub(super) effect: Effect,
    pub(super) binds: Option<&'w str>,
}

/// How the node of a step, or of its undoing, is run.
pub(super) fn rules_of<'w>(workflow: &'w Workflow, path: &str, node: &str) -> Option<CallRules<'w>> {
    if let Some(script) = &workflow.script {
        let node = script.node(node);
        return Some(CallRules { retry: &node.retry, effect: node.effect, binds: node.binds.as_deref() });
    }
    let (undoes, path) = match path.strip_prefix(UNDO) {
        Some(step) => (true, step),
        None => (false, path),
    };
    match &workflow.step(path)?.verb {
        Verb::Do { compensate: Some(Compensation { retry, effect, .. }), .. } if undoes => Some(CallRules { retry, effect: *effect, binds: None }),
        Verb::Do { retry, effect, binds, .. } if !undoes => Some(CallRules { retry, effect: *effect, binds: binds.as_deref() }),
        _ => None,
    }
}

/// The facts of one attempt.
#[derive(Clone, Copy)]
struct Attempt {
    number: u32,
    spent: u32,
    first_at: Timestamp,
}

/// An at-most-once effect that may or may not have happened.
fn unknown(error: StepError) -> StepError {
    StepError { code: ErrorCode::OutcomeUnknown, ..error }
}

/// A step's output within its limit; a larger one is cut and flagged, never an error that would repeat the effect.
pub(super) fn bounded(output: Value) -> (Value, bool) {
    let bytes = weight(&output);
    if bytes <= limits::STEP_OUTPUT_BYTES {
        return (output, false);
    }
    let text = output.to_string();
    let mut end = limits::INLINE_PAYLOAD_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (serde_json::json!({ "truncated": true, "bytes": text.len(), "text": &text[..end] }), true)
}
