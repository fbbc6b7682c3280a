//! Moving the write-ahead log into the file beside the writer.
//!
//! Left to itself SQLite does this within the commit that finds the log long: tens of milliseconds for whoever waits for
//! that commit. So the bulk is moved by a connection of its own while writing goes on. Only what was written meanwhile is
//! left for the writer, between two transactions: the log can begin anew only when all of it is in the file and nobody
//! writes.

use super::{
    backend,
    write::Slot,
    writing::{Failure, Writing},
};
use crate::{Args, DatabaseError, Row};
use sqlx::SqliteConnection;
use std::{
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Mutex, watch};

/// Pages in the log (16 MiB) from which on it is moved.
const LONG_LOG_PAGES: i64 = 4_000;
/// The log's length is asked for after this many commits.
const COMMITS_BETWEEN_LOOKS: u32 = 16;

#[derive(Debug)]
pub(super) struct Checkpointer {
    path: PathBuf,
    connection: Mutex<Option<SqliteConnection>>,
    running: AtomicBool,
    /// How often the log was moved; for tests, and free otherwise.
    done: watch::Sender<u64>,
}

/// How the log stands.
struct Log {
    pages: i64,
    /// Of these, already in the file.
    moved: i64,
}

impl Log {
    fn read(rows: &[Row]) -> Result<Self, DatabaseError> {
        let row = rows.first().ok_or(DatabaseError::NoRow)?;
        Ok(Self { pages: row.get("log")?, moved: row.get("checkpointed")? })
    }
}

impl Checkpointer {
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, connection: Mutex::default(), running: AtomicBool::new(false), done: watch::Sender::new(0) })
    }

    #[cfg(test)]
    pub(super) fn signal(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }

    /// Called with the writer after each commit; starts the work when the log has become long.
    pub(super) fn after_commit(self: &Arc<Self>, commits: u32, writer: &Writing, slot: &Arc<Mutex<Slot>>) {
        if !commits.is_multiple_of(COMMITS_BETWEEN_LOOKS) || self.running.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let state = writer.run("PRAGMA wal_checkpoint(NOOP)", &Args::new()).map_err(Failure::translate).and_then(|done| Log::read(&done.rows));
        let long = state.is_ok_and(|log| log.pages - log.moved >= LONG_LOG_PAGES);
        if long && !self.running.swap(true, Ordering::Relaxed) {
            let (this, slot) = (Arc::clone(self), Arc::downgrade(slot));
            runtime.spawn(async move {
                if let Err(error) = this.run(slot).await {
                    // Nothing is lost: the log only grows until the next time, or until SQLite does it within a commit.
                    tracing::warn!(%error, "the write-ahead log could not be moved into the file");
                }
                this.running.store(false, Ordering::Relaxed);
                this.done.send_modify(|times| *times += 1);
            });
        }
    }

    async fn run(&self, slot: Weak<Mutex<Slot>>) -> Result<(), DatabaseError> {
        {
            let mut connection = self.connection.lock().await;
            let connection = match &mut *connection {
                Some(connection) => connection,
                none => none.insert(backend::open_beside(&self.path).await?),
            };
            super::fetch_all(connection, "PRAGMA wal_checkpoint(PASSIVE)", Args::new()).await?;
        }
        // Gone when the database was closed meanwhile.
        if let Some(slot) = slot.upgrade()
            && let Some(writer) = slot.lock().await.opened()
        {
            writer.run("PRAGMA wal_checkpoint(PASSIVE)", &Args::new()).map_err(Failure::translate)?;
        }
        Ok(())
    }

    /// Returns once the connection is closed: the last one to go moves the log into the file and removes it, and only the writer's
    /// does so before the process may end.
    pub(super) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = sqlx::Connection::close(connection).await
        {
            tracing::warn!(%error, "the connection that moves the write-ahead log was not closed");
        }
    }
}
