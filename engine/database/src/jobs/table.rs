//! The table: every statement on it.

use super::model::{Job, JobFilter, JobId, JobState, NewJob, TOPIC};
use crate::{Args, DatabaseError, Query, Rows, Tx, args};
use onward_core::{
    NodeId, OrganisationId, Timestamp, Value,
    ports::{Change, Transaction as _},
};

/// The most that is kept of an error's text, in bytes.
const ERROR_BYTES: usize = 4_096;

/// Wants a job, in the transaction that has the reason for it; whoever does it is told after the commit. `None`: one with its key
/// is not over yet, and does for both.
pub async fn enqueue(tx: &mut Tx, job: NewJob) -> Result<Option<JobId>, DatabaseError> {
    let (id, now) = (JobId(tx.fresh_id()), tx.now());
    let not_before = job.not_before.unwrap_or(now);
    let added = tx
        .execute(
            "INSERT INTO jobs (id, organisation, queue, state, not_before, max_attempts, created_at, unique_key, input)
                VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7, $8)
                ON CONFLICT (organisation, queue, unique_key) WHERE unique_key IS NOT NULL AND state IN ('pending', 'running') DO NOTHING",
            args![id, job.organisation, job.queue, not_before, job.max_attempts, now, job.unique_key, job.input],
        )
        .await?;
    if added == 0 {
        return Ok(None);
    }
    announce(tx, job.organisation, id, job.queue, JobState::Pending);
    Ok(Some(id))
}

/// Tells those who watch, and those who do jobs of this queue, after the commit.
fn announce(tx: &mut Tx, organisation: OrganisationId, id: JobId, queue: &str, state: JobState) {
    let data = serde_json::json!({ "queue": queue, "state": state.as_str() });
    tx.announce(Change { organisation, topic: TOPIC.into(), id: id.to_string(), data });
}

/// Ends a job in the transaction of what it did; `false`: the claim was lost, and the transaction must not be committed.
pub async fn complete(tx: &mut Tx, job: &Job, output: Value) -> Result<bool, DatabaseError> {
    let now = tx.now();
    let ended = tx
        .execute(
            "UPDATE jobs SET state = 'done', ended_at = $4, locked_by = NULL, locked_until = NULL, error = NULL, output = $5
                WHERE organisation = $1 AND id = $2 AND attempts = $3 AND state = 'running'",
            args![job.organisation, job.id, job.attempts, now, output],
        )
        .await?;
    Ok(ended > 0)
}

/// Claims jobs of a queue that are due, in order of due time, at most `limit`. The outer `state` is for a database on which another
/// may have claimed the same rows between being chosen and being taken.
pub(super) async fn claim(tx: &mut Tx, queue: &str, worker: NodeId, until: Timestamp, limit: usize) -> Result<Vec<Job>, DatabaseError> {
    let now = tx.now();
    let rows = tx
        .fetch_all(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, locked_by = $3, locked_until = $4, started_at = $2
                WHERE state = 'pending' AND id IN
                    (SELECT id FROM jobs WHERE queue = $1 AND state = 'pending' AND not_before <= $2 ORDER BY not_before, id LIMIT $5)
                RETURNING *",
            args![queue, now, worker, until, limit as i64],
        )
        .await?;
    let mut claimed = rows.iter().map(Job::read).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|job| (job.not_before, job.id));
    Ok(claimed)
}

