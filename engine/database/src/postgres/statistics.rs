//! What the planner knows of tables that are young.
//!
//! It plans by statistics, which autovacuum gathers once a minute at most. Until then it takes a table's columns for diverse: of two indexes
//! that begin with the organisation it may take the one that ends there, and a message's sender is looked for among all of them. A thousand
//! contacts that come within the first minute, or a database that was just restored, would be served a hundred times slower than later.
//! So whoever writes has the tables looked at that grew to twice their size, whenever it has written as much as before, again.

use super::{
    backend::connect,
    bounds::{WRITE, within},
    errors::translate,
    statement,
};
use crate::{DatabaseError, args};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::{runtime::Handle, task::JoinHandle};

/// Rows written before statistics are gathered for the first time.
const FIRST: u64 = 100;
/// Pages of a table that a start looks at: what a few rows come to is not worth a connection.
const WORTH_A_START: i64 = 8;
/// While a table grows: of three thousand rows, and not thirty thousand, the planner learns enough, and 30 ms of work are not 300. Autovacuum
/// looks more closely later.
const ROUGHLY: &str = "SET default_statistics_target = 10";

/// Autovacuum may be at a table, or another server: nobody waits for this one meanwhile.
const PATIENTLY: &str = "SET lock_timeout = '5s'";

/// How much this process has written.
#[derive(Debug)]
pub(super) struct Growth {
    rows: AtomicU64,
    next: AtomicU64,
}

impl Growth {
    pub(super) fn new() -> Self {
        Self { rows: AtomicU64::new(0), next: AtomicU64::new(FIRST) }
    }

    /// Notes rows that were written; has statistics gathered, beside, when it is time.
    pub(super) fn wrote(&self, rows: u64, options: &PgConnectOptions) -> Option<JoinHandle<()>> {
        if !self.is_time(rows) {
            return None;
        }
        let (runtime, options) = (Handle::try_current().ok()?, options.clone());
        Some(runtime.spawn(async move {
            if let Err(error) = gather(&options).await {
                tracing::warn!(%error, "statistics of young tables cannot be gathered; statements are slow until autovacuum does");
            }
        }))
    }

    fn is_time(&self, rows: u64) -> bool {
        let written = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let next = self.next.load(Ordering::Relaxed);
        // One writer at a time.
        if written >= next {
            self.next.store(written.saturating_mul(2), Ordering::Relaxed);
        }
        written >= next
    }
}

async fn gather(options: &PgConnectOptions) -> Result<(), DatabaseError> {
    let mut connection = connect(options).await?;
    let todo = grown(&mut connection, 1).await?;
    within(WRITE, sqlx::raw_sql(ROUGHLY).execute(&mut connection)).await.map_err(|error| translate(&error))?;
    analyse(connection, todo).await
}

/// The same at a start, where a database may have been restored: its tables come without statistics. That it fails is no reason not to
/// start, as long as this connection answers.
pub(super) async fn gather_at_start(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<(), DatabaseError> {
    let todo = grown(connection, WORTH_A_START).await?;
    if todo.is_empty() {
        return Ok(());
    }
    // On a connection of its own, which may be given up while it is at work.
    let analysed = async { analyse(connect(options).await?, todo).await };
    if let Err(error) = analysed.await {
        tracing::warn!(%error, "statistics of the tables cannot be gathered; statements may be slow until autovacuum does");
    }
    Ok(())
}

async fn analyse(mut connection: PgConnection, todo: Vec<String>) -> Result<(), DatabaseError> {
    within(WRITE, sqlx::raw_sql(PATIENTLY).execute(&mut connection)).await.map_err(|error| translate(&error))?;
    for statement in todo {
        within(WRITE, sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection)).await.map_err(|error| translate(&error))?;
    }
    within(WRITE, connection.close()).await.map_err(|error| translate(&error))
}

/// What is to be done for tables that have more than these pages, and twice as many as when they were last analysed, by whomever.
async fn grown(connection: &mut PgConnection, pages: i64) -> Result<Vec<String>, DatabaseError> {
    let sql = "SELECT format('ANALYZE %s', c.oid::regclass) AS todo FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
            AND pg_relation_size(c.oid) / current_setting('block_size')::bigint > 2 * greatest(c.relpages, 0)
            AND pg_relation_size(c.oid) / current_setting('block_size')::bigint > $1
        ORDER BY c.relname";
    within(WRITE, statement::fetch_all(connection, sql, args![pages])).await?.iter().map(|row| row.get("todo")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, SystemIds, testing::ThrowawayDatabase};
    use std::{str::FromStr as _, sync::Arc};

    async fn known(connection: &mut PgConnection) -> i64 {
        let sql = "SELECT reltuples::bigint AS n FROM pg_class WHERE relname = 'event_keys'";
        statement::fetch_all(connection, sql, args![]).await.unwrap()[0].get("n").unwrap()
    }

    async fn run(connection: &mut PgConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    const WRITE_SOME: &str =
        "INSERT INTO event_keys SELECT gen_random_uuid(), decode(md5(n::text), 'hex'), gen_random_uuid(), 0 FROM generate_series(1, 2000) AS n";

    #[tokio::test]
    async fn the_planner_knows_young_tables_and_restored_ones() {
        let at = ThrowawayDatabase::create().await;
        let open = async || Database::open(at.url(), Arc::new(SystemIds::new())).await.unwrap();
        open().await.close().await;
        let options = PgConnectOptions::from_str(at.url()).unwrap();
        let mut other = connect(&options).await.unwrap();
        run(&mut other, "ALTER TABLE event_keys SET (autovacuum_enabled = false)").await;
        run(&mut other, WRITE_SOME).await;
        assert!(known(&mut other).await <= 0);
        Growth::new().wrote(FIRST, &options).unwrap().await.unwrap();
        assert_eq!(known(&mut other).await, 2_000);
        run(&mut other, "DELETE FROM event_keys WHERE taken_in_at = 0").await;
        Growth::new().wrote(FIRST, &options).unwrap().await.unwrap();
        assert_eq!(known(&mut other).await, 2_000, "it has not grown");
        // As after a restore: rows, and no statistics.
        run(&mut other, "CREATE TABLE anew (LIKE event_keys INCLUDING ALL) WITH (autovacuum_enabled = false)").await;
        run(&mut other, "DROP TABLE event_keys; ALTER TABLE anew RENAME TO event_keys").await;
        run(&mut other, WRITE_SOME).await;
        assert!(known(&mut other).await <= 0);
        open().await.close().await;
        assert_eq!(known(&mut other).await, 2_000);
    }

    #[test]
    fn it_is_time_whenever_as_much_was_written_again() {
        let growth = Growth::new();
        let due: Vec<u64> = (1..=1_000).filter(|_| growth.is_time(1)).collect();
        assert_eq!(due, [100, 200, 400, 800]);
        assert!(growth.is_time(5_000) && !growth.is_time(5_999) && growth.is_time(1));
    }
}
