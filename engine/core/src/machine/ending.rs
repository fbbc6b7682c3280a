//! How runs end (SEMANTICS.md 25): no new steps; calls in flight get time to settle; then the last entry.

use super::{
    Action, EXIT_TARGET, RUN_TIMER, SETTLE_TIMER,
    state::{Active, Ending, Phase},
    turn::Turn,
};
use crate::{ErrorCode, StepError, Value, history::Fact};
use std::sync::Arc;

impl Turn<'_, '_> {
    /// Someone wants the run to end. Once it is ending, only `force` changes anything.
    pub(super) fn cancel(&mut self, by: String, reason: Option<String>, force: bool) {
        if self.state.ending.is_some() && !force {
            return;
        }
        self.record(None, Fact::CancelRequested { by, reason, force });
        self.stop_everything(force);
    }

    /// Ends what is in progress. A call in flight gets time to settle, unless `at_once`.
    pub(super) fn stop_everything(&mut self, at_once: bool) {
        let (path, in_flight) = match self.state.cursor.leaf() {
            Some(Active::Node(progress)) => (Arc::clone(&progress.path), progress.phase == Phase::InFlight),
            Some(Active::Sleep { path, .. } | Active::Wait { path, .. }) => (Arc::clone(path), false),
            Some(Active::Branch { .. }) | None => {
                self.finish_ending();
                return;
            }
        };
        if in_flight && !at_once {
            if let Some(ending) = &self.state.ending {
                let due = ending.settles_at();
                self.act(Action::SetTimer { key: SETTLE_TIMER.to_owned(), due });
            }
            return;
        }
        self.act(if in_flight { Action::Abandon { step: Arc::clone(&path) } } else { Action::ClearTimer { key: path.to_string() } });
        self.act(Action::CloseWait { target: path.to_string() });
        self.record(Some(&path), Fact::StepCancelled {});
        self.finish_ending();
    }

    /// The last entry of a run that is ending.
    pub(super) fn finish_ending(&mut self) {
        match self.state.ending.clone() {
            Some(Ending::Cancelled { reason, .. }) => {
                self.clean_up();
                self.record(None, Fact::RunCancelled { reason });
                self.act(Action::Ended);
            }
            Some(Ending::Exited { event, .. }) => self.complete(Value::Null, Some(event)),
            Some(Ending::TimedOut { .. }) => self.fail_run(StepError::new(ErrorCode::Timeout, "the run took longer than its `timeout`")),
            None => {}
        }
    }

    /// The good end.
    pub(super) fn complete(&mut self, output: Value, exit: Option<String>) {
        self.clean_up();
        self.record(None, Fact::RunCompleted { output, exit });
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
        self.record(None, Fact::RunFailed { error });
        if emits {
            let id = self.event_id_of("$failed", 0);
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
        let exits: Vec<usize> = self.state.exits_open.keys().copied().collect();
        for index in exits {
            self.act(Action::CloseWait { target: format!("{EXIT_TARGET}{index}") });
        }
    }
}
