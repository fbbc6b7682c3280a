//! Runs that are read before their turn comes.

use super::{
    scenarios::{calm_with, event, ingest, runs},
    world::{Handle, World},
};
use onward_core::{
    Timestamp,
    history::Fact,
    ports::{Clock as _, RunStatus},
};
use onward_testkit::{Faults, faults::CommitFault};
use serde_json::json;

const SLEEPER: &str = "
name: sleeper
on: [{ event: go }]
steps:
  - { id: nap, delay: 60m }
  - { id: done, do: test.count, with: {} }
";
const SLEEPERS: usize = 40;
const HOUR: i64 = 3_600_000;

/// Runs that nothing keeps in memory, all due at one moment, and few of them in a transaction.
fn asleep() -> (World, Handle, Timestamp) {
    let (world, handle) = calm_with(&[SLEEPER], |world| {
        world.limits.resting_runs = 0;
        world.limits.timer_page = 4;
    });
    let events = (0..SLEEPERS).map(|number| event(&world, "go", &format!("e{number}"), json!({}))).collect();
    ingest(&world, &handle, events).expect("taken in");
    let due = world.simulation.clock.now().plus_millis(HOUR);
    world.simulation.executor.run_until(due.plus_millis(-1_000));
    assert_eq!(world.store.read_ahead(), 0, "nothing is due");
    (world, handle, due)
}

/// All have ended, and whoever went on to the end woke once. How many were cancelled.
fn each_woke_once(world: &World) -> usize {
    let runs = runs(world, "sleeper");
    assert_eq!(runs.len(), SLEEPERS);
    let mut cancelled = 0;
    for run in runs {
        let history = world.store.inner().committed_history(run.id).expect("readable");
        let woke = history.iter().filter(|entry| matches!(entry.fact, Fact::TimerFired { .. })).count();
        match run.status {
            RunStatus::Completed => assert_eq!(woke, 1, "{history:#?}"),
            RunStatus::Cancelled => cancelled += 1,
            other => panic!("{other:?}: {history:#?}"),
        }
    }
    cancelled
}

#[test]
fn what_is_due_is_read_before_it_is_and_while_others_have_their_turn() {
    let (world, _handle, due) = asleep();
    world.simulation.executor.run_until(due.plus_millis(-1));
    assert!((1..SLEEPERS).contains(&world.store.read_ahead()), "of the first transactions, before they are due: {}", world.store.read_ahead());
    world.simulation.executor.run_until(due.plus_millis(1_000));
    assert_eq!(each_woke_once(&world), 0);
    assert!(world.store.read_ahead() >= SLEEPERS / 2, "{} were read ahead", world.store.read_ahead());
}

#[test]
fn a_timer_that_was_taken_is_not_taken_again_behind_its_commit() {
    let (world, _handle, due) = asleep();
    world.store.script([Some(CommitFault::Slow(100)); SLEEPERS]);
    world.simulation.executor.run_until(due.plus_millis(60_000));
    assert_eq!(each_woke_once(&world), 0);
    assert_eq!(world.store.timers_cleared(), SLEEPERS);
}

/// Between the reading and the turn of a run, it is cancelled, commits fail, and a commit is stored that was not confirmed.
#[test]
fn what_was_read_is_not_used_once_it_may_be_old() {
    for cancelled in [3, 9, 14, 27, 39] {
        let (world, handle, due) = asleep();
        // Every second reading takes its time.
        world.store.set(Faults { commit_slow: 50, slowest_ms: 500, ..Faults::default() });
        world.store.script([None, Some(CommitFault::UnknownStored), None, Some(CommitFault::Failed), Some(CommitFault::UnknownLost)]);
        world.simulation.executor.run_until(due);
        world.simulation.executor.run_steps(cancelled);
        let run = runs(&world, "sleeper")[cancelled].id;
        let organisation = world.organisation;
        // It may have come too late, or hear that nobody knows.
        drop(world.simulation.executor.block_on(async move { handle.cancel(organisation, run, "me", None, false).await }));
        world.store.calm();
        world.simulation.executor.run_until(due.plus_millis(60_000));
        assert!(each_woke_once(&world) <= 1, "one was to be cancelled");
    }
}
