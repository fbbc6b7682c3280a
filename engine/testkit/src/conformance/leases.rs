//! Who owns which shard (SEMANTICS.md 4).

use super::fixture::{at, attempt, node};
use onward_core::{
    Shard,
    ports::{Beat, Lease, NodeRole, Processes, Standing, Store, StoreError, Take, UnknownProcesses},
};

async fn beat<S: Store>(store: &S, who: u128, now: i64, take: Take, give: &[Shard]) -> Standing {
    let beat = Beat { node: node(who), role: NodeRole::All, about: "here", processes: &UnknownProcesses, now: at(now), ttl_ms: 1_000, give, take };
    store.beat(&beat).await.expect("beat")
}
async fn acquire<S: Store>(store: &S, who: u128, now: i64, take: Take) -> Vec<Lease> {
    beat(store, who, now, take, &[]).await.leases
}
async fn check<S: Store>(store: &S, leases: &[Lease]) -> Result<(), StoreError> {
    attempt(store, async |tx| store.check_leases(tx, leases).await).await
}

/// All shards are free at first; taking them again changes nothing.
pub async fn a_node_takes_free_shards<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, Take::Share).await;
    assert_eq!(leases.iter().map(|lease| lease.shard.0).collect::<Vec<_>>(), (0..Shard::COUNT).collect::<Vec<_>>());
    assert!(leases.iter().all(|lease| lease.epoch == leases[0].epoch));
    assert_eq!(acquire(store, 1, 10, Take::Share).await, leases);
    assert_eq!(check(store, &leases).await, Ok(()));
    assert_eq!(check(store, &[]).await, Ok(()));
}

/// Until it expires, nobody else gets it.
pub async fn a_living_lease_is_not_taken<S: Store>(store: &S) {
    let ours = acquire(store, 1, 0, Take::Share).await;
    let other = beat(store, 2, 999, Take::Share, &[]).await;
    assert_eq!((other.leases, other.next_expiry), (vec![], Some(at(1_000))));
    assert_eq!(check(store, &ours).await, Ok(()));
}

/// The moment of expiry is already too late for the owner.
pub async fn an_expired_lease_changes_hands_with_a_higher_epoch<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, Take::Share).await;
    let after = beat(store, 2, 1_000, Take::Share, &[]).await;
    assert_eq!(after.leases.len(), before.len());
    assert!(before.iter().zip(&after.leases).all(|(before, after)| after.epoch == before.epoch + 1 && after.shard == before.shard));
    assert!(after.unserved_since.len() == before.len() && after.unserved_since.values().all(|since| *since == at(1_000)));
    assert_eq!(acquire(store, 1, 1_001, Take::Nothing).await, []);
}

/// On one file the lock proves the other node dead: its time need not be waited for.
pub async fn a_lease_left_behind_is_taken_on_demand<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, Take::Share).await;
    let after = acquire(store, 2, 1, Take::Everything).await;
    assert_eq!(after.len(), before.len());
    assert!(after[0].epoch > before[0].epoch);
}

/// The check names the shard, and it is within the transaction that it refuses.
pub async fn a_lost_lease_is_refused<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, Take::Share).await;
    let after = acquire(store, 2, 1, Take::Everything).await;
    assert_eq!(check(store, &after).await, Ok(()));
    let mixed = [after[3], before[5], after[9]];
    assert_eq!(check(store, &mixed).await, Err(StoreError::LeaseLost { shard: Shard(5), expected: before[5].epoch }));
    assert!(matches!(check(store, &before).await, Err(StoreError::LeaseLost { .. })));
}

/// A beat moves the expiry and keeps the epoch.
pub async fn a_beat_prolongs_a_lease<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, Take::Share).await;
    assert_eq!(acquire(store, 1, 900, Take::Nothing).await, leases);
    assert_eq!(acquire(store, 2, 1_500, Take::Share).await, []);
    assert_eq!(acquire(store, 2, 1_900, Take::Share).await.len(), leases.len());
}

/// A shard of a node that left is taken at once, under a higher epoch.
pub async fn shards_of_a_node_that_left_are_free<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, Take::Share).await;
    store.leave(node(2), at(0)).await.expect("nothing to give");
    assert_eq!(check(store, &before).await, Ok(()));
    store.leave(node(1), at(0)).await.expect("leave");
    assert!(store.nodes().await.expect("nodes").is_empty());
    assert!(matches!(check(store, &before).await, Ok(()) | Err(StoreError::LeaseLost { .. })));
    let after = acquire(store, 1, 1, Take::Share).await;
    assert_eq!(after.len(), before.len());
    assert!(after[0].epoch > before[0].epoch);
    assert!(matches!(check(store, &before).await, Err(StoreError::LeaseLost { .. })));
}

