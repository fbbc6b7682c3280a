//! Timers.

use super::fixture::{at, every_shard, org, run_id, write, write_runs};
use onward_core::{
    Shard,
    ports::{Lease, RunWrite, Store, Timer},
};

/// By due time, of the shards that are named; the moment asked for is included.
pub async fn timers_are_due_in_order<S: Store>(store: &S) {
    let of = |number, shard, key: &str, due| RunWrite { shard: Shard(shard), timers_set: vec![(key.into(), at(due))], ..write(run_id(number)) };
    write_runs(store, &[of(1, 1, "b", 30), of(2, 2, "a", 10), of(3, 9, "a", 5), of(4, 1, "a", 20), of(1, 1, "a", 20)]).await;
    let leases = [1, 2].map(|shard| Lease { shard: Shard(shard), epoch: 1 });
    let due = async |until, limit| {
        let timers = store.timers_due(&leases, at(until), limit).await.expect("timers_due");
        timers.into_iter().map(|timer| (timer.run_id, timer.key)).collect::<Vec<_>>()
    };
    let [second, first_a, fourth, first_b] = [(2, "a"), (1, "a"), (4, "a"), (1, "b")].map(|(run, key)| (run_id(run), key.to_owned()));
    assert_eq!(due(30, 99).await, [second.clone(), first_a.clone(), fourth.clone(), first_b]);
    assert_eq!(due(29, 99).await, [second.clone(), first_a.clone(), fourth]);
    assert_eq!(due(30, 2).await, [second, first_a]);
    assert_eq!(due(9, 99).await, []);
    let whole = store.timers_due(&[Lease { shard: Shard(9), epoch: 1 }], at(99), 9).await.expect("timers_due");
    assert_eq!(whole, [Timer { run_id: run_id(3), organisation: org(), shard: Shard(9), key: "a".into(), due: at(5) }]);
}

/// One timer a key; clearing one that is not there is no error.
pub async fn a_timer_moves_and_goes<S: Store>(store: &S) {
    let due = async || {
        let timers = store.timers_due(&every_shard(), at(99), 99).await.expect("timers_due");
        timers.into_iter().map(|timer| (timer.key, timer.due)).collect::<Vec<_>>()
    };
    write_runs(store, &[RunWrite { timers_set: vec![("a".into(), at(10)), ("b".into(), at(20))], ..write(run_id(1)) }]).await;
    write_runs(store, &[RunWrite { timers_set: vec![("a".into(), at(30))], timers_cleared: vec!["none".into()], ..write(run_id(1)) }]).await;
    assert_eq!(due().await, [("b".into(), at(20)), ("a".into(), at(30))]);
    write_runs(store, &[RunWrite { timers_cleared: vec!["b".into()], ..write(run_id(1)) }]).await;
    assert_eq!(due().await, [("a".into(), at(30))]);
    write_runs(store, &[RunWrite { timers_cleared: vec!["a".into()], ..write(run_id(1)) }]).await;
    assert_eq!(due().await, []);
}
