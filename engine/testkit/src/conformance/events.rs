//! Events: identity, bodies, notes, early ones (SEMANTICS.md 8 to 11).

use super::fixture::{DAY_MS, at, commit_at, correlation, event, insert, look, org, run_id, stored};
use onward_core::{
    Event, EventId, NewEvent,
    ports::{Inserted, RoutingNote, Store, Transaction as _},
};
use serde_json::json;
use uuid::Uuid;

async fn read<S: Store>(store: &S, ids: &[EventId]) -> Vec<Event> {
    look(store, async |tx| store.events(tx, org(), ids).await.expect("events")).await
}

/// Every field survives.
pub async fn an_event_comes_back_whole<S: Store>(store: &S) {
    let mut full = event("1");
    full.subject = Some("contact/1".into());
    full.time = Some(at(-5_000));
    full.cause = Some(run_id(3));
    full.depth = 7;
    full.data = json!({ "text": "é\"\\\n\u{1}😀", "n": [1, -2.5, 1e300, 9_007_199_254_740_993_i64, null, true], "empty": {} });
    let bare = NewEvent::new(org(), "a.b", "s", json!(null));
    let inserted = insert(store, at(1), vec![full.clone(), bare.clone()]).await;
    let (full_id, bare_id) = (stored(&inserted[0]).event_id, stored(&inserted[1]).event_id);
    let expected = [Event { event_id: full_id, taken_in_at: at(1), body: full }, Event { event_id: bare_id, taken_in_at: at(1), body: bare }];
    assert_eq!([stored(&inserted[0]).clone(), stored(&inserted[1]).clone()], expected);
    assert_eq!(read(store, &[full_id, bare_id]).await, expected);
}

/// The first body wins, and its id comes back.
pub async fn a_repeated_event_is_a_duplicate<S: Store>(store: &S) {
    let first = insert(store, at(1), vec![event("1")]).await;
    let mut other_body = event("1");
    other_body.data = json!({ "text": "other" });
    let again = insert(store, at(2), vec![other_body, event("2")]).await;
    let id = stored(&first[0]).event_id;
    assert_eq!(again[0], Inserted::Duplicate(id));
    stored(&again[1]);
    assert_eq!(read(store, &[id]).await[0].body, event("1"));
}

/// Also beside each other in one request.
pub async fn a_repetition_within_a_batch_is_a_duplicate<S: Store>(store: &S) {
    let inserted = insert(store, at(1), vec![event("1"), event("2"), event("1"), event("1")]).await;
    let id = stored(&inserted[0]).event_id;
    stored(&inserted[1]);
    assert_eq!(inserted[2..], [Inserted::Duplicate(id), Inserted::Duplicate(id)]);
}

/// Nothing says that it is the same one.
pub async fn an_event_without_id_is_never_a_duplicate<S: Store>(store: &S) {
    let bare = NewEvent { id: None, ..event("1") };
    let inserted = insert(store, at(1), vec![bare.clone(), bare.clone()]).await;
    let again = insert(store, at(1), vec![bare]).await;
    assert!(inserted.iter().chain(&again).all(|inserted| matches!(inserted, Inserted::Stored(_))));
}

/// Identity is (organisation, source, id).
pub async fn the_same_id_of_another_source_is_another_event<S: Store>(store: &S) {
    let other = NewEvent { source: "other".into(), ..event("1") };
    let inserted = insert(store, at(1), vec![event("1"), other]).await;
    assert_ne!(stored(&inserted[0]).event_id, stored(&inserted[1]).event_id);
}

/// The promise holds for 90 days, not for ever.
pub async fn an_identity_is_forgotten_after_ninety_days<S: Store>(store: &S) {
    insert(store, at(0), vec![event("1")]).await;
    assert!(matches!(insert(store, at(90 * DAY_MS - 1), vec![event("1")]).await[..], [Inserted::Duplicate(_)]));
    let anew = insert(store, at(90 * DAY_MS), vec![event("1")]).await;
    let id = stored(&anew[0]).event_id;
    // And is remembered again from there.
    assert_eq!(insert(store, at(100 * DAY_MS), vec![event("1")]).await, [Inserted::Duplicate(id)]);
}

/// What was not committed was not taken in.
pub async fn a_rolled_back_event_is_unknown<S: Store>(store: &S) {
    commit_at(store, at(0), async |tx| {
        store.savepoint(tx).await.expect("savepoint");
        store.insert_events(tx, vec![(event("1"), Vec::new())]).await.expect("insert_events");
        store.rollback_to_savepoint(tx).await.expect("rollback");
        let inserted = store.insert_events(tx, vec![(event("1"), Vec::new())]).await.expect("insert_events");
        stored(&inserted[0]);
    })
    .await;
}

