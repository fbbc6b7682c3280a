//! How long is waited for PostgreSQL, since nothing waits for ever on a connection whose other end does not hear any more (a machine that
//! vanished, a router that forgot the connection). TCP would notice after a quarter of an hour, and where nothing is sent never.
//!
//! What waits is given up together with its connection: its answer may still come, and must not be taken for another's.

use crate::DatabaseError;
use std::{future::Future, io, time::Duration};

/// For a connection to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// For what waits for no lock: `BEGIN`, `ROLLBACK`, a ping.
pub(super) const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });
/// For a statement that writes, or its commit: longer than the server lets it run (`WRITER`).
pub(super) const WRITE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 20 });
/// For a statement that reads: longer than the server lets it run (`EVERY`).
pub(super) const READ: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 35 });

/// No answer came.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoAnswer(pub(super) Duration);

impl NoAnswer {
    fn reason(self) -> String {
        format!("no answer for {} s", self.0.as_secs())
    }
}

impl From<NoAnswer> for sqlx::Error {
    fn from(none: NoAnswer) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::TimedOut, none.reason()))
    }
}

impl From<NoAnswer> for DatabaseError {
    fn from(none: NoAnswer) -> Self {
        Self::Disconnected(none.reason())
    }
}

/// Waits for this long and no longer.
pub(super) async fn within<T, E: From<NoAnswer>>(patience: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(NoAnswer(patience).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_answers_is_given_up() {
        let given_up: Result<(), DatabaseError> = within(Duration::from_millis(1), std::future::pending()).await;
        assert!(matches!(&given_up, Err(DatabaseError::Disconnected(reason)) if reason.starts_with("no answer for")), "{given_up:?}");
        let given_up: Result<(), sqlx::Error> = within(Duration::from_millis(1), std::future::pending()).await;
        assert!(matches!(given_up, Err(sqlx::Error::Io(_))), "{given_up:?}");
        assert!(matches!(within(READ, async { Ok::<_, sqlx::Error>(7) }).await, Ok(7)));
    }
}
