use super::{NOW, playground, sqlite, with_things};
use crate::{Database, DatabaseError, Query as _, Tx, args};
use onward_core::{
    NewEvent, OrganisationId, Value,
    ports::{CommitError, StoreError, Transaction as _, WriteError},
};
use std::pin::pin;

async fn names(database: &Database) -> Vec<String> {
    let rows = database.reader().fetch_all("SELECT name FROM things ORDER BY name", args![]).await.unwrap();
    rows.iter().map(|row| row.get("name").unwrap()).collect()
}
async fn add(tx: &mut Tx, name: &str) {
    tx.execute("INSERT INTO things (name) VALUES ($1)", args![name]).await.unwrap();
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_frees_the_writer() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "a").await;
    drop(tx);
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "b").await;
    tx.commit().await.unwrap();
    assert_eq!(names(&database).await, ["b"]);
}

#[tokio::test]
async fn a_transaction_dropped_outside_the_runtime_is_rolled_back_too() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "a").await;
    std::thread::spawn(move || drop(tx)).join().unwrap();
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "b").await;
    tx.commit().await.unwrap();
    assert_eq!(names(&database).await, ["b"]);
}

#[tokio::test]
async fn a_begin_or_commit_that_was_given_up_leaves_nothing_open() {
    let database = playground().await;
    {
        let mut begin = pin!(database.begin(NOW));
        let _ = futures_util::poll!(&mut begin);
    }
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "sent").await;
    {
        // It was sent, so it is stored; only its answer was not waited for.
        let mut commit = pin!(tx.commit());
        let _ = futures_util::poll!(&mut commit);
    }
    let mut tx = database.begin(NOW).await.unwrap();
    add(&mut tx, "after").await;
    tx.commit().await.unwrap();
    assert_eq!(names(&database).await, ["after", "sent"]);
}

#[tokio::test]
async fn savepoints_nest_and_restore_the_outbox() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    let event = |name: &str| NewEvent::new(OrganisationId(uuid::Uuid::nil()), name, "test", Value::Null);
    tx.emit(event("kept"));
    tx.savepoint().await.unwrap();
    add(&mut tx, "outer").await;
    tx.savepoint().await.unwrap();
    add(&mut tx, "inner").await;
    tx.emit(event("inner"));
    tx.rollback_to().await.unwrap();
    tx.release().await.unwrap();
    assert_eq!(tx.outbox().events, [event("kept")]);
    assert!(tx.rollback_to().await.is_err() && tx.release().await.is_err());
    tx.commit().await.unwrap();
    assert_eq!(names(&database).await, ["outer"]);
}

