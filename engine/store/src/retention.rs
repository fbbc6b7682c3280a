//! What is kept for how long, and forgetting it in small pieces.
//!
//! A run goes in two moves: its row, timers, waits and checkpoint in one transaction that notes it as forgotten, so that nobody sees
//! half of it; then its history and payloads, as many rows at a time as a piece may have. A crash between two pieces loses nothing:
//! what is left of forgotten runs is found by their note.

use crate::first_id_of;
use onward_core::{OrganisationId, RunId, Timestamp, limits::RETENTION_DAYS};
use onward_database::{DatabaseError, Query, Rows, Tx, args};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Runs of one piece whose histories go.
const RUNS_AT_ONCE: i64 = 64;

/// How many days runs are kept after their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where a workflow has no rule of its own.
    pub days: u32,
    /// Rules of workflows.
    pub workflows: BTreeMap<String, u32>,
}

impl Rules {
    /// Days for which runs of a workflow are kept.
    pub fn days_of(&self, workflow: &str) -> u32 {
        self.workflows.get(workflow).copied().unwrap_or(self.days)
    }
    /// The one JSON shape.
    pub fn to_value(&self) -> onward_core::Value {
        serde_json::json!({ "days": self.days, "workflows": self.workflows })
    }
}

/// An organisation's rules.
pub async fn rules<Q: Query>(db: &mut Q, organisation: OrganisationId) -> Result<Rules, DatabaseError> {
    let mut rules = Rules { days: RETENTION_DAYS, workflows: BTreeMap::new() };
    for row in &db.fetch_all("SELECT workflow, days FROM retention_rules WHERE organisation = $1", args![organisation]).await? {
        let (workflow, days): (String, u32) = (row.get("workflow")?, row.get("days")?);
        if workflow.is_empty() {
            rules.days = days;
        } else {
            rules.workflows.insert(workflow, days);
        }
    }
    Ok(rules)
}

/// Puts these rules in place of those that an organisation had.
pub async fn set_rules(tx: &mut Tx, organisation: OrganisationId, rules: &Rules) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM retention_rules WHERE organisation = $1", args![organisation]).await?;
    let all = rules.workflows.iter().map(|(workflow, days)| (workflow.as_str(), *days)).chain([("", rules.days)]);
    let rows: Rows = all.map(|(workflow, days)| args![workflow, days]).collect();
    tx.execute(
        "INSERT INTO retention_rules (organisation, workflow, days) SELECT $1, r.workflow, r.days FROM {$2: workflow text, days bigint} AS r WHERE true",
        args![organisation, rows],
    )
    .await?;
    Ok(())
}

/// The next name of a workflow that has runs, after this one.
pub async fn next_workflow<Q: Query>(db: &mut Q, organisation: OrganisationId, after: &str) -> Result<Option<String>, DatabaseError> {
    let sql = "SELECT workflow FROM runs WHERE organisation = $1 AND workflow > $2 ORDER BY workflow LIMIT 1";
    db.fetch_optional(sql, args![organisation, after]).await?.map(|row| row.get("workflow")).transpose()
}

/// The end of a run, by which old ones are found: those that still live are not looked at, however many.
pub type End = (Timestamp, RunId);

/// A page of a workflow's runs that ended before this moment, the first ended first, after `after`.
pub async fn old_runs<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: &str,
    ended_before: Timestamp,
    after: Option<End>,
    limit: usize,
) -> Result<Vec<End>, DatabaseError> {
    let (at, run) = after.unwrap_or((Timestamp::MIN, RunId(Uuid::nil())));
    let rows = db.fetch_all(OLD_RUNS, args![organisation, workflow, ended_before, at, run, limit as i64]).await?;
    rows.iter().map(|row| Ok((row.get("ended_at")?, row.get("id")?))).collect()
}

const OLD_RUNS: &str = "SELECT id, ended_at FROM runs WHERE organisation = $1 AND workflow = $2 AND ended_at < $3 AND (ended_at, id) > ($4, $5)
    ORDER BY ended_at, id LIMIT $6";

