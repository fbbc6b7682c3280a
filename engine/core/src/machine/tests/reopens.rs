//! Runs that are taken up again after they failed, and copies of runs (SEMANTICS.md 15, 27).

use super::*;
use crate::history::{Fact, Forked};

impl Play {
    /// Takes the run up again; or says why not.
    pub(super) fn repair(&mut self, how: Repair) -> Result<Vec<&'static str>, Refusal> {
        let reopening = repair(&self.workflow, self.state.run_id, &self.history, "admin", how)?;
        Ok(self.happen(Happening::Reopen(Box::new(reopening))))
    }
    pub(super) fn retry(&mut self) -> Vec<&'static str> {
        self.repair(Repair::Retry { input: None, not_done: false }).expect("it can be retried")
    }
    fn skip(&mut self, output: Value) -> Vec<&'static str> {
        self.repair(Repair::Skip { output }).expect("it can be skipped")
    }
    fn refusal(&mut self, how: Repair) -> String {
        self.repair(how).expect_err("it is refused").to_string()
    }
    /// Ends the call of this step.
    fn end(&mut self, step: &str, outcome: Outcome) -> Vec<&'static str> {
        let call = self.state.in_flight().into_iter().find(|call| &*call.step == step).expect("the step is in flight");
        self.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome })
    }
    fn fail(&mut self, step: &str, code: &str) -> Vec<&'static str> {
        self.end(step, Outcome::Failed { error: StepError::new(crate::ErrorCode::parse(code), "it failed") })
    }
    /// A copy that goes on from there.
    pub(super) fn fork(&self, point: Point, input: Option<Value>) -> Result<Self, Refusal> {
        let run_id = RunId(uuid::Uuid::from_u128(43));
        let asked = Fork { by: "admin".into(), run_id, point, input, version: 1 };
        let Copied { entries: history, state, reopening } = fork(&self.workflow, organisation(), self.state.run_id, &self.history, &asked)?;
        let mut copy = Self::new(&self.workflow.source);
        copy.state = state;
        copy.history = history;
        copy.records = self.records.clone();
        copy.now = self.now;
        copy.happen(Happening::Reopen(Box::new(reopening)));
        assert_eq!(copy.state.run_id, run_id);
        Ok(copy)
    }
}

fn run_of(text: &str) -> Play {
    Play::started(&steps(text), json!({}))
}

#[test]
fn a_definite_failure_takes_a_new_key_and_an_unknown_one_keeps_it() {
    for (node, code, keeps) in [
        ("test.call", "invalid_input", false),
        ("test.call", "declined", false),
        ("test.call", "unavailable", true),
        ("test.call", "timeout", true),
        ("test.contact", "unavailable", false),
        ("test.send", "invalid_input", false),
    ] {
        let mut play = run_of(&format!("  - {{ id: a, do: {node}, with: {{ n: 1 }}, retry: {{ max_attempts: 1 }} }}\n"));
        let key = play.call().idempotency_key();
        assert!(play.fails(code).contains(&"run_failed"));
        assert_eq!(play.after(1_000).retry(), ["reopened", "step_scheduled"]);
        let call = play.call();
        assert_eq!((call.idempotency_key() == key, call.attempt, &*call.input), (keeps, 2, &json!({ "n": 1 })), "{node} {code}");
        assert_eq!(play.state.status, RunStatus::Running);
        play.check();
        play.done(json!({}));
        completed(&play);
    }
}

#[test]
fn an_attempt_that_may_have_had_its_effect_is_asked_about() {
    let mut play = run_of("  - { id: a, do: test.call, retry: { max_attempts: 1 } }\n");
    play.fails("timeout");
    play.actions.clear();
    play.retry();
    assert!(matches!(&play.actions[..], [Action::Run(call)] if call.unsure));
}

