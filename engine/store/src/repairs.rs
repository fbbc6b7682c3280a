//! Failures grouped by cause, and repairs of many runs at a time.

use crate::corrupt;
use onward_core::{
    OrganisationId, RunId, StepError, Timestamp, Value,
    cause::Cause,
    ports::{RunStatus, StoreError, Transaction as _},
};
use onward_database::{Args, DatabaseError, Query, Row, Rows, Tx, args};
use uuid::Uuid;

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// In this state; without it those that the action is for.
    pub status: Option<RunStatus>,
    /// About this key.
    pub key: Option<String>,
    /// Of this contact.
    pub contact: Option<String>,
    /// That failed for this cause ([`Failure::id`]).
    pub cause: Option<String>,
    /// That ended, or began while they live, at or after this.
    pub since: Option<Timestamp>,
}

/// Runs that failed for the same cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The cause's name.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// What they have in common.
    pub cause: Cause,
    /// How many runs.
    pub count: u64,
    /// When the first of them failed.
    pub first_seen: Timestamp,
    /// When the last one did.
    pub last_seen: Timestamp,
    /// The one that failed last.
    pub example: RunId,
}

impl Failure {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "workflow": self.workflow, "step": self.cause.step, "code": self.cause.code, "message": self.cause.message,
            "count": self.count, "first_seen": self.first_seen, "last_seen": self.last_seen, "example": self.example,
        })
    }
}

/// Failed runs by cause, the most frequent first, at most `limit` causes.
pub async fn failures<Q: Query>(db: &mut Q, organisation: OrganisationId, choice: &Choice, limit: usize) -> Result<Vec<Failure>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT * FROM (SELECT id, workflow, error, cause, count(*) OVER (PARTITION BY cause) AS how_many,
                    min(ended_at) OVER (PARTITION BY cause) AS first_seen, max(ended_at) OVER (PARTITION BY cause) AS last_seen,
                    row_number() OVER (PARTITION BY cause ORDER BY ended_at DESC, id DESC) AS place
                FROM runs WHERE organisation = $1 AND status = 'failed' AND cause IS NOT NULL AND ($2 IS NULL OR cause = $2)
                    AND ($3 IS NULL OR workflow = $3) AND ($4 IS NULL OR key = $4) AND ($5 IS NULL OR contact = $5) AND ($6 IS NULL OR ended_at >= $6)
                ) AS failed WHERE place = 1 ORDER BY how_many DESC, cause LIMIT $7",
            values(organisation, choice, limit),
        )
        .await?;
    rows.iter().map(failure).collect()
}

fn failure(row: &Row) -> Result<Failure, StoreError> {
    let example: RunId = row.get("id")?;
    let error: Option<String> = row.get("error")?;
    let error: StepError = serde_json::from_str(error.as_deref().unwrap_or("null")).map_err(|error| corrupt(format!("run {example}"), error))?;
    Ok(Failure {
        id: row.get("cause")?,
        workflow: row.get("workflow")?,
        cause: Cause::of(&error),
        count: row.get("how_many")?,
        first_seen: row.get("first_seen")?,
        last_seen: row.get("last_seen")?,
        example,
    })
}

fn values(organisation: OrganisationId, choice: &Choice, limit: usize) -> Args {
    let Choice { workflow, key, contact, cause, since, .. } = choice;
    let mut values = args![organisation, cause.as_deref(), workflow.as_deref(), key.as_deref(), contact.as_deref(), *since];
    values.push(limit as i64);
    values
}

/// What is done to many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    /// The failed step again.
    Retry,
    /// On without the failed step.
    Skip,
    /// The end.
    Cancel,
}

impl BulkAction {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Cancel => "cancel",
        }
    }
    /// Reads what [`BulkAction::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Retry, Self::Skip, Self::Cancel].into_iter().find(|action| action.as_str() == text)
    }
}

/// A repair of many runs.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRepair {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub organisation: OrganisationId,
    /// What is done.
    pub action: BulkAction,
    /// What belongs to the action: `output`, `not_done`, `reason`.
    pub options: Value,
    /// Runs a minute at the most.
    pub per_minute: u32,
    /// Who asked for it, as histories say it.
    pub actor: String,
    /// When.
    pub created_at: Timestamp,
    /// When the next run has its turn.
    pub next_at: Timestamp,
    /// When the last run was done.
    pub ended_at: Option<Timestamp>,
}

/// How far a repair of many runs is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Not yet.
    pub pending: u64,
    /// Done.
    pub done: u64,
    /// Refused.
    pub refused: u64,
    /// Left out when a person stopped it.
    pub stopped: u64,
    /// Some of those that were refused, with the reason.
    pub refusals: Vec<(RunId, String)>,
}

/// The runs that are chosen, oldest first, at most `limit`.
pub async fn chosen<Q: Query>(db: &mut Q, organisation: OrganisationId, action: BulkAction, choice: &Choice, limit: usize) -> Result<Vec<RunId>, StoreError> {
    let mut args = values(organisation, choice, limit);
    let rows = if action == BulkAction::Cancel {
        args.push(choice.status.map(RunStatus::as_str));
        let sql = "SELECT id FROM runs WHERE organisation = $1 AND status IN ('held', 'running', 'waiting', 'paused') AND ($2 IS NULL OR cause = $2)
                AND ($3 IS NULL OR workflow = $3) AND ($4 IS NULL OR key = $4) AND ($5 IS NULL OR contact = $5) AND ($6 IS NULL OR started_at >= $6)
                AND ($8 IS NULL OR status = $8) ORDER BY id LIMIT $7";
        db.fetch_all(sql, args).await?
    } else {
        let sql = "SELECT id FROM runs WHERE organisation = $1 AND status = 'failed' AND ($2 IS NULL OR cause = $2) AND ($3 IS NULL OR workflow = $3)
                AND ($4 IS NULL OR key = $4) AND ($5 IS NULL OR contact = $5) AND ($6 IS NULL OR ended_at >= $6) ORDER BY id LIMIT $7";
        db.fetch_all(sql, args).await?
    };
    Ok(rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?)
}

