//! How the runs of one workflow fare. Each count walks an index and no further than it is told, however long the history is.

use super::overview::first_id;
use crate::{corrupt, events};
use onward_core::{
    Event, OrganisationId, RunId, StepError, Timestamp,
    ports::{RunStatus, StoreError},
};
use onward_database::{Query, Row, args};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// How many runs of a workflow are in each state; states without a run are left out. Of those that live, and of the newest, at most
/// `most` each.
pub async fn status_counts<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str, most: usize) -> Result<BTreeMap<RunStatus, u64>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT status, count(*) AS runs FROM
                (SELECT status FROM runs WHERE organisation = $1 AND workflow = $2 AND status IN ('running', 'waiting', 'paused') LIMIT $3) AS living GROUP BY status
             UNION ALL SELECT status, count(*) AS runs FROM
                (SELECT status FROM runs WHERE organisation = $1 AND workflow = $2 AND id < $4 ORDER BY id DESC LIMIT $3) AS newest
                WHERE status NOT IN ('running', 'waiting', 'paused') GROUP BY status",
            args![organisation, workflow, most as i64, Uuid::max()],
        )
        .await?;
    let mut counts = BTreeMap::new();
    for row in &rows {
        counts.insert(status(row)?, row.get("runs")?);
    }
    Ok(counts)
}

fn status(row: &Row) -> Result<RunStatus, StoreError> {
    let status: String = row.get("status")?;
    RunStatus::parse(&status).ok_or_else(|| corrupt("a run", format!("the status `{status}` is unknown")))
}

/// How many runs failed in each step since then and are failed still; the latest `most` of them.
pub async fn failed_since<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: &str,
    since: Timestamp,
    most: usize,
) -> Result<BTreeMap<String, u64>, StoreError> {
    // Runs that failed for one cause failed in one step.
    let rows = db
        .fetch_all(
            "SELECT cause, max(error) AS error, count(*) AS runs FROM
                (SELECT cause, error FROM runs WHERE organisation = $1 AND workflow = $2 AND status = 'failed' AND ended_at >= $3 ORDER BY ended_at DESC LIMIT $4)
                AS latest GROUP BY cause",
            args![organisation, workflow, since, most as i64],
        )
        .await?;
    let mut failed = BTreeMap::new();
    for row in &rows {
        let error: Option<String> = row.get("error")?;
        let error: Option<StepError> = serde_json::from_str(error.as_deref().unwrap_or("null")).map_err(|error| corrupt("a failed run", error))?;
        if let Some(step) = error.and_then(|error| error.step) {
            *failed.entry(key_of(&step).to_owned()).or_default() += row.get::<u64>("runs")?;
        }
    }
    Ok(failed)
}

/// A step's key: a path without the passes of the loops around it.
fn key_of(path: &str) -> &str {
    path.split('#').next().unwrap_or(path)
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
            let key = key_of(&path).to_owned();
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

/// What tells where a run stands.
#[derive(Deserialize)]
struct Standing {
    step: Option<String>,
    #[serde(default)]
    also: Vec<Standing>,
}

/// In which steps runs stand that live and are not among the newest `runs`; at most `most` of them.
pub async fn waiting_longer<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: &str,
    runs: usize,
    most: usize,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT waiting_on FROM runs WHERE organisation = $1 AND workflow = $2 AND status IN ('running', 'waiting', 'paused') AND waiting_on IS NOT NULL
                AND id < (SELECT id FROM (SELECT id FROM runs WHERE organisation = $1 AND workflow = $2 AND id < $5 ORDER BY id DESC LIMIT $3) AS newest ORDER BY id LIMIT 1)
                LIMIT $4",
            args![organisation, workflow, runs as i64, most as i64, Uuid::max()],
        )
        .await?;
    let mut waiting = BTreeMap::new();
    for row in &rows {
        let Standing { step, also } = serde_json::from_str(&row.get::<String>("waiting_on")?).map_err(|error| corrupt("where a run stands", error))?;
        for path in step.into_iter().chain(also.into_iter().filter_map(|standing| standing.step)) {
            *waiting.entry(key_of(&path).to_owned()).or_default() += 1;
        }
    }
    Ok(waiting)
}

/// A variant that a split gave a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The split.
    pub step: String,
    /// The variant's name.
    pub variant: String,
    /// When.
    pub at: Timestamp,
    /// The run's contact.
    pub contact: Option<String>,
    /// How the run stands.
    pub status: RunStatus,
}

/// What this needs of an entry.
#[derive(Deserialize)]
struct Chosen {
    kind: String,
    step: Option<String>,
    variant: Option<String>,
}

/// Which variants the newest `runs` runs of a workflow were given; in a loop, the first that a split gave.
pub async fn choices<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str, runs: usize) -> Result<Vec<Choice>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT h.run, h.at, h.entries, newest.status, newest.contact FROM
                (SELECT id, status, contact FROM runs WHERE organisation = $1 AND workflow = $2 AND id < $4 ORDER BY id DESC LIMIT $3) AS newest
                JOIN history h ON h.run = newest.id WHERE h.entries LIKE '%\"variant_chosen\"%' ORDER BY h.run, h.seq",
            args![organisation, workflow, runs as i64, Uuid::max()],
        )
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    let mut given: HashSet<(RunId, String)> = HashSet::new();
    for row in &rows {
        let run: RunId = row.get("run")?;
        let entries: Vec<Chosen> = serde_json::from_str(&row.get::<String>("entries")?).map_err(|error| corrupt(format!("history of run {run}"), error))?;
        for entry in entries.into_iter().filter(|entry| entry.kind == "variant_chosen") {
            let (Some(path), Some(variant)) = (entry.step, entry.variant) else { continue };
            let step = key_of(&path).to_owned();
            if given.insert((run, step.clone())) {
                found.push(Choice { step, variant, at: row.get("at")?, contact: row.get("contact")?, status: status(row)? });
            }
        }
    }
    Ok(found)
}

/// Events of one type since then, newest first, at most `limit`, below `before`.
pub async fn events_of_type<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    kind: &str,
    since: Timestamp,
    limit: usize,
    before: Option<&Event>,
) -> Result<Vec<Event>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT e.*, coalesce(e.data, p.data) AS body FROM events e LEFT JOIN event_payloads p ON p.organisation = e.organisation AND p.event = e.id
                WHERE e.organisation = $1 AND e.type = $2 AND e.id >= $3 AND e.id < $4 ORDER BY e.id DESC LIMIT $5",
            args![organisation, kind, first_id(since), before.map_or(Uuid::max(), |event| event.event_id.0), limit as i64],
        )
        .await?;
    rows.iter().map(events::event).collect()
}
