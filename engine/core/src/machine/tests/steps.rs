//! Steps: chains, branches, guards, variables, retries.

use super::*;

#[test]
fn a_chain_runs_step_by_step_and_ends() {
    let mut play = Play::started(
        &steps("  - { id: a, do: test.call, with: { n: \"{{ event.data.n }}\" } }\n  - { id: b, do: test.call, with: { n: \"{{ steps.a.n }}\" } }\n"),
        json!({ "n": 7 }),
    );
    assert_eq!(play.kinds(), ["run_started", "step_scheduled"]);
    let first = play.call();
    assert_eq!((&*first.step, first.attempt, &*first.input), ("a", 1, &json!({ "n": 7 })));
    assert_eq!(play.done(json!({ "n": 8 })), ["step_completed", "step_scheduled"]);
    let second = play.call();
    assert_eq!(*second.input, json!({ "n": 8 }));
    assert_ne!(first.idempotency_key(), second.idempotency_key());
    assert_eq!(play.done(json!({})), ["step_completed", "run_completed"]);
    assert!(matches!(play.actions.last(), Some(Action::Ended)));
    completed(&play);
}

#[test]
fn a_late_or_repeated_outcome_is_harmless() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call }\n  - { id: b, do: test.call }\n"), json!({}));
    let first = play.call();
    play.done(json!({ "n": 1 }));
    let again = Happening::StepEnded { step: first.step.clone(), attempt: 1, outcome: Outcome::done(json!({ "n": 2 })) };
    assert!(play.happen(again.clone()).is_empty());
    let other_attempt = Happening::StepEnded { step: path("b"), attempt: 2, outcome: Outcome::done(json!({})) };
    assert!(play.happen(other_attempt).is_empty());
    play.done(json!({}));
    assert!(play.happen(again).is_empty());
    assert!(play.happen(Happening::Continue).is_empty());
    assert_eq!(play.output("a"), json!({ "n": 1 }));
    completed(&play);
}

#[test]
fn guards_branches_and_variables() {
    let source = steps(concat!(
        "  - { id: never, if: event.data.vip, do: test.call }\n",
        "  - { id: note, set: { level: \"{{ event.data.score * 2 }}\" } }\n",
        "  - id: way\n    if: vars.level > 10\n    then:\n      - { id: high, set: { way: high } }\n    else:\n      - { id: low, set: { way: low } }\n",
        "  - id: pick\n    choose:\n      - if: vars.way == \"nowhere\"\n        steps: [{ id: x, stop: {} }]\n      - if: { \"==\": [{ var: vars.way }, high] }\n        steps: [{ id: y, set: { picked: 2 } }]\n      - else: [{ id: z, stop: {} }]\n",
        "  - { id: end, stop: { output: { level: \"{{ vars.level }}\", low: \"{{ steps.low }}\" } } }\n",
    ));
    let play = Play::started(&source, json!({ "vip": false, "score": 6 }));
    assert_eq!(
        play.kinds(),
        ["run_started", "step_skipped", "vars_set", "branch_taken", "vars_set", "branch_taken", "vars_set", "step_completed", "run_completed"]
    );
    assert_eq!(play.output("way"), json!({ "taken": "then" }));
    assert_eq!(play.output("pick"), json!({ "taken": 2 }));
    assert_eq!(play.state.output, json!({ "level": 12, "low": null }), "a step that was not reached is null, numbers keep their type");
    completed(&play);
}

#[test]
fn a_missing_value_fails_the_step_and_names_the_path() {
    let play = Play::started(&steps("  - { id: a, do: test.call, with: { n: \"{{ event.data.nosuch }}\" } }\n"), json!({}));
    assert_eq!(play.kinds(), ["run_started", "step_failed", "run_failed"]);
    let error = play.state.error.clone().unwrap();
    assert_eq!(error.code, crate::ErrorCode::InvalidInput);
    assert!(error.message.contains("nosuch"), "{error}");
    assert_eq!(error.step.as_deref(), Some("a"));
    play.check();
}

