//! One row a reason.

use super::*;
use crate::{
    ErrorCode, EventId, OrganisationId, Shard, Value,
    machine::{
        Happening,
        tests::{Play, START, organisation, steps},
    },
    ports::Outcome,
};
use serde_json::json;

const WAITS: &str = "  - { id: reply, wait_for: { event: message.received, match: { contact_id: c1 } }, timeout: 1h }\n";

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn node(number: u128) -> NodeId {
    NodeId(uuid::Uuid::from_u128(number))
}

fn owned() -> Owner {
    Owner { node: Some(node(7)), until: at(86_400_000), command: false }
}

/// What is recorded besides the run itself.
#[derive(Default)]
struct Around {
    pauses: Vec<Pause>,
    workflow_paused: Option<WorkflowPaused>,
    owner: Option<Owner>,
}

fn standing(play: &Play, around: &Around) -> Standing {
    let row = play.state.row(organisation(), Shard(3));
    why(&Facts {
        row: &row,
        state: Some(&play.state),
        entries: &play.history,
        pauses: &around.pauses,
        workflow_paused: around.workflow_paused.clone(),
        held: None,
        owner: around.owner.unwrap_or_else(owned),
        now: Timestamp::from_millis(play.now),
    })
}

/// The reasons as programs get them.
fn told(play: &Play, around: &Around) -> Vec<Value> {
    standing(play, around).reasons.iter().map(Reason::to_value).collect()
}

fn only(play: &Play) -> Value {
    let told = told(play, &Around::default());
    assert_eq!(told.len(), 1, "{told:#?}");
    told.into_iter().next().unwrap()
}

/// Every field that is expected must be there; `text` must contain what is expected of it.
fn is(given: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        match (name.as_str(), value.as_str()) {
            ("text", Some(text)) => assert!(given["text"].as_str().unwrap().contains(text), "{text:?} is not in {given:#}"),
            _ => assert_eq!(&given[name], value, "{name} in {given:#}"),
        }
    }
}

#[test]
fn each_kind_of_step_in_progress() {
    let source = steps;
    let play = |text: &str| Play::started(&source(text), json!({}));
    let asks = "  - { id: sure, ask: { who: { role: admin }, title: \"Send it?\" }, timeout: 2h }\n";
    let rows = [
        (
            play(WAITS),
            json!({ "kind": "event", "step": "reply", "since": at(0), "until": at(3_600_000),
                "events": [{ "name": "event", "event": "message.received", "match": { "contact_id": "c1" } }], "text": "message.received with contact_id = \"c1\", until" }),
        ),
        (
            play("  - { id: any, wait_for: { event: message.received, match: any } }\n"),
            json!({ "kind": "event", "until": null, "text": "waits for any message.received, for as long as it takes" }),
        ),
        (
            play(asks),
            json!({ "kind": "ask", "step": "sure", "who": { "role": "admin" }, "title": "Send it?", "until": at(7_200_000), "text": "asks role admin" }),
        ),
        (play("  - { id: nap, delay: 30m }\n"), json!({ "kind": "timer", "step": "nap", "since": at(0), "until": at(1_800_000), "text": "sleeps until" })),
        (
            play("  - { id: sub, call: other-flow }\n"),
            json!({ "kind": "run", "step": "sub", "workflow": "other-flow", "since": at(0), "text": "of other-flow to end" }),
        ),
        (
            play("  - { id: a, do: test.call, timeout: 5s }\n"),
            json!({ "kind": "step", "step": "a", "node": "test.call", "attempt": 1, "since": at(0), "timeout_ms": 5_000, "text": "is at work: test.call, attempt 1" }),
        ),
    ];
    for (play, expected) in rows {
        is(&only(&play), &expected);
    }
}

#[test]
fn an_attempt_that_failed_and_one_that_is_held_back() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call, retry: { max_attempts: 3, initial: 10s, jitter: 0 } }\n"), json!({}));
    play.after(500).ends(Outcome::Failed { error: StepError::new(ErrorCode::Unavailable, "the provider answered 503") });
    is(
        &only(&play),
        &json!({ "kind": "retry", "step": "a", "node": "test.call", "attempt": 2, "since": at(500),
            "text": "the last attempt failed: unavailable: the provider answered 503." }),
    );
    let mut play = Play::started(&steps("  - { id: a, do: test.send }\n"), json!({}));
    play.ends(Outcome::Hold { until: Some(at(60_000)), reason: "quiet hours".into() });
    is(
        &only(&play),
        &json!({ "kind": "hold", "step": "a", "node": "test.send", "until": at(60_000), "reason": "quiet hours", "text": "holds test.send back until" }),
    );
    let mut play = Play::started(&steps("  - { id: a, do: test.send }\n"), json!({}));
    play.ends(Outcome::Hold { until: None, reason: "the contact has to write first".into() });
    is(&only(&play), &json!({ "kind": "hold", "until": null, "text": "until something changes: the contact has to write first." }));
}

