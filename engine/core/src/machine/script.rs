//! The second program of the machine: a script (SEMANTICS.md 31). Its durable calls take the places of steps; what is
//! recorded of them is its journal.
//!
//! | the script | the machine |
//! | --- | --- |
//! | makes a call that is not recorded | begins the step that the call describes, under the call's key |
//! | makes a call that is recorded | hands it the outcome, or lets it wait |
//! | does not make a recorded call again, or makes another one | pauses the run as `diverged` |
//! | comes to its end | ends the run |

use super::{
    calls,
    journal::{LOG_NODE, SCRIPT_STEP, branch_of},
    state::State,
    turn::{Stop, Turn},
};
use crate::{
    ErrorCode, StepError, Value,
    definition::{Script, Since},
    history::{Fact, StepPath},
    ports::{DurableCall, Journal, ScriptBudget, ScriptEnd, ScriptStart, ScriptTurn},
};
use std::sync::Arc;

/// Who pauses a run whose script does not find its history again.
pub(super) const DIVERGED: &str = "diverged";

/// What the script of a run sees of it.
pub(super) fn start_of(state: &State) -> ScriptStart {
    ScriptStart {
        event: Arc::clone(&state.event),
        input: Arc::clone(&state.input),
        vars: state.root.variables(&[]).map(Arc::clone).unwrap_or_default(),
        run: Arc::clone(&state.facts),
        started_at: state.started_at,
        seed: state.seed,
    }
}

impl Turn<'_, '_> {
    /// Lets the script go on as far as it can. False: it waits.
    pub(super) fn advance_script(&mut self, script: &Script) -> bool {
        if !self.state.script.stale {
            return false;
        }
        let start = start_of(self.state);
        let journal = Arc::clone(&self.state.script.calls) as Arc<dyn Journal>;
        let Ok(turn) = script.program.advance(&start, journal, &mut self.state.script.standing, &ScriptBudget::unlimited()) else {
            self.hold_for_engine("the script takes more time than this server gives it; make it do less between its durable calls");
            return false;
        };
        if let Some(reason) = self.divergence(&turn) {
            self.record(None, Fact::Paused { by: DIVERGED.into(), reason: Some(reason) });
            return false;
        }
        // What the calls below leave behind, the next turn sees.
        self.state.script.stale = false;
        for (index, (path, call)) in turn.calls.iter().enumerate() {
            match self.begin_call(script, &turn, index, path, call) {
                Ok(()) => {}
                Err(Stop::Need) => {
                    self.state.script.stale = true;
                    return false;
                }
                Err(Stop::Failed(error)) => self.fail_step(path, error),
            }
        }
        self.end_turn(turn.end)
    }

    /// What the end of a turn means to the run. False: it waits.
    fn end_turn(&mut self, end: ScriptEnd) -> bool {
        match end {
            ScriptEnd::Parked | ScriptEnd::Diverged(_) => return self.state.script.stale,
            ScriptEnd::Finished(output) => self.complete(super::outcomes::bounded(output).0, None),
            // What is still under way is wound up as in any run that fails.
            ScriptEnd::Failed(error) if !self.state.leaves.is_empty() => self.record(Some(&SCRIPT_STEP.into()), Fact::StepFailed { error, continued: false }),
            ScriptEnd::Failed(error) => self.fail_run(error),
            ScriptEnd::ContinueAs(input) => self.continue_as(input),
        }
        true
    }

    /// Why a turn is not the history's.
    fn divergence(&self, turn: &ScriptTurn) -> Option<String> {
        match &turn.end {
            ScriptEnd::Diverged(reason) => return Some(reason.clone()),
            // One branch can end the whole before the others are reached.
            ScriptEnd::Failed(_) => return None,
            _ => {}
        }
        let calls = &self.state.script.calls;
        if calls.len() == turn.known.len() {
            return None;
        }
        let forgotten = calls.keys().find(|path| !turn.known.contains(path))?;
        Some(format!("the history has the call {forgotten}, and the script does not make it any more"))
    }

    /// Begins a call that is not recorded yet.
    fn begin_call(&mut self, script: &Script, turn: &ScriptTurn, index: usize, path: &StepPath, call: &DurableCall) -> Result<(), Stop> {
        match call {
            DurableCall::Step { node, .. } if !script.nodes.contains_key(node) => {
                return Err(Stop::Failed(StepError::new(ErrorCode::NotFound, format!("there is no node {node:?}"))));
            }
            // Nobody runs it: it is the line in the history that was asked for.
            DurableCall::Log { message } => {
                let input = Some(Arc::new(serde_json::json!({ "message": message })));
                let scheduled = Fact::StepScheduled { node: LOG_NODE.into(), attempt: 1, generation: 0, input, timeout_ms: None, prepared: None };
                self.record(Some(path), scheduled);
                self.complete_step(path, Value::Null);
                return Ok(());
            }
            _ => {}
        }
        let step = calls::step(script, path, call, preceding(turn, index)).map_err(|message| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)))?;
        self.begin(&step, path)
    }
}

/// From when on events count for a wait (SEMANTICS.md 11): since the call before it in its branch or around it was made.
fn preceding(turn: &ScriptTurn, index: usize) -> Since {
    let Some((path, _)) = turn.calls.get(index) else { return Since::Run };
    let here = branch_of(path);
    let before = turn.calls[..index].iter().map(|(path, _)| path).rev().chain(turn.known.iter().rev());
    let around = before.into_iter().find(|other| here.starts_with(branch_of(other)));
    around.map_or(Since::Run, |path| Since::Step(Arc::clone(path)))
}
