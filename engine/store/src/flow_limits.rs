//! Permits of concurrency limits, and what rate limits have used up (SEMANTICS.md 24).

use onward_core::{
    OrganisationId, RunId, Shard, digest,
    machine::LimitKey,
    ports::{StoreError, Transaction as _},
};
use onward_database::{DatabaseError, Query, Rows, Tx, args};

/// One node at a time counts a limit and takes from it.
async fn lock(tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey) -> Result<(), StoreError> {
    tx.lock(vec![digest::short(&[organisation.0.as_bytes(), b"limit", limit.name.as_bytes(), limit.key.as_bytes()])]).await?;
    Ok(())
}

pub(crate) async fn take_permit(tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, run: RunId, max: u32) -> Result<bool, StoreError> {
    let now = tx.now();
    lock(tx, organisation, limit).await?;
    let row = tx
        .fetch_one(
            "SELECT count(*) AS taken, coalesce(max(CASE WHEN run = $4 THEN 1 ELSE 0 END), 0) AS ours
                FROM permits WHERE organisation = $1 AND limit_name = $2 AND key = $3",
            args![organisation, &limit.name, &limit.key, run],
        )
        .await?;
    if row.get::<i64>("ours")? == 1 {
        return Ok(true);
    }
    if row.get::<i64>("taken")? >= i64::from(max) {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO permits (organisation, limit_name, key, run, shard, taken_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![organisation, &limit.name, &limit.key, run, shard, now],
    )
    .await?;
    Ok(true)
}

pub(crate) async fn release_permits(tx: &mut Tx, runs: &[RunId]) -> Result<Vec<(OrganisationId, LimitKey)>, StoreError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    // Few runs have one, and what only looks is cheaper.
    let some = tx.fetch_optional("SELECT run FROM permits WHERE run IN (SELECT run FROM {$1: run uuid} AS r) LIMIT 1", args![Rows::of(runs)]).await?;
    if some.is_none() {
        return Ok(Vec::new());
    }
    let rows = tx
        .fetch_all("DELETE FROM permits WHERE run IN (SELECT run FROM {$1: run uuid} AS r) RETURNING organisation, limit_name, key", args![Rows::of(runs)])
        .await?;
    let mut freed: Vec<(OrganisationId, LimitKey)> = rows
        .iter()
        .map(|row| Ok((row.get("organisation")?, LimitKey { name: row.get("limit_name")?, key: row.get("key")? })))
        .collect::<Result<_, StoreError>>()?;
    freed.sort();
    freed.dedup();
    Ok(freed)
}

pub(crate) async fn permits_are_out<Q: Query>(db: &mut Q) -> Result<bool, StoreError> {
    Ok(db.fetch_optional("SELECT 1 AS one FROM permits LIMIT 1", args![]).await?.is_some())
}

pub(crate) async fn rate_used_until(tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey) -> Result<Option<i64>, StoreError> {
    lock(tx, organisation, limit).await?;
    let row = tx
        .fetch_optional("SELECT used_until FROM rates WHERE organisation = $1 AND limit_name = $2 AND key = $3", args![organisation, &limit.name, &limit.key])
        .await?;
    Ok(row.map(|row| row.get("used_until")).transpose()?)
}

pub(crate) async fn use_rate(tx: &mut Tx, organisation: OrganisationId, limit: &LimitKey, shard: Shard, until_micros: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO rates (organisation, limit_name, key, shard, used_until) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (organisation, limit_name, key) DO UPDATE SET used_until = excluded.used_until",
        args![organisation, &limit.name, &limit.key, shard, until_micros],
    )
    .await?;
    Ok(())
}

/// Forgets what rate limits had used up before this moment: it counts no more. At most `limit` rows; how many went.
pub async fn forget_rates(tx: &mut Tx, organisation: OrganisationId, limit: usize) -> Result<u64, DatabaseError> {
    let before = tx.now().as_millis().saturating_mul(1_000);
    tx.execute(
        "DELETE FROM rates WHERE organisation = $1 AND (limit_name, key) IN
            (SELECT limit_name, key FROM rates WHERE organisation = $1 AND used_until < $2 LIMIT $3)",
        args![organisation, before, limit as i64],
    )
    .await
}
