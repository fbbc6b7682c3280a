//! The fold of what becomes of calls: of nodes, and of other runs; and of their undoing.

use super::{
    super::{
        journal,
        leaf::{Leaf, NodeProgress, Phase, UNDO},
        outcomes::rules_of,
        state::{Cause, Ending, State, Undo},
        tree::{fail, leave, occupy, remove},
    },
    groups::joined,
    path_of,
};
use crate::{
    RunId, StepError, Value,
    definition::{Verb, Workflow},
    history::{ChildOutcome, Entry, Fact, StepPath, Undoing},
};
use std::sync::Arc;

pub(super) fn scheduled(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    let Fact::StepScheduled { node, attempt, generation, input, timeout_ms, prepared } = &entry.fact else {
        return Err("it is not step_scheduled".into());
    };
    let path = path_of(entry)?;
    let prepared = prepared.clone();
    match state.leaves.get_mut(path) {
        Some(Leaf::Node(progress)) => {
            if progress.phase == Phase::InFlight {
                return Err(format!("attempt {} of step {path} has no outcome yet", progress.attempt));
            }
            progress.attempt = *attempt;
            if progress.generation != *generation {
                // A repair begins anew: what was tried before counts no more.
                progress.generation = *generation;
                progress.spent = 0;
                progress.first_at = entry.at;
            }
            if let Some(input) = input {
                progress.input = Arc::clone(input);
            }
            progress.prepared = prepared;
            progress.phase = Phase::InFlight;
            return Ok(());
        }
        Some(_) => return Err(format!("step {path} is no node")),
        None => {}
    }
    let input = input.clone().ok_or_else(|| format!("the first attempt of step {path} has no input"))?;
    let leaf = Leaf::Node(NodeProgress {
        node: node.as_str().into(),
        attempt: *attempt,
        spent: 0,
        generation: *generation,
        input,
        timeout_ms: *timeout_ms,
        prepared,
        first_at: entry.at,
        phase: Phase::InFlight,
    });
    match path.strip_prefix(UNDO) {
        Some(step) if state.undo.iter().any(|undo| &*undo.step == step) => {
            state.leaves.insert(Arc::clone(path), leaf);
            Ok(())
        }
        Some(step) => Err(format!("step {step} did nothing that could be undone")),
        None => occupy(workflow, state, path, leaf),
    }
}

/// The progress of a node's step whose attempt has no outcome yet.
pub(super) fn in_flight<'s>(state: &'s mut State, path: &StepPath) -> Result<&'s mut NodeProgress, String> {
    match state.leaves.get_mut(path) {
        Some(Leaf::Node(progress)) if progress.phase == Phase::InFlight => Ok(progress),
        _ => Err(format!("step {path} has no attempt in flight")),
    }
}

pub(in super::super) fn completed(workflow: &Workflow, state: &mut State, entry: &Entry, output: &Arc<Value>, undo: Option<&Undoing>) -> Result<(), String> {
    let path = path_of(entry)?;
    if undone(state, path) {
        return Ok(());
    }
    if state.detached.remove(path).is_some() {
        // It was taken for done when it was cancelled; now its output is known.
        state.undo.retain(|undo| undo.step != *path);
        state.undo.extend(undo.map(|undo| undo_of(path, undo)));
        return Ok(());
    }
    let had_leaf = state.leaves.contains_key(path);
    match state.leaves.get(path) {
        Some(Leaf::Node(_)) => {
            in_flight(state, path)?;
        }
        Some(Leaf::Child { waits: false, .. }) => {}
        Some(_) => return Err(format!("step {path} has no attempt in flight")),
        None if workflow.script.is_some() => return Err(format!("call {path} is not in progress")),
        None => joined(workflow, state, entry)?,
    }
    leave(workflow, state, path, Arc::clone(output))?;
    state.undo.extend(undo.map(|undo| undo_of(path, undo)));
    let stops = !had_leaf && matches!(workflow.step(path).map(|step| &step.verb), Some(Verb::Stop { .. }));
    if stops && state.ending.is_none() {
        let error = serde_json::from_value::<Option<StepError>>(output["error"].clone()).unwrap_or_default();
        let cause = error.map_or_else(|| Cause::Stopped(output["output"].clone()), Cause::Failed);
        state.ending = Some(Ending { cause, at: entry.at });
    }
    Ok(())
}

