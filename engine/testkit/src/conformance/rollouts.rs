//! Versions on trial.

use super::fixture::{at, commit_at, org, organisation};
use onward_core::ports::{RolloutState, Store};

/// One a workflow; the last word counts; another organisation's stays.
pub async fn rollouts_come_change_and_go<S: Store>(store: &S) {
    let first = RolloutState { organisation: org(), workflow: "w".into(), version: 2, since: at(4), ended: 0, failed: 0, held_at: None };
    let other = RolloutState { organisation: organisation(2), ..first.clone() };
    let counted = RolloutState { version: 3, since: at(5), ended: 7, failed: 2, held_at: Some(at(6)), ..first.clone() };
    commit_at(store, at(4), async |tx| {
        for state in [&first, &other, &counted] {
            store.set_rollout(tx, state).await.expect("set_rollout");
        }
    })
    .await;
    let mut stored = store.rollouts().await.expect("rollouts");
    stored.sort_by_key(|state| state.version);
    assert_eq!(stored, [other.clone(), counted]);
    commit_at(store, at(7), async |tx| {
        store.remove_rollout(tx, org(), "w").await.expect("remove_rollout");
        store.remove_rollout(tx, org(), "another").await.expect("remove_rollout");
    })
    .await;
    assert_eq!(store.rollouts().await.expect("rollouts"), [other]);
}
