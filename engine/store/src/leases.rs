//! Who owns which shard.

use onward_core::{
    NodeId, Shard, Timestamp,
    ports::{Lease, StoreError},
};
use onward_database::{Database, DatabaseError, Query, Row, Rows, Tx, args};

/// Locks and checks the epochs that a transaction relies on (SEMANTICS.md 4).
pub(crate) async fn check(tx: &mut Tx, leases: &[Lease]) -> Result<(), StoreError> {
    if leases.is_empty() {
        return Ok(());
    }
    let held: Rows = leases.iter().map(|lease| args![lease.shard, lease.epoch]).collect();
    let row = tx
        .fetch_one(
            "SELECT count(*) AS ours FROM (SELECT leases.shard FROM {$1: shard bigint, epoch bigint} AS held
                JOIN leases ON leases.shard = held.shard AND leases.epoch = held.epoch {for share of leases}) AS locked",
            args![held],
        )
        .await?;
    if row.get::<i64>("ours")? == leases.len() as i64 {
        return Ok(());
    }
    let current = tx.fetch_all("SELECT shard, epoch FROM leases", args![]).await?;
    let current = current.iter().map(lease).collect::<Result<Vec<_>, _>>()?;
    match leases.iter().find(|lease| !current.contains(lease)) {
        Some(lost) => Err(StoreError::LeaseLost { shard: lost.shard, expected: lost.epoch }),
        // The same lease twice in the list.
        None => Ok(()),
    }
}

pub(crate) async fn acquire(database: &Database, node: NodeId, now: Timestamp, ttl_ms: i64, take_all: bool) -> Result<Vec<Lease>, StoreError> {
    let mut tx = database.begin(now).await?;
    tx.execute("INSERT INTO nodes (id, started_at, seen_at) VALUES ($1, $2, $2) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at", args![node, now])
        .await?;
    tx.execute(
        "UPDATE leases SET epoch = CASE WHEN node = $1 THEN epoch ELSE epoch + 1 END, node = $1, expires_at = $2
            WHERE node = $1 OR node IS NULL OR expires_at <= $3 OR $4",
        args![node, now.plus_millis(ttl_ms), now, take_all],
    )
    .await?;
    finish(tx, node).await
}

pub(crate) async fn renew(database: &Database, node: NodeId, now: Timestamp, ttl_ms: i64) -> Result<Vec<Lease>, StoreError> {
    let mut tx = database.begin(now).await?;
    tx.execute("UPDATE leases SET expires_at = $2 WHERE node = $1", args![node, now.plus_millis(ttl_ms)]).await?;
    tx.execute("UPDATE nodes SET seen_at = $2 WHERE id = $1", args![node, now]).await?;
    finish(tx, node).await
}

pub(crate) async fn release(database: &Database, node: NodeId) -> Result<(), StoreError> {
    let mut tx = database.begin(Timestamp::default()).await?;
    tx.execute("UPDATE leases SET node = NULL, expires_at = 0 WHERE node = $1", args![node]).await?;
    tx.execute("DELETE FROM nodes WHERE id = $1", args![node]).await?;
    finish(tx, node).await.map(drop)
}

/// What the node owns, after the commit that made it so.
async fn finish(mut tx: Tx, node: NodeId) -> Result<Vec<Lease>, StoreError> {
    let rows = tx.fetch_all("SELECT shard, epoch FROM leases WHERE node = $1 ORDER BY shard", args![node]).await?;
    tx.commit().await.map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(rows.iter().map(lease).collect::<Result<_, _>>()?)
}

fn lease(row: &Row) -> Result<Lease, DatabaseError> {
    Ok(Lease { shard: row.get::<Shard>("shard")?, epoch: row.get("epoch")? })
}

/// The shards of these leases, as a list argument `(shard bigint)`.
pub(crate) fn shards(leases: &[Lease]) -> Rows {
    Rows::of(leases.iter().map(|lease| lease.shard))
}
