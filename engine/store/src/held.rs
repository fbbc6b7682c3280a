//! Starts that `mode` or a limit holds back.

use onward_core::{
    OrganisationId,
    ports::{HeldStart, StoreError, Transaction as _},
};
use onward_database::{Query, Row, Tx, args};

pub(crate) async fn hold(tx: &mut Tx, start: &HeldStart) -> Result<i64, StoreError> {
    let now = tx.now();
    let mut values = args![start.organisation, &start.workflow, &start.key, start.trigger.map(|place| place as i64), start.event_id, start.run_id];
    values.push(&start.reason);
    values.push(start.not_before);
    values.push(now);
    values.push(&start.input);
    let row = tx
        .fetch_one(
            "INSERT INTO held_starts (organisation, workflow, key, trigger_place, event, run, reason, not_before, held_at, input)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
            values,
        )
        .await?;
    Ok(row.get("id")?)
}

pub(crate) async fn next(tx: &mut Tx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<Option<HeldStart>, StoreError> {
    let row = tx
        .fetch_optional(
            "SELECT * FROM held_starts WHERE organisation = $1 AND workflow = $2 AND key = $3 ORDER BY id LIMIT 1",
            args![organisation, workflow, key],
        )
        .await?;
    row.as_ref().map(held_start).transpose()
}

pub(crate) async fn keys(tx: &mut Tx, organisation: OrganisationId, workflow: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
    let rows = tx
        .fetch_all(
            "SELECT DISTINCT key FROM held_starts WHERE organisation = $1 AND workflow = $2 AND key > $3 ORDER BY key LIMIT $4",
            args![organisation, workflow, after.unwrap_or(""), limit as i64],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get("key")?)).collect()
}

pub(crate) async fn remove(tx: &mut Tx, organisation: OrganisationId, id: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM held_starts WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    Ok(())
}

fn held_start(row: &Row) -> Result<HeldStart, StoreError> {
    Ok(HeldStart {
        id: row.get("id")?,
        organisation: row.get("organisation")?,
        workflow: row.get("workflow")?,
        key: row.get("key")?,
        trigger: row.get::<Option<u32>>("trigger_place")?.map(|place| place as usize),
        event_id: row.get("event")?,
        input: row.get("input")?,
        run_id: row.get("run")?,
        reason: row.get("reason")?,
        not_before: row.get("not_before")?,
    })
}
