//! No organisation sees or touches another's data (DESIGN.md, "What always holds", 7).

use super::fixture::{
    at, commit_at, correlation, correlation_in, event, history, insert, look, org, organisation, row, run_id, store_runs, stored, wait, write, write_runs,
};
use onward_core::{
    NewEvent,
    ports::{HeldQueue, Inserted, KeyState, OpenWait, RoutingNote, RunRow, RunStatus, RunWrite, Store},
};

/// The same source and id of two organisations are two events; neither is read, noted or found as the other's.
pub async fn events_stay_in_their_organisation<S: Store>(store: &S) {
    let theirs = NewEvent { organisation: organisation(2), ..event("1") };
    let inserted = commit_at(store, at(1), async |tx| {
        let batch = vec![(event("1"), vec![correlation("c")]), (theirs, vec![correlation_in(organisation(2), "c")])];
        store.insert_events(tx, batch).await.expect("insert_events")
    })
    .await;
    let (ours, theirs) = (stored(&inserted[0]).event_id, stored(&inserted[1]).event_id);
    assert_eq!(insert(store, at(2), vec![event("1")]).await, [Inserted::Duplicate(ours)]);
    commit_at(store, at(2), async |tx| {
        let note = |who, event| (who, event, RoutingNote::Started { run_id: run_id(1), workflow: "w".into() });
        store.note_routing(tx, &[note(organisation(2), ours), note(org(), theirs)]).await.expect("note_routing");
    })
    .await;
    look(store, async |tx| {
        let read = store.events(tx, org(), &[theirs, ours]).await.expect("events");
        assert_eq!(read.into_iter().map(|event| event.event_id).collect::<Vec<_>>(), [ours]);
        for (who, event) in [(org(), ours), (org(), theirs), (organisation(2), ours), (organisation(2), theirs)] {
            assert_eq!(store.runs_of_event(tx, who, event).await.expect("runs_of_event"), []);
        }
        // Even a hash that is another organisation's finds nothing.
        let early = store.early_events(tx, org(), &correlation_in(organisation(2), "c"), at(0), 9).await.expect("early_events");
        assert_eq!(early, []);
        assert_eq!(store.early_events(tx, org(), &correlation("c"), at(0), 9).await.expect("early_events").len(), 1);
    })
    .await;
}

/// Names and versions are each organisation's own.
pub async fn definitions_stay_in_their_organisation<S: Store>(store: &S) {
    commit_at(store, at(1), async |tx| {
        store.publish(tx, org(), "a", "one", "one", 1).await.expect("publish");
        store.publish(tx, org(), "a", "two", "two", 1).await.expect("publish");
        assert_eq!(store.publish(tx, organisation(2), "a", "one", "one", 1).await.expect("publish").version, 1);
        store.set_current(tx, organisation(2), "a", None).await.expect("set_current");
        assert!(store.set_current(tx, organisation(2), "a", Some(2)).await.is_err());
    })
    .await;
    let current = store.current_versions().await.expect("current_versions");
    assert_eq!(current.into_iter().map(|version| (version.organisation, version.version)).collect::<Vec<_>>(), [(org(), 2)]);
    assert_eq!(store.version(organisation(2), "a", 2).await.expect("version"), None);
}

/// The same workflow and key of another organisation is another key.
pub async fn waits_and_keys_stay_in_their_organisation<S: Store>(store: &S) {
    let them = organisation(2);
    store_runs(store, [row(run_id(1), RunStatus::Running), RunRow { organisation: them, ..row(run_id(2), RunStatus::Completed) }]).await;
    let theirs = OpenWait { organisation: them, ..wait(run_id(2), "reply", "c") };
    write_runs(store, &[RunWrite { organisation: them, waits_opened: vec![theirs], ..write(run_id(2)) }]).await;
    look(store, async |tx| {
        let ours = store.key_state(tx, org(), "welcome", "asha").await.expect("key_state");
        assert_eq!(ours, KeyState { live: vec![run_id(1)], last_ended_at: None, ..KeyState::default() });
        let theirs = store.key_state(tx, them, "welcome", "asha").await.expect("key_state");
        assert_eq!(theirs, KeyState { live: Vec::new(), last_ended_at: Some(at(9)), ..KeyState::default() });
        assert_eq!(store.find_waits(tx, org(), &[correlation("c")], 9).await.expect("find_waits"), []);
        assert_eq!(store.find_waits(tx, them, &[correlation("c")], 9).await.expect("find_waits").len(), 1);
        let variant = store.assign_variant(tx, org(), "w", &"s".into(), "c1", "a").await.expect("assign_variant");
        let other = store.assign_variant(tx, them, "w", &"s".into(), "c1", "b").await.expect("assign_variant");
        assert_eq!((variant, other), (("a".to_owned(), false), ("b".to_owned(), false)));
    })
    .await;
}

/// Neither seen nor removed by another's hand.
pub async fn held_starts_stay_in_their_organisation<S: Store>(store: &S) {
    let queue = HeldQueue::Key { workflow: "w".into(), key: "k".into() };
    let start = super::held_starts::start(1, "k", queue);
    let id = commit_at(store, at(0), async |tx| store.hold_start(tx, &start).await.expect("hold_start")).await;
    commit_at(store, at(0), async |tx| {
        assert_eq!(store.next_held(tx, organisation(2), &start.queue).await.expect("next_held"), None);
        store.remove_held(tx, organisation(2), id).await.expect("remove_held");
        assert!(store.next_held(tx, org(), &start.queue).await.expect("next_held").is_some());
    })
    .await;
}

/// A write or a quarantine that names the wrong organisation changes nothing.
pub async fn rows_of_another_organisation_are_not_changed<S: Store>(store: &S) {
    store_runs(store, [row(run_id(1), RunStatus::Running)]).await;
    commit_at(store, at(0), async |tx| store.quarantine_run(tx, organisation(2), run_id(1), "no").await.expect("quarantine_run")).await;
    store_runs(store, [RunRow { organisation: organisation(2), ..row(run_id(1), RunStatus::Failed) }]).await;
    let loaded = look(store, async |tx| store.load_runs(tx, &[run_id(1)]).await.expect("load_runs")).await;
    let run = loaded.into_iter().next().expect("the run is there").expect("it can be read");
    assert_eq!((run.row.organisation, run.row.status), (org(), RunStatus::Running));
    assert_eq!(history(store, run_id(1)).await, []);
}