/// Forgets runs that ended before this moment; how many. One that was taken up again meanwhile stays.
pub async fn forget_runs(tx: &mut Tx, organisation: OrganisationId, runs: &[RunId], ended_before: Timestamp) -> Result<u64, DatabaseError> {
    let rows = tx
        .fetch_all(
            "DELETE FROM runs WHERE organisation = $1 AND id IN (SELECT id FROM {$2: id uuid} AS r)
                AND status IN ('completed', 'failed', 'cancelled') AND ended_at < $3 RETURNING id",
            args![organisation, Rows::of(runs), ended_before],
        )
        .await?;
    let gone = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<RunId>, _>>()?;
    if gone.is_empty() {
        return Ok(0);
    }
    let args = || args![organisation, Rows::of(&gone)];
    tx.execute("INSERT INTO forgotten_runs (organisation, run) SELECT $1, r.run FROM {$2: run uuid} AS r WHERE true ON CONFLICT DO NOTHING", args()).await?;
    for sql in [
        "DELETE FROM timers WHERE organisation = $1 AND run IN (SELECT run FROM {$2: run uuid} AS r)",
        "DELETE FROM waits WHERE organisation = $1 AND run IN (SELECT run FROM {$2: run uuid} AS r)",
        "DELETE FROM permits WHERE organisation = $1 AND run IN (SELECT run FROM {$2: run uuid} AS r)",
        "DELETE FROM checkpoints WHERE organisation = $1 AND run IN (SELECT run FROM {$2: run uuid} AS r)",
    ] {
        tx.execute(sql, args()).await?;
    }
    Ok(gone.len() as u64)
}

/// Forgets some of what is left of forgotten runs, at most `limit` rows; how many. 0: nothing is left.
pub async fn forget_remains(tx: &mut Tx, organisation: OrganisationId, limit: usize) -> Result<u64, DatabaseError> {
    let history = tx
        .execute(
            "DELETE FROM history WHERE (run, seq) IN
                (SELECT h.run, h.seq FROM (SELECT run FROM forgotten_runs WHERE organisation = $1 ORDER BY run LIMIT $2) AS f
                    JOIN history h ON h.run = f.run LIMIT $3)",
            args![organisation, RUNS_AT_ONCE, limit as i64],
        )
        .await?;
    let left = (limit as u64).saturating_sub(history);
    if left == 0 {
        return Ok(history);
    }
    // Each may be large: it counts for several.
    let payloads = tx
        .execute(
            "DELETE FROM payloads WHERE (run, digest) IN
                (SELECT p.run, p.digest FROM (SELECT run FROM forgotten_runs WHERE organisation = $1 ORDER BY run LIMIT $2) AS f
                    JOIN payloads p ON p.run = f.run LIMIT $3)",
            args![organisation, RUNS_AT_ONCE, (left / 4 + 1) as i64],
        )
        .await?;
    let done = tx
        .execute(
            "DELETE FROM forgotten_runs WHERE organisation = $1 AND run IN (SELECT run FROM forgotten_runs WHERE organisation = $1 ORDER BY run LIMIT $2)
                AND NOT EXISTS (SELECT 1 FROM history h WHERE h.run = forgotten_runs.run)
                AND NOT EXISTS (SELECT 1 FROM payloads p WHERE p.run = forgotten_runs.run)",
            args![organisation, RUNS_AT_ONCE],
        )
        .await?;
    Ok(history + payloads + done)
}

