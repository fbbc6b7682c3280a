//! Workflows, their versions, and how their runs fare.

use crate::{corrupt, definitions};
use onward_core::{
    OrganisationId, RunId, Timestamp,
    ports::{PublishedVersion, RunStatus, StoreError},
};
use onward_database::{Query, Row, args};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

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

/// How many runs of a workflow are in each state; states without a run are left out.
pub async fn status_counts<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<BTreeMap<RunStatus, u64>, StoreError> {
    let rows = db
        .fetch_all("SELECT status, count(*) AS runs FROM runs WHERE organisation = $1 AND workflow = $2 GROUP BY status", args![organisation, workflow])
        .await?;
    let mut counts = BTreeMap::new();
    for row in &rows {
        let status: String = row.get("status")?;
        let status = RunStatus::parse(&status).ok_or_else(|| corrupt("a run", format!("the status `{status}` is unknown")))?;
        counts.insert(status, row.get("runs")?);
    }
    Ok(counts)
}

/// How runs passed one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepStats {
    /// Began it.
    pub entered: u64,
    /// Are in it.
    pub waiting: u64,
    /// Came through it.
    pub left: u64,
    /// Failed in it.
    pub failed: u64,
}

/// What step statistics need of an entry.
#[derive(Deserialize)]
struct Mark {
    step: Option<String>,
    kind: String,
}

/// By step, over the newest `runs` runs of a workflow. Iterations of a step count as that step.
pub async fn step_stats<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str, runs: usize) -> Result<BTreeMap<String, StepStats>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT h.run, h.entries FROM (SELECT id FROM runs WHERE organisation = $1 AND workflow = $2 AND id < $4 ORDER BY id DESC LIMIT $3) AS newest
                JOIN history h ON h.run = newest.id ORDER BY h.run, h.seq",
            args![organisation, workflow, runs as i64, Uuid::max()],
        )
        .await?;
    let mut stats: BTreeMap<String, StepStats> = BTreeMap::new();
    let mut inside: BTreeMap<(RunId, String), String> = BTreeMap::new();
    for row in &rows {
        let run: RunId = row.get("run")?;
        let marks: Vec<Mark> = serde_json::from_str(&row.get::<String>("entries")?).map_err(|error| corrupt(format!("history of run {run}"), error))?;
        for Mark { step, kind } in marks {
            let Some(path) = step else {
                if matches!(kind.as_str(), "run_completed" | "run_failed" | "run_cancelled") {
                    inside.retain(|(of, _), _| *of != run);
                }
                continue;
            };
            let key = path.split('#').next().unwrap_or(&path).to_owned();
            let place = (run, path);
            let step = stats.entry(key.clone()).or_default();
            match kind.as_str() {
                // Done in the moment they begin.
                "branch_taken" | "variant_chosen" | "vars_set" | "event_emitted" => {
                    step.entered += 1;
                    step.left += 1;
                }
                "step_scheduled" | "timer_set" | "wait_opened" | "ask_opened" => step.entered += u64::from(inside.insert(place, key).is_none()),
                "step_completed" | "timer_fired" | "wait_resolved" | "wait_timed_out" | "ask_answered" | "step_cancelled" => {
                    step.left += u64::from(inside.remove(&place).is_some());
                }
                "step_failed" => {
                    inside.remove(&place);
                    step.failed += 1;
                }
                _ => {}
            }
        }
    }
    for key in inside.into_values() {
        stats.entry(key).or_default().waiting += 1;
    }
    Ok(stats)
}
