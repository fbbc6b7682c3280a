//! The connections that read: as many as there are places for, made when they are wanted and kept for whoever reads next.
//!
//! sqlx's own pool asks every connection that comes back whether it still answers, which doubles the round trips of a read and, where
//! nothing answers any more, keeps its place until TCP gives up. Here a connection comes back only from a statement that was answered, and
//! whoever stops waiting for one takes the connection with them.

use super::{
    backend::connect,
    bounds::{ANSWER, within},
};
use crate::{DatabaseError, SystemClock};
use onward_core::ports::Clock as _;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads that run side by side.
const READERS: usize = 8;
/// How long a read waits for a place.
const PLACE: Duration = Duration::from_secs(10);
/// Ticks (microseconds) for which a connection may lie idle until it is asked whether it still answers, before it is used.
const ASKED_AFTER: i64 = 2_000_000;
/// Ticks for which it may lie idle at all.
const CLOSED_AFTER: i64 = 600_000_000;
/// Ticks for which it is kept in use: PostgreSQL's memory for a connection grows with its age.
const KEPT_FOR: i64 = 1_800_000_000;

/// Connections to one database. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    places: Arc<Semaphore>,
    /// The one that was used last lies last.
    idle: Mutex<Vec<Idle>>,
    clock: SystemClock,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    /// In ticks of the clock.
    made_at: i64,
    since: i64,
}

/// A connection in somebody's hand. It is closed unless it is given back.
#[derive(Debug)]
pub(super) struct Borrowed {
    pub(super) connection: PgConnection,
    made_at: i64,
    readers: Readers,
    _place: OwnedSemaphorePermit,
}

impl Borrowed {
    /// For whoever reads next: every statement was answered, and no transaction is open.
    pub(super) fn give_back(self) {
        let shared = &self.readers.0;
        let now = shared.clock.ticks();
        if shared.places.is_closed() || now - self.made_at > KEPT_FOR {
            return;
        }
        let mut idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| now - idle.since <= CLOSED_AFTER);
        idle.push(Idle { connection: self.connection, made_at: self.made_at, since: now });
    }
}

impl Readers {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self(Arc::new(Shared { options, places: Arc::new(Semaphore::new(READERS)), idle: Mutex::default(), clock: SystemClock::new() }))
    }

    /// How they are made.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    /// A connection that answers.
    pub(super) async fn borrow(&self) -> Result<Borrowed, DatabaseError> {
        let waiting = tokio::time::timeout(PLACE, Arc::clone(&self.0.places).acquire_owned());
        let Ok(place) = waiting.await else { return Err(DatabaseError::Busy) };
        let place = place.map_err(|_| DatabaseError::Failed("the database was closed".into()))?;
        let now = self.0.clock.ticks();
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(Idle { mut connection, made_at, since }) = idle {
            if now - since <= ASKED_AFTER || within(ANSWER, connection.ping()).await.is_ok() {
                return Ok(Borrowed { connection, made_at, readers: self.clone(), _place: place });
            }
            // The others lay idle for longer.
            self.forget_idle();
        }
        let connection = connect(&self.0.options).await?;
        Ok(Borrowed { connection, made_at: self.0.clock.ticks(), readers: self.clone(), _place: place })
    }

    /// None of those that lie idle is used again: what happened to one has happened to all.
    pub(super) fn forget_idle(&self) {
        drop(std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    /// Nobody gets one any more.
    pub(super) async fn close(&self) {
        self.0.places.close();
        let idle = std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for Idle { connection, .. } in idle {
            if let Err(error) = within(ANSWER, connection.close()).await {
                tracing::debug!(%error, "a reading connection was not closed in order");
            }
        }
    }
}
