//! Scenarios of transactions that are decided while the one before them is committed.

use super::{
    scenarios::{ECHO, calm, calm_with, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::EngineLimits;
use onward_core::{
    NewEvent, Timestamp,
    history::{Entry, Fact},
    ports::{Change, Clock as _, Executor as _, RunStatus},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;
use std::sync::Arc;

const WAITS: &str = "
name: waits
on: [{ event: listen }]
steps:
  - { id: heard, wait_for: { event: shout, match: any }, timeout: 1h }
";

/// Two letters at once: with the first answer the other one is waited for no more.
const BOTH: &str = "
name: both
on: [{ event: go }]
steps:
  - id: either
    join: any
    parallel:
      one: [{ id: first, do: test.letter, with: { n: 1 } }]
      other: [{ id: second, do: test.letter, with: { n: 2 } }]
";

/// Hands these in at these milliseconds from now.
fn send(world: &World, handle: &Handle, events: Vec<(i64, NewEvent)>) {
    for (at, event) in events {
        let (clock, sending) = (Arc::clone(&world.simulation.clock), handle.clone());
        world.simulation.executor.spawn(Box::pin(async move {
            clock.sleep(at * 1_000).await;
            drop(sending.ingest(vec![event]).await);
        }));
    }
}

fn go(world: &World, id: &str) -> NewEvent {
    event(world, "go", id, json!({}))
}

/// The histories of a workflow's runs.
fn histories(world: &World, workflow: &str) -> Vec<Vec<Entry>> {
    runs(world, workflow).iter().map(|run| world.store.inner().committed_history(run.id).expect("readable")).collect()
}

/// When an outcome was decided, by its transaction.
fn ended_at(history: &[Entry]) -> Timestamp {
    history.iter().find(|entry| matches!(entry.fact, Fact::StepCompleted { .. })).expect("a step has ended").at
}

#[test]
fn an_outcome_that_comes_during_a_commit_is_decided_then() {
    let (world, handle) = calm(&[ECHO]);
    let began = world.simulation.clock.now();
    // From the second one on, each commit takes its time: of the first run's end, of the second run's start, of the third run's start.
    send(&world, &handle, vec![(0, go(&world, "1")), (1, go(&world, "2")), (101, go(&world, "3"))]);
    world.store.script([None, Some(CommitFault::Slow(100)), Some(CommitFault::Slow(100)), Some(CommitFault::Slow(100))]);
    pass(&world, 1_000);
    assert!(runs(&world, "echo").iter().all(|run| run.status == RunStatus::Completed));
    let mut ended: Vec<i64> = histories(&world, "echo").iter().map(|history| ended_at(history).millis_since(began)).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 200, 300], "the second run's call ends while the third run's start is committed");
}

#[test]
fn a_large_transaction_is_written_down_while_the_one_before_it_is_committed() {
    let (world, handle) = calm_with(&[WAITS], |world| (world.limits.batch_items, world.limits.timer_page) = (4, 1));
    let due = world.simulation.clock.now().plus_millis(3_600_000);
    let events = (0..5).map(|number| event(&world, "listen", &number.to_string(), json!({}))).collect();
    ingest(&world, &handle, events).expect("taken in");
    world.store.script([Some(CommitFault::Slow(100)); 2]);
    world.simulation.executor.run_until(due.plus_millis(1_000));
    let mut ended: Vec<i64> = histories(&world, "waits").iter().map(|history| history[history.len() - 1].at.millis_since(due)).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 0, 0, 100, 100], "after two runs it takes nothing more in");
}

#[test]
fn what_was_decided_behind_a_commit_that_fails_is_decided_anew() {
    for fault in [CommitFault::Failed, CommitFault::UnknownLost, CommitFault::UnknownStored, CommitFault::DiskFull] {
        let (world, handle) = calm(&[ECHO]);
        send(&world, &handle, vec![(0, go(&world, "1")), (10, go(&world, "2")), (20, go(&world, "3"))]);
        world.store.delay_next_commit(100);
        world.store.script([Some(fault)]);
        pass(&world, 60_000);
        let stored = runs(&world, "echo");
        // The first one hears that it failed, or that nobody knows; the others were taken in behind it and lose nothing.
        let kept = if fault == CommitFault::UnknownStored { 3 } else { 2 };
        assert_eq!(stored.iter().filter(|run| run.status == RunStatus::Completed).count(), kept, "{fault:?}: {stored:#?}");
        assert_eq!(stored.len(), kept);
        assert_eq!(world.ledger.calls().len(), 0);
    }
}

#[test]
fn watchers_hear_of_each_commit_of_a_run_that_is_decided_further() {
    // Runs at rest leave memory at once.
    let (world, handle) = calm_with(&[WAITS], |world| world.limits = EngineLimits { resting_runs: 0, ..world.limits.clone() });
    let mut changes = handle.subscribe();
    // The event comes while the commit is under way that opens the wait for it.
    send(&world, &handle, vec![(0, event(&world, "listen", "1", json!({}))), (50, event(&world, "shout", "2", json!({})))]);
    world.store.script([Some(CommitFault::Slow(100)), Some(CommitFault::Slow(100))]);
    pass(&world, 99);
    assert!(changes.try_recv().is_err(), "nothing is stored yet");
    let mut told = || -> Vec<_> { std::iter::from_fn(|| changes.try_recv().ok()).map(|change: Change| change.data["status"].clone()).collect() };
    pass(&world, 51);
    assert_eq!(told(), [json!("waiting")], "the second commit is under way");
    pass(&world, 1_000);
    assert_eq!(told(), [json!("completed")]);
    assert_eq!(runs(&world, "waits")[0].status, RunStatus::Completed);
}

#[test]
fn who_begins_to_watch_during_a_commit_looks_at_everything_again() {
    let (world, handle) = calm(&[ECHO]);
    send(&world, &handle, vec![(0, go(&world, "1"))]);
    world.store.script([Some(CommitFault::Slow(100))]);
    pass(&world, 50);
    let mut changes = handle.subscribe();
    pass(&world, 60);
    assert_eq!(changes.try_recv().ok().map(|change| change.topic), Some(Change::RESYNC.into()));
}

#[test]
fn a_call_whose_answer_comes_with_the_one_that_makes_it_needless_is_finished() {
    let (world, handle) = calm(&[BOTH]);
    // Both letters are answered while something else is published, so that the answers are of one transaction.
    world.store.script([Some(CommitFault::Slow(100)), Some(CommitFault::Slow(100))]);
    send(&world, &handle, vec![(0, go(&world, "1"))]);
    pass(&world, 50);
    publish(&world, &handle, WAITS);
    pass(&world, 60_000);
    let letters = world.ledger.effects().len();
    let finished = world.store.inner().committed_events().iter().filter(|event| &*event.body.kind == "finished").count();
    assert_eq!(runs(&world, "both")[0].status, RunStatus::Completed);
    assert_eq!((letters, finished), (2, 2), "each letter that was sent is noted as such");
}

#[test]
fn nothing_is_decided_behind_a_commit_that_publishes() {
    let (world, handle) = calm(&[ECHO]);
    let slow = ECHO.replace("n: 1", "n: 2");
    world.store.script([Some(CommitFault::Slow(100))]);
    let began = world.simulation.clock.now();
    send(&world, &handle, vec![(50, go(&world, "1"))]);
    assert_eq!(publish(&world, &handle, &slow), 2);
    pass(&world, 1_000);
    let run = &runs(&world, "echo")[0];
    assert_eq!(run.version, 2, "what was published comes first");
    assert!(histories(&world, "echo")[0][0].at.millis_since(began) >= 100);
}
