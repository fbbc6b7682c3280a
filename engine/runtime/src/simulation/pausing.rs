//! Scenarios of pauses: held, never skipped; deadlines do not move; what fell due is applied in order (SEMANTICS.md 29).

use super::{
    scenarios::{calm, calm_with, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::{EngineError, config::Plant};
use onward_core::{
    OrganisationId, Timestamp,
    history::Fact,
    ports::{Clock as _, Executor as _, Ids as _, Pause, PauseScope, RunRow, RunStatus},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;

const HOUR: i64 = 3_600_000;

fn set(world: &World, handle: &Handle, scope: &PauseScope, on: bool) -> bool {
    let pause = Pause { scope: scope.clone(), at: Timestamp::default(), by: "me".into(), reason: None };
    world.simulation.executor.block_on(handle.set_pause(pause, on)).expect("committed")
}

fn send(world: &World, handle: &Handle, kind: &str, data: serde_json::Value) {
    let id = world.simulation.ids.fresh(world.simulation.clock.now()).to_string();
    ingest(world, handle, vec![event(world, kind, &id, data)]).expect("taken in");
}

fn run(world: &World, workflow: &str) -> RunRow {
    runs(world, workflow).pop().expect("a run")
}

/// The kinds of a run's entries about one step, in order.
fn kinds(world: &World, row: &RunRow, step: &str) -> Vec<&'static str> {
    let history = world.store.inner().committed_history(row.id).expect("readable");
    history.iter().filter(|entry| entry.step.as_deref() == Some(step)).map(|entry| entry.fact.kind()).collect()
}

const SLEEPER: &str = "
name: sleeper
on: [{ event: go }]
steps:
  - { id: sleep, delay: '{{ event.data.hours }}h' }
  - { id: done, do: test.count, with: {} }
";
const LISTENER: &str = "
name: listener
on: [{ event: listen }]
steps:
  - { id: heard, wait_for: { event: shout, match: any }, timeout: 10h }
  - { id: done, do: test.count, with: {} }
";

#[test]
fn a_paused_organisation_holds_starts_timers_events_and_deadlines_and_applies_them_in_order() {
    let (world, handle) = calm(&[SLEEPER, LISTENER]);
    for hours in [3, 1, 2] {
        send(&world, &handle, "go", json!({ "hours": hours }));
    }
    send(&world, &handle, "listen", json!({}));
    pass(&world, 1_000);
    let scope = PauseScope::Organisation(world.organisation);
    assert!(set(&world, &handle, &scope, true) && !set(&world, &handle, &scope, true));
    send(&world, &handle, "go", json!({ "hours": 1 }));
    pass(&world, 2 * HOUR + 1_000);
    send(&world, &handle, "shout", json!({}));
    pass(&world, 10 * HOUR);
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, 10 * HOUR);
    assert_eq!(runs(&world, "sleeper").len(), 3, "the new start is held");
    assert!(runs(&world, "sleeper").iter().all(|run| !run.status.is_final()), "nothing goes on");
    let one = run(&world, "listener");
    let refused = world.simulation.executor.block_on(handle.resume(world.organisation, one.id, "me"));
    assert!(matches!(&refused, Err(EngineError::Conflict(message)) if message.contains("onward resume")), "{refused:?}");
    assert!(set(&world, &handle, &scope, false));
    pass(&world, 1_000);
    let sleepers = runs(&world, "sleeper");
    let mut done: Vec<_> = sleepers.iter().filter(|run| run.status == RunStatus::Completed).collect();
    assert_eq!(done.len(), 3);
    done.sort_by_key(|run| (run.ended_at, fired(&world, run)));
    let hours: Vec<_> = done.iter().map(|run| run.input["hours"].as_i64()).collect();
    assert!(done.is_sorted_by_key(|run| fired(&world, run)), "in order of due time: {hours:?}");
    assert_eq!(kinds(&world, &run(&world, "listener"), "heard"), ["wait_opened", "event_consumed", "wait_resolved"], "the event beat the time-out");
    assert_eq!(sleepers.len(), 4, "the held start began");
}

/// When a run's sleep was due.
fn fired(world: &World, row: &RunRow) -> Option<Timestamp> {
    let history = world.store.inner().committed_history(row.id).expect("readable");
    history.iter().find_map(|entry| match entry.fact {
        Fact::TimerFired { due } => Some(due),
        _ => None,
    })
}

#[test]
fn a_deadline_that_passed_meanwhile_has_passed() {
    let (world, handle) = calm(&[LISTENER]);
    send(&world, &handle, "listen", json!({}));
    pass(&world, 1_000);
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "listener", true)).expect("paused");
    pass(&world, 11 * HOUR);
    send(&world, &handle, "shout", json!({}));
    pass(&world, HOUR);
    assert!(!run(&world, "listener").status.is_final());
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "listener", false)).expect("resumed");
    pass(&world, 1_000);
    let row = run(&world, "listener");
    assert_eq!((row.status, kinds(&world, &row, "heard")), (RunStatus::Completed, vec!["wait_opened", "wait_timed_out"]), "deadlines do not move");
}

