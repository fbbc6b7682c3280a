//! Timers by due time.

use crate::leases;
use onward_core::{
    Timestamp,
    ports::{Lease, StoreError, Timer},
};
use onward_database::{Query, args};

pub(crate) async fn due<Q: Query>(db: &mut Q, leases: &[Lease], until: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT run, key, organisation, shard, due FROM timers WHERE due <= $2 AND shard IN (SELECT shard FROM {$1: shard bigint} AS owned)
                ORDER BY due, run, key LIMIT $3",
            args![leases::shards(leases), until, limit as i64],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Timer { run_id: row.get("run")?, organisation: row.get("organisation")?, shard: row.get("shard")?, key: row.get("key")?, due: row.get("due")? })
        })
        .collect()
}
