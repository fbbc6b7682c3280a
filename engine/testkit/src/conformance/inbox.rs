//! What waits for a shard's owner (SEMANTICS.md 1 and 2).

use super::fixture::{at, attempt, commit_at, look, org, run_id, write, write_runs};
use onward_core::{
    EventId, RunId, Shard,
    ports::{InboxMessage, InboxRow, Lease, RunWrite, Store, StoreError},
};
use uuid::Uuid;

fn delivery(target: &str) -> InboxMessage {
    InboxMessage::Event { target: target.into(), which: "event".into(), event_id: EventId(Uuid::from_u128(5)) }
}
fn start(workflow: &str) -> InboxMessage {
    InboxMessage::Start { workflow: workflow.into(), trigger: 1, event_id: EventId(Uuid::from_u128(5)) }
}

async fn add<S: Store>(store: &S, shard: u16, run: Option<RunId>, cause: &str, message: &InboxMessage) {
    commit_at(store, at(0), async |tx| store.add_inbox(tx, org(), Shard(shard), run, cause, message).await.expect("add_inbox")).await;
}

async fn rows<S: Store>(store: &S, shards: &[u16]) -> Vec<InboxRow> {
    let leases: Vec<_> = shards.iter().map(|shard| Lease { shard: Shard(*shard), epoch: 1 }).collect();
    let mut rows = look(store, async |tx| store.inbox(tx, &leases, 99).await.expect("inbox")).await;
    rows.sort_by_key(|row| row.id);
    rows
}

/// Unique by (cause, target), whatever is repeated.
pub async fn a_cause_reaches_a_target_once<S: Store>(store: &S) {
    let cancel = InboxMessage::Cancel { by: "asha".into(), reason: Some("test".into()), force: true };
    let one = Some(run_id(1));
    let wanted = [(3, one, "e1", delivery("a")), (3, one, "e1", delivery("b")), (3, Some(run_id(2)), "e1", delivery("a")), (4, None, "e1", start("w"))];
    for _ in 0..2 {
        for (shard, run, cause, message) in &wanted {
            add(store, *shard, *run, cause, message).await;
        }
        add(store, 3, one, "e2", &delivery("a")).await;
        add(store, 3, one, "c", &cancel).await;
    }
    let found = rows(store, &[3, 4]).await;
    let expected: Vec<_> = wanted.into_iter().map(|(shard, run, _, message)| (Shard(shard), run, message)).collect();
    let found: Vec<_> = found.into_iter().map(|row| (row.shard, row.run_id, row.message)).collect();
    assert_eq!(found[..4], expected);
    assert_eq!(found[4..], [(Shard(3), one, delivery("a")), (Shard(3), one, cancel)]);
    assert_eq!(rows(store, &[4]).await.len(), 1);
    assert_eq!(rows(store, &[5]).await, []);
}

/// By the transition that applied them, or without one; then the same cause may come again.
pub async fn rows_are_gone_once_applied<S: Store>(store: &S) {
    for target in ["a", "b", "c"] {
        add(store, 3, Some(run_id(1)), "e1", &delivery(target)).await;
    }
    let ids: Vec<_> = rows(store, &[3]).await.into_iter().map(|row| row.id).collect();
    write_runs(store, &[RunWrite { inbox_applied: vec![ids[1]], ..write(run_id(1)) }]).await;
    commit_at(store, at(0), async |tx| store.remove_inbox(tx, &[ids[0], 999_999]).await.expect("remove_inbox")).await;
    assert_eq!(rows(store, &[3]).await.into_iter().map(|row| row.id).collect::<Vec<_>>(), [ids[2]]);
    add(store, 3, Some(run_id(1)), "e1", &delivery("a")).await;
    assert_eq!(rows(store, &[3]).await.len(), 2);
}

/// A late deletion by number must not hit a newer row.
pub async fn a_number_is_never_given_twice<S: Store>(store: &S) {
    add(store, 3, None, "e1", &start("a")).await;
    let first = rows(store, &[3]).await[0].id;
    commit_at(store, at(0), async |tx| store.remove_inbox(tx, &[first]).await.expect("remove_inbox")).await;
    add(store, 3, None, "e2", &start("a")).await;
    assert_ne!(rows(store, &[3]).await[0].id, first);
}

/// Who expects nothing there is refused where something is, and only for its own shards.
pub async fn an_inbox_that_was_expected_empty_refuses<S: Store>(store: &S) {
    let leases = |shards: &[u16]| shards.iter().map(|shard| Lease { shard: Shard(*shard), epoch: 1 }).collect::<Vec<_>>();
    let expect = async |shards: &[u16]| attempt(store, async |tx| store.expect_empty_inbox(tx, &leases(shards)).await).await;
    assert_eq!(expect(&[3, 4]).await, Ok(()));
    add(store, 3, Some(run_id(1)), "e1", &delivery("a")).await;
    assert_eq!(expect(&[3, 4]).await, Err(StoreError::InboxWaits));
    assert_eq!(expect(&[1, 2, 4]).await, Ok(()));
    assert_eq!(expect(&[]).await, Ok(()));
    let ids: Vec<_> = rows(store, &[3]).await.into_iter().map(|row| row.id).collect();
    commit_at(store, at(0), async |tx| store.remove_inbox(tx, &ids).await.expect("remove_inbox")).await;
    assert_eq!(expect(&[3, 4]).await, Ok(()));
}
