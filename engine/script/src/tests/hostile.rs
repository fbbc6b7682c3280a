//! What a script may cost is bounded.

use crate::Rhai;
use onward_core::{
    expression::Scope,
    limits,
    ports::{Interrupted, Origin, SCRIPT_NAMES, ScriptBudget, Scripts},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

fn fails_with(source: &str, part: &str) {
    let step = Rhai.compile_step(source, Origin::default(), &SCRIPT_NAMES).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    let error = step.evaluate(&Scope::default(), &ScriptBudget::unlimited()).expect("not interrupted").expect_err(source);
    assert!(error.message.contains(part), "{source}: {error}");
}

#[test]
fn endless_scripts_end() {
    for source in ["loop {}", "while true { let x = 1; }", "let f = || 1; loop { f.call(); }", "for i in 0..1000000000000 {}", "try { loop {} } catch { 1 }"] {
        fails_with(source, "operations");
    }
    fails_with("fn f(n) { f(n + 1) } f(0)", "deep");
    fails_with("fn f(n) { try { f(n + 1) } catch { f(n + 1) } } f(0)", "deep");
}

#[test]
fn large_values_are_refused() {
    for source in [
        "let s = \"x\"; loop { s += s; }",
        "let a = []; loop { a.push(1); }",
        "let a = [1]; loop { a += a; }",
        "let a = []; loop { a = [a, a]; }",
        "let s = \"x\"; s.pad(1000000, 'y'); let m = #{}; let i = 0; loop { m[`k${i}`] = s + i; i += 1; }",
        "let s = \"x\"; s.pad(1000000, 'y'); let m = #{}; let grow = |k| { m[k] = s + k; }; let i = 0; loop { grow.call(`k${i}`); i += 1; }",
        "let a = []; a.pad(100000000, 1); a",
        "let s = \"x\"; s.pad(100000000, 'y'); s",
        "blob(1000000000)",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
    ] {
        fails_with(source, "limit");
    }
}

#[test]
fn what_grows_costlier_is_left_to_the_patience_of_the_host() {
    // Each turn copies all that the turns before it made; the stack holds what there is by then.
    for source in ["let a = []; loop { a = [a]; }", "let m = #{}; loop { m = #{ m: m }; }"] {
        let step = Rhai.compile_step(source, Origin::default(), &SCRIPT_NAMES).expect("compiles");
        let asked = AtomicU64::new(0);
        let budget = ScriptBudget { operations: u64::MAX, enough: Some(Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) > 1_000)) };
        assert_eq!(step.evaluate(&Scope::default(), &budget), Err(Interrupted), "{source}");
    }
}

#[test]
fn the_deepest_value_that_is_allowed_fits_the_stack() {
    let deepest = limits::SCRIPT_ELEMENTS - 10;
    // Built without copies: the outer list is filled from the inside.
    let source = format!("let a = []; let b = []; for i in 0..{deepest} {{ b = []; b.push(a); a = b; }} 1");
    let step = Rhai.compile_step(&source, Origin::default(), &SCRIPT_NAMES).expect("compiles");
    let asked = AtomicU64::new(0);
    let budget = ScriptBudget { operations: u64::MAX, enough: Some(Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) > 2_000)) };
    assert!(step.evaluate(&Scope::default(), &budget).is_err());
}

#[test]
fn deep_and_large_sources_are_refused() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for source in [
        deep("(", ")"),
        deep("[", "]"),
        deep("{", "}"),
        deep("-", ""),
        deep("#{a:", "}"),
        deep("|x| ", ""),
        deep("if true {", "}"),
        "1+".repeat(200_000) + "1",
        "a.".repeat(100_000),
    ] {
        assert!(Rhai.compile_step(&source, Origin::default(), &SCRIPT_NAMES).is_err(), "{}", &source[..20]);
    }
    let large = " ".repeat(50 << 20);
    let problem = Rhai.compile_step(&large, Origin::default(), &SCRIPT_NAMES).expect_err("50 MiB").remove(0);
    assert_eq!(problem.code, "too_large");
}

#[test]
fn a_budget_that_is_reached_is_no_outcome() {
    let step = Rhai.compile_step("let x = 0; while x < 1000 { x += 1; } x", Origin::default(), &SCRIPT_NAMES).expect("compiles");
    let few = ScriptBudget { operations: 100, enough: None };
    assert_eq!(step.evaluate(&Scope::default(), &few), Err(Interrupted));
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let impatient = ScriptBudget { operations: u64::MAX, enough: Some(Arc::new(move || counter.fetch_add(1, Ordering::Relaxed) > 3)) };
    assert_eq!(step.evaluate(&Scope::default(), &impatient), Err(Interrupted));
    assert_eq!(step.evaluate(&Scope::default(), &ScriptBudget::unlimited()), Ok(Ok(1000.into())));
}
