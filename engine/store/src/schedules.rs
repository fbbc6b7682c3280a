//! Where schedules stand.

use crate::leases;
use onward_core::{
    OrganisationId,
    ports::{Lease, ScheduleRow, StoreError},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};

pub(crate) async fn owned<Q: Query>(db: &mut Q, leases: &[Lease]) -> Result<Vec<ScheduleRow>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT * FROM schedules WHERE shard IN (SELECT shard FROM {$1: shard bigint} AS owned) ORDER BY organisation, workflow, trigger_place",
            args![leases::shards(leases)],
        )
        .await?;
    Ok(rows.iter().map(schedule).collect::<Result<_, _>>()?)
}

pub(crate) async fn of<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError> {
    let rows = db.fetch_all("SELECT * FROM schedules WHERE organisation = $1 AND workflow = $2 ORDER BY trigger_place", args![organisation, workflow]).await?;
    Ok(rows.iter().map(schedule).collect::<Result<_, _>>()?)
}

pub(crate) async fn set(tx: &mut Tx, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM schedules WHERE organisation = $1 AND workflow = $2", args![organisation, workflow]).await?;
    for row in rows {
        let mut values = args![organisation, workflow, row.trigger as i64, i64::from(row.shard.0), row.next_due, row.fires_at];
        values.push(&row.rhythm);
        values.push(row.position.as_deref());
        tx.execute(
            "INSERT INTO schedules (organisation, workflow, trigger_place, shard, next_due, fires_at, rhythm, position)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            values,
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn step(tx: &mut Tx, before: &ScheduleRow, after: Option<&ScheduleRow>) -> Result<(), StoreError> {
    let mut values = args![before.organisation, &before.workflow, before.trigger as i64];
    let sql = match after {
        Some(after) => {
            values.push(after.next_due);
            values.push(after.fires_at);
            values.push(after.position.as_deref());
            "UPDATE schedules SET next_due = $4, fires_at = $5, position = $6 WHERE organisation = $1 AND workflow = $2 AND trigger_place = $3"
        }
        None => "DELETE FROM schedules WHERE organisation = $1 AND workflow = $2 AND trigger_place = $3",
    };
    Ok(tx.execute(sql, values).await.map(drop)?)
}

fn schedule(row: &Row) -> Result<ScheduleRow, DatabaseError> {
    Ok(ScheduleRow {
        organisation: row.get("organisation")?,
        workflow: row.get("workflow")?,
        trigger: row.get::<u32>("trigger_place")? as usize,
        shard: row.get("shard")?,
        next_due: row.get("next_due")?,
        fires_at: row.get("fires_at")?,
        rhythm: row.get("rhythm")?,
        position: row.get("position")?,
    })
}