/// Events taken in before this moment that nobody needs any more, oldest first, at most `limit`: no held start is of them. None while
/// anything waits for the owner of a shard, since that may name events.
pub async fn old_events<Q: Query>(db: &mut Q, organisation: OrganisationId, before: Timestamp, limit: usize) -> Result<Vec<Uuid>, DatabaseError> {
    if db.fetch_optional("SELECT 1 AS one FROM inbox WHERE organisation = $1 LIMIT 1", args![organisation]).await?.is_some() {
        return Ok(Vec::new());
    }
    let rows = db
        .fetch_all(
            "SELECT id FROM events WHERE organisation = $1 AND id < $2
                AND id NOT IN (SELECT event FROM held_starts WHERE organisation = $1 AND event IS NOT NULL)
                AND id NOT IN (SELECT event FROM fan_outs WHERE organisation = $1) ORDER BY id LIMIT $3",
            args![organisation, first_id_of(before), limit as i64],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Forgets events with what routing noted of them; how many.
pub async fn forget_events(tx: &mut Tx, organisation: OrganisationId, events: &[Uuid]) -> Result<u64, DatabaseError> {
    let args = || args![organisation, Rows::of(events)];
    tx.execute("DELETE FROM event_payloads WHERE organisation = $1 AND event IN (SELECT id FROM {$2: id uuid} AS r)", args()).await?;
    tx.execute("DELETE FROM event_notes WHERE organisation = $1 AND event IN (SELECT id FROM {$2: id uuid} AS r)", args()).await?;
    tx.execute("DELETE FROM events WHERE organisation = $1 AND id IN (SELECT id FROM {$2: id uuid} AS r)", args()).await
}

/// Identities of events from this one on that are forgotten by now, and the last that was looked at. Identities lie in no order of
/// time: the whole of them is walked, beside the writer.
pub async fn old_identities<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    before: Timestamp,
    after: [u8; 16],
    limit: usize,
) -> Result<(Vec<[u8; 16]>, Option<[u8; 16]>), DatabaseError> {
    let sql = "SELECT key, taken_in_at FROM event_keys WHERE organisation = $1 AND key > $2 ORDER BY key LIMIT $3";
    let rows = db.fetch_all(sql, args![organisation, after, limit as i64]).await?;
    let (mut old, mut last) = (Vec::new(), None);
    for row in &rows {
        let key = row.get("key")?;
        if row.get::<Timestamp>("taken_in_at")? <= before {
            old.push(key);
        }
        last = Some(key);
    }
    Ok((old, last))
}

/// Forgets these identities, those that are still of before this moment; how many.
pub async fn forget_identities(tx: &mut Tx, organisation: OrganisationId, keys: &[[u8; 16]], before: Timestamp) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM event_keys WHERE organisation = $1 AND key IN (SELECT key FROM {$2: key bytes} AS r) AND taken_in_at <= $3",
        args![organisation, Rows::of(keys.iter().copied()), before],
    )
    .await
}

/// A value under which waits find events: the hash, when it was taken in, the event.
pub type CorrelationKey = ([u8; 16], Timestamp, Uuid);

/// Correlations of events from this one on that have had their time, and the last that was looked at.
pub async fn old_correlations<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    before: Timestamp,
    after: CorrelationKey,
    limit: usize,
) -> Result<(Vec<CorrelationKey>, Option<CorrelationKey>), DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT hash, taken_in_at, event FROM event_correlations WHERE organisation = $1 AND (hash, taken_in_at, event) > ($2, $3, $4)
                ORDER BY hash, taken_in_at, event LIMIT $5",
            args![organisation, after.0, after.1, after.2, limit as i64],
        )
        .await?;
    let (mut old, mut last) = (Vec::new(), None);
    for row in &rows {
        let key: CorrelationKey = (row.get("hash")?, row.get("taken_in_at")?, row.get("event")?);
        if key.1 <= before {
            old.push(key);
        }
        last = Some(key);
    }
    Ok((old, last))
}

/// Forgets these correlations; how many.
pub async fn forget_correlations(tx: &mut Tx, organisation: OrganisationId, keys: &[CorrelationKey]) -> Result<u64, DatabaseError> {
    let rows: Rows = keys.iter().map(|(hash, taken_in_at, event)| args![*hash, *taken_in_at, *event]).collect();
    tx.execute(
        "DELETE FROM event_correlations WHERE organisation = $1 AND (hash, taken_in_at, event) IN
            (SELECT hash, taken_in_at, event FROM {$2: hash bytes, taken_in_at bigint, event uuid} AS r)",
        args![organisation, rows],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_database::{Database, SystemIds};
    use std::sync::Arc;

    #[tokio::test]
    async fn what_lives_is_not_looked_at() {
        let database = Database::open("sqlite::memory:", Arc::new(SystemIds::new())).await.unwrap();
        let mut tx = database.begin(Timestamp::default()).await.unwrap();
        let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {OLD_RUNS}").into_boxed_str());
        let values = args![OrganisationId(Uuid::nil()), "hello", Timestamp::default(), Timestamp::MIN, Uuid::nil(), 1];
        let plan: Vec<String> = tx.fetch_all(sql, values).await.unwrap().iter().map(|row| row.get("detail").unwrap()).collect();
        assert_eq!(plan, ["SEARCH runs USING COVERING INDEX runs_ended (organisation=? AND workflow=? AND (ended_at,id)>(?,?) AND ended_at<?)"]);
    }
}
