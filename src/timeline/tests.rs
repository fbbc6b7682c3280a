//! Snapshots of drawn runs.

use super::*;
use onward_core::definition;
use serde_json::json;

const PLAIN: Look = Look { colour: false, unicode: true, width: 100 };

const SOURCE: &str = r#"name: welcome
on:
  - event: lead.captured
key: "{{ event.data.phone }}"
steps:
  - id: lead
    do: debug.echo
    with: { name: "{{ event.data.name }}" }
  - id: greeting
    split:
      variants: { short: 50, long: 50 }
  - id: vip
    if: event.data.score >= 70
    then:
      - do: debug.echo
        with: { to: sales }
    else:
      - id: reply
        wait_for: { event: message.received, match: { contact_id: "{{ event.data.contact_id }}" } }
        timeout: 24h
"#;

fn at(time: &str) -> String {
    format!("2026-11-20T{time}Z")
}

fn history() -> Vec<Value> {
    vec![
        json!({ "seq": 1, "at": at("04:30:00.000"), "kind": "run_started", "workflow": "welcome", "version": 2, "revision": 1, "key": "+919812345678", "trigger": 0,
            "input": { "source": "whatsapp" }, "event": { "type": "lead.captured", "source": "api" }, "seed": 1, "timezone": "Asia/Kolkata" }),
        json!({ "seq": 2, "at": at("04:30:00.001"), "kind": "step_scheduled", "step": "lead", "node": "debug.echo", "attempt": 1, "input": { "name": "Asha" } }),
        json!({ "seq": 3, "at": at("04:30:00.501"), "kind": "retry_scheduled", "step": "lead", "attempt": 1, "due": at("04:30:01.501"),
            "error": { "code": "unavailable", "message": "no answer" } }),
        json!({ "seq": 4, "at": at("04:30:01.502"), "kind": "step_scheduled", "step": "lead", "node": "debug.echo", "attempt": 2 }),
        json!({ "seq": 5, "at": at("04:30:01.620"), "kind": "step_completed", "step": "lead", "output": { "name": "Asha" } }),
        json!({ "seq": 6, "at": at("04:30:01.620"), "kind": "variant_chosen", "step": "greeting", "variant": "long", "by": "c1" }),
        json!({ "seq": 7, "at": at("04:30:01.620"), "kind": "value_read", "step": "vip", "values": { "contact.score": 12 } }),
        json!({ "seq": 8, "at": at("04:30:01.620"), "kind": "branch_taken", "step": "vip", "branch": "else" }),
        json!({ "seq": 9, "at": at("04:30:01.620"), "kind": "wait_opened", "step": "reply",
            "waits": { "event": { "event": "message.received", "match": { "contact_id": "c1" } } }, "since": at("04:30:01.620"), "deadline": "2026-11-21T04:30:01.620Z" }),
    ]
}

fn run(status: &str) -> Value {
    json!({ "id": "019aa0c0-0000-7000-8000-000000000001", "workflow": "welcome", "version": 2, "status": status, "key": "+919812345678", "input": {}, "output": null,
        "error": null, "exit": null, "started_at": at("04:30:00.000"), "ended_at": null, "waiting_on": null })
}

fn workflow() -> Workflow {
    let compiled = definition::compile(SOURCE, &crate::wiring::catalogue().unwrap());
    compiled.workflow.unwrap_or_else(|| panic!("{:?}", compiled.problems))
}

fn drawn(run: &Value, history: &[Value], now: &str, look: Look) -> String {
    let workflow = workflow();
    draw(&View { run, history, workflow: Some(&workflow), now: now.parse().unwrap() }, look)
}

#[test]
fn a_run_that_waits() {
    let mut run = run("waiting");
    run["waiting_on"] = json!({ "kind": "event", "step": "reply", "events": ["message.received"], "until": "2026-11-21T04:30:01.620Z" });
    insta::assert_snapshot!(drawn(&run, &history(), "2026-11-20T06:33:00Z", PLAIN));
}

#[test]
fn a_run_that_waited_in_vain_and_completed() {
    let mut run = run("completed");
    run["ended_at"] = json!("2026-11-21T04:30:01.700Z");
    let mut history = history();
    history.push(json!({ "seq": 10, "at": "2026-11-21T04:30:01.620Z", "kind": "wait_timed_out", "step": "reply", "due": "2026-11-21T04:30:01.620Z" }));
    history.push(json!({ "seq": 11, "at": "2026-11-21T04:30:01.620Z", "kind": "step_skipped", "step": "nudge" }));
    history.push(json!({ "seq": 12, "at": "2026-11-21T04:30:01.700Z", "kind": "run_completed", "output": { "answered": false } }));
    insta::assert_snapshot!(drawn(&run, &history, "2026-11-22T00:00:00Z", PLAIN));
}

