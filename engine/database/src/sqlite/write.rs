//! The one writing connection, and the transaction that holds it.

use super::{
    backend::open_writer,
    checkpoint::Checkpointer,
    errors::{commit_may_have_happened, ends_transaction, translate},
    prepare,
};
use crate::{Args, DatabaseError, Row, row};
use sqlx::{Connection as _, SqliteConnection};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::OwnedMutexGuard;

/// Where the writing connection lies while no transaction holds it.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    connection: Option<SqliteConnection>,
    /// A transaction may still be open on the connection: its holder is gone without having ended it.
    open: bool,
    commits: u32,
    checkpointer: Arc<Checkpointer>,
}

impl Slot {
    pub(super) fn new(path: PathBuf, connection: SqliteConnection) -> Self {
        Self { checkpointer: Checkpointer::new(path.clone()), path, connection: Some(connection), open: false, commits: 0 }
    }

    /// The connection with no transaction open; made anew when the last one was given up.
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, DatabaseError> {
        if self.open {
            self.roll_back().await;
        }
        if self.connection.is_none() {
            self.connection = Some(open_writer(&self.path).await?);
        }
        self.connection.as_mut().ok_or_else(|| DatabaseError::Failed("the writing connection is gone".into()))
    }

    /// Ends whatever transaction is open. A connection on which that fails is given up: closing it rolls back.
    async fn roll_back(&mut self) {
        if let Some(connection) = &mut self.connection {
            match sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await {
                Ok(_) => {}
                // SQLite has ended it by itself.
                Err(error) if error.as_database_error().is_some_and(|error| error.message().contains("no transaction is active")) => {}
                Err(error) => {
                    tracing::warn!(%error, "the writing connection is opened anew, since a rollback failed");
                    self.connection = None;
                }
            }
        }
        self.open = false;
    }

    #[cfg(test)]
    pub(super) fn checkpoints(&self) -> tokio::sync::watch::Receiver<u64> {
        self.checkpointer.signal()
    }

    pub(super) async fn close(&mut self) {
        self.checkpointer.close().await;
        if self.open {
            self.roll_back().await;
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the writing connection did not close cleanly; nothing committed is lost");
        }
    }
}

/// A write transaction's hold on the connection.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    /// `None` once ended.
    slot: Option<OwnedMutexGuard<Slot>>,
    /// Why nothing more may be written.
    lost: Option<String>,
    /// A statement was sent and its end not seen: its caller was dropped in between.
    unseen: bool,
    savepoints: usize,
}

impl WriteConnection {
    pub(super) async fn begin(mut slot: OwnedMutexGuard<Slot>) -> Result<Self, DatabaseError> {
        slot.connection().await?;
        // Set before BEGIN is sent, so that a caller who goes away meanwhile leaves nothing open.
        slot.open = true;
        let Some(connection) = slot.connection.as_mut() else { return Err(ended()) };
        let result = sqlx::raw_sql("BEGIN IMMEDIATE").execute(connection).await;
        if let Err(error) = result {
            slot.roll_back().await;
            return Err(translate(&error));
        }
        Ok(Self { slot: Some(slot), lost: None, unseen: false, savepoints: 0 })
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, DatabaseError> {
        if self.unseen {
            self.lost = Some("a statement in it was given up half-way".into());
            self.unseen = false;
        }
        if let Some(reason) = &self.lost {
            return Err(DatabaseError::TransactionLost(reason.clone()));
        }
        self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(|| DatabaseError::TransactionLost("it has ended".into()))
    }

    fn settle<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, DatabaseError> {
        self.unseen = false;
        result.map_err(|error| {
            let translated = translate(&error);
            if ends_transaction(&error) {
                self.lost = Some(translated.to_string());
            }
            translated
        })
    }

    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        let query = prepare(sql, args)?;
        self.connection()?;
        self.unseen = true;
        let Some(connection) = self.slot.as_mut().and_then(|slot| slot.connection.as_mut()) else { return Err(ended()) };
        let result = query.fetch_all(connection).await;
        let rows = self.settle(result)?;
        Ok(rows.into_iter().map(|row| Row(row::Inner::Sqlite(row))).collect())
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        let query = prepare(sql, args)?;
        self.connection()?;
        self.unseen = true;
        let Some(connection) = self.slot.as_mut().and_then(|slot| slot.connection.as_mut()) else { return Err(ended()) };
        let result = query.execute(connection).await;
        self.settle(result).map(|done| done.rows_affected())
    }

    pub(crate) async fn savepoint(&mut self) -> Result<(), DatabaseError> {
        // One name for all: SQLite's innermost savepoint of a name is the one that RELEASE and ROLLBACK TO mean.
        self.execute("SAVEPOINT s", Args::new()).await?;
        self.savepoints += 1;
        Ok(())
    }

    pub(crate) async fn release(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        self.execute("RELEASE s", Args::new()).await?;
        self.savepoints -= 1;
        Ok(())
    }

    /// Undoes what came since the last savepoint, also a statement whose end was not seen.
    pub(crate) async fn roll_back_to(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        self.unseen = false;
        self.execute("ROLLBACK TO s", Args::new()).await?;
        self.execute("RELEASE s", Args::new()).await?;
        self.savepoints -= 1;
        Ok(())
    }

    fn expect_savepoint(&self) -> Result<(), DatabaseError> {
        if self.savepoints == 0 { Err(DatabaseError::Failed("there is no savepoint to go back to".into())) } else { Ok(()) }
    }

    /// Commits durably. `CommitUnknown` when it may or may not be on the disk.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        let verdict = self.connection().map(|_| ());
        let Some(mut slot) = self.slot.take() else { return Err(ended()) };
        if let Err(error) = verdict {
            slot.roll_back().await;
            return Err(error);
        }
        let Some(connection) = slot.connection.as_mut() else { return Err(ended()) };
        let Err(error) = sqlx::raw_sql("COMMIT").execute(connection).await else {
            slot.open = false;
            slot.commits = slot.commits.wrapping_add(1);
            let (commits, checkpointer) = (slot.commits, Arc::clone(&slot.checkpointer));
            let place = Arc::clone(OwnedMutexGuard::mutex(&slot));
            if let Some(connection) = slot.connection.as_mut() {
                checkpointer.after_commit(commits, connection, &place).await;
            }
            return Ok(());
        };
        if commit_may_have_happened(&error) {
            // What the connection believes cannot be trusted any more; the next one reads the log from the disk.
            slot.connection = None;
            slot.open = false;
            return Err(DatabaseError::CommitUnknown(translate(&error).to_string()));
        }
        slot.roll_back().await;
        Err(translate(&error))
    }

    /// Undoes everything.
    pub(crate) async fn roll_back(mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.roll_back().await;
        }
    }
}

fn ended() -> DatabaseError {
    DatabaseError::TransactionLost("it has ended".into())
}

impl Drop for WriteConnection {
    fn drop(&mut self) {
        // Rolled back at once where a task can be started, else by whoever takes the connection next (`Slot::open`).
        if let Some(mut slot) = self.slot.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { slot.roll_back().await });
        }
    }
}
