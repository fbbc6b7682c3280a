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

use super::state::{Active, Cursor, Ending, NodeProgress, Opening, Phase, State, weight};
use crate::{
    RunId, StepError, Value,
    definition::{Block, Step, Verb, Workflow},
    history::{Entry, Fact, StepPath},
    ports::RunStatus,
};
use std::sync::Arc;

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

/// Folds a whole history.
pub fn fold_all(workflow: &Workflow, run_id: RunId, entries: &[Entry]) -> Result<State, FoldError> {
    let mut state = State::new(run_id);
    for entry in entries {
        fold(workflow, &mut state, entry)?;
    }
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
    if state.status.is_final() {
        return Err(fail(format!("the run had already ended as {}", state.status.as_str())));
    }
    apply(workflow, state, entry).map_err(fail)?;
    state.seq = entry.seq;
    state.at = entry.at;
    state.status = state.derive_status();
    Ok(())
}

fn apply(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    if let Some(path) = &entry.step {
        state.began.entry(Arc::clone(path)).or_insert(entry.at);
    }
    match &entry.fact {
        Fact::RunStarted { .. } => started(state, entry),
        Fact::VarsSet { values } => {
            let vars = Arc::make_mut(&mut state.vars);
            for (name, value) in values {
                state.scope_bytes += weight(value);
                vars.insert(name.clone(), value.clone());
            }
            match &entry.step {
                Some(path) => leave(workflow, state, path, Value::Object(values.clone())),
                None => Ok(()),
            }
        }
        Fact::ValueRead { .. } | Fact::Checkpointed {} => Ok(()),
        Fact::Bound { record, id } => {
            state.bindings.insert(record.clone(), id.clone());
            Ok(())
        }
        Fact::BranchTaken { branch } => {
            let taken = branch.parse::<u64>().map_or_else(|_| Value::from(branch.as_str()), Value::from);
            enter(workflow, state, entry, branch, serde_json::json!({ "taken": taken }))
        }
        Fact::VariantChosen { variant, .. } => enter(workflow, state, entry, variant, serde_json::json!({ "variant": variant })),
        Fact::StepSkipped { output } => leave(workflow, state, path_of(entry)?, output.clone().unwrap_or_default()),
        Fact::StepCancelled {} => leave(workflow, state, path_of(entry)?, Value::Null),
        Fact::StepScheduled { .. } => scheduled(workflow, state, entry),
        Fact::StepCompleted { output, .. } => {
            in_flight(workflow, state, path_of(entry)?)?;
            leave(workflow, state, path_of(entry)?, output.clone())
        }
        Fact::StepFailed { error, continued } => {
            let output = if *continued { serde_json::json!({ "error": { "code": error.code, "message": error.message } }) } else { Value::Null };
            leave(workflow, state, path_of(entry)?, output)
        }
        Fact::RetryScheduled { due, error, free, .. } => {
            let progress = in_flight(workflow, state, path_of(entry)?)?;
            progress.spent += u32::from(!free);
            progress.phase = Phase::Retry { due: *due, code: error.code.clone() };
            Ok(())
        }
        Fact::Held { until, reason } => {
            let progress = in_flight(workflow, state, path_of(entry)?)?;
            progress.phase = Phase::Held { until: *until, reason: reason.clone() };
            Ok(())
        }
        Fact::TimerSet { due } => {
            let path = Arc::clone(path_of(entry)?);
            occupy(workflow, state, &path, Active::Sleep { path: Arc::clone(&path), due: *due })
        }
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
            let path = Arc::clone(path_of(entry)?);
            let wait = Active::Wait { path: Arc::clone(&path), waits: waits.clone(), since: *since, deadline: *deadline };
            occupy(workflow, state, &path, wait)
        }
        Fact::EventConsumed { event_id } => {
            state.consumed.entry(Arc::clone(path_of(entry)?)).or_default().insert(*event_id);
            Ok(())
        }
        Fact::WaitResolved { which, event, .. } => {
            let mut output = event.as_object().cloned().unwrap_or_default();
            output.insert("which".into(), which.as_str().into());
            output.insert("timed_out".into(), false.into());
            waited(workflow, state, entry, Value::Object(output))
        }
        Fact::WaitTimedOut { .. } => waited(workflow, state, entry, serde_json::json!({ "which": null, "timed_out": true })),
        Fact::EventEmitted { id, .. } => {
            state.emitted += 1;
            leave(workflow, state, path_of(entry)?, serde_json::json!({ "event_id": id }))
        }
        Fact::Paused { by, .. } => {
            state.paused = Some(by.clone());
            Ok(())
        }
        Fact::Resumed { .. } => {
            state.paused = None;
            Ok(())
        }
        Fact::Exited { exit, .. } => {
            state.paused = None;
            state.ending = Some(Ending::Exited { at: entry.at, event: exit.event.clone() });
            Ok(())
        }
        Fact::CancelRequested { reason, .. } => {
            state.paused = None;
            state.ending = Some(Ending::Cancelled { at: entry.at, reason: reason.clone() });
            Ok(())
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
        Fact::IterationStarted { .. }
        | Fact::ChildStarted { .. }
        | Fact::ChildEnded { .. }
        | Fact::AskOpened { .. }
        | Fact::AskAnswered { .. }
        | Fact::CompensationStarted { .. }
        | Fact::Reopened { .. }
        | Fact::Migrated { .. } => Err("this version of the machine does not know how to go on from it; use the version that wrote it".into()),
    }
}

