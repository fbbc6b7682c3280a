use super::{compiled, good, problems};
use crate::{
    ErrorCode,
    definition::{Match, Mode, OpenHours, PhraseDay, Reentry, RetryPolicy, Severity, Since, SpanTemplate, TriggerKind, Until, Verb, Zone, schema},
    expression::Scope,
};
use serde_json::{Value, json};

/// LANGUAGE.md's first example, without the webhook that this version has not.
pub(super) const WELCOME: &str = r#"# yaml-language-server: $schema=./workflow.schema.json
name: welcome-new-lead              # unique in its organisation; kebab-case
description: Greets a new lead, follows up once, then hands over.
on:                                 # any of these starts a run
  - event: lead.captured
    if: event.data.source in ["whatsapp", "facebook"]
    with: { phone: "{{ event.data.phone }}", name: "{{ event.data.name }}", source: "{{ event.data.source }}" }
  - manual: { input: { type: object, properties: { phone: { type: string }, name: { type: string } }, required: [phone] } }
key: "{{ input.phone }}"
mode: single
reentry: after 30d
exit_on:
  - { event: contact.unsubscribed, match: contact }
vars: { handover_after: 24h }
timeout: 30d
retry: { max_attempts: 5, initial: 1s, factor: 2, max: 10m }

steps:
  - id: lead
    do: crm.contact.upsert
    with: { phone: "{{ input.phone }}", name: "{{ input.name | default('') }}", tags: [new] }

  - id: greeting
    split:
      variants: { short: 50, long: 50 }
      goal: { event: message.received, match: contact, within: 3d }

  - do: message.send
    with: { template: "hello_{{ steps.greeting.variant }}", params: { name: "{{ contact.first_name | default('there') }}" } }

  - id: reply
    wait_for: { event: message.received, match: contact }
    timeout: "{{ vars.handover_after }}"

  - if: steps.reply.timed_out
    then:
      - delay: { until: "next weekday 09:30", timezone: contact }
      - do: message.send
        with: { template: follow_up }
    else:
      - do: crm.conversation.assign
        with: { team: sales }
"#;

/// Everything else that this version has.
pub(super) const EVERYTHING: &str = r#"
name: everything
on:
  - manual:
  - event: custom.type
key: "{{ event.subject | default(input.id) }}"
limits:
  concurrency: { max: 5, key: "{{ event.data.account }}" }
  rate: { max: 500, per: 1m, shared: erp }
  debounce: { wait: 5m, max_wait: 1h }
priority: "{{ 1 if event.data.vip else 5 }}"
mode: queued
reentry: never
contact: event.data.contact_id
company: "{{ input.company }}"
exit_on:
  - event: contact.unsubscribed
    match: { order_id: "{{ steps.one.id }}", kind: 3 }
    if: incoming.data.text == "stop" and vars.a
    compensate: true
vars: { a: "{{ input.a }}", b: [1, "{{ now }}"] }
steps:
  - id: one
    name: First of all
    do: debug.echo
    if: { ">=": [{ "var": "contact.score" }, 70] }
    with: { text: "{{ input }}", on: yes, n: 0x10, f: 1.5e3, nothing: ~ }
    retry: { max_attempts: 3, initial: 500ms, jitter: 0.5, within: 1h, on: [conflict, "stripe:card_declined"] }
    timeout: 30s
    on_error: continue
  - do: debug.echo
    with: "{{ vars.b[0] }}"
  - choose:
      - if: steps.one.error
        steps:
          - set: { c: "{{ steps.one.error.code }}" }
      - if: "vars.a is none"
        steps: [{ emit: my.event, with: { a: 1 } }]
      - else:
          - emit: "{{ vars.c }}.done"
  - id: pick
    split:
      variants:
        left: { weight: 1, steps: [{ do: debug.echo }, { do: debug.echo }] }
        right: 2.5
      by: "{{ event.data.account }}"
  - delay: 2h 30m
  - delay: "{{ vars.a }}"
  - delay: { for: P1M, timezone: Asia/Kolkata, within: business_hours }
  - delay: { until: "2026-12-24T09:00:00Z", offset: -24h }
  - delay: { until: "{{ event.data.at | plus('1h') }}", within: { days: [mon-wed, sat], from: "09:00", to: "18:00" } }
  - wait_for:
      any:
        answer: { event: message.received, match: contact, if: "incoming.data.text | length > 2" }
        paid: { event: payment.succeeded, match: { reference: "{{ steps.one.reference }}" } }
      since: run
    timeout: { for: 4h }
  - wait_for: { event: message.received, match: any, since: one }
  - stop: { status: failed, reason: "no {{ input.x }}", output: { a: [1, "{{ vars.a }}"] } }
