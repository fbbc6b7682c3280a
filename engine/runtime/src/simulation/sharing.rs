//! Single scenarios of several nodes on one store, in a world without chance.

use super::{
    scenarios::{event, pass, publish, runs},
    world::{Handle, World},
};
use crate::{EngineError, EngineLimits, StartRequest, config::Plant};
use onward_core::{
    NodeId,
    history::Fact,
    ports::{Clock as _, Executor as _, Lane, NodeRole, RunStatus, Store as _, Transaction as _, WriteError, write},
};
use onward_testkit::simulation::SimulatedProcess;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const KEYED: &str = "
name: keyed
on: [{ event: go }]
key: '{{ event.data.k }}'
mode: queued
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
  - { id: heard, wait_for: { event: shout, match: { k: '{{ event.data.k }}' } }, timeout: 1h }
";

const PARENT: &str = "
name: parent
on: [{ event: family }]
steps:
  - { id: c, call: child, with: { n: 1 } }
";

const CHILD: &str = "
name: child
on: [{ manual: {} }]
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
  - { id: nap, delay: 1m }
";

struct Node {
    handle: Handle,
    process: SimulatedProcess,
}

fn shared(plant: Option<Plant>) -> World {
    let mut world = World::new(1, None);
    world.limits = EngineLimits { timer_horizon_ms: 3_600_000, plant, ..EngineLimits::default() };
    world.take_all = false;
    world.store.keep_time();
    world
}

fn join(world: &World, role: NodeRole) -> Node {
    let process = SimulatedProcess::new(world.simulation.executor.clone());
    let (handle, ..) = world.start_process(&process, role);
    world.simulation.executor.block_on(handle.ready());
    Node { handle, process }
}

/// How many shards each node owns, by what the store says.
fn owned(world: &World) -> BTreeMap<Option<NodeId>, usize> {
    world.store.inner().committed_owners().into_iter().fold(BTreeMap::new(), |mut counts, owner| {
        *counts.entry(owner.node).or_default() += 1;
        counts
    })
}

fn counts(world: &World) -> Vec<usize> {
    let mut counts: Vec<usize> = owned(world).into_values().collect();
    counts.sort_unstable();
    counts
}

fn send(world: &World, node: &Node, kind: &str, id: &str, k: &str) -> crate::Ingested {
    let sent = event(world, kind, id, json!({ "k": k }));
    world.simulation.executor.block_on(node.handle.ingest(vec![sent])).expect("it is taken in").remove(0)
}

#[test]
fn shards_are_shared_taken_over_and_handed_over() {
    let world = shared(None);
    let (first, second) = (join(&world, NodeRole::All), join(&world, NodeRole::Worker));
    pass(&world, 3_000);
    assert_eq!(counts(&world), [128, 128]);
    let third = join(&world, NodeRole::All);
    let _takes_none = join(&world, NodeRole::Api);
    pass(&world, 3_000);
    assert_eq!(counts(&world), [84, 86, 86], "fair, and the one that only takes requests has none");
    second.process.kill();
    pass(&world, 5_000);
    assert_eq!(counts(&world), [128, 128], "within five seconds of a death");
    let stopping = third.handle.clone();
    world.simulation.executor.block_on(async move { stopping.shutdown().await });
    world.simulation.executor.run_ready();
    assert_eq!(counts(&world), [256], "at once, when a node stops");
    drop(first);
}

#[test]
fn whoever_starts_where_a_killed_node_ran_need_not_wait_for_its_leases_to_end() {
    let mut world = shared(None);
    world.machines = 1;
    world.limits.lease_ms = 86_400_000;
    let node = join(&world, NodeRole::All);
    publish(&world, &node.handle, KEYED);
    let run = send(&world, &node, "go", "g", "k").run_ids[0];
    pass(&world, 1_000);
    node.process.kill();
    let next = join(&world, NodeRole::All);
    assert_eq!(counts(&world), [256]);
    send(&world, &next, "shout", "s", "k");
    pass(&world, 1_000);
    assert!(runs(&world, "keyed").iter().any(|row| row.id == run && row.status == RunStatus::Completed));
    // One that stands still has not ended, for as long as that lasts: nothing of it is taken.
    next.process.freeze();
    let third = join(&world, NodeRole::Api);
    pass(&world, 3_600_000);
    assert_eq!(world.store.inner().committed_owners().iter().filter(|owner| owner.node.is_none()).count(), 0);
    next.process.thaw();
    drop(third);
}

