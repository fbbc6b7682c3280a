//! Plays from the outside: files in, reports out.

mod crowds;
mod starts;

use super::{CaseReport, CaseSetup, Counts, Crowd, Previews, Stage, Starts, StepTrial, TimelineSetup, contacts, harden, test_case, timeline, try_step};
use onward_core::{
    Object, Value,
    definition::{
        Catalogue, Span, Workflow, compile, render_problem,
        testing::{Begin, EventDraft, Scenario, Setting, TestFile},
    },
    machine::{self},
    ports::{Effect, NodeDescriptor, Outcome},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// A few nodes that give their example.
struct Nodes(BTreeMap<String, NodeDescriptor>);

impl Default for Nodes {
    fn default() -> Self {
        let node = |id: &str, category: &str, effect: Effect, example_output: Value| NodeDescriptor {
            id: id.into(),
            title: id.into(),
            description: String::new(),
            category: category.into(),
            effect,
            input: json!({}),
            output: json!({}),
            example: json!({}),
            example_output,
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: id.starts_with("crm.contact").then(|| "contact".into()),
        };
        let nodes = [
            node("message.send", "Messaging", Effect::AtMostOnce, json!({ "message_id": "m" })),
            node("crm.contact.upsert", "CRM", Effect::Transactional, json!({ "id": "c1" })),
            node("crm.assign", "CRM", Effect::Transactional, json!({})),
            node("http.request", "Engine", Effect::External, json!({ "status": 200 })),
        ];
        Self(nodes.into_iter().map(|node| (node.id.clone(), node)).collect())
    }
}

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        self.0.get(id)
    }
    fn node_ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Previews for Nodes {
    fn preview(&self, node: &str, _input: &Value) -> Option<Outcome> {
        Some(Outcome::done(self.0.get(node)?.example_output.clone()))
    }
}

fn workflow(source: &str) -> Arc<Workflow> {
    let compiled = compile(source, &Nodes::default());
    Arc::new(compiled.workflow.unwrap_or_else(|| panic!("{:#?}", compiled.problems)))
}

fn file(cases: &str) -> TestFile {
    let read = TestFile::parse(&format!("workflow: w.yaml\ncases:\n{cases}"));
    read.value.unwrap_or_else(|| panic!("{:#?}", read.problems))
}

fn reports(workflows: &[Arc<Workflow>], cases: &str) -> Vec<CaseReport> {
    let (file, nodes) = (file(cases), Nodes::default());
    file.cases.iter().map(|case| test_case(&CaseSetup::new(Stage::new(workflows.to_vec()), &file, case, &nodes))).collect()
}

fn told(report: &CaseReport) -> Vec<String> {
    report.problems.iter().map(|problem| render_problem("w.test.yaml", problem)).collect()
}

/// All cases pass, as written and hardened.
fn pass(workflows: &[Arc<Workflow>], cases: &str) {
    for report in reports(workflows, cases) {
        assert_eq!(told(&report), Vec::<String>::new(), "{}", report.name);
    }
    let (file, nodes) = (file(cases), Nodes::default());
    for case in &file.cases {
        let found = harden(&CaseSetup::new(Stage::new(workflows.to_vec()), &file, case, &nodes));
        assert_eq!(found, Vec::<String>::new(), "{}", case.name);
    }
}

const WELCOME: &str = r#"
name: welcome
on: [{ event: lead.captured, if: event.data.source != "import", with: { phone: "{{ event.data.phone }}" } }]
key: "{{ input.phone }}"
mode: single
exit_on: [{ event: contact.unsubscribed, match: contact }]
timeout: 30d
steps:
  - { id: lead, do: crm.contact.upsert, with: { phone: "{{ input.phone }}" } }
  - { id: greeting, split: { variants: { short: 50, long: 50 } } }
  - { id: hello, do: message.send, with: { template: "hello_{{ steps.greeting.variant }}", name: "{{ contact.first_name | default('there') }}" } }
  - { id: reply, wait_for: { event: message.received, match: contact }, timeout: 24h }
  - id: fork
    if: steps.reply.timed_out
    then:
      - delay: { until: "next weekday 09:30", timezone: contact }
      - { id: nudge, do: message.send, with: { template: follow_up } }
    else:
      - { id: assign, do: crm.assign, with: { team: sales } }
      - { id: told, emit: lead.qualified, with: { text: "{{ steps.reply.data.text }}" } }
  - { id: done, set: { over: true } }
  - stop: { output: { taken: "{{ steps.fork.taken }}" } }
