//! What else must be known to say why a run does not move: who is ahead of it, who has what it waits for, who owns its shard.

use crate::held;
use onward_core::{
    NodeId, OrganisationId, RunId, Shard, Timestamp,
    ports::{HeldQueue, HeldStart, StoreError},
};
use onward_database::{Query, Row, args};

/// Starts ahead of one that are counted at the most.
const COUNTED: i64 = 100_000;

/// The held start that will be this run.
pub async fn held_start<Q: Query>(db: &mut Q, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError> {
    held::of_run(db, organisation, run).await
}

/// How many starts of its queue go before this one, and the first `most` of them, in order.
pub async fn ahead_of<Q: Query>(db: &mut Q, start: &HeldStart, most: usize) -> Result<(u64, Vec<RunId>), StoreError> {
    let (name, key) = start.queue.parts();
    let place = held::place(&start.queue, start.priority);
    let values = |limit: i64| args![start.organisation, start.queue.kind(), name, key, place, start.id, limit];
    let count = db
        .fetch_one(
            "SELECT count(*) AS ahead FROM (SELECT 1 AS one FROM held_starts
                WHERE organisation = $1 AND queue = $2 AND queue_name = $3 AND queue_key = $4 AND (place, id) < ($5, $6) LIMIT $7) AS counted",
            values(COUNTED),
        )
        .await?
        .get("ahead")?;
    let rows = db
        .fetch_all(
            "SELECT run FROM held_starts
                WHERE organisation = $1 AND queue = $2 AND queue_name = $3 AND queue_key = $4 AND (place, id) < ($5, $6) ORDER BY place, id LIMIT $7",
            values(most as i64),
        )
        .await?;
    Ok((count, ids(&rows, "run")?))
}

/// Runs that have what a queue waits for, the oldest first, at most `most`: the permits of a concurrency limit, or a key.
pub async fn holders<Q: Query>(db: &mut Q, organisation: OrganisationId, queue: &HeldQueue, most: usize) -> Result<Vec<RunId>, StoreError> {
    match queue {
        HeldQueue::Concurrency { name, key } => {
            let sql = "SELECT run FROM permits WHERE organisation = $1 AND limit_name = $2 AND key = $3 ORDER BY run LIMIT $4";
            ids(&db.fetch_all(sql, args![organisation, name, key, most as i64]).await?, "run")
        }
        HeldQueue::Key { workflow, key } => {
            let sql = "SELECT id FROM runs WHERE organisation = $1 AND workflow = $2 AND key = $3 AND status IN ('running', 'waiting', 'paused')
                ORDER BY id LIMIT $4";
            ids(&db.fetch_all(sql, args![organisation, workflow, key, most as i64]).await?, "id")
        }
        HeldQueue::Rate { .. } | HeldQueue::Debounce { .. } | HeldQueue::Paused { .. } | HeldQueue::Person { .. } => Ok(Vec::new()),
    }
}

/// Who owns a shard, and until when the lease lasts.
pub async fn owner<Q: Query>(db: &mut Q, shard: Shard) -> Result<(Option<NodeId>, Timestamp), StoreError> {
    let row = db.fetch_optional("SELECT node, expires_at FROM leases WHERE shard = $1", args![shard]).await?;
    let Some(row) = row else { return Ok((None, Timestamp::default())) };
    Ok((row.get("node")?, row.get("expires_at")?))
}

fn ids(rows: &[Row], column: &str) -> Result<Vec<RunId>, StoreError> {
    Ok(rows.iter().map(|row| row.get(column)).collect::<Result<_, _>>()?)
}
