use super::{NOW, sqlite};
use crate::{Database, DatabaseError, Query as _, SystemIds, args, lists};
use std::{path::Path, sync::Arc};

async fn open(path: &Path) -> Result<Database, DatabaseError> {
    Database::open(&format!("sqlite://{}", path.display()), Arc::new(SystemIds::new())).await
}

#[tokio::test]
async fn settings_are_what_durability_needs() {
    let database = sqlite().await;
    let report = database.report().await.unwrap();
    assert_eq!(report.durability, "journal_mode=wal, synchronous=2");
    assert!(report.migration >= 1 && report.bytes > 0, "{report:?}");
    let mut tx = database.begin(NOW).await.unwrap();
    let row = tx
        .fetch_one(
            "SELECT (SELECT auto_vacuum FROM pragma_auto_vacuum) AS vacuum, (SELECT foreign_keys FROM pragma_foreign_keys) AS foreign_keys,
                unhex('ff') AS unhex",
            args![],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<i64>("vacuum").unwrap(), row.get::<bool>("foreign_keys").unwrap(), row.get::<Vec<u8>>("unhex").unwrap()), (2, true, vec![255]));
}

#[tokio::test]
async fn a_second_server_is_refused_with_the_first_ones_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onward.db");
    let first = open(&path).await.unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(&refused, DatabaseError::InUse { process, .. } if *process == std::process::id().to_string()), "{refused}");
    assert!(refused.to_string().contains("onward.db.lock"), "{refused}");
    drop(first);
    open(&path).await.unwrap();
}

#[tokio::test]
async fn what_is_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onward.db");
    for round in 1..=3_i64 {
        let database = open(&path).await.unwrap();
        let mut tx = database.begin(NOW).await.unwrap();
        tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE shard = 0", args![]).await.unwrap();
        tx.commit().await.unwrap();
        // Left open on purpose: no checkpoint, no closing.
        let mut open_at_the_end = database.begin(NOW).await.unwrap();
        open_at_the_end.execute("UPDATE leases SET epoch = 99", args![]).await.unwrap();
        let row = database.reader().fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap();
        assert_eq!(row.get::<i64>("epoch").unwrap(), round);
        open_at_the_end.rollback().await;
        if round == 2 {
            database.close().await;
        }
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onward.db");
    let database = open(&path).await.unwrap();
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, x'00', 0)", args![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    database.close().await;
    drop(database);
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(&refused, DatabaseError::Migration(reason) if reason.contains("9999")), "{refused}");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onward.db");
    std::fs::write(&path, "a letter to my aunt, long enough to be taken for a database by its length alone. ".repeat(20)).unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Unfit(_)), "{refused}");
    assert!(matches!(open(&folder.path().join("no/such/folder/onward.db")).await, Err(DatabaseError::Unfit(_))));
}

#[tokio::test]
async fn a_temporary_database_leaves_nothing() {
    let database = sqlite().await;
    let path = database.path().unwrap().to_owned();
    assert!(path.exists());
    database.close().await;
    drop(database);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_backup_holds_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let database = sqlite().await;
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = 5 WHERE shard = 0", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let mut unfinished = database.begin(NOW).await.unwrap();
    unfinished.execute("UPDATE leases SET epoch = 6 WHERE shard = 0", args![]).await.unwrap();
    database.backup(&copy).await.unwrap();
    unfinished.rollback().await;
    database.tidy().await.unwrap();
    let row = open(&copy).await.unwrap().reader().fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap();
    assert_eq!(row.get::<i64>("epoch").unwrap(), 5);
}

#[test]
fn every_statement_without_a_marker_stays_as_it_is() {
    assert!(matches!(lists::for_sqlite("SELECT '{}' AS empty", lists::Lists::Json), Ok(lists::Text::Static("SELECT '{}' AS empty"))));
}
