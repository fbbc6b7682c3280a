//! Published versions.

use super::fixture::{at, commit_at, look, org, organisation};
use onward_core::ports::{PublishedVersion, Store};

async fn publish<S: Store>(store: &S, workflow: &str, source: &str) -> PublishedVersion {
    commit_at(store, at(5), async |tx| store.publish(tx, org(), workflow, source, source, 2).await.expect("publish")).await
}
async fn set_current<S: Store>(store: &S, workflow: &str, version: Option<u32>) {
    commit_at(store, at(6), async |tx| store.set_current(tx, org(), workflow, version).await.expect("set_current")).await;
}
async fn current<S: Store>(store: &S) -> Vec<(String, u32)> {
    let versions = store.current_versions().await.expect("current_versions");
    assert!(versions.iter().all(|version| version.current));
    versions.into_iter().map(|version| (version.workflow, version.version)).collect()
}

/// Each text is the next version; the newest is current; all stay readable as they were.
pub async fn versions_count_from_one<S: Store>(store: &S) {
    let first = publish(store, "a", "one").await;
    assert_eq!((first.version, first.published_at, first.language_revision, first.current, first.paused), (1, at(5), 2, true, false));
    assert_eq!(publish(store, "a", "two").await.version, 2);
    assert_eq!(publish(store, "b", "one").await.version, 1);
    assert_eq!(current(store).await, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    let read = store.version(org(), "a", 1).await.expect("version").expect("it is there");
    assert_eq!(read, PublishedVersion { current: false, ..first });
    assert_eq!(store.version(org(), "a", 3).await.expect("version"), None);
}

/// Publishing is repeatable.
pub async fn the_same_text_makes_no_version<S: Store>(store: &S) {
    let first = publish(store, "a", "one").await;
    let again = commit_at(store, at(99), async |tx| store.publish(tx, org(), "a", "one", "one", 9).await.expect("publish")).await;
    assert_eq!(again, first);
    publish(store, "a", "two").await;
    // The first text again is a new version: it is not the current one.
    assert_eq!(publish(store, "a", "one").await.version, 3);
}

/// Roll-back.
pub async fn an_older_version_can_be_current_again<S: Store>(store: &S) {
    publish(store, "a", "one").await;
    publish(store, "a", "two").await;
    set_current(store, "a", Some(1)).await;
    assert_eq!(current(store).await, [("a".to_owned(), 1)]);
    assert_eq!(publish(store, "a", "one").await.version, 1);
    assert_eq!(publish(store, "a", "three").await.version, 3);
}

/// A workflow that takes no starts keeps its versions.
pub async fn without_a_current_version_nothing_is_listed<S: Store>(store: &S) {
    publish(store, "a", "one").await;
    set_current(store, "a", None).await;
    assert_eq!(current(store).await, []);
    assert!(store.version(org(), "a", 1).await.expect("version").is_some_and(|version| !version.current));
    assert_eq!(publish(store, "a", "one").await.version, 2);
}

/// No workflow is left pointing at nothing.
pub async fn an_unknown_version_is_refused<S: Store>(store: &S) {
    publish(store, "a", "one").await;
    look(store, async |tx| {
        assert!(store.set_current(tx, org(), "a", Some(2)).await.is_err());
        assert!(store.set_current(tx, org(), "b", Some(1)).await.is_err());
    })
    .await;
    assert_eq!(current(store).await, [("a".to_owned(), 1)]);
}

/// Paused is the workflow, not one version of it.
pub async fn a_paused_workflow_stays_so_through_its_versions<S: Store>(store: &S) {
    let pause = async |organisation, workflow: &str, paused| {
        let workflow = workflow.to_owned();
        commit_at(store, at(7), async |tx| store.set_paused(tx, organisation, &workflow, paused).await.expect("set_paused")).await
    };
    publish(store, "a", "one").await;
    publish(store, "b", "one").await;
    assert!(pause(org(), "a", true).await);
    assert!(!pause(org(), "nobody", true).await);
    assert!(!pause(organisation(2), "b", true).await, "another organisation's workflow is not there");
    assert!(publish(store, "a", "two").await.paused);
    let paused = async || store.current_versions().await.expect("current_versions").into_iter().map(|version| version.paused).collect::<Vec<_>>();
    assert_eq!(paused().await, [true, false]);
    assert!(pause(org(), "a", false).await);
    assert_eq!(paused().await, [false, false]);
}
