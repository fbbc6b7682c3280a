//! Scenarios of moving runs to another version, under crashes and commits that fail (SEMANTICS.md 28).

use super::{
    scenarios::{calm, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::{EngineError, MigrationReport, MigrationRequest};
use onward_core::{
    history::{Entry, Fact},
    machine::{self, Mapping},
    ports::{Pause, PauseScope, RunRow, RunStatus, Store as _},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;

const FIRST: &str = "
name: w
on: [{ event: go }]
exit_on: [{ event: stop, match: { k: '{{ event.data.k }}' } }]
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
  - { id: reply, wait_for: { event: shout, match: { k: '{{ event.data.k }}' } }, timeout: 10h }
  - { id: done, do: test.count, with: { version: 1 } }
";

fn second() -> String {
    FIRST.replace("n: 1", "n: 2").replace("version: 1", "version: 2")
}

fn start(world: &World, handle: &Handle, count: u32) {
    let events = (0..count).map(|k| event(world, "go", &format!("go-{k}"), json!({ "k": format!("k{k}") }))).collect();
    ingest(world, handle, events).expect("taken in");
    pass(world, 1_000);
}

pub(super) fn request(world: &World, to: u32) -> MigrationRequest {
    MigrationRequest {
        organisation: world.organisation,
        workflow: "w".into(),
        to,
        from: None,
        mapping: Mapping::default(),
        restart: BTreeSet::new(),
        cancel: BTreeSet::new(),
        undo: false,
        dry_run: false,
        after: None,
        limit: 1_000,
        by: "me".into(),
    }
}

pub(super) fn migrate(world: &World, handle: &Handle, request: MigrationRequest) -> Result<MigrationReport, EngineError> {
    let handle = handle.clone();
    world.simulation.executor.block_on(async move { handle.migrate(&request).await })
}

fn history(world: &World, run: &RunRow) -> Vec<Entry> {
    world.store.inner().committed_history(run.id).expect("readable")
}

fn versions(world: &World) -> BTreeMap<u32, usize> {
    let mut counted = BTreeMap::new();
    for run in runs(world, "w") {
        *counted.entry(run.version).or_default() += 1;
    }
    counted
}

/// Every history replays on the versions that it is of, and folds to what is stored.
fn all_replay(world: &World) {
    for run in runs(world, "w") {
        let history = history(world, &run);
        let program = |number| {
            let version = world.simulation.executor.block_on(world.store.inner().version(run.organisation, "w", number)).expect("readable").expect("published");
            world.definitions.compiled(&version, &world.registry()).expect("compiles")
        };
        let versions: BTreeMap<_, _> = machine::versions_of(&history).into_iter().map(|number| (number, program(number))).collect();
        let report = machine::replay(&versions, run.organisation, run.id, &history);
        assert!(report.same, "{report:#?}");
        let state = machine::fold_all(&versions[&run.version], run.id, &history).expect("folds");
        assert_eq!((state.version, state.status), (run.version, run.status));
    }
}

#[test]
fn waiting_runs_are_told_moved_and_go_on_there() {
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 5);
    publish(&world, &handle, &second());
    let before: Vec<usize> = runs(&world, "w").iter().map(|run| history(&world, run).len()).collect();
    let told = migrate(&world, &handle, MigrationRequest { dry_run: true, ..request(&world, 2) }).expect("told");
    assert_eq!((told.runs, told.moved, told.obstacles.len()), (5, 5, 0));
    assert_eq!((told.steps[0].step.as_str(), told.steps[0].place, told.steps[0].runs, told.steps[0].to_step.as_deref()), ("reply", "kept", 5, Some("reply")));
    assert_eq!(runs(&world, "w").iter().map(|run| history(&world, run).len()).collect::<Vec<_>>(), before, "nothing is written");
    assert_eq!(migrate(&world, &handle, request(&world, 2)).expect("moved"), told, "the same path");
    assert_eq!(versions(&world), BTreeMap::from([(2, 5)]));
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, 1_000);
    ingest(&world, &handle, vec![event(&world, "shout", "s0", json!({ "k": "k0" })), event(&world, "stop", "s1", json!({ "k": "k1" }))]).expect("taken in");
    pass(&world, 11 * HOUR);
    let ended = runs(&world, "w");
    assert!(ended.iter().all(|run| run.status == RunStatus::Completed), "{ended:#?}");
    assert_eq!(ended.iter().filter(|run| run.exit.as_deref() == Some("stop")).count(), 1, "exits listen");
    let inputs =
        |run: &RunRow| history(&world, run).iter().any(|entry| matches!(&entry.fact, Fact::StepScheduled { input: Some(input), .. } if input["version"] == 2));
    assert_eq!(ended.iter().filter(|run| inputs(run)).count(), 4, "the new version's step");
    all_replay(&world);
}

#[test]
fn a_crash_or_a_lost_commit_in_the_middle_leaves_each_run_moved_or_not() {
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 250);
    publish(&world, &handle, &second());
    // The first hundred are moved, the next page's commit is of unknown outcome: it is stored, or it is not.
    for fault in [CommitFault::UnknownStored, CommitFault::UnknownLost, CommitFault::Failed] {
        let before = versions(&world).get(&2).copied().unwrap_or(0);
        world.store.script([None, None, None, Some(fault)]);
        let answer = migrate(&world, &handle, request(&world, 2));
        let after = versions(&world).get(&2).copied().unwrap_or(0);
        assert!(after >= before, "{answer:?}");
        all_replay(&world);
    }
    world.store.script([]);
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, 1_000);
    migrate(&world, &handle, request(&world, 2)).expect("the rest");
    assert_eq!(versions(&world), BTreeMap::from([(2, 250)]));
    pass(&world, 11 * HOUR);
    assert!(runs(&world, "w").iter().all(|run| run.status == RunStatus::Completed), "each goes on, once");
    let moves = |run: &RunRow| history(&world, run).iter().filter(|entry| matches!(entry.fact, Fact::Migrated { .. })).count();
    assert!(runs(&world, "w").iter().all(|run| moves(run) == 1));
    all_replay(&world);
}

