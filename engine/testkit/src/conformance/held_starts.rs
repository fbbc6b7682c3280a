//! Held starts (SEMANTICS.md 22 and 23).

use super::fixture::{at, commit_at, look, org, organisation, run_id};
use onward_core::{
    EventId,
    ports::{HeldStart, Store},
};
use serde_json::json;
use uuid::Uuid;

/// In order of intake, key by key, whole.
pub async fn held_starts_leave_in_order<S: Store>(store: &S) {
    let start = |number, key: &str| HeldStart {
        id: 0,
        organisation: org(),
        workflow: "welcome".into(),
        key: key.into(),
        trigger: (number % 2 == 0).then_some(3),
        event_id: (number % 2 == 0).then(|| EventId(Uuid::from_u128(number))),
        input: json!({ "n": "é\"" }),
        run_id: run_id(number),
        reason: "queued".into(),
        not_before: (number % 2 == 0).then(|| at(5)),
    };
    let hold = async |start: HeldStart| commit_at(store, at(0), async |tx| store.hold_start(tx, &start).await.expect("hold_start")).await;
    let next = async |key: &str| look(store, async |tx| store.next_held(tx, org(), "welcome", key).await.expect("next_held")).await;
    // Later ids and run ids first: only the order of intake counts.
    let (second, first) = (start(8, "k"), start(9, "k"));
    let (one, _, two) = (hold(first.clone()).await, hold(start(1, "other")).await, hold(second.clone()).await);
    assert_eq!(next("k").await, Some(HeldStart { id: one, ..first }));
    commit_at(store, at(0), async |tx| store.remove_held(tx, org(), one).await.expect("remove_held")).await;
    assert_eq!(next("k").await, Some(HeldStart { id: two, ..second }));
    commit_at(store, at(0), async |tx| store.remove_held(tx, org(), two).await.expect("remove_held")).await;
    assert_eq!(next("k").await, None);
    assert!(next("other").await.is_some());
}

/// Each key once, in order, page by page.
pub async fn keys_of_held_starts_come_in_pages<S: Store>(store: &S) {
    for (number, (workflow, key)) in [("w", "b"), ("w", "a"), ("w", "b"), ("other", "z"), ("w", "c")].into_iter().enumerate() {
        let start = HeldStart {
            id: 0,
            organisation: org(),
            workflow: workflow.into(),
            key: key.into(),
            trigger: None,
            event_id: None,
            input: json!({}),
            run_id: run_id(number as u128),
            reason: "queued".into(),
            not_before: None,
        };
        commit_at(store, at(0), async |tx| store.hold_start(tx, &start).await.expect("hold_start")).await;
    }
    let page =
        async |organisation, after: Option<&str>| look(store, async |tx| store.held_keys(tx, organisation, "w", after, 2).await.expect("held_keys")).await;
    assert_eq!(page(org(), None).await, ["a", "b"]);
    assert_eq!(page(org(), Some("b")).await, ["c"]);
    assert!(page(organisation(2), None).await.is_empty());
}
