//! Scripts as the second program of the machine.

use super::files::workflow;
use onward_core::{
    ErrorCode, Event, EventId, NewEvent, OrganisationId, RunId, Shard, StepError, Timestamp, Value,
    definition::Workflow,
    history::{Entry, Fact},
    machine::{Action, Context, Happening, Known, Need, Start, State, decide, fold_all, replay, replay_against, sites_reached},
    ports::{Outcome, RunStatus},
};
use proptest::prelude::*;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

const BEGAN: i64 = 1_800_000_000_000;

pub(super) fn organisation() -> OrganisationId {
    OrganisationId("00000000-0000-7000-8000-000000000001".parse().expect("a UUID"))
}

pub(super) fn run_id() -> RunId {
    RunId("00000000-0000-7000-8000-000000000002".parse().expect("a UUID"))
}

/// A run under way.
pub(super) struct Play {
    workflow: Workflow,
    pub(super) state: State,
    pub(super) history: Vec<Entry>,
    pub(super) actions: Vec<Action>,
    pub(super) now: i64,
    events: u8,
}

impl Play {
    /// A script, started by an event of type `go`.
    pub(super) fn started(script: &str) -> Self {
        Self::of(&format!("//! name: test\n//! on: [{{ event: go }}]\n{script}"))
    }

    /// A file, started by an event of type `go`.
    fn of(source: &str) -> Self {
        let workflow = workflow(source);
        let mut play = Self { workflow, state: State::new(run_id()), history: Vec::new(), actions: Vec::new(), now: BEGAN, events: 0 };
        let start = Start {
            version: 1,
            key: "k".into(),
            trigger: Some(0),
            input: json!({ "n": 1 }),
            event: json!({ "type": "go", "data": { "k": "one" } }),
            event_id: None,
            seed: 5,
            depth: 0,
            parent: None,
            reads: BTreeMap::new(),
        };
        play.happen(Happening::Started(start));
        play
    }

    pub(super) fn happen(&mut self, mut happening: Happening) {
        let mut known = Known::default();
        loop {
            let context = Context { organisation: organisation(), now: Timestamp::from_millis(self.now), known: &known, timezone: "UTC" };
            let decision = decide(&self.workflow, &mut self.state, happening, &context);
            self.history.extend(decision.entries);
            self.actions.extend(decision.actions);
            match decision.need {
                None => return,
                Some(Need::Variant { step, proposal, .. }) => drop(known.variants.insert(step, (proposal, false))),
                Some(Need::Records(asked)) => {
                    for record in asked {
                        known.records.insert(record.name, json!({ "name": "Asha", "score": 7, "secret": "x" }));
                    }
                }
            }
            happening = Happening::Continue;
        }
    }

    pub(super) fn ends(&mut self, step: &str, outcome: Outcome) {
        let call = self.state.in_flight().into_iter().find(|call| &*call.step == step).unwrap_or_else(|| panic!("{step} is not in flight"));
        self.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome });
    }

    pub(super) fn done(&mut self, step: &str, output: Value) {
        self.ends(step, Outcome::done(output));
    }

    /// The next timer fires.
    pub(super) fn due(&mut self) -> bool {
        let Some((key, due)) = self.state.timers().into_iter().min_by_key(|(_, due)| *due) else { return false };
        self.now = self.now.max(due.as_millis());
        self.happen(Happening::Due { key });
        true
    }

    pub(super) fn event(&mut self, target: &str, data: Value) {
        let happening = self.arriving(target, data);
        self.happen(happening);
    }

    /// An event that is taken in now.
    pub(super) fn arriving(&mut self, target: &str, data: Value) -> Happening {
        self.events += 1;
        let event_id = EventId(format!("00000000-0000-7000-8000-0000000001{:02}", self.events).parse().expect("a UUID"));
        let body = NewEvent::new(organisation(), "message.received", "/test", data);
        let event = Arc::new(Event { event_id, taken_in_at: Timestamp::from_millis(self.now), body });
        Happening::Event { target: target.into(), which: "event".into(), event }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.history.iter().map(|entry| format!("{} {}", entry.fact.kind(), entry.step.as_deref().unwrap_or("-"))).collect()
    }

    /// The process dies: what is recorded is folded, and the run is taken up.
    pub(super) fn crash(&mut self) {
        self.state = fold_all(&self.workflow, run_id(), &self.history).expect("the history folds");
        self.happen(Happening::Continue);
    }

    /// What must hold of every run at every moment.
    pub(super) fn check(&self) {
        let folded = fold_all(&self.workflow, run_id(), &self.history).expect("the history folds");
        assert_eq!(folded.row(organisation(), Shard(0)), self.state.row(organisation(), Shard(0)));
        assert_eq!(folded.timers(), self.state.timers());
        assert_eq!(format!("{:?}", folded.in_flight()), format!("{:?}", self.state.in_flight()));
        let report = replay(&self.workflow, organisation(), run_id(), &self.history);
        assert!(report.same, "{report:#?}\n{:#?}", self.lines());
    }
}

