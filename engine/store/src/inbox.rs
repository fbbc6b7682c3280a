//! What waits for a shard's owner.

use crate::{corrupt, leases, to_json};
use onward_core::{
    OrganisationId, RunId, Shard, async_trait,
    ports::{InboxMessage, InboxRow, Lease, StoreError, Transaction as _},
};
use onward_database::{DatabaseError, Query, Reader, Refusal, Rows, Tx, args};

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

/// Makes the transaction hang on nothing waiting.
pub(crate) fn expect_empty(tx: &mut Tx, committed: Reader, leases: &[Lease]) -> Result<(), StoreError> {
    let held = leases::bounds(leases);
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM {$1: first bigint, last bigint} AS held JOIN inbox ON inbox.shard BETWEEN held.first AND held.last) AS holds";
    match tx.require(sql, args![held.clone()]) {
        Ok(()) => {
            tx.on_refusal(Box::new(Expected { held, committed }));
            Ok(())
        }
        Err(DatabaseError::ConditionFailed) => Err(StoreError::InboxWaits),
        Err(error) => Err(error.into()),
    }
}

/// Finds out whether that was what a commit was refused for.
struct Expected {
    held: Rows,
    committed: Reader,
}

#[async_trait]
impl Refusal for Expected {
    async fn explain(&mut self, error: &DatabaseError) -> Option<StoreError> {
        if *error != DatabaseError::ConditionFailed {
            return None;
        }
        let sql = "SELECT inbox.id FROM {$1: first bigint, last bigint} AS held JOIN inbox ON inbox.shard BETWEEN held.first AND held.last LIMIT 1";
        match self.committed.fetch_optional(sql, args![self.held.clone()]).await {
            Ok(None) => None,
            Ok(Some(_)) => Some(StoreError::InboxWaits),
            Err(unknown) => Some(unknown.into()),
        }
    }
}

pub(crate) async fn list(tx: &mut Tx, leases: &[Lease], limit: usize) -> Result<Vec<InboxRow>, StoreError> {
    let rows = tx
        .fetch_all(
            "SELECT inbox.id, inbox.organisation, inbox.shard, inbox.run, inbox.message FROM {$1: first bigint, last bigint} AS held
                JOIN inbox ON inbox.shard BETWEEN held.first AND held.last LIMIT $2",
            args![leases::bounds(leases), limit as i64],
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