"#;

const CASES: &str = r#"
  - name: a reply within the day cancels the follow-up
    event: { type: lead.captured, data: { source: whatsapp, phone: "+91" } }
    records: { contact: { first_name: Asha } }
    variant: { greeting: short }
    then: [{ after: 2h, event: { type: message.received, data: { contact_id: c1, text: "Yes please" } } }]
    expect:
      status: completed
      output: { taken: else }
      path: [lead, greeting, hello, reply, fork, assign, told, done]
      steps: [hello, assign]
      no_steps: [nudge]
      branches: { greeting: short, fork: else }
      variables: { over: true }
      calls:
        - { node: message.send, times: 1, with: { template: hello_short, name: Asha } }
        - { step: assign, with: { team: sales } }
      no_calls: [nudge, http.request]
      emitted: [{ event: lead.qualified, with: { text: "Yes please" }, times: 1 }]
      no_events: [order.created]
      exit: null
      took: { under: 3h, over: 1h }
  - name: silence brings the follow-up on the next weekday
    now: "2026-01-09T12:00:00Z"
    timezone: Asia/Kolkata
    event: { type: lead.captured, data: { source: whatsapp, phone: "+91" } }
    variant: { greeting: long }
    expect: { status: completed, output: { taken: then }, calls: [{ step: nudge }], took: { over: 2d 15h, under: 2d 17h } }
  - name: a stranger's reply does not count
    event: { type: lead.captured, data: { phone: "1", source: web } }
    then: [{ after: 1h, event: { type: message.received, data: { contact_id: c2 } } }]
    for: 2h
    expect: { status: waiting, waiting_on: { kind: event, step: reply } }
  - name: who unsubscribes is left alone
    event: { type: lead.captured, data: { phone: "1", source: web } }
    then: [{ after: 1h, event: { type: contact.unsubscribed, data: { contact_id: c1 } } }]
    expect: { status: completed, exit: contact.unsubscribed, no_steps: [fork] }
  - name: an import is not welcomed
    event: { type: lead.captured, data: { phone: "1", source: import } }
    expect: { status: not_started, runs: 0, no_calls: true }
  - name: one run a phone
    event: { type: lead.captured, data: { phone: "1", source: web } }
    then: [{ after: 1h, event: { type: lead.captured, data: { phone: "1", source: web } } }, { event: { type: lead.captured, data: { phone: "2", source: web } } }]
    expect: { runs: 2 }
  - name: the same event twice is one
    event: { type: lead.captured, id: e1, data: { phone: "1", source: web } }
    then: [{ event: { type: lead.captured, id: e1, data: { phone: "7", source: web } } }]
    expect: { runs: 1 }
  - name: a failed upsert fails the run
    event: { type: lead.captured, data: { phone: "1", source: web } }
    mock: { lead: { error: { code: conflict, message: two of them } } }
    expect: { status: failed, error: { code: conflict, step: lead } }
  - name: a message that nobody can know of is not sent again
    event: { type: lead.captured, data: { phone: "1", source: web } }
    mock: { message.send: { outcome: unknown } }
    expect: { status: failed, error: outcome_unknown, calls: [{ node: message.send, times: 1 }] }
  - name: a held message leaves later
    event: { type: lead.captured, data: { phone: "1", source: web } }
    mock: { hello: [{ hold: 8h }, { message_id: m2 }] }
    expect: { calls: [{ step: hello, times: 2 }], took: { over: 1d 8h } }
  - name: cancelled by hand
    event: { type: lead.captured, data: { phone: "1", source: web } }
    then: [{ after: 1h, cancel: enough }]
    expect: { status: cancelled, took: { under: 2h } }
  - name: a pause holds the time-out back until someone resumes
    event: { type: lead.captured, data: { phone: "1", source: web } }
    then: [{ after: 1h, pause: }, { after: 3d, resume: }]
    expect: { status: completed, steps: [nudge], took: { over: 3d 1h } }