const TWINS: &str = "
name: twins
on: [{ event: twin }]
steps:
  - id: both
    parallel:
      a: [{ id: left, delay: 60m }]
      b: [{ id: right, delay: 61m }]
  - { id: done, do: test.count, with: {} }
";

/// A run that nothing keeps in memory is read again for each of its timers: that must not set the others, which then had
/// it read again, and so on without end.
#[test]
fn a_paused_run_outside_memory_rests_though_several_of_its_timers_are_due() {
    let (world, handle) = calm_with(&[TWINS], |world| world.limits.resting_runs = 0);
    send(&world, &handle, "twin", json!({}));
    pass(&world, 1_000);
    let one = run(&world, "twins");
    world.simulation.executor.block_on(handle.pause(world.organisation, one.id, "me", None)).expect("paused");
    pass(&world, 3 * HOUR);
    assert_eq!(kinds(&world, &one, "left"), ["timer_set"], "held");
    world.simulation.executor.block_on(handle.resume(world.organisation, one.id, "me")).expect("resumed");
    pass(&world, 1_000);
    assert_eq!((kinds(&world, &one, "left"), run(&world, "twins").status), (vec!["timer_set", "timer_fired"], RunStatus::Completed));
}

const CHAIN: &str = "
name: chain
on: [{ event: go }]
steps:
  - { id: a, do: test.call, with: { n: 1 } }
  - { id: b, do: test.send, with: { n: 2 }, on_error: continue }
  - { id: c, do: test.count, with: {} }
";

#[test]
fn a_paused_step_is_reached_and_not_begun() {
    let (world, handle) = calm(&[CHAIN]);
    let step = |step: &str| PauseScope::Step { organisation: world.organisation, workflow: "chain".into(), step: step.into() };
    set(&world, &handle, &step("b"), true);
    send(&world, &handle, "go", json!({}));
    pass(&world, HOUR);
    let row = run(&world, "chain");
    assert_eq!((row.status, kinds(&world, &row, "b").len()), (RunStatus::Paused, 0));
    assert!(kinds(&world, &row, "a").contains(&"step_completed"), "the step before is done");
    assert!(world.ledger.calls().keys().all(|(node, _)| node != "test.send"));
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, HOUR);
    set(&world, &handle, &step("a"), true);
    send(&world, &handle, "go", json!({}));
    pass(&world, HOUR);
    assert_eq!(runs(&world, "chain").len(), 1, "a start whose first step is paused is held");
    set(&world, &handle, &step("b"), false);
    pass(&world, HOUR);
    assert_eq!(run(&world, "chain").status, RunStatus::Completed);
    set(&world, &handle, &step("a"), false);
    pass(&world, HOUR);
    assert!(runs(&world, "chain").len() == 2 && runs(&world, "chain").iter().all(|run| run.status == RunStatus::Completed));
}

#[test]
fn a_version_is_held_with_everything_it_started_and_no_other() {
    let (world, handle) = calm(&[SLEEPER]);
    send(&world, &handle, "go", json!({ "hours": 1 }));
    publish(&world, &handle, &SLEEPER.replace("id: done", "id: end"));
    send(&world, &handle, "go", json!({ "hours": 1 }));
    let scope = PauseScope::Version { organisation: world.organisation, workflow: "sleeper".into(), version: 2 };
    set(&world, &handle, &scope, true);
    send(&world, &handle, "go", json!({ "hours": 1 }));
    pass(&world, 3 * HOUR);
    let ended: Vec<u32> = runs(&world, "sleeper").iter().filter(|run| run.status.is_final()).map(|run| run.version).collect();
    assert_eq!((ended, runs(&world, "sleeper").len()), (vec![1], 2), "its run stands, and its start is held");
    // Somebody stopped the run by hand besides: that stays.
    let stands = runs(&world, "sleeper").into_iter().find(|run| run.version == 2).expect("it is there");
    set(&world, &handle, &scope, false);
    pass(&world, 2 * HOUR);
    let history = world.store.inner().committed_history(stands.id).expect("readable");
    assert!(history.iter().any(|entry| matches!(entry.fact, Fact::Resumed { .. })));
    assert!(runs(&world, "sleeper").len() == 3 && runs(&world, "sleeper").iter().all(|run| run.status == RunStatus::Completed));
}

