//! What people do to a run that failed: the failed step is tried again, or skipped; and what that records.

use super::{
    Action,
    leaf::{Leaf, Phase},
    outcomes::rules_of,
    reopen::{self, chain, failed_with},
    state::{State, Undecided},
    turn::{Stop, Turn},
};
use crate::{
    ErrorCode, RunId, StepError, Value,
    definition::{Verb, Workflow},
    history::{Entry, Fact, Forked, StepPath},
    limits,
    ports::Effect,
};
use std::sync::Arc;

/// What a person does to a run that failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Repair {
    /// The failed step is tried again.
    Retry {
        /// Instead of the input that it had.
        input: Option<Value>,
        /// Somebody made sure that the at-most-once effect, whose outcome is unknown, did not happen.
        not_done: bool,
    },
    /// The run goes on as if the failed step had given this.
    Skip {
        /// The step's output.
        output: Value,
    },
}

/// Why a run cannot be repaired so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run is in no state for it. Says what can be done instead.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for makes no sense for this step.
    #[error("{0}")]
    Invalid(String),
}

/// How a run is taken up again.
#[derive(Clone, Debug)]
pub struct Reopening {
    by: String,
    /// The entry that made the run fail.
    from: u64,
    /// The step that failed; of a fork the one whose input is given.
    step: Option<StepPath>,
    how: How,
    restored: Box<State>,
}

#[derive(Clone, Debug)]
enum How {
    Repair(Repair),
    Fork { forked: Forked, input: Option<Value> },
}

impl Reopening {
    /// The step that failed.
    pub fn step(&self) -> Option<&StepPath> {
        self.step.as_ref()
    }

    fn action(&self) -> &'static str {
        match &self.how {
            How::Repair(Repair::Retry { input: None, .. }) => "retry",
            How::Repair(Repair::Retry { .. }) => "edit",
            How::Repair(Repair::Skip { .. }) => "skip",
            How::Fork { .. } => "fork",
        }
    }
}

/// How a run that failed is taken up again; or why it cannot be.
pub fn repair(workflow: &Workflow, run_id: RunId, entries: &[Entry], by: &str, repair: Repair) -> Result<Reopening, Refusal> {
    let (error, step, from) = failure(run_id, entries)?;
    let undone = entries.iter().any(|entry| matches!(entry.fact, Fact::CompensationStarted { .. }));
    if undone {
        return Err(conflict(run_id, "what it had done was undone when it failed"));
    }
    let reopens = entries.iter().filter(|entry| matches!(entry.fact, Fact::Reopened { .. })).count();
    if reopens >= limits::RUN_REOPENS as usize {
        return Err(conflict(run_id, &format!("it was taken up again {reopens} times, the most that a run may be")));
    }
    let node = entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::StepScheduled { node, .. } if entry.step.as_ref() == Some(&step) => Some(node.as_str()),
        _ => None,
    });
    let at_most_once = node.and_then(|node| rules_of(workflow, &step, node)).is_some_and(|rules| rules.effect == Effect::AtMostOnce);
    check(workflow, run_id, error, &step, &repair, at_most_once)?;
    let began_since = |entry: &Entry| entry.seq > from && calls(entry);
    if workflow.script.is_some() && entries.iter().any(began_since) {
        return Err(conflict(run_id, "its script went on after the step that failed, and only then gave up"));
    }
    let keep: Vec<u64> = chain(entries, from).iter().map(|link| link.seq).collect();
    let unreadable = |reason: String| Refusal::Conflict(format!("run {run_id} cannot be taken up again: {reason}"));
    let (_, kept) = reopen::fold_keeping(workflow, run_id, entries, &keep).map_err(|error| unreadable(error.to_string()))?;
    let restored = reopen::restore(workflow, &kept, entries, from).map_err(unreadable)?;
    Ok(Reopening { by: by.to_owned(), from, step: Some(step), how: How::Repair(repair), restored: Box::new(restored) })
}

/// Why a run failed, the step that made it fail, and the entry that says so.
fn failure(run_id: RunId, entries: &[Entry]) -> Result<(&StepError, StepPath, u64), Refusal> {
    let error = match entries.last().map(|entry| &entry.fact) {
        Some(Fact::RunFailed { error }) => error,
        Some(Fact::RunCompleted { .. }) => return Err(conflict(run_id, "it has ended well")),
        Some(Fact::RunCancelled { .. }) => return Err(conflict(run_id, "it was cancelled")),
        _ => return Err(Refusal::Conflict(format!("run {run_id} has not failed; only what failed can be retried or skipped"))),
    };
    let why = match error.code {
        ErrorCode::Timeout => "the run as a whole took longer than its `timeout`",
        _ => "it failed outside of its steps",
    };
    let step = error.step.as_deref().ok_or_else(|| conflict(run_id, why))?;
    let made_it_fail = |entry: &&Entry| {
        entry.step.as_deref() == Some(step) && (failed_with(entry, error) || matches!(&entry.fact, Fact::StepCompleted { output, .. } if stops_with(output)))
    };
    let entry = entries.iter().rev().find(made_it_fail).ok_or_else(|| conflict(run_id, "its history does not tell which step made it fail"))?;
    Ok((error, step.into(), entry.seq))
}