pub(super) fn failed(workflow: &Workflow, state: &mut State, entry: &Entry, error: &StepError, continued: bool) -> Result<(), String> {
    let path = path_of(entry)?;
    if undone(state, path) {
        return Ok(());
    }
    if state.detached.remove(path).is_some() {
        // It surely did nothing: there is nothing to undo. What may have happened stays to be undone.
        if error.code != crate::ErrorCode::OutcomeUnknown {
            state.undo.retain(|undo| undo.step != *path);
        }
        return Ok(());
    }
    if continued && workflow.script.is_none() {
        return leave(workflow, state, path, error_output(error));
    }
    fail(workflow, state, path, error, entry.at)
}

pub(super) fn cancelled(workflow: &Workflow, state: &mut State, path: &StepPath, undo: Option<&Undoing>) -> Result<(), String> {
    if undone(state, path) {
        return Ok(());
    }
    if state.detached.remove(path).is_some() {
        return Ok(());
    }
    state.undo.extend(undo.map(|undo| undo_of(path, undo)));
    let leaf = state.leaves.remove(path);
    // A run that goes on keeps an ear open for the outcome of the call that it does not wait for.
    if let (Some(Leaf::Node(progress)), None) = (leaf, &state.ending)
        && progress.phase == Phase::InFlight
        && rules_of(workflow, path, &progress.node).is_some_and(|rules| rules.effect.is_outside())
    {
        state.detached.insert(Arc::clone(path), progress);
    }
    remove(workflow, state, path)
}

/// The output of a step that failed and let the run go on.
pub(in super::super) fn error_output(error: &StepError) -> Value {
    serde_json::json!({ "error": { "code": error.code, "message": error.message } })
}

/// The undoing of a step, as an entry tells it.
fn undo_of(path: &StepPath, undo: &Undoing) -> Undo {
    let input = match undo {
        Undoing::Input { input } => Ok(Arc::new(input.clone())),
        Undoing::Error { error } => Err(error.clone()),
        Undoing::Erased(_) => Err(StepError::new(crate::ErrorCode::InvalidInput, "what the step did was erased; undo it by hand")),
    };
    Undo { step: Arc::clone(path), input }
}

/// The end of an undoing: it is not tried again, whatever came of it.
fn undone(state: &mut State, path: &str) -> bool {
    let Some(step) = path.strip_prefix(UNDO) else { return false };
    state.leaves.remove(path);
    state.undo.retain(|undo| &*undo.step != step);
    true
}

pub(super) fn child_started(workflow: &Workflow, state: &mut State, path: &StepPath, child: &str, run_id: RunId, input: &Value) -> Result<(), String> {
    let waits = match workflow.step(path).map(|step| &step.verb) {
        Some(Verb::Call { waits, .. }) => *waits,
        None if workflow.script.is_some() => !journal::is_called(path, "start"),
        _ => return Err(format!("step {path} starts no run")),
    };
    occupy(workflow, state, path, Leaf::Child { workflow: child.to_owned(), run_id, input: Arc::new(input.clone()), waits })
}

pub(in super::super) fn child_ended(workflow: &Workflow, state: &mut State, path: &StepPath, run_id: RunId, outcome: &ChildOutcome) -> Result<(), String> {
    if !matches!(state.leaves.get(path), Some(Leaf::Child { run_id: waited, .. }) if *waited == run_id) {
        return Err(format!("step {path} does not wait for run {run_id}"));
    }
    match outcome {
        ChildOutcome::Completed { output } => leave(workflow, state, path, output.clone()),
        ChildOutcome::Continued { next } => {
            if let Some(Leaf::Child { run_id, .. }) = state.leaves.get_mut(path) {
                *run_id = *next;
            }
            Ok(())
        }
        // The entry after it says what the step makes of that.
        ChildOutcome::Failed { .. } | ChildOutcome::Cancelled {} => Ok(()),
    }
}
