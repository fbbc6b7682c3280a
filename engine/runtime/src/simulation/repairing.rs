//! Repairs: by chance in the long play, and one scenario for each rule (SEMANTICS.md 15, 27).

use super::{
    scenarios::{calm, event, ingest, pass, publish, runs},
    workflows::SCHEDULED,
    world::{Handle, World},
};
use crate::{EngineError, ForkRequest, MendedRun, Signal};
use onward_core::{
    RunId, Value,
    history::{Entry, Fact},
    machine::{Point, Repair},
    ports::{Executor as _, RunRow, RunStatus},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;

/// A copy of their runs would begin when its source did: what is checked of their beginnings does not hold of copies.
const NOT_COPIED: [&str; 7] = ["single", "queued", "restart", "shared-a", "shared-b", "rated", "burst"];

/// Repairs, copies or signals a run that exists.
pub(super) fn mend_some(world: &World, handle: &Handle) {
    let all: Vec<RunRow> = world.store.inner().committed_runs().into_iter().filter(|run| run.last_seq > 0).collect();
    let failed: Vec<&RunRow> = all.iter().filter(|run| run.status == RunStatus::Failed).collect();
    let which = world.below(10);
    let run = match which {
        0..=6 if !failed.is_empty() => failed[world.below(failed.len() as u64) as usize],
        _ if all.is_empty() => return,
        _ => &all[world.below(all.len() as u64) as usize],
    };
    let copied = !NOT_COPIED.contains(&run.workflow.as_str()) && !SCHEDULED.contains(&run.workflow.as_str());
    let (handle, organisation, run_id, seq) = (handle.clone(), world.organisation, run.id, 1 + world.below(run.last_seq));
    world.simulation.executor.spawn(Box::pin(async move {
        let result = match which {
            0 => handle.repair(organisation, run_id, "driver", Repair::Skip { output: json!({ "of": { "n": 1 } }) }, None).await,
            1 => handle.repair(organisation, run_id, "driver", Repair::Retry { input: Some(json!({ "edited": seq })), not_done: false }, None).await,
            2..=6 => handle.repair(organisation, run_id, "driver", Repair::Retry { input: None, not_done: false }, None).await,
            7..=8 if copied => handle.fork(organisation, run_id, "driver", ForkRequest { point: Point::After(seq), ..ForkRequest::default() }, None).await,
            _ => handle.signal(organisation, run_id, "driver", Signal { data: json!({ "k": "k1", "n": 9 }), ..Signal::default() }, None).await,
        };
        assert!(!matches!(result, Err(EngineError::NotFound { .. })), "a committed run is found: {result:?}");
    }));
}

fn retry() -> Repair {
    Repair::Retry { input: None, not_done: false }
}

fn repair(world: &World, handle: &Handle, run: RunId, how: Repair) -> Result<MendedRun, EngineError> {
    world.simulation.executor.block_on(handle.repair(world.organisation, run, "ada", how, None))
}
fn fork(world: &World, handle: &Handle, run: RunId, asked: ForkRequest) -> Result<MendedRun, EngineError> {
    world.simulation.executor.block_on(handle.fork(world.organisation, run, "ada", asked, None))
}
fn signal(world: &World, handle: &Handle, run: RunId, signal: Signal) -> Result<MendedRun, EngineError> {
    world.simulation.executor.block_on(handle.signal(world.organisation, run, "ada", signal, None))
}
fn reason(result: Result<MendedRun, EngineError>) -> String {
    match result {
        Err(EngineError::Conflict(reason)) => reason,
        other => panic!("a conflict was expected: {other:?}"),
    }
}
fn history(world: &World, run: RunId) -> Vec<Entry> {
    world.store.inner().committed_history(run).expect("readable")
}
fn row(world: &World, run: RunId) -> RunRow {
    world.store.inner().committed_runs().into_iter().find(|row| row.id == run).expect("stored")
}
fn go(world: &World, handle: &Handle, kind: &str, id: &str, data: Value) -> RunId {
    let started = ingest(world, handle, vec![event(world, kind, id, data)]).expect("taken in")[0].run_ids.clone();
    pass(world, 60_000);
    started[0]
}

const FLAKY: &str = "
name: flaky
on: [{ event: go }]
key: '{{ event.data.k }}'
steps:
  - { id: before, do: test.count, with: {} }
  - { id: a, do: debug.flaky, with: { fail_times: 1 }, retry: { max_attempts: 1 } }
  - { id: after, do: test.count, with: {} }
";

#[test]
fn a_failed_run_goes_on_from_its_failed_step() {
    let (world, handle) = calm(&[FLAKY]);
    let run = go(&world, &handle, "go", "1", json!({ "k": "k" }));
    let failed = row(&world, run);
    assert_eq!((failed.status, failed.error.and_then(|error| error.step)), (RunStatus::Failed, Some("a".to_owned())));
    let mended = repair(&world, &handle, run, retry()).expect("taken up again");
    assert_eq!((mended.run_id, mended.status), (run, RunStatus::Running));
    pass(&world, 1_000);
    let completed = row(&world, run);
    assert_eq!((completed.status, completed.error, completed.ended_at.is_some()), (RunStatus::Completed, None, true));
    let times = |step: &str| {
        history(&world, run).iter().filter(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepCompleted { .. })).count()
    };
    assert_eq!((times("before"), times("a"), times("after")), (1, 1, 1));
    assert!(reason(repair(&world, &handle, run, retry())).contains("ended well"));
    let missing = repair(&world, &handle, RunId(uuid::Uuid::nil()), retry());
    assert!(matches!(missing, Err(EngineError::NotFound { .. })), "{missing:?}");
}