#[test]
fn pages_follow_each_other() {
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 7);
    publish(&world, &handle, &second());
    let (mut after, mut pages) = (None, 0);
    loop {
        let report = migrate(&world, &handle, MigrationRequest { limit: 3, after, ..request(&world, 2) }).expect("moved");
        pages += 1;
        after = report.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((pages, versions(&world)), (3, BTreeMap::from([(2, 7)])));
}

#[test]
fn what_a_person_says_about_a_step_is_done() {
    let sources = |wait: &str| FIRST.replace("id: reply", &format!("id: {wait}"));
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 4);
    publish(&world, &handle, &sources("answer"));
    let stays = migrate(&world, &handle, request(&world, 2)).expect("told");
    assert_eq!((stays.moved, stays.obstacles[0].code, stays.obstacles[0].runs, stays.steps[0].place), (0, "missing_step", 4, "stays"));
    let wrong = Mapping { steps: [("reply".to_owned(), "nowhere".to_owned())].into(), ..Mapping::default() };
    let refused = migrate(&world, &handle, MigrationRequest { mapping: wrong, ..request(&world, 2) });
    assert!(matches!(&refused, Err(EngineError::InvalidInput(message)) if message.contains("nowhere") && message.contains("answer")), "{refused:?}");
    let one = |number: usize| runs(&world, "w")[number].id;
    let mapping = Mapping { steps: [("reply".to_owned(), "answer".to_owned())].into(), ..Mapping::default() };
    let mapped = migrate(&world, &handle, MigrationRequest { mapping, limit: 1, ..request(&world, 2) }).expect("mapped");
    assert_eq!((mapped.steps[0].place, mapped.steps[0].to_step.as_deref()), ("mapped", Some("answer")));
    let say = |name: &str| BTreeSet::from([name.to_owned()]);
    let cancelled =
        migrate(&world, &handle, MigrationRequest { cancel: say("reply"), limit: 1, after: Some(one(0)), ..request(&world, 2) }).expect("cancelled");
    assert_eq!(cancelled.steps[0].place, "cancelled");
    let restarted =
        migrate(&world, &handle, MigrationRequest { restart: say("reply"), limit: 1, after: Some(one(1)), ..request(&world, 2) }).expect("restarted");
    assert_eq!((restarted.steps[0].place, restarted.moved), ("restarted", 1));
    pass(&world, 1_000);
    let statuses: Vec<RunStatus> = runs(&world, "w").iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Waiting, RunStatus::Cancelled, RunStatus::Waiting, RunStatus::Waiting]);
    assert_eq!(runs(&world, "w").iter().map(|run| run.version).collect::<Vec<_>>(), [2, 1, 2, 1]);
    let again = history(&world, &runs(&world, "w")[2])
        .iter()
        .filter(|entry| matches!(&entry.fact, Fact::StepScheduled { .. }) && entry.step.as_deref() == Some("a"))
        .count();
    assert_eq!(again, 2, "it began again");
    pass(&world, 11 * HOUR);
    all_replay(&world);
}

#[test]
fn a_move_is_taken_back_until_the_run_goes_on() {
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 3);
    publish(&world, &handle, &second());
    migrate(&world, &handle, request(&world, 2)).expect("moved");
    ingest(&world, &handle, vec![event(&world, "shout", "s", json!({ "k": "k0" }))]).expect("taken in");
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, 1_000);
    let back = migrate(&world, &handle, MigrationRequest { undo: true, ..request(&world, 2) }).expect("taken back");
    assert_eq!((back.runs, back.moved), (2, 2), "the third has ended");
    assert_eq!(versions(&world), BTreeMap::from([(1, 2), (2, 1)]));
    assert_eq!(migrate(&world, &handle, MigrationRequest { undo: true, ..request(&world, 1) }).expect("told").moved, 0);
    pass(&world, 11 * HOUR);
    assert!(runs(&world, "w").iter().all(|run| run.status == RunStatus::Completed));
    all_replay(&world);
}

#[test]
fn runs_of_a_held_version_move_out_of_it_and_go_on() {
    let (world, handle) = calm(&[FIRST]);
    start(&world, &handle, 2);
    let scope = PauseScope::Version { organisation: world.organisation, workflow: "w".into(), version: 1 };
    let pause = Pause { scope, at: onward_core::Timestamp::default(), by: "me".into(), reason: None };
    world.simulation.executor.block_on(handle.set_pause(pause, true)).expect("held");
    ingest(&world, &handle, vec![event(&world, "shout", "s", json!({ "k": "k0" }))]).expect("taken in");
    pass(&world, 1_000);
    assert!(runs(&world, "w").iter().any(|run| run.status == RunStatus::Paused));
    publish(&world, &handle, &second());
    migrate(&world, &handle, request(&world, 2)).expect("moved");
    pass(&world, 1_000);
    let statuses: Vec<RunStatus> = runs(&world, "w").iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Completed, RunStatus::Waiting], "the event that came meanwhile counts");
    all_replay(&world);
}
