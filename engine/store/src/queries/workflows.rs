//! Workflows and their versions.

use crate::definitions;
use onward_core::{
    OrganisationId, Timestamp,
    ports::{PublishedVersion, StoreError},
};
use onward_database::{Query, Row, args};
use serde::Serialize;

/// A workflow as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkflowSummary {
    /// Its name.
    pub name: String,
    /// The version that new events start; `None`: it takes no starts.
    pub current_version: Option<u32>,
    /// Starts are taken in and held.
    pub paused: bool,
    /// When the current version was published.
    pub published_at: Option<Timestamp>,
    /// When the draft was last changed, if there is one.
    pub draft_updated_at: Option<Timestamp>,
    /// Runs that live.
    pub live_runs: u64,
}

macro_rules! summary {
    ($rest:literal) => {
        concat!(
            "SELECT w.name, w.current_version, w.paused, v.published_at, d.updated_at AS draft_updated_at,
                (SELECT count(*) FROM runs r WHERE r.organisation = w.organisation AND r.workflow = w.name AND r.status IN ('running', 'waiting', 'paused'))
                    AS live_runs
                FROM workflows w LEFT JOIN workflow_versions v ON v.organisation = w.organisation AND v.workflow = w.name AND v.version = w.current_version
                LEFT JOIN workflow_drafts d ON d.organisation = w.organisation AND d.workflow = w.name WHERE w.organisation = $1 AND ",
            $rest
        )
    };
}

/// Workflows by name, at most `limit`, after the name `after`.
pub async fn list_workflows<Q: Query>(db: &mut Q, organisation: OrganisationId, limit: usize, after: Option<&str>) -> Result<Vec<WorkflowSummary>, StoreError> {
    let rows = db.fetch_all(summary!("w.name > $2 ORDER BY w.name LIMIT $3"), args![organisation, after.unwrap_or(""), limit as i64]).await?;
    rows.iter().map(summary).collect()
}

/// One workflow.
pub async fn workflow<Q: Query>(db: &mut Q, organisation: OrganisationId, name: &str) -> Result<Option<WorkflowSummary>, StoreError> {
    let row = db.fetch_optional(summary!("w.name = $2"), args![organisation, name]).await?;
    row.as_ref().map(summary).transpose()
}

fn summary(row: &Row) -> Result<WorkflowSummary, StoreError> {
    Ok(WorkflowSummary {
        name: row.get("name")?,
        current_version: row.get("current_version")?,
        paused: row.get("paused")?,
        published_at: row.get("published_at")?,
        draft_updated_at: row.get("draft_updated_at")?,
        live_runs: row.get("live_runs")?,
    })
}

/// Versions of a workflow, newest first, at most `limit`, below `before`.
pub async fn list_versions<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: &str,
    limit: usize,
    before: Option<u32>,
) -> Result<Vec<PublishedVersion>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT v.*, w.paused, w.current_version IS NOT NULL AND w.current_version = v.version AS current FROM workflow_versions v
                JOIN workflows w ON w.organisation = v.organisation AND w.name = v.workflow
                WHERE v.organisation = $1 AND v.workflow = $2 AND v.version < $3 ORDER BY v.version DESC LIMIT $4",
            args![organisation, workflow, before.map_or(i64::MAX, i64::from), limit as i64],
        )
        .await?;
    Ok(rows.iter().map(definitions::published).collect::<Result<_, _>>()?)
}

/// One version.
pub async fn version<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError> {
    definitions::one(db, organisation, workflow, version).await
}

/// The newest version, current or not.
pub async fn latest_version<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<Option<PublishedVersion>, StoreError> {
    Ok(list_versions(db, organisation, workflow, 1, None).await?.pop())
}
