//! How runs end (SEMANTICS.md 25): no new steps; calls in flight get time to settle; then the last entry.

use super::{
    Action, EXIT_TARGET, RUN_TIMER, SETTLE_TIMER,
    groups::Motion,
    leaf::{Leaf, UNDO},
    state::{Cause, cleans_up},
    strand::Trail,
    turn::Turn,
};
use crate::{
    ErrorCode, StepError, Value,
    definition::Verb,
    history::{ChildOutcome, Fact, StepPath},
};
use std::sync::Arc;

impl Turn<'_, '_> {
    /// Someone wants the run to end. Once it is ending, only `force` changes anything.
    pub(super) fn cancel(&mut self, by: String, reason: Option<String>, force: bool) {
        if self.state.ending.is_some() && !force {
            return;
        }
        self.record(None, Fact::CancelRequested { by, reason, force });
    }

    /// Takes a run that is ending one step nearer to its end. False: it waits for something.
    pub(super) fn wind_down(&mut self) -> bool {
        let Some(ending) = self.state.ending.clone() else { return false };
        if ending.is_forced() {
            self.abandon_everything();
            self.finish(ending.cause);
            return true;
        }
        let standing: Vec<StepPath> = self.state.leaves.keys().filter(|path| !cleans_up(self.workflow, path)).cloned().collect();
        let is_awaited = |leaf: Option<&Leaf>| leaf.is_some_and(|leaf| leaf.is_in_flight() || matches!(leaf, Leaf::Child { waits: true, .. }));
        let (awaited, at_rest): (Vec<StepPath>, Vec<StepPath>) = standing.into_iter().partition(|path| is_awaited(self.state.leaves.get(path)));
        if !self.state.winding_down {
            self.state.winding_down = true;
            for path in &awaited {
                if let Some(Leaf::Child { run_id, .. }) = self.state.leaves.get(path) {
                    let run_id = *run_id;
                    self.act(Action::CancelChild { run_id });
                }
            }
            if !awaited.is_empty() || !self.state.detached.is_empty() {
                self.act(Action::SetTimer { key: SETTLE_TIMER.to_owned(), due: ending.settles_at() });
            }
        }
        if !at_rest.is_empty() {
            return at_rest.iter().all(|path| self.cancel_leaf(path).is_ok());
        }
        if !awaited.is_empty() || !self.state.detached.is_empty() {
            return false;
        }
        match self.run_finally(&Trail::new(), None) {
            Motion::Moved => return true,
            Motion::Rests => return false,
            Motion::Closed => {}
        }
        if ending.undoes() {
            if self.state.leaves.keys().any(|path| path.starts_with(UNDO)) {
                return false;
            }
            if self.undo_last() {
                return true;
            }
        }
        self.finish(ending.cause);
        true
    }

    /// Begins to undo the step that completed last. False: there is none.
    fn undo_last(&mut self) -> bool {
        let Some(undo) = self.state.undo.last().cloned() else { return false };
        let path: StepPath = format!("{UNDO}{}", undo.step).into();
        let Some(Verb::Do { compensate: Some(compensation), .. }) = self.workflow.step(&undo.step).map(|step| &step.verb) else {
            self.hold_for_engine(&format!("step {} is to be undone, and this version does not say how", undo.step));
            return false;
        };
        let node = compensation.node.clone();
        self.record(Some(&undo.step), Fact::CompensationStarted { node: node.clone() });
        match undo.input {
            Ok(input) => {
                let input = Some(input);
                self.record(Some(&path), Fact::StepScheduled { node, attempt: 1, generation: self.state.reopens, input, timeout_ms: None, prepared: None });
                self.run(&path);
            }
            Err(error) => self.fail_step(&path, error),
        }
        true
    }

    /// Calls in flight had their time: what they did or did not do stays unknown, and is undone.
    pub(super) fn give_up_calls(&mut self) {
        self.act(Action::ClearTimer { key: SETTLE_TIMER.to_owned() });
        let calls: Vec<StepPath> = self.state.in_flight().into_iter().map(|call| call.step).collect();
        for path in calls {
            if cleans_up(self.workflow, &path) {
                continue;
            }
            if self.state.detached.contains_key(&path) {
                self.act(Action::Abandon { step: Arc::clone(&path) });
                self.record(Some(&path), Fact::StepCancelled { undo: None });
            } else if self.cancel_leaf(&path).is_err() {
                return;
            }
        }
    }