/// Notes a repair of these runs; the first has its turn at once.
pub async fn begin(tx: &mut Tx, bulk: &BulkRepair, runs: &[RunId]) -> Result<(), DatabaseError> {
    let mut row = args![bulk.organisation, bulk.id, bulk.action.as_str(), bulk.options.clone(), bulk.per_minute, &*bulk.actor, bulk.created_at];
    row.push(bulk.next_at);
    tx.execute(
        "INSERT INTO bulk_repairs (organisation, id, action, options, per_minute, actor, created_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        row,
    )
    .await?;
    tx.execute(
        "INSERT INTO bulk_repair_runs (organisation, repair, run) SELECT $1, $2, r.id FROM {$3: id uuid} AS r WHERE true",
        args![bulk.organisation, bulk.id, Rows::of(runs)],
    )
    .await?;
    Ok(())
}

/// One repair.
pub async fn get<Q: Query>(db: &mut Q, organisation: OrganisationId, id: Uuid) -> Result<Option<BulkRepair>, StoreError> {
    let row = db.fetch_optional("SELECT * FROM bulk_repairs WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<BulkRepair, StoreError> {
    let id: Uuid = row.get("id")?;
    let action: String = row.get("action")?;
    Ok(BulkRepair {
        id,
        organisation: row.get("organisation")?,
        action: BulkAction::parse(&action).ok_or_else(|| corrupt(format!("bulk repair {id}"), format!("the action `{action}` is unknown")))?,
        options: row.get("options")?,
        per_minute: row.get("per_minute")?,
        actor: row.get("actor")?,
        created_at: row.get("created_at")?,
        next_at: row.get("next_at")?,
        ended_at: row.get("ended_at")?,
    })
}

/// The run that has its turn next.
pub async fn next_run<Q: Query>(db: &mut Q, bulk: &BulkRepair) -> Result<Option<RunId>, StoreError> {
    let row = db
        .fetch_optional(
            "SELECT run FROM bulk_repair_runs WHERE organisation = $1 AND repair = $2 AND state = 'pending' ORDER BY run LIMIT 1",
            args![bulk.organisation, bulk.id],
        )
        .await?;
    Ok(row.map(|row| row.get("run")).transpose()?)
}

/// Notes what became of a run, and when the next has its turn. `refused`: why it was not done. `false`: that had been noted before.
pub async fn note(tx: &mut Tx, bulk: &BulkRepair, run: RunId, refused: Option<&str>, next_at: Timestamp) -> Result<bool, DatabaseError> {
    let state = if refused.is_some() { "refused" } else { "done" };
    let noted = tx
        .execute(
            "UPDATE bulk_repair_runs SET state = $4, reason = $5 WHERE organisation = $1 AND repair = $2 AND run = $3 AND state = 'pending'",
            args![bulk.organisation, bulk.id, run, state, refused],
        )
        .await?;
    if noted > 0 {
        tx.execute("UPDATE bulk_repairs SET next_at = $3 WHERE organisation = $1 AND id = $2", args![bulk.organisation, bulk.id, next_at]).await?;
    }
    Ok(noted > 0)
}

/// Ends a repair; runs that had no turn yet are left out.
pub async fn end(tx: &mut Tx, organisation: OrganisationId, id: Uuid) -> Result<(), DatabaseError> {
    let now = tx.now();
    tx.execute("UPDATE bulk_repair_runs SET state = 'stopped' WHERE organisation = $1 AND repair = $2 AND state = 'pending'", args![organisation, id]).await?;
    tx.execute("UPDATE bulk_repairs SET ended_at = $3 WHERE organisation = $1 AND id = $2 AND ended_at IS NULL", args![organisation, id, now]).await?;
    Ok(())
}

/// How far a repair is, with at most `limit` refusals.
pub async fn progress<Q: Query>(db: &mut Q, organisation: OrganisationId, id: Uuid, limit: usize) -> Result<Progress, StoreError> {
    let counts = db
        .fetch_all("SELECT state, count(*) AS how_many FROM bulk_repair_runs WHERE organisation = $1 AND repair = $2 GROUP BY state", args![organisation, id])
        .await?;
    let mut progress = Progress::default();
    for row in &counts {
        let state: String = row.get("state")?;
        let count: u64 = row.get("how_many")?;
        match &*state {
            "pending" => progress.pending = count,
            "done" => progress.done = count,
            "refused" => progress.refused = count,
            _ => progress.stopped = count,
        }
    }
    let refusals = db
        .fetch_all(
            "SELECT run, reason FROM bulk_repair_runs WHERE organisation = $1 AND repair = $2 AND state = 'refused' ORDER BY run LIMIT $3",
            args![organisation, id, limit as i64],
        )
        .await?;
    for row in &refusals {
        progress.refusals.push((row.get("run")?, row.get::<Option<String>>("reason")?.unwrap_or_default()));
    }
    Ok(progress)
}
