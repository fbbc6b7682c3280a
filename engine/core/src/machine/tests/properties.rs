//! Whatever happens, in whatever order: the history folds to the state, replays the same, and an ended run stays ended.

use super::*;
use proptest::prelude::*;

const SOURCE: &str = "name: test
on:
  - event: start
exit_on:
  - { event: contact.unsubscribed, match: contact }
timeout: 20h
vars: { wait: 2h }
retry: { max_attempts: 2, initial: 1s, jitter: 0.5 }
steps:
  - { id: who, do: test.contact, on_error: continue }
  - { id: ab, split: { variants: { a: 1, b: { weight: 3, steps: [{ id: inb, do: test.call, timeout: 5s }] } } } }
  - { id: say, if: steps.who.id, do: test.send, with: { to: \"{{ steps.who.id }}\", name: \"{{ contact.name | default('x') }}\" }, on_error: continue }
  - { id: nap, delay: \"{{ vars.wait }}\" }
  - { id: w, wait_for: { event: message.received, match: any, if: incoming.data.n > 3 }, timeout: 4h }
  - id: way
    choose:
      - if: steps.w.timed_out
        steps:
          - { id: tell, emit: nobody.answered, with: { who: \"{{ steps.who.id }}\" } }
          - { id: halt, stop: { status: failed, reason: silence } }
      - else:
          - { id: mark, set: { answered: true } }
          - { id: last, do: test.call, with: { n: \"{{ steps.w.data.n }}\" } }
";

/// Steps with steps inside, and what undoes them.
const GROUPS: &str = "name: test
on:
  - event: start
exit_on:
  - { event: contact.unsubscribed, match: any, compensate: true }
timeout: 30h
steps:
  - id: t
    try:
      - { id: book, do: test.call, compensate: { do: test.send, with: { n: \"{{ steps.book.n | default(0) }}\" } } }
      - id: p
        join: 2
        parallel:
          a: [{ id: say, do: test.send, on_error: continue }, { set: { a: 1 } }]
          b:
            - id: inner
              try: [{ id: w, wait_for: { event: message.received, match: any, if: incoming.data.n > 3 }, timeout: 4h }]
              finally: [{ id: last, do: test.call }]
          c: [{ id: inb, do: test.call, compensate: { do: test.call, with: {} } }]
      - id: each
        for_each: [x, y, z]
        max_parallel: 2
        on_item_error: continue
        steps: [{ id: item_call, do: test.call, with: { item: \"{{ item }}\" } }]
    catch:
      - { on: [not_found], steps: [{ id: who, do: test.contact, on_error: continue }] }
    finally:
      - { id: nap, delay: 1h }
  - id: again
    repeat:
      until: steps.poll.n > 100
      times: 3
      steps: [{ id: poll, do: test.call }]
  - { id: sub, call: other-flow, on_error: continue }
  - { id: ok, ask: { who: { role: manager }, title: Go on?, remind_every: 1h }, timeout: 3h }
  - { id: mark, stop: { status: failed, reason: planned } }
";

/// Steps with steps inside that nothing undoes: what fails can be taken up again.
const REPAIRED: &str = "name: test
on:
  - event: start
timeout: 30h
steps:
  - id: p
    join: 2
    parallel:
      a:
        - id: t
          try: [{ id: say, do: test.call, with: { n: 1 } }]
          finally: [{ id: nap, delay: 1h }, { id: inb, do: test.call }]
      b: [{ id: w, wait_for: { event: message.received, match: any, if: incoming.data.n > 3 }, timeout: 4h }, { id: last, do: test.send }]
      c: [{ id: who, do: test.contact }, { id: sub, call: other-flow, with: { n: 2 } }]
  - id: each
    for_each: [x, y, z]
    max_parallel: 2
    steps: [{ id: item_call, do: test.call, with: { item: \"{{ item }}\" } }]
  - id: again
    try:
      - id: loop
        repeat:
          until: steps.poll.n > 100
          max: 3
          steps: [{ id: poll, do: test.call }]
    catch:
      - { on: [not_found], steps: [{ id: caught, do: test.call }] }
  - { id: ok, ask: { who: { role: manager }, title: Go on? }, timeout: 3h }
  - { if: run.key != 'x', then: [{ id: halt, stop: { status: failed, reason: planned } }] }
  - { id: end, emit: went.on, with: { run: \"{{ run.id }}\" } }
";

#[derive(Clone, Debug)]
enum Push {
    Wait(i64),
    Done(u8),
    Fail(u8),
    RetryAfter(u8),
    Hold(u8),
    Unknown,
    Late(u8),
    DueNext,
    Due(u8),
    Message(u8),
    Unsubscribed,
    Cancel(bool),
    Pause,
    Resume,
    Continue,
    Answer,
    ChildEnds(u8),
    Repair(u8),
    Fork(u8),
    Migrate(bool),
}

/// The same file, but for times and texts.
fn edited(source: &str, version: u32) -> String {
    source.replace("timeout: 4h", &format!("timeout: {}h", 4 + version)).replace("title: Go on?", &format!("title: Go on {version}?"))
}

fn push() -> impl Strategy<Value = Push> {
    prop_oneof![
        2 => (0_i64..5_000_000).prop_map(Push::Wait),
        8 => any::<u8>().prop_map(Push::Done),
        2 => any::<u8>().prop_map(Push::Fail),
        1 => any::<u8>().prop_map(Push::RetryAfter),
        1 => any::<u8>().prop_map(Push::Hold),
        1 => Just(Push::Unknown),
        2 => any::<u8>().prop_map(Push::Late),
        6 => Just(Push::DueNext),
        2 => any::<u8>().prop_map(Push::Due),
        4 => any::<u8>().prop_map(Push::Message),
        1 => Just(Push::Unsubscribed),
        1 => any::<bool>().prop_map(Push::Cancel),
        1 => Just(Push::Pause),
        2 => Just(Push::Resume),
        1 => Just(Push::Continue),
        2 => Just(Push::Answer),
        2 => any::<u8>().prop_map(Push::ChildEnds),
        3 => any::<u8>().prop_map(Push::Repair),
        1 => any::<u8>().prop_map(Push::Fork),
        2 => any::<bool>().prop_map(Push::Migrate),
    ]
}

fn apply(play: &mut Play, push: &Push) {
    let mut calls = play.state.in_flight();
    let mut outcome = |play: &mut Play, which: u8, outcome| {
        if !calls.is_empty() {
            let call = calls.swap_remove(usize::from(which) % calls.len());
            play.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome });
        }
    };
    let error = |code: &str| StepError::new(crate::ErrorCode::parse(code), "x");
    let names = ["who", "inb", "say", "nap", "w", "last", RUN_TIMER, SETTLE_TIMER, "nosuch"];
    match push {
        Push::Wait(millis) => play.now += millis,
        Push::Done(n) => outcome(play, *n, Outcome::done(json!({ "id": format!("c{}", n % 3), "n": n }))),
        Push::Fail(n) => {
            let code = ["unavailable", "invalid_input", "timeout", "not_found"][usize::from(n % 4)];
            outcome(play, *n, Outcome::Failed { error: error(code) });
        }
        Push::RetryAfter(n) => outcome(play, *n, Outcome::Retry { after_ms: Some(i64::from(*n) * 100), error: error("rate_limited") }),
        Push::Hold(n) => {
            let until = (n % 5 > 0).then(|| Timestamp::from_millis(play.now + i64::from(*n) * 1_000));
            outcome(play, *n, Outcome::Hold { until, reason: "held".into() });
        }
        Push::Unknown => outcome(play, 0, Outcome::Unknown { error: error("unavailable") }),
        Push::Late(n) => {
            let step = path(names[usize::from(*n) % names.len()]);
            play.happen(Happening::StepEnded { step, attempt: u32::from(n % 4), outcome: Outcome::done(json!({ "late": n })) });
        }
        Push::DueNext => {
            if let Some((key, due)) = play.state.timers().into_iter().min_by_key(|(_, due)| *due) {
                play.now = play.now.max(due.as_millis());
                play.due(&key);
            }
        }
        Push::Due(n) => {
            play.due(names[usize::from(*n) % names.len()]);
        }
        Push::Message(n) => {
            play.event("w", "message.received", json!({ "contact_id": "c1", "n": n % 8 }));
        }
        Push::Unsubscribed => {
            play.event("$exit.0", "contact.unsubscribed", json!({ "contact_id": "c1" }));
        }
        Push::Cancel(force) => {
            play.cancel(*force);
        }
        Push::Pause => {
            play.happen(Happening::Pause { by: "admin".into(), reason: None });
        }
        Push::Resume => {
            play.happen(Happening::Resume { by: "admin".into() });
        }
        Push::Continue => {
            play.happen(Happening::Continue);
        }
        Push::Answer => {
            play.happen(Happening::Answered { step: path("ok"), answer: json!("approve"), by: "u1".into() });
        }
        Push::Repair(n) => {
            let how = match n % 3 {
                0 => Repair::Skip { output: json!({ "n": n }) },
                1 => Repair::Retry { input: Some(json!({ "edited": n })), not_done: true },
                _ => Repair::Retry { input: None, not_done: n % 2 == 0 },
            };
            drop(play.repair(how));
        }
        Push::Fork(n) => {
            let point = Point::After(1 + u64::from(*n) % play.history.len().max(1) as u64);
            if let Ok(copy) = play.fork(point, None) {
                *play = copy;
            }
        }
        Push::Migrate(again) => migrate(play, *again),
        Push::ChildEnds(n) => {
            if let Some(child) = play.state.children().into_iter().next() {
                let outcome = match n % 3 {
                    0 => crate::history::ChildOutcome::Completed { output: json!({ "n": n }) },
                    1 => crate::history::ChildOutcome::Failed { error: error("declined") },
                    _ => crate::history::ChildOutcome::Cancelled {},
                };
                play.happen(Happening::ChildEnded { step: child.step, run_id: child.run_id, outcome });
            }
        }
    }
}

/// Moves a run that rests to the next version; one that does so at random begins again there.
fn migrate(play: &mut Play, again: bool) {
    if play.state.unrest().is_some() {
        return;
    }
    let version = play.state.version + 1;
    // What was taken up again cannot be followed; a person maps such a run.
    if play.history.iter().any(|entry| matches!(entry.fact, crate::history::Fact::Reopened { .. })) {
        return;
    }
    let source = edited(&play.workflow.source, version);
    let new = workflow(&source);
    if again && let Ok(begun) = begin_again(version, &play.state) {
        play.moves(&source, Moved::Restarted, begun);
        return;
    }
    let carried = carry_over(&play.workflow, &new, version, &play.state, &Mapping::default()).expect("every step is there");
    let judged = would_decide(&play.workflow, &new, &Mapping::default(), organisation(), play.state.run_id, &play.history);
    assert_eq!(judged, Ok(()), "only times and texts differ\n{}", play.told());
    play.moves(&source, Moved::Kept, carried);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]
    #[test]
    fn any_interleaving_keeps_the_promises(groups in 0..3_u8, pushes in prop::collection::vec(push(), 0..60)) {
        let mut play = Play::started(match groups { 0 => SOURCE, 1 => GROUPS, _ => REPAIRED }, json!({ "n": 1 }));
        play.records.insert("contact".into(), json!({ "id": "c1", "name": "Asha" }));
        for push in &pushes {
            let (ended, before) = (play.state.status.is_final(), play.history.len());
            apply(&mut play, push);
            let taken_up = matches!(push, Push::Repair(_) | Push::Fork(_));
            prop_assert!(!ended || taken_up || play.history.len() == before, "an ended run went on");
            for entry in play.history.get(before..).unwrap_or_default() {
                if let crate::history::Fact::TimerFired { due } | crate::history::Fact::WaitTimedOut { due } = &entry.fact {
                    prop_assert!(*due <= entry.at, "a timer fired early");
                }
            }
        }
        play.check();
    }
}

/// Found by the property above: two timers fell due while the run was paused, a copy of it took the one up, and was paused before the other.
#[test]
fn a_copy_whose_deadline_moved_may_be_paused_before_it() {
    let mut play = Play::started(SOURCE, json!({ "n": 1 }));
    play.records.insert("contact".into(), json!({ "id": "c1", "name": "Asha" }));
    for push in [Push::Pause, Push::DueNext, Push::Fail(0), Push::Wait(631), Push::Fork(4), Push::Wait(371_945), Push::Due(0), Push::Pause] {
        apply(&mut play, &push);
    }
    assert!(play.kinds().ends_with(&["paused", "retry_scheduled", "reopened", "step_scheduled", "paused"]), "{}", play.told());
    play.check();
}
