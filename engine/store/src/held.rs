//! Starts that are held back.

use crate::corrupt;
use onward_core::{
    OrganisationId, RunId, Timestamp,
    history::Parent,
    ports::{HeldQueue, HeldStart, StoreError},
};
use onward_database::{Query, Row, Tx, args};

pub(crate) async fn hold(tx: &mut Tx, start: &HeldStart) -> Result<i64, StoreError> {
    let (name, key) = start.queue.parts();
    let mut values = args![start.organisation, &start.workflow, &start.key, start.trigger.map(|place| place as i64), start.event_id, start.run_id];
    values.push(&start.reason);
    values.push(start.not_before);
    values.push(start.held_at);
    values.push(&start.input);
    values.push(start.queue.kind());
    values.push(name);
    values.push(key);
    values.push(u16::from(start.priority));
    values.push(place(&start.queue, start.priority));
    values.push(start.depth);
    values.push(start.parent.as_ref().map(|parent| parent.run_id));
    values.push(start.parent.as_ref().map(|parent| &*parent.step));
    let row = tx
        .fetch_one(
            "INSERT INTO held_starts (organisation, workflow, key, trigger_place, event, run, reason, not_before, held_at, input, queue, queue_name,
                    queue_key, priority, place, depth, parent_run, parent_step)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id",
            values,
        )
        .await?;
    Ok(row.get("id")?)
}

/// Where the start stands in its queue, before its number counts.
pub(crate) fn place(queue: &HeldQueue, priority: u8) -> i64 {
    if queue.by_priority() { i64::from(priority) } else { 0 }
}

pub(crate) async fn next(tx: &mut Tx, organisation: OrganisationId, queue: &HeldQueue) -> Result<Option<HeldStart>, StoreError> {
    let (name, key) = queue.parts();
    let row = tx
        .fetch_optional(
            "SELECT * FROM held_starts WHERE organisation = $1 AND queue = $2 AND queue_name = $3 AND queue_key = $4 ORDER BY place, id LIMIT 1",
            args![organisation, queue.kind(), name, key],
        )
        .await?;
    row.as_ref().map(held_start).transpose()
}

pub(crate) async fn of_run<Q: Query>(db: &mut Q, organisation: OrganisationId, run: RunId) -> Result<Option<HeldStart>, StoreError> {
    let row = db.fetch_optional("SELECT * FROM held_starts WHERE run = $2 AND organisation = $1", args![organisation, run]).await?;
    row.as_ref().map(held_start).transpose()
}

pub(crate) async fn requeue(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: i64,
    queue: &HeldQueue,
    reason: &str,
    not_before: Option<Timestamp>,
) -> Result<(), StoreError> {
    let (name, key) = queue.parts();
    let mut values = args![organisation, id, queue.kind(), name, key, reason, not_before];
    values.push(queue.by_priority());
    tx.execute(
        "UPDATE held_starts SET queue = $3, queue_name = $4, queue_key = $5, reason = $6, not_before = $7,
            place = CASE WHEN $8 THEN priority ELSE 0 END WHERE organisation = $1 AND id = $2",
        values,
    )
    .await?;
    Ok(())
}

pub(crate) async fn queues(tx: &mut Tx, after: Option<&(OrganisationId, HeldQueue)>, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError> {
    let mut found: Vec<(OrganisationId, HeldQueue)> = Vec::new();
    while found.len() < limit {
        let row = match found.last().or(after) {
            None => {
                tx.fetch_optional(
                    "SELECT organisation, queue, queue_name, queue_key FROM held_starts ORDER BY organisation, queue, queue_name, queue_key LIMIT 1",
                    args![],
                )
                .await?
            }
            // One step of the index for each queue, however many starts wait in it.
            Some((organisation, queue)) => {
                let (name, key) = queue.parts();
                tx.fetch_optional(
                    "SELECT organisation, queue, queue_name, queue_key FROM held_starts
                        WHERE (organisation, queue, queue_name, queue_key) > ($1, $2, $3, $4)
                        ORDER BY organisation, queue, queue_name, queue_key LIMIT 1",
                    args![*organisation, queue.kind(), name, key],
                )
                .await?
            }
        };
        let Some(row) = row else { break };
        found.push((row.get("organisation")?, queue(&row)?));
    }
    Ok(found)
}

pub(crate) async fn bursts(tx: &mut Tx, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue, Timestamp)>, StoreError> {
    let rows = tx
        .fetch_all(
            "SELECT organisation, queue, queue_name, queue_key, not_before FROM held_starts WHERE queue = 'debounce' ORDER BY not_before NULLS FIRST, id LIMIT $1",
            args![limit as i64],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("organisation")?, queue(row)?, row.get::<Option<Timestamp>>("not_before")?.unwrap_or_default()))).collect()
}

pub(crate) async fn count<Q: Query>(db: &mut Q, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> Result<u64, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = match of {
        None => db.fetch_one("SELECT count(*) AS held FROM (SELECT 1 FROM held_starts WHERE organisation = $1 LIMIT $2) AS counted", args![organisation, most]),
        Some((workflow, key)) => db.fetch_one(
            "SELECT count(*) AS held FROM (SELECT 1 FROM held_starts WHERE organisation = $1 AND workflow = $2 AND key = $3 LIMIT $4) AS counted",
            args![organisation, workflow, key, most],
        ),
    };
    Ok(row.await?.get("held")?)
}

pub(crate) async fn remove(tx: &mut Tx, organisation: OrganisationId, id: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM held_starts WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    Ok(())
}

fn queue(row: &Row) -> Result<HeldQueue, StoreError> {
    let kind: String = row.get("queue")?;
    HeldQueue::of_parts(&kind, row.get("queue_name")?, row.get("queue_key")?).ok_or_else(|| corrupt("a held start", format!("the queue `{kind}` is unknown")))
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
        queue: queue(row)?,
        reason: row.get("reason")?,
        not_before: row.get("not_before")?,
        // The table's own CHECK keeps it within 1 and 10.
        priority: u8::try_from(row.get::<u16>("priority")?).unwrap_or(u8::MAX),
        depth: row.get("depth")?,
        held_at: row.get("held_at")?,
        parent: parent(row)?,
    })
}

fn parent(row: &Row) -> Result<Option<Parent>, StoreError> {
    let (run_id, step) = (row.get::<Option<RunId>>("parent_run")?, row.get::<Option<String>>("parent_step")?);
    Ok(run_id.zip(step).map(|(run_id, step)| Parent { run_id, step: step.into() }))
}