#[test]
fn what_must_not_happen_twice_is_retried_only_when_somebody_made_sure() {
    let mut play = run_of("  - { id: a, do: test.send }\n");
    let key = play.call().idempotency_key();
    play.ends(Outcome::Unknown { error: StepError::new(crate::ErrorCode::Unavailable, "gone") });
    let refusal = play.refusal(Repair::Retry { input: None, not_done: false });
    assert!(refusal.contains("must not happen twice") && refusal.contains("--not-done"), "{refusal}");
    play.repair(Repair::Retry { input: None, not_done: true }).expect("somebody made sure");
    assert_eq!(play.call().idempotency_key(), key);
    assert!(matches!(play.actions.last(), Some(Action::Run(call)) if !call.unsure));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_retry_has_all_its_attempts_again() {
    let mut play = run_of("  - { id: a, do: test.call, retry: { max_attempts: 2, initial: 1s, jitter: 0, on: [declined] } }\n");
    play.fails("declined");
    play.after(1_000).due("a");
    play.fails("declined");
    play.retry();
    assert_eq!(play.fails("declined"), ["retry_scheduled"]);
    play.after(1_000).due("a");
    assert!(play.fails("declined").contains(&"run_failed"));
    play.check();
}

#[test]
fn another_input_takes_a_new_key() {
    let mut play = run_of("  - { id: a, do: test.call, with: { n: 1 }, retry: { max_attempts: 1 } }\n");
    let key = play.call().idempotency_key();
    play.fails("timeout");
    let edited = Repair::Retry { input: Some(json!({ "n": 2 })), not_done: false };
    play.repair(edited).expect("it takes an input");
    let call = play.call();
    assert!(call.idempotency_key() != key && *call.input == json!({ "n": 2 }));
    assert!(matches!(&play.history[play.history.len() - 2].fact, Fact::Reopened { action, .. } if action == "edit"));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_step_that_failed_before_its_node_begins_again_or_with_the_given_input() {
    let text = "  - { id: a, do: test.call, with: { n: '{{ contact.age }}' } }\n";
    let failed = || {
        let mut play = Play::new(&steps(text));
        play.records.insert("contact".into(), json!({ "id": "c1" }));
        play.start(json!({ "type": "start", "data": { "contact_id": "c1" } }));
        assert_eq!(play.state.status, RunStatus::Failed, "{:#?}", play.history);
        play
    };
    let mut again = failed();
    again.records.insert("contact".into(), json!({ "id": "c1", "age": 7 }));
    again.retry();
    assert_eq!(*again.call().input, json!({ "n": 7 }));
    again.check();
    let mut given = failed();
    given.repair(Repair::Retry { input: Some(json!({ "n": 8 })), not_done: false }).expect("it takes an input");
    assert_eq!(*given.call().input, json!({ "n": 8 }));
    given.check();
}

#[test]
fn a_skipped_step_gives_what_it_was_given() {
    let mut play = run_of("  - { id: a, do: test.call }\n  - { id: b, do: test.call, with: { n: '{{ steps.a.n }}' } }\n");
    play.fails("declined");
    assert_eq!(play.skip(json!({ "n": 4 })), ["reopened", "step_skipped", "step_scheduled"]);
    assert_eq!(*play.call().input, json!({ "n": 4 }));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn waits_timers_and_calls_beside_the_failed_step_stand_again() {
    let mut play = run_of(
        "  - id: p
    parallel:
      a: [{ id: x, do: test.call }]
      b: [{ id: w, wait_for: { event: message.received, match: any }, timeout: 4h }]
      c: [{ id: nap, delay: 2h }]
      d: [{ id: other, do: test.call }, { id: after, do: test.call }]
      e: [{ id: lost, do: test.call }]
  - { id: end, do: test.call, with: { d: '{{ steps.p.d.n }}' } }
",
    );
    let keys: BTreeMap<String, String> = play.state.in_flight().into_iter().map(|call| (call.step.to_string(), call.idempotency_key())).collect();
    play.fail("x", "declined");
    // One call comes to an end while the run ends, the other never does.
    play.end("other", Outcome::done(json!({ "n": 1 })));
    play.after(30_000).due(SETTLE_TIMER);
    assert_eq!(play.state.status, RunStatus::Failed, "{:#?}", play.history);
    play.actions.clear();
    play.after(3_600_000).retry();
    let calls: BTreeMap<String, String> = play.state.in_flight().into_iter().map(|call| (call.step.to_string(), call.idempotency_key())).collect();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["after", "lost", "x"]);
    assert_ne!(calls["x"], keys["x"]);
    assert_eq!(calls["lost"], keys["lost"], "its outcome is unknown");
    assert_eq!(
        play.state.timers().iter().map(|(key, due)| (key.as_str(), due.as_millis() - START)).collect::<Vec<_>>(),
        [("nap", 7_200_000), ("w", 14_400_000)]
    );
    assert!(play.actions.iter().any(|action| matches!(action, Action::OpenWait { target, .. } if target == "w")));
    play.check();
    for step in ["x", "lost", "after"] {
        play.end(step, Outcome::done(json!({ "n": 5 })));
    }
    play.event("w", "message.received", json!({}));
    play.after(7_200_000).due("nap");
    assert_eq!(*play.call().input, json!({ "d": 5 }));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn what_went_on_beside_a_finally_keeps_what_it_has_done() {
    let mut play = run_of(
        "  - id: p
    parallel:
      a:
        - id: t
          try: [{ id: x, do: test.call }]
          finally: [{ id: nap, delay: 2h }]
      b: [{ id: one, do: test.call }, { id: two, do: test.call }, { id: three, do: test.call }]
",
    );
    play.fail("x", "declined");
    play.end("one", Outcome::done(json!({ "n": 1 })));
    play.end("two", Outcome::done(json!({ "n": 2 })));
    play.after(7_200_000).due("nap");
    play.end("three", Outcome::Failed { error: StepError::new(crate::ErrorCode::Declined, "no") });
    assert_eq!(play.state.status, RunStatus::Failed, "{:#?}", play.kinds());
    play.retry();
    let calls: Vec<String> = play.state.in_flight().into_iter().map(|call| call.step.to_string()).collect();
    assert_eq!(calls, ["three", "x"], "neither `one` nor `two` is done again");
    play.check();
    play.end("x", Outcome::done(json!({})));
    play.end("three", Outcome::done(json!({})));
    play.after(7_200_000).due("nap");
    completed(&play);
}

#[test]
fn a_failed_item_of_a_loop_is_retried_alone() {
    let mut play = run_of(
        "  - id: each
    for_each: [x, y, z]
    max_parallel: 2
    steps: [{ id: item_call, do: test.call, with: { item: '{{ item }}' } }]
",
    );
    play.end("item_call#1", Outcome::done(json!({ "n": 1 })));
    play.fail("item_call#2", "declined");
    play.after(30_000).due(SETTLE_TIMER);
    assert_eq!(play.state.status, RunStatus::Failed, "{:#?}", play.history);
    play.retry();
    assert_eq!(play.state.in_flight().into_iter().map(|call| call.step.to_string()).collect::<Vec<_>>(), ["item_call#2", "item_call#3"]);
    play.end("item_call#3", Outcome::done(json!({ "n": 3 })));
    play.end("item_call#2", Outcome::done(json!({ "n": 2 })));
    assert_eq!(play.output("each"), json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]));
    completed(&play);
}

#[test]
fn a_child_that_failed_is_started_anew_under_another_id() {
    let mut play = run_of("  - { id: sub, call: other, with: { n: 1 } }\n");
    let first = play.state.children()[0].run_id;
    let outcome = crate::history::ChildOutcome::Failed { error: StepError::new(crate::ErrorCode::Declined, "no") };
    play.happen(Happening::ChildEnded { step: path("sub"), run_id: first, outcome });
    play.retry();
    let second = play.state.children()[0].clone();
    assert!(second.run_id != first && second.input == json!({ "n": 1 }));
    play.happen(Happening::ChildEnded { step: path("sub"), run_id: first, outcome: crate::history::ChildOutcome::Cancelled {} });
    play.check();
    let outcome = crate::history::ChildOutcome::Completed { output: json!(5) };
    play.happen(Happening::ChildEnded { step: path("sub"), run_id: second.run_id, outcome });
    assert_eq!(play.output("sub"), json!(5));
    completed(&play);
}

#[test]
fn a_parent_is_told_once_and_each_failure_is_told_of() {
    let mut play = Play::new(&steps("  - { id: a, do: test.call }\n"));
    let parent = Some(crate::history::Parent { run_id: RunId(uuid::Uuid::from_u128(7)), step: path("sub") });
    let event = json!({ "type": "start", "data": {} });
    let start =
        Start { version: 1, key: "k".into(), trigger: None, input: json!({}), event, event_id: None, seed: 5, depth: 0, parent, reads: BTreeMap::new() };
    play.happen(Happening::Started(start));
    play.fails("declined");
    play.retry();
    play.fails("declined");
    play.skip(json!(null));
    assert_eq!(play.actions.iter().filter(|action| matches!(action, Action::TellParent { .. })).count(), 1);
    let told: std::collections::BTreeSet<_> =
        play.actions.iter().filter_map(|action| if let Action::Emit(event) = action { event.id.clone() } else { None }).collect();
    assert_eq!(told.len(), 2, "two failures are two events");
    completed(&play);
}

#[test]
fn the_time_in_which_it_lay_failed_does_not_count_against_its_time_out() {
    let mut play = Play::started("name: test\non:\n  - event: start\ntimeout: 10h\nsteps:\n  - { id: a, do: test.call }\n", json!({}));
    play.after(3_600_000).fails("declined");
    play.after(100 * 3_600_000).retry();
    assert_eq!(play.state.timers(), [(RUN_TIMER.to_owned(), Timestamp::from_millis(START + 110 * 3_600_000))]);
    play.after(9 * 3_600_000).due(RUN_TIMER);
    play.after(30_000).due(SETTLE_TIMER);
    assert_eq!(play.state.status, RunStatus::Failed);
    play.check();
    assert!(play.refusal(Repair::Retry { input: None, not_done: true }).contains("fork"));
}

#[test]
fn what_cannot_be_repaired_says_what_can_be_done() {
    let retry = || Repair::Retry { input: None, not_done: false };
    let mut undone = run_of("  - { id: book, do: test.call, compensate: { do: test.call, with: {} } }\n  - { id: a, do: test.call }\n");
    undone.done(json!({}));
    undone.fails("declined");
    assert!(undone.refusal(retry()).contains("has not failed"), "it is being undone");
    undone.done(json!({}));
    assert!(undone.refusal(retry()).contains("undone"));
    let mut cancelled = run_of("  - { id: a, do: test.call }\n");
    cancelled.cancel(true);
    assert!(cancelled.refusal(retry()).contains("cancelled"));
    let mut well = run_of("  - { id: a, set: { n: 1 } }\n");
    assert!(well.refusal(retry()).contains("well"));
    let mut set = run_of("  - { id: a, wait_for: { event: message.received, match: { id: '{{ input.nothing | default(none) }}' } } }\n");
    assert!(set.refusal(Repair::Retry { input: Some(json!({})), not_done: false }).contains("takes no input"));
    let mut call = run_of("  - { id: a, do: test.call }\n");
    call.fails("declined");
    assert!(call.refusal(Repair::Retry { input: Some(json!([1])), not_done: false }).contains("object"));
    call.check();
}

#[test]
fn a_stop_that_failed_the_run_is_asked_again_or_skipped() {
    let mut play = run_of("  - { if: run.key != 'x', then: [{ id: halt, stop: { status: failed, reason: planned } }] }\n  - { id: b, do: test.call }\n");
    assert_eq!(play.retry(), ["reopened", "step_completed", "run_failed"]);
    play.skip(json!(null));
    assert_eq!(&*play.call().step, "b");
    play.done(json!({}));
    completed(&play);
}

#[test]
fn no_run_is_taken_up_again_without_end() {
    let mut play = run_of("  - { if: run.key != 'x', then: [{ id: halt, stop: { status: failed, reason: planned } }] }\n");
    for _ in 0..crate::limits::RUN_REOPENS {
        play.retry();
    }
    assert!(play.refusal(Repair::Retry { input: None, not_done: false }).contains("100 times"));
    play.check();
}

const LONG: &str = "  - { id: a, do: test.call }
  - { id: b, do: test.call, with: { n: '{{ steps.a.n }}' } }
  - { id: w, wait_for: { event: message.received, match: any }, timeout: 4h }
  - { id: c, do: test.call, with: { run: '{{ run.id }}' } }
";

#[test]
fn a_copy_does_nothing_again_that_was_done_and_has_keys_of_its_own() {
    let mut play = run_of(LONG);
    play.done(json!({ "n": 1 }));
    let key = play.call().idempotency_key();
    let copy = play.fork(Point::Here, None).expect("a living run is copied where it stands");
    let call = copy.call();
    assert_eq!((&*call.step, &*call.input), ("b", &json!({ "n": 1 })));
    assert_ne!(call.idempotency_key(), key);
    let forked = Forked { source: play.state.run_id, run_id: copy.state.run_id };
    assert!(copy.history.iter().any(|entry| matches!(&entry.fact, Fact::Reopened { fork: Some(fork), by, .. } if *fork == forked && by == "admin")));
    copy.check();
    play.check();
}

#[test]
fn the_waits_of_a_copy_are_open_and_its_steps_see_its_own_id() {
    let mut play = run_of(LONG);
    play.done(json!({ "n": 1 }));
    play.done(json!({}));
    let mut copy = play.fork(Point::Here, None).expect("it waits");
    assert!(copy.actions.iter().any(|action| matches!(action, Action::OpenWait { target, .. } if target == "w")));
    assert_eq!(copy.state.timers(), play.state.timers());
    copy.event("w", "message.received", json!({}));
    assert_eq!(*copy.call().input, json!({ "run": copy.state.run_id }));
    copy.check();
    copy.done(json!({}));
    completed(&copy);
}

#[test]
fn a_copy_goes_on_from_a_step_with_another_input() {
    let mut play = run_of(LONG);
    play.done(json!({ "n": 1 }));
    play.done(json!({}));
    play.event("w", "message.received", json!({}));
    play.done(json!({}));
    completed(&play);
    let mut copy = play.fork(Point::Before("b".into()), Some(json!({ "n": 9 }))).expect("b was run");
    assert_eq!(*copy.call().input, json!({ "n": 9 }));
    copy.check();
    copy.done(json!({}));
    // A copy of a copy.
    let again = copy.fork(Point::Here, None);
    assert!(again.is_ok_and(|again| {
        again.check();
        true
    }));
    assert!(play.fork(Point::Here, None).is_err_and(|refusal| refusal.to_string().contains("ended")));
    assert!(play.fork(Point::Before("nosuch".into()), None).is_err_and(|refusal| refusal.to_string().contains("nosuch")));
    assert!(play.fork(Point::After(99), None).is_err_and(|refusal| refusal.to_string().contains("99")));
    assert!(play.fork(Point::After(1), Some(json!({}))).is_err_and(|refusal| refusal.to_string().contains("which step")));
}

#[test]
fn a_failed_run_is_copied_before_its_failure() {
    let mut play = run_of("  - { id: book, do: test.call, compensate: { do: test.call, with: {} } }\n  - { id: a, do: test.call }\n");
    play.done(json!({}));
    play.fails("declined");
    play.done(json!({}));
    let copy = play.fork(Point::Here, None).expect("even what was undone");
    assert_eq!(&*copy.call().step, "a");
    copy.check();
}

#[test]
fn another_version_takes_a_copy_over_where_it_decides_the_same() {
    let mut play = run_of(LONG);
    play.done(json!({ "n": 1 }));
    play.done(json!({}));
    let onto = |text: &str, point: Point| {
        let version = workflow(&steps(text));
        let asked = Fork { by: "admin".into(), run_id: RunId(uuid::Uuid::from_u128(43)), point, input: None, version: 2 };
        fork(&version, organisation(), play.state.run_id, &play.history, &asked)
    };
    let later = LONG.replace("run: '{{ run.id }}'", "n: 5");
    let copied = onto(&later, Point::Here).expect("only what comes later is another");
    assert!(matches!(copied.entries[0].fact, Fact::RunStarted { version: 2, .. }));
    let earlier = LONG.replace("steps.a.n", "steps.a.m");
    assert!(onto(&earlier, Point::Here).is_err_and(|refusal| refusal.to_string().contains("step b")));
    assert!(onto(&earlier, Point::Before("b".into())).is_ok());
}
