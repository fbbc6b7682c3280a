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
    let ranges = ranges(leases);
    let expected: i64 = ranges.iter().map(|range| i64::from(range.last.0 - range.first.0) + 1).sum();
    let held: Rows = ranges.iter().map(|range| args![range.first, range.last, range.epoch]).collect();
    let row = tx
        .fetch_one(
            "SELECT count(*) AS ours FROM (SELECT leases.shard FROM {$1: first bigint, last bigint, epoch bigint} AS held
                JOIN leases ON leases.shard BETWEEN held.first AND held.last AND leases.epoch = held.epoch {for share of leases}) AS locked",
            args![held],
        )
        .await?;
    if row.get::<i64>("ours")? == expected {
        return Ok(());
    }
    let current = tx.fetch_all("SELECT shard, epoch FROM leases", args![]).await?;
    let current = current.iter().map(lease).collect::<Result<Vec<_>, _>>()?;
    match leases.iter().find(|lease| !current.contains(lease)) {
        Some(lost) => Err(StoreError::LeaseLost { shard: lost.shard, expected: lost.epoch }),
        None => Err(StoreError::Failed("a lease was refused, and all of them stand".into())),
    }
}

/// Neighbouring shards under one epoch.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: Shard,
    last: Shard,
    epoch: i64,
}

/// A node mostly owns neighbours that it took at one time: a few ranges stand for all its leases, and every commit asks.
fn ranges(leases: &[Lease]) -> Vec<Range> {
    let mut sorted = leases.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<Range> = Vec::new();
    for Lease { shard, epoch } in sorted {
        match ranges.last_mut() {
            Some(range) if range.epoch == epoch && range.last.0.checked_add(1) == Some(shard.0) => range.last = shard,
            _ => ranges.push(Range { first: shard, last: shard, epoch }),
        }
    }
    ranges
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_under_one_epoch_are_one_range() {
        let lease = |shard, epoch| Lease { shard: Shard(shard), epoch };
        let range = |first, last, epoch| Range { first: Shard(first), last: Shard(last), epoch };
        let all: Vec<_> = (0..Shard::COUNT).rev().map(|shard| lease(shard, 4)).collect();
        assert_eq!(ranges(&all), [range(0, 255, 4)]);
        let mixed = [lease(9, 1), lease(3, 1), lease(4, 1), lease(5, 2), lease(3, 1)];
        assert_eq!(ranges(&mixed), [range(3, 4, 1), range(5, 5, 2), range(9, 9, 1)]);
        assert_eq!(ranges(&[]), []);
    }
}
