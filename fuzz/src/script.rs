//! Any text as a `script:` step and as a whole script: it is compiled or refused, gives the same twice, and ends.
use crate::ground::scope;
use onward_core::{
    Object, Timestamp, Value,
    ports::{Answer, DurableCall, Journal, Origin, SCRIPT_NAMES, ScriptBudget, ScriptProblem, ScriptStanding, ScriptStart, Scripts as _},
};
use onward_script::Rhai;
use std::sync::Arc;

/// Operations after which a target gives up: an input that takes longer is no finding, the language's own limit is larger.
const OPERATIONS: u64 = 200_000;

/// Nothing is recorded yet.
struct Empty;

impl Journal for Empty {
    fn answer(&self, _key: &str, _call: &DurableCall) -> Answer {
        Answer::New
    }
}

fn is_sound(problems: &[ScriptProblem]) {
    for problem in problems {
        assert!(problem.line >= 1 && problem.column >= 1 && !problem.message.contains("panicked"), "{problem:?}");
    }
}

/// Any text as a script.
///
/// # Panics
/// When a promise of the front end does not hold: that is a finding.
pub fn script(text: &str) {
    let budget = || ScriptBudget { operations: OPERATIONS, enough: None };
    match Rhai.compile_step(text, Origin::default(), &SCRIPT_NAMES) {
        Err(problems) => is_sound(&problems),
        Ok(step) => {
            let scope = scope();
            let first = step.evaluate(&scope, &budget());
            if let Ok(Err(error)) = &first {
                assert!(!error.message.contains("panicked"), "{error:?}");
            }
            assert_eq!(format!("{first:?}"), format!("{:?}", step.evaluate(&scope, &budget())));
        }
    }
    match Rhai.compile_program(text) {
        Err(problems) => is_sound(&problems),
        Ok(program) => {
            let start = ScriptStart {
                event: Arc::new(Value::Null),
                input: Arc::new(Value::Null),
                vars: Arc::new(Object::new()),
                run: Arc::new(Value::Null),
                started_at: Timestamp::from_millis(0),
                seed: 7,
            };
            let turn = || format!("{:?}", program.advance(&start, Arc::new(Empty), &mut ScriptStanding::default(), &budget()));
            let first = turn();
            assert!(!first.contains("panicked"), "{first}");
            assert_eq!(first, turn());
        }
    }
}
