//! Steps with steps inside: side by side, in loops, under `try`; and what undoes them.

use super::*;
use crate::history::{ChildOutcome, Fact, Parent};

/// Ends the call of that step well.
fn done_at(play: &mut Play, step: &str, output: Value) -> Vec<&'static str> {
    end_at(play, step, Outcome::done(output))
}

fn end_at(play: &mut Play, step: &str, outcome: Outcome) -> Vec<&'static str> {
    let call = play.state.in_flight().into_iter().find(|call| &*call.step == step).unwrap_or_else(|| panic!("no call of {step} in flight"));
    play.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome })
}

fn fail_at(play: &mut Play, step: &str, code: &str) -> Vec<&'static str> {
    end_at(play, step, Outcome::Failed { error: StepError::new(crate::ErrorCode::parse(code), "it failed") })
}

fn in_flight(play: &Play) -> Vec<String> {
    play.state.in_flight().iter().map(|call| call.step.to_string()).collect()
}

const THREE: &str = "  - id: p
    parallel:
      a: [{ id: a1, do: test.call }, { id: a2, set: { x: \"{{ steps.a1.n }}\" } }]
      b: [{ id: b1, do: test.call }]
      c: [{ id: c1, wait_for: { event: message.received, match: any }, timeout: 1h }]
";

#[test]
fn parallel_joins_all_and_merges_what_the_branches_set() {
    let source = steps(&format!(
        "{THREE}  - {{ id: end, stop: {{ output: [\"{{{{ vars.x }}}}\", \"{{{{ steps.a1.n }}}}\", \"{{{{ steps.p.b.n }}}}\", \"{{{{ steps.p.c.timed_out }}}}\"] }} }}\n"
    ));
    let mut play = Play::started(&source, json!({}));
    assert_eq!(in_flight(&play), ["a1", "b1"]);
    assert_eq!(done_at(&mut play, "b1", json!({ "n": 2 })), ["step_completed"]);
    assert_eq!(done_at(&mut play, "a1", json!({ "n": 1 })), ["step_completed", "vars_set"]);
    play.check();
    play.after(3_600_000).due("c1");
    assert_eq!(play.state.output, json!([1, 1, 2, true]));
    completed(&play);
}

#[test]
fn a_branch_sees_what_was_there_and_its_own() {
    let source = steps(concat!(
        "  - { set: { x: 0 } }\n",
        "  - id: p\n    parallel:\n",
        "      a: [{ set: { x: 1 } }, { id: a1, do: test.call, with: { x: \"{{ vars.x }}\" } }]\n",
        "      b: [{ id: b1, do: test.call, with: { x: \"{{ vars.x }}\" } }]\n",
        "  - { id: end, do: test.call, with: { x: \"{{ vars.x }}\" } }\n",
    ));
    let mut play = Play::started(&source, json!({}));
    let inputs: Vec<Value> = play.state.in_flight().iter().map(|call| Value::clone(&call.input)).collect();
    assert_eq!(inputs, [json!({ "x": 1 }), json!({ "x": 0 })]);
    done_at(&mut play, "b1", json!({}));
    done_at(&mut play, "a1", json!({}));
    assert_eq!(*play.call().input, json!({ "x": 1 }));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn the_first_branch_wins_and_the_others_are_cancelled() {
    let source = steps(&format!(
        "{}  - {{ id: end, do: test.call, with: {{ won: \"{{{{ steps.p }}}}\" }} }}\n",
        THREE.replace("    parallel:", "    join: any\n    parallel:")
    ));
    let mut play = Play::started(&source, json!({}));
    assert_eq!(done_at(&mut play, "b1", json!({ "n": 2 })), ["step_completed", "step_cancelled", "step_cancelled", "step_completed", "step_scheduled"]);
    play.check();
    assert!(play.actions.iter().any(|action| matches!(action, Action::CloseWait { target } if target == "c1")));
    assert!(!play.actions.iter().any(|action| matches!(action, Action::Abandon { .. })), "a call that reached the outside is still listened for");
    // Its outcome decides nothing.
    assert_eq!(done_at(&mut play, "a1", json!({ "n": 1 })), ["step_completed"]);
    assert_eq!(*play.call().input, json!({ "won": { "a": null, "b": { "n": 2 }, "c": null } }));
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_parallel_fails_when_too_few_branches_can_end_well() {
    for (join, ends_after) in [("all", 1), ("2", 2), ("any", 3)] {
        let source = steps(&format!(
            "  - id: p\n    join: {join}\n    parallel:\n      a: [{{ id: a, do: test.call }}]\n      b: [{{ id: b, do: test.call }}]\n      c: [{{ id: c, do: test.call }}]\n"
        ));
        let mut play = Play::started(&source, json!({}));
        for (count, step) in ["a", "b", "c"].into_iter().enumerate() {
            assert!(!play.state.status.is_final(), "{join}");
            fail_at(&mut play, step, "declined");
            play.check();
            if count + 1 == ends_after {
                break;
            }
        }
        // What is in flight gets time to settle; nothing more can come of it here.
        if !play.state.status.is_final() {
            play.after(30_000).due(SETTLE_TIMER);
        }
        assert_eq!(play.state.status, RunStatus::Failed, "{join}: {:#?}", play.history);
        assert_eq!(play.state.error.as_ref().unwrap().step.as_deref(), Some(["a", "b", "c"][ends_after - 1]));
        play.check();
    }
}

const EACH: &str = "  - id: each
    for_each: \"{{ event.data.list }}\"
    max_parallel: 2
    steps:
      - { id: call, do: test.call, with: { item: \"{{ item }}\", place: \"{{ loop.index }}/{{ loop.length }}\" } }
      - { id: last, set: { seen: \"{{ steps.call.n }}\" } }
";

#[test]
fn for_each_keeps_order_and_its_bounds() {
    let mut play =
        Play::started(&steps(&format!("{EACH}  - {{ id: end, stop: {{ output: \"{{{{ steps.each }}}}\" }} }}\n")), json!({ "list": ["x", "y", "z"] }));
    assert_eq!(in_flight(&play), ["call#1", "call#2"]);
    assert_eq!(*play.state.in_flight()[1].input, json!({ "item": "y", "place": "2/3" }));
    done_at(&mut play, "call#2", json!({ "n": 2 }));
    play.check();
    assert_eq!(in_flight(&play), ["call#1", "call#3"]);
    done_at(&mut play, "call#3", json!({ "n": 3 }));
    done_at(&mut play, "call#1", json!({ "n": 1 }));
    assert_eq!(play.state.output, json!([{ "seen": 1 }, { "seen": 2 }, { "seen": 3 }]));
    assert!(play.state.vars().unwrap().contains_key("seen"));
    completed(&play);
    let keys: std::collections::BTreeSet<&str> =
        play.history.iter().filter(|entry| matches!(entry.fact, Fact::StepScheduled { .. })).filter_map(|entry| entry.step.as_deref()).collect();
    assert_eq!(keys.len(), 3, "every pass has a path, and so an idempotency key, of its own");
}

#[test]
fn an_item_that_fails_fails_the_loop_or_leaves_its_error() {
    let mut play = Play::started(&steps(EACH), json!({ "list": ["x", "y", "z"] }));
    fail_at(&mut play, "call#1", "declined");
    done_at(&mut play, "call#2", json!({}));
    assert_eq!(play.state.status, RunStatus::Failed);
    play.check();

    let source = steps(&EACH.replace("    max_parallel: 2\n", "    on_item_error: continue\n"));
    let mut play = Play::started(&source, json!({ "list": ["x", "y"] }));
    fail_at(&mut play, "call#1", "declined");
    play.check();
    done_at(&mut play, "call#2", json!({ "n": 2 }));
    assert_eq!(play.output("each"), json!([{ "error": { "code": "declined", "message": "it failed" } }, { "seen": 2 }]));
    completed(&play);
}

#[test]
fn a_loop_over_nothing_and_over_what_is_no_list() {
    let play = Play::started(&steps(EACH), json!({ "list": [] }));
    assert_eq!(play.output("each"), json!([]));
    completed(&play);
    let play = Play::started(&steps(EACH), json!({ "list": "text" }));
    assert_eq!(play.state.error.as_ref().unwrap().code.as_str(), "invalid_input");
}

#[test]
fn loops_within_loops_have_paths_of_their_own() {
    let source = steps(concat!(
        "  - id: outer\n    for_each: [a, b]\n    as: letter\n    steps:\n",
        "      - id: inner\n        for_each: [1, 2]\n        as: number\n        steps:\n",
        "          - { id: call, do: test.call, with: { what: \"{{ letter }}{{ number }}\" } }\n",
    ));
    let mut play = Play::started(&source, json!({}));
    for (path, what) in [("call#1.1", "a1"), ("call#1.2", "a2"), ("call#2.1", "b1"), ("call#2.2", "b2")] {
        assert_eq!(in_flight(&play), [path]);
        assert_eq!(*play.call().input, json!({ "what": what }));
        play.done(json!(what));
        play.check();
    }
    assert_eq!(play.output("outer"), json!([["a1", "a2"], ["b1", "b2"]]));
    completed(&play);
}

#[test]
fn a_long_loop_gives_numbers_and_a_reference() {
    let source = steps("  - id: each\n    for_each: \"{{ event.data.list }}\"\n    steps:\n      - { id: note, set: { x: \"{{ item }}\" } }\n");
    let list: Vec<u32> = (0..1_500).collect();
    let play = Play::started(&source, json!({ "list": list }));
    let output = play.output("each");
    assert_eq!((&output["count"], &output["failed"]), (&json!(1_500), &json!(0)));
    assert!(output["results_ref"].as_str().unwrap().contains("step=each"));
    assert_eq!(play.history.len(), 1_500 + 4);
    assert_eq!(play.state.status, RunStatus::Completed);
    let results = |step| crate::machine::loop_results(&play.workflow, play.state.run_id, &play.history, step).unwrap();
    let all = results("each").unwrap();
    assert_eq!((all.len(), &all[1_499]), (1_500, &json!({ "x": 1_499 })));
    assert_eq!((results("note"), results("nosuch")), (None, None));
}

#[test]
fn repeat_tests_before_and_after_and_knows_its_bounds() {
    let until = steps(
        "  - id: poll\n    repeat:\n      until: steps.ask_it.ready\n      steps:\n        - { id: ask_it, do: test.call, with: { pass: \"{{ loop.index }}\" } }\n",
    );
    let mut play = Play::started(&until, json!({}));
    play.done(json!({ "ready": false }));
    assert_eq!(*play.call().input, json!({ "pass": 2 }));
    play.check();
    play.done(json!({ "ready": true }));
    assert_eq!(play.output("poll"), json!({ "iterations": 2 }));
    completed(&play);

    let counted = |bound: &str| {
        steps(&format!(
            "  - {{ id: n, set: {{ n: 0 }} }}\n  - id: loop_it\n    repeat:\n      {bound}\n      steps: [{{ id: add, set: {{ n: \"{{{{ vars.n + 1 }}}}\" }} }}]\n"
        ))
    };
    for (bound, passes) in [("times: 3", 3), ("times: 0", 0), ("while: vars.n < 4", 4), ("times: \"{{ event.data.n }}\"", 5), ("while: vars.n > 4", 0)] {
        let play = Play::started(&counted(bound), json!({ "n": 5 }));
        assert_eq!(play.output("loop_it"), json!({ "iterations": passes }), "{bound}");
        completed(&play);
    }
    let play = Play::started(&counted("while: vars.n >= 0\n      max: 7"), json!({}));
    assert_eq!(play.state.status, RunStatus::Failed);
    assert!(play.state.error.as_ref().unwrap().message.contains("raise `max`"));
    play.check();
}

#[test]
fn a_wait_in_a_loop_begins_after_what_it_consumed() {
    let source =
        steps("  - id: chat\n    repeat:\n      times: 2\n      steps:\n        - { id: w, wait_for: { event: message.received, match: any, since: run } }\n");
    let source = source.replace(", since: run", "");
    let mut play = Play::started(&source, json!({}));
    let event = play.new_event("message.received", json!({ "n": 1 }));
    let happening = |target: &str, event: &Arc<Event>| Happening::Event { target: target.into(), which: "event".into(), event: Arc::clone(event) };
    play.happen(happening("w#1", &event));
    assert!(play.happen(happening("w#2", &event)).is_empty(), "an event is consumed once by a wait");
    play.after(5);
    let event = play.new_event("message.received", json!({ "n": 2 }));
    play.happen(happening("w#2", &event));
    completed(&play);
}

const TRY: &str = "  - id: t
    try: [{ id: risky, do: test.call }]
    catch:
      - { on: [declined, \"bank:closed\"], steps: [{ id: told, set: { why: \"{{ error.code }} at {{ error.step }}\" } }] }
      - { on: [not_found], steps: [{ id: again, do: test.call }] }
    finally: [{ id: fin, do: test.call }]
  - { id: after, set: { after: true } }
";

#[test]
fn try_catches_by_code_and_always_runs_finally() {
    let mut play = Play::started(&steps(TRY), json!({}));
    assert_eq!(fail_at(&mut play, "risky", "declined"), ["step_failed", "branch_taken", "vars_set", "branch_taken", "step_scheduled"]);
    assert_eq!(play.state.vars().unwrap()["why"], json!("declined at risky"));
    play.check();
    done_at(&mut play, "fin", json!({}));
    assert_eq!(play.output("t"), json!({ "error": { "code": "declined", "message": "it failed" } }));
    completed(&play);

    // Well.
    let mut play = Play::started(&steps(TRY), json!({}));
    done_at(&mut play, "risky", json!({}));
    done_at(&mut play, "fin", json!({}));
    assert_eq!(play.output("t"), json!({ "error": null }));
    completed(&play);

    // Not caught; finally runs, then the run fails.
    let mut play = Play::started(&steps(TRY), json!({}));
    fail_at(&mut play, "risky", "forbidden");
    assert_eq!(in_flight(&play), ["fin"]);
    assert!(!play.state.status.is_final());
    done_at(&mut play, "fin", json!({}));
    assert_eq!((play.state.status, play.state.error.as_ref().unwrap().code.as_str()), (RunStatus::Failed, "forbidden"));
    play.check();

    // A clause that fails itself, and a finally that fails.
    let mut play = Play::started(&steps(TRY), json!({}));
    fail_at(&mut play, "risky", "not_found");
    fail_at(&mut play, "again", "declined");
    fail_at(&mut play, "fin", "conflict");
    assert_eq!(play.state.error.as_ref().unwrap().code.as_str(), "conflict");
    play.check();
}

#[test]
fn catch_takes_no_cancel_and_finally_runs_all_the_same() {
    let mut play = Play::started(&steps(TRY), json!({}));
    play.cancel(false);
    play.check();
    assert_eq!(in_flight(&play), ["risky"], "what is in flight settles first");
    done_at(&mut play, "risky", json!({}));
    assert_eq!(in_flight(&play), ["fin"]);
    assert!(play.cancel(false).is_empty(), "a second cancel changes nothing");
    fail_at(&mut play, "fin", "unavailable");
    assert!(!play.state.status.is_final(), "finally tries again as ever");
    let due = play.state.timers().into_iter().find(|(key, _)| key == "fin").unwrap().1;
    play.now = due.as_millis();
    play.due("fin");
    play.check();
    done_at(&mut play, "fin", json!({}));
    assert_eq!(play.state.status, RunStatus::Cancelled);
    play.check();

    let mut play = Play::started(&steps(TRY), json!({}));
    play.cancel(true);
    assert_eq!(play.state.status, RunStatus::Cancelled, "force skips finally");
    play.check();
}

#[test]
fn a_loser_runs_its_finally_before_the_join() {
    let source = steps(concat!(
        "  - id: p\n    join: any\n    parallel:\n",
        "      a: [{ id: a, do: test.call }]\n",
        "      b:\n        - id: t\n          try: [{ id: nap, delay: 5h }]\n          finally: [{ id: fin, do: test.call }]\n",
    ));
    let mut play = Play::started(&source, json!({}));
    assert_eq!(done_at(&mut play, "a", json!({ "n": 1 })), ["step_completed", "step_cancelled", "branch_taken", "step_scheduled"]);
    play.check();
    done_at(&mut play, "fin", json!({}));
    assert_eq!(play.output("p"), json!({ "a": { "n": 1 }, "b": null }));
    completed(&play);
}

const SAGA: &str = "  - { id: seat, do: test.call, compensate: { do: test.call, with: { release: \"{{ steps.seat.id }}\" } } }
  - { id: pay, do: test.send, compensate: { do: test.call, with: { refund: \"{{ steps.pay.id }}\" } } }
  - { id: ship, do: test.call }
";

#[test]
fn what_was_done_is_undone_last_first() {
    let mut play = Play::started(&steps(SAGA), json!({}));
    play.done(json!({ "id": "s1" }));
    play.done(json!({ "id": "p1" }));
    assert_eq!(play.fails("declined"), ["step_failed", "compensation_started", "step_scheduled"]);
    play.check();
    assert_eq!((&*play.call().step, &*play.call().input), ("$undo.pay", &json!({ "refund": "p1" })));
    let key = play.call().idempotency_key();
    play.fails("unavailable");
    play.now = play.state.timers().into_iter().find(|(key, _)| key == "$undo.pay").unwrap().1.as_millis();
    play.due("$undo.pay");
    assert_eq!(play.call().idempotency_key(), key);
    play.check();
    assert_eq!(play.fails("forbidden"), ["step_failed", "compensation_started", "step_scheduled"], "one that fails does not stop the others");
    assert_eq!(*play.call().input, json!({ "release": "s1" }));
    assert_eq!(play.done(json!({})), ["step_completed", "run_failed"]);
    assert_eq!(play.state.error.as_ref().unwrap().code.as_str(), "declined");
    play.check();
}

#[test]
fn a_cancel_undoes_and_an_exit_does_not_unless_told() {
    for (extra, undoes) in [("", false), (", compensate: true", true)] {
        let source = steps(SAGA).replace("steps:\n", &format!("exit_on:\n  - {{ event: contact.unsubscribed, match: any{extra} }}\nsteps:\n"));
        let mut play = Play::started(&source, json!({}));
        play.done(json!({ "id": "s1" }));
        play.event("$exit.0", "contact.unsubscribed", json!({}));
        // The send in flight settles: it counts as done.
        play.done(json!({ "id": "p1" }));
        if undoes {
            assert_eq!(*play.call().input, json!({ "refund": "p1" }));
            play.check();
            play.done(json!({}));
            play.done(json!({}));
        }
        assert_eq!((play.state.status, play.state.exit.as_deref()), (RunStatus::Completed, Some("contact.unsubscribed")));
        play.check();
    }
    let mut play = Play::started(&steps(SAGA), json!({}));
    play.done(json!({ "id": "s1" }));
    play.cancel(false);
    play.after(30_000).due(SETTLE_TIMER);
    assert_eq!(*play.call().input, json!({ "refund": null }), "an outcome that stays unknown counts as done");
    play.check();
    play.done(json!({}));
    assert_eq!(*play.call().input, json!({ "release": "s1" }));
    play.done(json!({}));
    assert_eq!(play.state.status, RunStatus::Cancelled);
    play.check();
}

#[test]
fn a_loser_whose_call_went_out_is_undone_when_the_run_fails() {
    let source = steps(concat!(
        "  - id: p\n    join: any\n    parallel:\n",
        "      a: [{ id: a, do: test.call }]\n",
        "      b: [{ id: b, do: test.call, compensate: { do: test.send, with: { id: \"{{ steps.b.id | default('?') }}\" } } }]\n",
        "  - { id: end, do: test.call }\n",
    ));
    for late in [Some("done"), Some("failed"), None] {
        let mut play = Play::started(&source, json!({}));
        done_at(&mut play, "a", json!({}));
        let expected = match late {
            Some("done") => {
                done_at(&mut play, "b", json!({ "id": 7 }));
                Some(json!({ "id": 7 }))
            }
            Some(_) => {
                fail_at(&mut play, "b", "declined");
                None
            }
            None => Some(json!({ "id": "?" })),
        };
        play.check();
        fail_at(&mut play, "end", "declined");
        if late.is_none() {
            play.after(30_000).due(SETTLE_TIMER);
        }
        play.check();
        if let Some(expected) = expected {
            assert_eq!(*play.call().input, expected, "{late:?}");
            play.done(json!({}));
        }
        assert_eq!(play.state.status, RunStatus::Failed, "{late:?}");
        play.check();
    }
}

#[test]
fn a_call_waits_for_its_child_and_a_start_does_not() {
    let source = steps(
        "  - { id: sub, call: other-flow, with: { n: 1 } }\n  - { id: fire, start: other-flow }\n  - { id: end, stop: { output: \"{{ steps.sub.total }}\" } }\n",
    );
    let mut play = Play::started(&source, json!({}));
    let started = |play: &Play| {
        play.actions
            .iter()
            .rev()
            .find_map(|action| {
                if let Action::StartChild { run_id, workflow, input, step } = action {
                    Some((*run_id, workflow.clone(), input.clone(), step.clone()))
                } else {
                    None
                }
            })
            .unwrap()
    };
    let (child, workflow, input, step) = started(&play);
    assert_eq!((workflow.as_str(), input, &*step), ("other-flow", json!({ "n": 1 }), "sub"));
    assert_eq!(play.state.waiting_on()["kind"], "run");
    play.check();
    let stranger = RunId(uuid::Uuid::from_u128(7));
    let ended = |run_id| Happening::ChildEnded { step: path("sub"), run_id, outcome: ChildOutcome::Completed { output: json!({ "total": 5 }) } };
    assert!(play.happen(ended(stranger)).is_empty());
    play.happen(ended(child));
    let (second, ..) = started(&play);
    assert_ne!(second, child);
    play.happen(Happening::ChildStarted { step: path("fire") });
    assert_eq!(play.output("fire"), json!({ "run_id": second }));
    assert_eq!(play.state.output, json!(5));
    completed(&play);
}

#[test]
fn a_child_that_fails_fails_its_step_and_a_cancel_reaches_it() {
    let source = steps("  - { id: sub, call: other-flow, on_error: continue }\n  - { id: two, call: other-flow }\n");
    let mut play = Play::started(&source, json!({}));
    let child =
        |play: &Play| play.actions.iter().rev().find_map(|action| if let Action::StartChild { run_id, .. } = action { Some(*run_id) } else { None }).unwrap();
    let error = StepError::new(crate::ErrorCode::Declined, "no");
    let run_id = child(&play);
    play.happen(Happening::ChildEnded { step: path("sub"), run_id, outcome: ChildOutcome::Failed { error } });
    assert_eq!(play.output("sub")["error"]["code"], "declined");
    play.check();
    play.cancel(false);
    let run_id = child(&play);
    assert!(play.actions.iter().any(|action| matches!(action, Action::CancelChild { run_id: cancelled } if *cancelled == run_id)));
    assert!(!play.state.status.is_final(), "children are awaited");
    play.happen(Happening::ChildEnded { step: path("two"), run_id, outcome: ChildOutcome::Cancelled {} });
    assert_eq!(play.state.status, RunStatus::Cancelled);
    play.check();

    let mut play = Play::started(&source, json!({}));
    play.happen(Happening::ChildRefused { step: path("sub"), error: StepError::new(crate::ErrorCode::Conflict, "one lives") });
    assert_eq!(play.output("sub")["error"]["code"], "conflict");
    play.check();
}

#[test]
fn a_child_tells_its_parent() {
    let mut play = Play::new(&steps("  - { id: end, stop: { output: 5 } }\n"));
    let parent = Parent { run_id: RunId(uuid::Uuid::from_u128(1)), step: "sub".into() };
    let start = Start {
        version: 1,
        key: "k".into(),
        trigger: None,
        input: json!({}),
        event: json!({ "type": "manual.started", "data": {} }),
        event_id: None,
        seed: 1,
        depth: 1,
        parent: Some(parent.clone()),
        reads: BTreeMap::new(),
    };
    play.happen(Happening::Started(start));
    let told =
        play.actions.iter().find_map(|action| if let Action::TellParent { parent, outcome } = action { Some((parent.clone(), outcome.clone())) } else { None });
    assert_eq!(told, Some((parent, ChildOutcome::Completed { output: json!(5) })));
    play.check();
}

#[test]
fn a_script_computes_once() {
    let source = steps(concat!(
        "  - { id: s, script: \"text\" }\n",
        "  - { id: bad, script: fail, on_error: continue }\n",
        "  - { id: end, stop: { output: \"{{ steps.s }}\" } }\n",
    ));
    let play = Play::started(&source, json!({ "n": 2 }));
    assert_eq!(play.state.output, json!({ "text": "text", "input": { "n": 2 } }));
    assert_eq!(play.output("bad")["error"]["code"], "invalid_input");
    completed(&play);
}

#[test]
fn a_person_is_asked_reminded_and_answers_or_not() {
    let source = steps(
        "  - id: ok\n    ask: { who: { role: manager }, title: \"Send to {{ event.data.name }}?\", values: { text: Hi }, remind_every: 1h }\n    timeout: 150m\n",
    );
    let mut play = Play::started(&source, json!({ "name": "Asha" }));
    assert_eq!(play.kinds(), ["run_started", "ask_opened", "event_emitted"]);
    assert_eq!(play.state.waiting_on()["title"], "Send to Asha?");
    play.check();
    assert_eq!(play.after(3_600_000).due("ok"), ["event_emitted"]);
    assert!(play.due("ok").is_empty(), "not early");
    play.check();
    let mut other = Play::started(&source, json!({ "name": "Asha" }));
    other.happen(Happening::Answered { step: path("ok"), answer: json!("approve"), by: "u1".into() });
    assert_eq!((&other.output("ok")["answer"], &other.output("ok")["timed_out"]), (&json!("approve"), &json!(false)));
    completed(&other);
    play.after(3_600_000).due("ok");
    assert_eq!(play.after(1_800_000).due("ok"), ["wait_timed_out", "run_completed"]);
    assert_eq!(play.output("ok")["timed_out"], true);
    completed(&play);
}

#[test]
fn a_branch_with_on_error_continue_goes_on_after_a_failure_inside() {
    let source = steps(
        "  - id: way\n    if: event.data.n\n    on_error: continue\n    then: [{ id: a, do: test.call }, { id: b, do: test.call }]\n  - { id: end, stop: { output: \"{{ steps.way.error.code }}\" } }\n",
    );
    let mut play = Play::started(&source, json!({ "n": 1 }));
    play.fails("declined");
    assert_eq!(play.state.output, json!("declined"));
    completed(&play);
}

#[test]
fn a_state_survives_being_written_down() {
    let mut play = Play::started(&steps(&format!("{EACH}{TRY}")), json!({ "list": ["x", "y", "z"] }));
    done_at(&mut play, "call#1", json!({ "n": 1 }));
    let text = serde_json::to_string(&play.state).unwrap();
    let back: State = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(format!("{:?}", back.in_flight()), format!("{:?}", play.state.in_flight()));
}