    /// Without `finally`, compensation or waiting.
    fn abandon_everything(&mut self) {
        let calls: Vec<StepPath> = self.state.detached.keys().cloned().collect();
        for path in calls {
            self.act(Action::Abandon { step: Arc::clone(&path) });
            self.record(Some(&path), Fact::StepCancelled { undo: None });
        }
        let leaves: Vec<StepPath> = self.state.leaves.keys().cloned().collect();
        for path in leaves {
            if path.starts_with(UNDO) || self.cancel_leaf(&path).is_err() {
                self.act(Action::Abandon { step: Arc::clone(&path) });
                self.record(Some(&path), Fact::StepCancelled { undo: None });
            }
        }
    }

    /// The last entry of a run that is ending.
    fn finish(&mut self, cause: Cause) {
        match cause {
            Cause::Cancelled { reason, .. } => {
                self.clean_up();
                self.tell_parent(ChildOutcome::Cancelled {});
                self.record(None, Fact::RunCancelled { reason });
                self.act(Action::Ended);
            }
            Cause::Exited { event, .. } => self.complete(Value::Null, Some(event)),
            Cause::TimedOut => self.fail_run(StepError::new(ErrorCode::Timeout, "the run took longer than its `timeout`")),
            Cause::Failed(error) => self.fail_run(error),
            Cause::Stopped(output) => self.complete(output, None),
        }
    }

    fn tell_parent(&mut self, outcome: ChildOutcome) {
        if let Some(parent) = self.state.parent.clone() {
            self.act(Action::TellParent { parent, outcome });
        }
    }

    /// The good end.
    pub(super) fn complete(&mut self, output: Value, exit: Option<String>) {
        self.clean_up();
        self.tell_parent(ChildOutcome::Completed { output: output.clone() });
        self.record(None, Fact::RunCompleted { output, exit });
        self.act(Action::Ended);
    }

    /// The end of this history: the run goes on in a new one, and whoever waits for its end waits for that one's.
    pub(super) fn continue_as(&mut self, input: Value) {
        let run_id = self.child_id(super::journal::SCRIPT_STEP);
        self.clean_up();
        self.tell_parent(ChildOutcome::Continued { next: run_id });
        self.act(Action::ContinueAs { run_id, input });
        self.record(None, Fact::RunCompleted { output: serde_json::json!({ "continued_as": run_id }), exit: None });
        self.act(Action::Ended);
    }

    /// The bad end; it emits `run.failed`, unless `run.failed` started this very run.
    pub(super) fn fail_run(&mut self, error: StepError) {
        self.clean_up();
        let data = serde_json::json!({
            "workflow": self.workflow.name,
            "run_id": self.state.run_id,
            "error": { "code": error.code, "message": error.message, "step": error.step, "details": error.details },
            "contact_id": self.state.bindings.get("contact"),
        });
        let emits = self.state.event["type"] != "run.failed";
        self.tell_parent(ChildOutcome::Failed { error: error.clone() });
        self.record(None, Fact::RunFailed { error });
        if emits {
            let id = self.event_id_of("$failed", u64::from(self.state.reopens));
            let event = self.own_event("run.failed".into(), id, data);
            self.act(Action::Emit(event));
        }
        self.act(Action::Ended);
    }

    /// Drops what still listens or ticks for the run.
    fn clean_up(&mut self) {
        if self.state.deadline.is_some() {
            self.act(Action::ClearTimer { key: RUN_TIMER.to_owned() });
        }
        if self.state.ending.is_some() {
            self.act(Action::ClearTimer { key: SETTLE_TIMER.to_owned() });
        }
        let calls: Vec<StepPath> = self.state.detached.keys().cloned().collect();
        for step in calls {
            self.act(Action::Abandon { step });
        }
        let exits: Vec<usize> = self.state.exits_open.keys().copied().collect();
        for index in exits {
            self.act(Action::CloseWait { target: format!("{EXIT_TARGET}{index}") });
        }
    }
}
