//! Reading: the trait that a transaction and a reader share, so that a read function is written once.

use crate::{Args, Database, DatabaseError, Row, database::Dialect, postgres, sqlite};
use onward_core::async_trait;

/// Runs statements that return rows. Functions that only read take `&mut impl Query` and work inside a transaction as well
/// as beside it.
#[async_trait]
pub trait Query: Send {
    /// Every row.
    async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError>;

    /// The first row, if there is one.
    async fn fetch_optional(&mut self, sql: &'static str, args: Args) -> Result<Option<Row>, DatabaseError> {
        Ok(self.fetch_all(sql, args).await?.into_iter().next())
    }

    /// The first row.
    ///
    /// # Errors
    /// [`DatabaseError::NoRow`] when there is none.
    async fn fetch_one(&mut self, sql: &'static str, args: Args) -> Result<Row, DatabaseError> {
        self.fetch_optional(sql, args).await?.ok_or(DatabaseError::NoRow)
    }
}

/// Reads committed data, each statement on a snapshot of its own; never waits for a writer. Cheap to make and to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Database,
}

impl Reader {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
    /// Several statements on one snapshot.
    pub async fn snapshot(&self) -> Result<Snapshot, DatabaseError> {
        Ok(Snapshot(match self.database.dialect() {
            Dialect::Sqlite(backend) => Moment::Sqlite(backend.snapshot().await?),
            Dialect::Postgres(backend) => Moment::Postgres(backend.snapshot().await?),
        }))
    }
}

#[async_trait]
impl Query for Reader {
    async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        match self.database.dialect() {
            Dialect::Sqlite(backend) => backend.read(sql, args).await,
            Dialect::Postgres(backend) => backend.read(sql, args).await,
        }
    }
}

/// Reads committed data as it stood at one moment. Short-lived: it keeps what was deleted since from being cleared away.
#[derive(Debug)]
pub struct Snapshot(Moment);

#[derive(Debug)]
enum Moment {
    Sqlite(sqlite::ReadTransaction),
    Postgres(postgres::ReadTransaction),
}

#[async_trait]
impl Query for Snapshot {
    async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        match &mut self.0 {
            Moment::Sqlite(transaction) => transaction.fetch_all(sql, args).await,
            Moment::Postgres(transaction) => transaction.fetch_all(sql, args).await,
        }
    }
}