/// The step that made a run fail, and the entry that says so; `None` when it has not failed at a step.
pub(super) fn failed_at(entries: &[Entry]) -> Option<(StepPath, u64)> {
    let nobody = RunId(uuid::Uuid::nil());
    failure(nobody, entries).ok().map(|(_, step, from)| (step, from))
}

/// Whether a durable call of a script begins with this entry.
fn calls(entry: &Entry) -> bool {
    matches!(
        entry.fact,
        Fact::StepScheduled { .. }
            | Fact::TimerSet { .. }
            | Fact::WaitOpened { .. }
            | Fact::VariantChosen { .. }
            | Fact::ChildStarted { .. }
            | Fact::AskOpened { .. }
            | Fact::EventEmitted { .. }
    )
}

/// Whether a `stop` ended the run badly.
fn stops_with(output: &Value) -> bool {
    !output["error"].is_null()
}

fn conflict(run_id: RunId, why: &str) -> Refusal {
    Refusal::Conflict(format!("run {run_id} cannot be taken up again: {why}; fork it instead (`onward runs fork {run_id}`)"))
}

/// Whether this can be done to the step that failed.
fn check(workflow: &Workflow, run_id: RunId, error: &StepError, step: &str, repair: &Repair, at_most_once: bool) -> Result<(), Refusal> {
    let Repair::Retry { input, not_done } = repair else { return Ok(()) };
    if let Some(input) = input {
        check_input(workflow.step(step).map(|step| &step.verb), step, input)?;
    }
    if at_most_once && error.code == ErrorCode::OutcomeUnknown && !not_done {
        return Err(Refusal::Conflict(format!(
            "whether step {step} of run {run_id} took effect is unknown, and it must not happen twice: skip it if it did; if you made sure that it did not, \
             retry it with `not_done` (`onward runs retry {run_id} --not-done`)"
        )));
    }
    Ok(())
}

/// Whether the step can be given an input.
pub(super) fn check_input(verb: Option<&Verb>, step: &str, input: &Value) -> Result<(), Refusal> {
    if !matches!(verb, Some(Verb::Do { .. } | Verb::Call { .. })) {
        return Err(Refusal::Invalid(format!("step {step} takes no input: only `do`, `call` and `start` have one")));
    }
    if !input.is_object() {
        return Err(Refusal::Invalid(format!("the input of step {step} must be an object")));
    }
    Ok(())
}

/// What the recorded entry at this place says was done to the run, with what it was given.
pub(super) fn recorded(entries: &[Entry], index: usize) -> Option<(&str, Repair)> {
    let entry = entries.get(index)?;
    let Fact::Reopened { by, action, .. } = &entry.fact else { return None };
    let given = entries.get(index + 1..)?.iter().find(|next| next.step == entry.step && !matches!(next.fact, Fact::ValueRead { .. }));
    let input = match given.map(|given| &given.fact) {
        Some(Fact::StepScheduled { input, .. }) => input.as_deref().cloned(),
        Some(Fact::ChildStarted { input, .. }) => Some(input.clone()),
        _ => None,
    };
    let repair = match (action.as_str(), given.map(|given| &given.fact)) {
        ("skip", Some(Fact::StepSkipped { output })) => Repair::Skip { output: output.clone().unwrap_or_default() },
        ("skip", _) => Repair::Skip { output: Value::Null },
        ("edit", _) => Repair::Retry { input: Some(input.unwrap_or_default()), not_done: true },
        ("fork", _) => Repair::Retry { input: input.filter(|_| entry.step.is_some()), not_done: true },
        _ => Repair::Retry { input: None, not_done: true },
    };
    Some((by, repair))
}

impl Reopening {
    /// How the recorded entry at this place took the run up again: for a replay.
    pub(super) fn recorded(workflow: &Workflow, run_id: RunId, entries: &[Entry], index: usize) -> Option<Self> {
        let (entry, before) = (entries.get(index)?, entries.get(..index)?);
        let Fact::Reopened { from, fork, .. } = &entry.fact else { return None };
        let (by, repair) = recorded(entries, index)?;
        if let Some(forked) = fork {
            let (state, _) = reopen::fold_keeping(workflow, forked.source, before, &[]).ok()?;
            return Self::fork(workflow, &state, by, forked.clone(), entry.step.clone(), repair);
        }
        let keep: Vec<u64> = chain(before, *from).iter().map(|link| link.seq).collect();
        let (_, kept) = reopen::fold_keeping(workflow, run_id, before, &keep).ok()?;
        let restored = reopen::restore(workflow, &kept, before, *from).ok()?;
        Some(Self { by: by.to_owned(), from: *from, step: entry.step.clone(), how: How::Repair(repair), restored: Box::new(restored) })
    }