"#;

#[test]
fn cases_pass_and_survive_crashes_repeats_and_failures() {
    pass(&[workflow(WELCOME)], CASES);
}

#[test]
fn what_differs_is_told_with_its_place() {
    let told_of = |expect: &str| {
        let case = format!(
            "  - name: x\n    event: {{ type: lead.captured, data: {{ phone: '1', source: web }} }}\n    variant: {{ greeting: long }}\n    expect: {expect}"
        );
        told(&reports(&[workflow(WELCOME)], &case)[0]).join("\n")
    };
    let holds = |expect: &str, message: &str| {
        let told = told_of(expect);
        assert!(told.contains(message), "{expect}: {told}");
        assert!(told.starts_with("w.test.yaml:6:"), "{told}");
    };
    holds("{ status: failed }", "status: expected failed, got completed");
    holds("{ output: { taken: else } }", "output taken: expected \"else\", got \"then\"");
    holds("{ path: [lead, done] }", "path: expected lead → done, got lead → greeting → hello → reply → fork → nudge → done");
    holds("{ steps: [assign] }", "step assign was not taken");
    holds("{ steps: [done, lead] }", "not in this order");
    holds("{ no_steps: [lead] }", "step lead was taken");
    holds("{ branches: { fork: else } }", "step fork: expected else, but it took then");
    holds("{ calls: [{ node: message.send, times: 1 }] }", "message.send was called twice, expected once");
    holds("{ calls: [{ node: message.send, with: { template: hi } }] }", "the nearest call of message.send template: expected \"hi\", got \"hello_long\"");
    holds("{ calls: [http.request] }", "http.request was called never, expected at least once; called were crm.contact.upsert, message.send");
    holds("{ no_calls: true }", "3 calls were made");
    holds("{ no_calls: [lead] }", "lead was called");
    holds("{ emitted: [lead.qualified] }", "lead.qualified was emitted never");
    holds("{ exit: contact.unsubscribed }", "exit: expected \"contact.unsubscribed\", got null");
    holds("{ variables: { over: false } }", "variables over: expected false, got true");
    holds("{ took: { under: 1h } }", "took: expected under 1h, got 2d 30m");
    holds("{ runs: 2 }", "runs: expected 2, got 1");
    holds("{ run: 2, status: completed }", "there is no run 2");
    holds("{ error: timeout }", "error: expected {\"code\":\"timeout\"}, got null");
}

#[test]
fn coverage_names_what_no_case_went_through() {
    let workflow = workflow(WELCOME);
    let reports = reports(&[Arc::clone(&workflow)], CASES);
    let mut all = super::Coverage::default();
    for report in &reports {
        all.merge(&report.coverage);
    }
    let whole = all.report(&workflow);
    assert_eq!(whole.uncovered, [], "{whole:?}");
    assert_eq!((whole.steps.covered, whole.steps.all, whole.branches.all), (11, 11, 6));
    let part = reports[0].coverage.report(&workflow);
    let gaps: Vec<(u32, &str, Option<&str>)> = part.uncovered.iter().map(|gap| (gap.line, gap.step.as_str(), gap.branch.as_deref())).collect();
    assert_eq!(
        gaps,
        [(10, "greeting", Some("long")), (12, "reply", Some("timed_out")), (13, "fork", Some("then")), (16, "fork/delay:1", None), (17, "nudge", None)]
    );
}

