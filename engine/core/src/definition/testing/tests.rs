//! Reading test files and scenarios: what is understood, and how mistakes are told.

use super::{Begin, LaterKind, Opening, ReplyKind, Scenario, TestFile, schema};
use crate::{
    ErrorCode,
    definition::{compile, render_problem, tests::Nodes, tree},
};
use serde_json::json;

/// The case of LANGUAGE.md, "Life of a definition".
const GOOD: &str = r#"
workflow: welcome.yaml
timezone: Asia/Kolkata
mock: { crm.contact.upsert: { id: c1 } }
cases:
  - name: a reply within the day cancels the follow-up
    event: { type: lead.captured, data: { source: whatsapp, phone: "+919812345678", name: Asha } }
    records: { contact: { timezone: Asia/Kolkata } }
    mock:
      message.send: { message_id: m1 }
      debug.echo: [{ error: { code: unavailable } }, { retry_after: 30s }, { outcome: unknown }, { output: [1] }, { hold: 1h, takes: 2s }]
    variant: { greeting: short }
    then:
      - after: 2h
        event: { type: message.received, data: { contact_id: c1, text: "Yes please" } }
      - { after: 1m, cancel: enough }
    for: 3d
    expect:
      status: completed
      error: timeout
      calls:
        - { node: message.send, times: 1 }
        - { step: greeting, times: { min: 1 }, with: { team: sales } }
        - crm.contact.upsert
      no_calls: [crm.conversation.assign]
      took: { under: 3h }
  - { name: by hand, input: { a: 1 }, expect: { no_calls: true, exit: null } }
"#;

/// Cases that begin otherwise.
const OPENINGS: &str = "workflow: welcome.yaml
cases:
  - name: by its own times
    schedule: { fires: 3 }
    segments: { vip: [c1, { id: c2, timezone: Asia/Kolkata }] }
    then: [{ after: 1m, webhook: { path: form, id: d-1, body: { a: 1 } } }]
    expect: { runs: 6 }
  - { name: by a webhook, webhook: { body: [1] }, expect: { runs: 1 } }
";

const WORKFLOW: &str = r"
name: welcome
on: [{ event: lead.captured }]
steps:
  - { id: lead, do: crm.contact.upsert, with: { phone: '1' } }
  - { id: greeting, split: { variants: { short: 1, long: 1 } } }
  - { id: fork, if: 'true', then: [{ stop: {} }] }
";

fn problems(source: &str) -> Vec<String> {
    TestFile::parse(source).problems.iter().map(|problem| render_problem("f.test.yaml", problem)).collect()
}

#[test]
fn a_test_file_is_read_whole() {
    let read = TestFile::parse(GOOD);
    assert_eq!(read.problems, []);
    let file = read.value.unwrap();
    assert_eq!(file.workflow.value, "welcome.yaml");
    assert_eq!(file.setting.timezone.as_deref(), Some("Asia/Kolkata"));
    let case = &file.cases[0];
    assert!(matches!(&case.begin, Opening::Begin(Begin::Event(event)) if event.kind == "lead.captured" && event.data["name"] == "Asha"));
    let replies: Vec<&ReplyKind> = case.setting.mocks[1].replies.iter().map(|reply| &reply.kind).collect();
    assert!(matches!(replies[0], ReplyKind::Error(error) if error.code == ErrorCode::Unavailable));
    assert_eq!(
        replies[1..],
        [
            &ReplyKind::RetryAfter(30_000),
            &ReplyKind::Unknown,
            &ReplyKind::Output(json!([1])),
            &ReplyKind::Hold { for_ms: Some(3_600_000), reason: "the mock says so".into() }
        ]
    );
    assert_eq!(case.setting.mocks[1].replies[4].takes_ms, 2_000);
    assert!(matches!(&case.then[1].kind, LaterKind::Cancel(Some(reason)) if reason == "enough"));
    assert_eq!(case.expect.error.as_ref().unwrap().value, json!({ "code": "timeout" }));
    assert_eq!(case.expect.calls.len(), 3);
    assert_eq!(case.expect.status.as_ref().unwrap().position.line, 19);
    assert!(file.cases[1].expect.no_calls_at_all.is_some());
    let merged = file.setting.with(&case.setting);
    assert_eq!(merged.mocks.len(), 3);
    assert_eq!(merged.timezone.as_deref(), Some("Asia/Kolkata"));
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let told = |source: &str, expected: &str| {
        let problems = problems(source);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}\n{problems:#?}");
    };
    told("cases: []", "needs `workflow`");
    told("workflow: a.yaml\ncases: []", "`cases` is empty");
    told(
        "workflow: a.yaml\ncases:\n  - nam: x\n    input: {}\n    expect: { status: completed }",
        "f.test.yaml:3:5 error unknown_field: a case has no key \"nam\"; did you mean \"name\"?",
    );
    told("workflow: a.yaml\ncases:\n  - name: x\n    input: {}\n    expect: { status: complete }", "did you mean \"completed\"?");
    told("workflow: a.yaml\ncases:\n  - name: x\n    expect: { status: completed }", "a case needs `event: { type, data }`, `input`, `schedule` or `webhook`");
    told("workflow: a.yaml\ncases:\n  - { name: x, input: 1, expect: {} }", "`expect` is empty");
    told("workflow: a.yaml\ncases:\n  - { name: x, input: 1, expect: { took: { under: 3 } } }", "`under` needs a unit");
    told("workflow: a.yaml\ncases:\n  - { name: x, input: 1, then: [{ after: 1h }], expect: { status: failed } }", "each entry of `then` is one of event");
    told(
        "workflow: a.yaml\ncases:\n  - { name: x, input: 1, mock: { debug.echo: { error: { code: timout } } }, expect: { status: failed } }",
        "did you mean \"timeout\"?",
    );
    told("workflow: a.yaml\ncases:\n  - { name: x, input: 1, timezone: Mars/Base, expect: { status: failed } }", "there is no time zone");
    told("workflow: a.yaml\ncases:\n  - &a { name: x, input: 1, expect: { status: failed } }\n  - *a", "the case \"x\" is there twice");
    told("workflow: a.yaml\ncases:\n  - { name: x, input: 1, records: { contakt: {} }, expect: { status: failed } }", "did you mean \"contact\"?");
}