#[test]
fn a_run_that_a_person_paused_stays_so_when_others_go_on() {
    let (world, handle) = calm(&[SLEEPER]);
    send(&world, &handle, "go", json!({ "hours": 1 }));
    let row = run(&world, "sleeper");
    world.simulation.executor.block_on(handle.pause(world.organisation, row.id, "me", None)).expect("paused");
    set(&world, &handle, &PauseScope::Everything, true);
    pass(&world, 2 * HOUR);
    set(&world, &handle, &PauseScope::Everything, false);
    pass(&world, 2 * HOUR);
    assert_eq!(run(&world, "sleeper").status, RunStatus::Paused);
    world.simulation.executor.block_on(handle.resume(world.organisation, row.id, "me")).expect("resumed");
    pass(&world, 1_000);
    assert_eq!(run(&world, "sleeper").status, RunStatus::Completed);
}

#[test]
fn other_organisations_go_on() {
    let (world, handle) = calm(&[SLEEPER]);
    let other = OrganisationId(world.simulation.ids.fresh(world.simulation.clock.now()));
    set(&world, &handle, &PauseScope::Organisation(other), true);
    send(&world, &handle, "go", json!({ "hours": 1 }));
    pass(&world, 2 * HOUR);
    assert_eq!(run(&world, "sleeper").status, RunStatus::Completed);
}

#[test]
fn what_was_in_flight_at_the_pause_is_recorded_and_nothing_follows() {
    let (world, handle) = calm(&[CHAIN]);
    let sent = handle.clone();
    let go = event(&world, "go", "1", json!({}));
    world.simulation.executor.spawn(Box::pin(async move { drop(sent.ingest(vec![go]).await) }));
    while world.ledger.calls().is_empty() {
        assert!(world.simulation.executor.run_steps(1), "the call is made");
    }
    let scope = PauseScope::Organisation(world.organisation);
    set(&world, &handle, &scope, true);
    pass(&world, HOUR);
    let row = run(&world, "chain");
    assert_eq!(row.status, RunStatus::Paused);
    assert!(kinds(&world, &row, "b").is_empty());
    // The resume is interrupted by failing commits and a crash: it goes on by itself.
    world.store.script([None, Some(CommitFault::Failed), Some(CommitFault::UnknownLost)]);
    set(&world, &handle, &scope, false);
    world.simulation.executor.crash();
    let _again = world.start();
    pass(&world, 2 * HOUR);
    assert_eq!(run(&world, "chain").status, RunStatus::Completed);
}

/// Everything and the organisation are paused, and both go on while the runs are looked at; how many runs were left behind.
///
/// The first pass finds them held still, and is pages ahead when the second begins. Both have a page in the next commit.
fn left_behind(plant: Option<Plant>) -> usize {
    let (world, handle) = calm_with(&[SLEEPER], |world| world.limits.plant = plant);
    let many = (0..20).map(|number| event(&world, "go", &number.to_string(), json!({ "hours": 1 }))).collect();
    ingest(&world, &handle, many).expect("taken in");
    let organisation = PauseScope::Organisation(world.organisation);
    assert!(set(&world, &handle, &PauseScope::Everything, true) && set(&world, &handle, &organisation, true));
    pass(&world, 2 * HOUR);
    let are = |status| runs(&world, "sleeper").iter().filter(|run| run.status == status).count();
    assert_eq!(are(RunStatus::Paused), 20);
    // The pause's own commit, two pages, and a page during whose commit the other pause ends, too.
    world.store.script([None, None, None, Some(CommitFault::Slow(1_000))]);
    let first = handle.clone();
    let ended = |scope: &PauseScope| Pause { scope: scope.clone(), at: Timestamp::default(), by: "me".into(), reason: None };
    let pause = ended(&organisation);
    world.simulation.executor.spawn(Box::pin(async move { drop(first.set_pause(pause, false).await) }));
    pass(&world, 500);
    assert_eq!(are(RunStatus::Paused), 20, "the other pause holds them");
    let pause = ended(&PauseScope::Everything);
    world.simulation.executor.spawn(Box::pin(async move { drop(handle.set_pause(pause, false).await) }));
    pass(&world, HOUR);
    assert_eq!(are(RunStatus::Completed) + are(RunStatus::Paused), 20);
    are(RunStatus::Paused)
}

#[test]
fn passes_that_meet_leave_nobody_behind() {
    assert_eq!(left_behind(None), 0);
}

#[test]
fn a_forgotten_pass_is_found() {
    assert!(left_behind(Some(Plant::LastPassGoesOn)) > 0, "whoever came between both passes is looked at by neither");
}
