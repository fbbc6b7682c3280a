//! Each durable function against what can happen to it: late, repeated, cancelled, timed out, crashed before and after the
//! commit.

use super::machine::{Play, run_id};
use onward_core::{
    Value,
    history::ChildOutcome,
    machine::{Action, Happening},
    ports::{Outcome, RunStatus},
};
use serde_json::json;

/// What ends the call of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// It ends by itself.
    Itself,
    Node,
    Timer,
    Event,
    Child,
    Admission,
    Answer,
}

struct Row {
    script: &'static str,
    by: By,
    output: Value,
}

fn rows() -> Vec<Row> {
    let row = |script, by, output| Row { script, by, output };
    vec![
        row("step(\"debug.echo\", #{ n: 1 }).n", By::Node, json!(7)),
        row("step(\"crm.contact.get\").n", By::Node, json!(7)),
        row("step(\"named\", \"message.send\").n", By::Node, json!(7)),
        row("sleep(\"1h\")", By::Timer, json!(null)),
        row("sleep_until(\"tomorrow 09:30\")", By::Timer, json!(null)),
        row("wait_for(\"message.received\", #{ contact_id: \"c1\" }).data.text", By::Event, json!("yes")),
        row("wait_for(\"message.received\", \"any\", \"2h\").data.text", By::Event, json!("yes")),
        row("wait_for(\"message.received\", \"any\", \"2h\") == ()", By::Timer, json!(true)),
        row("call(\"other\", #{ n: 1 }).n", By::Child, json!(7)),
        row("start(\"other\", #{ n: 1 }).run_id != ()", By::Admission, json!(true)),
        row("ask(#{ who: #{ role: \"owner\" }, title: \"Go on?\" }).answer", By::Answer, json!("approve")),
        row("ask(\"named\", #{ who: #{ role: \"owner\" }, title: \"Go on?\", timeout: \"2h\" }).timed_out", By::Timer, json!(true)),
        row("parallel([|| sleep(\"1h\"), || 2])[1]", By::Timer, json!(2)),
        row("split(\"test\", #{ only: 1 })", By::Itself, json!("only")),
        row("emit(\"went\", #{ n: 1 }) != ()", By::Itself, json!(true)),
        row("log(\"here\")", By::Itself, json!(null)),
    ]
}

/// What happens to the call that the run stands at.
fn happening(play: &mut Play, by: By) -> Happening {
    match by {
        By::Itself => Happening::Continue,
        By::Node => {
            let call = play.state.in_flight().pop().expect("a call in flight");
            Happening::StepEnded { step: call.step, attempt: call.attempt, outcome: Outcome::done(json!({ "n": 7 })) }
        }
        By::Timer => {
            let (key, due) = play.state.timers().into_iter().min_by_key(|(_, due)| *due).expect("a timer");
            play.now = due.as_millis();
            Happening::Due { key }
        }
        By::Event => play.arriving("wait_for:1", json!({ "contact_id": "c1", "text": "yes" })),
        By::Child => {
            let child = play.state.children().pop().expect("a child");
            Happening::ChildEnded { step: child.step, run_id: child.run_id, outcome: ChildOutcome::Completed { output: json!({ "n": 7 }) } }
        }
        By::Admission => Happening::ChildStarted { step: play.state.children().pop().expect("a child").step },
        By::Answer => {
            let step = play.state.questions().pop().expect("a question").0.clone();
            Happening::Answered { step, answer: json!("approve"), by: "asha".into() }
        }
    }
}

fn ended(play: &Play, row: &Row, how: &str) {
    assert_eq!((play.state.status, &play.state.output), (RunStatus::Completed, &row.output), "{} {how}: {:#?}", row.script, play.lines());
    play.check();
}

#[test]
fn a_call_ends_once_whatever_comes_again_or_late() {
    for row in rows() {
        let mut play = Play::started(row.script);
        play.check();
        let happening = happening(&mut play, row.by);
        play.happen(happening.clone());
        ended(&play, &row, "plainly");
        let entries = play.history.len();
        play.now += 1_000;
        play.happen(happening.clone());
        play.crash();
        play.happen(happening);
        assert_eq!(play.history.len(), entries, "{}: what comes late changes nothing", row.script);
    }
}

#[test]
fn a_call_that_is_repeated_while_the_run_goes_on_ends_once() {
    for row in rows().into_iter().filter(|row| row.by != By::Itself) {
        let mut play = Play::started(&format!("let output = {}; step(\"after\", \"debug.echo\"); output", row.script));
        let happening = happening(&mut play, row.by);
        play.happen(happening.clone());
        let entries = play.history.len();
        play.happen(happening.clone());
        play.crash();
        play.happen(happening);
        assert_eq!(play.history.len(), entries, "{}: {:#?}", row.script, play.lines());
        play.done("after", json!({}));
        ended(&play, &row, "repeated");
    }
}