#[test]
fn names_are_compared_with_the_workflow_and_the_nodes() {
    let nodes = Nodes::default();
    let workflow = compile(WORKFLOW, &nodes).workflow.unwrap();
    let read = |source: &str| TestFile::parse(source).value.unwrap().check(&[&workflow], &nodes);
    assert_eq!(read(GOOD), []);
    let told: Vec<String> = read(
        "workflow: a.yaml\ncases:\n  - name: x\n    input: {}\n    mock: { message.sned: {}, leed: {} }\n    variant: { greeting: shrt }\n    expect:\n      calls: [{ node: debug.eco }]\n      steps: [frok]\n      branches: { fork: thn, lead: then }",
    )
    .iter()
    .map(|problem| render_problem("f", problem))
    .collect();
    let expected = ["message.send", "lead", "short", "debug.echo", "fork", "then", "takes no branch"];
    for expected in expected {
        assert!(told.iter().any(|problem| problem.contains(expected)), "{expected}\n{told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_scenario_is_read_whole() {
    let read = Scenario::parse(
        "mock: { message.send: { one_of: [{ share: 9, output: { message_id: m } }, { share: 1, error: declined }] } }\nanswers:\n  reply:\n    - { share: 40, after: { from: 5m, to: 6h }, data: { text: 'yes' } }\n    - { share: 10, after: 1d, type: message.received }\nvary:\n  data: { source: { whatsapp: 70, web: 30 } }\n  contact: { timezone: [{ value: UTC, share: 1 }] }\n",
    );
    assert_eq!(read.problems, []);
    let scenario = read.value.unwrap();
    assert_eq!(scenario.answers[0].1[0].until_ms, 6 * 3_600_000);
    assert_eq!(scenario.vary_data[0], ("source".into(), vec![(json!("whatsapp"), 70.0), (json!("web"), 30.0)]));
    assert!(matches!(&scenario.setting.mocks[0].replies[0].kind, ReplyKind::OneOf(replies) if replies.len() == 2));
    let over = Scenario::parse("answers: { reply: [{ share: 90 }, { share: 11 }] }");
    assert!(over.problems[0].message.contains("sum up to 101"), "{:?}", over.problems);
}

#[test]
fn the_schema_accepts_what_is_read_and_refuses_what_is_not() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let value = |source: &str| tree::parse(source, &mut super::super::problems::Problems::default()).unwrap().to_value();
    for good in [GOOD, OPENINGS] {
        let errors: Vec<String> = schema.iter_errors(&value(good)).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(problems(good), Vec::<String>::new());
    }
    for bad in [
        "cases: [{ name: x, input: 1, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: []",
        "workflow: a.yaml\ncases: [{ name: x, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, expect: { status: complete } }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, expect: {} }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, then: [{ after: 1h }], expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, event: { type: a }, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, expect: { calls: [{ times: 1 }] } }]",
        "workflow: a.yaml\ncases: [{ name: x, input: 1, schedule: {}, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, schedule: { fires: 0 }, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, schedule: { at: 1 }, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, webhook: { path: [] }, expect: { status: failed } }]",
        "workflow: a.yaml\ncases: [{ name: x, webhook: { data: {} }, expect: { status: failed } }]",
        "workflow: a.yaml\nsegments: { vip: c1 }\ncases: [{ name: x, input: 1, expect: { status: failed } }]",
        "workflow: a.yaml\nsegments: { vip: [{ timezone: UTC }] }\ncases: [{ name: x, input: 1, expect: { status: failed } }]",
    ] {
        assert!(!schema.is_valid(&value(bad)), "{bad}");
        assert!(TestFile::parse(bad).value.is_none(), "{bad}");
    }
}

/// Every test file that we ship fits the schema, and what it is read as.
#[test]
fn the_schema_accepts_every_test_file_that_is_shipped() {
    fn below(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.to_string_lossy().ends_with(".test.yaml") {
                found.push(path);
            }
        }
    }
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["examples", "workflows"] {
        below(&workspace.join(folder), &mut files);
    }
    assert!(!files.is_empty());
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let value = tree::parse(&source, &mut super::super::problems::Problems::default()).unwrap().to_value();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", file.display());
        assert_eq!(TestFile::parse(&source).problems, [], "{}", file.display());
    }
}

proptest::proptest! {
    /// Whatever the text, reading it ends without a panic.
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", cut in 0..600_usize) {
        let _ = TestFile::parse(&text);
        let _ = Scenario::parse(&text);
        let mut end = cut.min(GOOD.len());
        while !GOOD.is_char_boundary(end) {
            end -= 1;
        }
        let _ = TestFile::parse(&GOOD[..end]);
        let _ = TestFile::parse(&format!("{}{text}", &GOOD[..end]));
    }
}