/// When the next job of a queue is due.
pub(super) async fn next_due<Q: Query>(db: &mut Q, queue: &str) -> Result<Option<Timestamp>, DatabaseError> {
    let row = db.fetch_optional("SELECT not_before FROM jobs WHERE queue = $1 AND state = 'pending' ORDER BY not_before LIMIT 1", args![queue]).await?;
    row.map(|row| row.get("not_before")).transpose()
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ending {
    pub(super) id: JobId,
    /// The claim's number.
    pub(super) attempt: i64,
    pub(super) state: JobState,
    pub(super) not_before: Timestamp,
    pub(super) failures: i64,
    /// `None`: as it was.
    pub(super) error: Option<String>,
    /// `None`: as it was.
    pub(super) output: Option<Value>,
}

/// Notes how attempts ended; those whose claim was lost meanwhile, or which a person called off, are passed over. Returns those
/// that were noted.
pub(super) async fn finish(tx: &mut Tx, endings: &[Ending]) -> Result<Vec<JobId>, DatabaseError> {
    let now = tx.now();
    let rows: Rows = endings
        .iter()
        .map(|ending| {
            let ended_at = matches!(ending.state, JobState::Done | JobState::Failed).then_some(now);
            let error = ending.error.as_deref().map(shortened);
            let mut row = args![ending.id, ending.attempt, ending.state.as_str(), ending.not_before, ending.failures, ended_at, error];
            row.push(ending.output.as_ref().map(Value::to_string));
            row
        })
        .collect();
    let rows = tx
        .fetch_all(
            "UPDATE jobs SET state = r.state, not_before = r.not_before, failures = r.failures, ended_at = r.ended_at,
                    error = coalesce(r.error, CASE WHEN r.failures > 0 THEN jobs.error END), output = coalesce(r.output, jobs.output),
                    locked_by = NULL, locked_until = NULL
                FROM {$1: id uuid, attempt bigint, state text, not_before bigint, failures bigint, ended_at bigint, error text, output text} AS r
                WHERE jobs.id = r.id AND jobs.attempts = r.attempt AND jobs.state = 'running' RETURNING jobs.id AS id",
            args![rows],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(ERROR_BYTES)]
}

/// Holds these claims of a worker for longer; those that it still has.
pub(super) async fn renew(tx: &mut Tx, worker: NodeId, jobs: &[JobId], until: Timestamp) -> Result<Vec<JobId>, DatabaseError> {
    let rows = tx
        .fetch_all(
            "UPDATE jobs SET locked_until = $2 FROM {$3: id uuid} AS held
                WHERE jobs.id = held.id AND jobs.state = 'running' AND jobs.locked_by = $1 RETURNING jobs.id AS id",
            args![worker, until, Rows::of(jobs)],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Gives a worker's claims back, as if it had never had them.
pub(super) async fn release(tx: &mut Tx, worker: NodeId) -> Result<u64, DatabaseError> {
    tx.execute("UPDATE jobs SET state = 'pending', locked_by = NULL, locked_until = NULL WHERE state = 'running' AND locked_by = $1", args![worker]).await
}

/// Whose claims are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Those that were not renewed in time.
    Expired,
    /// All but this worker's: the others are known to be dead.
    NotOf(NodeId),
}

/// Takes claims back from workers that ended in the middle of the work: a failed attempt each, so that a job which ends its
/// process does not do so for ever. How many.
pub(super) async fn take_back(tx: &mut Tx, lost: Lost) -> Result<u64, DatabaseError> {
    const WHY: &str = "the process ended in the middle of it, or was not heard of for too long";
    let now = tx.now();
    let taken: Args = match lost {
        Lost::Expired => args![now, WHY, now, None::<NodeId>],
        Lost::NotOf(worker) => args![now, WHY, None::<Timestamp>, worker],
    };
    let rows = tx
        .fetch_all(
            "UPDATE jobs SET failures = failures + 1, error = $2, locked_by = NULL, locked_until = NULL, not_before = $1,
                    state = CASE WHEN failures + 1 >= max_attempts THEN 'failed' ELSE 'pending' END,
                    ended_at = CASE WHEN failures + 1 >= max_attempts THEN $1 END
                WHERE state = 'running' AND (locked_until <= $3 OR locked_by <> $4) RETURNING *",
            taken,
        )
        .await?;
    for row in &rows {
        let job = Job::read(row)?;
        announce(tx, job.organisation, job.id, &job.queue, job.state);
    }
    Ok(rows.len() as u64)
}

/// Whether any claim has run out.
pub(super) async fn any_expired<Q: Query>(db: &mut Q, now: Timestamp) -> Result<bool, DatabaseError> {
    Ok(db.fetch_optional("SELECT 1 AS one FROM jobs WHERE state = 'running' AND locked_until <= $1 LIMIT 1", args![now]).await?.is_some())
}

/// One job of an organisation.
pub async fn get<Q: Query>(db: &mut Q, organisation: OrganisationId, id: JobId) -> Result<Option<Job>, DatabaseError> {
    let row = db.fetch_optional("SELECT * FROM jobs WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    row.as_ref().map(Job::read).transpose()
}

/// A page of an organisation's jobs, newest first, those older than `before`.
pub async fn list<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    filter: &JobFilter,
    before: Option<JobId>,
    limit: u32,
) -> Result<Vec<Job>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT * FROM jobs WHERE organisation = $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR queue = $3) AND ($4 IS NULL OR id < $4)
                ORDER BY id DESC LIMIT $5",
            args![organisation, filter.state.map(JobState::as_str), filter.queue.as_deref(), before, limit],
        )
        .await?;
    rows.iter().map(Job::read).collect()
}

/// Lets a job come again that failed or was called off, with all its attempts; one that waits comes at once. `None`: there is no such
/// job, it runs, it is done, or one with its key is not over.
pub async fn retry(tx: &mut Tx, organisation: OrganisationId, id: JobId) -> Result<Option<Job>, DatabaseError> {
    let now = tx.now();
    let row = tx
        .fetch_optional(
            "UPDATE jobs SET state = 'pending', not_before = $3, failures = 0, ended_at = NULL
                WHERE organisation = $1 AND id = $2 AND state IN ('pending', 'failed', 'cancelled') AND NOT EXISTS
                    (SELECT 1 FROM jobs AS other WHERE other.organisation = jobs.organisation AND other.queue = jobs.queue
                        AND other.unique_key = jobs.unique_key AND other.state IN ('pending', 'running') AND other.id <> jobs.id)
                RETURNING *",
            args![organisation, id, now],
        )
        .await?;
    let Some(job) = row.as_ref().map(Job::read).transpose()? else { return Ok(None) };
    announce(tx, organisation, id, &job.queue, JobState::Pending);
    Ok(Some(job))
}

/// Calls a job off that is not over: whoever does it just now is told, and can end nothing any more. `None`: there is no such job, or
/// it is over.
pub async fn cancel(tx: &mut Tx, organisation: OrganisationId, id: JobId) -> Result<Option<Job>, DatabaseError> {
    let now = tx.now();
    let row = tx
        .fetch_optional(
            "UPDATE jobs SET state = 'cancelled', ended_at = $3, locked_by = NULL, locked_until = NULL
                WHERE organisation = $1 AND id = $2 AND state IN ('pending', 'running') RETURNING *",
            args![organisation, id, now],
        )
        .await?;
    let Some(job) = row.as_ref().map(Job::read).transpose()? else { return Ok(None) };
    announce(tx, organisation, id, &job.queue, JobState::Cancelled);
    Ok(Some(job))
}

/// Forgets jobs that were over before this moment, at most `limit`; how many.
pub async fn forget(tx: &mut Tx, organisation: OrganisationId, over_before: Timestamp, limit: usize) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs WHERE organisation = $1 AND ended_at IS NOT NULL AND ended_at < $2 ORDER BY ended_at LIMIT $3)",
        args![organisation, over_before, limit as i64],
    )
    .await
}
