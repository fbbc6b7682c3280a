//! What nodes tell each other through the store.

use super::fixture::{at, attempt, commit_at, look};
use onward_core::ports::{Notice, NoticeKind, ShardSet, Store, StoreError};
use uuid::Uuid;

/// The number of what every node keeps in memory rises with the transaction that says so.
pub async fn the_generation_rises_with_its_commit<S: Store>(store: &S) {
    let first = store.committed_generation().await.expect("committed_generation");
    look(store, async |tx| {
        let raised = store.raise_generation(tx).await.expect("raise_generation");
        assert!(raised > first);
        assert_eq!(store.committed_generation().await, Ok(first));
    })
    .await;
    assert_eq!(attempt(store, async |tx| store.check_generation(tx, first).await).await, Ok(()));
    let raised = commit_at(store, at(0), async |tx| store.raise_generation(tx).await.expect("raise_generation")).await;
    assert_eq!(store.committed_generation().await, Ok(raised));
    assert_eq!(attempt(store, async |tx| store.check_generation(tx, first).await).await, Err(StoreError::GenerationChanged));
    assert_eq!(attempt(store, async |tx| store.check_generation(tx, raised).await).await, Ok(()));
}

/// An answer is kept under its request's name, the first one for good, until it is forgotten.
pub async fn replies_are_kept<S: Store>(store: &S) {
    let (known, unknown) = (Uuid::from_u128(1), Uuid::from_u128(2));
    commit_at(store, at(5), async |tx| {
        store.keep_reply(tx, known, &serde_json::json!({ "a": 1 })).await.expect("keep_reply");
        store.notify(tx, &[Notice { kind: NoticeKind::Replies, shards: ShardSet::EMPTY }]).await.expect("notify");
    })
    .await;
    let found = look(store, async |tx| store.replies(tx, &[known, unknown]).await).await;
    assert_eq!(found, Ok(vec![(known, serde_json::json!({ "a": 1 }))]));
    let forgotten = commit_at(store, at(9), async |tx| (store.forget_replies(tx, at(5)).await, store.forget_replies(tx, at(6)).await)).await;
    assert_eq!(forgotten, (Ok(0), Ok(1)));
    assert_eq!(look(store, async |tx| store.replies(tx, &[known]).await).await, Ok(vec![]));
}