"#;

#[test]
fn the_manuals_example_compiles_to_what_it_says() {
    let workflow = good(WELCOME);
    assert_eq!(workflow.name, "welcome-new-lead");
    assert_eq!(workflow.description.as_deref(), Some("Greets a new lead, follows up once, then hands over."));
    assert_eq!((workflow.mode, workflow.triggers.len(), workflow.steps.steps.len()), (Mode::Single, 2, 5));
    assert!(matches!(&workflow.reentry, Reentry::After(span) if span.text == "30d"));
    assert_eq!(workflow.timeout.as_ref().and_then(crate::definition::Span::fixed_millis), Some(30 * 86_400_000));
    assert_eq!(&*workflow.source, WELCOME);
    assert_eq!(workflow.digest, crate::digest::hex(WELCOME.as_bytes()));
    assert!(matches!(&workflow.triggers[0].on, TriggerKind::Event(kind) if kind == "lead.captured"));
    assert!(matches!(&workflow.triggers[1].on, TriggerKind::Manual { input: Some(schema) } if schema["required"] == json!(["phone"])));
    assert!(matches!(workflow.exit_on[0].rule.matching, Match::Contact));
    assert_eq!(workflow.vars[0].1.as_literal(), Some(&json!("24h")));

    let outline: Vec<(&str, &str, usize, u32)> =
        workflow.outline.iter().map(|line| (&*line.key, line.title.as_str(), line.depth, line.position.line)).collect();
    assert_eq!(
        outline,
        [
            ("lead", "do crm.contact.upsert", 0, 19),
            ("greeting", "split", 0, 23),
            ("do:message.send:1", "do message.send", 0, 28),
            ("reply", "wait_for", 0, 31),
            ("if:1", "if", 0, 35),
            ("delay:1", "delay", 1, 37),
            ("do:message.send:2", "do message.send", 1, 38),
            ("do:crm.conversation.assign:1", "do crm.conversation.assign", 1, 41),
        ]
    );
    let step = &workflow.steps.steps[4];
    assert_eq!((step.position.line, step.position.column, step.position.pointer.as_str()), (35, 5, "/steps/4"));
    let Verb::If { then, otherwise, .. } = &step.verb else { panic!("{step:?}") };
    assert_eq!((then.steps.len(), otherwise.steps.len()), (2, 1));
    let Verb::Delay(delay) = &then.steps[0].verb else { panic!() };
    assert!(matches!(&delay.until, Some(Until::Phrase(phrase)) if phrase.day == PhraseDay::NextWeekday && phrase.time == jiff::civil::time(9, 30, 0, 0)));
    assert_eq!(delay.timezone, Some(Zone::Contact));
    assert!(matches!(workflow.steps.steps[3].timeout, Some(SpanTemplate::Rendered(_))));
}

#[test]
fn every_key_of_this_version_compiles() {
    let workflow = good(EVERYTHING);
    assert_eq!(workflow.bindings.keys().collect::<Vec<_>>(), ["company", "contact"]);
    let exit = &workflow.exit_on[0];
    assert_eq!((exit.after.as_slice(), exit.compensate), (&["one".into()][..], true));
    assert!(matches!(&exit.rule.matching, Match::Values(values) if values.iter().map(|value| value.0.as_str()).eq(["kind", "order_id"])));

    let steps = &workflow.steps.steps;
    assert_eq!((steps[0].name.as_deref(), steps[0].named, steps[0].continue_on_error, steps[0].guard.is_some()), (Some("First of all"), true, true, true));
    let Verb::Do { with, retry, binds, .. } = &steps[0].verb else { panic!() };
    let expected = RetryPolicy {
        max_attempts: 3,
        initial_ms: 500,
        factor: 2.0,
        max_ms: 600_000,
        jitter: 0.5,
        within_ms: Some(3_600_000),
        on: vec![ErrorCode::Conflict, ErrorCode::Provider("stripe:card_declined".into())],
    };
    assert_eq!((retry, binds), (&expected, &None));
    let rendered = with.render(&Scope::default()).unwrap();
    assert_eq!(rendered, json!({ "text": null, "on": "yes", "n": 16, "f": 1500.0, "nothing": null }));
    let Verb::Split { variants, by, goal } = &steps[3].verb else { panic!() };
    assert_eq!((variants[1].name.as_str(), variants[1].weight, by.is_some(), goal.is_none()), ("right", 2.5, true, true));
    assert_eq!(variants[0].steps.steps.iter().map(|step| &*step.key).collect::<Vec<_>>(), ["pick/do:debug.echo:1", "pick/do:debug.echo:2"]);
    let Verb::Delay(delay) = &steps[8].verb else { panic!() };
    let open = OpenHours::Days { days: [true, true, true, false, false, true, false], from: jiff::civil::time(9, 0, 0, 0), to: jiff::civil::time(18, 0, 0, 0) };
    assert_eq!(delay.within, Some(open));
    let Verb::WaitFor { waits, single, since } = &steps[9].verb else { panic!() };
    assert_eq!((waits.iter().map(|wait| wait.0.as_str()).collect::<Vec<_>>(), *single, since), (vec!["answer", "paid"], false, &Since::Run));
    let Verb::WaitFor { waits, single, since } = &steps[10].verb else { panic!() };
    assert_eq!((waits[0].0.as_str(), *single, since), ("event", true, &Since::Step("one".into())));
    assert!(matches!(&steps[11].verb, Verb::Stop { failed: true, reason: Some(_), output: Some(_) }));
}

