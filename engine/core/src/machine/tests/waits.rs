//! Delays and waits: never early, who wins a race, what counts.

use super::*;

const HOUR: i64 = 3_600_000;

#[test]
fn a_delay_is_never_early_and_one_in_the_past_goes_on_at_once() {
    let mut play = Play::started(&steps("  - { id: d, delay: 2h }\n  - { id: e, delay: { until: \"2020-01-01T00:00:00Z\" } }\n"), json!({}));
    assert_eq!(play.kinds(), ["run_started", "timer_set"]);
    assert_eq!(play.state.timers(), [("d".to_owned(), Timestamp::from_millis(START + 2 * HOUR))]);
    assert!(play.after(2 * HOUR - 1).due("d").is_empty());
    assert_eq!(play.after(1).due("d"), ["timer_fired", "timer_set", "timer_fired", "run_completed"]);
    assert!(play.due("d").is_empty(), "a timer that fires twice");
    completed(&play);
}

#[test]
fn a_delay_knows_the_contacts_zone() {
    let source = steps("  - { id: d, delay: { until: \"tomorrow 09:30\", timezone: contact } }\n");
    let mut play = Play::new(&source);
    play.records.insert("contact".into(), json!({ "id": "c1", "timezone": "Asia/Kolkata" }));
    play.start(json!({ "type": "start", "data": { "contact_id": "c1" } }));
    assert_eq!(play.kinds(), ["run_started", "bound", "value_read", "timer_set"]);
    let due = play.state.timers()[0].1;
    assert!(due.to_string().ends_with("T04:00:00.000Z"), "{due}");
    play.check();
}

#[test]
fn a_time_out_may_count_open_time_only() {
    let source =
        steps("  - { id: w, wait_for: { event: message.received, match: any }, timeout: { for: \"{{ vars.patience }}\", counting: business_hours } }\n");
    let mut play = Play::new(&format!("vars: {{ patience: 4h }}\n{source}"));
    // The run starts at 08:00 UTC on Friday, 15 January 2027.
    play.records.insert("org".into(), json!({ "business_hours": { "days": { "fri": [["09:00", "12:00"]], "mon": [["09:00", "12:00"]] }, "holidays": [] } }));
    play.start(json!({ "type": "start", "data": {} }));
    assert_eq!(play.kinds(), ["run_started", "vars_set", "value_read", "wait_opened"]);
    assert_eq!(play.state.timers()[0].1.to_string(), "2027-01-18T10:00:00.000Z");
    play.check();
}

fn waiting() -> Play {
    let source = steps(
        "  - { id: say, do: test.send }\n  - { id: w, wait_for: { event: message.received, match: contact }, timeout: 24h }\n  - { id: end, stop: { output: \"{{ steps.w.timed_out }}\" } }\n",
    );
    let mut play = Play::started(&source, json!({ "contact_id": "c1" }));
    play.after(1_000);
    assert_eq!(play.done(json!({})), ["step_completed", "wait_opened"]);
    play
}

#[test]
fn an_event_of_the_contact_resumes_the_run() {
    let mut play = waiting();
    play.after(HOUR);
    assert!(play.event("w", "message.received", json!({ "contact_id": "c2" })).is_empty(), "a stranger's message");
    assert!(play.event("w", "message.sent", json!({ "contact_id": "c1" })).is_empty(), "another type");
    assert_eq!(
        play.event("w", "message.received", json!({ "contact_id": "c1", "text": "yes" })),
        ["event_consumed", "wait_resolved", "step_completed", "run_completed"]
    );
    assert_eq!(play.output("w")["data"]["text"], "yes");
    assert_eq!(play.state.output, json!(false));
    completed(&play);
}

#[test]
fn a_wait_that_gives_up_says_so() {
    let mut play = waiting();
    assert!(play.after(24 * HOUR - 1).due("w").is_empty());
    assert_eq!(play.after(1).due("w"), ["wait_timed_out", "step_completed", "run_completed"]);
    assert_eq!(play.state.output, json!(true));
    completed(&play);
}

#[test]
fn an_event_taken_in_by_the_due_time_beats_the_time_out_however_late_it_is_processed() {
    let mut play = waiting();
    play.after(24 * HOUR);
    let event = play.new_event("message.received", json!({ "contact_id": "c1" }));
    play.after(HOUR);
    assert_eq!(
        play.happen(Happening::Event { target: "w".into(), which: "event".into(), event }),
        ["event_consumed", "wait_resolved", "step_completed", "run_completed"]
    );
    completed(&play);
}

