//! What other processes tell through PostgreSQL's NOTIFY.

use super::errors::translate;
use crate::DatabaseError;
use sqlx::{PgPool, postgres::PgListener};

/// Hears one channel; connects again by itself.
#[derive(Debug)]
pub(crate) struct Listener(PgListener);

impl Listener {
    pub(super) async fn listen(pool: &PgPool, channel: &str) -> Result<Self, DatabaseError> {
        let mut listener = PgListener::connect_with(pool).await.map_err(|error| translate(&error))?;
        listener.listen(channel).await.map_err(|error| translate(&error))?;
        Ok(Self(listener))
    }

    /// The next payload; `None`: the connection was lost, and some may have been missed.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, DatabaseError> {
        let heard = self.0.try_recv().await.map_err(|error| translate(&error))?;
        Ok(heard.map(|notification| notification.payload().to_owned()))
    }
}