/// The same lease may be named twice: what is checked is each.
pub async fn a_lease_may_be_named_twice<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, Take::Share).await;
    assert_eq!(check(store, &[leases[7], leases[2], leases[7], leases[3]]).await, Ok(()));
}

/// A node that joins gets what the others give back, and no more than its share.
pub async fn shards_are_shared<S: Store>(store: &S) {
    let all = acquire(store, 1, 0, Take::Share).await;
    assert_eq!(beat(store, 2, 10, Take::Share, &[]).await.share, 128);
    let surplus: Vec<Shard> = all[128..].iter().map(|lease| lease.shard).collect();
    let first = beat(store, 1, 20, Take::Share, &surplus).await;
    assert_eq!((first.leases.len(), first.share), (128, 128), "what it gives back it does not take again");
    let second = beat(store, 2, 30, Take::Share, &[]).await;
    assert_eq!(second.leases.iter().map(|lease| lease.shard).collect::<Vec<_>>(), surplus);
    assert!(second.unserved_since.values().all(|since| *since == at(20)), "since they were given back");
    assert_eq!(check(store, &first.leases).await, Ok(()));
    assert_eq!(check(store, &second.leases).await, Ok(()));
    assert!(matches!(check(store, &all).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(acquire(store, 3, 40, Take::Share).await, [], "nothing is free");
    let owners = store.owners().await.expect("owners");
    assert_eq!(owners.iter().filter(|owner| owner.node == Some(node(2))).count(), 128);
}

/// A node that takes nothing, and one that has not been heard of, have no share.
pub async fn only_living_nodes_that_take_shards_have_a_share<S: Store>(store: &S) {
    acquire(store, 1, 0, Take::Nothing).await;
    acquire(store, 2, 10, Take::Share).await;
    assert_eq!(beat(store, 3, 500, Take::Share, &[]).await.share, 128, "the first takes nothing");
    assert_eq!(beat(store, 3, 1_010, Take::Share, &[]).await.share, 256, "the second is dead");
    let nodes = store.nodes().await.expect("nodes");
    let row = nodes.iter().find(|row| row.id == node(3)).expect("it is listed");
    assert_eq!((row.role, row.takes, row.about.as_str(), row.started_at, row.seen_at), (NodeRole::All, true, "here", at(500), at(1_010)));
    acquire(store, 3, 10_000_000, Take::Share).await;
    assert_eq!(store.nodes().await.expect("nodes").len(), 1, "the dead are forgotten");
}

/// A process of this name, on a machine on which these others have ended.
#[derive(Debug)]
struct Machine {
    own: &'static str,
    ended: &'static [&'static str],
}

impl Processes for Machine {
    fn own(&self) -> &'static str {
        self.own
    }
    fn has_ended(&self, name: &str) -> bool {
        self.ended.contains(&name)
    }
}

async fn beat_on<S: Store>(store: &S, who: u128, now: i64, processes: &Machine) -> Standing {
    let beat = Beat { node: node(who), role: NodeRole::All, about: "here", processes, now: at(now), ttl_ms: 1_000, give: &[], take: Take::Share };
    store.beat(&beat).await.expect("beat")
}

/// Whoever knows that a node's process has ended takes its shards at once; who does not know it waits for the leases' end.
pub async fn shards_of_a_process_that_ended_are_free<S: Store>(store: &S) {
    let before = beat_on(store, 1, 0, &Machine { own: "a", ended: &[] }).await.leases;
    assert_eq!(beat_on(store, 2, 10, &Machine { own: "b", ended: &["c", ""] }).await.leases, [], "of others it knows that they ended");
    let successor = beat_on(store, 3, 20, &Machine { own: "d", ended: &["a", "b"] }).await;
    assert_eq!((successor.leases.len(), successor.share, successor.company), (before.len(), before.len(), false), "nobody else lives");
    assert!(successor.leases[0].epoch > before[0].epoch);
    assert!(successor.unserved_since.values().all(|since| *since == at(20)), "until then they were served, as far as anybody knows");
    assert!(matches!(check(store, &before).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(store.nodes().await.expect("nodes").into_iter().map(|row| row.process).collect::<Vec<_>>(), ["d"]);
    // Long after it died, what it owned is unserved since its leases ended.
    let late = beat_on(store, 4, 5_000, &Machine { own: "e", ended: &["d"] }).await;
    assert!(late.leases.len() == before.len() && late.unserved_since.values().all(|since| *since == at(1_020)));
}
