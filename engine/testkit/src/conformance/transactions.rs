//! Transactions, savepoints, and what readers see.

use super::fixture::{at, commit_at, event, insert, look, org, row, run_id, write};
use onward_core::{
    RunId,
    ports::{Change, GivenAnswer, Inserted, RunStatus, RunWrite, Store, Transaction},
};

async fn publish<S: Store>(store: &S, tx: &mut S::Tx, workflow: &str) {
    store.publish(tx, org(), workflow, "steps: []", workflow, 1).await.expect("publish");
}
async fn is_there<S: Store>(store: &S, workflow: &str) -> bool {
    store.version(org(), workflow, 1).await.expect("version").is_some()
}

/// Readers see what is committed, and all of it.
pub async fn nothing_is_seen_before_the_commit<S: Store>(store: &S) {
    let mut tx = store.begin(at(0)).await.expect("begin");
    publish(store, &mut tx, "a").await;
    publish(store, &mut tx, "b").await;
    assert!(!is_there(store, "a").await);
    store.commit(tx).await.expect("commit");
    assert!(is_there(store, "a").await && is_there(store, "b").await);
}

/// As a crash or a cancelled task leaves it.
pub async fn a_dropped_transaction_leaves_nothing<S: Store>(store: &S) {
    let mut tx = store.begin(at(0)).await.expect("begin");
    publish(store, &mut tx, "a").await;
    drop(tx);
    // The next transaction can begin, and finds nothing.
    commit_at(store, at(0), async |tx| publish(store, tx, "b").await).await;
    assert!(!is_there(store, "a").await && is_there(store, "b").await);
}

/// Every table is undone.
pub async fn rollback_leaves_nothing<S: Store>(store: &S) {
    look(store, async |tx| {
        publish(store, tx, "a").await;
        store.insert_events(tx, vec![(event("1"), Vec::new())]).await.expect("insert_events");
        let started = RunWrite { row: Some(row(run_id(1), RunStatus::Running)), timers_set: vec![("t".into(), at(1))], ..write(run_id(1)) };
        store.write_runs(tx, &[started]).await.expect("write_runs");
    })
    .await;
    assert!(!is_there(store, "a").await);
    assert!(matches!(insert(store, at(1), vec![event("1")]).await[..], [Inserted::Stored(_)]));
    assert!(look(store, async |tx| store.load_runs(tx, &[run_id(1)]).await.expect("load_runs")).await.is_empty());
}

/// An inner savepoint goes back without touching the outer one; released work goes with the outer one.
pub async fn savepoints_nest<S: Store>(store: &S) {
    commit_at(store, at(0), async |tx| {
        publish(store, tx, "kept").await;
        store.savepoint(tx).await.expect("savepoint");
        publish(store, tx, "outer").await;
        store.savepoint(tx).await.expect("savepoint");
        publish(store, tx, "inner").await;
        store.rollback_to_savepoint(tx).await.expect("rollback");
        store.savepoint(tx).await.expect("savepoint");
        publish(store, tx, "released").await;
        store.release_savepoint(tx).await.expect("release");
        store.rollback_to_savepoint(tx).await.expect("rollback");
        publish(store, tx, "after").await;
        assert!(store.rollback_to_savepoint(tx).await.is_err(), "there is no savepoint left");
    })
    .await;
    for (workflow, there) in [("kept", true), ("outer", false), ("inner", false), ("released", false), ("after", true)] {
        assert_eq!(is_there(store, workflow).await, there, "{workflow}");
    }
}