#[test]
fn keyed_starts_and_waits_reach_their_owners_from_every_node() {
    let world = shared(None);
    let nodes = [join(&world, NodeRole::All), join(&world, NodeRole::Worker), join(&world, NodeRole::Api)];
    publish(&world, &nodes[2].handle, KEYED);
    pass(&world, 5_000);
    assert_eq!(counts(&world), [128, 128]);
    for (number, node) in (0..60).zip(nodes.iter().cycle()) {
        let answer = send(&world, node, "go", &format!("g{number}"), &format!("k{}", number / 3));
        assert_eq!(answer.run_ids.len(), 1, "listed as soon as it is acknowledged");
        assert!(world.store.inner().committed_runs().iter().any(|run| run.id == answer.run_ids[0]));
    }
    pass(&world, 2_000);
    let waiting = |world: &World| runs(world, "keyed").into_iter().filter(|run| run.status == RunStatus::Waiting).count();
    assert_eq!(waiting(&world), 20, "one of each key, whichever node its event came to");
    for round in 0..3 {
        for (number, node) in (0..20).zip(nodes.iter().cycle()) {
            send(&world, node, "shout", &format!("s{round}-{number}"), &format!("k{number}"));
        }
        pass(&world, 2_000);
    }
    let all = runs(&world, "keyed");
    assert!(all.len() == 60 && all.iter().all(|run| run.status == RunStatus::Completed), "{all:#?}");
    assert_eq!(world.store.inner().committed_leftovers(), (0, 0, 0, 0));
}

#[test]
fn children_are_started_heard_of_and_cancelled_across_nodes() {
    let world = shared(None);
    let nodes = [join(&world, NodeRole::All), join(&world, NodeRole::All), join(&world, NodeRole::All)];
    publish(&world, &nodes[0].handle, CHILD);
    publish(&world, &nodes[1].handle, PARENT);
    pass(&world, 5_000);
    for number in 0..24 {
        send(&world, &nodes[number % 3], "family", &number.to_string(), "");
    }
    pass(&world, 5_000);
    assert_eq!(runs(&world, "child").len(), 24);
    for (number, parent) in runs(&world, "parent").into_iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        let node = nodes[(number / 2) % 3].handle.clone();
        let organisation = world.organisation;
        world.simulation.executor.block_on(async move { node.cancel(organisation, parent.id, "me", None, false).await }).expect("it is asked to end");
    }
    pass(&world, 120_000);
    let ended = |workflow, status| runs(&world, workflow).into_iter().filter(|run| run.status == status).count();
    assert_eq!((ended("parent", RunStatus::Completed), ended("parent", RunStatus::Cancelled)), (12, 12));
    assert_eq!((ended("child", RunStatus::Completed), ended("child", RunStatus::Cancelled)), (12, 12));
}

#[test]
fn what_people_want_reaches_the_owner_and_its_answer_comes_back() {
    let world = shared(None);
    let (_worker, api) = (join(&world, NodeRole::Worker), join(&world, NodeRole::Api));
    publish(&world, &api.handle, KEYED);
    let by_hand = "name: hand\non: [{ manual: {} }]\nkey: '{{ input.k }}'\nmode: single\nsteps: [{ id: nap, delay: 1d }]\n";
    publish(&world, &api.handle, by_hand);
    let run = send(&world, &api, "go", "1", "k1").run_ids[0];
    pass(&world, 1_000);
    let (organisation, executor) = (world.organisation, &world.simulation.executor);
    assert_eq!(executor.block_on(api.handle.pause(organisation, run, "me", None)), Ok(RunStatus::Paused));
    let refused = executor.block_on(api.handle.answer(organisation, run, "nosuch", json!(1), "me"));
    assert!(matches!(refused, Err(EngineError::Conflict(_))), "{refused:?}");
    assert_eq!(executor.block_on(api.handle.resume(organisation, run, "me")), Ok(RunStatus::Waiting));
    assert_eq!(executor.block_on(api.handle.cancel(organisation, run, "me", None, false)), Ok(RunStatus::Cancelled));
    let start = || StartRequest { organisation, workflow: "hand".into(), input: json!({ "k": "a" }), key: None };
    let started = executor.block_on(api.handle.start_run(start())).expect("it is started");
    assert!(runs(&world, "hand").iter().any(|run| run.id == started.run_id));
    let refused = executor.block_on(api.handle.start_run(start()));
    assert!(matches!(refused, Err(EngineError::Conflict(_))), "one of a key lives: {refused:?}");
}

