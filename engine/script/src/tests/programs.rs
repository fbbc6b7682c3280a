use super::journal::Run;
use crate::Rhai;
use onward_core::{
    ErrorCode, StepError, Value,
    ports::{DurableCall, Interrupted, ScriptBudget, ScriptEnd, ScriptStanding, Scripts},
};
use serde_json::json;
use std::sync::Arc;

const NURTURE: &str = r#"//! name: trial-nurture
//! on: [{ event: trial.started }]
//! key: "{{ event.data.contact_id }}"

let contact = step("crm.contact.get", #{ id: event.data.contact_id });
for day in [1, 3, 7] {
    sleep("1d");
    let reply = wait_for("message.received", #{ contact_id: contact.id }, "20h");
    if reply != () { return #{ result: "replied", day: day }; }
    step(`nudge_${day}`, "message.send", #{ template: `trial_day_${day}` });
}
#{ result: "silent" }
"#;

/// Steps give their input back; waits time out; everything else gives its key.
#[expect(clippy::unnecessary_wraps, reason = "it stands where other tests let calls fail")]
fn usual(key: &str, call: &DurableCall) -> Result<Value, StepError> {
    Ok(match call {
        DurableCall::Step { input, .. } => input.clone(),
        DurableCall::Sleep { .. } | DurableCall::SleepUntil { .. } | DurableCall::WaitFor { .. } | DurableCall::Log { .. } => Value::Null,
        _ => Value::from(key),
    })
}

#[test]
fn a_script_is_replayed_from_what_is_recorded() {
    let mut run = Run::new(NURTURE);
    let end = run.finish(|_| 0, usual);
    assert_eq!(end, ScriptEnd::Finished(json!({ "result": "silent" })));
    let keys: Vec<&str> = run.made.iter().map(|(key, _)| key.as_str()).collect();
    let expected = ["do:crm.contact.get:1", "sleep:1", "wait_for:1", "nudge_1", "sleep:2", "wait_for:2", "nudge_3", "sleep:3", "wait_for:3", "nudge_7"];
    assert_eq!(keys, expected);
    assert_eq!(run.made[3].1, DurableCall::Step { node: "message.send".into(), input: json!({ "template": "trial_day_1" }) });

    let mut answered = Run::new(NURTURE);
    let end = answered.finish(|_| 0, |key, call| if key == "wait_for:2" { Ok(json!({ "data": { "text": "yes" } })) } else { usual(key, call) });
    assert_eq!(end, ScriptEnd::Finished(json!({ "day": 3, "result": "replied" })));
}

#[test]
fn every_turn_knows_all_that_is_recorded() {
    let mut run = Run::new(NURTURE);
    let mut turns = 0;
    loop {
        let recorded = run.book.0.len();
        let turn = run.turn();
        assert_eq!(turn.known.len(), recorded);
        turns += 1;
        if turn.end != ScriptEnd::Parked {
            break;
        }
        assert_eq!(turn.calls.len(), 1, "a script without branches waits for one call");
        let key = run.pending().remove(0);
        let outcome = usual(&key, &run.book.0[&key].call);
        run.answer(&key, outcome);
    }
    assert_eq!(turns, 11);
}

#[test]
fn branches_go_on_side_by_side() {
    let source = r#"
        let base = 10;
        let outputs = parallel([
            || { base += 1; let a = step("left", "debug.echo", #{ n: base }); step("again", "debug.echo", #{ n: a.n + 1 }).n },
            || { base += 5; let b = step("debug.echo", #{ n: base }); b.n },
            || 3,
        ]);
        #{ outputs: outputs, base: base }
    "#;
    let mut run = Run::new(source);
    let turn = run.turn();
    let keys: Vec<&str> = turn.calls.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["parallel:1/0/left", "parallel:1/1/do:debug.echo:1"], "both branches make their calls in one turn");
    let end = run.finish(|pending| pending.len() - 1, usual);
    // Closures get deep copies and give back values only.
    assert_eq!(end, ScriptEnd::Finished(json!({ "base": 10, "outputs": [12, 15, 3] })));
    assert!(run.book.0.contains_key("parallel:1/0/again"));

    let mut named = Run::new("parallel(#{ b: || step(\"debug.echo\", #{ n: 1 }).n, a: || 2 })");
    assert_eq!(named.finish(|_| 0, usual), ScriptEnd::Finished(json!({ "a": 2, "b": 1 })));
    assert!(named.book.0.contains_key("parallel:1/b/do:debug.echo:1"));

    let mut nested =
        Run::new("parallel([|| parallel([|| step(\"debug.echo\", #{ n: 1 }).n, || step(\"debug.echo\", #{ n: 2 }).n]), || step(\"x\", \"debug.echo\").len()])");
    assert_eq!(nested.turn().calls.len(), 3);
    assert_eq!(nested.finish(|_| 0, usual), ScriptEnd::Finished(json!([[1, 2], 0])));
}

#[test]
fn a_failed_branch_fails_the_whole_once_all_have_ended() {
    let source =
        r#"try { parallel([|| step("a", "x"), || step("b", "x"), || step("c", "x")]) } catch (e) { step("after", "x", #{ code: e.code }); return e.message; }"#;
    let fail = |key: &str, _: &DurableCall| match key {
        "parallel:1/1/b" => Err(StepError::new(ErrorCode::NotFound, "b failed")),
        "parallel:1/2/c" => Err(StepError::new(ErrorCode::Conflict, "c failed")),
        _ => Ok(json!({})),
    };
    for last_first in [true, false] {
        let mut run = Run::new(source);
        let end = run.finish(|pending| if last_first { pending.len() - 1 } else { 0 }, fail);
        assert_eq!(end, ScriptEnd::Finished(json!("b failed")));
        assert_eq!(run.made.last().map(|(_, call)| call.clone()), Some(DurableCall::Step { node: "x".into(), input: json!({ "code": "not_found" }) }));
    }
}

#[test]
fn failures_are_exceptions_and_parking_is_none() {
    let source = r#"
        fn careful(node) { try { step(node) } catch (e) { return `caught ${e.code} ${e.message}`; } }
        let tries = [];
        for node in ["a", "b"] { tries.push(try_it(node)); }
        fn try_it(node) { careful(node) }
        try { [1].map(|x| sleep("1h")); } catch { return "swallowed"; }
        tries
    "#;
    let mut run = Run::new(source);
    let fail = |key: &str, call: &DurableCall| if key == "do:a:1" { Err(StepError::new(ErrorCode::Timeout, "too slow")) } else { usual(key, call) };
    assert_eq!(run.finish(|_| 0, fail), ScriptEnd::Finished(json!(["caught timeout too slow", {}])));
    assert_eq!(run.made.len(), 3);

    let mut uncaught = Run::new("let x = 1;\nstep(\"charge\", \"x\");");
    let end = uncaught.finish(|_| 0, |_, _| Err(StepError::new(ErrorCode::Declined, "no funds").at_step("charge")));
    let ScriptEnd::Failed(error) = end else { panic!("{end:?}") };
    assert_eq!((error.code, error.message.as_str(), error.step.as_deref()), (ErrorCode::Declined, "no funds", Some("charge")));
}

#[test]
fn time_and_chance_are_the_runs_own() {
    let source = r#"
        let before = now();
        let first = random(1, 6);
        sleep("1h");
        let then = now();
        let branch = parallel([|| { sleep("1h"); now() }, || now()]);
        #{ before: before, then: then, branch: branch, after: now(), first: first, rolls: [random(1, 6), random(1, 6)], share: random() }
    "#;
    let mut run = Run::new(source);
    let ScriptEnd::Finished(output) = run.finish(|_| 0, usual) else { panic!("it did not finish") };
    assert_eq!(output["before"], json!("1970-01-01T00:00:00.000Z"));
    assert_eq!(output["then"], json!("1970-01-01T00:00:01.000Z"));
    assert_eq!(output["branch"], json!(["1970-01-01T00:00:02.000Z", "1970-01-01T00:00:01.000Z"]));
    assert_eq!(output["after"], json!("1970-01-01T00:00:02.000Z"));
    let mut again = Run::new(source);
    assert_eq!(again.finish(|_| 0, usual), ScriptEnd::Finished(output.clone()));
    let share = output["share"].as_f64().unwrap_or(-1.0);
    assert!((0.0..1.0).contains(&share), "{share}");
}

#[test]
fn the_other_durable_functions() {
    let source = r#"
        log("begins");
        let variant = split("greeting", #{ long: 1, short: 2.5 });
        let child = call("child", #{ n: 1 });
        start("sibling");
        let id = emit("trial.qualified", #{ score: 5 });
        let answer = ask("approve", #{ title: "Go on?" });
        sleep_until("tomorrow 09:00");
        wait_for("reply", "message.received", "contact", "2h");
        let f = |x| x + 1;
        #{ variant: variant, child: child, id: id, answer: answer, plus: f.call(1) }
    "#;
    let mut run = Run::new(source);
    let first = run.turn();
    assert_eq!(first.calls.len(), 2, "log does not wait: {:?}", first.calls);
    let end = run.finish(|pending| pending.iter().position(|key| !key.starts_with("log")).unwrap_or(0), usual);
    let expected = json!({ "variant": "greeting", "child": "call:child:1", "id": "emit:trial.qualified:1", "answer": "approve", "plus": 2 });
    let ScriptEnd::Finished(output) = end else { panic!("{end:?}") };
    assert_eq!(output, expected);
    let split = DurableCall::Split { variants: vec![("long".into(), 1.0), ("short".into(), 2.5)] };
    assert!(run.made.contains(&("greeting".into(), split)));
    let wait = DurableCall::WaitFor { event: "message.received".into(), matching: json!("contact"), timeout: Some("2h".into()) };
    assert!(run.made.contains(&("reply".into(), wait)));
}

#[test]
fn a_mismatch_with_what_is_recorded_is_no_failure() {
    let mut run = Run::new("try { step(\"a\", \"x\", #{ n: 1 }) } catch { 1 }");
    run.turn();
    run.program = Rhai.compile_program("try { step(\"a\", \"x\", #{ n: 2 }) } catch { 1 }").expect("compiles");
    assert_eq!(run.turn().end, ScriptEnd::Diverged("a was another call".into()));
}

#[test]
fn it_goes_on_in_a_new_history() {
    let mut run = Run::new("step(\"a\", \"x\"); try { continue_as(#{ n: input.n + 1 }); } catch { 0 }");
    assert_eq!(run.finish(|_| 0, usual), ScriptEnd::ContinueAs(json!({ "n": 4 })), "after a moment, so that it never goes round in no time");
    let mut inside = Run::new("parallel([|| continue_as(#{})])");
    let ScriptEnd::Failed(error) = inside.turn().end else { panic!("it must fail") };
    assert!(error.message.contains("in a branch of parallel"), "{error}");
}

#[test]
fn operations_are_counted_between_durable_calls() {
    // All in all far more operations than the cap, but never so many between two calls.
    let mut run = Run::new("let n = 0; for i in 0..20 { for j in 0..10000 { n += 1; } step(\"x\"); } n");
    assert_eq!(run.finish(|_| 0, usual), ScriptEnd::Finished(json!(200_000)));
    for source in ["step(\"x\"); loop {}", "parallel([|| step(\"x\"), || { loop {} }])", "try { loop {} } catch { 1 }"] {
        let end = Run::new(source).finish(|_| 0, usual);
        let ScriptEnd::Failed(error) = end else { panic!("{source}: {end:?}") };
        assert!(error.message.contains("operations"), "{error}");
    }
}

#[test]
fn calls_of_one_history_are_counted() {
    let mut run = Run::new("for i in 0..20000 { log(`line ${i}`); }");
    let turn = run.turn();
    let ScriptEnd::Failed(error) = turn.end else { panic!("{:?}", turn.end) };
    assert!(error.message.contains("continue_as"), "{error}");
    assert_eq!(turn.calls.len(), 10_000);
}

#[test]
fn a_budget_that_is_reached_decides_nothing() {
    let run = Run::new("step(\"x\")");
    let budget = ScriptBudget { operations: 0, enough: None };
    assert_eq!(run.program.advance(&run.start, Arc::new(run.book.clone()), &mut ScriptStanding::default(), &budget), Err(Interrupted));
}

#[test]
fn mistakes_are_told_before_it_runs() {
    for (source, code, line, part) in [
        ("//! name: x\nlet a = stp(\"x\");", "unknown_function", 2, "did you mean `step`?"),
        ("sleep(\"1d\", 2)", "bad_call", 1, "does not take 2"),
        ("contact.name", "unknown_name", 1, "no variable `contact`"),
        ("steps.x", "unknown_name", 1, "no variable `steps`"),
        ("eval(\"1\")", "unknown_function", 1, "here"),
    ] {
        let problem = Rhai.compile_program(source).expect_err(source).remove(0);
        assert_eq!((problem.code, problem.line), (code, line), "{source}: {problem:?}");
        assert!(problem.message.contains(part), "{source}: {}", problem.message);
    }
    let program =
        Rhai.compile_program("step(\"greet\", \"message.send\", #{}); sleep(\"1 fortnight\"); wait_for(\"message.received\", \"any\")").expect("compiles");
    let literals: Vec<(String, usize, usize, String)> =
        program.literals().iter().map(|literal| (literal.function.clone(), literal.argument.0, literal.argument.1, literal.text.clone())).collect();
    assert!(literals.contains(&("step".into(), 1, 3, "message.send".into())), "{literals:?}");
    assert!(literals.contains(&("sleep".into(), 0, 1, "1 fortnight".into())));
}

#[test]
fn wrong_arguments_can_be_caught() {
    for (source, part) in [
        ("step(\"bad id\", \"x\", #{})", "letters"),
        ("step(\"x\", #{ f: || 1 })", "a function is no JSON"),
        ("sleep(5)", "\"5s\""),
        ("parallel([1])", "no closure"),
        ("split(\"s\", #{ a: 0 })", "more than 0"),
        ("random(2, 1)", "no number"),
    ] {
        let mut run = Run::new(&format!("try {{ {source} }} catch (e) {{ return e.message; }}"));
        let end = run.turn().end;
        let ScriptEnd::Finished(Value::String(message)) = &end else { panic!("{source}: {end:?}") };
        assert!(message.contains(part), "{source}: {message}");
    }
}
