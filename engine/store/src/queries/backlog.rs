//! How much waits, over all organisations: for whoever watches the server.

use onward_core::{Timestamp, ports::StoreError};
use onward_database::{Query, args};

/// What waits; of more than was to be counted, that many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Runs at work.
    pub running: u64,
    /// Paused runs.
    pub paused: u64,
    /// Messages to runs that are not applied.
    pub inbox: u64,
    /// Held starts.
    pub held_starts: u64,
    /// Timers that are due.
    pub timers_overdue: u64,
}

/// Counts what waits, each kind along an index and no further than `most`.
pub async fn backlog<Q: Query>(db: &mut Q, now: Timestamp, most: usize) -> Result<Backlog, StoreError> {
    let row = db
        .fetch_one(
            "SELECT (SELECT count(*) FROM (SELECT 1 AS one FROM runs WHERE status = 'running' LIMIT $2) AS counted) AS running,
                (SELECT count(*) FROM (SELECT 1 AS one FROM runs WHERE status = 'paused' LIMIT $2) AS counted) AS paused,
                (SELECT count(*) FROM (SELECT 1 AS one FROM inbox LIMIT $2) AS counted) AS inbox,
                (SELECT count(*) FROM (SELECT 1 AS one FROM held_starts LIMIT $2) AS counted) AS held_starts,
                (SELECT count(*) FROM (SELECT 1 AS one FROM timers WHERE due <= $1 LIMIT $2) AS counted) AS timers_overdue",
            args![now, most as i64],
        )
        .await?;
    Ok(Backlog {
        running: row.get("running")?,
        paused: row.get("paused")?,
        inbox: row.get("inbox")?,
        held_starts: row.get("held_starts")?,
        timers_overdue: row.get("timers_overdue")?,
    })
}
