use crate::Rhai;
use onward_core::{
    StepError, Value,
    expression::{RecordReads, Scope},
    ports::{Origin, SCRIPT_NAMES, ScriptBudget, ScriptProblem, ScriptStep, Scripts},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

fn compile(source: &str) -> Result<Arc<dyn ScriptStep>, Vec<ScriptProblem>> {
    Rhai.compile_step(source, Origin::default(), &SCRIPT_NAMES)
}

fn scope() -> Scope {
    let mut steps = BTreeMap::new();
    steps.insert("lead".into(), Arc::new(json!({ "id": "c1", "tags": ["new", "vip"], "score": 7 })));
    steps.insert("skipped".into(), Arc::new(Value::Null));
    Scope {
        event: Arc::new(json!({ "type": "lead.captured", "data": { "amount": 1250, "rate": 0.18, "name": "आशा", "items": [{ "n": 1 }, { "n": 2 }] } })),
        input: Arc::new(json!({ "phone": "+919812345678" })),
        vars: Arc::new(json!({ "limit": 3 }).as_object().cloned().unwrap_or_default()),
        steps: Arc::new(steps),
        ..Scope::default()
    }
}

fn evaluate(source: &str) -> Result<Value, StepError> {
    evaluate_in(source, &scope())
}

fn evaluate_in(source: &str, scope: &Scope) -> Result<Value, StepError> {
    let step = compile(source).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    step.evaluate(scope, &ScriptBudget::unlimited()).expect("not interrupted")
}

fn refused(source: &str) -> ScriptProblem {
    compile(source).expect_err(source).remove(0)
}

#[test]
fn the_last_expression_is_the_output() {
    for (source, expected) in [
        ("1 + 1", json!(2)),
        ("", json!(null)),
        ("let x = 1;", json!(null)),
        ("event.data.amount * event.data.rate", json!(225.0)),
        ("event.data.name + \"!\"", json!("आशा!")),
        ("#{ total: event.data.items.map(|item| item.n).reduce(|sum, n| sum + n, 0), tags: steps.lead.tags }", json!({ "tags": ["new", "vip"], "total": 3 })),
        ("if steps.lead.score > vars.limit { `hot: ${steps.lead.id}` } else { () }", json!("hot: c1")),
        ("let e = event; e.data.items[1].n", json!(2)),
        ("let total = 0; for item in event.data.items { total += item.n; } total", json!(3)),
        ("let twice = |x| x * steps.lead.score; twice.call(2)", json!(14)),
        ("fn double(x) { x * 2 } double(event.data.amount)", json!(2500)),
        ("steps.skipped", json!(null)),
        ("steps.skipped.any.field", json!(null)),
        ("event.data.missing ?? \"none\"", json!("none")),
        ("event[\"data\"].amount", json!(1250)),
        ("input", json!({ "phone": "+919812345678" })),
        ("steps.keys().len()", json!(2)),
        ("return 5; 6", json!(5)),
        ("let event = #{ foo: 1 }; event.foo", json!(1)),
        ("'x'", json!("x")),
    ] {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_the_nearest_name() {
    for (source, code, line, column, part) in [
        ("1 +\n  evnt.data", "unknown_name", 2, 3, "did you mean `event`?"),
        ("let x = 1;\n  trm(\"a\")", "unknown_function", 2, 3, "did you mean `trim`?"),
        ("\"a\".trmi()", "unknown_function", 1, 5, "did you mean `trim`?"),
        ("f(1", "bad_script", 1, 4, ")"),
        ("eval(\"1\")", "unknown_function", 1, 1, "text"),
        ("print(1)", "unknown_function", 1, 1, "no output"),
        ("sleep(1)", "unknown_function", 1, 1, "a delay step"),
        ("timestamp()", "unknown_function", 1, 1, "now"),
        ("import \"x\" as y;", "bad_script", 1, 1, "stands alone"),
        ("fn f() { event.data } f()", "not_in_scope", 1, 10, "parameters"),
        ("fn f(a) { a } f(1, 2)", "bad_call", 1, 15, "but 1"),
        ("step(\"a\", #{})", "unknown_function", 1, 1, "no function `step`"),
    ] {
        let problem = refused(source);
        assert_eq!((problem.code, problem.line, problem.column), (code, line, column), "{source}: {problem:?}");
        assert!(problem.message.contains(part), "{source}: {}", problem.message);
    }
}

#[test]
fn places_are_places_of_the_file() {
    let origin = Origin { line: 14, column: 7 };
    let problem = Rhai.compile_step("1 +\n evnt", origin, &SCRIPT_NAMES).expect_err("unknown name").remove(0);
    assert_eq!((problem.line, problem.column), (15, 8));
    let step = Rhai.compile_step("let a = 0;\n1 / a", origin, &SCRIPT_NAMES).expect("compiles");
    let error = step.evaluate(&scope(), &ScriptBudget::unlimited()).expect("not interrupted").expect_err("divides by zero");
    assert!(error.message.contains("(line 15, column"), "{error}");
}

#[test]
fn what_is_missing_at_the_end_is_told_where_the_text_ends() {
    let problem = refused("if true {\n  1\n\n\n");
    assert_eq!((problem.line, problem.column), (2, 4), "{problem:?}");
}

#[test]
fn a_failure_says_what_and_where() {
    for (source, part) in [
        ("let a = 1;\nlet b = 0;\na / b", "(line 3, column 3)"),
        ("event.data.name.foo", "foo"),
        ("throw \"too small\"", "too small (line 1, column 1)"),
        ("[1, 2][5]", "(line 1"),
        ("9223372036854775807 + 1", "overflow"),
        ("let f = || 1; f", "a function is no json"),
        ("event.data.amount = 2; 1", "constant"),
        ("0.0 / 0.0", "no number"),
    ] {
        let error = evaluate(source).expect_err(source);
        assert!(error.message.to_lowercase().contains(part), "{source}: {error}");
    }
    let error = evaluate("throw #{ code: \"not_found\", message: \"nobody\", details: #{ tried: 3 } }").expect_err("thrown");
    assert_eq!((error.code.as_str(), error.details), ("not_found", json!({ "tried": 3 })));
}

#[test]
fn only_what_is_used_of_a_large_scope_is_converted() {
    let mut large = scope();
    let mut steps = (*large.steps).clone();
    // Far more elements than a script may take in one value, and a number that no script can take at all.
    let many: Vec<Value> = (0..200_000).map(|number| json!({ "number": number })).collect();
    steps.insert("large".into(), Arc::new(json!({ "many": many, "huge": u64::MAX, "field": "x" })));
    large.steps = Arc::new(steps);
    assert_eq!(evaluate_in("steps.large.field", &large), Ok(json!("x")));
    assert_eq!(evaluate_in("let f = || steps.large.field; f.call()", &large), Ok(json!("x")));
    assert!(evaluate_in("steps.large.many.len()", &large).expect_err("too many").message.contains("elements"));
    assert!(evaluate_in("steps.large.huge", &large).expect_err("too large").message.contains("as a text"));
}

#[test]
fn references_are_literal_paths() {
    let step = compile("let e = event.data.items[0].n; let f = |x| x + vars.limit; f.call(e) + steps.lead.tags.len() + contact.score").expect("compiles");
    let paths: Vec<String> = step.references().iter().map(|reference| reference.path.join(".")).collect();
    for path in ["event.data.items", "vars.limit", "steps.lead.tags", "contact.score"] {
        assert!(paths.contains(&path.to_owned()), "{path} in {paths:?}");
    }
}

#[test]
fn fields_of_records_are_noted_and_recorded_ones_suffice() {
    let source = "#{ name: contact.name, missing: contact.nickname, city: contact.address.city, tags: contact.tags }";
    let contact = json!({ "name": "Asha", "address": { "city": "Pune", "zip": "411001" }, "tags": ["a"], "secret": 1 });
    let records = Arc::new(RecordReads::live(BTreeMap::from([("contact".to_owned(), contact)])));
    let live = evaluate_in(source, &Scope { records: Arc::clone(&records), ..scope() }).expect("evaluates");
    assert_eq!(live, json!({ "city": "Pune", "missing": null, "name": "Asha", "tags": ["a"] }));
    let used = records.take_used();
    assert!(!used.keys().any(|path| path.contains("secret") || path.contains("zip")), "{used:?}");
    let recorded = Arc::new(RecordReads::recorded(&used));
    assert_eq!(evaluate_in(source, &Scope { records: Arc::clone(&recorded), ..scope() }), Ok(live));
    assert!(recorded.take_missed().is_empty());
}
