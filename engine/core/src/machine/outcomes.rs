//! What becomes of a call's outcome: the step ends, is tried again, is held or fails.

use super::{
    Action,
    journal::SCRIPT_STEP,
    leaf::{Leaf, Phase, UNDO},
    state::{Undecided, cleans_up, weight},
    turn::{Turn, identifier},
};
use crate::{
    ErrorCode, StepError, Timestamp, Value,
    definition::{Compensation, RetryPolicy, Verb, Workflow},
    digest,
    history::{Fact, StepPath},
    limits,
    ports::{Effect, Outcome},
};
use std::sync::Arc;

impl Turn<'_, '_> {
    pub(super) fn step_ended(&mut self, path: &StepPath, attempt: u32, outcome: Outcome) {
        if let Some(progress) = self.state.detached.get(path) {
            if progress.attempt == attempt {
                self.detached_ended(path, attempt, outcome);
            }
            return;
        }
        let Some(Leaf::Node(progress)) = self.state.leaves.get(path) else { return };
        if progress.attempt != attempt || progress.phase != Phase::InFlight {
            return;
        }
        let facts = Attempt { number: attempt, spent: progress.spent + 1, first_at: progress.first_at };
        let Some(rules) = rules_of(self.workflow, path, &progress.node) else { return };
        // A run that is ending starts nothing new: what would be tried again is at its end (SEMANTICS.md 25).
        if self.state.ending.is_some() && !cleans_up(self.workflow, path) {
            let error = match outcome {
                Outcome::Done { output } => return self.step_done(path, attempt, output, rules.binds),
                Outcome::Retry { error, .. } | Outcome::Failed { error } => error,
                Outcome::Hold { reason, .. } => StepError::new(ErrorCode::Cancelled, format!("the run ended while the step was held back: {reason}")),
                Outcome::Unknown { error } => unknown(error),
            };
            self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false });
            return;
        }
        match outcome {
            Outcome::Done { output } => self.step_done(path, attempt, output, rules.binds),
            Outcome::Retry { after_ms, error } => self.retry_or_fail(path, rules.retry, facts, error, after_ms, true),
            Outcome::Failed { error } => {
                let again = rules.retry.retries(&error.code);
                self.retry_or_fail(path, rules.retry, facts, error, None, again);
            }
            Outcome::Unknown { error } if rules.effect == Effect::AtMostOnce => self.fail_step(path, unknown(error)),
            Outcome::Unknown { error } => self.retry_or_fail(path, rules.retry, facts, error, None, true),
            Outcome::Hold { until, reason } => {
                self.record(Some(path), Fact::Held { until, reason });
                if let Some(due) = until {
                    self.act(Action::SetTimer { key: path.to_string(), due });
                }
            }
        }
    }

    /// The outcome of a step that was cancelled: for its undoing alone (SEMANTICS.md 26).
    fn detached_ended(&mut self, path: &StepPath, attempt: u32, outcome: Outcome) {
        match outcome {
            Outcome::Done { output } => {
                let (output, truncated) = bounded(output);
                match self.undoing(path, &output) {
                    Ok(undo) => self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated, undo }),
                    Err(_) => self.state.undecided = Some(Undecided::Outcome(Arc::clone(path), attempt, Outcome::Done { output })),
                }
            }
            Outcome::Failed { error } => self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false }),
            Outcome::Retry { error, .. } | Outcome::Unknown { error } => {
                self.record(Some(path), Fact::StepFailed { error: unknown(error).at_step(&**path), continued: false });
            }
            Outcome::Hold { reason, .. } => {
                let error = StepError::new(ErrorCode::Cancelled, format!("it was held back: {reason}"));
                self.record(Some(path), Fact::StepFailed { error: error.at_step(&**path), continued: false });
            }
        }
    }

    fn step_done(&mut self, path: &StepPath, attempt: u32, output: Value, binds: Option<&str>) {
        let Ok(undo) = self.undoing(path, &output) else {
            self.state.undecided = Some(Undecided::Outcome(Arc::clone(path), attempt, Outcome::Done { output }));
            return;
        };
        let (output, truncated) = bounded(output);
        let bound = binds.filter(|record| !self.state.bindings.contains_key(*record)).and_then(|record| Some((record.to_owned(), identifier(&output["id"])?)));
        let heavy = self.state.scope_bytes + weight(&output) > limits::RUN_SCOPE_BYTES;
        self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated, undo });
        if let Some((record, id)) = bound {
            self.record(Some(path), Fact::Bound { record, id });
        }
        if heavy && self.state.ending.is_none() {
            self.hold_for_engine(&format!("the values of this run exceed {} bytes; keep less in step outputs and variables", limits::RUN_SCOPE_BYTES));
        }
    }

    fn retry_or_fail(&mut self, path: &StepPath, policy: &RetryPolicy, attempt: Attempt, error: StepError, after_ms: Option<i64>, again: bool) {
        // `Retry-After` is a floor and costs no attempt.
        let free = after_ms.is_some();
        let pause = self.pause_before(policy, path, attempt.spent);
        let due = self.at.plus_millis(pause.max(after_ms.unwrap_or(0)));
        let in_time = policy.within_ms.is_none_or(|within| due.millis_since(attempt.first_at) <= within);
        if !again || !in_time || (!free && attempt.spent >= policy.max_attempts) {
            self.fail_step(path, error);
            return;
        }
        self.record(Some(path), Fact::RetryScheduled { attempt: attempt.number, due, error, free });
        self.act(Action::SetTimer { key: path.to_string(), due });
    }

    /// Milliseconds before the attempt that follows `spent` ones.
    fn pause_before(&self, policy: &RetryPolicy, path: &StepPath, spent: u32) -> i64 {
        let steps = i32::try_from(spent.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = (policy.initial_ms as f64 * policy.factor.powi(steps)).min(policy.max_ms as f64).max(0.0);
        let chance = digest::fraction(&[&self.state.seed.to_be_bytes(), path.as_bytes(), &spent.to_be_bytes()]);
        (full * (1.0 - policy.jitter.clamp(0.0, 1.0) * chance)) as i64
    }

    /// Fails a step for good: the run goes on when the step says so, else what is around it fails too.
    pub(super) fn fail_step(&mut self, path: &StepPath, error: StepError) {
        let ends = path.starts_with(UNDO) || &**path == SCRIPT_STEP;
        let continued = !ends && self.workflow.step(path).map_or(self.workflow.script.is_some(), |step| step.continue_on_error);
        // An error that comes from inside the step keeps its place.
        let error = if error.step.is_some() { error } else { error.at_step(&**path) };
        self.record(Some(path), Fact::StepFailed { error, continued });
    }
}

