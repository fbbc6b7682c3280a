//! Two servers on one PostgreSQL that do something at one time.

use super::ThrowawayDatabase;
use crate::{Database, Query as _, SystemIds, Tx, args};
use futures_util::future::LocalBoxFuture;
use onward_core::Timestamp;
use std::{cell::Cell, sync::Arc};

/// Two handles on one database, as two servers have them.
#[derive(Debug)]
pub struct TwoServers {
    one: Database,
    other: Database,
    _at: ThrowawayDatabase,
}

impl TwoServers {
    /// On a fresh database.
    pub async fn new() -> Self {
        let at = ThrowawayDatabase::create().await;
        let open = async || Database::open(at.url(), Arc::new(SystemIds::new())).await.expect("a PostgreSQL database");
        Self { one: open().await, other: open().await, _at: at }
    }

    /// The first server's handle.
    pub fn one(&self) -> &Database {
        &self.one
    }

    /// Does something at the first server alone, and commits it.
    pub async fn before<A>(&self, now: Timestamp, does: impl AsyncFnOnce(&mut Tx) -> A) -> A {
        let mut tx = self.one.begin(now).await.expect("a transaction");
        let done = Box::pin(does(&mut tx)).await;
        tx.commit().await.expect("a commit");
        done
    }

    /// What both made of it. The second begins when the first has done its part and not committed it; it must wait until that is.
    ///
    /// # Panics
    /// When the second does not wait for the first, and so knows nothing of it.
    pub fn at_once<'s, A: 's, B: 's>(
        &'s self,
        now: Timestamp,
        first: impl AsyncFnOnce(&mut Tx) -> A + 's,
        second: impl AsyncFnOnce(&mut Tx) -> B + 's,
    ) -> LocalBoxFuture<'s, (A, B)> {
        Box::pin(async move {
            let mut tx = self.one.begin(now).await.expect("a transaction");
            let first = first(&mut tx).await;
            let committed = Cell::new(false);
            let second = async {
                let mut tx = self.other.begin(now).await.expect("a transaction");
                // However busy the machine is: it is not to give way.
                tx.be_patient().await.expect("patience");
                let done = second(&mut tx).await;
                assert!(committed.get(), "the second did not wait for the first");
                tx.commit().await.expect("a commit");
                done
            };
            let commit = async {
                let waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
                let mut reader = self.one.reader();
                while reader.fetch_one(waiting, args![]).await.expect("an answer").get::<i64>("n").expect("a number") == 0 {
                    tokio::task::yield_now().await;
                }
                committed.set(true);
                tx.commit().await.expect("a commit");
            };
            let (second, ()) = tokio::join!(second, commit);
            (first, second)
        })
    }
}
