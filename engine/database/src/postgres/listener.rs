//! What other processes tell through PostgreSQL's NOTIFY.

use super::{
    bounds::{ANSWER, CONNECT, within},
    errors::translate,
};
use crate::DatabaseError;
use sqlx::{
    Executor as _,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::time::Duration;

/// Where nothing was heard for so long, the connection is asked whether it is still one: it sends nothing by itself.
const QUIET: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// Hears one channel, on a connection of its own.
#[derive(Debug)]
pub(crate) struct Listener {
    options: PgConnectOptions,
    channel: String,
    inner: PgListener,
}

impl Listener {
    pub(super) async fn listen(options: &PgConnectOptions, channel: &str) -> Result<Self, DatabaseError> {
        Ok(Self { options: options.clone(), channel: channel.to_owned(), inner: listening(options, channel).await.map_err(|error| translate(&error))? })
    }

    /// The next payload; `None`: the connection was lost and made anew, and some may have been missed.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, DatabaseError> {
        loop {
            let lost = match tokio::time::timeout(QUIET, self.inner.try_recv()).await {
                Ok(Ok(Some(heard))) => return Ok(Some(heard.payload().to_owned())),
                Ok(Ok(None)) => None,
                Ok(Err(error)) => Some(error),
                Err(_) => match within(ANSWER, self.inner.execute("SELECT 1")).await {
                    Ok(_) => continue,
                    Err(error) => Some(error),
                },
            };
            tracing::debug!(?lost, "the listening connection was lost");
            self.inner = listening(&self.options, &self.channel).await.map_err(|error| translate(&error))?;
            return Ok(None);
        }
    }
}

async fn listening(options: &PgConnectOptions, channel: &str) -> Result<PgListener, sqlx::Error> {
    // sqlx listens on connections of pools only. This one is of no use to anybody else.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    within(ANSWER, listener.listen(channel)).await?;
    Ok(listener)
}
