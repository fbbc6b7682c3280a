//! Runs and their histories.

use crate::{
    payloads::{self, Known},
    runs::{self, Chunk},
};
use onward_core::{
    OrganisationId, RunId,
    history::Entry,
    ports::{RunRow, RunStatus, StoreError, StoredRun},
};
use onward_database::{Args, Query, Row, args};
use uuid::Uuid;

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// In this state.
    pub status: Option<RunStatus>,
    /// Of this key.
    pub key: Option<String>,
    /// Of this contact.
    pub contact: Option<String>,
}

/// The statement for one leading filter: each walks an index of its own in the order of the list, and checks the rest on the
/// way. An `OR … IS NULL` on the leading column would make that index useless.
macro_rules! list {
    ($leading:literal) => {
        concat!(
            "SELECT * FROM runs WHERE organisation = $1 AND ",
            $leading,
            " AND ($2 IS NULL OR workflow = $2) AND ($3 IS NULL OR status = $3) AND ($4 IS NULL OR key = $4) AND ($5 IS NULL OR contact = $5)
                AND id < $6 ORDER BY id DESC LIMIT $7"
        )
    };
}

const BY_KEY: &str = list!("key = $4");
const BY_CONTACT: &str = list!("contact = $5");
const BY_WORKFLOW: &str = list!("workflow = $2");
const BY_RARE_STATUS: &str = list!("status = $3 AND status IN ('held', 'paused', 'failed', 'cancelled')");
const ALL: &str = list!("true");

fn statement(filter: &RunFilter) -> &'static str {
    use RunStatus::{Cancelled, Failed, Held, Paused};
    match filter {
        RunFilter { key: Some(_), .. } => BY_KEY,
        RunFilter { contact: Some(_), .. } => BY_CONTACT,
        RunFilter { workflow: None, status: Some(Held | Paused | Failed | Cancelled), .. } => BY_RARE_STATUS,
        RunFilter { workflow: Some(_), .. } => BY_WORKFLOW,
        _ => ALL,
    }
}

/// Runs, newest first, at most `limit`, older than `before`.
pub async fn list_runs<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    filter: &RunFilter,
    limit: usize,
    before: Option<RunId>,
) -> Result<Vec<RunRow>, StoreError> {
    let rows = db.fetch_all(statement(filter), values(organisation, filter, limit, before)).await?;
    read_rows(db, &rows).await
}

fn values(organisation: OrganisationId, filter: &RunFilter, limit: usize, before: Option<RunId>) -> Args {
    let mut values = args![organisation, filter.workflow.as_deref(), filter.status.map(RunStatus::as_str), filter.key.as_deref(), filter.contact.as_deref()];
    values.push(before.map_or(Uuid::max(), |id| id.0));
    values.push(limit as i64);
    values
}

async fn read_rows<Q: Query>(db: &mut Q, rows: &[Row]) -> Result<Vec<RunRow>, StoreError> {
    let mut referring = Vec::new();
    for row in rows {
        if runs::row_refers(row)? {
            referring.push(row.get("id")?);
        }
    }
    let known = Known::load(db, referring).await?;
    rows.iter().map(|row| runs::read(row, &known)).collect()
}

/// Runs that ask people something now, newest first, at most `limit`, older than `before`; of one workflow when it is given.
pub async fn asking_runs<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: Option<&str>,
    limit: usize,
    before: Option<RunId>,
) -> Result<Vec<RunRow>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT * FROM runs WHERE organisation = $1 AND questions IS NOT NULL AND ($2 IS NULL OR workflow = $2) AND id < $3 ORDER BY id DESC LIMIT $4",
            args![organisation, workflow, before.map_or(Uuid::max(), |id| id.0), limit as i64],
        )
        .await?;
    read_rows(db, &rows).await
}