#[test]
fn a_repair_survives_crashes_and_lost_commits() {
    for fault in [CommitFault::Failed, CommitFault::UnknownLost, CommitFault::UnknownStored, CommitFault::Slow(5_000)] {
        let (world, handle) = calm(&[FLAKY]);
        let run = go(&world, &handle, "go", "1", json!({ "k": "k" }));
        world.store.script([Some(fault)]);
        let asked = handle.clone();
        let organisation = world.organisation;
        world.simulation.executor.spawn(Box::pin(async move { drop(asked.repair(organisation, run, "ada", retry(), None).await) }));
        pass(&world, 1);
        world.simulation.executor.crash();
        let handle = world.start();
        pass(&world, 60_000);
        if row(&world, run).status == RunStatus::Failed {
            repair(&world, &handle, run, retry()).expect("it was not stored, so it is asked again");
            pass(&world, 60_000);
        }
        assert_eq!(row(&world, run).status, RunStatus::Completed, "{:#?}", history(&world, run));
        assert_eq!(history(&world, run).iter().filter(|entry| matches!(entry.fact, Fact::Reopened { .. })).count(), 1);
    }
}

#[test]
fn two_repairs_at_once_are_one() {
    let (world, handle) = calm(&[FLAKY]);
    let run = go(&world, &handle, "go", "1", json!({ "k": "k" }));
    for _ in 0..5 {
        let (asked, organisation) = (handle.clone(), world.organisation);
        world.simulation.executor.spawn(Box::pin(async move { drop(asked.repair(organisation, run, "ada", retry(), None).await) }));
    }
    pass(&world, 60_000);
    assert_eq!(history(&world, run).iter().filter(|entry| matches!(entry.fact, Fact::Reopened { .. })).count(), 1);
    assert_eq!(row(&world, run).status, RunStatus::Completed);
}

