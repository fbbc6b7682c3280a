//! What a case expects against what came of it.

use super::{
    Call,
    cases::PlayedCase,
    compare::{Scope, differences, shown},
};
use onward_core::{
    StepError, Value,
    definition::{
        Position, Problem, Severity,
        testing::{Case, Expect, ExpectedCall, ExpectedEvent, Placed, Times},
    },
    history::{Entry, Fact},
    machine::State,
};

/// The problems of one case.
struct Judge<'c> {
    case: &'c Case,
    played: &'c PlayedCase,
    problems: Vec<Problem>,
}

/// Everything in which a case came out otherwise.
pub(super) fn judge(timezone: &str, case: &Case, played: &PlayedCase) -> Vec<Problem> {
    let mut judge = Judge { case, played, problems: Vec::new() };
    judge.play();
    let run = case.expect.run.as_ref().map_or(1, |run| run.value);
    let index = usize::try_from(run.saturating_sub(1)).unwrap_or(usize::MAX);
    judge.run(timezone, index);
    judge.counts();
    for call in &case.expect.calls {
        judge.call(call);
    }
    judge.not_called();
    for event in &case.expect.emitted {
        judge.emitted(event);
    }
    for kind in &case.expect.no_events {
        let times = played.emitted.iter().filter(|event| event.kind == kind.value).count();
        if times > 0 {
            judge.add("expected_events", &kind.position, format!("{} was emitted {}, and never was expected", kind.value, in_times(times)));
        }
    }
    judge.problems
}

