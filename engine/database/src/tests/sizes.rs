//! How large tables are, and that PostgreSQL clears deleted rows away in good time.

use super::{NOW, sqlite};
use crate::{Database, Query as _, Rows, TableSize, args, testing};
use std::sync::Arc;

async fn fill(database: &Database, rows: i64) {
    let mut tx = database.begin(NOW).await.unwrap();
    let text = "x".repeat(400);
    let all: Rows = (0..rows).map(|n| args![format!("w{n}"), text.clone(), n]).collect();
    tx.execute(
        "INSERT INTO retention_rules (organisation, workflow, days) SELECT $2, r.w || r.t, r.n + 1 FROM {$1: w text, t text, n bigint} AS r WHERE true",
        args![all, uuid::Uuid::nil()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn size(database: &Database, table: &str) -> TableSize {
    let all = database.table_sizes().await.unwrap().expect("a small file");
    assert!(all.is_sorted_by(|a, b| a.bytes >= b.bytes), "the largest first");
    all.into_iter().find(|size| size.table == table).unwrap()
}

#[tokio::test]
async fn tables_of_sqlite_are_counted() {
    let database = sqlite().await;
    assert_eq!(size(&database, "leases").await.rows, 256);
    let before = size(&database, "retention_rules").await;
    fill(&database, 700).await;
    let after = size(&database, "retention_rules").await;
    assert_eq!((before.rows, after.rows), (0, 700));
    assert!(after.bytes > 700 * 400 && after.bytes < 700 * 4_000, "{after:?}");
}

#[tokio::test]
async fn tables_of_postgres_are_counted_and_cleared_early() {
    let database = testing::postgres_with(Arc::new(crate::SystemIds::new())).await;
    fill(&database, 700).await;
    // PostgreSQL tells its statistics in its own time; what the table takes it knows at once.
    let after = size(&database, "retention_rules").await;
    assert!(after.bytes > 700 * 400 && after.bytes < 700 * 4_000, "{after:?}");
    let sql = "SELECT count(*) AS n FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        AND NOT coalesce(c.reloptions::text LIKE '%autovacuum_vacuum_scale_factor=0.02%', false)";
    assert_eq!(database.reader().fetch_one(sql, args![]).await.unwrap().get::<i64>("n").unwrap(), 0);
}
