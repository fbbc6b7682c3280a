//! Scenarios of leases: what a node may do once its shards are another's, and when another may take them.

use super::{
    scenarios::{ECHO, calm_with, event, ingest, pass, runs},
    world::World,
};
use crate::{EngineError, Ingested, config::Plant};
use onward_core::{
    NodeId,
    ports::{Beat, Clock as _, Executor as _, Ids as _, Lane, NodeRole, Store as _, Take, UnknownProcesses, WriteError, write},
};
use onward_testkit::MemoryTx;
use serde_json::json;

/// What an engine said to an event and to a write after another node had taken its shards over.
struct AfterTakeOver {
    world: World,
    ingested: Result<Vec<Ingested>, EngineError>,
    written: Result<Result<(), ()>, WriteError>,
}

fn after_a_take_over(plant: Option<Plant>) -> AfterTakeOver {
    let (world, handle) = calm_with(&[ECHO], |world| world.limits.plant = plant);
    ingest(&world, &handle, vec![event(&world, "go", "before", json!({}))]).expect("it is taken in");
    let other = NodeId(world.simulation.ids.fresh(world.simulation.clock.now()));
    let take = Beat {
        node: other,
        role: NodeRole::All,
        about: "",
        processes: &UnknownProcesses,
        now: world.simulation.clock.now(),
        ttl_ms: 86_400_000,
        give: &[],
        take: Take::Everything,
    };
    world.simulation.executor.block_on(world.store.inner().beat(&take)).expect("taken");
    let event = event(&world, "go", "after", json!({}));
    let written = handle.clone();
    let (ingested, written) = world.simulation.executor.block_on(async move {
        let ingested = handle.ingest(vec![event]).await;
        (ingested, write(&written, Lane::Normal, |_: &mut MemoryTx| Box::pin(async { Ok::<(), ()>(()) })).await)
    });
    AfterTakeOver { world, ingested, written }
}

#[test]
fn a_node_that_lost_its_leases_writes_nothing() {
    let AfterTakeOver { world, ingested, written } = after_a_take_over(None);
    assert!(matches!(ingested, Err(EngineError::Write(WriteError::Unavailable { .. }))), "{ingested:?}");
    assert!(matches!(written, Err(WriteError::Unavailable { .. }) | Ok(_)), "{written:?}");
    assert_eq!(runs(&world, "echo").len(), 1, "nothing was written under the lost epoch");
}

#[test]
fn a_dead_nodes_shards_are_taken_when_its_leases_end() {
    let (mut other, _dead) = calm_with(&[ECHO], |world| world.limits.lease_ms = 4_000);
    other.simulation.executor.crash();
    // Another node of a cluster: it may not take what is not expired.
    other.take_all = false;
    let handle = other.start();
    let waiting = handle.clone();
    let sent = event(&other, "go", "1", json!({}));
    other.simulation.executor.spawn(Box::pin(async move {
        waiting.ready().await;
        drop(waiting.ingest(vec![sent]).await);
    }));
    pass(&other, 1_000);
    assert!(runs(&other, "echo").is_empty(), "the leases still run");
    pass(&other, 4_000);
    assert_eq!(runs(&other, "echo").len(), 1, "within five seconds");
}

#[test]
fn an_unchecked_epoch_is_found() {
    let AfterTakeOver { world, ingested, written } = after_a_take_over(Some(Plant::EpochUnchecked));
    assert!(ingested.is_ok() && written.is_ok() && runs(&world, "echo").len() == 2, "without the check, a dead node writes on: {ingested:?} {written:?}");
}
