//! The writing connection and the transaction that holds it.

use super::{
    backend::connect,
    bounds::{ANSWER, WRITE, within},
    errors::{commit_may_have_happened, translate},
    statement::{self, Left},
    statistics::Growth,
};
use crate::{Args, DatabaseError, Row};
use onward_core::Timestamp;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::sync::Arc;
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard},
};

/// Milliseconds after which a connection that lies idle may have been cut.
const FRESH_MS: i64 = 1_000;

/// Where the writing connection lies while no transaction holds it.
#[derive(Debug)]
pub(super) struct Slot {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// When a transaction last began on it.
    used_at: Timestamp,
    growth: Growth,
}

impl Slot {
    pub(super) fn new(options: PgConnectOptions, connection: PgConnection) -> Self {
        Self { options, connection: Some(connection), used_at: Timestamp::MIN, growth: Growth::new() }
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
///
/// It begins with the first statement that writes or locks and whose outcome somebody waits for. What is left to the commit goes with it, as one statement;
/// where there is nothing else, that statement is the whole transaction, and its end is the commit.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    /// `None` once ended, and while another transaction holds it.
    slot: Option<OwnedMutexGuard<Slot>>,
    /// Where to wait for it, until it is needed for the first time.
    behind: Option<(Arc<Mutex<Slot>>, Timestamp)>,
    /// `BEGIN` was sent.
    is_open: bool,
    /// Written at the commit, or before somebody looks; group by group. No two of a group may touch the same row.
    left: Vec<Vec<Left>>,
    /// Must hold when it is committed.
    conditions: Vec<Left>,
    /// Why nothing more may be written, while no savepoint was gone back to.
    lost: Option<Lost>,
    /// Whether the connection itself still answers.
    answers: bool,
    savepoints: usize,
    /// The innermost one is not wanted any more, and was not told so yet: with the next one it costs no journey of its own.
    release_is_due: bool,
    /// Rows, as far as is known.
    written: u64,
}

/// Why a transaction takes nothing more.
#[derive(Debug)]
enum Lost {
    /// It waited for another transaction that may be waiting for it. To go back to a savepoint would keep what was locked before, so that
    /// both wait again with their next statements: all of it ends.
    Contended,
    /// An error, which a savepoint may undo.
    Because(String),
}

impl WriteConnection {
    pub(super) async fn begin(mut slot: OwnedMutexGuard<Slot>, now: Timestamp) -> Result<Self, DatabaseError> {
        let is_fresh = slot.connection.is_some() && now.millis_since(slot.used_at) < FRESH_MS;
        slot.used_at = now;
        let mut begun = Self::new(Some(slot), None);
        if !is_fresh {
            // A cut is better found by something that may be said twice.
            begun.open().await?;
        }
        Ok(begun)
    }

    /// From now on it waits for others' locks for as long as they may be held.
    pub(crate) async fn be_patient(&mut self) -> Result<(), DatabaseError> {
        self.run(PATIENTLY).await
    }

    /// Waits for the connection only when it is needed.
    pub(super) fn begin_behind(writer: Arc<Mutex<Slot>>, now: Timestamp) -> Self {
        Self::new(None, Some((writer, now)))
    }

    fn new(slot: Option<OwnedMutexGuard<Slot>>, behind: Option<(Arc<Mutex<Slot>>, Timestamp)>) -> Self {
        Self {
            slot,
            behind,
            is_open: false,
            left: Vec::new(),
            conditions: Vec::new(),
            lost: None,
            answers: true,
            savepoints: 0,
            release_is_due: false,
            written: 0,
        }
    }

    /// The slot, once whoever holds it has ended; who did has just used the connection, so that it needs no trying out.
    async fn slot(&mut self) -> Result<&mut Slot, DatabaseError> {
        if let Some((writer, now)) = &self.behind {
            let mut slot = Arc::clone(writer).lock_owned().await;
            slot.used_at = slot.used_at.max(*now);
            self.slot = Some(slot);
            self.behind = None;
        }
        self.slot.as_deref_mut().ok_or_else(ended)
    }

