//! The one durable write path, as rooms above the engine use it.

use super::{BoxFuture, Transaction};
use std::sync::{Arc, Mutex};

/// Who goes first when commits are scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Endpoints and webhooks.
    Normal,
    /// Imports and clean-up, in pieces of at most 5 ms.
    Low,
}

/// Why a write did not take effect. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The body said no; its own type travels in the slot of [`write`].
    #[error("the write was refused")]
    Refused,
    /// The database failed inside the body.
    #[error("the database failed: {0}")]
    Database(String),
    /// The server cannot take it now: overload, shutdown, disk full. Try again after this many milliseconds.
    #[error("the server cannot take writes now; try again in {retry_after_ms} ms")]
    Unavailable {
        /// For `Retry-After`.
        retry_after_ms: u64,
    },
    /// The commit's outcome is unknown: it may or may not be stored.
    #[error("the database connection was lost while committing")]
    OutcomeUnknown,
}

/// The work of one write. May be run again after a rollback, so it must be repeatable.
pub type Body<T> = Box<dyn for<'t> FnMut(&'t mut T) -> BoxFuture<'t, Result<(), WriteError>> + Send>;

/// The committer's face to the rooms above: gathers bodies into one transaction, routes what they emit in that same
/// transaction, and answers after the commit.
pub trait Writer<T: Transaction>: Send + Sync + 'static {
    /// Runs the body under a savepoint of its own; answers after the commit that holds it.
    fn submit(&self, lane: Lane, body: Body<T>) -> BoxFuture<'static, Result<(), WriteError>>;
}

/// Runs `body` through the writer and gives its value back after the commit. An `Err` of the body rolls it back and comes
/// back as it is, in the outer `Ok`.
///
/// ```text
/// let contact = write(&*writer, Lane::Normal, move |tx| {
///     let change = change.clone();
///     Box::pin(async move { contacts::upsert(tx, &actor, change).await })
/// }).await??;
/// ```
pub async fn write<T, R, E, F>(writer: &dyn Writer<T>, lane: Lane, mut body: F) -> Result<Result<R, E>, WriteError>
where
    T: Transaction,
    R: Send + 'static,
    E: Send + 'static,
    F: for<'t> FnMut(&'t mut T) -> BoxFuture<'t, Result<R, E>> + Send + 'static,
{
    let slot: Arc<Mutex<Option<Result<R, E>>>> = Arc::default();
    let filled = Arc::clone(&slot);
    let submitted = writer.submit(
        lane,
        Box::new(move |tx| {
            let work = body(tx);
            let filled = Arc::clone(&filled);
            Box::pin(async move {
                let result = work.await;
                let verdict = if result.is_ok() { Ok(()) } else { Err(WriteError::Refused) };
                if let Ok(mut slot) = filled.lock() {
                    *slot = Some(result);
                }
                verdict
            })
        }),
    );
    let verdict = submitted.await;
    let result = slot.lock().ok().and_then(|mut slot| slot.take());
    match (verdict, result) {
        (Ok(()), Some(result)) | (Err(WriteError::Refused), Some(result @ Err(_))) => Ok(result),
        (Ok(()), None) => Err(WriteError::Database("the write was acknowledged but never run".into())),
        (Err(error), _) => Err(error),
    }
}
