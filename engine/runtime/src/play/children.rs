//! Runs that other runs start. A called workflow comes to its mock where there is one, by the name of the step or of the
//! workflow; else it is played, when its file is there.

use super::{Outside, Watch, World, gates::Candidate};
use onward_core::{
    ErrorCode, RunId, StepError, Value,
    history::{ChildOutcome, Parent, StepPath},
    machine::{Admission, Happening, InFlight, admit_input},
    ports::Outcome,
};
use std::sync::Arc;

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Starts the run that a step asks for.
    pub(super) fn start_child(&mut self, run: usize, step: &StepPath, run_id: RunId, name: &str, input: Value) {
        let index = self.stage.workflows.iter().position(|workflow| workflow.name == name);
        if self.outside.mocks(step, name) {
            return self.mocked_child(run, step, run_id, name, input);
        }
        let refused = match index.and_then(|index| Some((index, self.stage.workflows.get(index).map(Arc::clone)?))) {
            None => {
                let message = format!("there is no workflow {name:?} in this play; name its file (`workflows` of a test, --with), or mock it by its name");
                Some(StepError::new(ErrorCode::NotFound, message))
            }
            Some((index, workflow)) => match self.ask(|asked| admit_input(&workflow, &input, asked)) {
                Admission::Yes { input, key, reads, gates } => {
                    let depth = self.runs.get(run).map_or(0, |played| played.state.depth.saturating_add(1));
                    let parent = self.runs.get(run).map(|played| (run_id, Parent { run_id: played.state.run_id, step: Arc::clone(step) }));
                    let candidate = Candidate { child: parent, key, reads, gates, depth, ..Candidate::new(index, input) };
                    let refused = self.request(candidate).err();
                    refused.map(|reason| StepError::new(ErrorCode::Conflict, format!("workflow {name:?} was not started: {reason}")))
                }
                Admission::Error(message) => Some(StepError::new(ErrorCode::InvalidInput, message)),
                Admission::No | Admission::Need(_) => {
                    Some(StepError::new(ErrorCode::InvalidInput, format!("workflow {name:?} does not start with this input")))
                }
            },
        };
        let step = Arc::clone(step);
        let told = match refused {
            None => Happening::ChildStarted { step },
            Some(error) => Happening::ChildRefused { step, error },
        };
        self.does_first(run, told);
    }

    fn mocked_child(&mut self, run: usize, step: &StepPath, run_id: RunId, name: &str, input: Value) {
        self.does(run, Happening::ChildStarted { step: Arc::clone(step) });
        let call = InFlight {
            step: Arc::clone(step),
            node: name.into(),
            attempt: 1,
            run_id,
            generation: 0,
            input: Arc::new(input),
            prepared: None,
            timeout_ms: None,
            unsure: false,
        };
        let answered = self.outside.call(self.stage, &call, self.now);
        self.watch.called(run, self.now, &call, &answered);
        let outcome = match answered.outcome {
            Outcome::Done { output } => ChildOutcome::Completed { output },
            Outcome::Failed { error } | Outcome::Retry { error, .. } | Outcome::Unknown { error } => ChildOutcome::Failed { error },
            Outcome::Hold { reason, .. } => ChildOutcome::Failed { error: StepError::new(ErrorCode::Conflict, reason) },
        };
        self.does(run, Happening::ChildEnded { step: Arc::clone(step), run_id, outcome });
    }

    /// Cancels a run that a step started; one that is held is taken out of its queue.
    pub(super) fn cancel_child(&mut self, run: usize, child: RunId) {
        if let Some(child) = self.place_of(child) {
            let reason = Some("the run that waits for it is ending".to_owned());
            return self.does(child, Happening::Cancel { by: "parent".into(), reason, force: false });
        }
        let Some(held) = self.take_held_child(child) else { return };
        self.give_permit_back(held.permit);
        if let Some((run_id, parent)) = held.child {
            self.does(run, Happening::ChildEnded { step: parent.step, run_id, outcome: ChildOutcome::Cancelled {} });
        }
    }

    pub(super) fn tell_parent(&mut self, run: usize, parent: Parent, outcome: ChildOutcome) {
        if let Some(run_id) = self.runs.get(run).map(|played| played.state.run_id) {
            self.tell(run_id, parent, outcome);
        }
    }

    /// Tells a run how one that it started has ended.
    pub(super) fn tell(&mut self, run_id: RunId, parent: Parent, outcome: ChildOutcome) {
        if let Some(place) = self.place_of(parent.run_id) {
            self.does(place, Happening::ChildEnded { step: parent.step, run_id, outcome });
        }
    }

    fn place_of(&self, run_id: RunId) -> Option<usize> {
        self.places.get(&run_id).copied()
    }
}
