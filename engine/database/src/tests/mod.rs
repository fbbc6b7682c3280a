//! The crate as its users see it.

mod opening;
mod statements;
mod transactions;

use crate::{Database, SystemIds};
use onward_core::Timestamp;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

async fn database() -> Database {
    Database::open("sqlite::memory:", Arc::new(SystemIds::new())).await.unwrap()
}

/// With a table to play with.
async fn playground() -> Database {
    let database = database().await;
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER CHECK (n > 0)) STRICT", crate::args![]).await.unwrap();
    tx.commit().await.unwrap();
    database
}