    /// How the copy of a run goes on that has come so far.
    pub(super) fn fork(workflow: &Workflow, state: &State, by: &str, forked: Forked, step: Option<StepPath>, repair: Repair) -> Option<Self> {
        let input = if let Repair::Retry { input, .. } = repair { input } else { None };
        let restored = Box::new(reopen::copied(workflow, state).ok()?);
        Some(Self { by: by.to_owned(), from: state.seq + 1, step, how: How::Fork { forked, input }, restored })
    }
}

impl Turn<'_, '_> {
    /// Takes the run up again.
    pub(super) fn reopen(&mut self, reopening: Reopening) {
        let action = reopening.action().to_owned();
        let Reopening { by, from, step, how, restored } = reopening;
        let fork = match &how {
            How::Repair(_) if !self.state.status.is_final() => return,
            How::Repair(_) => None,
            How::Fork { forked, .. } => Some(forked.clone()),
        };
        self.state.restored = Some(restored);
        self.record(step.as_ref(), Fact::Reopened { by, action, from, fork });
        let (input, not_done) = match how {
            How::Repair(Repair::Skip { output }) => {
                if let Some(step) = &step {
                    self.record(Some(step), Fact::StepSkipped { output: (!output.is_null()).then_some(output) });
                }
                (None, false)
            }
            How::Repair(Repair::Retry { input, not_done }) => (input, not_done),
            How::Fork { input, .. } => (input, false),
        };
        let mut edited = step.clone().zip(input);
        self.schedule_again(&mut edited, step.as_ref().filter(|_| not_done));
        self.stand_again();
        if let Some((step, input)) = edited {
            self.begin_edited(&step, input);
        }
    }

    /// Schedules the calls that were on their way, and the one that failed, with another input where one is given. Of `not_done`
    /// somebody made sure that it had no effect.
    fn schedule_again(&mut self, edited: &mut Option<(StepPath, Value)>, not_done: Option<&StepPath>) {
        let again: Vec<(StepPath, bool)> = self
            .state
            .leaves
            .iter()
            .filter_map(|(path, leaf)| match leaf {
                Leaf::Node(progress) => {
                    if let Phase::Again { renew } = progress.phase {
                        Some((Arc::clone(path), renew))
                    } else {
                        None
                    }
                }
                _ => None,
            })
            .collect();
        for (path, renew) in again {
            let Some(Leaf::Node(progress)) = self.state.leaves.get(&path) else { continue };
            let given = edited.take_if(|(step, _)| *step == path).map(|(_, input)| input);
            let renew = renew || given.is_some();
            let generation = if renew { self.state.reopens } else { progress.generation };
            // Always with its input: an attempt without one is what a retry's timer begins.
            let input = Some(given.map_or_else(|| Arc::clone(&progress.input), Arc::new));
            // What was prepared belongs to the key that is kept.
            let prepared = if renew { None } else { progress.prepared.clone() };
            let (node, attempt, timeout_ms) = (progress.node.to_string(), progress.attempt + 1, progress.timeout_ms);
            self.record(Some(&path), Fact::StepScheduled { node, attempt, generation, input, timeout_ms, prepared });
            if let Some(Leaf::Node(progress)) = self.state.leaves.get(&path) {
                let mut call = self.state.call(&path, progress);
                call.unsure = !renew && not_done != Some(&path);
                self.act(Action::Run(call));
            }
        }
    }

    /// As [`Turn::begin_with`]; what must be known first is asked for.
    pub(super) fn begin_edited(&mut self, step: &StepPath, input: Value) {
        match self.begin_with(step, input.clone()) {
            Ok(()) => {}
            Err(Stop::Need) => self.state.undecided = Some(Undecided::Begin(Arc::clone(step), input)),
            Err(Stop::Failed(error)) => self.fail_step(step, error),
        }
    }

    /// Begins a step that has not begun, with this input instead of what its definition says.
    fn begin_with(&mut self, path: &StepPath, input: Value) -> Result<(), Stop> {
        let Some(step) = self.workflow.step(path) else { return Ok(()) };
        match &step.verb {
            Verb::Do { node, .. } => self.schedule(step, path, node, input),
            Verb::Call { workflow, .. } => {
                let workflow = self.render(workflow, path)?;
                let workflow = workflow.as_str().map_or_else(|| workflow.to_string(), str::to_owned);
                self.start_child(path, workflow, input);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
