//! The write transaction that record functions take.

use crate::{Args, DatabaseError, Query, Row, postgres, sqlite};
use onward_core::{
    Timestamp, async_trait,
    ports::{CommitError, Ids, Outbox, Transaction},
};
use std::sync::Arc;
use uuid::Uuid;

/// A write transaction: holds this process's one writing connection until it ends. Dropped without an end, it is rolled back.
pub struct Tx {
    connection: Connection,
    now: Timestamp,
    ids: Arc<dyn Ids>,
    outbox: Outbox,
    /// What the outbox held at each savepoint.
    marks: Vec<Outbox>,
}

pub(crate) enum Connection {
    Sqlite(sqlite::WriteConnection),
    Postgres(postgres::WriteConnection),
}

impl Tx {
    pub(crate) fn new(connection: Connection, now: Timestamp, ids: Arc<dyn Ids>) -> Self {
        Self { connection, now, ids, outbox: Outbox::default(), marks: Vec::new() }
    }

    /// Runs a statement; how many rows it inserted, updated or deleted.
    pub async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, args),
            Connection::Postgres(connection) => connection.execute(sql, args).await,
        }
    }

    /// Runs a statement whose refusal (a unique violation, say) is an answer: it undoes itself alone, and the transaction goes on.
    pub async fn attempt(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, args),
            Connection::Postgres(connection) => connection.attempt(sql, args).await,
        }
    }

    /// Tells whoever listens on this channel, when and only when the transaction is committed. The payload has at most 8,000 bytes;
    /// the same one given twice comes once. On SQLite nobody else is there.
    pub async fn notify(&mut self, channel: &'static str, payload: &str) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(connection) => {
                connection.fetch_all("SELECT pg_notify($1, $2) IS NULL AS told", crate::args![channel, payload]).await.map(drop)
            }
        }
    }

    /// Locks these numbers, in sorted order, until the transaction ends: who locks one of them too waits. On SQLite one
    /// transaction writes at a time, and there is nothing to lock.
    pub async fn lock(&mut self, mut numbers: Vec<i64>) -> Result<(), DatabaseError> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        numbers.sort_unstable();
        numbers.dedup();
        let sql = "SELECT count(pg_advisory_xact_lock(n)) AS locked FROM (SELECT n FROM {$1: n bigint} AS asked ORDER BY n) AS sorted";
        connection.fetch_all(sql, crate::args![crate::Rows::of(numbers)]).await.map(drop)
    }

    /// What time it is by the database's own clock; by `own` where the database has none.
    pub async fn database_clock(&mut self, own: Timestamp) -> Result<Timestamp, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(own),
            Connection::Postgres(connection) => {
                let rows = connection.fetch_all("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now", Args::new()).await?;
                rows.first().ok_or(DatabaseError::NoRow)?.get("now")
            }
        }
    }

    /// Marks a point to return to; savepoints nest.
    pub async fn savepoint(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.savepoint()?,
            Connection::Postgres(connection) => connection.savepoint().await?,
        }
        self.marks.push(self.outbox.clone());
        Ok(())
    }

    /// Keeps what came since the last savepoint.
    pub async fn release(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.release()?,
            Connection::Postgres(connection) => connection.release().await?,
        }
        self.marks.pop();
        Ok(())
    }

    /// Undoes what came since the last savepoint, the outbox included, and drops the savepoint.
    pub async fn rollback_to(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.roll_back_to()?,
            Connection::Postgres(connection) => connection.roll_back_to().await?,
        }
        if let Some(outbox) = self.marks.pop() {
            self.outbox = outbox;
        }
        Ok(())
    }

    /// Commits durably.
    ///
    /// # Errors
    /// `Failed`: surely not stored. `Unknown`: it may or may not be stored (SEMANTICS.md 5).
    pub async fn commit(self) -> Result<(), CommitError> {
        let done = match self.connection {
            Connection::Sqlite(connection) => connection.commit(),
            Connection::Postgres(connection) => connection.commit().await,
        };
        done.map_err(|error| match error {
            DatabaseError::CommitUnknown(reason) => CommitError::Unknown(reason),
            other => CommitError::Failed(other.into()),
        })
    }

    /// Undoes everything.
    pub async fn rollback(self) {
        match self.connection {
            Connection::Sqlite(connection) => connection.roll_back(),
            Connection::Postgres(connection) => connection.roll_back().await,
        }
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("now", &self.now).field("savepoints", &self.marks.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Query for Tx {
    async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.fetch_all(sql, args),
            Connection::Postgres(connection) => connection.fetch_all(sql, args).await,
        }
    }
}

impl Transaction for Tx {
    fn now(&self) -> Timestamp {
        self.now
    }
    fn fresh_id(&mut self) -> Uuid {
        self.ids.fresh(self.now)
    }
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}
