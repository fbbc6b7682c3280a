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

use super::{
    happenings::rules_of,
    journal::{self, Made},
    leaf::{Leaf, NodeProgress, Phase, UNDO},
    state::{Cause, Ending, Opening, State, Undo, weight},
    strand::{Ended, Group, Passes, Progress, Standing, Trail, View, place_of, trail_of, trail_to},
    tree::{begin_missing_passes, begin_parts, begin_pass, enter, fail, go_on_with, leave, locate, occupy, remove},
};
use crate::{
    RunId, StepError, Value,
    definition::{Span, Verb, Workflow},
    history::{ChildOutcome, Entry, Fact, StepPath, Undoing},
    ports::RunStatus,
};
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

fn branch_taken(workflow: &Workflow, state: &mut State, path: &StepPath, branch: &str) -> Result<(), String> {
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    match (&step.verb, &strand.standing) {
        (Verb::Parallel { .. } | Verb::Try { .. }, Standing::Free) => {
            begin_parts(workflow, state, &trail, step);
            Ok(())
        }
        (Verb::Try { .. }, Standing::Inside(_)) => {
            let part = step.verb.part_named(branch).ok_or_else(|| format!("step {path} has no branch {branch}"))?;
            go_on_with(workflow, state, &trail, step, part);
            Ok(())
        }
        _ => {
            let taken = branch.parse::<u64>().map_or_else(|_| Value::from(branch), Value::from);
            enter(workflow, state, path, branch, serde_json::json!({ "taken": taken }))
        }
    }
}

fn pass_begun(workflow: &Workflow, state: &mut State, path: &StepPath, index: u64, items: Option<&Value>, times: Option<u64>) -> Result<(), String> {
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    match (&step.verb, &strand.standing) {
        (Verb::ForEach(_), Standing::Free) => {
            let items = items.and_then(Value::as_array).ok_or_else(|| format!("the list of the loop of step {path} is gone"))?;
            let passes = Passes { items: Some(Arc::new(items.iter().cloned().map(Arc::new).collect())), ..Passes::default() };
            strand.standing = Standing::Inside(Box::new(Group::of(Progress::Loop(Box::new(passes)))));
            state.scope_bytes += items.iter().map(weight).sum::<usize>();
            Ok(())
        }
        (Verb::Repeat(_), Standing::Free) if index == 1 => {
            let passes = Passes { times, ..Passes::default() };
            strand.standing = Standing::Inside(Box::new(Group::of(Progress::Loop(Box::new(passes)))));
            begin_pass(workflow, state, &trail);
            Ok(())
        }
        (Verb::Repeat(_), Standing::Inside(group)) if matches!(&group.progress, Progress::Loop(passes) if passes.begun + 1 == index && passes.ended + 1 == index) =>
        {
            begin_pass(workflow, state, &trail);
            Ok(())
        }
        _ => Err(format!("pass {index} of step {path} cannot begin now")),
    }
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

pub(super) fn completed(workflow: &Workflow, state: &mut State, entry: &Entry, output: &Arc<Value>, undo: Option<&Undoing>) -> Result<(), String> {
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

/// A step with steps inside ends: what its branches saw becomes what the strand around sees.
fn joined(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    let path = path_of(entry)?;
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    if matches!(step.verb, Verb::Do { .. } | Verb::Delay(_) | Verb::WaitFor { .. } | Verb::Ask(_) | Verb::Call { .. }) {
        return Err(format!("step {path} has no attempt in flight"));
    }
    let Some(Group { progress: Progress::Parallel(ended), .. }) = strand.group_mut() else { return Ok(()) };
    let mut views: Vec<(usize, View)> = std::mem::take(ended)
        .into_iter()
        .filter_map(|(part, ended)| match ended {
            Ended::Well(view) => Some((part, *view)),
            Ended::Badly(_) => None,
        })
        .collect();
    views.sort_by_key(|(part, _)| *part);
    for (part, view) in views {
        let keys: Vec<Arc<str>> = match step.verb.part(part) {
            Some(block) => block.steps.iter().flat_map(keys_seen).collect(),
            None => Vec::new(),
        };
        if let Some(around) = state.root.view_mut(&trail) {
            let outputs = Arc::make_mut(&mut around.outputs);
            outputs.extend(keys.into_iter().filter_map(|key| Some((Arc::clone(&key), Arc::clone(view.outputs.get(&key)?)))));
            around.bytes += view.bytes;
        }
        let (Some(vars), Some(around)) = (&view.vars, state.root.variables_mut(&trail)) else { continue };
        let into = Arc::make_mut(around.vars.get_or_insert_default());
        for name in &view.set {
            into.insert(name.clone(), vars.get(name).cloned().unwrap_or_default());
            if !trail.is_empty() {
                around.set.insert(name.clone());
            }
        }
    }
    Ok(())
}

/// The steps whose outputs are seen where this step stands: itself and those of its branches, not those of its loops.
fn keys_seen(step: &crate::definition::Step) -> Vec<Arc<str>> {
    let mut keys = vec![Arc::clone(&step.key)];
    if !step.verb.is_loop() {
        keys.extend(step.verb.blocks().into_iter().flat_map(|block| &block.steps).flat_map(keys_seen));
    }
    keys
}

fn failed(workflow: &Workflow, state: &mut State, entry: &Entry, error: &StepError, continued: bool) -> Result<(), String> {
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

/// The output of a step that failed and let the run go on.
pub(super) fn error_output(error: &StepError) -> Value {
    serde_json::json!({ "error": { "code": error.code, "message": error.message } })
}

fn cancelled(workflow: &Workflow, state: &mut State, path: &StepPath, undo: Option<&Undoing>) -> Result<(), String> {
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

fn child_started(workflow: &Workflow, state: &mut State, path: &StepPath, child: &str, run_id: RunId, input: &Value) -> Result<(), String> {
    let waits = match workflow.step(path).map(|step| &step.verb) {
        Some(Verb::Call { waits, .. }) => *waits,
        None if workflow.script.is_some() => !journal::is_called(path, "start"),
        _ => return Err(format!("step {path} starts no run")),
    };
    occupy(workflow, state, path, Leaf::Child { workflow: child.to_owned(), run_id, input: Arc::new(input.clone()), waits })
}

pub(super) fn child_ended(workflow: &Workflow, state: &mut State, path: &StepPath, run_id: RunId, outcome: &ChildOutcome) -> Result<(), String> {
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

fn scheduled(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
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

/// The progress of a node's step whose attempt has no outcome yet.
fn in_flight<'s>(state: &'s mut State, path: &StepPath) -> Result<&'s mut NodeProgress, String> {
    match state.leaves.get_mut(path) {
        Some(Leaf::Node(progress)) if progress.phase == Phase::InFlight => Ok(progress),
        _ => Err(format!("step {path} has no attempt in flight")),
    }
}
