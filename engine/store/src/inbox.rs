//! What waits for a shard's owner.

use crate::{corrupt, leases, to_json};
use onward_core::{
    OrganisationId, RunId, Shard,
    ports::{InboxMessage, InboxRow, Lease, StoreError, Transaction as _},
};
use onward_database::{Query, Rows, Tx, args};

pub(crate) async fn add(
    tx: &mut Tx,
    organisation: OrganisationId,
    shard: Shard,
    run: Option<RunId>,
    cause: &str,
    message: &InboxMessage,
) -> Result<(), StoreError> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO inbox (organisation, shard, run, cause, target, message, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (organisation, cause, target) DO NOTHING",
        args![organisation, shard, run, cause, message.target(run), to_json(message)?, now],
    )
    .await?;
    Ok(())
}

pub(crate) async fn list(tx: &mut Tx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError> {
    let rows = tx
        .fetch_all(
            "SELECT id, organisation, shard, run, message FROM inbox WHERE shard IN (SELECT shard FROM {$1: shard bigint} AS owned) LIMIT $2",
            args![leases::shards(leases), limit as i64],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let message = serde_json::from_str(&row.get::<String>("message")?).map_err(|error| corrupt(format!("inbox row {id}"), error))?;
            Ok(InboxRow { id, organisation: row.get("organisation")?, shard: row.get("shard")?, run_id: row.get("run")?, message })
        })
        .collect()
}

pub(crate) fn remove(tx: &mut Tx, ids: &[i64]) -> Result<(), StoreError> {
    if !ids.is_empty() {
        tx.leave("DELETE FROM inbox WHERE id IN (SELECT id FROM {$1: id bigint} AS applied)", args![Rows::of(ids)])?;
    }
    Ok(())
}