/// What was emitted, announced and answered is undone too; what was taken out meanwhile comes back.
pub async fn savepoints_restore_the_outbox<S: Store>(store: &S) {
    look(store, async |tx| {
        let change = |id: &str| Change { organisation: org(), topic: "contact".into(), id: id.into(), data: serde_json::Value::Null };
        tx.emit(event("before"));
        store.savepoint(tx).await.expect("savepoint");
        tx.emit(event("after"));
        tx.announce(change("after"));
        tx.answer(GivenAnswer { run_id: RunId(uuid::Uuid::nil()), step: "question".into(), answer: "approve".into(), by: "contact".into() });
        tx.wake(RunId(uuid::Uuid::nil()), "send");
        assert_eq!(std::mem::take(&mut tx.outbox().events).len(), 2);
        store.rollback_to_savepoint(tx).await.expect("rollback");
        assert_eq!(tx.outbox().events, [event("before")]);
        assert!(tx.outbox().changes.is_empty() && tx.outbox().answers.is_empty() && tx.outbox().wakes.is_empty());
        store.savepoint(tx).await.expect("savepoint");
        tx.announce(change("kept"));
        store.release_savepoint(tx).await.expect("release");
        assert_eq!(tx.outbox().changes, [change("kept")]);
    })
    .await;
}

/// `now` is what `begin` was given, and ids are made of it.
pub async fn time_stands_within_a_transaction<S: Store>(store: &S) {
    look(store, async |tx| {
        assert_eq!(tx.now(), at(0));
        let (first, second) = (tx.fresh_id(), tx.fresh_id());
        assert!(first < second, "of two ids of one moment the later one is greater");
    })
    .await;
}

/// A second transaction begins after the first has ended.
pub async fn writers_take_turns<S: Store>(store: &S) {
    let tx = store.begin(at(0)).await.expect("begin");
    let second = commit_at(store, at(1), async |tx| publish(store, tx, "second").await);
    let mut second = std::pin::pin!(second);
    // One poll: it must not be able to finish, however fast the store is.
    let first_look = futures_util::poll!(&mut second);
    assert!(first_look.is_pending());
    store.commit(tx).await.expect("commit");
    second.await;
    assert!(is_there(store, "second").await);
}

/// One that was begun behind another waits for it with what it asks and writes, and sees what that stored; where nothing is gained by it,
/// there is none.
pub async fn one_behind_another_waits_for_it<S: Store>(store: &S) {
    let mut first = store.begin(at(0)).await.expect("begin");
    let Some(mut behind) = store.begin_behind(at(1)) else { return store.rollback(first).await };
    assert_eq!(behind.now(), at(1));
    behind.emit(event("emitted"));
    store.insert_events(&mut first, vec![(event("1"), Vec::new())]).await.expect("insert_events");
    {
        let asked = store.insert_events(&mut behind, vec![(event("1"), Vec::new()), (event("2"), Vec::new())]);
        let mut asked = std::pin::pin!(asked);
        assert!(futures_util::poll!(&mut asked).is_pending(), "the first one has not ended");
        store.commit(first).await.expect("commit");
        let inserted = asked.await.expect("insert_events");
        assert!(matches!(inserted[..], [Inserted::Duplicate(_), Inserted::Stored(_)]), "{inserted:?}");
    }
    assert_eq!(behind.outbox().events.len(), 1);
    store.commit(behind).await.expect("commit");
    assert!(matches!(insert(store, at(2), vec![event("2")]).await[..], [Inserted::Duplicate(_)]));
}

/// Dropped, rolled back or committed before it did anything, it holds nobody up, and nobody waits for it.
pub async fn one_behind_another_that_does_nothing_is_nothing<S: Store>(store: &S) {
    let first = store.begin(at(0)).await.expect("begin");
    let (dropped, undone, kept) = (store.begin_behind(at(1)), store.begin_behind(at(1)), store.begin_behind(at(1)));
    drop(dropped);
    if let Some(undone) = undone {
        store.rollback(undone).await;
    }
    store.rollback(first).await;
    commit_at(store, at(2), async |tx| publish(store, tx, "between").await).await;
    if let Some(kept) = kept {
        store.commit(kept).await.expect("commit");
    }
    // Writes that need no answer go with the commit; it is the first thing that this one asks for.
    if let Some(mut writes) = store.begin_behind(at(3)) {
        let started = RunWrite { row: Some(row(run_id(1), RunStatus::Running)), ..write(run_id(1)) };
        store.write_runs(&mut writes, &[started]).await.expect("write_runs");
        store.commit(writes).await.expect("commit");
        assert_eq!(look(store, async |tx| store.load_runs(tx, &[run_id(1)]).await.expect("load_runs")).await.len(), 1);
    }
    assert!(is_there(store, "between").await);
}