#[test]
fn mode_and_limits_are_taken_again() {
    let single = FLAKY.replace("key:", "mode: single\nkey:").replace("fail_times: 1", "fail_times: '{{ event.data.n }}'");
    let limited = "
name: limited
on: [{ event: limited }]
limits: { concurrency: { max: 1 } }
steps:
  - { id: a, do: debug.flaky, with: { fail_times: '{{ event.data.n }}' }, retry: { max_attempts: 1 } }
  - { id: sleep, delay: 1h }
";
    let (world, handle) = calm(&[&format!("{single}  - {{ id: sleep, delay: 1h }}\n"), limited]);
    for kind in ["go", "limited"] {
        let failed = go(&world, &handle, kind, &format!("{kind}1"), json!({ "k": "k", "n": 1 }));
        let other = go(&world, &handle, kind, &format!("{kind}2"), json!({ "k": "k", "n": 0 }));
        let refused = reason(repair(&world, &handle, failed, retry()));
        assert!(refused.contains(if kind == "go" { "single" } else { "limits.concurrency" }), "{refused}");
        pass(&world, 3_600_000);
        assert_eq!(row(&world, other).status, RunStatus::Completed);
        repair(&world, &handle, failed, retry()).expect("nobody is in its way");
        let third = ingest(&world, &handle, vec![event(&world, kind, &format!("{kind}3"), json!({ "k": "k", "n": 0 }))]).expect("taken in");
        pass(&world, 1_000);
        let held = third[0].run_ids.first().map(|run| row(&world, *run).status);
        assert_eq!(held, if kind == "go" { None } else { Some(RunStatus::Held) }, "the run that goes on counts");
        pass(&world, 3_600_000);
        assert_eq!(row(&world, failed).status, RunStatus::Completed);
    }
}

#[test]
fn what_is_paused_is_not_taken_up() {
    let (world, handle) = calm(&[FLAKY]);
    let run = go(&world, &handle, "go", "1", json!({ "k": "k" }));
    let paused = |on| world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "flaky", on)).expect("set");
    paused(true);
    assert!(reason(repair(&world, &handle, run, retry())).contains("paused"));
    paused(false);
    repair(&world, &handle, run, retry()).expect("it goes on");
}

#[test]
fn a_child_whose_parent_went_on_is_repaired_there() {
    let parent = "
name: parent
on: [{ event: parent }]
steps:
  - { id: sub, call: flaky, with: { k: x } }
";
    let (world, handle) = calm(&[&FLAKY.replace("event: go }", "event: go }, { manual: {} }").replace("event.data.k", "input.k"), parent]);
    let run = go(&world, &handle, "parent", "1", json!({}));
    let child = runs(&world, "flaky")[0].id;
    assert_eq!((row(&world, run).status, row(&world, child).status), (RunStatus::Failed, RunStatus::Failed));
    assert!(reason(repair(&world, &handle, child, retry())).contains(&run.to_string()));
    repair(&world, &handle, run, Repair::Retry { input: Some(json!({ "k": "y" })), not_done: false }).expect("its parent");
    pass(&world, 60_000);
    let children = runs(&world, "flaky");
    assert_eq!(children.iter().map(|child| child.key.as_str()).collect::<Vec<_>>(), ["x", "y"], "another child, with the input that was given");
    fork(&world, &handle, child, ForkRequest::default()).expect("a child can be copied");
    pass(&world, 60_000);
    assert_eq!(runs(&world, "flaky").iter().filter(|child| child.status == RunStatus::Completed).count(), 1);
    assert_eq!(row(&world, run).status, RunStatus::Failed, "nobody is told twice");
}

/// Milliseconds in which calls end even where the outside never answers; two of them end before the wait of [`CALLS`] does.
const SLOW_CALLS_MS: i64 = 3_000_000;

const CALLS: &str = "
name: calls
on: [{ event: go }]
steps:
  - { id: a, do: test.call, with: { n: 1 } }
  - { id: w, wait_for: { event: answer, match: { k: x }, if: incoming.data.n > 5 }, timeout: 2h }
  - { id: b, do: test.call, with: { n: '{{ steps.w.data.n | default(0) }}' } }