#[test]
fn an_event_taken_in_after_the_due_time_loses_however_late_the_time_out_is_processed() {
    let mut play = waiting();
    play.after(24 * HOUR + 1);
    assert_eq!(play.event("w", "message.received", json!({ "contact_id": "c1" })), ["wait_timed_out", "step_completed", "run_completed"]);
    completed(&play);
}

#[test]
fn a_reply_faster_than_we_are_counts_and_an_older_one_does_not() {
    let source = steps(
        "  - { id: x, do: test.call }\n  - { id: say, do: test.send }\n  - { id: w, wait_for: { event: message.received, match: contact }, timeout: 24h }\n",
    );
    let mut play = Play::started(&source, json!({ "contact_id": "c1" }));
    play.after(1_000);
    let before = play.new_event("message.received", json!({ "contact_id": "c1" }));
    play.after(1_000).done(json!({}));
    let since = Timestamp::from_millis(play.now);
    play.after(500);
    let during = play.new_event("message.received", json!({ "contact_id": "c1" }));
    play.after(500).done(json!({}));
    let Some(Action::OpenWait { since: asked, .. }) = play.actions.iter().rev().find(|action| matches!(action, Action::OpenWait { .. })) else { panic!() };
    assert_eq!(*asked, Some(since), "from when the step before it was scheduled");
    let hand_in = |play: &mut Play, event: &Arc<Event>| play.happen(Happening::Event { target: "w".into(), which: "event".into(), event: Arc::clone(event) });
    assert!(hand_in(&mut play, &before).is_empty());
    assert_eq!(hand_in(&mut play, &during), ["event_consumed", "wait_resolved", "run_completed"]);
    assert!(hand_in(&mut play, &during).is_empty(), "a repeated event");
    completed(&play);
}

#[test]
fn the_event_that_started_the_run_never_counts() {
    let source = steps("  - { id: w, wait_for: { event: start, match: any, since: run } }\n");
    let mut play = Play::started(&source, json!({}));
    let own = Arc::new(Event {
        event_id: EventId(uuid::Uuid::from_u128(99)),
        taken_in_at: Timestamp::from_millis(START),
        body: NewEvent::new(organisation(), "start", "/test", json!({})),
    });
    assert!(play.happen(Happening::Event { target: "w".into(), which: "event".into(), event: own }).is_empty());
    assert_eq!(play.event("w", "start", json!({})), ["event_consumed", "wait_resolved", "run_completed"]);
    completed(&play);
}

#[test]
fn the_condition_sees_incoming_and_an_odd_event_does_not_fail_the_run() {
    let source = steps("  - { id: w, wait_for: { event: message.received, match: contact, if: incoming.data.text == \"yes\" } }\n");
    let mut play = Play::started(&source, json!({ "contact_id": "c1", "text": "yes" }));
    assert!(play.event("w", "message.received", json!({ "contact_id": "c1", "text": "no" })).is_empty());
    assert!(play.event("w", "message.received", json!({ "contact_id": "c1" })).is_empty(), "an image has no text");
    assert_eq!(play.state.status, RunStatus::Waiting);
    assert_eq!(play.event("w", "message.received", json!({ "contact_id": "c1", "text": "yes" })), ["event_consumed", "wait_resolved", "run_completed"]);
    completed(&play);
}

#[test]
fn any_of_several_named_events() {
    let source = steps(
        "  - id: w\n    wait_for: { any: { reply: { event: message.received, match: contact }, stop: { event: contact.unsubscribed, match: contact } } }\n  - { id: end, stop: { output: \"{{ steps.w.which }}\" } }\n",
    );
    let mut play = Play::started(&source, json!({ "contact_id": "c1" }));
    let event = play.new_event("contact.unsubscribed", json!({ "contact_id": "c1" }));
    assert!(play.happen(Happening::Event { target: "w".into(), which: "reply".into(), event: Arc::clone(&event) }).is_empty());
    play.happen(Happening::Event { target: "w".into(), which: "stop".into(), event });
    assert_eq!(play.state.output, json!("stop"));
    completed(&play);
}

#[test]
fn a_match_that_could_never_match_fails_the_step() {
    let source = steps("  - { id: w, wait_for: { event: message.received, match: { contact_id: \"{{ event.data.id }}\" } } }\n");
    let play = Play::started(&source, json!({ "id": null }));
    assert_eq!(play.state.error.as_ref().map(|error| error.code.clone()), Some(crate::ErrorCode::InvalidInput));
    play.check();
    let without_contact = Play::started(&steps("  - { id: w, wait_for: { event: message.received, match: contact } }\n"), json!({}));
    assert!(without_contact.state.error.as_ref().is_some_and(|error| error.message.contains("contact")));
}
