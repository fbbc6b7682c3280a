//! The fold of one entry into the state. Evaluates nothing.
//!
//! | entry | needs | leaves |
//! | --- | --- | --- |
//! | `step_scheduled` | the cursor at the step, nothing in progress (attempt 1), or the step between attempts | in flight |
//! | `step_completed`, `step_failed` | the step in flight (or nothing in progress: a step that failed before its node) | cursor behind the step |
//! | `retry_scheduled`, `held` | the step in flight | between attempts |
//! | `timer_set` → `timer_fired` | the cursor at the step | asleep → behind the step |
//! | `wait_opened` → `wait_resolved`, `wait_timed_out` | the cursor at the step | waiting → behind the step |
//! | `branch_taken`, `variant_chosen` | the cursor at the step | inside the branch |
//! | `vars_set`, `event_emitted`, `step_skipped`, `step_cancelled` | the cursor at the step | behind the step |

mod calls;
mod groups;

use super::{
    journal::{self, Made},
    leaf::{Leaf, Phase},
    state::{Cause, Ending, Opening, State, weight},
    strand::{Standing, Trail, place_of, trail_of, trail_to},
    tree::{begin_missing_passes, enter, leave, occupy},
};
use crate::{
    RunId, StepError, Value,
    definition::{Span, Verb, Workflow},
    history::{Entry, Fact, StepPath},
    ports::RunStatus,
};
use calls::{cancelled, child_started, failed, in_flight, scheduled};
pub(super) use calls::{child_ended, completed, error_output};
use groups::{branch_taken, pass_begun};
use std::sync::Arc;

/// How often a script's question is asked again; in the question, since there is no step that says it.
pub(super) const REMIND_EVERY: &str = "remind_every";

/// A history that contradicts itself or its definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("history entry {seq} ({kind}): {reason}")]
pub struct FoldError {
    /// Where.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What does not fit.
    pub reason: String,
}

/// Folds a whole history. `workflow` is the version that the run is on now: a run that came from another one carries its whole
/// state in the entry that moved it, and what was before is of its version (SEMANTICS.md 28).
pub fn fold_all(workflow: &Workflow, run_id: RunId, entries: &[Entry]) -> Result<State, FoldError> {
    let mut state = super::reopen::fold_keeping(workflow, run_id, entries, &[])?.0;
    // What is recorded was committed at rest: the beginning is behind it.
    state.opening = Opening::Done;
    Ok(state)
}

/// Folds one entry.
pub fn fold(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), FoldError> {
    let fail = |reason: String| FoldError { seq: entry.seq, kind: entry.fact.kind(), reason };
    if entry.seq != state.seq + 1 {
        return Err(fail(format!("entry {} was expected", state.seq + 1)));
    }
    if entry.at < state.at {
        return Err(fail(format!("its time lies before the entry before it ({})", state.at)));
    }
    if (state.seq == 0) != matches!(entry.fact, Fact::RunStarted { .. }) {
        return Err(fail("a history begins with run_started, once".into()));
    }
    if state.status.is_final() && !matches!(entry.fact, Fact::Reopened { .. }) {
        return Err(fail(format!("the run had already ended as {}", state.status.as_str())));
    }
    // A run that is taken up again learns from the entry before how long nobody worked on it.
    if !matches!(entry.fact, Fact::Reopened { .. }) {
        state.at = entry.at;
    }
    apply(workflow, state, entry).map_err(fail)?;
    state.at = entry.at;
    state.seq = entry.seq;
    state.status = state.derive_status();
    Ok(())
}