/// How a node is run.
#[derive(Clone, Copy)]
pub(super) struct CallRules<'w> {
    pub(super) retry: &'w RetryPolicy,
    pub(super) effect: Effect,
    pub(super) binds: Option<&'w str>,
}

/// How the node of a step, or of its undoing, is run.
pub(super) fn rules_of<'w>(workflow: &'w Workflow, path: &str, node: &str) -> Option<CallRules<'w>> {
    if let Some(script) = &workflow.script {
        let node = script.node(node);
        return Some(CallRules { retry: &node.retry, effect: node.effect, binds: node.binds.as_deref() });
    }
    let (undoes, path) = match path.strip_prefix(UNDO) {
        Some(step) => (true, step),
        None => (false, path),
    };
    match &workflow.step(path)?.verb {
        Verb::Do { compensate: Some(Compensation { retry, effect, .. }), .. } if undoes => Some(CallRules { retry, effect: *effect, binds: None }),
        Verb::Do { retry, effect, binds, .. } if !undoes => Some(CallRules { retry, effect: *effect, binds: binds.as_deref() }),
        _ => None,
    }
}

/// The facts of one attempt.
#[derive(Clone, Copy)]
struct Attempt {
    number: u32,
    spent: u32,
    first_at: Timestamp,
}

/// An at-most-once effect that may or may not have happened.
fn unknown(error: StepError) -> StepError {
    StepError { code: ErrorCode::OutcomeUnknown, ..error }
}

/// A step's output within its limit; a larger one is cut and flagged, never an error that would repeat the effect.
pub(super) fn bounded(output: Value) -> (Value, bool) {
    let bytes = weight(&output);
    if bytes <= limits::STEP_OUTPUT_BYTES {
        return (output, false);
    }
    let text = output.to_string();
    let mut end = limits::INLINE_PAYLOAD_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (serde_json::json!({ "truncated": true, "bytes": text.len(), "text": &text[..end] }), true)
}
