//! The write transaction that record functions take.

use crate::{Args, DatabaseError, Query, Row, postgres, sqlite};
use onward_core::{
    Timestamp, async_trait,
    ports::{CommitError, Ids, Outbox, StoreError, Transaction},
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
    refusals: Vec<Box<dyn Refusal>>,
}

/// Says what it means that something was refused which had been left to a commit.
#[async_trait]
pub trait Refusal: Send + Sync {
    /// The store's own error for it, when it is its business. The transaction has ended.
    async fn explain(&mut self, error: &DatabaseError) -> Option<StoreError>;
}

pub(crate) enum Connection {
    Sqlite(sqlite::WriteConnection),
    Postgres(postgres::WriteConnection),
}

impl Tx {
    pub(crate) fn new(connection: Connection, now: Timestamp, ids: Arc<dyn Ids>) -> Self {
        Self { connection, now, ids, outbox: Outbox::default(), marks: Vec::new(), refusals: Vec::new() }
    }

    /// Runs a statement; how many rows it inserted, updated or deleted.
    pub async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, &args),
            Connection::Postgres(connection) => connection.execute(sql, args).await,
        }
    }

    /// Runs a statement whose outcome nobody waits for: where each one is a journey to the database, it goes with the commit, or before the
    /// next statement that is waited for. Its failure is told then. It begins with the words of what it does (`INSERT INTO`, `UPDATE`,
    /// `DELETE FROM`) and its table, and does not read what one left before it writes.
    pub fn leave(&mut self, sql: &'static str, args: Args) -> Result<(), DatabaseError> {
        self.leave_to_commit(sql, args, false)
    }

    /// The same of a statement that writes to a table to which one left before it writes, too, and surely to other rows: they go together.
    pub fn leave_apart(&mut self, sql: &'static str, args: Args) -> Result<(), DatabaseError> {
        self.leave_to_commit(sql, args, true)
    }

    /// Asks with a statement that only reads, or locks what it reads, and surely no table to which one was left: what was left need not be
    /// written first.
    pub async fn fetch_apart(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.fetch_all(sql, &args),
            Connection::Postgres(connection) => connection.fetch_apart(sql, args).await,
        }
    }

    fn leave_to_commit(&mut self, sql: &'static str, args: Args, apart: bool) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, &args).map(drop),
            Connection::Postgres(connection) => {
                connection.leave(sql, args, apart);
                Ok(())
            }
        }
    }

    /// Makes the commit hang on a statement whose one row says so in `holds`, and which locks what it looks at; no row says no. It is
    /// asked now or at the commit.
    ///
    /// # Errors
    /// [`DatabaseError::ConditionFailed`], here or in the commit.
    pub fn require(&mut self, sql: &'static str, args: Args) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let rows = connection.fetch_all(sql, &args)?;
                let holds = rows.first().map_or(Ok(false), |row| row.get("holds"))?;
                if holds { Ok(()) } else { Err(DatabaseError::ConditionFailed) }
            }
            Connection::Postgres(connection) => {
                connection.require(sql, args);
                Ok(())
            }
        }
    }

    /// Names somebody who can say what it means when the commit is refused; the first who knows is believed.
    pub fn on_refusal(&mut self, refusal: Box<dyn Refusal>) {
        if matches!(self.connection, Connection::Postgres(_)) {
            self.refusals.push(refusal);
        }
    }

    /// Runs a statement whose refusal (a unique violation, say) is an answer: it undoes itself alone, and the transaction goes on.
    pub async fn attempt(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, &args),
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

    /// Locks what these ids or digests stand for, in sorted order, until the transaction ends: who locks one of them too waits.
    /// Whether others may have committed meanwhile, so that what was read before is to be read again. On SQLite one transaction writes at a
    /// time, and there is nothing to lock.
    pub async fn lock(&mut self, names: Vec<[u8; 16]>) -> Result<bool, DatabaseError> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(false) };
        // PostgreSQL locks numbers of 64 bits. Two names that fall on one only wait for each other.
        let mut numbers: Vec<i64> = names
            .into_iter()
            .map(|name| {
                let (high, low) = Uuid::from_bytes(name).as_u64_pair();
                (high ^ low).cast_signed()
            })
            .collect();
        if numbers.is_empty() {
            return Ok(false);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let sql = "SELECT count(pg_advisory_xact_lock(n)) AS locked FROM (SELECT n FROM {$1: n bigint} AS asked ORDER BY n) AS sorted";
        connection.fetch_all(sql, crate::args![crate::Rows::of(numbers)]).await?;
        Ok(true)
    }

    /// For what must not give way: from now on it waits for what other servers hold for as long as they may hold it, where others end with
    /// [`DatabaseError::Contended`].
    pub async fn be_patient(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(connection) => connection.be_patient().await,
        }
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

    /// The same in microseconds since 1970; `None` where the database has no clock of its own.
    pub async fn database_clock_micros(&mut self) -> Result<Option<i64>, DatabaseError> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(None),
            Connection::Postgres(connection) => {
                let rows = connection.fetch_all("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now", Args::new()).await?;
                rows.first().ok_or(DatabaseError::NoRow)?.get("now").map(Some)
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
    /// `Failed`: surely not stored. `Refused`: the same, by something that was left to the commit. `Unknown`: it may or may not be
    /// stored (SEMANTICS.md 5).
    pub async fn commit(mut self) -> Result<(), CommitError> {
        let done = match self.connection {
            Connection::Sqlite(connection) => connection.commit(),
            Connection::Postgres(connection) => connection.commit().await,
        };
        match done {
            Ok(()) => Ok(()),
            Err(DatabaseError::CommitUnknown(reason)) => Err(CommitError::Unknown(reason)),
            Err(DatabaseError::CommitRefused(reason)) if !reason.is_passing() => {
                for refusal in &mut self.refusals {
                    if let Some(explained) = refusal.explain(&reason).await {
                        return Err(CommitError::Refused(explained));
                    }
                }
                Err(CommitError::Refused((*reason).into()))
            }
            Err(other) => Err(CommitError::Failed(other.into())),
        }
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
            Connection::Sqlite(connection) => connection.fetch_all(sql, &args),
            Connection::Postgres(connection) => connection.fetch_all(sql, args).await,
        }
    }
}

impl Transaction for Tx {
    fn now(&self) -> Timestamp {
        self.now
    }
    fn has_its_turn_at(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }
    fn fresh_id(&mut self) -> Uuid {
        self.ids.fresh(self.now)
    }
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}