fn apply(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    if let Some(path) = entry.step.as_ref().filter(|path| !path.starts_with('$') && !matches!(entry.fact, Fact::Reopened { .. })) {
        note_begin(workflow, state, path, entry.at)?;
    }
    match &entry.fact {
        Fact::RunStarted { .. } => {
            state.script.stale = workflow.script.is_some();
            started(state, entry)
        }
        Fact::VarsSet { values } => vars_set(workflow, state, entry, values),
        Fact::ValueRead { .. } | Fact::Checkpointed {} => Ok(()),
        Fact::Bound { record, id } => {
            state.bindings.insert(record.clone(), id.clone());
            Ok(())
        }
        Fact::BranchTaken { branch } => branch_taken(workflow, state, path_of(entry)?, branch),
        Fact::VariantChosen { variant, .. } if workflow.script.is_some() => {
            state.script.make(path_of(entry)?, Made::Split)?;
            leave(workflow, state, path_of(entry)?, serde_json::json!({ "variant": variant }))
        }
        Fact::VariantChosen { variant, .. } => enter(workflow, state, path_of(entry)?, variant, serde_json::json!({ "variant": variant })),
        Fact::IterationStarted { index, items, times } => pass_begun(workflow, state, path_of(entry)?, *index, items.as_ref(), *times),
        Fact::StepSkipped { output } => leave(workflow, state, path_of(entry)?, output.clone().unwrap_or_default()),
        Fact::StepCancelled { undo } => cancelled(workflow, state, path_of(entry)?, undo.as_ref()),
        Fact::StepScheduled { .. } => scheduled(workflow, state, entry),
        Fact::StepCompleted { output, undo, .. } => completed(workflow, state, entry, output, undo.as_ref()),
        Fact::StepFailed { error, continued } => failed(workflow, state, entry, error, *continued),
        Fact::RetryScheduled { due, error, free, .. } => {
            let progress = in_flight(state, path_of(entry)?)?;
            progress.spent += u32::from(!free);
            progress.phase = Phase::Retry { due: *due, code: error.code.clone() };
            Ok(())
        }
        Fact::Held { until, reason } => {
            let progress = in_flight(state, path_of(entry)?)?;
            progress.phase = Phase::Held { until: *until, reason: reason.clone() };
            Ok(())
        }
        Fact::TimerSet { due } => occupy(workflow, state, path_of(entry)?, Leaf::Sleep { due: *due }),
        Fact::TimerFired { due } => timer_fired(workflow, state, entry, *due),
        Fact::WaitOpened { waits, .. } if entry.step.is_none() => {
            for (target, wait) in waits {
                let number = target.strip_prefix(super::EXIT_TARGET).and_then(|number| number.parse().ok());
                let index: usize = number.filter(|index| *index < workflow.exit_on.len()).ok_or_else(|| format!("{target} is no exit of this workflow"))?;
                state.exits_open.insert(index, wait.clone());
            }
            Ok(())
        }
        Fact::WaitOpened { waits, since, deadline } => {
            let wait = Leaf::Wait { waits: waits.clone(), since: *since, deadline: *deadline };
            occupy(workflow, state, path_of(entry)?, wait)
        }
        Fact::EventConsumed { event_id } => {
            let key = listening(workflow, state, path_of(entry)?)?;
            state.listened.entry(key).or_default().consumed.insert(*event_id);
            Ok(())
        }
        Fact::WaitResolved { which, event, taken_in_at, .. } => {
            let mut output = event.as_object().cloned().unwrap_or_default();
            output.insert("which".into(), which.as_str().into());
            output.insert("timed_out".into(), false.into());
            waited(workflow, state, path_of(entry)?, *taken_in_at, Value::Object(output))
        }
        Fact::WaitTimedOut { due } => timed_out(workflow, state, path_of(entry)?, *due),
        Fact::ChildStarted { workflow: child, run_id, input } => child_started(workflow, state, path_of(entry)?, child, *run_id, input),
        Fact::ChildEnded { run_id, outcome } => child_ended(workflow, state, path_of(entry)?, *run_id, outcome),
        Fact::AskOpened { question, deadline } => {
            let remind_at = remind_at(workflow, state, path_of(entry)?, question, entry.at);
            occupy(workflow, state, path_of(entry)?, Leaf::Ask { question: Arc::new(question.clone()), deadline: *deadline, remind_at })
        }
        Fact::AskAnswered { answer, by } => {
            let path = path_of(entry)?;
            if !matches!(state.leaves.get(path), Some(Leaf::Ask { .. })) {
                return Err(format!("step {path} asks nothing"));
            }
            leave(workflow, state, path, serde_json::json!({ "answer": answer, "by": by, "at": entry.at, "timed_out": false }))
        }
        Fact::EventEmitted { id, .. } => emitted(workflow, state, entry, id),
        Fact::Paused { by, .. } => {
            state.paused = Some(by.clone());
            Ok(())
        }
        Fact::Resumed { .. } => {
            state.paused = None;
            // A script that left its history is looked at once more: its engine may have been mended.
            state.script.stale = workflow.script.is_some();
            Ok(())
        }
        Fact::Exited { exit, .. } => {
            state.paused = None;
            let compensate = workflow.exit_on.get(exit.rule).is_some_and(|rule| rule.compensate);
            state.ending = Some(Ending { cause: Cause::Exited { event: exit.event.clone(), compensate }, at: entry.at });
            Ok(())
        }
        Fact::CancelRequested { reason, force, .. } => {
            state.paused = None;
            let at = state.ending.as_ref().map_or(entry.at, |ending| ending.at);
            state.ending = Some(Ending { cause: Cause::Cancelled { reason: reason.clone(), force: *force }, at });
            Ok(())
        }
        Fact::CompensationStarted { .. } => {
            let path = path_of(entry)?;
            if state.undo.iter().any(|undo| undo.step == *path) { Ok(()) } else { Err(format!("step {path} did nothing that could be undone")) }
        }
        Fact::RunCompleted { output, exit } => {
            state.output = output.clone();
            state.exit.clone_from(exit);
            end(state, RunStatus::Completed);
            Ok(())
        }
        Fact::RunFailed { error } => {
            state.error = Some(StepError::clone(error));
            end(state, RunStatus::Failed);
            Ok(())
        }
        Fact::RunCancelled { .. } => {
            end(state, RunStatus::Cancelled);
            Ok(())
        }
        Fact::Reopened { fork, .. } => super::reopen::reopened(state, entry.at, fork.as_ref()),
        Fact::Migrated { version, state: carried, .. } => {
            *state = super::migrate::read(carried, state, *version)?;
            state.script.stale = workflow.script.is_some();
            Ok(())
        }
    }
}

