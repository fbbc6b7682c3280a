//! How runs end: exits, cancels, time-outs, and what is in flight then.

use super::*;
use crate::limits::SETTLE_MS;

const EXIT: &str = "exit_on:\n  - { event: contact.unsubscribed, match: contact }\ntimeout: 30d\n";

fn with_exit(text: &str) -> Play {
    Play::started(&steps(text).replace("steps:\n", &format!("{EXIT}steps:\n")), json!({ "contact_id": "c1" }))
}

#[test]
fn an_exit_ends_a_sleeping_run_as_completed() {
    let mut play = with_exit("  - { id: d, delay: 2d }\n");
    assert_eq!(play.kinds(), ["run_started", "bound", "wait_opened", "timer_set"]);
    assert!(play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c2" })).is_empty());
    assert_eq!(play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c1" })), ["exited", "step_cancelled", "run_completed"]);
    assert_eq!(play.state.exit.as_deref(), Some("contact.unsubscribed"));
    assert!(play.actions.iter().any(|action| matches!(action, Action::CloseWait { target } if target == "$exit.0")));
    assert!(play.actions.iter().any(|action| matches!(action, Action::ClearTimer { key } if key == RUN_TIMER)));
    completed(&play);
}

#[test]
fn a_call_in_flight_gets_time_to_settle_and_its_outcome_is_recorded() {
    let mut play = with_exit("  - { id: a, do: test.call }\n  - { id: b, do: test.call }\n");
    assert_eq!(play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c1" })), ["exited"]);
    assert_eq!(play.state.waiting_on()["kind"], "settle");
    play.check();
    assert_eq!(play.done(json!({ "n": 1 })), ["step_completed", "run_completed"], "no new step begins");
    assert_eq!(play.output("a"), json!({ "n": 1 }));
    completed(&play);
}

#[test]
fn a_call_that_does_not_settle_is_left_behind() {
    let mut play = with_exit("  - { id: a, do: test.call }\n");
    play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c1" }));
    assert!(play.after(SETTLE_MS - 1).due(SETTLE_TIMER).is_empty());
    assert_eq!(play.after(1).due(SETTLE_TIMER), ["step_cancelled", "run_completed"]);
    assert!(play.happen(Happening::StepEnded { step: path("a"), attempt: 1, outcome: Outcome::done(json!({})) }).is_empty());
    completed(&play);
}

#[test]
fn an_exit_waits_for_the_contact() {
    let mut play =
        Play::started(&steps("  - { id: a, do: test.contact }\n  - { id: d, delay: 2d }\n").replace("steps:\n", &format!("{EXIT}steps:\n")), json!({}));
    assert!(play.actions.iter().all(|action| !matches!(action, Action::OpenWait { .. })));
    play.done(json!({ "id": "c1" }));
    let since = play.actions.iter().find_map(|action| if let Action::OpenWait { since, .. } = action { Some(*since) } else { None });
    assert_eq!(since, Some(Some(Timestamp::from_millis(START))), "it then also looks at events since the run started");
    assert_eq!(play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c1" })), ["exited", "step_cancelled", "run_completed"]);
    completed(&play);
}

#[test]
fn a_cancel_ends_the_run_and_a_second_one_changes_nothing() {
    let mut sleeping = Play::started(&steps("  - { id: d, delay: 2d }\n"), json!({}));
    assert_eq!(sleeping.cancel(false), ["cancel_requested", "step_cancelled", "run_cancelled"]);
    assert!(sleeping.cancel(false).is_empty());
    sleeping.check();

    let mut calling = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    assert_eq!(calling.cancel(false), ["cancel_requested"]);
    assert!(calling.cancel(false).is_empty());
    assert_eq!(calling.fails("unavailable"), ["step_failed", "run_cancelled"], "nothing is tried again");
    assert_eq!(calling.state.status, RunStatus::Cancelled);
    calling.check();

    let mut forced = Play::started(&steps("  - { id: a, do: test.call }\n"), json!({}));
    forced.cancel(false);
    assert_eq!(forced.cancel(true), ["cancel_requested", "step_cancelled", "run_cancelled"]);
    forced.check();
}

#[test]
fn a_run_that_takes_too_long_fails_with_timeout() {
    let mut play = with_exit("  - { id: w, wait_for: { event: message.received, match: contact } }\n");
    assert!(play.after(30 * 86_400_000 - 1).due(RUN_TIMER).is_empty());
    assert_eq!(play.after(1).due(RUN_TIMER), ["timer_fired", "step_cancelled", "run_failed"]);
    assert_eq!(play.state.error.as_ref().map(|error| error.code.clone()), Some(crate::ErrorCode::Timeout));
    play.check();
}

#[test]
fn stop_can_fail_the_run_with_a_reason() {
    let play = Play::started(&steps("  - { id: s, stop: { status: failed, reason: \"no stock\" } }\n"), json!({}));
    assert_eq!(play.state.status, RunStatus::Failed);
    assert_eq!(play.state.error.as_ref().map(|error| error.message.as_str()), Some("no stock"));
    play.check();
}

#[test]
fn a_paused_run_can_be_cancelled() {
    let mut play = Play::started(&steps("  - { id: d, delay: 2d }\n"), json!({}));
    play.happen(Happening::Pause { by: "admin".into(), reason: None });
    assert_eq!(play.cancel(false), ["cancel_requested", "step_cancelled", "run_cancelled"]);
    play.check();
}
