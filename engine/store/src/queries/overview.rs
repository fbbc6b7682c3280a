//! Counts over an organisation's runs and events, for people. Each walks an index of ids, which begin with their time, and no
//! further than it says.

use crate::{corrupt, first_id_of};
use onward_core::{
    OrganisationId, Timestamp,
    ports::{RunStatus, StoreError},
};
use onward_database::{Query, Row, args};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Runs that [`runs_by_time`] counts at the most, the newest.
pub const RUNS_OF_AN_OVERVIEW: usize = 50_000;
/// Living runs that are counted at the most.
const LIVING: i64 = 100_000;
/// Events that are counted at the most, the newest.
const EVENTS: i64 = 100_000;
/// Milliseconds by which an id may be older than what it is of: clocks of nodes differ.
const ID_SLACK_MS: i64 = 60_000;

/// How many runs live, by status; no further than 100,000.
pub async fn living_runs<Q: Query>(db: &mut Q, organisation: OrganisationId) -> Result<BTreeMap<RunStatus, u64>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT status, count(*) AS runs FROM (SELECT status FROM runs WHERE organisation = $1 AND status IN ('running', 'waiting', 'paused') LIMIT $2) AS living
                GROUP BY status
             UNION ALL SELECT 'held', count(*) FROM (SELECT 1 AS one FROM runs WHERE organisation = $1 AND status = 'held' LIMIT $2) AS held HAVING count(*) > 0",
            args![organisation, LIVING],
        )
        .await?;
    rows.iter().map(|row| Ok((status(row)?, row.get("runs")?))).collect()
}

/// Runs that began since then, by spans of `span_ms` and by the status they have now; spans in order, those without any left out.
pub async fn runs_by_time<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    since: Timestamp,
    span_ms: i64,
) -> Result<Vec<(Timestamp, BTreeMap<RunStatus, u64>)>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT started_at / $4 AS span, status, count(*) AS runs FROM
                (SELECT started_at, status FROM runs WHERE organisation = $1 AND id >= $2 AND started_at >= $3 ORDER BY id DESC LIMIT $5) AS newest
                GROUP BY span, status ORDER BY span",
            args![organisation, first_id(since), since, span_ms, RUNS_OF_AN_OVERVIEW as i64],
        )
        .await?;
    let mut spans: Vec<(Timestamp, BTreeMap<RunStatus, u64>)> = Vec::new();
    for row in &rows {
        let at = span(row, span_ms)?;
        if spans.last().is_none_or(|(last, _)| *last != at) {
            spans.push((at, BTreeMap::new()));
        }
        if let Some((_, counts)) = spans.last_mut() {
            counts.insert(status(row)?, row.get("runs")?);
        }
    }
    Ok(spans)
}

/// Events that came in since then, by spans; in order, those without any left out.
pub async fn events_by_time<Q: Query>(db: &mut Q, organisation: OrganisationId, since: Timestamp, span_ms: i64) -> Result<Vec<(Timestamp, u64)>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT taken_in_at / $4 AS span, count(*) AS events FROM
                (SELECT taken_in_at FROM events WHERE organisation = $1 AND id >= $2 AND taken_in_at >= $3 ORDER BY id DESC LIMIT $5) AS newest
                GROUP BY span ORDER BY span",
            args![organisation, first_id(since), since, span_ms, EVENTS],
        )
        .await?;
    rows.iter().map(|row| Ok((span(row, span_ms)?, row.get("events")?))).collect()
}

/// The smallest id that something of this moment can have.
pub(super) fn first_id(since: Timestamp) -> Uuid {
    first_id_of(since.plus_millis(-ID_SLACK_MS))
}

fn span(row: &Row, span_ms: i64) -> Result<Timestamp, StoreError> {
    let number: i64 = row.get("span")?;
    Ok(Timestamp::from_millis(number * span_ms))
}

fn status(row: &Row) -> Result<RunStatus, StoreError> {
    let status: String = row.get("status")?;
    RunStatus::parse(&status).ok_or_else(|| corrupt("a run", format!("the status `{status}` is unknown")))
}