fn path_of(entry: &Entry) -> Result<&StepPath, String> {
    entry.step.as_ref().ok_or_else(|| "it names no step".into())
}

fn started(state: &mut State, entry: &Entry) -> Result<(), String> {
    let Fact::RunStarted { workflow, version, revision, key, input, event, event_id, seed, timezone, deadline, depth, .. } = &entry.fact else {
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
    state.timezone = timezone.as_str().into();
    state.started_at = entry.at;
    state.input = Arc::new(input.clone());
    state.event = Arc::new(event.clone());
    state.event_id = *event_id;
    state.deadline = *deadline;
    state.scope_bytes = weight(input) + weight(event);
    state.facts = Arc::new(serde_json::json!({
        "id": state.run_id, "workflow": workflow, "version": version, "key": key, "started_at": entry.at,
    }));
    Ok(())
}

fn end(state: &mut State, status: RunStatus) {
    state.cursor.active = None;
    state.ending = None;
    state.paused = None;
    state.exits_open.clear();
    state.status = status;
}

fn scheduled(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    let Fact::StepScheduled { node, attempt, generation, input, timeout_ms, prepared } = &entry.fact else {
        return Err("it is not step_scheduled".into());
    };
    let path = path_of(entry)?;
    let prepared = prepared.clone().map(Arc::new);
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    if let Some(active) = cursor.active.as_deref_mut() {
        let Active::Node(progress) = active else { return Err(format!("step {path} is no node")) };
        if progress.phase == Phase::InFlight {
            return Err(format!("attempt {} of step {path} has no outcome yet", progress.attempt));
        }
        progress.attempt = *attempt;
        progress.generation = *generation;
        progress.prepared = prepared;
        progress.phase = Phase::InFlight;
        return Ok(());
    }
    let input = input.clone().ok_or_else(|| format!("the first attempt of step {path} has no input"))?;
    cursor.active = Some(Box::new(Active::Node(NodeProgress {
        path: Arc::clone(path),
        node: node.as_str().into(),
        attempt: *attempt,
        spent: 0,
        generation: *generation,
        input: Arc::new(input),
        timeout_ms: *timeout_ms,
        prepared,
        first_at: entry.at,
        phase: Phase::InFlight,
    })));
    Ok(())
}

fn timer_fired(workflow: &Workflow, state: &mut State, entry: &Entry, due: crate::Timestamp) -> Result<(), String> {
    let Some(path) = &entry.step else {
        state.ending = Some(Ending::TimedOut { at: entry.at });
        return Ok(());
    };
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    if !matches!(cursor.active.as_deref(), Some(Active::Sleep { due: set, .. }) if *set == due) {
        return Err(format!("step {path} does not sleep until {due}"));
    }
    leave(workflow, state, path, serde_json::json!({ "due": due, "fired": entry.at }))
}

fn waited(workflow: &Workflow, state: &mut State, entry: &Entry, output: Value) -> Result<(), String> {
    let path = path_of(entry)?;
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    if !matches!(cursor.active.as_deref(), Some(Active::Wait { .. })) {
        return Err(format!("step {path} does not wait"));
    }
    leave(workflow, state, path, output)
}

/// The progress of a node's step whose attempt has no outcome yet.
fn in_flight<'s>(workflow: &Workflow, state: &'s mut State, path: &StepPath) -> Result<&'s mut NodeProgress, String> {
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    match cursor.active.as_deref_mut() {
        Some(Active::Node(progress)) if progress.phase == Phase::InFlight => Ok(progress),
        _ => Err(format!("step {path} has no attempt in flight")),
    }
}

