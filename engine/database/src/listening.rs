//! Telling other processes that work on the same database, and hearing them.

use crate::{DatabaseError, postgres};

/// Hears what other processes tell with [`crate::Tx::notify`].
#[derive(Debug)]
pub struct Listener(pub(crate) Option<postgres::Listener>);

impl Listener {
    /// The next payload. `None`: the connection was lost for a while, and some may have been missed. On SQLite nobody else is
    /// there, and it never returns.
    ///
    /// # Errors
    /// While no connection can be made: to be asked again after a while.
    pub async fn next(&mut self) -> Result<Option<String>, DatabaseError> {
        match &mut self.0 {
            Some(listener) => listener.next().await,
            None => std::future::pending().await,
        }
    }
}
