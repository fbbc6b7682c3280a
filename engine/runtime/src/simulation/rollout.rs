//! Scenarios of rollouts: a share of the keys, failures counted through crashes, held, promoted, taken back
//! (LANGUAGE.md, "Flow control").

use super::{
    scenarios::{calm, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::StartRequest;
use onward_core::{
    history::Fact,
    ports::{PauseScope, RolloutState, RunRow, RunStatus, Store as _},
};
use onward_testkit::faults::CommitFault;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const FIRST: &str = "
name: w
on: [{ event: go }]
key: '{{ event.data.k }}'
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
  - { id: sleep, delay: 1h }
";

fn second(rollout: &str) -> String {
    format!("{}rollout: {rollout}\n", FIRST.replace("n: 1", "n: 2"))
}

/// The same, but each of its runs fails after an hour.
fn failing(rollout: &str) -> String {
    format!("{}  - {{ stop: {{ status: failed, reason: broken }} }}\nrollout: {rollout}\n", FIRST.replace("n: 1", "n: 2"))
}

/// Starts runs of these keys; the version that each is on.
fn start(world: &World, handle: &Handle, round: &str, keys: impl IntoIterator<Item = u32>) -> BTreeMap<String, u32> {
    let events = keys.into_iter().map(|key| event(world, "go", &format!("{round}-{key}"), json!({ "k": format!("k{key}") }))).collect();
    let told: BTreeSet<_> = ingest(world, handle, events).expect("taken in").into_iter().flat_map(|answer| answer.run_ids).collect();
    let began = runs(world, "w").into_iter().filter(|run| told.contains(&run.id));
    began.map(|run| (run.key, run.version)).collect()
}

fn trial(world: &World) -> Option<RolloutState> {
    world.simulation.executor.block_on(world.store.inner().rollouts()).expect("readable").pop()
}

fn of_version(world: &World, version: u32) -> Vec<RunRow> {
    runs(world, "w").into_iter().filter(|run| run.version == version).collect()
}

#[test]
fn a_share_of_the_keys_goes_to_the_new_version_and_always_the_same_keys() {
    let (world, handle) = calm(&[FIRST]);
    assert_eq!(publish(&world, &handle, &second("{ share: 30% }")), 2);
    assert_eq!(handle.current(world.organisation, "w").map(|current| current.version), Some(1), "the version before it stays the current one");
    let before = start(&world, &handle, "a", 0..300);
    assert_eq!(before.len(), 300, "each key starts once");
    let share = before.values().filter(|version| **version == 2).count();
    assert!((60..120).contains(&share), "{share} of 300");
    assert_eq!(publish(&world, &handle, &second("{ share: 30% }")), 2, "the same text changes nothing");
    world.simulation.executor.crash();
    let handle = world.start();
    assert_eq!(start(&world, &handle, "b", 0..300), before, "after a crash, too");
    let by_hand = |key: &str| {
        let request = StartRequest { organisation: world.organisation, workflow: "w".into(), input: json!({ "k": key }), key: None };
        let run = world.simulation.executor.block_on(handle.start_run(request)).expect("started").run_id;
        runs(&world, "w").into_iter().find(|row| row.id == run).expect("there").version
    };
    for (key, version) in before.iter().take(20) {
        assert_eq!(by_hand(key), *version, "{key} by hand");
    }
}

#[test]
fn promoting_gives_it_every_start_and_taking_it_back_none() {
    let (world, handle) = calm(&[FIRST]);
    publish(&world, &handle, &second("{ share: 30% }"));
    let set = |version| world.simulation.executor.block_on(handle.set_current(world.organisation, "w", Some(version))).expect("set");
    set(2);
    assert_eq!((trial(&world), start(&world, &handle, "a", 0..50).into_values().collect::<BTreeSet<_>>()), (None, BTreeSet::from([2])));
    publish(&world, &handle, &second("{ share: 60% }"));
    set(2);
    assert_eq!((trial(&world), start(&world, &handle, "b", 0..50).into_values().collect::<BTreeSet<_>>()), (None, BTreeSet::from([2])));
}

#[test]
fn the_first_version_and_one_without_rollout_take_every_start() {
    let (world, handle) = calm(&[&second("{ share: 1% }")]);
    assert_eq!(trial(&world), None, "there is nothing to compare it with");
    publish(&world, &handle, &second("{ share: 2% }"));
    assert!(trial(&world).is_some());
    publish(&world, &handle, FIRST);
    assert_eq!((trial(&world), start(&world, &handle, "a", 0..50).into_values().collect::<BTreeSet<_>>()), (None, BTreeSet::from([3])));
}

#[test]
fn too_many_failures_hold_the_version_its_runs_and_give_its_starts_back() {
    let alarm = "name: alarm\non: [{ event: rollout.held, if: event.data.version == 2 }]\nsteps: [{ id: a, do: debug.echo, with: { n: 1 } }]\n";
    let (world, handle) = calm(&[FIRST, alarm]);
    publish(&world, &handle, &failing("{ share: 50%, hold_if: { failed: 10%, of: 20 } }"));
    start(&world, &handle, "a", 0..4);
    pass(&world, 1_000);
    // Commits whose outcome is unknown, and a crash, between the first failures and the verdict.
    world.store.script([Some(CommitFault::UnknownStored), Some(CommitFault::UnknownLost), Some(CommitFault::Failed)]);
    pass(&world, 3_600_000);
    let failed = of_version(&world, 2).iter().filter(|run| run.status == RunStatus::Failed).count();
    assert!((1..3).contains(&failed), "{failed} have failed, which is not too many yet");
    assert_eq!(trial(&world).map(|state| (state.ended as usize, state.failed as usize, state.held_at)), Some((failed, failed, None)));
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, 1_000);
    start(&world, &handle, "b", 100..140);
    // These fall due after the verdict: they are alive when it comes.
    pass(&world, 1_800_000);
    start(&world, &handle, "c", 200..240);
    pass(&world, 1_800_000);
    let state = trial(&world).expect("held");
    assert!(state.held_at.is_some() && state.failed == 3, "{state:?}");
    let scope = PauseScope::Version { organisation: world.organisation, workflow: "w".into(), version: 2 };
    let holds = world.simulation.executor.block_on(world.store.inner().pauses()).expect("readable");
    assert!(holds.iter().any(|pause| pause.scope == scope && pause.reason.as_deref().is_some_and(|reason| reason.contains("3 of its first"))), "{holds:?}");
    assert_eq!(runs(&world, "alarm").len(), 1, "an event tells of it");
    assert_eq!(start(&world, &handle, "d", 0..60).into_values().collect::<BTreeSet<_>>(), BTreeSet::from([1]), "its starts go to the version before it");
    pass(&world, 7_200_000);
    let paused = of_version(&world, 2).into_iter().filter(|run| run.status == RunStatus::Paused).count();
    assert!(paused > 5, "what waited is held: {paused}");
    world.simulation.executor.crash();
    let handle = world.start();
    assert_eq!(start(&world, &handle, "e", 0..60).into_values().collect::<BTreeSet<_>>(), BTreeSet::from([1]));
    // Promoted all the same: what was held goes on.
    world.simulation.executor.block_on(handle.set_current(world.organisation, "w", Some(2))).expect("promoted");
    pass(&world, 1_000);
    assert!(of_version(&world, 2).iter().all(|run| run.status != RunStatus::Paused), "its runs go on");
    assert_eq!(trial(&world), None);
}

#[test]
fn runs_that_end_well_or_are_cancelled_hold_nothing() {
    let (world, handle) = calm(&[FIRST]);
    publish(&world, &handle, &second("{ share: 50%, hold_if: { failed: 0%, of: 5 } }"));
    start(&world, &handle, "a", 0..20);
    for run in of_version(&world, 2).iter().take(2) {
        world.simulation.executor.block_on(handle.cancel(world.organisation, run.id, "me", None, false)).expect("cancelled");
    }
    pass(&world, 3_700_000);
    assert_eq!(trial(&world).map(|state| (state.ended, state.failed, state.held_at)), Some((5, 0, None)), "counted as far as is asked for");
}

#[test]
fn schedules_follow_the_key() {
    let nightly =
        "name: w\non: [{ schedule: { cron: '0 3 * * *', timezone: UTC, each: { segment: everybody } } }]\nsteps: [{ id: a, do: debug.echo, with: { n: 1 } }]\n";
    let (world, handle) = calm(&[nightly]);
    publish(&world, &handle, &format!("{}rollout: {{ share: 20% }}\n", nightly.replace("n: 1", "n: 2")));
    pass(&world, 25 * 3_600_000);
    let (old, new) = (of_version(&world, 1).len(), of_version(&world, 2).len());
    assert_eq!(old + new, super::world::EVERYBODY, "everybody starts once");
    assert!((50..140).contains(&new), "{new} of {}", old + new);
    let history = world.store.inner().committed_history(of_version(&world, 2)[0].id).expect("readable");
    assert!(matches!(&history[0].fact, Fact::RunStarted { trigger: Some(0), .. }), "{:?}", history[0]);
}