";

#[test]
fn a_copy_does_nothing_again_and_survives_a_crash() {
    let (world, handle) = calm(&[CALLS]);
    let run = go(&world, &handle, "go", "1", json!({}));
    let copy = fork(&world, &handle, run, ForkRequest::default()).expect("copied").run_id;
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, SLOW_CALLS_MS);
    assert_eq!((row(&world, copy).status, row(&world, copy).last_seq), (RunStatus::Waiting, row(&world, run).last_seq + 1));
    ingest(&world, &handle, vec![event(&world, "answer", "2", json!({ "k": "x", "n": 7 }))]).expect("taken in");
    pass(&world, SLOW_CALLS_MS);
    assert_eq!((row(&world, copy).status, row(&world, run).status), (RunStatus::Completed, RunStatus::Completed), "both waited for it");
    let of = |run: RunId| {
        // One of each key: an effect whose answer was lost is asked for again under its own.
        let effects = world.ledger.effects().into_values().filter_map(|made| made.into_iter().next());
        effects.filter(|effect| effect.run == run.to_string()).map(|effect| effect.step).collect::<Vec<_>>()
    };
    let mut first = of(run);
    first.sort();
    assert_eq!((first, of(copy)), (vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]));
    assert_eq!(world.store.inner().committed_leftovers(), (0, 0, 0, 0));
}

#[test]
fn a_copy_goes_on_another_version_that_decides_the_same() {
    let (world, handle) = calm(&[CALLS]);
    let run = go(&world, &handle, "go", "1", json!({}));
    publish(&world, &handle, &CALLS.replace("n: '{{ steps.w.data.n | default(0) }}'", "n: 40"));
    let asked = |version| ForkRequest { version: Some(version), ..ForkRequest::default() };
    let copy = fork(&world, &handle, run, asked(2)).expect("only what comes later is another").run_id;
    publish(&world, &handle, &CALLS.replace("with: { n: 1 }", "with: { n: 2 }"));
    assert!(reason(fork(&world, &handle, run, asked(3))).contains("decides otherwise"));
    assert!(reason(fork(&world, &handle, run, asked(9))).contains("version 9"));
    pass(&world, 3 * 3_600_000);
    assert_eq!((row(&world, copy).version, row(&world, copy).status), (2, RunStatus::Completed));
    let sent = history(&world, copy).into_iter().find_map(|entry| match entry.fact {
        Fact::StepScheduled { input, .. } if entry.step.as_deref() == Some("b") => input,
        _ => None,
    });
    assert_eq!(sent.as_deref(), Some(&json!({ "n": 40 })));
}

#[test]
fn a_signal_reaches_this_run_alone_past_match_and_condition() {
    let (world, handle) = calm(&[CALLS]);
    let run = go(&world, &handle, "go", "1", json!({}));
    let other = go(&world, &handle, "go", "2", json!({}));
    let named = |name: &str| Signal { name: Some(name.to_owned()), data: json!({ "n": 3 }), step: None };
    let refused = reason(signal(&world, &handle, run, named("shout")));
    assert!(refused.contains("open are step w: answer"), "{refused}");
    signal(&world, &handle, run, named("answer")).expect("it waits for that");
    pass(&world, SLOW_CALLS_MS);
    assert_eq!((row(&world, run).status, row(&world, other).status), (RunStatus::Completed, RunStatus::Waiting));
    let resolved = history(&world, run).into_iter().find_map(|entry| if let Fact::WaitResolved { by, .. } = entry.fact { Some(by) } else { None });
    assert_eq!(resolved, Some(Some("ada".to_owned())));
    assert!(reason(signal(&world, &handle, run, named("answer"))).contains("ended"));
    pass(&world, 3 * 3_600_000);
    assert_eq!(world.store.inner().committed_leftovers(), (0, 0, 0, 0));
}
