//! Whatever the script and the order of outcomes: no panic, and the same run in the end.

use super::journal::Run;
use crate::Rhai;
use onward_core::{
    ErrorCode, StepError, Value,
    expression::Scope,
    ports::{DurableCall, Origin, SCRIPT_NAMES, ScriptBudget, ScriptEnd, Scripts},
};
use proptest::prelude::*;

/// An outcome that depends on the call alone.
fn outcome(key: &str, call: &DurableCall) -> Result<Value, StepError> {
    if key.len().is_multiple_of(5) {
        return Err(StepError::new(ErrorCode::Unavailable, key));
    }
    Ok(match call {
        DurableCall::Step { input, .. } => input.clone(),
        DurableCall::WaitFor { .. } if key.len().is_multiple_of(2) => serde_json::json!({ "data": { "text": key } }),
        _ => Value::Null,
    })
}

/// A statement that makes durable calls.
fn statement() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (1..4_u8).prop_map(|n| format!("seen.push(step(\"debug.echo\", #{{ n: {n} }}).n);")),
        (1..4_u8).prop_map(|n| format!("seen.push(step(\"id_{n}\", \"debug.echo\", #{{ n: {n} }}).n);")),
        Just("sleep(\"1h\");".to_owned()),
        Just("seen.push(wait_for(\"message.received\", \"any\", \"1h\") == ());".to_owned()),
        Just("seen.push(random(1, 100));".to_owned()),
        Just("log(`so far ${seen}`);".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|body| format!("try {{ {} }} catch (e) {{ seen.push(e.code); }}", body.concat())),
            (1..4_u8, inner.clone()).prop_map(|(times, body)| format!("for i in 0..{times} {{ {body} }}")),
            prop::collection::vec(inner, 1..4).prop_map(|branches| {
                let branches: Vec<String> = branches.iter().map(|body| format!("|| {{ let seen = []; {body} seen }}")).collect();
                format!("seen.push(parallel([{}]));", branches.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_outcomes_changes_no_decision(statements in prop::collection::vec(statement(), 1..5), picks in prop::collection::vec(0_usize..8, 1..40)) {
        let source = format!("let seen = []; {} seen", statements.concat());
        let mut first = Run::new(&source);
        let expected = first.finish(|_| 0, outcome);
        let mut other = Run::new(&source);
        let mut pick = picks.iter().cycle();
        let end = other.finish(|_| *pick.next().unwrap_or(&0), outcome);
        prop_assert_eq!(&end, &expected);
        let calls = |run: &Run| { let mut made = run.made.clone(); made.sort_by(|a, b| a.0.cmp(&b.0)); made };
        prop_assert_eq!(calls(&first), calls(&other));
        // From the finished book the same end follows at once, with nothing new.
        let again = first.turn();
        prop_assert!(again.calls.is_empty());
        prop_assert_eq!(again.end, expected);
    }

    #[test]
    fn no_text_breaks_the_compiler(text in "\\PC{0,200}") {
        let _ = Rhai.compile_program(&text);
        if let Ok(step) = Rhai.compile_step(&text, Origin::default(), &SCRIPT_NAMES) {
            let _ = step.evaluate(&Scope::default(), &ScriptBudget { operations: 20_000, enough: None });
        }
    }

    #[test]
    fn no_mix_of_words_breaks_the_interpreter(words in prop::collection::vec(prop::sample::select(vec![
        "let", "x", "=", "event", ".", "data", "[", "]", "(", ")", "{", "}", "|", "||", "if", "else", "for", "in", "while", "loop", "fn", "f", "1", "2.5", "\"t\"", "`${x}`",
        "+", "-", "*", "/", "==", "=>", ";", ",", "#{", ":", "a", "return", "throw", "try", "catch", "call", "step", "sleep", "parallel", "..", "?.", "??", "switch", "_", "const", "this", "!",
    ]), 0..40)) {
        let text = words.join(" ");
        if let Ok(step) = Rhai.compile_step(&text, Origin::default(), &SCRIPT_NAMES) {
            let _ = step.evaluate(&Scope::default(), &ScriptBudget { operations: 20_000, enough: None });
        }
        if Rhai.compile_program(&text).is_ok() {
            let turn = Run::new(&text).turn();
            prop_assert!(!matches!(turn.end, ScriptEnd::Diverged(_)));
        }
    }

    #[test]
    fn json_comes_back_as_it_went(value in json()) {
        let step = Rhai.compile_step("input", Origin::default(), &SCRIPT_NAMES).expect("compiles");
        let scope = Scope { input: std::sync::Arc::new(value.clone()), ..Scope::default() };
        prop_assert_eq!(step.evaluate(&scope, &ScriptBudget::unlimited()), Ok(Ok(value)));
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has none other", |number| number.is_finite()).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,8}", inner, 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