#[test]
fn a_run_that_another_node_announced_hears_what_people_want_before_its_owner_looked() {
    let world = shared(None);
    let (worker, api) = (join(&world, NodeRole::Worker), join(&world, NodeRole::Api));
    publish(&world, &api.handle, KEYED);
    pass(&world, 1_000);
    let (organisation, executor) = (world.organisation, &world.simulation.executor);
    for (number, asked) in [&api, &worker].into_iter().cycle().take(20).enumerate() {
        let run = send(&world, &api, "go", &number.to_string(), &format!("k{number}")).run_ids[0];
        executor.block_on(asked.handle.cancel(organisation, run, "me", None, false)).expect("it is asked to end");
    }
    pass(&world, 1_000);
    assert!(runs(&world, "keyed").iter().all(|run| run.status == RunStatus::Cancelled));
    for (number, asked) in [&api, &worker].into_iter().cycle().take(20).enumerate() {
        let run = send(&world, &api, "go", &format!("s{number}"), &format!("s{number}")).run_ids[0];
        let signal = crate::Signal { name: None, step: Some("nosuch".into()), data: json!(1) };
        let refused = executor.block_on(asked.handle.signal(organisation, run, "me", signal, None));
        assert!(matches!(&refused, Err(EngineError::Conflict(reason)) if !reason.contains("began")), "{refused:?}");
    }
}

/// A node that stood still for longer than its leases, while another took over, goes on: it has a timer of a run in memory.
fn after_standing_still(plant: Option<Plant>) -> (World, Vec<onward_core::history::Entry>) {
    let world = shared(plant);
    let sleeper = "name: sleeper\non: [{ event: go }]\nsteps:\n  - { id: nap, delay: 20s }\n  - { id: s, do: test.send, with: { n: 1 }, on_error: continue }\n";
    let first = join(&world, NodeRole::All);
    publish(&world, &first.handle, sleeper);
    let run = send(&world, &first, "go", "1", "").run_ids[0];
    pass(&world, 1_000);
    first.process.freeze();
    world.store.inner().end_idle_transaction();
    let second = join(&world, NodeRole::All);
    pass(&world, 30_000);
    first.process.thaw();
    pass(&world, 30_000);
    drop(second);
    let history = world.store.inner().committed_history(run).expect("readable");
    (world, history)
}

#[test]
fn a_node_that_stood_still_writes_nothing_under_its_old_epoch() {
    let (world, history) = after_standing_still(None);
    assert_eq!(history.iter().filter(|entry| entry.fact.kind() == "timer_fired").count(), 1);
    assert_eq!(runs(&world, "sleeper")[0].status, RunStatus::Completed);
    let attempts = history.iter().filter(|entry| entry.fact.kind() == "step_scheduled").count();
    assert_eq!(world.ledger.calls().values().map(Vec::len).sum::<usize>(), attempts, "each call is one of whoever owns the run: {history:#?}");
    assert_eq!(counts(&world), [128, 128], "and has its share again");
}