#[test]
fn a_run_that_failed_says_what_to_do() {
    let mut run = run("failed");
    let error = json!({ "code": "outcome_unknown", "message": "the answer never came", "step": "lead" });
    run["ended_at"] = json!(at("04:30:02.000"));
    run["error"] = error.clone();
    let mut history = history()[..2].to_vec();
    history.push(json!({ "seq": 3, "at": at("04:30:02.000"), "kind": "step_failed", "step": "lead", "error": error }));
    history.push(json!({ "seq": 4, "at": at("04:30:02.000"), "kind": "run_failed", "error": error }));
    insta::assert_snapshot!(drawn(&run, &history, "2026-11-20T04:31:00Z", PLAIN));
}

#[test]
fn ascii_only_and_colours() {
    let ascii = drawn(&run("running"), &history(), "2026-11-20T04:30:02Z", Look { unicode: false, ..PLAIN });
    assert!(ascii.is_ascii(), "{ascii}");
    let coloured = drawn(&run("running"), &history(), "2026-11-20T04:30:02Z", Look { colour: true, ..PLAIN });
    assert!(coloured.contains("\u{1b}[33mrunning\u{1b}[0m"), "{coloured}");
}

#[test]
fn what_nobody_knows_is_still_shown() {
    let history = [json!({ "seq": 1, "at": at("04:30:00.000"), "kind": "teleported", "step": "reply" }), json!("nonsense")];
    let text = drawn(&run("running"), &history, "2026-11-20T04:30:02Z", PLAIN);
    assert!(text.contains("teleported"), "{text}");
}

#[test]
fn every_wait_is_a_sentence() {
    let now: Timestamp = "2026-11-20T04:30:00Z".parse().unwrap();
    for (on, says) in [
        (json!({ "kind": "timer", "step": "pause", "until": "2026-11-20T05:30:00Z" }), "for the time at step `pause`: until Fri 20 Nov 2026 05:30:00 (in 1 h)"),
        (
            json!({ "kind": "retry", "step": "a", "node": "http.request", "after": "unavailable", "until": "2026-11-20T04:30:05Z" }),
            "to try http.request again at step `a`, after unavailable: until Fri 20 Nov 2026 04:30:05 (in 5 s)",
        ),
        (json!({ "kind": "hold", "step": "m", "node": "message.send", "reason": "window closed" }), "message.send at step `m`: window closed"),
        (
            json!({ "kind": "start", "held_by": "rate", "limit": "shared:erp", "until": "2026-11-20T04:30:05Z", "reason": "limits.rate: 2 starts" }),
            "to start until Fri 20 Nov 2026 04:30:05 (in 5 s): limits.rate: 2 starts",
        ),
        (json!({ "kind": "resume", "paused_by": "engine" }), "for someone to resume it (paused by engine)"),
    ] {
        assert_eq!(waiting_for(&on, now).as_deref(), Some(says));
    }
    assert_eq!(waiting_for(&Value::Null, now), None);
}

#[test]
fn what_ends_after_something_else_was_told_says_how_long_it_took() {
    let question = json!({ "title": "Send this?", "who": { "role": "agent" } });
    let asked =
        |step: &str, seq: u64| json!({ "seq": seq, "at": at("04:30:00.100"), "kind": "ask_opened", "step": step, "question": question, "deadline": null });
    let history = vec![
        history().remove(0),
        asked("first", 2),
        asked("second", 3),
        json!({ "seq": 4, "at": at("05:00:00.100"), "kind": "ask_answered", "step": "first", "answer": "approve", "by": "asha@example.com" }),
        json!({ "seq": 5, "at": at("05:10:00.100"), "kind": "ask_answered", "step": "second", "answer": "approve", "by": "asha@example.com" }),
    ];
    let run = run("completed");
    let drawn = draw(&View { run: &run, history: &history, workflow: None, now: at("06:00:00.000").parse().unwrap() }, PLAIN);
    assert!(drawn.contains("answered after 30 min") && drawn.contains("answered after 40 min"), "{drawn}");
    assert!(drawn.lines().all(|line| !line.trim_end().ends_with("after")), "{drawn}");
}
