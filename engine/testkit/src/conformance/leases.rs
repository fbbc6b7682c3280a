//! Who owns which shard (SEMANTICS.md 4).

use super::fixture::{at, look, node};
use onward_core::{
    Shard,
    ports::{Lease, Store, StoreError},
};

async fn acquire<S: Store>(store: &S, who: u128, now: i64, take_all: bool) -> Vec<Lease> {
    store.acquire_leases(node(who), at(now), 1_000, take_all).await.expect("acquire_leases")
}
async fn check<S: Store>(store: &S, leases: &[Lease]) -> Result<(), StoreError> {
    look(store, async |tx| store.check_leases(tx, leases).await).await
}

/// All shards are free at first; taking them again changes nothing.
pub async fn a_node_takes_free_shards<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, false).await;
    assert_eq!(leases.iter().map(|lease| lease.shard.0).collect::<Vec<_>>(), (0..Shard::COUNT).collect::<Vec<_>>());
    assert!(leases.iter().all(|lease| lease.epoch == leases[0].epoch));
    assert_eq!(acquire(store, 1, 10, false).await, leases);
    assert_eq!(check(store, &leases).await, Ok(()));
    assert_eq!(check(store, &[]).await, Ok(()));
}

/// Until it expires, nobody else gets it.
pub async fn a_living_lease_is_not_taken<S: Store>(store: &S) {
    let ours = acquire(store, 1, 0, false).await;
    assert_eq!(acquire(store, 2, 999, false).await, []);
    assert_eq!(check(store, &ours).await, Ok(()));
}

/// The moment of expiry is already too late for the owner.
pub async fn an_expired_lease_changes_hands_with_a_higher_epoch<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, false).await;
    let after = acquire(store, 2, 1_000, false).await;
    assert_eq!(after.len(), before.len());
    assert!(before.iter().zip(&after).all(|(before, after)| after.epoch == before.epoch + 1 && after.shard == before.shard));
    assert_eq!(store.renew_leases(node(1), at(1_001), 1_000).await.expect("renew_leases"), []);
}

/// On one file the lock proves the other node dead: its time need not be waited for.
pub async fn a_lease_left_behind_is_taken_on_demand<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, false).await;
    let after = acquire(store, 2, 1, true).await;
    assert_eq!(after.len(), before.len());
    assert!(after[0].epoch > before[0].epoch);
}

/// The check names the shard, and it is within the transaction that it refuses.
pub async fn a_lost_lease_is_refused<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, false).await;
    let after = acquire(store, 2, 1, true).await;
    assert_eq!(check(store, &after).await, Ok(()));
    let mixed = [after[3], before[5], after[9]];
    assert_eq!(check(store, &mixed).await, Err(StoreError::LeaseLost { shard: Shard(5), expected: before[5].epoch }));
    assert!(matches!(check(store, &before).await, Err(StoreError::LeaseLost { .. })));
}

/// Renewal moves the expiry and keeps the epoch.
pub async fn a_renewed_lease_lives_on<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, false).await;
    assert_eq!(store.renew_leases(node(1), at(900), 1_000).await.expect("renew_leases"), leases);
    assert_eq!(acquire(store, 2, 1_500, false).await, []);
    assert_eq!(acquire(store, 2, 1_900, false).await.len(), leases.len());
}

/// A released shard is taken at once, under a higher epoch, also by its last owner.
pub async fn released_shards_are_free<S: Store>(store: &S) {
    let before = acquire(store, 1, 0, false).await;
    store.release_leases(node(2)).await.expect("release of nothing");
    assert_eq!(check(store, &before).await, Ok(()));
    store.release_leases(node(1)).await.expect("release_leases");
    let after = acquire(store, 1, 1, false).await;
    assert_eq!(after.len(), before.len());
    assert!(after[0].epoch > before[0].epoch);
}

/// The same lease may be named twice: what is checked is each.
pub async fn a_lease_may_be_named_twice<S: Store>(store: &S) {
    let leases = acquire(store, 1, 0, false).await;
    assert_eq!(check(store, &[leases[7], leases[2], leases[7], leases[3]]).await, Ok(()));
}