#[test]
fn retries_wait_as_long_as_the_policy_says() {
    let workflow = workflow(
        "name: w\non: [{ event: go }]\nsteps:\n  - { id: call, do: http.request, with: {}, timeout: 10s, retry: { max_attempts: 3, initial: 1m, factor: 2, max: 1h } }\n",
    );
    pass(
        &[workflow],
        r"
  - name: the third attempt works
    event: { type: go }
    mock: { call: [{ error: unavailable }, { error: timeout }, { status: 200 }] }
    expect: { status: completed, calls: [{ step: call, times: 3 }], took: { over: 2m 59s, under: 3m 1s } }
  - name: three are enough
    event: { type: go }
    mock: { http.request: { error: unavailable } }
    expect: { status: failed, error: unavailable, calls: [{ step: call, times: 3 }] }
  - name: asking to come again costs no attempt
    event: { type: go }
    mock: { call: [{ retry_after: 1h }, { retry_after: 1h }, { retry_after: 1h }, { status: 200 }] }
    expect: { status: completed, calls: [{ step: call, times: 4 }], took: { over: 2h 59m } }
  - name: a slow call runs into its time-out
    event: { type: go }
    mock: { call: [{ output: {}, takes: 1m }, { output: {}, takes: 5s }] }
    expect: { status: completed, calls: [{ step: call, times: 2 }], took: { over: 1m 14s, under: 1m 16s } }
",
    );
}

#[test]
fn workflows_start_each_other_and_endless_ones_are_given_up() {
    let first = workflow("name: first\non: [{ event: go }]\nsteps:\n  - { emit: next.step, with: { n: 1 } }\n");
    let second = workflow("name: second\non: [{ event: next.step }]\nsteps:\n  - { do: message.send, with: { n: '{{ event.data.n }}' } }\n");
    pass(&[Arc::clone(&first), second], "  - { name: x, event: { type: go }, expect: { runs: 2, calls: [{ node: message.send, with: { n: 1 } }] } }\n");
    let echo = workflow("name: echo\non: [{ event: next.step }]\nsteps:\n  - { emit: next.step }\n");
    let report = &reports(&[first, echo], "  - { name: x, event: { type: go }, expect: { runs: 18 } }\n")[0];
    assert!(told(report)[0].contains("trigger each other"), "{:?}", told(report));
    let forever = workflow("name: forever\non: [{ event: go }]\nsteps:\n  - { id: held, do: http.request, with: {} }\n");
    let report = &reports(&[forever], "  - { name: x, event: { type: go }, mock: { held: { hold: 1d } }, expect: { status: waiting } }\n")[0];
    assert!(told(report)[0].contains("round and round"), "{:?}", told(report));
}

#[test]
fn keys_and_modes_are_those_of_the_engine() {
    let of =
        |mode: &str| workflow(&format!("name: w\non: [{{ event: go }}]\nkey: '{{{{ event.data.k }}}}'\nmode: {mode}\nsteps:\n  - {{ id: nap, delay: 1h }}\n"));
    let cases = |expect: &str| {
        format!(
            "  - name: x\n    event: {{ type: go, data: {{ k: a }} }}\n    then: [{{ after: 10m, event: {{ type: go, data: {{ k: a }} }} }}, {{ after: 10m, event: {{ type: go, data: {{ k: a }} }} }}]\n    expect: {expect}\n"
        )
    };
    pass(&[of("parallel")], &cases("{ runs: 3, run: 3, took: { under: 1h 1m } }"));
    pass(&[of("single")], &cases("{ runs: 1 }"));
    pass(&[of("queued")], &cases("{ runs: 3, held: 0, run: 3, status: completed }"));
    pass(&[of("restart")], &cases("{ runs: 3, run: 1, status: cancelled, took: { under: 11m } }"));
}

#[test]
fn a_connection_that_is_not_there_is_not_found() {
    let workflow = workflow("name: w\non: [{ event: go }]\nsteps:\n  - { id: call, do: http.request, with: { connection: man } }\n");
    pass(&[workflow], "  - { name: x, connections: [main], event: { type: go }, expect: { status: failed, error: { code: not_found } } }\n");
}