/// Under which name the open wait at this path remembers how far it has listened.
pub(super) fn listening(workflow: &Workflow, state: &State, path: &str) -> Result<Arc<str>, String> {
    match state.leaves.get(path) {
        Some(Leaf::Wait { waits, .. }) if workflow.script.is_some() => Ok(journal::listening(path, waits)),
        _ => Ok(Arc::clone(place_of(workflow, path)?.0)),
    }
}

/// Notes when a step began, and begins the pass that its path tells of.
fn note_begin(workflow: &Workflow, state: &mut State, path: &StepPath, at: crate::Timestamp) -> Result<(), String> {
    // What a cancelled step's call comes to says nothing about where the run stands.
    if state.detached.contains_key(path) {
        return Ok(());
    }
    if workflow.script.is_some() {
        if let Some(view) = state.root.view.as_mut() {
            view.began.entry(Arc::clone(path)).or_insert(at);
        }
        return Ok(());
    }
    let (key, place) = place_of(workflow, path)?;
    let trail = trail_to(place, path)?;
    begin_missing_passes(workflow, state, &trail);
    if let Some(view) = state.root.view_mut(&trail)
        && !view.began.contains_key(key)
    {
        view.began.insert(Arc::clone(key), at);
    }
    Ok(())
}

fn vars_set(workflow: &Workflow, state: &mut State, entry: &Entry, values: &crate::Object) -> Result<(), String> {
    let trail = match &entry.step {
        Some(path) => trail_of(workflow, path)?,
        None => Trail::new(),
    };
    let view = state.root.variables_mut(&trail).ok_or("there are no variables here")?;
    let vars = Arc::make_mut(view.vars.get_or_insert_default());
    let mut bytes = 0;
    for (name, value) in values {
        bytes += weight(value);
        vars.insert(name.clone(), value.clone());
        if !trail.is_empty() {
            view.set.insert(name.clone());
        }
    }
    view.bytes += bytes;
    state.scope_bytes += bytes;
    match &entry.step {
        Some(path) => leave(workflow, state, path, Value::Object(values.clone())),
        None => Ok(()),
    }
}

fn remind_at(workflow: &Workflow, state: &State, path: &str, question: &Value, from: crate::Timestamp) -> Option<crate::Timestamp> {
    match workflow.step(path).map(|step| &step.verb) {
        Some(Verb::Ask(ask)) => ask.remind_every.as_ref().map(|every| every.add_to(from, &state.timezone)),
        Some(_) => None,
        None => question[REMIND_EVERY].as_str().and_then(|every| Span::parse(every).ok()).map(|every| every.add_to(from, &state.timezone)),
    }
}

