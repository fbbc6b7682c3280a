//! Hardening: a case must come to the same end, however often the process dies, whatever is repeated; and it must end
//! cleanly wherever a call fails.
//!
//! * **restart**: before every turn the state is thrown away and folded from the history.
//! * **repeat**: every turn is decided, lost (a crash before the commit) and decided again; and everything that was
//!   delivered is delivered once more (a crash after the commit). Calls keep their idempotency key and their input.
//! * **failure**: at every call in turn, once for good and once for a while.

use super::{Answered, CaseReport, CaseSetup, Outside, Watch, World, cases, turn::named};
use onward_core::{
    ErrorCode, StepError,
    definition::{Verb, Workflow},
    history::Entry,
    machine::{self, Happening, InFlight},
    ports::{Outcome, RunStatus},
};
use std::collections::BTreeMap;

/// Calls of one case that are made to fail, each in a play of its own.
const FAILURES: usize = 200;

/// How a play is made harder.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    pub(super) restart: bool,
    pub(super) repeat: bool,
    /// The call with this number (from 0) comes to this.
    pub(super) fail: Option<(usize, Outcome)>,
    calls: usize,
    /// Idempotency key and input of each attempt's step, by run and step.
    keys: BTreeMap<(usize, String), (String, String)>,
    /// What the turn decided before it was lost.
    lost: Option<Vec<Entry>>,
}

impl Trial {
    pub(super) fn repeats(&self) -> bool {
        self.repeat
    }

    /// The outcome that this call is made to have.
    pub(super) fn intercept(&mut self, _run: usize, _call: &InFlight) -> Option<Answered> {
        let number = self.calls;
        self.calls += 1;
        match &self.fail {
            Some((at, outcome)) if *at == number => Some(Answered { outcome: outcome.clone(), takes_ms: 0 }),
            _ => None,
        }
    }
}

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Before a turn: the state is folded anew, and the turn is decided once and lost.
    pub(super) fn tried_before(&mut self, run: usize, workflow: &Workflow, happening: &Happening) {
        if !self.trial.restart && !self.trial.repeat {
            return;
        }
        let Some(played) = self.runs.get_mut(run) else { return };
        if played.history.is_empty() {
            return;
        }
        let folded = match machine::fold_all(workflow, played.state.run_id, &played.history) {
            Ok(folded) => folded,
            Err(error) => return self.faults.push(format!("restart before {}: the history does not fold: {error}", named(happening))),
        };
        let flying = |state: &machine::State| -> Vec<(String, u32, String)> {
            state.in_flight().into_iter().map(|call| (call.step.to_string(), call.attempt, call.idempotency_key())).collect()
        };
        let (was, is) = ((flying(&played.state), played.state.timers(), played.state.waiting_on()), (flying(&folded), folded.timers(), folded.waiting_on()));
        if was != is {
            self.faults.push(format!("restart before {}: the run stood at {was:?}, and its history says {is:?}", named(happening)));
        }
        if self.trial.repeat {
            let mut lost = folded.clone();
            let variants = self.variants.clone();
            let decision = self.decide(run, workflow, &mut lost, happening.clone());
            self.variants = variants;
            self.trial.lost = Some(decision.entries);
        }
        if let Some(played) = self.runs.get_mut(run) {
            played.state = folded;
        }
    }

    /// After a turn: it decided what it had decided before it was lost, and what was delivered once more does nothing.
    pub(super) fn tried_again(&mut self, run: usize, workflow: &Workflow, happening: Happening) {
        let Some(played) = self.runs.get(run) else { return };
        if let Some(lost) = self.trial.lost.take() {
            let from = played.history.len().saturating_sub(lost.len());
            if played.history.get(from..) != Some(&lost[..]) {
                self.faults.push(format!("{} was decided in another way the second time", named(&happening)));
            }
        }
        for call in played.state.in_flight() {
            let said = (call.idempotency_key(), call.input.to_string());
            let first = self.trial.keys.entry((run, call.step.to_string())).or_insert_with(|| said.clone());
            if *first != said {
                self.faults.push(format!("step {} is called again with another key or input", call.step));
            }
        }
        if matches!(happening, Happening::Continue | Happening::Pause { .. } | Happening::Resume { .. }) {
            return;
        }
        let mut state = played.state.clone();
        let name = named(&happening);
        let variants = self.variants.clone();
        let again = self.decide(run, workflow, &mut state, happening);
        self.variants = variants;
        if let Some(entry) = again.entries.first() {
            self.faults.push(format!("{name} came a second time and was recorded as {}", entry.fact.kind()));
        }
    }
}