#[tokio::test]
async fn what_was_released_goes_with_the_savepoint_around_it() {
    for fails in [false, true] {
        let database = playground().await;
        let mut tx = database.begin(NOW).await.unwrap();
        add(&mut tx, "before").await;
        tx.savepoint().await.unwrap();
        add(&mut tx, "outer").await;
        for inner in ["one", "two"] {
            tx.savepoint().await.unwrap();
            add(&mut tx, inner).await;
            tx.release().await.unwrap();
        }
        if fails {
            tx.execute("INSERT INTO things (name) VALUES ('before')", args![]).await.unwrap_err();
        }
        tx.leave("INSERT INTO things (name) VALUES ($1)", args!["left"]).unwrap();
        tx.rollback_to().await.unwrap();
        // Released, and another after it; and one that is gone back to after one that was released.
        tx.savepoint().await.unwrap();
        add(&mut tx, "after").await;
        tx.release().await.unwrap();
        tx.savepoint().await.unwrap();
        add(&mut tx, "undone").await;
        tx.rollback_to().await.unwrap();
        // What is left within a savepoint is refused within it.
        tx.savepoint().await.unwrap();
        let refused = match tx.leave("INSERT INTO things (name) VALUES ($1)", args!["before"]) {
            Ok(()) => tx.release().await,
            refused => refused,
        };
        assert!(refused.unwrap_err().is_unique_violation_of("things"));
        tx.rollback_to().await.unwrap();
        tx.savepoint().await.unwrap();
        tx.savepoint().await.unwrap();
        add(&mut tx, "last").await;
        tx.release().await.unwrap();
        tx.release().await.unwrap();
        assert!(tx.release().await.is_err());
        tx.commit().await.unwrap();
        assert_eq!(names(&database).await, ["after", "before", "last"], "fails: {fails}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_passes() {
    let database = with_things(sqlite().await).await;
    let mut tx = database.begin(NOW).await.unwrap();
    let pages: i64 = tx.fetch_one("PRAGMA page_count", args![]).await.unwrap().get("page_count").unwrap();
    assert!(pages > 1);
    // SQLite's own way to say that there is no room.
    tx.fetch_all("PRAGMA max_page_count = 1", args![]).await.unwrap();
    add(&mut tx, "fits on a page that is there").await;
    let full = tx.execute("INSERT INTO things (name) VALUES (hex(zeroblob(100000)))", args![]).await.unwrap_err();
    assert_eq!(full, DatabaseError::DiskFull);
    // SQLite may have rolled everything back by now: a further statement would commit by itself.
    assert!(matches!(tx.execute("INSERT INTO things (name) VALUES ('alone')", args![]).await, Err(DatabaseError::TransactionLost(_))));
    assert!(matches!(tx.commit().await, Err(CommitError::Failed(_))));
    assert!(names(&database).await.is_empty());
    let mut tx = database.begin(NOW).await.unwrap();
    tx.fetch_all("PRAGMA max_page_count = 1000000", args![]).await.unwrap();
    tx.execute("INSERT INTO things (name) VALUES (hex(zeroblob(100000)))", args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(names(&database).await.len(), 1);
}

#[tokio::test]
async fn a_commit_that_breaks_a_rule_is_surely_not_stored() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("CREATE TABLE parts (thing BIGINT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)", args![]).await.unwrap();
    tx.execute("INSERT INTO parts (thing) VALUES (77)", args![]).await.unwrap();
    assert!(matches!(tx.commit().await, Err(CommitError::Failed(StoreError::Failed(_)))));
    let mut tx = database.begin(NOW).await.unwrap();
    assert!(matches!(tx.execute("SELECT * FROM parts", args![]).await, Err(DatabaseError::Failed(_))), "the table is gone with its transaction");
}

#[tokio::test]
async fn writers_take_turns_in_order() {
    let database = playground().await;
    let writes = (0..20).map(|number| {
        let database = database.clone();
        async move {
            let mut tx = database.begin(NOW).await.unwrap();
            assert_eq!(names(&database).await.len(), number);
            add(&mut tx, &format!("{number:02}")).await;
            tx.commit().await.unwrap();
        }
    });
    futures_util::future::join_all(writes).await;
}

#[tokio::test]
async fn a_transaction_can_be_sent_and_boxed() {
    fn sendable<T: Send + 'static>(value: T) -> T {
        value
    }
    let database = playground().await;
    let tx = sendable(database.begin(NOW).await.unwrap());
    tokio::spawn(async move {
        let mut tx = tx;
        add(&mut tx, "a").await;
        tx.commit().await.unwrap();
    })
    .await
    .unwrap();
    assert_eq!(names(&database).await, ["a"]);
}

#[test]
fn errors_keep_their_meaning_for_the_ports() {
    assert_eq!(StoreError::from(DatabaseError::DiskFull), StoreError::DiskFull);
    assert!(matches!(StoreError::from(DatabaseError::Disconnected("cut".into())), StoreError::Unavailable(_)));
    assert!(matches!(StoreError::from(DatabaseError::TransactionLost("cut".into())), StoreError::Unavailable(_)));
    assert!(matches!(WriteError::from(DatabaseError::Busy), WriteError::Unavailable { .. }));
    assert_eq!(WriteError::from(DatabaseError::CommitUnknown("lost".into())), WriteError::OutcomeUnknown);
    assert_eq!(onward_core::StepError::from(DatabaseError::Busy).code, onward_core::ErrorCode::Unavailable);
    assert_eq!(onward_core::StepError::from(DatabaseError::NoRow).code, onward_core::ErrorCode::Internal);
}