impl Judge<'_> {
    fn add(&mut self, code: &str, position: &Position, message: String) {
        self.problems.push(Problem {
            severity: Severity::Error,
            code: code.to_owned(),
            message,
            line: position.line,
            column: position.column,
            pointer: position.pointer.clone(),
            suggestion: None,
        });
    }

    fn differ<T>(&mut self, code: &str, what: &str, placed: &Placed<T>, expected: &Value, got: &Value, scope: Scope) {
        for difference in differences(expected, got, scope) {
            let joint = if difference.starts_with("expected ") { ": " } else { " " };
            self.add(code, &placed.position, format!("{what}{joint}{difference}"));
        }
    }

    /// The play itself.
    fn play(&mut self) {
        let place = self.case.position.clone();
        if self.played.given_up {
            self.add("endless", &place, "it goes round and round without an end; watch it for a while only (`for: 30d`), or mend the loop".into());
        }
        for (run, (state, history)) in self.played.states.iter().zip(&self.played.histories).enumerate() {
            if state.paused.as_deref() != Some("engine") {
                continue;
            }
            let reason = history.iter().rev().find_map(|entry| match &entry.fact {
                Fact::Paused { reason, .. } => reason.clone(),
                _ => None,
            });
            self.add("held_by_engine", &place, format!("the engine holds run {}: {}", run + 1, reason.unwrap_or_default()));
        }
        for (line, reason) in self.played.undone.clone() {
            self.add("not_done", &Position { line, ..place.clone() }, format!("this could not come: {reason}"));
        }
    }

    fn counts(&mut self) {
        let expect = &self.case.expect;
        if let Some(runs) = &expect.runs
            && runs.value != self.played.states.len() as u64
        {
            let message = format!("runs: expected {}, got {}{}", runs.value, self.played.states.len(), self.refusals());
            self.add("expected_runs", &runs.position, message);
        }
        if let Some(held) = &expect.held
            && held.value != self.played.held as u64
        {
            self.add("expected_held", &held.position, format!("held: expected {}, got {}", held.value, self.played.held));
        }
    }

    /// What is expected of one run.
    fn run(&mut self, timezone: &str, index: usize) {
        let expect: &Expect = &self.case.expect;
        let Some(state) = self.played.states.get(index) else { return self.no_run(index) };
        let history = self.played.histories.get(index).map_or(&[][..], Vec::as_slice);
        if let Some(status) = &expect.status
            && status.value != state.status.as_str()
        {
            self.add("expected_status", &status.position, format!("status: expected {}, got {}{}", status.value, state.status.as_str(), why(state)));
        }
        if let Some(output) = &expect.output {
            self.differ("expected_output", "output", output, &output.value, &state.output, Scope::Whole);
        }
        if let Some(error) = &expect.error {
            let got = state.error.as_ref().map_or(Value::Null, StepError::to_value);
            self.differ("expected_error", "error", error, &error.value, &got, Scope::Named);
        }
        if let Some(exit) = &expect.exit {
            let got = state.exit.as_deref().map_or(Value::Null, Value::from);
            self.differ("expected_exit", "exit", exit, &exit.value, &got, Scope::Whole);
        }
        if let Some(waits) = &expect.waiting_on {
            self.differ("expected_waiting", "waiting_on", waits, &waits.value, &state.waiting_on(), Scope::Named);
        }
        if let Some(variables) = &expect.variables {
            let got = Value::Object(state.vars().cloned().unwrap_or_default());
            self.differ("expected_variables", "variables", variables, &Value::Object(variables.value.clone()), &got, Scope::Named);
        }
        self.steps(history);
        self.took(timezone, state);
    }

    fn no_run(&mut self, index: usize) {
        let expect = &self.case.expect;
        let wanted = expect.status.as_ref().map(|status| status.value.as_str());
        let got = if self.played.held > 0 { "held" } else { "not_started" };
        if wanted == Some(got) || (wanted.is_none() && expect.runs.as_ref().is_some_and(|runs| runs.value == 0)) {
            return;
        }
        let which = if index == 0 { "no run was started".to_owned() } else { format!("there is no run {}", index + 1) };
        let place = expect.run.as_ref().map_or_else(|| self.case.place_of(expect.status.as_ref()).clone(), |run| run.position.clone());
        let message = match wanted {
            Some(wanted) => format!("status: expected {wanted}, but {which}{}", self.refusals()),
            None => format!("{which}{}", self.refusals()),
        };
        self.add("expected_status", &place, message);
    }

    fn refusals(&self) -> String {
        let mut reasons: Vec<String> = self.played.refused.iter().map(|refused| format!("{}: {}", refused.workflow, refused.reason)).collect();
        reasons.dedup();
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
    }

    fn steps(&mut self, history: &[Entry]) {
        let expect: &Expect = &self.case.expect;
        let taken = taken(history);
        if let Some(path) = &expect.path {
            let got: Vec<&str> = taken.iter().copied().filter(|step| is_named(step)).collect();
            if got.iter().copied().ne(path.value.iter().map(String::as_str)) {
                let message = format!("path: expected {}, got {}", path.value.join(" → "), if got.is_empty() { "none".into() } else { got.join(" → ") });
                self.add("expected_path", &path.position, message);
            }
        }
        let mut left = taken.iter();
        for step in &expect.steps {
            if !left.any(|taken| *taken == step.value) {
                let message = if taken.contains(&step.value.as_str()) {
                    format!("step {} was taken, but not in this order: {}", step.value, taken.join(" → "))
                } else {
                    format!("step {} was not taken; taken were {}", step.value, if taken.is_empty() { "none".into() } else { taken.join(", ") })
                };
                self.add("expected_steps", &step.position, message);
                left = taken.iter();
            }
        }
        for step in &expect.no_steps {
            if taken.contains(&step.value.as_str()) {
                self.add("expected_steps", &step.position, format!("step {} was taken, and was not expected to be", step.value));
            }
        }
        for (step, branch) in &expect.branches {
            let chosen =
                history.iter().rev().filter(|entry| entry.step.as_deref().is_some_and(|path| key_of(path) == step.value)).find_map(|entry| match &entry.fact {
                    Fact::BranchTaken { branch } => Some(branch.clone()),
                    Fact::VariantChosen { variant, .. } => Some(variant.clone()),
                    _ => None,
                });
            if chosen.as_deref() != Some(branch.value.as_str()) {
                let got = chosen.map_or_else(|| "it was not reached".to_owned(), |chosen| format!("it took {chosen}"));
                self.add("expected_branch", &branch.position, format!("branches: step {}: expected {}, but {got}", step.value, branch.value));
            }
        }
    }

    fn took(&mut self, timezone: &str, state: &State) {
        let expect: &Expect = &self.case.expect;
        let ended = if state.status.is_final() { state.at } else { self.played.now };
        let bound = |span: &onward_core::definition::Span| span.add_to(state.started_at, timezone);
        let took = crate::play::timeline::length(ended.millis_since(state.started_at));
        if let Some(under) = &expect.took_under
            && ended >= bound(&under.value)
        {
            self.add("expected_took", &under.position, format!("took: expected under {}, got {took}", under.value.text));
        }
        if let Some(over) = &expect.took_over
            && ended <= bound(&over.value)
        {
            self.add("expected_took", &over.position, format!("took: expected over {}, got {took}", over.value.text));
        }
    }

    fn call(&mut self, expected: &ExpectedCall) {
        let named: Vec<&Call> = self
            .played
            .calls
            .iter()
            .filter(|call| expected.node.as_ref().is_none_or(|node| *call.node == *node.value))
            .filter(|call| expected.step.as_ref().is_none_or(|step| key_of(&call.step) == step.value))
            .collect();
        let what = match (&expected.node, &expected.step) {
            (Some(node), Some(step)) => format!("{} at step {}", node.value, step.value),
            (Some(name), None) | (None, Some(name)) => name.value.clone(),
            (None, None) => "a call".to_owned(),
        };
        let fitting = match &expected.with {
            Some(with) => named.iter().filter(|call| differences(&with.value, &call.input, Scope::Named).is_empty()).count(),
            None => named.len(),
        };
        if fits(expected.times, fitting) {
            return;
        }
        let wanted = wanted(expected.times);
        if let (Some(with), Some(nearest)) = (&expected.with, nearest(expected, &named)) {
            let message = format!("calls: {what} was called {} with such an input, expected {wanted}", in_times(fitting));
            self.add("expected_calls", &expected.position, message);
            self.differ("expected_calls", &format!("calls: the nearest call of {what}"), with, &with.value, &nearest.input, Scope::Named);
            return;
        }
        let made = if named.is_empty() && !self.played.calls.is_empty() {
            let mut made: Vec<&str> = self.played.calls.iter().map(|call| &*call.node).collect();
            made.dedup();
            format!("; called were {}", made.join(", "))
        } else {
            String::new()
        };
        self.add("expected_calls", &expected.position, format!("calls: {what} was called {}, expected {wanted}{made}", in_times(fitting)));
    }

    fn not_called(&mut self) {
        let expect: &Expect = &self.case.expect;
        if let (Some(place), Some(call)) = (&expect.no_calls_at_all, self.played.calls.first()) {
            let message = format!("no_calls: {} calls were made, the first of {} with {}", self.played.calls.len(), call.node, shown(&call.input));
            self.add("expected_calls", place, message);
        }
        for target in &expect.no_calls {
            let found = self.played.calls.iter().find(|call| *call.node == *target.value || key_of(&call.step) == target.value);
            if let Some(call) = found {
                let message = format!("no_calls: {} was called, with {}", target.value, shown(&call.input));
                self.add("expected_calls", &target.position, message);
            }
        }
    }

    fn emitted(&mut self, expected: &ExpectedEvent) {
        let named: Vec<&Value> = self.played.emitted.iter().filter(|event| event.kind == expected.event.value).map(|event| &event.data).collect();
        let fitting = match &expected.with {
            Some(with) => named.iter().filter(|data| differences(&with.value, data, Scope::Named).is_empty()).count(),
            None => named.len(),
        };
        if fits(expected.times, fitting) {
            return;
        }
        let message = format!("emitted: {} was emitted {}, expected {}", expected.event.value, in_times(fitting), wanted(expected.times));
        self.add("expected_events", &expected.position, message);
        if let (Some(with), Some(data)) = (&expected.with, named.first()) {
            self.differ("expected_events", "emitted", with, &with.value, data, Scope::Named);
        }
    }
}