#[test]
fn retry_comes_from_the_step_then_the_workflow_then_the_effect() {
    let policy = |top: &str, node: &str, step: &str| {
        let workflow = good(&format!("name: a\n{top}\nsteps:\n  - do: {node}\n    with: {{ phone: '1' }}\n{step}"));
        match &workflow.steps.steps[0].verb {
            Verb::Do { retry, .. } => retry.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(policy("", "debug.echo", ""), RetryPolicy::external());
    assert_eq!(policy("", "crm.contact.upsert", ""), RetryPolicy::once());
    assert_eq!(policy("retry: { max_attempts: 2 }", "crm.contact.upsert", "").max_attempts, 2);
    assert_eq!(policy("retry: { max_attempts: 2, initial: 3s }", "debug.echo", "    retry: { max_attempts: 7 }").initial_ms, 3_000);
    assert_eq!(policy("retry: { max_attempts: 2, initial: 3s }", "debug.echo", "    retry: { max_attempts: 7 }").max_attempts, 7);
    let conflict = policy("", "crm.contact.upsert", "    retry: { on: [conflict] }");
    assert_eq!((conflict.max_attempts, conflict.retries(&ErrorCode::Conflict)), (5, true));
    assert_eq!(policy("", "debug.echo", "    retry: { max_attempts: 1 }").max_attempts, 1);
    assert_eq!(policy("", "debug.echo", "    retry: { initial: 1h }").max_ms, 3_600_000);
}

#[test]
fn keys_of_steps_do_not_move_with_their_neighbours() {
    let keys = |source: &str| good(source).outline.iter().map(|line| line.key.to_string()).collect::<Vec<_>>();
    let before = keys(
        "name: a\nsteps:\n  - id: top\n    if: 'true'\n    then:\n      - do: debug.echo\n      - delay: 1s\n      - do: debug.echo\n  - do: debug.echo\n",
    );
    assert_eq!(before, ["top", "top/do:debug.echo:1", "top/delay:1", "top/do:debug.echo:2", "do:debug.echo:1"]);
    let after = keys(
        "name: a\nsteps:\n  - set: { x: 1 }\n  - id: top\n    if: 'true'\n    then:\n      - set: { y: 1 }\n      - do: debug.echo\n      - id: new\n        do: debug.echo\n      - delay: 1s\n      - do: debug.echo\n  - do: debug.echo\n",
    );
    assert_eq!(after, ["set:1", "top", "top/set:1", "top/do:debug.echo:1", "new", "top/delay:1", "top/do:debug.echo:2", "do:debug.echo:1"]);
}

#[test]
fn hints_and_warnings_do_not_keep_a_workflow_from_running() {
    let found = problems("name: a\nmode: single\non: [{ event: lead.capturd }]\nsteps:\n  - delay: 1s\n    timeout: 3s\n    retry: {}\n");
    assert_eq!(
        found,
        [
            "f.yaml:2:7 warning no_effect: `mode` has no effect without `key`: each run then is about itself",
            "f.yaml:3:15 hint unknown_event_type: nobody declares the event type \"lead.capturd\"; did you mean \"lead.captured\"?",
            "f.yaml:6:14 warning no_effect: `timeout` has no effect on delay; it bounds `do`, `wait_for` and `ask`",
            "f.yaml:7:12 warning no_effect: `retry` has no effect on delay; only `do` is tried again",
        ]
    );
    let each = "name: a\nmode: single\nreentry: never\non: [{ schedule: { cron: 0 9 * * *, each: { segment: a } } }]\nsteps: [{ stop: }]\n";
    assert_eq!(problems(each), Vec::<String>::new(), "with `each` a run is about its contact");
    let hint = &compiled("name: a\nsteps: [{ stop: }]").problems[0];
    assert_eq!((hint.severity, hint.code.as_str()), (Severity::Hint, "no_trigger"));
}

#[test]
fn yaml_1_2_keeps_words_as_text_and_anchors_work() {
    let workflow = good("name: a\nvars: { a: &x { on: yes, n: no, off: off }, b: *x, c: 010, d: '1', e: !!str 1, f: +3 }\nsteps: [{ stop: }]");
    let value = |index: usize| workflow.vars[index].1.as_literal().cloned().unwrap();
    assert_eq!(value(0), json!({ "on": "yes", "n": "no", "off": "off" }));
    assert_eq!(value(1), value(0));
    assert_eq!([value(2), value(3), value(4), value(5)], [json!(10), json!("1"), json!("1"), json!(3)]);
}

#[test]
fn the_json_schema_agrees_with_the_compiler() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for source in [WELCOME, EVERYTHING] {
        let value = tree_value(source);
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    for (source, _) in super::invalid::SHAPES {
        assert!(!validator.is_valid(&tree_value(source)), "the schema accepts\n{source}");
        assert!(compiled(source).workflow.is_none(), "the compiler accepts\n{source}");
    }
}

/// Every workflow file that we ship fits the schema that editors check it with.
#[test]
fn the_json_schema_accepts_every_workflow_that_is_shipped() {
    fn below(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy();
            if path.is_dir() {
                below(&path, found);
            } else if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
                found.push(path);
            }
        }
    }
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["examples", "workflows"] {
        below(&workspace.join(folder), &mut files);
    }
    assert!(files.len() > 20, "the files were not found");
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let errors: Vec<String> = validator.iter_errors(&tree_value(&source)).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", file.display());
    }
}