/// Puts a step in progress.
fn occupy(workflow: &Workflow, state: &mut State, path: &StepPath, active: Active) -> Result<(), String> {
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    if cursor.active.is_some() {
        return Err(format!("step {path} is already in progress"));
    }
    cursor.active = Some(Box::new(active));
    Ok(())
}

/// Goes into a branch; an empty one is left at once.
fn enter(workflow: &Workflow, state: &mut State, entry: &Entry, branch: &str, output: Value) -> Result<(), String> {
    let path = Arc::clone(path_of(entry)?);
    let (step, _) = locate(&workflow.steps, &mut state.cursor, &path)?;
    if branch_block(step, branch).is_none() {
        return Err(format!("step {path} has no branch {branch}"));
    }
    occupy(workflow, state, &path, Active::Branch { branch: branch.into(), cursor: Cursor::default() })?;
    set_output(state, &path, output);
    settle(&workflow.steps, &mut state.cursor);
    Ok(())
}

/// Ends a step with its output; branches that end with it are left too.
fn leave(workflow: &Workflow, state: &mut State, path: &StepPath, output: Value) -> Result<(), String> {
    let (_, cursor) = locate(&workflow.steps, &mut state.cursor, path)?;
    cursor.active = None;
    cursor.index += 1;
    set_output(state, path, output);
    settle(&workflow.steps, &mut state.cursor);
    Ok(())
}

fn set_output(state: &mut State, path: &StepPath, output: Value) {
    state.scope_bytes += weight(&output);
    Arc::make_mut(&mut state.outputs).insert(Arc::clone(path), Arc::new(output));
}

/// Leaves branches that are at their end. True when this block is at its end.
fn settle(block: &Block, cursor: &mut Cursor) -> bool {
    if let Some(Active::Branch { branch, cursor: inner, .. }) = cursor.active.as_deref_mut() {
        let ended = block.steps.get(cursor.index).and_then(|step| branch_block(step, branch)).is_none_or(|block| settle(block, inner));
        if ended {
            cursor.active = None;
            cursor.index += 1;
        }
    }
    cursor.active.is_none() && cursor.index >= block.steps.len()
}

/// The block of a branch of `if`, `choose` or `split`.
pub(super) fn branch_block<'w>(step: &'w Step, branch: &str) -> Option<&'w Block> {
    match &step.verb {
        Verb::If { then, .. } if branch == "then" => Some(then),
        Verb::If { otherwise, .. } if branch == "else" => Some(otherwise),
        Verb::Choose { otherwise, .. } if branch == "else" => Some(otherwise.as_ref().unwrap_or(&EMPTY)),
        Verb::Choose { branches, .. } => branch.parse::<usize>().ok().and_then(|number| branches.get(number.checked_sub(1)?)).map(|(_, block)| block),
        Verb::Split { variants, .. } => variants.iter().find(|variant| variant.name == branch).map(|variant| &variant.steps),
        _ => None,
    }
}

static EMPTY: Block = Block { steps: Vec::new() };

/// The step of that path and the cursor that stands at it; an error when no cursor does.
fn locate<'w, 's>(block: &'w Block, cursor: &'s mut Cursor, path: &str) -> Result<(&'w Step, &'s mut Cursor), String> {
    let Some(step) = block.steps.get(cursor.index) else {
        return Err(format!("the run does not stand at step {path}"));
    };
    if &*step.key == path {
        return Ok((step, cursor));
    }
    match cursor.active.as_deref_mut() {
        Some(Active::Branch { branch, cursor: inner, .. }) => match branch_block(step, branch) {
            Some(inner_block) => locate(inner_block, inner, path),
            None => Err(format!("step {} has no branch {branch}", step.key)),
        },
        _ => Err(format!("the run stands at step {}, not at {path}", step.key)),
    }
}

/// The innermost block, its cursor's index and whether a step is in progress there.
pub(super) fn standing<'w>(block: &'w Block, cursor: &Cursor) -> (&'w Block, usize, bool) {
    if let Some(Active::Branch { branch, cursor: inner, .. }) = cursor.active.as_deref()
        && let Some(inner_block) = block.steps.get(cursor.index).and_then(|step| branch_block(step, branch))
    {
        return standing(inner_block, inner);
    }
    (block, cursor.index, cursor.active.is_some())
}
