//! The one writing connection, and the transaction that holds it.

use super::{
    backend::open_writer,
    checkpoint::Checkpointer,
    errors::{commit_may_have_happened, ends_transaction, translate_written},
    writing::{Done, Failure, Writing},
};
use crate::{Args, DatabaseError, Row};
use std::{path::PathBuf, sync::Arc};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::OwnedMutexGuard,
};

/// Where the writing connection lies while no transaction holds it.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    connection: Option<Writing>,
    commits: u32,
    checkpointer: Arc<Checkpointer>,
}

impl Slot {
    pub(super) fn new(path: PathBuf, connection: Writing) -> Self {
        Self { checkpointer: Checkpointer::new(path.clone()), path, connection: Some(connection), commits: 0 }
    }

    /// The connection with no transaction open; made anew when the last one was given up.
    pub(super) fn connection(&mut self) -> Result<&Writing, DatabaseError> {
        if self.connection.is_none() {
            self.connection = Some(open_writer(&self.path)?);
        }
        self.connection.as_ref().ok_or_else(|| DatabaseError::Failed("the writing connection is gone".into()))
    }

    /// The connection, unless it is closed or was given up.
    pub(super) fn opened(&self) -> Option<&Writing> {
        self.connection.as_ref()
    }

    /// Ends whatever transaction is open. A connection on which that fails is given up: closing it rolls back.
    fn roll_back(&mut self) {
        let Some(connection) = self.connection.as_ref().filter(|connection| connection.in_transaction()) else { return };
        if let Err(error) = connection.run("ROLLBACK", &Args::new()) {
            tracing::warn!(error = %error.translate(), "the writing connection is opened anew, since a rollback failed");
            self.connection = None;
        }
    }

    #[cfg(test)]
    pub(super) fn checkpoints(&self) -> tokio::sync::watch::Receiver<u64> {
        self.checkpointer.signal()
    }

    pub(super) async fn close(&mut self) {
        self.checkpointer.close().await;
        self.roll_back();
        self.connection = None;
    }
}

/// A write transaction's hold on the connection. Statements run on the caller's thread, so none is ever left half-way.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    /// `None` once ended.
    slot: Option<OwnedMutexGuard<Slot>>,
    /// Why nothing more may be written.
    lost: Option<String>,
    savepoints: usize,
}

impl WriteConnection {
    pub(super) fn begin(mut slot: OwnedMutexGuard<Slot>) -> Result<Self, DatabaseError> {
        slot.connection()?.run("BEGIN IMMEDIATE", &Args::new()).map_err(Failure::translate)?;
        Ok(Self { slot: Some(slot), lost: None, savepoints: 0 })
    }

    fn run(&mut self, sql: &'static str, args: &Args) -> Result<Done, DatabaseError> {
        if let Some(reason) = &self.lost {
            return Err(DatabaseError::TransactionLost(reason.clone()));
        }
        let connection = self.slot.as_ref().and_then(|slot| slot.connection.as_ref()).ok_or_else(ended)?;
        connection.run(sql, args).map_err(|failure| {
            let fatal = matches!(&failure, Failure::Sqlite(error) if ends_transaction(error));
            let error = failure.translate();
            // SQLite may have ended it by itself: what came next would then commit alone.
            if fatal || !connection.in_transaction() {
                self.lost = Some(error.to_string());
            }
            error
        })
    }

    pub(crate) fn fetch_all(&mut self, sql: &'static str, args: &Args) -> Result<Vec<Row>, DatabaseError> {
        Ok(self.run(sql, args)?.rows)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, args: &Args) -> Result<u64, DatabaseError> {
        Ok(self.run(sql, args)?.affected)
    }

    pub(crate) fn savepoint(&mut self) -> Result<(), DatabaseError> {
        // One name for all: SQLite's innermost savepoint of a name is the one that RELEASE and ROLLBACK TO mean.
        self.run("SAVEPOINT s", &Args::new())?;
        self.savepoints += 1;
        Ok(())
    }

    pub(crate) fn release(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        self.run("RELEASE s", &Args::new())?;
        self.savepoints -= 1;
        Ok(())
    }

    /// Undoes what came since the last savepoint.
    pub(crate) fn roll_back_to(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        self.run("ROLLBACK TO s", &Args::new())?;
        self.run("RELEASE s", &Args::new())?;
        self.savepoints -= 1;
        Ok(())
    }

    fn expect_savepoint(&self) -> Result<(), DatabaseError> {
        if self.savepoints == 0 { Err(DatabaseError::Failed("there is no savepoint to go back to".into())) } else { Ok(()) }
    }

    /// Commits durably. `CommitUnknown` when it may or may not be on the disk.
    pub(crate) fn commit(mut self) -> Result<(), DatabaseError> {
        let mut slot = self.slot.take().ok_or_else(ended)?;
        if let Some(reason) = self.lost.take() {
            slot.roll_back();
            return Err(DatabaseError::TransactionLost(reason));
        }
        let connection = slot.connection.as_ref().ok_or_else(ended)?;
        match waiting_for_the_disk(|| connection.run("COMMIT", &Args::new())) {
            Ok(_) => {
                slot.commits = slot.commits.wrapping_add(1);
                let place = Arc::clone(OwnedMutexGuard::mutex(&slot));
                if let Some(connection) = slot.connection.as_ref() {
                    slot.checkpointer.after_commit(slot.commits, connection, &place);
                }
                Ok(())
            }
            Err(Failure::Sqlite(error)) if commit_may_have_happened(&error) => {
                // What the connection believes cannot be trusted any more; the next one reads the log from the disk.
                slot.connection = None;
                Err(DatabaseError::CommitUnknown(translate_written(&error).to_string()))
            }
            Err(failure) => {
                slot.roll_back();
                Err(failure.translate())
            }
        }
    }

    /// Undoes everything.
    pub(crate) fn roll_back(mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.roll_back();
        }
    }
}

/// Does what waits for the disk, and lets the runtime give this thread's other tasks to another one meanwhile.
fn waiting_for_the_disk<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn ended() -> DatabaseError {
    DatabaseError::TransactionLost("it has ended".into())
}

impl Drop for WriteConnection {
    fn drop(&mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.roll_back();
        }
    }
}