/// A node waits for a connection for longer than its leases last; another one has taken over when it gets it.
fn after_a_long_wait(plant: Option<Plant>) -> Option<String> {
    let world = shared(plant);
    let first = join(&world, NodeRole::All);
    publish(&world, &first.handle, KEYED);
    pass(&world, 1_000);
    world.store.delay_next_begin(20_000);
    let (sending, sent) = (first.handle.clone(), event(&world, "go", "1", json!({ "k": "a" })));
    world.simulation.executor.spawn(Box::pin(async move { drop(sending.ingest(vec![sent]).await) }));
    pass(&world, 1);
    let _second = join(&world, NodeRole::All);
    pass(&world, 60_000);
    world.store.broken_ownership()
}

#[test]
fn a_node_that_waited_for_longer_than_its_leases_writes_nothing() {
    assert_eq!(after_a_long_wait(None), None);
    assert!(after_a_long_wait(Some(Plant::EpochUnchecked)).is_some_and(|broken| broken.contains("promise 6")), "without the check it does");
}

/// The notice of an event is lost; the event came in a second before the time-out of the wait that it is for.
fn hears_in_time(plant: Option<Plant>) -> bool {
    let mut world = shared(plant);
    world.limits.lease_ms = 43_200_000;
    let (_owner, api) = (join(&world, NodeRole::Worker), join(&world, NodeRole::Api));
    publish(&world, &api.handle, KEYED);
    let run = send(&world, &api, "go", "1", "k1").run_ids[0];
    pass(&world, 1_000);
    world.store.lose_notices(true);
    pass(&world, 3_598_000);
    send(&world, &api, "shout", "in-time", "k1");
    pass(&world, 60_000);
    let history = world.store.inner().committed_history(run).expect("readable");
    let ends = |kind: &str| history.iter().any(|entry| entry.fact.kind() == kind);
    assert_ne!(ends("wait_resolved"), ends("wait_timed_out"), "one of both: {history:#?}");
    ends("wait_resolved")
}

#[test]
fn before_a_time_out_the_inbox_is_applied_though_its_notice_was_lost() {
    assert!(hears_in_time(None));
    assert!(!hears_in_time(Some(Plant::TimeOutBeforeInbox)), "only the look into the inbox finds it");
}

#[test]
fn an_event_that_came_in_time_beats_the_time_out_on_another_node() {
    let world = shared(None);
    let (owner, api) = (join(&world, NodeRole::Worker), join(&world, NodeRole::Api));
    publish(&world, &api.handle, KEYED);
    let run = send(&world, &api, "go", "1", "k1").run_ids[0];
    pass(&world, 1_000);
    // The owner stands still over the deadline; the event comes before it, and lies in the inbox.
    owner.process.freeze();
    world.store.inner().end_idle_transaction();
    pass(&world, 3_500_000);
    send(&world, &api, "shout", "in-time", "k1");
    pass(&world, 3_600_000);
    owner.process.thaw();
    pass(&world, 10_000);
    let history = world.store.inner().committed_history(run).expect("readable");
    assert!(history.iter().any(|entry| entry.fact.kind() == "wait_resolved"), "{history:#?}");
}

#[test]
fn what_an_unknown_node_brought_comes_first_too() {
    let world = shared(None);
    let first = join(&world, NodeRole::All);
    publish(&world, &first.handle, KEYED);
    pass(&world, 3_000);
    // The first node takes itself for the only one until its next beat, and no notice tells it otherwise.
    world.store.lose_notices(true);
    let second = join(&world, NodeRole::Api);
    let earlier = send(&world, &second, "go", "1", "k1").run_ids[0];
    let later = send(&world, &first, "go", "2", "k1").run_ids[0];
    let status = |run| world.store.inner().committed_runs().into_iter().find(|row| row.id == run).expect("it is stored").status;
    assert_eq!((status(earlier), status(later)), (RunStatus::Waiting, RunStatus::Held), "starts of one key keep the order of intake");
}

