//! Scenarios of calls: what becomes of them at a crash, at a commit whose outcome is unknown, and at a stop.

use super::scenarios::{ECHO, calm, calm_with, event, ingest, pass, runs};
use crate::EngineError;
use onward_core::{
    history::{Entry, Fact},
    ports::{Executor as _, RunStatus},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const SEND: &str = "
name: send
on: [{ event: go }]
steps:
  - { id: a, do: test.send, with: { n: 1 }, on_error: continue }
";

#[test]
fn an_at_most_once_call_of_an_unknown_commit_is_made_once_after_all() {
    let (world, handle) = calm(&[SEND]);
    world.store.script([Some(CommitFault::UnknownStored)]);
    let answer = ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]);
    assert_eq!(answer, Err(EngineError::OUTCOME_UNKNOWN));
    pass(&world, 3_600_000);
    let run = &runs(&world, "send")[0];
    assert!(run.status.is_final(), "{run:#?}");
    let history = world.store.inner().committed_history(run.id).expect("readable");
    let unknown = history.iter().any(|entry| matches!(&entry.fact, Fact::StepFailed { error, .. } if error.message.contains("stopped during the call")));
    assert!(!unknown, "this process knows that it had not called yet: {history:#?}");
    assert!(!world.ledger.calls().is_empty());
}

#[test]
fn what_was_in_flight_at_a_crash_ends_as_its_effect_demands() {
    let slow = "
name: slow
on: [{ event: go }]
steps:
  - { id: a, do: test.send, with: { n: 1 }, on_error: continue }
  - { id: b, do: debug.echo, with: { code: '{{ steps.a.error.code | default(none) }}' } }
";
    let (world, handle) = calm(&[slow]);
    let sent = handle.clone();
    let event = event(&world, "go", "1", json!({}));
    world.simulation.executor.spawn(Box::pin(async move { drop(sent.ingest(vec![event]).await) }));
    while world.ledger.calls().is_empty() {
        assert!(world.simulation.executor.run_steps(1), "the call is made");
    }
    world.simulation.executor.crash();
    let _again = world.start();
    pass(&world, 3_600_000);
    let run = &runs(&world, "slow")[0];
    assert_eq!(run.status, RunStatus::Completed, "{run:#?}");
    let history = world.store.inner().committed_history(run.id).expect("readable");
    let codes: Vec<&str> = history
        .iter()
        .filter_map(|entry| match &entry.fact {
            Fact::StepFailed { error, .. } => Some(error.code.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(codes, ["outcome_unknown"], "never called twice, and the run goes on through on_error");
    assert_eq!(world.ledger.calls().values().map(Vec::len).sum::<usize>(), 1);
}

#[test]
fn a_call_that_may_have_been_made_is_asked_about_even_after_a_failed_commit() {
    let pay = "
name: pay
on: [{ event: go }]
steps:
  - { id: a, do: test.pay, with: { n: 1 }, on_error: continue }
";
    let (world, handle) = calm(&[pay]);
    let (sent, event) = (handle.clone(), event(&world, "go", "1", json!({})));
    world.simulation.executor.spawn(Box::pin(async move { drop(sent.ingest(vec![event]).await) }));
    while world.ledger.effects().is_empty() {
        if !world.simulation.executor.run_steps(1) {
            let next = world.simulation.clock.next_due().expect("somebody sleeps until the payment");
            world.simulation.clock.advance_to(next);
        }
    }
    world.simulation.executor.crash();
    // The commit in which the run is taken up fails: what it planned was planned to be asked about, not to be made.
    world.store.script(vec![Some(CommitFault::Failed); 3]);
    let _again = world.start();
    pass(&world, 3_600_000);
    assert!(runs(&world, "pay")[0].status.is_final());
    assert_eq!(world.ledger.effects().values().map(Vec::len).sum::<usize>(), 1, "never paid twice");
}

#[test]
fn a_shutdown_lets_calls_end_and_takes_nothing_new() {
    let (world, handle) = calm(&[ECHO]);
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
    let stopping = handle.clone();
    let stopped = Arc::new(AtomicUsize::new(0));
    let flag = Arc::clone(&stopped);
    world.simulation.executor.spawn(Box::pin(async move {
        stopping.shutdown().await;
        flag.fetch_add(1, Ordering::SeqCst);
    }));
    pass(&world, 20_000);
    assert_eq!((stopped.load(Ordering::SeqCst), world.simulation.executor.alive()), (1, 0));
    assert!(ingest(&world, &handle, vec![event(&world, "go", "2", json!({}))]).is_err());
}

#[test]
fn a_call_that_a_stopping_engine_never_made_is_made_after_the_next_start() {
    let (world, handle) = calm_with(&[SEND], |world| world.limits.calls = 1);
    let events = (0..20).map(|n| event(&world, "go", &n.to_string(), json!({}))).collect();
    ingest(&world, &handle, events).expect("taken in");
    world.simulation.executor.block_on(async move { handle.shutdown().await });
    let _next = world.start();
    pass(&world, 3_600_000);
    let runs = runs(&world, "send");
    assert_eq!(runs.len(), 20);
    let mut given_back = 0;
    for run in runs {
        let history = world.store.inner().committed_history(run.id).expect("readable");
        assert!(run.status.is_final(), "{history:#?}");
        // What the outside itself loses is another matter.
        let doubted = |entry: &Entry| matches!(&entry.fact, Fact::StepFailed { error, .. } if error.message.contains("stopped during the call"));
        assert!(!history.iter().any(doubted), "nobody knows better than the engine that it did not call: {history:#?}");
        let free = |entry: &Entry| matches!(&entry.fact, Fact::RetryScheduled { free: true, error, .. } if error.message.contains("stopped before the call"));
        given_back += usize::from(history.iter().any(free));
    }
    assert!(given_back > 0, "the stop came before all calls began");
}