fn emitted(workflow: &Workflow, state: &mut State, entry: &Entry, id: &str) -> Result<(), String> {
    state.emitted += 1;
    let path = path_of(entry)?;
    if let Some(Leaf::Ask { question, .. }) = state.leaves.get(path) {
        let again = remind_at(workflow, state, path, question, entry.at);
        if let Some(Leaf::Ask { remind_at, .. }) = state.leaves.get_mut(path) {
            *remind_at = again;
        }
        return Ok(());
    }
    match (&entry.fact, workflow.step(path).map(|step| &step.verb)) {
        // The event that tells of the answer.
        (_, Some(Verb::Ask(_))) => Ok(()),
        (_, None) if state.script.is_question(path) => Ok(()),
        (Fact::EventEmitted { event, data, .. }, None) if workflow.script.is_some() => {
            state.script.make(path, Made::Emit { event: event.clone(), data: data.clone() })?;
            leave(workflow, state, path, serde_json::json!({ "event_id": id }))
        }
        _ => leave(workflow, state, path, serde_json::json!({ "event_id": id })),
    }
}

fn path_of(entry: &Entry) -> Result<&StepPath, String> {
    entry.step.as_ref().ok_or_else(|| "it names no step".into())
}

fn started(state: &mut State, entry: &Entry) -> Result<(), String> {
    let Fact::RunStarted { workflow, version, revision, key, input, event, event_id, seed, timezone, deadline, depth, parent, .. } = &entry.fact else {
        return Err("it is not run_started".into());
    };
    if *revision == 0 || *revision > crate::history::REVISION {
        return Err(format!("revision {revision} of the machine is unknown to this version, which knows 1 to {}", crate::history::REVISION));
    }
    state.workflow = workflow.as_str().into();
    state.version = *version;
    state.revision = *revision;
    state.key = key.as_str().into();
    state.seed = *seed;
    state.depth = *depth;
    state.parent.clone_from(parent);
    state.timezone = timezone.as_str().into();
    state.started_at = entry.at;
    state.input = Arc::clone(input);
    state.event = Arc::clone(event);
    state.event_id = *event_id;
    state.deadline = *deadline;
    state.scope_bytes = weight(input) + weight(event);
    state.facts = Arc::new(serde_json::json!({
        "id": state.run_id, "workflow": workflow, "version": version, "key": key, "started_at": entry.at,
    }));
    Ok(())
}

fn end(state: &mut State, status: RunStatus) {
    state.leaves.clear();
    state.detached.clear();
    state.undo.clear();
    state.root.standing = Standing::Free;
    state.ending = None;
    state.paused = None;
    state.exits_open.clear();
    state.status = status;
}

fn timer_fired(workflow: &Workflow, state: &mut State, entry: &Entry, due: crate::Timestamp) -> Result<(), String> {
    let Some(path) = &entry.step else {
        state.ending = Some(Ending { cause: Cause::TimedOut, at: entry.at });
        return Ok(());
    };
    if !matches!(state.leaves.get(path), Some(Leaf::Sleep { due: set }) if *set == due) {
        return Err(format!("step {path} does not sleep until {due}"));
    }
    leave(workflow, state, path, serde_json::json!({ "due": due, "fired": entry.at }))
}

fn waited(workflow: &Workflow, state: &mut State, path: &StepPath, until: crate::Timestamp, output: Value) -> Result<(), String> {
    if !matches!(state.leaves.get(path), Some(Leaf::Wait { .. })) {
        return Err(format!("step {path} does not wait"));
    }
    let key = listening(workflow, state, path)?;
    state.listened.entry(key).or_default().until = Some(until);
    leave(workflow, state, path, output)
}

fn timed_out(workflow: &Workflow, state: &mut State, path: &StepPath, due: crate::Timestamp) -> Result<(), String> {
    if matches!(state.leaves.get(path), Some(Leaf::Ask { .. })) {
        return leave(workflow, state, path, serde_json::json!({ "answer": null, "by": null, "at": null, "timed_out": true }));
    }
    waited(workflow, state, path, due, serde_json::json!({ "which": null, "timed_out": true }))
}
