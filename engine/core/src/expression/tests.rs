//! What expressions promise (LANGUAGE.md), from the outside.

use super::{Condition, Expression, RecordReads, Scope, Template};
use crate::{Object, Timestamp, Value};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn scope() -> Scope {
    let steps =
        [("lead", json!({ "id": "c1", "score": 71, "tags": ["new", "hot"], "note": null, "nested": { "deep": [1, { "x": 2 }] } })), ("skipped", Value::Null)];
    let contact =
        json!({ "first_name": "Asha", "last_name": null, "score": 7, "tags": ["vip"], "fields": { "plan": "pro", "a.b": 1 }, "timezone": "Asia/Kolkata" });
    Scope {
        event: Arc::new(
            json!({ "type": "lead.captured", "data": { "source": "whatsapp", "amount": 12.5, "big": 18_446_744_073_709_551_615_u64, "flag": true, "empty": "" } }),
        ),
        input: Arc::new(json!({ "phone": "+91", "items": [{ "n": 1 }, { "n": 2 }, { "n": 3 }] })),
        vars: Arc::new(object(json!({ "after": "24h", "i": 1 }))),
        steps: Arc::new(steps.into_iter().map(|(key, value)| (Arc::from(key), Arc::new(value))).collect()),
        run: Arc::new(json!({ "id": "r1", "workflow": "w" })),
        now: Timestamp::from_millis(1_772_339_400_000),
        records: Arc::new(RecordReads::live(BTreeMap::from([("contact".into(), contact), ("company".into(), Value::Null)]))),
        timezone: Some("Europe/Amsterdam".into()),
        ..Scope::default()
    }
}

fn render(text: &str) -> Result<Value, String> {
    Template::compile(&json!(text)).and_then(|template| template.render(&scope())).map_err(|error| error.message)
}

#[expect(clippy::needless_pass_by_value, reason = "reads better with json! at every call")]
fn test(condition: Value) -> Result<bool, String> {
    Condition::compile(&condition).and_then(|condition| condition.test(&scope())).map_err(|error| error.message)
}

#[test]
fn a_whole_expression_keeps_its_type_and_any_other_text_is_text() {
    for (text, expected) in [
        ("{{ steps.lead.score }}", json!(71)),
        ("{{ event.data.amount }}", json!(12.5)),
        ("{{ event.data.big }}", json!(18_446_744_073_709_551_615_u64)),
        ("{{ event.data.flag }}", json!(true)),
        ("{{ steps.lead.tags }}", json!(["new", "hot"])),
        ("{{ steps.lead.nested }}", json!({ "deep": [1, { "x": 2 }] })),
        ("{{ steps.lead.nested.deep[1].x }}", json!(2)),
        ("{{ steps.lead.nested.deep.1.x }}", json!(2)),
        ("{{ steps.lead.tags[-1] }}", json!("hot")),
        ("{{ vars }}", json!({ "after": "24h", "i": 1 })),
        ("{{ input.items | map(attribute='n') | list }}", json!([1, 2, 3])),
        ("{{ [1, {'a': input.phone}] }}", json!([1, { "a": "+91" }])),
        ("{{ 2 * steps.lead.score + 1 }}", json!(143)),
        ("{{ 7 // 2 }}", json!(3)),
        ("{{ 1 if event.data.flag else 5 }}", json!(1)),
        ("{{ 1 if event.data.empty }}", json!(null)),
        ("{{ now }}", json!("2026-03-01T04:30:00.000Z")),
        ("n = {{ steps.lead.score }}", json!("n = 71")),
        ("{{ event.data.flag }}, {{ steps.lead.note }}, {{ steps.lead.tags }}", json!("true, , [\"new\",\"hot\"]")),
        ("{% for m in input.items if m.n > 1 %}{{ m.n }}{% if not loop.last %}-{% endif %}{% endfor %}", json!("2-3")),
        ("a\n", json!("a\n")),
        ("{{ 'a' ~ 1 ~ none ~ true }}\n.", json!("a1true\n.")),
        ("{# nothing #}x", json!("x")),
        ("{% raw %}{{ x }}{% endraw %}", json!("{{ x }}")),
        ("{{ '{{ input.phone }}' }}", json!("{{ input.phone }}")),
    ] {
        assert_eq!(render(text), Ok(expected), "{text}");
    }
}