    /// Sends `BEGIN`, unless it was.
    async fn open(&mut self) -> Result<(), DatabaseError> {
        if self.is_open {
            return Ok(());
        }
        let slot = self.slot().await?;
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
        self.is_open = true;
        Ok(())
    }

    /// The connection with the transaction begun, and everything written that was left.
    async fn connection(&mut self) -> Result<&mut PgConnection, DatabaseError> {
        self.check_lost()?;
        self.open().await?;
        if !self.left.is_empty() {
            let left = std::mem::take(&mut self.left);
            for group in left {
                let connection = self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(ended)?;
                let done = within(WRITE, statement::execute_together(connection, group)).await.map_err(|error| translate(&error));
                self.noting(done)?;
            }
        }
        self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(ended)
    }

    /// Whether the statement may run before `BEGIN`: each sees what is committed when it begins (READ COMMITTED), so one that only reads is
    /// the same before as within, as long as nothing was written that it must see.
    fn may_read_before(&self, sql: &str) -> bool {
        !self.is_open && self.lost.is_none() && self.left.is_empty() && statement::only_reads(sql)
    }

    fn check_lost(&self) -> Result<(), DatabaseError> {
        match &self.lost {
            Some(Lost::Contended) => Err(DatabaseError::Contended),
            Some(Lost::Because(reason)) => Err(DatabaseError::TransactionLost(reason.clone())),
            None => Ok(()),
        }
    }

    /// Leaves a statement to the commit. `apart`: it touches no row that one left before touches, though it writes to the same table.
    pub(crate) fn leave(&mut self, sql: &'static str, args: Args, apart: bool) {
        let statement = Left { sql, args, is_condition: false };
        self.written += statement.rows();
        match self.left.last_mut() {
            Some(group) if apart || group.iter().all(|other| other.table() != statement.table()) => group.push(statement),
            _ => self.left.push(vec![statement]),
        }
    }