#[test]
fn transient_failures_are_retried_with_growing_pauses_and_one_key() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call, retry: { max_attempts: 3, initial: 1s, factor: 2, max: 10m } }\n"), json!({}));
    let key = play.call().idempotency_key();
    assert_eq!(play.fails("unavailable"), ["retry_scheduled"]);
    assert_eq!(play.state.status, RunStatus::Waiting);
    assert!(play.after(999).due("a").is_empty(), "never early");
    assert_eq!(play.after(1).due("a"), ["step_scheduled"]);
    assert_eq!((play.call().attempt, play.call().idempotency_key()), (2, key));
    assert_eq!(play.fails("timeout"), ["retry_scheduled"]);
    assert!(play.after(1_999).due("a").is_empty());
    assert_eq!(play.after(1).due("a"), ["step_scheduled"]);
    assert_eq!(play.fails("unavailable"), ["step_failed", "run_failed"]);
    play.check();
}

#[test]
fn retry_after_is_a_floor_and_costs_no_attempt() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call, retry: { max_attempts: 2, initial: 1s } }\n"), json!({}));
    for _ in 0..4 {
        let error = StepError::new(crate::ErrorCode::RateLimited, "slow down");
        assert_eq!(play.ends(Outcome::Retry { after_ms: Some(5_000), error }), ["retry_scheduled"]);
        assert!(play.after(4_999).due("a").is_empty());
        assert_eq!(play.after(1).due("a"), ["step_scheduled"]);
    }
    assert_eq!(play.fails("unavailable"), ["retry_scheduled"]);
    play.after(1_000).due("a");
    assert_eq!(play.done(json!({})), ["step_completed", "run_completed"]);
    completed(&play);
}

#[test]
fn what_cannot_be_helped_by_repeating_is_not_repeated() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    assert_eq!(play.fails("invalid_input"), ["step_failed", "run_failed"]);
    let failed: Vec<_> = play.actions.iter().filter_map(|action| if let Action::Emit(event) = action { Some(event.kind.as_str()) } else { None }).collect();
    assert_eq!(failed, ["run.failed"]);
    play.check();
}

#[test]
fn a_run_started_by_run_failed_emits_none_of_its_own() {
    let mut play = Play::new(&steps("  - { id: a, do: test.call }\n").replace("event: start", "event: run.failed"));
    play.start(json!({ "type": "run.failed", "data": {} }));
    play.fails("invalid_input");
    assert!(!play.actions.iter().any(|action| matches!(action, Action::Emit(_))));
    play.check();
}

#[test]
fn on_error_continue_shows_the_error_and_goes_on() {
    let mut play =
        Play::started(&steps("  - { id: a, do: test.call, on_error: continue }\n  - { id: b, stop: { output: \"{{ steps.a.error.code }}\" } }\n"), json!({}));
    assert_eq!(play.fails("not_found"), ["step_failed", "step_completed", "run_completed"]);
    assert_eq!(play.state.output, json!("not_found"));
    completed(&play);
}

#[test]
fn an_unknown_outcome_is_final_for_at_most_once_and_repeated_for_external() {
    let unknown = || Outcome::Unknown { error: StepError::new(crate::ErrorCode::Unavailable, "no answer") };
    let mut send =
        Play::started(&steps("  - { id: a, do: test.send, on_error: continue }\n  - { id: b, stop: { output: \"{{ steps.a.error.code }}\" } }\n"), json!({}));
    assert_eq!(send.ends(unknown()), ["step_failed", "step_completed", "run_completed"]);
    assert_eq!(send.state.output, json!("outcome_unknown"));
    completed(&send);
    let mut call = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    assert_eq!(call.ends(unknown()), ["retry_scheduled"]);
    call.check();
}

#[test]
fn a_hold_spends_no_attempt() {
    let mut play = Play::started(&steps("  - { id: a, do: test.send, retry: { max_attempts: 1 } }\n"), json!({}));
    for _ in 0..3 {
        let until = Some(Timestamp::from_millis(play.now + 60_000));
        assert_eq!(play.ends(Outcome::Hold { until, reason: "window".into() }), ["held"]);
        assert_eq!(play.state.waiting_on()["kind"], "hold");
        assert!(play.after(59_999).due("a").is_empty());
        assert_eq!(play.after(1).due("a"), ["step_scheduled"]);
    }
    assert_eq!(play.done(json!({})), ["step_completed", "run_completed"]);
    completed(&play);
}

