//! The writing connection and the transaction that holds it.

use super::{
    backend::connect,
    bounds::{ANSWER, WRITE, within},
    errors::{commit_may_have_happened, translate},
    statement,
};
use crate::{Args, DatabaseError, Row};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{runtime::Handle, sync::OwnedMutexGuard};

/// Where the writing connection lies while no transaction holds it.
#[derive(Debug)]
pub(super) struct Slot {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Slot {
    pub(super) fn new(options: PgConnectOptions, connection: PgConnection) -> Self {
        Self { options, connection: Some(connection) }
    }

    /// The connection with no transaction open; made anew when the last one was given up.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, DatabaseError> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.options).await?);
        }
        self.connection.as_mut().ok_or_else(|| DatabaseError::Disconnected("the writing connection is gone".into()))
    }

    /// Ends whatever transaction is open. A connection on which that fails is given up: closing it rolls back.
    async fn roll_back(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if let Err(error) = within(ANSWER, sqlx::query("ROLLBACK").execute(connection)).await {
            tracing::warn!(%error, "the writing connection is opened anew, since a rollback failed");
            self.connection = None;
        }
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = within(ANSWER, connection.close()).await
        {
            tracing::debug!(%error, "the writing connection was not closed in order");
        }
    }
}

/// A write transaction's hold on the connection.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    /// `None` once ended.
    slot: Option<OwnedMutexGuard<Slot>>,
    /// Why nothing more may be written, while no savepoint was gone back to.
    lost: Option<String>,
    /// Whether the connection itself still answers.
    answers: bool,
    savepoints: usize,
}

impl WriteConnection {
    pub(super) async fn begin(mut slot: OwnedMutexGuard<Slot>) -> Result<Self, DatabaseError> {
        // A connection that was cut while it lay idle is noticed here, before anything hangs on it: once more on a new one.
        for again in [true, false] {
            let connection = slot.connection().await?;
            match within(ANSWER, sqlx::raw_sql("BEGIN ISOLATION LEVEL READ COMMITTED").execute(connection)).await {
                Ok(_) => break,
                Err(error) => {
                    slot.connection = None;
                    if !again || matches!(&error, sqlx::Error::Database(inner) if inner.code().is_none_or(|code| !code.starts_with("57P"))) {
                        return Err(translate(&error));
                    }
                }
            }
        }
        Ok(Self { slot: Some(slot), lost: None, answers: true, savepoints: 0 })
    }

    fn connection(&mut self) -> Result<&mut PgConnection, DatabaseError> {
        if let Some(reason) = &self.lost {
            return Err(DatabaseError::TransactionLost(reason.clone()));
        }
        self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(ended)
    }

    /// What a statement's error means for the transaction: PostgreSQL takes no further one until a savepoint is gone back to.
    fn noting<T>(&mut self, done: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if let Err(error) = &done {
            match error {
                // It was never sent.
                DatabaseError::Statement { .. } | DatabaseError::Column { .. } | DatabaseError::TransactionLost(_) => {}
                other => {
                    if matches!(other, DatabaseError::Disconnected(_)) {
                        // What it still says may be the answer to something else.
                        self.answers = false;
                        if let Some(slot) = &mut self.slot {
                            slot.connection = None;
                        }
                    }
                    self.lost = Some(other.to_string());
                }
            }
        }
        done
    }

    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        let done = within(WRITE, statement::fetch_all(self.connection()?, sql, args)).await;
        self.noting(done)
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        let done = within(WRITE, statement::execute(self.connection()?, sql, args)).await;
        self.noting(done)
    }

    /// A statement that undoes itself alone.
    pub(crate) async fn attempt(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        self.savepoint().await?;
        match self.execute(sql, args).await {
            Ok(affected) => {
                self.release().await?;
                Ok(affected)
            }
            Err(refused) => {
                self.roll_back_to().await?;
                Err(refused)
            }
        }
    }

    pub(crate) async fn savepoint(&mut self) -> Result<(), DatabaseError> {
        // One name for all: the innermost savepoint of a name is the one that RELEASE and ROLLBACK TO mean.
        self.run("SAVEPOINT s").await?;
        self.savepoints += 1;
        Ok(())
    }

    pub(crate) async fn release(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        self.run("RELEASE s").await?;
        self.savepoints -= 1;
        Ok(())
    }

    /// Undoes what came since the last savepoint, a statement that failed there included.
    pub(crate) async fn roll_back_to(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        if self.answers {
            self.lost = None;
        }
        self.run("ROLLBACK TO s").await?;
        self.run("RELEASE s").await?;
        self.savepoints -= 1;
        Ok(())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        let done = within(WRITE, sqlx::raw_sql(sql).execute(self.connection()?)).await.map(drop).map_err(|error| translate(&error));
        self.noting(done)
    }

    fn expect_savepoint(&self) -> Result<(), DatabaseError> {
        if self.savepoints == 0 { Err(DatabaseError::Failed("there is no savepoint to go back to".into())) } else { Ok(()) }
    }

    /// Commits durably. `CommitUnknown` when it may or may not be stored.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        let lost = self.lost.take();
        // While it is committed the hold stays with `self`: whoever stops waiting rolls back what is not stored.
        if let Some(reason) = lost {
            if let Some(mut slot) = self.slot.take() {
                slot.roll_back().await;
            }
            return Err(DatabaseError::TransactionLost(reason));
        }
        let connection = self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(ended)?;
        let done = within(WRITE, sqlx::raw_sql("COMMIT").execute(connection)).await;
        let mut slot = self.slot.take().ok_or_else(ended)?;
        match done {
            Ok(_) => Ok(()),
            Err(error) if commit_may_have_happened(&error) => {
                slot.connection = None;
                Err(DatabaseError::CommitUnknown(translate(&error).to_string()))
            }
            Err(error) => {
                slot.roll_back().await;
                Err(translate(&error))
            }
        }
    }

    /// Undoes everything.
    pub(crate) async fn roll_back(mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.roll_back().await;
        }
    }
}

impl Drop for WriteConnection {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        // Its locks must not stay until the next transaction begins.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { slot.roll_back().await })),
            Err(_) => slot.connection = None,
        }
    }
}

fn ended() -> DatabaseError {
    DatabaseError::TransactionLost("it has ended".into())
}