#[test]
fn several_steps_at_once_and_more_than_are_told() {
    let all: Vec<u32> = (0..60).collect();
    let play = Play::started(
        &steps("  - id: all\n    for_each: \"{{ event.data.items }}\"\n    max_parallel: 60\n    steps: [{ delay: 1h }]\n"),
        json!({ "items": all }),
    );
    let standing = standing(&play, &Around::default());
    assert_eq!((standing.reasons.len(), standing.more), (STEPS_TOLD, 10));
}

#[test]
fn a_run_that_ends_waits_for_its_calls() {
    let mut play = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    play.after(100).cancel(false);
    let told = told(&play, &Around::default());
    is(&told[0], &json!({ "kind": "settle", "since": at(100), "until": at(30_100), "calls": 1, "text": "one call in flight is awaited until" }));
}

#[test]
fn ended_in_each_way() {
    let mut completed = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    completed.done(json!({}));
    is(&only(&completed), &json!({ "kind": "ended", "status": "completed", "at": at(0), "text": "It has ended: completed at" }));
    let mut failed = Play::started(&steps("  - { id: a, do: test.call, retry: { max_attempts: 1 } }\n"), json!({}));
    failed.fails("declined");
    is(&only(&failed), &json!({ "kind": "ended", "status": "failed", "text": "at step a: declined: it failed." }));
    let mut cancelled = Play::started(&steps(WAITS), json!({}));
    cancelled.happen(Happening::Cancel { by: "asha".into(), reason: Some("wrong list".into()), force: false });
    is(&only(&cancelled), &json!({ "kind": "ended", "status": "cancelled", "text": "wrong list" }));
    let mut exited =
        Play::started(&format!("name: test\non:\n  - event: start\nexit_on:\n  - {{ event: contact.unsubscribed, match: any }}\nsteps:\n{WAITS}"), json!({}));
    exited.event("$exit.0", "contact.unsubscribed", json!({}));
    is(&only(&exited), &json!({ "kind": "ended", "status": "completed", "exit": "contact.unsubscribed", "text": "contact.unsubscribed came" }));
}

#[test]
fn paused_by_a_person_by_the_engine_and_with_others() {
    let pause = |by: &str, reason: Option<&str>| {
        let mut play = Play::started(&steps(WAITS), json!({}));
        play.after(50).happen(Happening::Pause { by: by.into(), reason: reason.map(str::to_owned) });
        play
    };
    let asha = told(&pause("asha", Some("holidays")), &Around::default());
    is(&asha[0], &json!({ "kind": "paused", "scope": "run", "by": "asha", "at": at(50), "reason": "holidays", "text": "The run is paused by asha since" }));
    assert_eq!(asha[1]["kind"], "event", "and what it waits for besides");
    let engine = told(&pause("engine", Some("its history cannot be folded")), &Around::default());
    is(&engine[0], &json!({ "kind": "paused", "scope": "engine", "text": "The engine has paused the run since" }));
    let lifted = told(&pause("paused:organisation", None), &Around::default());
    assert_eq!(lifted[0]["kind"], "resuming");

    let scope = |kind: &str, organisation: OrganisationId, workflow: &str, target: &str| {
        PauseScope::of_parts(organisation, kind, workflow.to_owned(), target.to_owned()).unwrap()
    };
    let stranger = OrganisationId(uuid::Uuid::from_u128(2));
    let paused = |scope: PauseScope| Pause { scope, at: at(40), by: "asha".into(), reason: Some("the bank is closed".into()) };
    let ours = |kind: &str, target: &str| scope(kind, organisation(), "test", target);
    let rows = [
        (ours("everything", ""), "onward resume --everything"),
        (ours("organisation", ""), "onward resume"),
        (ours("version", "1"), "onward workflows resume test --version 1"),
        (ours("step", "reply"), "onward workflows resume test --step reply"),
    ];
    for (scope, resume) in rows {
        let kind = scope.parts().0;
        let play = pause(&format!("paused:{kind}"), Some("step reply is paused; something lets it go on"));
        let around = Around {
            pauses: vec![
                paused(PauseScope::Organisation(stranger)),
                paused(PauseScope::Version { organisation: organisation(), workflow: "test".into(), version: 2 }),
                paused(PauseScope::Step { organisation: organisation(), workflow: "test".into(), step: "other".into() }),
                paused(PauseScope::Starts { organisation: organisation(), workflow: "test".into(), version: 1 }),
                paused(scope),
            ],
            ..Around::default()
        };
        let told = told(&play, &around);
        is(&told[0], &json!({ "kind": "paused", "scope": kind, "by": "asha", "at": at(40), "reason": "the bank is closed", "resume": resume, "text": resume }));
        assert_eq!(told[1]["kind"], "event", "{told:#?}");
    }
    let workflow = WorkflowPaused { by: Some("asha".into()), at: Some(at(10)), reason: None };
    let around = Around { workflow_paused: Some(workflow), ..Around::default() };
    is(
        &told(&pause("paused:workflow", None), &around)[0],
        &json!({ "kind": "paused", "scope": "workflow", "by": "asha", "resume": "onward workflows resume test" }),
    );
}

