//! What is left to the commit.

use super::{NOW, playground};
use crate::{Database, DatabaseError, Query as _, Refusal, Tx, args};
use onward_core::{
    async_trait,
    ports::{CommitError, StoreError},
};

const INSERT: &str = "INSERT INTO things (name, n) VALUES ($1, $2)";
const RAISE: &str = "UPDATE things SET n = n + 1 WHERE name = $1";
const AS_MANY: &str = "SELECT count(*) = $1 AS holds FROM things";

async fn things(database: &Database) -> Vec<(String, i64)> {
    let rows = database.reader().fetch_all("SELECT name, n FROM things ORDER BY name", args![]).await.unwrap();
    rows.iter().map(|row| (row.get("name").unwrap(), row.get("n").unwrap())).collect()
}

/// Says what it was told of.
struct Named;

#[async_trait]
impl Refusal for Named {
    async fn explain(&mut self, error: &DatabaseError) -> Option<StoreError> {
        matches!(error, DatabaseError::UniqueViolation { .. } | DatabaseError::ConditionFailed).then(|| StoreError::Failed("explained".into()))
    }
}

/// Commits what this leaves, in a transaction that is `open` before or not. Whether it was refused.
async fn refused(database: &Database, open: bool, work: impl FnOnce(&mut Tx) -> Result<(), DatabaseError>) -> bool {
    let mut tx = database.begin(NOW).await.unwrap();
    tx.on_refusal(Box::new(Named));
    if open {
        tx.fetch_all("SELECT name FROM things", args![]).await.unwrap();
    }
    match work(&mut tx) {
        // Where every statement is run at once, it is refused at once.
        Err(_) => {
            tx.rollback().await;
            true
        }
        Ok(()) => match tx.commit().await {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error, CommitError::Refused(StoreError::Failed("explained".into())));
                true
            }
        },
    }
}

#[tokio::test]
async fn it_is_written_in_order_and_whole() {
    for open in [false, true] {
        let database = playground().await;
        let kept = refused(&database, open, |tx| {
            tx.leave(INSERT, args!["c", 1])?;
            // The same row: each after the one before.
            tx.leave(RAISE, args!["c"])?;
            tx.leave(RAISE, args!["c"])?;
            tx.leave_apart(INSERT, args!["d", 5])
        });
        assert!(!kept.await);
        assert_eq!(things(&database).await, [("c".into(), 3), ("d".into(), 5)]);
    }
}

#[tokio::test]
async fn who_looks_sees_what_was_left() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    tx.leave(INSERT, args!["a", 1]).unwrap();
    tx.leave(RAISE, args!["a"]).unwrap();
    let row = tx.fetch_one("SELECT n FROM things WHERE name = 'a'", args![]).await.unwrap();
    assert_eq!(row.get::<i64>("n").unwrap(), 2);
    tx.leave(INSERT, args!["b", 1]).unwrap();
    let apart = tx.fetch_apart("SELECT 7 AS n", args![]).await.unwrap();
    assert_eq!(apart[0].get::<i64>("n").unwrap(), 7);
    assert_eq!(tx.execute("DELETE FROM things WHERE n > 0", args![]).await.unwrap(), 2);
    tx.leave(INSERT, args!["c", 1]).unwrap();
    tx.savepoint().await.unwrap();
    tx.leave(INSERT, args!["d", 1]).unwrap();
    tx.rollback_to().await.unwrap();
    tx.leave(INSERT, args!["e", 1]).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(things(&database).await, [("c".into(), 1), ("e".into(), 1)]);
}

#[tokio::test]
async fn a_failure_or_a_condition_undoes_everything() {
    for open in [false, true] {
        let database = playground().await;
        assert!(!refused(&database, open, |tx| tx.leave(INSERT, args!["a", 1])).await);
        let twice = refused(&database, open, |tx| {
            tx.leave(INSERT, args!["b", 1])?;
            tx.leave_apart(INSERT, args!["a", 1])
        });
        assert!(twice.await);
        let changed = refused(&database, open, |tx| {
            tx.require(AS_MANY, args![7])?;
            tx.leave(INSERT, args!["c", 1])
        });
        assert!(changed.await);
        let alone = refused(&database, open, |tx| tx.require("SELECT n = 2 AS holds FROM things WHERE name = 'a'", args![]));
        assert!(alone.await);
        assert_eq!(things(&database).await, [("a".into(), 1)]);
        let held = refused(&database, open, |tx| {
            tx.require(AS_MANY, args![1])?;
            tx.require("SELECT n = 1 AS holds FROM things WHERE name = 'a'", args![])?;
            tx.leave(INSERT, args!["d", 1])
        });
        assert!(!held.await);
        assert_eq!(things(&database).await, [("a".into(), 1), ("d".into(), 1)]);
    }
}

#[tokio::test]
async fn without_a_commit_nothing_is_written() {
    let database = playground().await;
    for dropped in [true, false] {
        let mut tx = database.begin(NOW).await.unwrap();
        tx.leave(INSERT, args!["a", 1]).unwrap();
        if dropped {
            drop(tx);
        } else {
            tx.rollback().await;
        }
    }
    database.begin(NOW).await.unwrap().commit().await.unwrap();
    assert_eq!(things(&database).await, []);
}