#[test]
fn maps_and_lists_are_rendered_in_order() {
    let template = Template::compile(&json!({ "b": ["{{ input.phone }}", 1], "a": { "c": "plain" } })).unwrap();
    let rendered = template.render(&scope()).unwrap();
    assert_eq!(serde_json::to_string(&rendered).unwrap(), r#"{"b":["+91",1],"a":{"c":"plain"}}"#);
    assert!(template.as_literal().is_none());
    assert_eq!(Template::compile(&json!({ "a": [1] })).unwrap().as_literal(), Some(&json!({ "a": [1] })));
}

#[test]
fn what_is_missing_fails_and_names_the_path() {
    for (text, path) in [
        ("{{ event.data.nosuch }}", "event.data.nosuch"),
        ("{{ event.data.nosuch.deeper }}", "event.data.nosuch"),
        ("{{ event.data.nosuch | upper }}", "event.data.nosuch"),
        ("{{ event.data.nosuch.deeper | upper }}", "event.data.nosuch"),
        ("Dear {{ input.name }}", "input.name"),
        ("{{ steps.lead.nosuch }}", "steps.lead.nosuch"),
        ("{{ vars.nosuch + 1 }}", "vars.nosuch"),
        ("{{ nosuch }}", "nosuch"),
        ("{{ incoming.data }}", "incoming"),
        ("{{ company.name }}", "company.name"),
        ("{{ company.name | upper }}", "company.name"),
        ("{{ contact.frist_name }}", "contact.frist_name"),
        ("{{ deal.amount }}", "deal"),
        ("{{ (event.data.nosuch) }}", "event.data.nosuch"),
    ] {
        let message = render(text).expect_err(text);
        assert!(message.contains(&format!("`{path}`")), "{text}: {message}");
    }
    assert!(test(json!("event.data.nosuch")).unwrap_err().contains("`event.data.nosuch`"));
    assert!(test(json!("not event.data.nosuch")).unwrap_err().contains("`event.data.nosuch`"));
}

#[test]
fn default_stands_in_for_missing_and_null() {
    for (text, expected) in [
        ("{{ input.name | default('') }}", json!("")),
        ("{{ contact.last_name | default('there') }}", json!("there")),
        ("Hi {{ contact.first_name | default('there') }}", json!("Hi Asha")),
        ("{{ company.name | default('none') }}", json!("none")),
        ("{{ steps.reply.text | default('silent') }}", json!("silent")),
        ("{{ event.data.empty | default('x') }}", json!("")),
        ("{{ event.data.empty | default('x', true) }}", json!("x")),
        ("{{ event.data.nosuch is defined }}", json!(false)),
    ] {
        assert_eq!(render(text), Ok(expected), "{text}");
    }
}

#[test]
fn a_step_that_did_not_run_is_null_and_so_are_its_fields() {
    for text in ["steps.reply", "steps.reply.timed_out", "steps.reply.a.b.c", "steps.skipped", "steps.skipped.x", "steps.lead.note", "steps.lead.note.x"] {
        assert_eq!(render(&format!("{{{{ {text} }}}}")), Ok(Value::Null), "{text}");
        assert_eq!(render(&format!("{{{{ ({text}) }}}}")), Ok(Value::Null), "({text})");
        assert_eq!(test(json!(text)), Ok(false), "{text}");
        for condition in [format!("{text} == none"), format!("{text} is none"), format!("not {text}"), format!("{text} != 3"), format!("[{text}] == [none]")] {
            assert_eq!(test(json!(condition)), Ok(true), "{condition}");
        }
        assert_eq!(test(json!({ "==": [{ "var": text }, null] })), Ok(true), "{text}");
    }
    assert_eq!(render("{{ steps.reply['a'].b }}"), Ok(Value::Null));
    assert_eq!(render("{{ steps.reply[vars.i].b }}"), Ok(Value::Null));
    assert_eq!(render("[{{ steps.reply.text }}]"), Ok(json!("[]")));
    assert_eq!(test(json!("steps.lead.score > 70 and not steps.reply.timed_out")), Ok(true));
    assert_eq!(test(json!("steps.reply.score > 70")), Ok(false));
}

#[test]
fn conditions_take_bare_expressions_and_data() {
    assert_eq!(test(json!("event.data.source in ['whatsapp', 'facebook']")), Ok(true));
    assert_eq!(test(json!({ ">=": [{ "var": "contact.score" }, 7] })), Ok(true));
    assert_eq!(test(json!({ "==": [{ "var": "input.items.1.n" }, 2] })), Ok(true));
    assert_eq!(test(json!({ "some": [{ "var": "input.items" }, { "==": [{ "var": "n" }, 3] }] })), Ok(true));
    assert_eq!(test(json!({ "missing": ["event.data.source", "event.data.x"] })), Ok(true));
    assert_eq!(test(json!({ "in": ["vip", { "var": "contact.tags" }] })), Ok(true));
    assert_eq!(test(json!(true)), Ok(true));
    for (condition, part) in [
        (json!("{{ steps.a }}"), "without braces: write `steps.a`"),
        (json!(3), "JSONLogic map"),
        (json!(null), "empty"),
        (json!(" "), "empty"),
        (json!("a b"), "cannot be read"),
        (json!({ "nope": [1] }), "no operator \"nope\""),
        (json!({ "==": [1, 1], "<": [1, 2] }), "one operator"),
    ] {
        let message = test(condition.clone()).expect_err(&condition.to_string());
        assert!(message.contains(part), "{condition}: {message}");
    }
    assert!(Expression::compile("{{ x }}").unwrap_err().message.contains("without braces"));
    for value in ["''", "0", "[]", "{}", "none", "false", "event.data.empty", "0.0"] {
        assert_eq!(test(json!(value)), Ok(false), "{value}");
    }
}

#[test]
fn references_are_known_without_a_run() {
    let template = Template::compile(&json!({ "a": "{{ steps.x.y }} {{ contact.first_name }}", "b": ["{{ steps['z'] }}"], "c": "{{ org.name }}" })).unwrap();
    assert_eq!(template.steps(), ["x", "z"]);
    assert_eq!(template.records(), ["contact", "org"]);
    let condition = Condition::compile(&json!({ "and": [{ "var": "steps.x.y" }, { "missing": ["deal.amount"] }] })).unwrap();
    assert_eq!(condition.steps(), ["x"]);
    assert_eq!(condition.records(), ["deal"]);
    let inner = Condition::compile(&json!({ "some": [{ "var": "event.data.list" }, { "==": [{ "var": "item.deal" }, 3] }] })).unwrap();
    assert_eq!(inner.roots(), ["event"]);
    let any = Condition::compile(&json!({ "var": { "cat": ["contact.", "score"] } })).unwrap();
    assert_eq!(any.records(), crate::expression::RECORD_NAMES);
}

#[test]
fn only_the_fields_used_are_noted() {
    let used = |text: &str| {
        let scope = scope();
        let _ = Template::compile(&json!(text)).unwrap().render(&scope);
        serde_json::to_value(scope.records.take_used()).unwrap()
    };
    assert_eq!(used("{{ contact.first_name }}"), json!({ "contact.first_name": "Asha" }));
    assert_eq!(used("Hi {{ contact.first_name | upper }}"), json!({ "contact.first_name": "Asha" }));
    assert_eq!(used("{{ contact.fields.plan ~ '' }}"), json!({ "contact.fields.plan": "pro" }));
    assert_eq!(used("{{ contact.tags[0] }}"), json!({ "contact.tags": ["vip"] }));
    assert_eq!(used("{{ 'vip' in contact.tags }}"), json!({ "contact.tags": ["vip"] }));
    assert_eq!(used("{{ contact.fields }}"), json!({ "contact.fields": { "plan": "pro", "a.b": 1 } }));
    assert_eq!(used("{{ contact.fields['a.b'] + 1 }}"), json!({ "contact.fields": { "plan": "pro", "a.b": 1 } }));
    assert_eq!(used("{{ company }}"), json!({ "company": null }));
    assert_eq!(used("{{ company.name | default('x') }}"), json!({ "company": null }));
    assert_eq!(used("{{ event.data.source }}"), json!({}));
    let scope = scope();
    assert!(Condition::compile(&json!({ ">": [{ "var": "contact.score" }, 1] })).unwrap().test(&scope).unwrap());
    assert_eq!(serde_json::to_value(scope.records.take_used()).unwrap(), json!({ "contact.score": 7 }));
}

#[test]
fn a_replay_sees_what_the_run_saw() {
    for text in [
        "{{ contact.first_name }} {{ contact.last_name }} {{ contact.fields.plan }} {{ contact.tags | join(',') }}",
        "{{ contact.nick | default('none') }}",
        "{{ contact.nick }}",
        "{{ contact.nick ~ '' }}",
        "{{ company.name | default('x') }}",
        "{{ contact.tags[0] }}{{ contact.tags[5] | default('-') }}",
        "{{ contact.tags.0 }}",
        "{{ contact }}",
        "{{ contact.fields['a.b'] }}",
    ] {
        let template = Template::compile(&json!(text)).unwrap();
        let live = scope();
        let first = template.render(&live);
        let recorded = live.records.take_used();
        let replay = Scope { records: Arc::new(RecordReads::recorded(&recorded)), ..scope() };
        assert_eq!(template.render(&replay), first, "{text}");
        assert_eq!(replay.records.take_missed(), Vec::<String>::new(), "{text}");
    }
    let replay = Scope { records: Arc::new(RecordReads::recorded(&BTreeMap::from([("contact.first_name".into(), json!("Asha"))]))), ..scope() };
    assert!(Template::compile(&json!("{{ contact.last_name }}")).unwrap().render(&replay).is_err());
    assert!(Template::compile(&json!("{{ deal.amount | default(0) }}")).unwrap().render(&replay).is_ok());
    assert_eq!(replay.records.take_missed(), ["contact.last_name", "deal"]);
}

#[test]
fn times_are_shifted_and_written() {
    for (text, expected) in [
        ("{{ now | plus('2h 30m') }}", "2026-03-01T07:00:00.000Z"),
        ("{{ now | minus('1d') }}", "2026-02-28T04:30:00.000Z"),
        ("{{ now | plus('P1M') }}", "2026-04-01T03:30:00.000Z"),
        ("{{ now | format('%d %b %Y, %H:%M', contact.timezone) }}", "01 Mar 2026, 10:00"),
        ("{{ now | format('%H:%M') }}", "05:30"),
        ("{{ now | format('%H:%M', timezone='UTC') }}", "04:30"),
        ("{{ '2026-03-01T10:00:00+05:30' | time }}", "2026-03-01T04:30:00.000Z"),
        ("{{ '2026-03-01' | time('Asia/Kolkata') }}", "2026-02-28T18:30:00.000Z"),
    ] {
        assert_eq!(render(text), Ok(json!(expected)), "{text}");
    }
    for (text, part) in [
        ("{{ now | plus('soon') }}", "no duration"),
        ("{{ 'soon' | format('%H') }}", "no time"),
        ("{{ now | format('%H', 'Mars/Base') }}", "no time zone"),
        ("{{ steps.reply.at | plus('1h') }}", "null"),
    ] {
        let message = render(text).expect_err(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn work_and_output_are_bounded() {
    let mut doubling = "{% set a = 'xxxxxxxxxxxxxxxx' %}".to_owned();
    doubling.push_str(&"{% set a = a ~ a %}".repeat(60));
    let mut lists = "{% set a = [1, 2, 3, 4] %}".to_owned();
    lists.push_str(&"{% set a = a + a %}".repeat(60));
    let nested = format!("{}{{{{ a }}}}", "{% set a = [a] %}".repeat(90)).replacen("[a]", "[1]", 1);
    for text in [
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ 1000000000 * 'x' }}".to_owned(),
        "{{ [1] * 1000000000 }}".to_owned(),
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for i in range(90000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}".to_owned(),
        doubling,
        lists,
        nested,
        "{{ 'x' | replace('x', 'y' * 99) }}".to_owned(),
        format!("{{{{ 'a'{} }}}}", "|replace('a', 'aaaaaaaaaaaaaaaaaaaa')".repeat(20)),
        "{{ range(100000) | join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}".to_owned(),
        "{{ 'x' | indent(1000000000) }}".to_owned(),
        "{{ [1] | batch(1000000000, 0) }}".to_owned(),
        "{{ [[1]] | sum(start=[2]) }}".to_owned(),
        "{{ 9223372036854775807 * 9223372036854775807 }}".to_owned(),
        "{{ 1 / 0 }}".to_owned(),
        "{{ 2 ** 100000 }}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(5000)),
        format!("{{{{ {}1 }}}}", "-".repeat(5000)),
        format!("{{{{ a{} }}}}", ".b".repeat(20_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(10_000)),
        "{{ x }}".repeat(40_000),
        format!("{{{{ 1{} }}}}", " - 1".repeat(10_000)),
        format!("{{{{ a{} }}}}", " and a".repeat(9_000)),
        format!("{{{{ a{} }}}}", " if a else a".repeat(4_000)),
        format!("{{{{ a{} }}}}", "|upper".repeat(9_000)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5_000)),
        format!("{}{}", "{% if a %}".repeat(3_000), "{% endif %}".repeat(3_000)),
    ] {
        let shown: String = text.chars().take(80).collect();
        assert!(render(&text).is_err(), "{shown}");
    }
    assert!(render("{{ 'x' * 2 }}").unwrap_err().contains("only numbers"));
}

#[test]
fn the_longest_expressions_that_are_allowed_evaluate() {
    let zero = "input.items[0].n - 1".to_owned();
    for text in [
        format!("{zero}{}", " - 0".repeat(450)),
        format!("{zero}{}", " or none".repeat(450)),
        format!("{}0{}", "(".repeat(20), ")".repeat(20)),
        format!("{}0{}", "[".repeat(20), "]".repeat(20)),
        format!("0{}", " if true else 0".repeat(200)),
        format!("0{}", "|default(0)".repeat(180)),
        format!("{}true", "not ".repeat(20)),
        format!("0{}", " * 1".repeat(450)),
        format!("1{}", " == 1".repeat(450)),
        format!("0{}", " ~ ''".repeat(190)),
    ] {
        let shown: String = text.chars().take(60).collect();
        assert!(render(&format!("{{{{ {text} }}}}")).is_ok(), "{shown}: {:?}", render(&format!("{{{{ {text} }}}}")));
    }
    let deep = format!("{{{{ event{} }}}}", ".data['x']".repeat(180));
    assert!(render(&deep).unwrap_err().contains("missing"));
    let tags = format!("{}x{}", "{% if true %}".repeat(60), "{% endif %}".repeat(60));
    assert_eq!(render(&tags), Ok(json!("x")));
    let elif = format!("{{% if false %}}{}{{% else %}}y{{% endif %}}", "{% elif false %}".repeat(400));
    assert_eq!(render(&elif), Ok(json!("y")));
}

#[test]
fn big_data_costs_what_it_weighs() {
    let mut scope = scope();
    scope.input = Arc::new(json!({ "text": "x".repeat(1 << 20) }));
    let render = |text: &str| Template::compile(&json!(text)).unwrap().render(&scope);
    assert!(render("{{ input.text | upper | length }}").is_ok());
    assert!(render("{% for i in range(20000) %}{% set y = input.text | upper %}{% endfor %}").is_err());
    assert!(render("{% for t in [input.text] %}{% for i in range(20000) %}{% set y = t | upper %}{% endfor %}{% endfor %}").is_err());
}

#[test]
fn mistakes_in_the_text_are_told_with_their_line() {
    let error = Template::compile(&json!("a\n{{ b c }}")).unwrap_err();
    assert_eq!(error.line, Some(2), "{error:?}");
    let (pointer, error) = Template::compile_located(&json!({ "a": ["x", "{{ y | uper }}"] })).unwrap_err();
    assert_eq!(pointer, "/a/1");
    assert!(error.message.contains("did you mean \"upper\"?"), "{error}");
}

#[test]
fn places_have_names_of_their_own() {
    let scope = Scope {
        incoming: Some(Arc::new(json!({ "data": { "text": "yes" } }))),
        error: Some(Arc::new(json!({ "code": "timeout" }))),
        locals: vec![("item".into(), Arc::new(json!({ "n": 1 }))), ("item".into(), Arc::new(json!({ "n": 2 })))],
        ..scope()
    };
    let evaluate = |text: &str| Expression::compile(text).unwrap().evaluate(&scope).unwrap();
    assert_eq!(evaluate("incoming.data.text"), json!("yes"));
    assert_eq!(evaluate("error.code ~ ''"), json!("timeout"));
    assert_eq!(evaluate("item.n"), json!(2));
    assert_eq!(evaluate("item.n + 0"), json!(2));
    assert!(Condition::compile(&json!({ "==": [{ "var": "item.n" }, 2] })).unwrap().test(&scope).unwrap());
}

mod arbitrary {
    use super::{Condition, Expression, Template, scope};
    use proptest::prelude::*;
    use serde_json::json;

    /// Pieces that make sense more often than letters do.
    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "if ",
            "else ",
            "endif",
            "for ",
            " in ",
            "endfor",
            "set x = ",
            "not ",
            "and ",
            "or ",
            "is ",
            "none",
            "true",
            "x",
            "input.items",
            "steps.lead.tags",
            "steps.nope.a",
            "contact.fields",
            "contact",
            "event.data",
            "now",
            "vars",
            "[0]",
            "[-1]",
            "[1:2]",
            "[::0]",
            "[::-1]",
            ".a",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "'a'",
            "\"é\"",
            "'",
            "\\",
            "1",
            "1.5",
            "-",
            "+",
            "*",
            "/",
            "//",
            "%",
            "**",
            "~",
            "==",
            "!=",
            "<",
            "|",
            "upper",
            "default(",
            "join(",
            "format(",
            "plus('1h')",
            "sort",
            "unique",
            "map(attribute='n')",
            "groupby('n')",
            "round(400)",
            "int",
            "batch(2)",
            "99999999999999999999",
            "range(",
            "\n",
            " ",
            "é",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn text_never_panics(pieces in prop::collection::vec(piece(), 0..24)) {
            let text = pieces.concat();
            let scope = scope();
            for text in [text.clone(), format!("{{{{ {text} }}}}"), format!("{{% if {text} %}}{text}{{% endif %}}")] {
                if let Ok(template) = Template::compile(&json!(text)) {
                    let _ = template.render(&scope);
                }
            }
            if let Ok(expression) = Expression::compile(&text) {
                let _ = expression.evaluate(&scope);
            }
        }

        #[test]
        fn rules_never_panic(operator in prop::sample::select(vec!["var", "missing", "missing_some", "map", "reduce", "cat", "substr", "/", "%", "in", "merge", "max", "if", "!!", "val", "exists"]), arguments in prop::collection::vec(prop_oneof![
            Just(json!({ "var": "input.items" })), Just(json!({ "var": ["contact.score", 1] })), Just(json!({ "var": 1 })), Just(json!({ "var": "" })), Just(json!({ "+": ["a", null] })),
            Just(json!(null)), Just(json!([1, [2]])), Just(json!(0)), Just(json!(-1)), Just(json!("x.y")), Just(json!(1e300)),
        ], 0..4)) {
            if let Ok(condition) = Condition::compile(&json!({ operator: arguments })) {
                let _ = condition.test(&scope());
            }
        }
    }
}