#[test]
fn a_run_that_the_engine_holds_is_told() {
    let workflow =
        workflow("name: w\non: [{ event: go }]\nsteps:\n  - { id: call, do: http.request, with: {} }\n  - { id: again, do: http.request, with: {} }\n");
    let big = "x".repeat(900_000);
    let step = |number: u8| format!("  - {{ id: s{number}, do: http.request, with: {{}} }}\n");
    let steps = format!("name: w\non: [{{ event: go }}]\nsteps:\n{}", (0..20).map(step).collect::<String>());
    let heavy = self::workflow(&steps);
    let case = format!("  - {{ name: x, event: {{ type: go }}, mock: {{ http.request: {{ text: {big} }} }}, expect: {{ status: completed }} }}\n");
    let report = &reports(&[heavy], &case)[0];
    assert!(told(report).iter().any(|told| told.contains("the engine holds run 1")), "{:?}", told(report));
    assert!(reports(&[workflow], "  - { name: x, event: { type: go }, expect: { status: completed } }\n")[0].passed);
}

#[test]
fn called_workflows_are_played_or_mocked_and_people_answer() {
    let parent = workflow(
        "name: parent\non: [{ event: go }]\nsteps:\n  - { id: ask, ask: { who: { role: manager }, title: Discount? }, timeout: 2d }\n  - { id: sub, call: child, with: { n: 2 } }\n  - stop: { output: { said: '{{ steps.ask.answer }}', got: '{{ steps.sub.twice }}' } }\n",
    );
    let child = workflow("name: child\non: [{ manual: {} }]\nsteps:\n  - { id: nap, delay: 1h }\n  - stop: { output: { twice: '{{ input.n * 2 }}' } }\n");
    pass(
        &[Arc::clone(&parent), child],
        r"
  - name: played
    event: { type: go }
    then: [{ after: 1d, answer: { step: ask, answer: approve, by: asha } }]
    expect: { status: completed, runs: 2, output: { said: approve, got: 4 }, took: { over: 1d 59m, under: 1d 61m } }
  - name: cancelled with its parent
    event: { type: go }
    then: [{ after: 1d, answer: { answer: reject } }, { after: 30m, cancel: enough }]
    expect: { status: cancelled, runs: 2, run: 2, took: { under: 31m } }
",
    );
    pass(
        &[Arc::clone(&parent)],
        r"
  - name: mocked by its step
    event: { type: go }
    mock: { sub: { twice: 8 } }
    then: [{ answer: { answer: approve } }]
    expect: { status: completed, runs: 1, output: { said: approve, got: 8 } }
  - name: mocked by its name
    event: { type: go }
    mock: { child: { error: declined } }
    then: [{ answer: { answer: approve } }]
    expect: { status: failed, error: declined, calls: [{ step: sub, with: { n: 2 } }] }
  - name: not there
    event: { type: go }
    then: [{ answer: { answer: approve } }]
    expect: { status: failed, error: { code: not_found } }
",
    );
    let report =
        &reports(&[parent], "  - { name: x, event: { type: go }, then: [{ answer: { answer: perhaps } }], for: 1h, expect: { status: waiting } }\n")[0];
    assert!(told(report)[0].contains("must be one of approve, reject"), "{:?}", told(report));
}

fn crowd(scenario: &Scenario, contacts_: u64, threads: usize, seed: u64) -> Counts {
    let nodes = Nodes::default();
    let mut stage = Stage::new(vec![workflow(WELCOME)]);
    stage.seed = seed;
    let data = json!({ "phone": "+1", "source": "web" });
    let starts = Starts::Begin(Begin::Event(EventDraft { kind: "lead.captured".into(), data, ..EventDraft::default() }));
    contacts(&Crowd { stage, starts, scenario, watched_for: Some(Span::parse("30d").unwrap()), over: None, previews: &nodes, contacts: contacts_, threads })
}