    /// Leaves a condition to the commit: a statement whose one row says in `holds` whether this may be stored.
    pub(crate) fn require(&mut self, sql: &'static str, args: Args) {
        self.conditions.push(Left { sql, args, is_condition: true });
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
                    self.lost = Some(if *other == DatabaseError::Contended { Lost::Contended } else { Lost::Because(other.to_string()) });
                }
            }
        }
        done
    }

    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        let connection = if self.may_read_before(sql) { self.slot().await?.connection().await? } else { self.connection().await? };
        let done = within(WRITE, statement::fetch_all(connection, sql, args)).await;
        self.noting(done)
    }

    /// The same of a statement that only reads, or locks what it reads, and nothing of what was left.
    pub(crate) async fn fetch_apart(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        self.check_lost()?;
        if !statement::only_reads(sql) {
            self.open().await?;
        }
        let connection = if self.is_open {
            self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or_else(ended)?
        } else {
            // As before a BEGIN: what is committed is what it sees.
            self.slot().await?.connection().await?
        };
        let done = within(WRITE, statement::fetch_all(connection, sql, args)).await;
        self.noting(done)
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
        let connection = self.connection().await?;
        let done = within(WRITE, statement::execute(connection, sql, args)).await;
        self.written += done.as_ref().copied().unwrap_or_default();
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
        self.run(if self.release_is_due { "RELEASE s; SAVEPOINT s" } else { "SAVEPOINT s" }).await?;
        self.release_is_due = false;
        self.savepoints += 1;
        Ok(())
    }

    pub(crate) async fn release(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        if self.release_is_due {
            self.run("RELEASE s").await?;
        } else {
            // What was left within it fails within it.
            self.connection().await?;
        }
        self.release_is_due = true;
        self.savepoints -= 1;
        Ok(())
    }

    /// Undoes what came since the last savepoint, a statement that failed there included.
    pub(crate) async fn roll_back_to(&mut self) -> Result<(), DatabaseError> {
        self.expect_savepoint()?;
        match self.lost {
            Some(Lost::Contended) => return Err(DatabaseError::Contended),
            _ if self.answers => self.lost = None,
            _ => {}
        }
        // All of it was left since: whoever sets a savepoint has what was left before written.
        self.left.clear();
        // A failed transaction takes a RELEASE only once it was gone back.
        self.run(if self.release_is_due { "ROLLBACK TO s; RELEASE s; ROLLBACK TO s; RELEASE s" } else { "ROLLBACK TO s; RELEASE s" }).await?;
        self.release_is_due = false;
        self.savepoints -= 1;
        Ok(())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        let connection = self.connection().await?;
        let done = within(WRITE, sqlx::raw_sql(sql).execute(connection)).await.map(drop).map_err(|error| translate(&error));
        self.noting(done)
    }

    fn expect_savepoint(&self) -> Result<(), DatabaseError> {
        if self.savepoints == 0 { Err(DatabaseError::Failed("there is no savepoint to go back to".into())) } else { Ok(()) }
    }

    /// Commits durably. `CommitUnknown` when it may or may not be stored, `CommitRefused` when something that was left to it failed.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        if let Err(lost) = self.check_lost() {
            if let Some(mut slot) = self.slot.take() {
                slot.roll_back().await;
            }
            return Err(lost);
        }
        let mut last = self.left.pop().unwrap_or_default();
        last.append(&mut self.conditions);
        if !self.left.is_empty() {
            self.connection().await.map(drop).map_err(refused)?;
        }
        // While it is committed the hold stays with `self`: whoever stops waiting rolls back what is not stored.
        let is_open = self.is_open;
        let slot = self.slot().await?;
        let connection = if is_open { slot.connection.as_mut().ok_or_else(ended)? } else { slot.connection().await? };
        let is_checked = last.iter().any(|statement| statement.is_condition);
        let refusal = |error: &sqlx::Error| match error {
            sqlx::Error::Database(inner) if is_checked && inner.code().is_some_and(|code| code == DIVISION_BY_ZERO) => refused(DatabaseError::ConditionFailed),
            other => refused(translate(other)),
        };
        let mut done = Ok(());
        if is_open {
            if !last.is_empty()
                && let Err(error) = within(WRITE, statement::execute_together(connection, last)).await
            {
                let refusal = refusal(&error);
                if let Some(mut slot) = self.slot.take() {
                    slot.roll_back().await;
                }
                return Err(refusal);
            }
            done = within(WRITE, sqlx::raw_sql("COMMIT").execute(connection))
                .await
                .map(drop)
                .map_err(|error| (commit_may_have_happened(&error), translate(&error)));
        } else if !last.is_empty() {
            done = within(WRITE, statement::execute_together(connection, last)).await.map_err(|error| (commit_may_have_happened(&error), refusal(&error)));
        }
        let mut slot = self.slot.take().ok_or_else(ended)?;
        match done {
            Ok(()) => {
                drop(slot.growth.wrote(self.written, &slot.options));
                Ok(())
            }
            Err((true, error)) => {
                slot.connection = None;
                Err(DatabaseError::CommitUnknown(error.to_string()))
            }
            Err((false, error)) => {
                if is_open {
                    slot.roll_back().await;
                }
                Err(error)
            }
        }
    }

    /// Undoes everything.
    pub(crate) async fn roll_back(mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        if self.is_open {
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

const PATIENTLY: &str = "SET LOCAL lock_timeout = '5s'";

/// PostgreSQL 15, appendix A.
const DIVISION_BY_ZERO: &str = "22012";

/// Of what was left to a commit: nothing is stored.
fn refused(error: DatabaseError) -> DatabaseError {
    DatabaseError::CommitRefused(Box::new(error))
}

fn ended() -> DatabaseError {
    DatabaseError::TransactionLost("it has ended".into())
}