#[test]
fn a_crash_before_or_after_the_commit_changes_nothing() {
    for row in rows() {
        let mut before = Play::started(row.script);
        before.crash();
        let happening = happening(&mut before, row.by);
        let committed = before.history.clone();
        before.happen(happening.clone());
        // What was decided is lost with the process: it comes again.
        before.history = committed;
        before.crash();
        before.happen(happening);
        ended(&before, &row, "after a crash before the commit");
        let entries = before.history.len();
        before.crash();
        assert_eq!(before.history.len(), entries, "{}: a crash after the commit", row.script);
        ended(&before, &row, "after a crash after the commit");
    }
}

#[test]
fn a_cancel_ends_every_call_and_what_comes_after_it_decides_nothing() {
    for row in rows().into_iter().filter(|row| row.by != By::Itself) {
        let mut play = Play::started(&format!("try {{ {}; }} catch {{ return \"caught\"; }} step(\"after\", \"debug.echo\");", row.script));
        let late = happening(&mut play, row.by);
        play.happen(Happening::Cancel { by: "admin".into(), reason: None, force: false });
        play.check();
        play.happen(late.clone());
        // A run that is only started is never heard of again.
        while !play.state.status.is_final() && play.due() {}
        assert_eq!(play.state.status, RunStatus::Cancelled, "{}: {:#?}", row.script, play.lines());
        play.happen(late);
        play.check();
        assert!(!play.lines().iter().any(|line| line.ends_with(" after")), "{}: nothing of the script runs any more", row.script);
    }
}

#[test]
fn a_failed_call_is_an_exception_with_its_code() {
    let error = |code| onward_core::StepError::new(code, "no");
    let declined = onward_core::ErrorCode::Declined;
    let caught = |call: &str| format!("try {{ {call}; }} catch (e) {{ return e.code; }}");
    let mut node = Play::started(&caught("step(\"debug.echo\")"));
    node.ends("do:debug.echo:1", Outcome::Failed { error: error(declined.clone()) });
    assert_eq!(node.state.output, json!("declined"));
    let mut child = Play::started(&caught("call(\"other\")"));
    let open = child.state.children().remove(0);
    child.happen(Happening::ChildEnded { step: open.step, run_id: open.run_id, outcome: ChildOutcome::Failed { error: error(declined.clone()) } });
    assert_eq!(child.state.output, json!("declined"));
    let mut refused = Play::started(&caught("start(\"other\")"));
    let step = refused.state.children().remove(0).step;
    refused.happen(Happening::ChildRefused { step, error: error(declined) });
    assert_eq!(refused.state.output, json!("declined"));
    for play in [node, child, refused] {
        play.check();
    }
}

#[test]
fn it_goes_on_in_a_new_history_after_a_moment() {
    let mut play = Play::started("step(\"a\", \"debug.echo\"); try { continue_as(#{ lap: 2 }); } catch { 1 }");
    play.done("a", json!({}));
    assert_eq!(play.state.status, RunStatus::Waiting);
    play.check();
    play.crash();
    assert!(play.due());
    assert_eq!(play.state.status, RunStatus::Completed);
    let next = play.actions.iter().find_map(|action| match action {
        Action::ContinueAs { run_id, input } => Some((*run_id, input.clone())),
        _ => None,
    });
    let (next, input) = next.expect("it goes on");
    assert!(next != run_id() && input == json!({ "lap": 2 }));
    assert_eq!(play.state.output, json!({ "continued_as": next }));
    play.check();
}

#[test]
fn the_same_wait_again_goes_on_after_the_event_that_it_consumed() {
    let mut play = Play::started("let seen = []; for i in 0..2 { seen.push(wait_for(\"message.received\", \"any\").data.n); } seen");
    let first = play.arriving("wait_for:1", json!({ "n": 1 }));
    play.happen(first.clone());
    let Happening::Event { which, event, .. } = first else { panic!("an event") };
    play.happen(Happening::Event { target: "wait_for:2".into(), which, event });
    assert_eq!(play.state.status, RunStatus::Waiting, "one event is consumed once by one wait");
    play.now += 1;
    play.event("wait_for:2", json!({ "n": 2 }));
    assert_eq!(play.state.output, json!([1, 2]));
    play.check();
}