/// The call that is most like the expected one.
fn nearest<'c>(expected: &ExpectedCall, named: &[&'c Call]) -> Option<&'c Call> {
    let with = expected.with.as_ref()?;
    named.iter().copied().min_by_key(|call| differences(&with.value, &call.input, Scope::Named).len())
}

fn fits(times: Option<Times>, count: usize) -> bool {
    let count = count as u64;
    times.map_or(count > 0, |times| (times.min..=times.max).contains(&count))
}

fn wanted(times: Option<Times>) -> String {
    match times {
        None => "at least once".into(),
        Some(Times { min, max }) if min == max => in_times(min as usize),
        Some(Times { min, max: u64::MAX }) => format!("at least {}", in_times(min as usize)),
        Some(Times { min: 0, max }) => format!("at most {}", in_times(max as usize)),
        Some(Times { min, max }) => format!("{min} to {max} times"),
    }
}

fn in_times(count: usize) -> String {
    match count {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{more} times"),
    }
}

/// Why a run stands where it stands, for people.
fn why(state: &State) -> String {
    if let Some(error) = &state.error {
        let step = error.step.as_deref().map_or_else(String::new, |step| format!(" at step {step}"));
        return format!(" ({}{step}: {})", error.code, error.message);
    }
    if let Some(exit) = &state.exit {
        return format!(" (exit on {exit})");
    }
    let waits = state.waiting_on();
    if waits.is_null() { String::new() } else { format!(" (it waits: {})", shown(&waits)) }
}

/// The steps that were taken, in order, each pass once.
fn taken(history: &[Entry]) -> Vec<&str> {
    let mut met = std::collections::BTreeSet::new();
    let mut taken = Vec::new();
    for entry in history {
        let Some(path) = entry.step.as_deref() else { continue };
        if matches!(entry.fact, Fact::StepSkipped { .. } | Fact::StepCancelled { .. } | Fact::ValueRead { .. }) || !met.insert(path) {
            continue;
        }
        taken.push(key_of(path));
    }
    taken
}

/// The step's key in the file, without the iterations that it is in.
pub(super) fn key_of(path: &str) -> &str {
    path.split('#').next().unwrap_or_default()
}

/// Whether a step's key is an id that its author gave.
fn is_named(key: &str) -> bool {
    !key.contains([':', '/'])
}