/// One run's derived row.
pub async fn run<Q: Query>(db: &mut Q, organisation: OrganisationId, id: RunId) -> Result<Option<RunRow>, StoreError> {
    let row = db.fetch_optional("SELECT * FROM runs WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    Ok(read_rows(db, row.as_slice()).await?.pop())
}

/// How many values of a run have been erased: what was made of its history before there were as many must be made anew.
pub async fn erased_payloads<Q: Query>(db: &mut Q, organisation: OrganisationId, id: RunId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) AS erased FROM payloads WHERE run = $1 AND value IS NULL AND organisation = $2";
    Ok(db.fetch_one(sql, args![id, organisation]).await?.get("erased")?)
}

/// One run with its whole history, for export and replay.
pub async fn stored_run<Q: Query>(db: &mut Q, organisation: OrganisationId, id: RunId) -> Result<Option<StoredRun>, StoreError> {
    let loaded = runs::load(db, &[id]).await?.pop().transpose().map_err(|(_, error)| error)?;
    Ok(loaded.filter(|run| run.row.organisation == organisation))
}

/// Several runs with their whole histories, in the given order; instead of one that cannot be read, its id and why.
pub async fn stored_runs<Q: Query>(db: &mut Q, organisation: OrganisationId, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
    let loaded = runs::load(db, ids).await?;
    Ok(loaded.into_iter().filter(|run| run.as_ref().map_or(true, |run| run.row.organisation == organisation)).collect())
}

/// History entries after `after`, in order, at most `limit`.
pub async fn history_page<Q: Query>(db: &mut Q, organisation: OrganisationId, id: RunId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
    // A row holds one entry at least, and the first one may hold entries before and after the mark.
    let rows = db
        .fetch_all(
            "SELECT * FROM history WHERE run = $1 AND organisation = $2
                AND seq >= coalesce((SELECT max(seq) FROM history WHERE run = $1 AND seq <= $3), 0) ORDER BY seq LIMIT $4",
            args![id, organisation, i64::try_from(after).unwrap_or(i64::MAX), limit as i64 + 1],
        )
        .await?;
    let chunks = rows.iter().map(Chunk::read).collect::<Result<Vec<_>, _>>()?;
    let known = if chunks.iter().any(|chunk| payloads::may_refer(&chunk.entries)) { Known::load(db, [id]).await? } else { Known::default() };
    let entries = runs::entries(&chunks, &known)?;
    Ok(entries.into_iter().filter(|entry| entry.seq > after).take(limit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::Timestamp;
    use onward_database::{Database, SystemIds};
    use std::sync::Arc;

    #[tokio::test]
    async fn each_list_walks_an_index_of_its_own() {
        let database = Database::open("sqlite::memory:", Arc::new(SystemIds::new())).await.unwrap();
        let mut tx = database.begin(Timestamp::default()).await.unwrap();
        let plans = [
            (concat!("EXPLAIN QUERY PLAN ", list!("key = $4")), "runs_key (organisation=? AND key=? AND id<?)"),
            (concat!("EXPLAIN QUERY PLAN ", list!("contact = $5")), "runs_contact (organisation=? AND contact=? AND id<?)"),
            (concat!("EXPLAIN QUERY PLAN ", list!("workflow = $2")), "runs_workflow (organisation=? AND workflow=? AND id<?)"),
            (
                concat!("EXPLAIN QUERY PLAN ", list!("status = $3 AND status IN ('held', 'paused', 'failed', 'cancelled')")),
                "runs_rare (organisation=? AND status=? AND id<?)",
            ),
            (concat!("EXPLAIN QUERY PLAN ", list!("true")), "runs_all (organisation=? AND id<?)"),
        ];
        for (sql, index) in plans {
            let values = values(OrganisationId(Uuid::nil()), &RunFilter::default(), 1, None);
            let plan: Vec<String> = tx.fetch_all(sql, values).await.unwrap().iter().map(|row| row.get("detail").unwrap()).collect();
            assert_eq!(plan, [format!("SEARCH runs USING INDEX {index}")], "{sql}");
        }
    }
}