/// Plays a case again and again, harder each time. Gives what went wrong; nothing of it is the author's expectation.
pub fn harden(setup: &CaseSetup<'_>) -> Vec<String> {
    let plain = cases::played(setup, Trial::default());
    let mut problems = Vec::new();
    for (word, trial) in [("restart", Trial { restart: true, ..Trial::default() }), ("repeat", Trial { repeat: true, ..Trial::default() })] {
        let again = cases::played(setup, trial);
        problems.extend(again.faults.iter().map(|fault| format!("{word}: {fault}")));
        if again.histories != plain.histories {
            problems.push(format!("{word}: the run came to another history: {}", first_difference(&plain.histories, &again.histories)));
        }
    }
    for (number, call) in plain.calls.iter().enumerate().take(FAILURES) {
        let at = format!("at call {} ({} of step {})", number + 1, call.node, call.step);
        let error = |code: ErrorCode| StepError::new(code, "the hardening pass lets it fail");
        let for_good = Trial { fail: Some((number, Outcome::Failed { error: error(ErrorCode::Internal) })), ..Trial::default() };
        let failed = cases::played(setup, for_good);
        problems.extend(failed.faults.iter().map(|fault| format!("failure {at}: {fault}")));
        if let Some(stuck) = failed.stuck_since(&plain) {
            problems.push(format!("failure {at}: {stuck}"));
        }
        // Where the case itself spends attempts, one more failure may be one too many.
        let spent = plain.calls.iter().any(|other| other.run == call.run && other.step == call.step && !matches!(other.outcome, Outcome::Done { .. }));
        if spent || !retries(setup, &call.step, &call.node) {
            continue;
        }
        let for_a_while = Trial { fail: Some((number, Outcome::Failed { error: error(ErrorCode::Unavailable) })), ..Trial::default() };
        let recovered = cases::played(setup, for_a_while);
        problems.extend(recovered.faults.iter().map(|fault| format!("a failure for a while {at}: {fault}")));
        if recovered.ends() != plain.ends() {
            problems.push(format!("a failure for a while {at}: the runs ended as {:?} and not as {:?}", recovered.ends(), plain.ends()));
        }
    }
    problems
}

/// Whether a step's node is called again when it was not available.
fn retries(setup: &CaseSetup<'_>, path: &str, node: &str) -> bool {
    let key = path.split('#').next().unwrap_or_default();
    let mut retries = false;
    for workflow in &setup.stage.workflows {
        retries |= workflow.script.as_ref().is_some_and(|script| script.node(node).retry.max_attempts > 1);
        workflow.steps.each_step(&mut |step| {
            if let Verb::Do { retry, .. } = &step.verb
                && *step.key == *key
            {
                retries |= retry.max_attempts > 1;
            }
        });
    }
    retries
}

fn first_difference(was: &[Vec<Entry>], is: &[Vec<Entry>]) -> String {
    for (run, (was, is)) in was.iter().zip(is).enumerate() {
        if let Some((was, is)) = was.iter().zip(is).find(|(was, is)| was != is) {
            return format!("run {}, entry {}: {} became {}", run + 1, was.seq, was.fact.kind(), is.fact.kind());
        }
        if was.len() != is.len() {
            return format!("run {} has {} entries and not {}", run + 1, is.len(), was.len());
        }
    }
    format!("{} runs and not {}", is.len(), was.len())
}

impl cases::PlayedCase {
    /// How each run ended.
    fn ends(&self) -> Vec<(RunStatus, Option<String>)> {
        self.ends.clone()
    }

    /// A run that neither ended nor waits for what it would have waited for anyway.
    fn stuck_since(&self, plain: &Self) -> Option<String> {
        self.ends.iter().enumerate().find_map(|(run, (status, _))| {
            let before = plain.ends.get(run).map(|(status, _)| *status);
            let at_rest = status.is_final() || Some(*status) == before || *status == RunStatus::Waiting;
            (!at_rest).then(|| format!("run {} is left {}", run + 1, status.as_str()))
        })
    }
}

impl CaseReport {
    /// Adds what hardening found.
    pub fn hardened(&mut self, found: Vec<String>) {
        for message in found {
            self.problems.push(self.problem("hardening", &message));
        }
        self.passed = self.problems.is_empty();
    }
}
