//! Replay and what-if: the same decisions, or the place where they part.

use super::*;
use crate::history::Fact;

const SOURCE: &str = "  - { id: a, do: test.call, with: { n: \"{{ event.data.n }}\" } }\n  - id: way\n    if: steps.a.n > 5\n    then: [{ id: hi, do: test.send, with: { to: high } }]\n    else: [{ id: lo, do: test.send, with: { to: low } }]\n  - { id: w, wait_for: { event: message.received, match: contact }, timeout: 24h }\n";

fn recorded() -> Play {
    let mut play = Play::started(&steps(SOURCE), json!({ "n": 1, "contact_id": "c1" }));
    play.after(10).done(json!({ "n": 9 }));
    play.after(10).done(json!({ "message_id": "m1" }));
    play.after(10).event("w", "message.received", json!({ "contact_id": "c1" }));
    completed(&play);
    play
}

fn against(play: &Play, source: &str) -> Report {
    replay_against(&workflow(&steps(source)), organisation(), play.state.run_id, &play.history, &|node| {
        Nodes::default().node(node).map(|node| node.example_output.clone())
    })
}

#[test]
fn a_changed_decision_is_found_at_its_entry() {
    let mut play = recorded();
    let at = play.history.iter().position(|entry| matches!(entry.fact, Fact::BranchTaken { .. })).unwrap();
    play.history[at].fact = Fact::BranchTaken { branch: "else".into() };
    let report = replay(&play.workflow, organisation(), play.state.run_id, &play.history);
    assert!(!report.same);
    assert_eq!(report.differences[0].seq, at as u64 + 1);
    assert_eq!((&report.differences[0].was["branch"], &report.differences[0].would["branch"]), (&json!("else"), &json!("then")));
}

#[test]
fn a_history_that_contradicts_itself_does_not_fold() {
    let play = recorded();
    for index in 1..play.history.len() - 1 {
        let mut entries = play.history.clone();
        entries.remove(index);
        assert!(fold_all(&play.workflow, play.state.run_id, &entries).is_err(), "entry {} missing", index + 1);
    }
    let mut doubled = play.history.clone();
    doubled.push(play.history[1].clone());
    assert!(fold_all(&play.workflow, play.state.run_id, &doubled).is_err());
    let mut future = play.history.clone();
    if let Fact::RunStarted { revision, .. } = &mut future[0].fact {
        *revision = 99;
    }
    assert!(fold_all(&play.workflow, play.state.run_id, &future).unwrap_err().reason.contains("revision 99"));
}

#[test]
fn another_definition_that_decides_the_same_is_the_same() {
    let play = recorded();
    assert!(against(&play, SOURCE).same);
    let renamed = SOURCE.replace("do: test.call, with", "name: First call, do: test.call, with");
    assert!(against(&play, &renamed).same, "a title is no decision");
}

#[test]
fn an_edited_branch_tells_which_calls_would_be_added_and_missing() {
    let report = against(&recorded(), &SOURCE.replace("steps.a.n > 5", "steps.a.n > 50"));
    assert!(!report.same);
    assert_eq!(report.differences[0].step.as_deref(), Some("way"));
    assert_eq!(report.added.iter().map(|call| call.step.as_str()).collect::<Vec<_>>(), ["lo"]);
    assert_eq!(report.missing.iter().map(|call| call.step.as_str()).collect::<Vec<_>>(), ["hi"]);
    assert!(report.assumed_from.is_some(), "what follows an unknown call is assumed");
}

#[test]
fn a_wait_that_the_record_cannot_answer_ends_as_unknown() {
    let report = against(
        &recorded(),
        &SOURCE.replace(
            "{ id: w, wait_for: { event: message.received, match: contact }, timeout: 24h }",
            "{ id: w, wait_for: { event: order.created, match: contact } }",
        ),
    );
    assert!(!report.same);
    assert!(report.unknown.is_some());
}

#[test]
fn a_run_under_way_is_compared_as_far_as_it_came() {
    let mut play = Play::started(&steps(SOURCE), json!({ "n": 1, "contact_id": "c1" }));
    play.after(10).done(json!({ "n": 9 }));
    assert!(against(&play, SOURCE).same);
}

/// Behind the first difference the record is a source of what may still come, and of nothing that came before.
#[test]
fn what_came_before_the_difference_does_not_come_again() {
    let source = "  - { id: v, wait_for: { event: message.received, match: contact } }\n  - { id: b, do: test.call, with: { n: 2 } }\n  - { id: w, wait_for: { event: message.received, match: contact } }\n";
    let mut play = Play::started(&steps(source), json!({ "n": 1, "contact_id": "c1" }));
    play.after(10).event("v", "message.received", json!({ "contact_id": "c1", "text": "first" }));
    play.after(10).done(json!({ "n": 9 }));
    play.after(10).event("w", "message.received", json!({ "contact_id": "c1", "text": "second" }));
    completed(&play);
    let edited = workflow(&steps(&source.replace("n: 2", "n: 3")));
    let start = crate::machine::replay::start_of(&play.history[0], play.history.get(1)).expect("it begins with its start");
    let played = crate::machine::what_if::played(&edited, organisation(), play.state.run_id, &play.history, start, &|_| Some(json!({})));
    let heard = |entry: &crate::history::Entry| match &entry.fact {
        Fact::WaitResolved { event, .. } => Some(event["data"]["text"].clone()),
        _ => None,
    };
    assert_eq!(played.made.iter().filter_map(heard).collect::<Vec<_>>(), [json!("first"), json!("second")]);
}
