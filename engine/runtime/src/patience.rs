//! Scripts as a server runs them: with a limit to the time that one may take of the engine's loop.
//!
//! What counts is what a script computes. A machine that was asleep, or a processor that others kept busy, is no fault of the
//! script's, and must not pause its run.

use onward_core::{
    StepError, Value,
    expression::Scope,
    limits,
    ports::{
        Interrupted, Journal, Origin, ScriptBudget, ScriptInput, ScriptLiteral, ScriptProblem, ScriptProgram, ScriptReference, ScriptSite, ScriptStanding,
        ScriptStart, ScriptStep, ScriptTurn, ScriptWait, Scripts,
    },
};
use onward_script::Rhai;
use rustix::time::{ClockId, clock_gettime};
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

/// rhai, for [`limits::SCRIPT_COMPUTED_MS`] at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PatientScripts;

#[derive(Debug)]
struct PatientStep(Arc<dyn ScriptStep>);

#[derive(Debug)]
struct PatientProgram(Arc<dyn ScriptProgram>);

impl Scripts for PatientScripts {
    fn compile_step(&self, source: &str, origin: Origin, names: &[&str]) -> Result<Arc<dyn ScriptStep>, Vec<ScriptProblem>> {
        Ok(Arc::new(PatientStep(Rhai.compile_step(source, origin, names)?)))
    }
    fn compile_program(&self, source: &str) -> Result<Arc<dyn ScriptProgram>, Vec<ScriptProblem>> {
        Ok(Arc::new(PatientProgram(Rhai.compile_program(source)?)))
    }
}

impl ScriptStep for PatientStep {
    fn references(&self) -> &[ScriptReference] {
        self.0.references()
    }

    fn evaluate(&self, scope: &Scope, budget: &ScriptBudget) -> Result<Result<Value, StepError>, Interrupted> {
        self.0.evaluate(scope, &patient(budget, limits::SCRIPT_COMPUTED_MS))
    }
}

impl ScriptProgram for PatientProgram {
    fn references(&self) -> &[ScriptReference] {
        self.0.references()
    }

    fn literals(&self) -> &[ScriptLiteral] {
        self.0.literals()
    }

    fn inputs(&self) -> &[ScriptInput] {
        self.0.inputs()
    }

    fn waits(&self) -> &[ScriptWait] {
        self.0.waits()
    }

    fn sites(&self) -> &[ScriptSite] {
        self.0.sites()
    }

    fn advance(&self, start: &ScriptStart, journal: Arc<dyn Journal>, standing: &mut ScriptStanding, budget: &ScriptBudget) -> Result<ScriptTurn, Interrupted> {
        self.0.advance(start, journal, standing, &patient(budget, limits::SCRIPT_TURN_COMPUTED_MS))
    }
}

/// The net behind the language's own limits: reaching it is never an outcome.
#[expect(clippy::disallowed_methods, reason = "what a script gives never depends on this clock")]
fn patient(budget: &ScriptBudget, milliseconds: u64) -> ScriptBudget {
    let most = Duration::from_millis(milliseconds);
    let until = Instant::now() + most;
    ScriptBudget { enough: Some(Arc::new(enough(move || Instant::now() < until, most))), ..budget.clone() }
}

/// Whether a thread that asks now and then has computed for longer than `most` since it first asked. A thread's own time is dear
/// to read: nobody who is `early` has used it up.
fn enough(early: impl Fn() -> bool, most: Duration) -> impl Fn() -> bool {
    let first = OnceLock::new();
    move || {
        let first = *first.get_or_init(computed);
        !early() && computed().saturating_sub(first) >= most
    }
}

/// The processor time that this thread has used.
fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;
    use onward_core::definition::compile;
    use onward_testkit::MemoryTx;
    use serde_json::json;

    fn problems(script: &str) -> Vec<String> {
        let source = format!("name: a\non: [{{ manual: }}]\nsteps:\n  - id: s\n    script: |\n      let n = 1;\n      {script}\n");
        let nodes = Registry::<MemoryTx>::new(Vec::new(), []).expect("no node twice");
        compile(&source, &nodes).problems.iter().map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.code)).collect()
    }

    #[test]
    fn a_script_is_checked_in_its_place() {
        assert_eq!(problems("n + input.m"), Vec::<String>::new());
        assert_eq!(problems("n + "), ["7:10 bad_script"]);
        let found = problems("n + inptu.m");
        assert!(found.len() == 1 && found[0].starts_with("7:"), "{found:?}");
        let found = problems("n + steps.nosuch.x");
        assert!(found.len() == 1 && found[0].ends_with("unknown_step"), "{found:?}");
    }

    #[test]
    fn who_computes_has_enough_and_who_was_kept_waiting_has_not() {
        let late = || false;
        assert!(!enough(|| true, Duration::ZERO)(), "nobody is late before the time");
        assert!(enough(late, Duration::ZERO)());
        assert!(!enough(late, Duration::from_hours(1))(), "the time is over, and nothing was computed");
        let tired = enough(late, Duration::from_millis(1));
        while !tired() {}
        assert!(tired(), "and so it stays");
    }

    #[test]
    fn a_script_computes_and_its_caps_are_an_outcome() {
        let run = |source: &str| {
            let step = PatientScripts.compile_step(source, Origin::default(), &["input"]).expect("it compiles");
            step.evaluate(&Scope { input: Arc::new(json!({ "n": 2 })), ..Scope::default() }, &ScriptBudget::unlimited())
        };
        assert_eq!(run("#{ total: input.n + 1 }"), Ok(Ok(json!({ "total": 3 }))));
        assert!(matches!(run("loop {}"), Ok(Err(_)) | Err(Interrupted)), "an endless loop ends");
    }
}
