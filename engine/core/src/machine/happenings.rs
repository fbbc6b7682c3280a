//! What each happening does to a run. Late and repeated ones do nothing.

use super::{
    Action, EXIT_TARGET, Happening, RUN_TIMER, SETTLE_TIMER, Start,
    leaf::{Leaf, Phase},
    state::{Opening, Undecided, cleans_up},
    turn::Turn,
};
use crate::{
    ErrorCode, StepError, Value,
    history::{ChildOutcome, Fact, REVISION, StepPath},
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