#[test]
fn a_new_time_zone_holds_on_every_node_with_its_commit() {
    let world = shared(None);
    let nodes = [join(&world, NodeRole::All), join(&world, NodeRole::All)];
    publish(&world, &nodes[0].handle, KEYED);
    pass(&world, 5_000);
    world.store.lose_notices(true);
    let zones = |round: &str| -> BTreeSet<String> {
        let started = (0..20).map(|number| send(&world, &nodes[number % 2], "go", &format!("{round}{number}"), &format!("{round}{number}")).run_ids[0]);
        let started: Vec<_> = started.collect();
        pass(&world, 60_000);
        let began = |run| world.store.inner().committed_history(run).expect("readable").swap_remove(0).fact;
        let zone = |run| if let Fact::RunStarted { timezone, .. } = began(run) { timezone } else { String::new() };
        started.into_iter().map(zone).collect()
    };
    assert_eq!(zones("before"), BTreeSet::from(["Asia/Kolkata".to_owned()]));
    let (headquarters, organisation) = (Arc::clone(&world.headquarters), world.organisation);
    let moved = write(&nodes[0].handle, Lane::Normal, move |tx| {
        *headquarters.0.lock().unwrap() = "America/Lima";
        tx.outbox().settings_changed.push(organisation);
        Box::pin(async { Ok::<_, WriteError>(()) })
    });
    world.simulation.executor.block_on(moved).expect("committed").expect("changed");
    assert_eq!(zones("after"), BTreeSet::from(["America/Lima".to_owned()]));
}

#[test]
fn nodes_are_listed_with_what_they_say() {
    let world = shared(None);
    let _nodes = [join(&world, NodeRole::Worker), join(&world, NodeRole::Api)];
    let listed = world.simulation.executor.block_on(world.store.nodes()).expect("nodes");
    assert_eq!(
        listed.iter().map(|node| (node.role, node.takes)).collect::<BTreeMap<_, _>>(),
        BTreeMap::from([(NodeRole::Worker, true), (NodeRole::Api, false)])
    );
    assert!(listed.iter().all(|node| node.seen_at <= world.simulation.clock.now()));
}

const MOVED: &str = "
name: w
on: [{ event: go }]
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
  - { id: nap, delay: 1h }
  - { id: done, do: test.count, with: { version: 1 } }
";

#[test]
fn runs_of_every_node_move_to_another_version_and_back() {
    let world = shared(None);
    let nodes = [join(&world, NodeRole::Worker), join(&world, NodeRole::Worker), join(&world, NodeRole::Api)];
    publish(&world, &nodes[0].handle, MOVED);
    pass(&world, 5_000);
    for number in 0..40 {
        send(&world, &nodes[number % 3], "go", &number.to_string(), "");
    }
    pass(&world, 5_000);
    let versions = || {
        runs(&world, "w").iter().fold(BTreeMap::new(), |mut counts: BTreeMap<u32, usize>, run| {
            *counts.entry(run.version).or_default() += 1;
            counts
        })
    };
    assert_eq!((versions(), counts(&world)), (BTreeMap::from([(1, 40)]), vec![128, 128]));
    publish(&world, &nodes[0].handle, &MOVED.replace("n: 1", "n: 2").replace("version: 1", "version: 2"));
    pass(&world, 5_000);
    // Asked of one that owns half of them, of one that owns none, and back again.
    let asked = |node: &Node, change: &dyn Fn(&mut crate::MigrationRequest)| {
        let mut request = super::migration::request(&world, 2);
        change(&mut request);
        super::migration::migrate(&world, &node.handle, request).expect("it is answered")
    };
    let some = asked(&nodes[0], &|request| request.limit = 25);
    assert_eq!((some.runs, some.moved, some.changed, versions()), (25, 25, 0, BTreeMap::from([(1, 15), (2, 25)])));
    let rest = asked(&nodes[2], &|_| {});
    assert_eq!((rest.runs, rest.moved, rest.changed, versions()), (15, 15, 0, BTreeMap::from([(2, 40)])));
    let back = asked(&nodes[1], &|request| request.undo = true);
    assert_eq!((back.moved, versions()), (40, BTreeMap::from([(1, 40)])));
    let cancelled = asked(&nodes[2], &|request| request.cancel.extend(["nap".to_owned()]));
    assert_eq!(cancelled.moved, 40);
    pass(&world, 10_000);
    assert!(runs(&world, "w").iter().all(|run| run.status == RunStatus::Cancelled));
    assert_eq!(world.store.inner().committed_leftovers(), (0, 0, 0, 0));
}