#[test]
fn the_first_contact_of_a_step_becomes_the_runs_contact() {
    let mut play =
        Play::started(&steps("  - { id: a, do: test.contact }\n  - { id: b, do: test.call, with: { name: \"{{ contact.first_name }}\" } }\n"), json!({}));
    play.records.insert("contact".into(), json!({ "id": "c1", "first_name": "Asha", "secret": 1 }));
    assert_eq!(play.done(json!({ "id": "c1" })), ["step_completed", "bound", "value_read", "step_scheduled"]);
    assert_eq!(play.state.bindings.get("contact").map(String::as_str), Some("c1"));
    assert_eq!(*play.call().input, json!({ "name": "Asha" }));
    let crate::history::Fact::ValueRead { values } = &play.history[play.history.len() - 2].fact else { panic!("{:?}", play.kinds()) };
    assert_eq!(values.keys().collect::<Vec<_>>(), ["contact.first_name"], "only what was used is recorded");
    play.check();
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_variant_is_sticky_and_one_that_is_gone_gives_way() {
    let source = steps("  - { id: ab, split: { variants: { short: 50, long: 50 } } }\n  - { id: end, stop: { output: \"{{ steps.ab.variant }}\" } }\n");
    let mut stored = Play::new(&source);
    stored.stored_variant = Some("long".into());
    stored.start(json!({ "type": "start", "data": {} }));
    assert_eq!(stored.state.output, json!("long"));
    completed(&stored);
    let mut gone = Play::new(&source);
    gone.stored_variant = Some("removed".into());
    gone.start(json!({ "type": "start", "data": {} }));
    assert!(gone.state.output == json!("long") || gone.state.output == json!("short"));
    completed(&gone);
}

#[test]
fn an_emitted_event_has_an_id_made_of_the_run_and_the_step() {
    let play = Play::started(&steps("  - { id: e, emit: trial.qualified, with: { n: 1 } }\n  - { id: f, emit: trial.qualified, with: { n: 2 } }\n"), json!({}));
    let events: Vec<_> = play.actions.iter().filter_map(|action| if let Action::Emit(event) = action { Some(event.clone()) } else { None }).collect();
    assert_eq!(events.len(), 2);
    assert_ne!(events[0].id, events[1].id);
    assert_eq!((events[0].depth, events[0].cause), (1, Some(play.state.run_id)));
    assert_eq!(play.output("e"), json!({ "event_id": events[0].id }));
    completed(&play);
}

#[test]
fn an_output_that_is_too_large_is_cut_and_never_an_error() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    let kinds = play.done(json!({ "text": "x".repeat(crate::limits::STEP_OUTPUT_BYTES + 1) }));
    assert_eq!(kinds, ["step_completed", "run_completed"]);
    assert_eq!(play.output("a")["truncated"], true);
    completed(&play);
}

#[test]
fn a_pause_holds_and_a_resume_goes_on_where_it_stood() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call }\n  - { id: b, do: test.call }\n"), json!({}));
    assert_eq!(play.happen(Happening::Pause { by: "admin".into(), reason: None }), ["paused"]);
    assert_eq!(play.state.status, RunStatus::Paused);
    assert_eq!(play.done(json!({})), ["step_completed"], "what was in flight is recorded, nothing new begins");
    assert_eq!(play.happen(Happening::Resume { by: "admin".into() }), ["resumed", "step_scheduled"]);
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_held_step_asks_again_when_it_is_woken_and_no_other_step_does() {
    let mut play = Play::started(&steps("  - { id: a, do: test.send }\n"), json!({}));
    let until = Timestamp::from_millis(play.now + 60_000);
    let key = play.call().idempotency_key();
    assert_eq!(play.ends(Outcome::Hold { until: Some(until), reason: "closed".into() }), ["held"]);
    assert!(play.happen(Happening::Woken { step: path("b") }).is_empty());
    assert_eq!(play.after(1).happen(Happening::Woken { step: path("a") }), ["step_scheduled"]);
    assert_eq!((play.call().attempt, play.call().idempotency_key()), (2, key));
    assert!(play.happen(Happening::Woken { step: path("a") }).is_empty(), "it asks already");
    play.check();
    assert_eq!(play.done(json!({})), ["step_completed", "run_completed"]);
    completed(&play);
}