#[test]
fn a_run_of_a_script_leaves_the_history_of_steps() {
    let mut play = Play::started(
        r#"
        let contact = step("crm.contact.get", #{ id: event.data.k });
        sleep("1d");
        let reply = wait_for("message.received", #{ contact_id: contact.id }, "20h");
        if reply == () { step("nudge", "message.send", #{ to: contact.id }); }
        #{ replied: reply != () }
        "#,
    );
    play.check();
    play.done("do:crm.contact.get:1", json!({ "id": "c1" }));
    assert_eq!(play.state.status, RunStatus::Waiting);
    play.check();
    assert!(play.due());
    play.check();
    assert!(play.due());
    play.done("nudge", json!({ "message_id": "m1" }));
    assert_eq!((play.state.status, &play.state.output), (RunStatus::Completed, &json!({ "replied": false })));
    play.check();
    let expected = [
        "run_started -",
        "step_scheduled do:crm.contact.get:1",
        "step_completed do:crm.contact.get:1",
        "bound -",
        "timer_set sleep:1",
        "timer_fired sleep:1",
        "wait_opened wait_for:1",
        "wait_timed_out wait_for:1",
        "step_scheduled nudge",
        "step_completed nudge",
        "run_completed -",
    ];
    let lines: Vec<String> = play.lines().into_iter().map(|line| if line.starts_with("bound") { "bound -".to_owned() } else { line }).collect();
    assert_eq!(lines, expected);
}

#[test]
fn an_event_resumes_a_script_and_a_stranger_s_does_not() {
    let mut play = Play::started("let reply = wait_for(\"message.received\", #{ contact_id: \"c1\" }, \"20h\"); reply.data.text");
    play.event("wait_for:1", json!({ "contact_id": "c2", "text": "no" }));
    assert_eq!(play.state.status, RunStatus::Waiting);
    play.event("wait_for:1", json!({ "contact_id": "c1", "text": "yes" }));
    assert_eq!((play.state.status, &play.state.output), (RunStatus::Completed, &json!("yes")));
    play.check();
    assert!(play.actions.iter().any(|action| matches!(action, Action::CloseWait { target } if target == "wait_for:1")));
}

#[test]
fn a_wait_counts_events_since_the_call_before_it() {
    let mut play = Play::started("step(\"a\", \"debug.echo\"); parallel([|| { sleep(\"1h\"); wait_for(\"message.received\", \"any\", \"2h\") }]); 1");
    let first = play.state.at;
    play.now += 1_000;
    play.done("a", json!({}));
    let slept = play.state.at;
    assert!(play.due());
    let since = play.history.iter().find_map(|entry| match &entry.fact {
        Fact::WaitOpened { since, .. } => Some(*since),
        _ => None,
    });
    assert_eq!(since, Some(slept), "the sleep before it began then, the step before both at {first}");
    play.check();
}

#[test]
fn retries_are_the_machine_s_and_failures_the_script_s() {
    let mut play = Play::started("try { step(\"flaky\", \"debug.echo\"); } catch (e) { return e.code; }");
    for _ in 0..4 {
        play.ends("flaky", Outcome::Failed { error: StepError::new(ErrorCode::Unavailable, "down") });
        assert_eq!(play.state.status, RunStatus::Waiting);
        play.check();
        assert!(play.due());
    }
    play.ends("flaky", Outcome::Failed { error: StepError::new(ErrorCode::Unavailable, "down") });
    assert_eq!((play.state.status, &play.state.output), (RunStatus::Completed, &json!("unavailable")));
    play.check();

    let mut uncaught = Play::started("step(\"once\", \"message.send\");");
    uncaught.ends("once", Outcome::Unknown { error: StepError::new(ErrorCode::Unavailable, "lost") });
    assert_eq!(uncaught.state.status, RunStatus::Failed);
    let error = uncaught.state.error.clone().expect("an error");
    assert_eq!((error.code, error.step.as_deref()), (ErrorCode::OutcomeUnknown, Some("once")));
    uncaught.check();
}

#[test]
fn calls_that_cannot_begin_are_exceptions() {
    for (script, code, part) in [
        ("let n = \"no.such\"; step(n, #{})", "not_found", "no.such"),
        ("let d = \"soon\"; sleep(d)", "invalid_input", "soon"),
        ("wait_for(\"message.received\", #{ contact_id: () })", "invalid_input", "contact_id"),
        ("wait_for(\"message.received\", \"contact\")", "invalid_input", "no contact yet"),
        ("let e = \"Not A Type\"; emit(e)", "invalid_input", "event type"),
    ] {
        let play = Play::started(&format!("try {{ {script} }} catch (e) {{ return `${{e.code}}: ${{e.message}}`; }}"));
        assert_eq!(play.state.status, RunStatus::Completed, "{script}: {:#?}", play.lines());
        let told = play.state.output.as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with(code) && told.contains(part), "{script}: {told}");
        play.check();
    }
}

#[test]
fn a_script_that_left_its_history_pauses_and_goes_on_when_it_is_mended() {
    let mut play = Play::started("step(\"a\", \"debug.echo\", #{ n: 1 }); step(\"b\", \"debug.echo\"); 5");
    let mended = std::mem::replace(&mut play.workflow, workflow("//! name: test\nstep(\"a\", \"debug.echo\", #{ n: 2 }); 6"));
    play.done("a", json!({}));
    assert_eq!((play.state.status, play.state.paused.as_deref()), (RunStatus::Paused, Some("diverged")));
    play.happen(Happening::Resume { by: "admin".into() });
    assert_eq!(play.state.status, RunStatus::Paused, "it is looked at again, and still differs");
    play.workflow = mended;
    play.happen(Happening::Resume { by: "admin".into() });
    play.done("b", json!({}));
    assert_eq!((play.state.status, &play.state.output), (RunStatus::Completed, &json!(5)));

    let mut shorter = Play::started("parallel([|| step(\"a\", \"debug.echo\"), || step(\"b\", \"debug.echo\")]); 5");
    shorter.workflow = workflow("//! name: test\nparallel([|| step(\"a\", \"debug.echo\")]); 5");
    shorter.done("parallel:1/0/a", json!({}));
    let Some(Fact::Paused { by, reason: Some(reason) }) = shorter.history.last().map(|entry| entry.fact.clone()) else { panic!("{:#?}", shorter.lines()) };
    assert!(by == "diverged" && reason.contains("parallel:1/1/b"), "{reason}");
}

#[test]
fn a_cancelled_script_ends_and_cannot_catch_it() {
    let mut play =
        Play::started("try { parallel([|| sleep(\"1d\"), || step(\"a\", \"debug.echo\"), || wait_for(\"message.received\", \"any\")]); } catch { 1 }");
    play.happen(Happening::Cancel { by: "admin".into(), reason: None, force: false });
    assert_ne!(play.state.status, RunStatus::Cancelled, "the call in flight gets time to settle");
    play.done("parallel:1/1/a", json!({}));
    assert_eq!(play.state.status, RunStatus::Cancelled);
    play.check();
    assert!(play.state.timers().is_empty() && play.state.in_flight().is_empty());
}

#[test]
fn a_paused_script_goes_on_where_it_stood() {
    let mut play = Play::started("step(\"a\", \"debug.echo\"); step(\"b\", \"debug.echo\"); 7");
    play.happen(Happening::Pause { by: "admin".into(), reason: None });
    play.done("a", json!({}));
    assert_eq!(play.state.status, RunStatus::Paused);
    assert!(play.state.in_flight().is_empty(), "nothing new begins");
    play.check();
    play.crash();
    play.happen(Happening::Resume { by: "admin".into() });
    play.done("b", json!({}));
    assert_eq!(play.state.output, json!(7));
    play.check();
}

#[test]
fn another_script_over_a_recorded_history_tells_what_would_differ() {
    let mut play = Play::started("step(\"a\", \"debug.echo\", #{ n: 1 }); step(\"b\", \"debug.echo\"); 5");
    play.done("a", json!({ "n": 1 }));
    play.done("b", json!({}));
    let other = workflow("//! name: test\nlet a = step(\"a\", \"debug.echo\", #{ n: 1 }); step(\"c\", \"debug.echo\", #{ n: a.n }); 6");
    let report = replay_against(&other, organisation(), run_id(), &play.history, &|_| Some(json!({ "assumed": true })));
    assert!(!report.same);
    assert_eq!(report.added.iter().map(|call| call.step.as_str()).collect::<Vec<_>>(), ["c"], "{report:#?}");
    assert_eq!(report.missing.iter().map(|call| call.step.as_str()).collect::<Vec<_>>(), ["b"]);
}

const STEPS: &str = "name: test
on: [{ event: go }]
contact: event.data.k
vars: { limit: 3 }
steps:
  - { id: lead, do: debug.echo, with: { n: 1 } }
  - id: total
    script: |
      let sum = 0;
      for item in steps.lead.items { sum += item; }
      #{ sum: sum, hot: contact.score > vars.limit, name: contact.name }
  - id: broken
    on_error: continue
    script: |
      let zero = steps.total.sum - 6;
      1 / zero
  - id: short
    if: steps.total.hot
    script: steps.total.name + \"!\"
  - { id: last, do: debug.echo, with: { name: \"{{ steps.short }}\", error: \"{{ steps.broken.error.message }}\" } }
";

#[test]
fn a_script_step_computes_and_is_recorded_like_any_other() {
    let mut play = Play::of(STEPS);
    play.done("lead", json!({ "items": [1, 2, 3] }));
    let call = play.state.in_flight().pop().expect("a call in flight");
    assert_eq!(call.input["name"], "Asha!");
    let error = call.input["error"].as_str().unwrap_or_default();
    assert!(error.contains("(line 16, column 9)"), "the place in the file: {error}");
    let outputs = [("total", json!({ "hot": true, "name": "Asha", "sum": 6 })), ("short", json!("Asha!"))];
    for (step, output) in outputs {
        assert_eq!(play.state.output_of(step).map(|value| (**value).clone()), Some(output));
    }
    let history = serde_json::to_string(&play.history).expect("JSON");
    assert!(history.contains("contact.score") && !history.contains("secret"), "only the fields used are recorded");
    play.check();
    play.crash();
    play.done("last", json!({}));
    assert_eq!(play.state.status, RunStatus::Completed);
    play.check();
    let other = workflow(&STEPS.replace("sum += item", "sum += 2 * item"));
    let report = replay_against(&other, organisation(), run_id(), &play.history, &|_| None);
    assert!(report.differences.iter().any(|difference| difference.step.as_deref() == Some("total")), "{report:#?}");
}

#[test]
fn a_script_step_that_fails_fails_the_run() {
    let mut play = Play::of(&STEPS.replace("    on_error: continue\n", ""));
    play.done("lead", json!({ "items": [1, 2, 3] }));
    assert_eq!(play.state.status, RunStatus::Failed);
    let error = play.state.error.clone().expect("an error");
    assert_eq!((error.code.as_str(), error.step.as_deref()), ("invalid_input", Some("broken")));
    play.check();
}

#[derive(Clone, Debug)]
enum Push {
    Done(u8),
    Fail(u8),
    Lost(u8),
    Due,
    Event(u8),
    Crash,
    Pause,
    Resume,
    Cancel(bool),
}

fn push() -> impl Strategy<Value = Push> {
    prop_oneof![
        8 => any::<u8>().prop_map(Push::Done),
        3 => any::<u8>().prop_map(Push::Fail),
        1 => any::<u8>().prop_map(Push::Lost),
        6 => Just(Push::Due),
        3 => any::<u8>().prop_map(Push::Event),
        4 => Just(Push::Crash),
        1 => Just(Push::Pause),
        2 => Just(Push::Resume),
        1 => any::<bool>().prop_map(Push::Cancel),
    ]
}

const BUSY: &str = r#"
let seen = [];
for round in 0..2 {
    let pair = parallel([
        || { let a = step(`a_${round}`, "debug.echo", #{ n: round }); sleep("1h"); a },
        || { try { step("message.send", #{ n: round }); } catch (e) { log(e.code); } wait_for("message.received", #{ contact_id: "c1" }, "3h") },
        || random(1, 6),
    ]);
    seen.push(pair);
    let variant = split(`test_${round}`, #{ x: 1, y: 1 });
    if variant == "x" { emit("went.x", #{ round: round }); } else { step("crm.contact.get"); }
}
#{ seen: seen, at: now() }
"#;

#[test]
fn where_a_script_has_been_is_told_by_its_calls() {
    let mut play = Play::started("if event.data.k == \"two\" { sleep(\"1h\"); }\nfor n in 1..=2 { step(`a_${n}`, \"debug.echo\", #{ n: n }); }\nlog(\"end\");");
    let sites = |play: &Play| sites_reached(&play.workflow, run_id(), &play.history).expect("it folds");
    let all: Vec<(&str, u32)> =
        play.workflow.script.as_ref().expect("a script").program.sites().iter().map(|site| (site.function.as_str(), site.line)).collect();
    assert_eq!(all, [("sleep", 3), ("step", 4), ("log", 5)]);
    assert_eq!(sites(&play).into_iter().map(|(line, _)| line).collect::<Vec<_>>(), [4]);
    while let Some(call) = play.state.in_flight().pop() {
        play.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome: Outcome::done(json!({})) });
    }
    assert_eq!(play.state.status, RunStatus::Completed);
    let of_program: Vec<(u32, u32)> = play.workflow.script.as_ref().expect("a script").program.sites().iter().map(|site| (site.line, site.column)).collect();
    assert_eq!(sites(&play).into_iter().collect::<Vec<_>>(), of_program[1..]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_with_crashes_folds_and_replays_the_same(pushes in prop::collection::vec(push(), 1..60)) {
        let mut play = Play::started(BUSY);
        for push in &pushes {
            let in_flight: Vec<String> = play.state.in_flight().iter().map(|call| call.step.to_string()).collect();
            let pick = |number: u8| in_flight.get(usize::from(number) % in_flight.len().max(1)).cloned();
            let was_final = play.state.status.is_final();
            let entries = play.history.len();
            match push {
                Push::Done(number) => if let Some(step) = pick(*number) { play.done(&step, json!({ "n": number })) },
                Push::Fail(number) => if let Some(step) = pick(*number) { play.ends(&step, Outcome::Failed { error: StepError::new(ErrorCode::Declined, "no") }) },
                Push::Lost(number) => if let Some(step) = pick(*number) { play.ends(&step, Outcome::Unknown { error: StepError::new(ErrorCode::Unavailable, "lost") }) },
                Push::Due => drop(play.due()),
                Push::Event(number) => {
                    let open = play.history.iter().rev().find_map(|entry| matches!(entry.fact, Fact::WaitOpened { .. }).then(|| entry.step.clone()).flatten());
                    if let Some(target) = open && play.events < 90 { play.event(&target, json!({ "contact_id": if number % 3 == 0 { "c2" } else { "c1" } })) }
                }
                Push::Crash => play.crash(),
                Push::Pause => play.happen(Happening::Pause { by: "admin".into(), reason: None }),
                Push::Resume => play.happen(Happening::Resume { by: "admin".into() }),
                Push::Cancel(force) => play.happen(Happening::Cancel { by: "admin".into(), reason: None, force: *force }),
            }
            play.now += 1_000;
            prop_assert_ne!(play.state.paused.as_deref(), Some("diverged"));
            prop_assert!(!was_final || play.history.len() == entries, "an ended run stays ended");
            play.check();
        }
    }
}
