//! Moving a run to another version: where it goes on, why it cannot, and that its record stays true (SEMANTICS.md 28).

use super::*;
use crate::history::Fact;

const FIRST: &str = "  - { id: a, do: test.call, with: { text: hello } }
  - id: way
    if: steps.a.n > 5
    then:
      - { id: reply, wait_for: { event: message.received, match: any }, timeout: 24h }
    else: [{ id: low, delay: 1h }]
  - { id: last, do: test.call, with: { which: \"{{ steps.reply.which }}\" } }
";

/// Waits in `reply`.
fn waiting() -> Play {
    let mut play = Play::started(&steps(FIRST), json!({ "n": 1 }));
    play.after(10).done(json!({ "n": 9 }));
    assert_eq!(play.state.resting_steps(), [("reply".to_owned(), "event")]);
    play
}

fn mapped(pairs: &[(&str, &str)]) -> Mapping {
    Mapping { steps: pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect(), ..Mapping::default() }
}

/// Whether the new file would have come to the same place, and the run as it stands there.
fn judged(play: &Play, source: &str, mapping: &Mapping) -> Result<State, Vec<Obstacle>> {
    let new = workflow(&steps(source));
    let carried = carry_over(&play.workflow, &new, 2, &play.state, mapping)?;
    would_decide(&play.workflow, &new, mapping, organisation(), play.state.run_id, &play.history).map_err(|obstacle| vec![obstacle])?;
    Ok(carried)
}

fn code(judged: Result<State, Vec<Obstacle>>) -> &'static str {
    judged.expect_err("it stays")[0].code()
}

#[test]
fn a_run_goes_on_where_it_waits_and_its_record_replays_version_by_version() {
    let new = FIRST.replace("hello", "good day").replace("24h", "48h").replace("which:", "what:") + "  - { id: more, delay: 1h }\n";
    let mut play = waiting();
    let carried = judged(&play, &new, &Mapping::default()).expect("it decides the same");
    let kinds = play.after(10).moves(&steps(&new), Moved::Kept, carried);
    assert_eq!(kinds, ["migrated"]);
    assert_eq!((play.state.version, play.state.status), (2, RunStatus::Waiting));
    assert!(play.actions.iter().any(|action| matches!(action, Action::CloseWait { target } if target == "reply")));
    assert!(matches!(play.actions.last(), Some(Action::OpenWait { target, since: Some(_), .. }) if target == "reply"), "{:?}", play.actions.last());
    play.check();
    play.after(10).event("reply", "message.received", json!({}));
    assert_eq!(*play.call().input, json!({ "what": "event" }), "the new version's step");
    play.done(json!({}));
    assert_eq!(play.state.resting_steps(), [("more".to_owned(), "timer")]);
    play.after(3_600_000).due("more");
    completed(&play);
}

#[test]
fn a_renamed_step_is_mapped_with_what_waits_and_what_was_done_in_it() {
    let new =
        FIRST.replace("id: reply", "id: answer").replace("steps.reply", "steps.answer").replace("id: a,", "id: first,").replace("steps.a.n", "steps.first.n");
    let mut play = waiting();
    assert_eq!(code(judged(&play, &new, &Mapping::default())), "missing_step");
    assert_eq!(code(judged(&play, &new, &mapped(&[("reply", "answer")]))), "decides_otherwise", "it does not know what became of `a`");
    let carried = judged(&play, &new, &mapped(&[("reply", "answer"), ("a", "first")])).expect("mapped");
    play.moves(&steps(&new), Moved::Mapped, carried);
    assert_eq!(play.output("first"), json!({ "n": 9 }));
    play.after(86_400_000).due("answer");
    assert_eq!(*play.call().input, json!({ "which": null }));
    play.check();
}

#[test]
fn a_version_that_decides_otherwise_is_told_where() {
    let play = waiting();
    let other = judged(&play, &FIRST.replace("n > 5", "n > 50"), &Mapping::default()).expect_err("another branch");
    let [Obstacle::Decides { seq, step, reason }] = other.as_slice() else { panic!("{other:?}") };
    assert_eq!((*seq, step.as_deref(), reason.as_str()), (4, Some("way"), "branch_taken else at way instead of branch_taken then at way"));
    let inserted = FIRST.replace("  - id: way", "  - { id: new, do: test.call }\n  - id: way");
    assert_eq!(code(judged(&play, &inserted, &Mapping::default())), "decides_otherwise");
    // A person may say that it goes on there all the same.
    let new = workflow(&steps(&inserted));
    assert!(carry_over(&play.workflow, &new, 2, &play.state, &mapped(&[("reply", "reply")])).is_ok());
}

#[test]
fn what_cannot_go_on_is_told() {
    let play = waiting();
    let carry = |source: &str| carry_over(&play.workflow, &workflow(&steps(source)), 2, &play.state, &mapped(&[]));
    assert_eq!(
        code(carry(&FIRST.replace("wait_for: { event: message.received, match: any }, timeout: 24h", "delay: 1h").replace("steps.reply.which", "steps.a.n"))),
        "unlike_step"
    );
    assert_eq!(code(carry(&FIRST.replace("event: message.received", "event: contact.unsubscribed"))), "unlike_step");
    let elsewhere = "  - { id: a, do: test.call }
  - id: way
    if: steps.a.n <= 5
    then: [{ id: low, delay: 1h }]
    else: [{ id: reply, wait_for: { event: message.received, match: any } }]
  - { id: last, do: test.call }
";
    let carried = carry(elsewhere).expect("the branches changed their places, and it goes on in its own");
    assert_eq!(carried.resting_steps(), [("reply".to_owned(), "event")]);
    assert_eq!(
        code(carry("  - { id: a, do: test.call }\n  - { id: reply, wait_for: { event: message.received, match: any } }\n")),
        "missing_step",
        "`way` is gone"
    );
}

const INSIDE: &str = "  - id: each
    for_each: [x, y, z]
    max_parallel: 2
    steps:
      - id: side
        parallel:
          one: [{ id: call, do: test.call, compensate: { do: test.call, with: { undo: \"{{ item }}\" } } }, { id: rest, delay: 1h }]
          two: [{ id: set_it, set: { v: 1 } }]
  - { id: after, do: test.call, with: { n: \"{{ steps.each | length }}\" } }
";

/// Two passes rest in a branch of `parallel`, each with something to be undone.
fn resting_inside() -> Play {
    let mut play = Play::started(&steps(INSIDE), json!({}));
    for _ in 0..2 {
        play.after(10).done(json!({ "n": 1 }));
    }
    assert!(play.state.unrest().is_none(), "{:?}", play.state.unrest());
    play
}

#[test]
fn passes_branches_and_what_is_to_be_undone_are_carried_along() {
    let new = INSIDE.replace("delay: 1h", "delay: 2h").replace("          one:", "          zero: [{ id: zero, set: { w: 1 } }]\n          one:");
    let play = resting_inside();
    assert_eq!(code(judged(&play, &new, &Mapping::default())), "unlike_step", "a new branch would never run");
    let swapped = INSIDE.replace("delay: 1h", "delay: 2h");
    let mut play = resting_inside();
    let carried = judged(&play, &swapped, &Mapping::default()).expect("kept");
    assert_eq!(carried.resting_steps(), [("rest".to_owned(), "timer")]);
    play.moves(&steps(&swapped), Moved::Kept, carried);
    play.check();
    play.after(3_600_000);
    for path in ["rest#1", "rest#2"] {
        play.due(path);
    }
    play.done(json!({ "n": 1 }));
    assert_eq!(play.state.undo.len(), 3);
    play.cancel(false);
    let undone: Vec<Value> = (0..3)
        .map(|_| {
            let input = Value::clone(&play.call().input);
            play.done(json!({}));
            input["undo"].clone()
        })
        .collect();
    assert_eq!(undone, [json!("z"), json!("x"), json!("y")], "the latest first, from before the move as well");
    assert_eq!(play.state.status, RunStatus::Cancelled);
    play.check();
}

#[test]
fn an_undoing_that_the_new_version_does_not_know_is_given_up_only_when_somebody_says_so() {
    let play = resting_inside();
    let new = workflow(&steps(&INSIDE.replace(", compensate: { do: test.call, with: { undo: \"{{ item }}\" } }", "")));
    let carry = |mapping: &Mapping| carry_over(&play.workflow, &new, 2, &play.state, mapping);
    assert_eq!(code(carry(&Mapping::default())), "undo");
    let given_up = Mapping { not_undone: ["call".to_owned()].into(), ..Mapping::default() };
    assert!(carry(&given_up).expect("given up").undo.is_empty());
}

#[test]
fn a_move_is_taken_back_until_the_run_decides_something() {
    let new = FIRST.replace("24h", "48h");
    let mut play = waiting();
    let before = play.state.clone();
    let carried = judged(&play, &new, &Mapping::default()).expect("kept");
    play.moves(&steps(&new), Moved::Kept, carried);
    assert_eq!(State::undoable(&play.history), Some((1, play.history.len() - 1)));
    let back = fold_all(&workflow(&steps(FIRST)), play.state.run_id, &play.history[..play.history.len() - 1]).expect("folds");
    play.moves(&steps(FIRST), Moved::Undone, back);
    assert_eq!((play.state.version, play.state.resting_steps()), (1, before.resting_steps()));
    assert_eq!(State::undoable(&play.history), None, "what is taken back is not taken back again");
    play.check();
    let carried = judged(&play, &new, &Mapping::default()).expect("kept again: only what it did since counts");
    play.moves(&steps(&new), Moved::Kept, carried);
    play.after(10).event("reply", "message.received", json!({}));
    assert_eq!(State::undoable(&play.history), None, "it has decided something");
    play.done(json!({}));
    completed(&play);
}

#[test]
fn a_run_that_begins_again_has_new_keys_and_no_old_outputs() {
    let mut play = waiting();
    let first = {
        let mut again = Play::started(&steps(FIRST), json!({ "n": 1 }));
        again.after(1);
        again.call().idempotency_key()
    };
    let begun = begin_again(2, &play.state).expect("nothing is to be undone");
    let kinds = play.after(10).moves(&steps(&FIRST.replace("hello", "again")), Moved::Restarted, begun);
    assert_eq!(kinds, ["migrated", "step_scheduled"]);
    assert_eq!((&*play.call().input, play.output("way")), (&json!({ "text": "again" }), Value::Null));
    assert_ne!(play.call().idempotency_key(), first);
    play.done(json!({ "n": 1 }));
    assert_eq!(play.state.resting_steps(), [("low".to_owned(), "timer")]);
    play.check();
    assert!(begin_again(3, &resting_inside().state).is_err(), "something is to be undone first");
}

#[test]
fn exits_and_time_outs_are_those_of_the_new_version() {
    let source = |exits: &str, timeout: &str| {
        format!("name: test\non: [{{ event: start }}]\nexit_on: [{exits}]\ntimeout: {timeout}\nsteps:\n  - {{ id: w, delay: 9h }}\n")
    };
    let any = "{ event: contact.unsubscribed, match: any }";
    let mut play = Play::started(&source(any, "20h"), json!({}));
    let new = source(&format!("{{ event: message.received, match: any }}, {any}"), "30h");
    let carried = carry_over(&play.workflow, &workflow(&new), 2, &play.state, &Mapping::default()).expect("carried");
    assert!(would_decide(&play.workflow, &workflow(&new), &Mapping::default(), organisation(), play.state.run_id, &play.history).is_ok());
    assert_eq!(play.moves(&new, Moved::Kept, carried), ["migrated", "wait_opened"]);
    assert_eq!(play.state.exits_open.len(), 2);
    assert_eq!(play.state.deadline, Some(Timestamp::from_millis(START + 20 * 3_600_000)), "deadlines do not move");
    play.after(10).event("$exit.1", "contact.unsubscribed", json!({}));
    completed(&play);
}

#[test]
fn a_run_that_does_not_rest_stays() {
    let mut play = Play::started(&steps(FIRST), json!({ "n": 1 }));
    assert_eq!(code(judged(&play, FIRST, &Mapping::default())), "busy", "a call is in flight");
    play.done(json!({ "n": 9 }));
    play.happen(Happening::Pause { by: "admin".into(), reason: None });
    let carried = judged(&play, FIRST, &Mapping::default()).expect("a paused run rests");
    let open = |play: &Play| play.actions.iter().filter(|action| matches!(action, Action::OpenWait { .. })).count();
    let before = open(&play);
    play.moves(&steps(FIRST), Moved::Kept, carried);
    assert_eq!((play.state.status, open(&play)), (RunStatus::Paused, before), "it listens when it goes on");
    play.happen(Happening::Resume { by: "admin".into() });
    assert_eq!(open(&play), before + 1);
    play.check();
    play.cancel(true);
    assert_eq!(code(judged(&play, FIRST, &Mapping::default())), "busy");
    assert!(matches!(play.history.last().map(|entry| &entry.fact), Some(Fact::RunCancelled { .. })));
}
