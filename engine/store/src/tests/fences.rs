//! One row that stands for all leases of a node: whoever takes one of them raises it, by whatever way.

use super::{at, commit, row, run_id, write};
use crate::SqlStore;
use onward_core::{
    NodeId, Shard, Timestamp,
    ports::{Beat, Clock as _, Lease, NodeRole, RunStatus, Standing, Store as _, StoreError, Take, UnknownProcesses},
};
use onward_database::{Query as _, args};

/// The stores of two processes on one database.
async fn two() -> (SqlStore, SqlStore) {
    let database = onward_database::testing::database().await;
    (SqlStore::by_the_askers_clock(database.clone()), SqlStore::by_the_askers_clock(database))
}

async fn beat(store: &SqlStore, who: u128, now: i64, take: Take, give: &[Shard]) -> Standing {
    let beat = Beat { node: NodeId(run_id(who).0), role: NodeRole::All, about: "", processes: &UnknownProcesses, now: at(now), ttl_ms: 1_000, give, take };
    store.beat(&beat).await.unwrap()
}

/// Whether a run can be written while these leases are relied on.
async fn writes(store: &SqlStore, number: u128, leases: &[Lease]) -> Result<(), StoreError> {
    let mut tx = store.begin(at(0)).await.unwrap();
    if let Err(refused) = store.check_leases(&mut tx, leases).await {
        store.rollback(tx).await;
        return Err(refused);
    }
    store.write_runs(&mut tx, &[write(&row(number, RunStatus::Running), Vec::new())]).await.unwrap();
    store.commit(tx).await.map_err(|error| match error {
        onward_core::ports::CommitError::Refused(refused) => refused,
        other => panic!("{other:?}"),
    })
}

async fn runs(store: &SqlStore) -> i64 {
    store.database().reader().fetch_one("SELECT count(*) AS n FROM runs", args![]).await.unwrap().get("n").unwrap()
}

fn lost(lease: Lease) -> Result<(), StoreError> {
    Err(StoreError::LeaseLost { shard: lease.shard, expected: lease.epoch })
}

#[tokio::test]
async fn what_another_process_took_is_refused_and_named() {
    let (first, second) = two().await;
    let before = beat(&first, 1, 0, Take::Share, &[]).await.leases;
    assert_eq!(writes(&first, 1, &before).await, Ok(()));
    assert_eq!(beat(&first, 1, 500, Take::Share, &[]).await.leases, before, "a sign of life raises nothing");
    assert_eq!(writes(&first, 2, &before).await, Ok(()));
    let after = beat(&second, 2, 1_500, Take::Share, &[]).await.leases;
    assert_eq!(writes(&first, 3, &before).await, lost(before[0]));
    assert_eq!(writes(&second, 4, &after).await, Ok(()));
    assert_eq!(runs(&first).await, 3, "what was refused is not stored");
}

#[tokio::test]
async fn what_stands_after_some_were_given_back_or_taken_is_not_refused() {
    let (first, second) = two().await;
    let all = beat(&first, 1, 0, Take::Share, &[]).await.leases;
    beat(&second, 2, 10, Take::Share, &[]).await;
    let surplus: Vec<Shard> = all[128..].iter().map(|lease| lease.shard).collect();
    let kept = beat(&first, 1, 20, Take::Share, &surplus).await.leases;
    assert_eq!(writes(&first, 1, &kept).await, Ok(()));
    let given = beat(&second, 2, 30, Take::Share, &[]).await.leases;
    assert_eq!((writes(&first, 2, &kept).await, writes(&second, 3, &given).await), (Ok(()), Ok(())), "those were nobody's by then");
    assert_eq!(writes(&first, 4, &kept[3..7]).await, Ok(()), "some of them");
    assert_eq!(writes(&first, 5, &all).await, lost(all[128]), "those of before are another matter");
}

/// An older version, or a person, takes a shard without a word.
#[tokio::test]
async fn a_shard_that_is_taken_by_any_other_way_is_lost_too() {
    let (first, _) = two().await;
    let leases = beat(&first, 1, 0, Take::Share, &[]).await.leases;
    commit(&first, async |tx| tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE shard = 77", args![]).await.unwrap()).await;
    assert_eq!(writes(&first, 1, &leases).await, lost(leases[77]));
    let again = beat(&first, 1, 10, Take::Share, &[]).await.leases;
    assert_eq!(writes(&first, 2, &again).await, Ok(()));
}

#[tokio::test]
async fn a_node_that_was_forgotten_writes_nothing_until_it_is_heard_of_again() {
    let (first, second) = two().await;
    let before = beat(&first, 1, 0, Take::Share, &[]).await.leases;
    beat(&second, 2, 700_000, Take::Nothing, &[]).await;
    assert_eq!(writes(&first, 1, &before).await, lost(before[0]), "nobody took one: the next sign of life says what stands");
    let again = beat(&first, 1, 700_001, Take::Share, &[]).await.leases;
    assert_eq!(writes(&first, 2, &again).await, Ok(()));
    first.leave(NodeId(run_id(1).0), Timestamp::default()).await.unwrap();
    let fences = first.database().reader().fetch_one("SELECT count(*) AS n FROM fences", args![]).await.unwrap();
    assert_eq!(fences.get::<i64>("n").unwrap(), 1, "the other's");
}

#[tokio::test]
async fn a_database_that_nodes_share_shows_its_clock() {
    let database = onward_database::testing::database().await;
    let clock = onward_database::SystemClock::new();
    let store = SqlStore::new(database.clone());
    let before = clock.now();
    let shown = store.clock(before).await.unwrap();
    let after = clock.now().plus_millis(1);
    assert_eq!(shown.is_some(), database.path().is_none());
    // Both run on this machine.
    let between = before.as_millis() * 1_000..=after.as_millis() * 1_000;
    assert!(shown.is_none_or(|shown| between.contains(&shown)), "{shown:?} is not in {between:?}");
    assert_eq!(SqlStore::by_the_askers_clock(database).clock(before).await, Ok(None));
}