#[test]
fn a_crowd_is_counted_by_branch_variant_and_message() {
    let scenario = Scenario::parse(
        "answers: { reply: [{ share: 40, after: { from: 5m, to: 6h }, data: { text: hi } }, { share: 10, type: contact.unsubscribed, after: 1h }] }\nvary: { data: { source: { web: 80, import: 20 } } }\nmock: { assign: { one_of: [{ share: 9, output: {} }, { share: 1, error: declined }] } }",
    )
    .value
    .unwrap();
    let counts = crowd(&scenario, 2_000, 2, 7);
    let near = |count: u64, share: f64, of: u64| {
        let expected = of as f64 * share;
        assert!((count as f64 - expected).abs() < expected * 0.15 + 10.0, "{count} of {of}, expected {expected}: {counts:#?}");
    };
    let step = |id: &str| counts.steps.iter().find(|step| step.step == id).unwrap().clone();
    assert_eq!(counts.contacts, 2_000);
    assert_eq!(counts.runs + counts.not_started.values().sum::<u64>(), 2_000);
    near(counts.runs, 0.8, 2_000);
    near(step("greeting").branches["short"], 0.5, counts.runs);
    near(step("reply").branches["event"], 0.4, counts.runs);
    near(step("reply").branches["timed_out"], 0.5, counts.runs);
    near(counts.exits["contact.unsubscribed"], 0.1, counts.runs);
    near(counts.errors["declined"], 0.1, step("assign").entered);
    assert_eq!(counts.messages, step("hello").messages + step("nudge").messages);
    assert_eq!(counts.messages, counts.calls["message.send"]);
    assert_eq!(counts.emitted["lead.qualified"], step("told").entered);
    assert!(counts.faults.is_empty() && counts.given_up == 0, "{counts:#?}");
    assert_eq!(counts, crowd(&scenario, 2_000, 1, 7), "the result does not depend on threads");
    assert_ne!(counts, crowd(&scenario, 2_000, 1, 8), "another seed, other contacts");
}

#[test]
fn a_timeline_tells_calls_and_messages() {
    let (nodes, scenario) = (Nodes::default(), Scenario::default());
    let starts =
        Starts::Begin(Begin::Event(EventDraft { kind: "lead.captured".into(), data: json!({ "phone": "+1", "source": "web" }), ..EventDraft::default() }));
    let setup = TimelineSetup { stage: Stage::new(vec![workflow(WELCOME)]), starts, scenario: &scenario, watched_for: None, previews: &nodes };
    let played = timeline(&setup);
    assert_eq!(played.runs.len(), 1);
    assert_eq!(played.runs[0].status, onward_core::ports::RunStatus::Completed);
    assert_eq!((played.calls.len(), played.messages.len()), (3, 2));
    let run = &played.runs[0];
    let report = machine::replay(&workflow(WELCOME), onward_core::OrganisationId(uuid::Uuid::nil()), run.run_id, &run.history);
    assert!(report.same, "{report:#?}");
    let short = timeline(&TimelineSetup { watched_for: Some(Span::parse("1h").unwrap()), ..setup });
    assert_eq!(short.runs[0].status, onward_core::ports::RunStatus::Waiting);
}

#[test]
fn a_step_is_tried_alone() {
    let (workflow, nodes, setting) = (workflow(WELCOME), Nodes::default(), Setting::default());
    let try_it = |step: &str, steps: Value| {
        let steps = steps.as_object().cloned().unwrap_or_default();
        let event = json!({ "data": { "contact_id": "c9" } });
        let now = Stage::new(Vec::new()).starts_at;
        try_step(&StepTrial {
            workflow: &workflow,
            step,
            event,
            input: json!({ "phone": "+1" }),
            vars: Object::new(),
            steps,
            locals: Object::new(),
            setting: &setting,
            now,
            previews: &nodes,
        })
    };
    let tried = try_it("hello", json!({ "greeting": { "variant": "long" } })).unwrap();
    assert_eq!(tried.input, json!({ "template": "hello_long", "name": "there" }));
    assert_eq!(tried.output, json!({ "message_id": "m" }));
    assert_eq!(try_it("fork", json!({ "reply": { "timed_out": true } })).unwrap().branch.as_deref(), Some("then"));
    let failed = try_it("told", json!({ "reply": { "data": {} } })).unwrap();
    assert!(failed.error.is_some() || failed.input["data"]["text"].is_null(), "{failed:?}");
    assert!(try_it("reply", json!({})).unwrap_err().contains("cannot be tried alone"));
    assert!(try_it("nothing", json!({})).unwrap_err().contains("no step"));
}