pub(super) fn tree_value(source: &str) -> Value {
    let mut problems = crate::definition::problems::Problems::default();
    crate::definition::tree::parse(source, &mut problems).map(|tree| tree.to_value()).unwrap_or_default()
}

#[test]
fn limits_come_with_what_they_count() {
    use crate::machine::{Admission, Asked, Known, admit, priority_of};
    let known = Known::default();
    let asked = Asked { known: &known, now: crate::Timestamp::default(), timezone: "UTC" };
    let workflow = good(EVERYTHING);
    let limits = &workflow.limits;
    assert_eq!(limits.concurrency.as_ref().map(|limit| limit.max), Some(5));
    assert_eq!(limits.rate.as_ref().map(|limit| (limit.max, limit.per_ms, limit.scope.shared.as_deref())), Some((500, 60_000, Some("erp"))));
    assert_eq!(limits.debounce.map(|limit| (limit.wait_ms, limit.max_wait_ms)), Some((300_000, Some(3_600_000))));
    let gates = |data: Value| {
        let event = std::sync::Arc::new(json!({ "type": "custom.type", "subject": "s", "data": data }));
        match admit(&workflow, 1, &event, asked) {
            Admission::Yes { gates, .. } => Ok(gates),
            other => Err(format!("{other:?}")),
        }
    };
    let gates_of_vip = gates(json!({ "vip": true, "account": 7 })).unwrap();
    assert_eq!(gates_of_vip.priority, 1);
    assert_eq!(gates_of_vip.concurrency.map(|limit| (limit.name, limit.key)), Some(("workflow:everything".into(), "7".into())));
    assert_eq!(gates_of_vip.rate.map(|limit| (limit.name, limit.key)), Some(("shared:erp".into(), String::new())), "shared: all together");
    assert!(gates(json!({ "vip": false })).unwrap_err().contains("limits.concurrency.key"), "a limit without a value is a trigger error");
    for (value, priority) in [(json!(1), Some(1)), (json!("7"), Some(7)), (json!(10.0), Some(10)), (json!(0), None), (json!(11), None), (json!(1.5), None)] {
        assert_eq!(priority_of(&value), priority, "{value}");
    }
    let keyless = good("name: a\nlimits: { rate: { max: 1, per: 1s } }\nkey: '{{ input.id }}'\nsteps: [{ stop: }]\n");
    match crate::machine::admit_input(&keyless, &json!({ "id": "k" }), asked) {
        Admission::Yes { gates, .. } => assert_eq!(gates.rate.map(|limit| limit.key), Some("k".into()), "the workflow's key"),
        other => panic!("{other:?}"),
    }
}