#[test]
fn a_run_that_waits_tells_of_a_pause_that_it_has_not_met_yet() {
    let play = Play::started(&steps(WAITS), json!({}));
    let pause = Pause { scope: PauseScope::Everything, at: at(1), by: "command line".into(), reason: None };
    let told = told(&play, &Around { pauses: vec![pause], ..Around::default() });
    assert_eq!((told[0]["scope"].as_str(), told[1]["kind"].as_str()), (Some("everything"), Some("event")));
}

#[test]
fn nobody_works_on_its_shard() {
    let play = Play::started(&steps(WAITS), json!({}));
    let owner = |node: Option<NodeId>, until: i64, command: bool| Around { owner: Some(Owner { node, until: at(until), command }), ..Around::default() };
    let rows = [
        (owner(None, 0, false), "No node owns its shard 3"),
        (owner(Some(node(7)), -1, false), "has run out since"),
        (owner(Some(node(7)), 60_000, true), "No server works on this database"),
    ];
    for (around, text) in rows {
        let told = told(&play, &around);
        is(&told[0], &json!({ "kind": "unowned", "shard": 3, "text": text }));
        assert_eq!(told[1]["kind"], "event");
    }
}

#[test]
fn nothing_in_progress_is_work() {
    let play = Play::new(&steps(WAITS));
    is(&only(&play), &json!({ "kind": "working", "text": "its next step is being decided" }));
}

#[test]
fn a_history_that_cannot_be_folded() {
    let mut play = Play::started(&steps(WAITS), json!({}));
    play.after(5);
    let mut row = play.state.row(organisation(), Shard(3));
    row.status = RunStatus::Paused;
    row.waiting_on = json!({ "paused": { "by": "engine", "reason": "entry 3 contradicts entry 2" } });
    let standing = why(&Facts { row: &row, state: None, entries: &play.history, pauses: &[], workflow_paused: None, held: None, owner: owned(), now: at(5) });
    assert_eq!((standing.status, standing.reasons.len()), (RunStatus::Paused, 1));
    is(&standing.reasons[0].to_value(), &json!({ "kind": "paused", "scope": "engine", "reason": "entry 3 contradicts entry 2" }));
}

#[test]
fn a_start_that_is_held_in_each_queue() {
    let run = |number: u128| RunId(uuid::Uuid::from_u128(number));
    let named = |kind: &str| HeldQueue::of_parts(kind, "test".into(), "asha".into()).unwrap();
    let rows = [
        ("key", "mode: queued, and a run of this key is alive"),
        ("concurrency", "limits.concurrency: 2 of test, asha are at work"),
        ("rate", "limits.rate: 10 starts in 60000 ms"),
        ("debounce", "limits.debounce: its burst ends"),
        ("paused", "its first step reply is paused; `onward workflows resume test --step reply` lets it go on"),
        ("person", "more than 16 causes in a row led here"),
    ];
    for (kind, reason) in rows {
        let start = HeldStart {
            id: 9,
            organisation: organisation(),
            workflow: "test".into(),
            key: "asha".into(),
            trigger: None,
            event_id: Some(EventId(uuid::Uuid::from_u128(1))),
            input: Value::Null,
            run_id: run(42),
            queue: named(kind),
            reason: reason.into(),
            not_before: (kind == "rate").then(|| at(900)),
            priority: 5,
            depth: 0,
            held_at: at(1),
            parent: None,
        };
        let mut row = Play::started(&steps(WAITS), json!({})).state.row(organisation(), Shard(3));
        row.status = RunStatus::Held;
        let step = Pause {
            scope: PauseScope::Step { organisation: organisation(), workflow: "test".into(), step: "reply".into() },
            at: at(0),
            by: "asha".into(),
            reason: None,
        };
        let standing = why(&Facts {
            row: &row,
            state: None,
            entries: &[],
            pauses: &[step],
            workflow_paused: None,
            held: Some(HeldPlace { start: &start, before: 2, ahead: vec![run(5), run(6)], holders: vec![run(3)] }),
            owner: owned(),
            now: at(5),
        });
        let last = standing.reasons.last().unwrap().to_value();
        is(
            &last,
            &json!({ "kind": "start", "held_by": kind, "name": "test", "place": 3, "ahead": [run(5), run(6)], "holders": [run(3)], "since": at(1),
                "until": (kind == "rate").then(|| at(900)), "reason": reason, "text": "It is number 3 in its queue" }),
        );
        assert_eq!(standing.reasons.len(), if kind == "paused" { 2 } else { 1 }, "who paused the step is told, too: {standing:#?}");
    }
}
