//! Scenarios of checkpoints: a run that is taken up from one goes on as if its whole history had been read (SEMANTICS.md 19). That
//! each one leads to the state of its history is checked of every run of every seed ([`super::checks`]).

use super::{
    migration::{migrate, request},
    scenarios::{calm_with, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::{MigrationRequest, checkpoints::from_checkpoint};
use onward_core::{
    RunId,
    definition::Workflow,
    machine::{self, Repair},
    ports::{Checkpoint, Clock as _, ResumedRun, RunRow, RunStatus, Store as _},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;
use std::sync::Arc;

const LOOP: &str = "
name: w
on: [{ event: go }]
steps:
  - id: each
    for_each: '{{ range(40) | list }}'
    steps:
      - { id: a, do: test.count, with: { n: '{{ item }}' } }
      - { id: nap, delay: 1h }
  - { id: last, do: debug.echo, with: { n: '{{ steps.each | length }}' } }
";

const SCRIPT: &str = r#"
//! name: w
//! on: [{ event: go }]
let counted = 0;
for n in 0..40 {
    step("test.count", #{ n: n });
    counted += 1;
    sleep("1h");
}
#{ counted: counted }
"#;

const EVERY: u64 = 10;

fn world_of(source: &str) -> (World, Handle) {
    calm_with(&[source], |world| {
        world.limits.checkpoint_every = EVERY;
        world.limits.checkpoint_cost = 1_000;
        world.limits.resting_runs = 0;
    })
}

fn the_run(world: &World) -> RunRow {
    runs(world, "w").pop().expect("a run")
}

/// As whoever takes the run up reads it.
fn resumed(world: &World, run: RunId) -> ResumedRun {
    let memory = world.store.inner();
    world.simulation.executor.block_on(async {
        let mut tx = memory.begin(world.simulation.clock.now()).await.expect("begun");
        let found = memory.resume_runs(&mut tx, &[run], machine::checkpoint_revision()).await.expect("read");
        memory.rollback(tx).await;
        found.into_iter().next().expect("there").expect("readable")
    })
}

fn put(world: &World, checkpoint: Checkpoint) {
    let memory = world.store.inner();
    world.simulation.executor.block_on(async {
        let mut tx = memory.begin(world.simulation.clock.now()).await.expect("begun");
        memory.keep_checkpoints(&mut tx, &[checkpoint]).await.expect("kept");
        memory.commit(tx).await.expect("committed");
    });
}

fn restart(world: &World) -> Handle {
    world.simulation.executor.crash();
    world.start()
}

fn program(world: &World) -> Arc<Workflow> {
    let version = world.simulation.executor.block_on(world.store.inner().version(world.organisation, "w", 1)).expect("read").expect("published");
    world.definitions.compiled(&version, &world.registry()).expect("it compiles")
}

/// The run has ended well and every step of it was counted once.
fn ended_well(world: &World) {
    let run = the_run(world);
    assert_eq!(run.status, RunStatus::Completed, "{run:#?}");
    let history = world.store.inner().committed_history(run.id).expect("readable");
    let counted = history.iter().filter(|entry| entry.fact.kind() == "step_scheduled" && entry.step.as_deref() != Some("last")).count();
    assert_eq!(counted, 40);
    assert!(machine::replay(&*program(world), run.organisation, run.id, &history).same);
}

#[test]
fn a_long_run_goes_on_from_its_checkpoint() {
    for source in [LOOP, SCRIPT] {
        let (world, handle) = world_of(source);
        ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
        for round in 0..4 {
            pass(&world, 9 * 3_600_000);
            let run = the_run(&world);
            let kept = resumed(&world, run.id);
            let seq = kept.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.seq);
            assert!(seq >= EVERY && kept.stored.entries.len() <= 2 * EVERY as usize, "round {round}: from entry {seq}");
            if round % 2 == 0 {
                world.store.script([Some(CommitFault::UnknownLost)]);
            }
            restart(&world);
        }
        pass(&world, 9 * 3_600_000);
        ended_well(&world);
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_left_alone() {
    let (world, handle) = world_of(LOOP);
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
    pass(&world, 5 * 3_600_000);
    let run = the_run(&world).id;
    let good = |world: &World| resumed(world, run).checkpoint.expect("kept");
    let state = |checkpoint: &Checkpoint| serde_json::from_str::<serde_json::Value>(&checkpoint.content).expect("our own form");
    let changed = |checkpoint: &Checkpoint, pointer: &str, value: serde_json::Value| {
        let mut content = state(checkpoint);
        *content.pointer_mut(pointer).expect("a part of it") = value;
        Checkpoint { content: content.to_string(), ..checkpoint.clone() }
    };
    let damages: [&dyn Fn(Checkpoint) -> Checkpoint; 7] = [
        &|checkpoint| Checkpoint { content: "damaged".into(), ..checkpoint },
        &|checkpoint| Checkpoint { content: checkpoint.content[..checkpoint.content.len() / 2].to_owned(), ..checkpoint },
        &|checkpoint| Checkpoint { seq: checkpoint.seq + 1_000, ..checkpoint },
        &|checkpoint| changed(&Checkpoint { seq: checkpoint.seq + 1_000, ..checkpoint.clone() }, "/state/seq", json!(checkpoint.seq + 1_000)),
        &|checkpoint| changed(&checkpoint, "/state/version", json!(2)),
        &|checkpoint| changed(&checkpoint, "/state/run_id", json!(uuid::Uuid::nil())),
        &|checkpoint| changed(&checkpoint, "/state/at", json!("2020-01-01T00:00:00Z")),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let unfit = damage(good(&world));
        put(&world, unfit.clone());
        let stored = resumed(&world, run).stored;
        assert!(from_checkpoint(&program(&world), &stored, &unfit, &world.registry()).is_err(), "damage {number} is seen");
        restart(&world);
        pass(&world, 4 * 3_600_000);
        let kept = good(&world);
        assert!(kept != unfit, "a new one is kept");
        assert!(from_checkpoint(&program(&world), &resumed(&world, run).stored, &kept, &world.registry()).is_ok());
    }
    pass(&world, 20 * 3_600_000);
    ended_well(&world);
}

#[test]
fn a_run_that_was_moved_or_taken_up_again_has_a_new_checkpoint() {
    const FAILS: &str =
        "  - { id: broken, do: debug.fail, with: { code: declined, message: no }, retry: { max_attempts: 1 } }\n  - { id: behind, delay: 1h }\n";
    let (world, handle) = world_of(&format!("{}{FAILS}", LOOP.trim_start()));
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
    pass(&world, 10 * 3_600_000);
    let (run, before) = (the_run(&world).id, resumed(&world, the_run(&world).id).checkpoint.expect("kept").seq);
    assert_eq!(publish(&world, &handle, &format!("{}{FAILS}", LOOP.trim_start().replace("delay: 1h", "delay: 30m"))), 2);
    assert_eq!(migrate(&world, &handle, MigrationRequest { workflow: "w".into(), ..request(&world, 2) }).expect("moved").moved, 1);
    let moved = resumed(&world, run);
    let seq = moved.checkpoint.expect("kept").seq;
    assert!(seq > before && moved.stored.entries.len() == 1, "{seq}");
    restart(&world);
    pass(&world, 40 * 3_600_000);
    assert_eq!(the_run(&world).status, RunStatus::Failed, "as it was written");
    let handle = restart(&world);
    world.simulation.executor.block_on(handle.repair(world.organisation, run, "ada", Repair::Skip { output: json!({}) }, None)).expect("taken up again");
    pass(&world, 60_000);
    let taken_up = resumed(&world, run);
    assert!(taken_up.stored.entries.iter().all(|entry| entry.fact.kind() != "reopened"), "{:#?}", taken_up.stored.entries);
    assert!(taken_up.checkpoint.is_some() && the_run(&world).status == RunStatus::Waiting, "it goes on behind the step that failed");
    pass(&world, 2 * 3_600_000);
    assert_eq!(the_run(&world).status, RunStatus::Completed);
    assert!(resumed(&world, run).checkpoint.is_none(), "nobody takes it up where it ended");
}

#[test]
fn a_short_run_has_none_and_a_large_state_is_written_down_rarely() {
    let (world, handle) = calm_with(&[LOOP], |_| {});
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
    pass(&world, 9 * 3_600_000);
    assert!(resumed(&world, the_run(&world).id).checkpoint.is_none());

    let (world, handle) = world_of(&LOOP.replace("range(40) | list", "event.data.items"));
    let mut world = world;
    drop(handle);
    world.simulation.executor.crash();
    world.limits.checkpoint_cost = 1;
    let handle = world.start();
    let items: Vec<String> = (0..40).map(|number| format!("{number}{}", "x".repeat(200))).collect();
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({ "items": items }))]).expect("taken in");
    let mut written = std::collections::BTreeSet::new();
    for _ in 0..45 {
        pass(&world, 3_600_000);
        written.extend(resumed(&world, the_run(&world).id).checkpoint.map(|checkpoint| checkpoint.seq));
    }
    assert_eq!(the_run(&world).status, RunStatus::Completed);
    assert!((1..=3).contains(&written.len()), "no more is written than the history itself: {written:?}");
}