/// Missing ones are left out.
pub async fn events_come_in_the_order_asked_for<S: Store>(store: &S) {
    let inserted = insert(store, at(1), (0..20).map(|number| event(&number.to_string())).collect()).await;
    let mut ids: Vec<_> = inserted.iter().map(|inserted| stored(inserted).event_id).collect();
    ids.reverse();
    ids.swap(3, 11);
    let mut asked = ids.clone();
    asked.insert(5, EventId(Uuid::from_u128(1)));
    assert_eq!(read(store, &asked).await.iter().map(|event| event.event_id).collect::<Vec<_>>(), ids);
    assert_eq!(read(store, &[]).await, []);
}

/// Above 1 MiB it is stored by reference, and nobody notices.
pub async fn a_large_event_comes_back_whole<S: Store>(store: &S) {
    let large = NewEvent { data: json!({ "text": "x".repeat((1 << 20) + 1) }), ..event("1") };
    let inserted =
        commit_at(store, at(1), async |tx| store.insert_events(tx, vec![(large.clone(), vec![correlation("c")])]).await.expect("insert_events")).await;
    assert_eq!(read(store, &[stored(&inserted[0]).event_id]).await[0].body, large);
    let early = look(store, async |tx| store.early_events(tx, org(), &correlation("c"), at(0), 9).await.expect("early_events")).await;
    assert_eq!(early[0].body, large);
}

/// In the order in which they were noted; a note on an unknown event is no error.
pub async fn notes_name_the_runs_of_an_event<S: Store>(store: &S) {
    let inserted = insert(store, at(1), vec![event("1"), event("2")]).await;
    let (one, two) = (stored(&inserted[0]).event_id, stored(&inserted[1]).event_id);
    let started = |event, run| (org(), event, RoutingNote::Started { run_id: run_id(run), workflow: "a".into() });
    let suppressed = (org(), one, RoutingNote::Suppressed { workflow: "b".into(), key: "k".into(), reason: "single".into() });
    let delivered = (org(), one, RoutingNote::Delivered { run_id: run_id(8), target: "reply".into() });
    let notes = [started(one, 5), suppressed, started(two, 9), started(one, 4), delivered, started(EventId(Uuid::from_u128(1)), 6)];
    commit_at(store, at(2), async |tx| {
        store.note_routing(tx, &notes).await.expect("note_routing");
        store.note_routing(tx, &[started(one, 3)]).await.expect("note_routing");
        store.note_routing(tx, &[]).await.expect("note_routing");
    })
    .await;
    let runs = async |event| look(store, async |tx| store.runs_of_event(tx, org(), event).await.expect("runs_of_event")).await;
    assert_eq!(runs(one).await, [run_id(5), run_id(4), run_id(3)]);
    assert_eq!(runs(two).await, [run_id(9)]);
    assert_eq!(runs(EventId(Uuid::from_u128(1))).await, []);
}

/// From `since` on, that moment included, by the time they were taken in.
pub async fn early_events_are_found_oldest_first<S: Store>(store: &S) {
    let mut ids = Vec::new();
    for moment in [10, 20, 30] {
        let batch = vec![
            (event(&format!("{moment}a")), vec![correlation("c"), correlation("d")]),
            (event(&format!("{moment}b")), vec![correlation("c")]),
            (event(&format!("{moment}x")), vec![correlation("other")]),
            (event(&format!("{moment}y")), vec![]),
        ];
        let inserted = commit_at(store, at(moment), async |tx| {
            assert_eq!(tx.now(), at(moment));
            store.insert_events(tx, batch).await.expect("insert_events")
        })
        .await;
        ids.extend(inserted[..2].iter().map(|inserted| stored(inserted).event_id));
    }
    let early = async |value: &str, since, limit| {
        let found = look(store, async |tx| store.early_events(tx, org(), &correlation(value), at(since), limit).await.expect("early_events")).await;
        found.into_iter().map(|event| event.event_id).collect::<Vec<_>>()
    };
    assert_eq!(early("c", 0, 99).await, ids);
    assert_eq!(early("c", 20, 99).await, ids[2..]);
    assert_eq!(early("c", 21, 1).await, ids[4..5]);
    assert_eq!(early("d", 0, 99).await, [ids[0], ids[2], ids[4]]);
    assert_eq!(early("nobody", 0, 99).await, []);
}
