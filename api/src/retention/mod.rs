//! Retention: a background job that forgets what has had its time, and gives the room back to the disk.
//!
//! It goes in small pieces through the low-priority lane, each a transaction of its own, so that it holds nobody up; killed between
//! two of them, it goes on with the next. What is to go is looked for beside the writer. Where runs are archived, they go when the
//! file that has them is on the disk.

mod archive;
mod pieces;

pub use archive::{Archive, ArchiveError};

use crate::App;
use onward_accounts::organisations;
use onward_core::{
    RunId, Timestamp,
    limits::{CORRELATION_DAYS, DEDUPE_DAYS, EVENT_DAYS},
    ports::WriteError,
};
use onward_database::{
    DatabaseError, async_trait,
    jobs::{self, Done, JobFailure, JobHandler, JobRun, NewJob, SERVER},
};
use onward_store::{forget_rates, idempotency, pauses, retention};
use pieces::Pieces;
use std::sync::Arc;

/// The queue of its job.
pub const QUEUE: &str = "retention";
/// Milliseconds between two rounds: what is forgotten is a day old at least, so that minutes do not count.
const ROUND_MS: i64 = 600_000;
/// Milliseconds between two walks over all identities of events.
const WALK_MS: i64 = 20 * 3_600_000;
/// Days for which jobs that are over can still be looked at.
const JOB_DAYS: i64 = 7;
const DAY_MS: i64 = 86_400_000;
/// Rows that are looked at in one read, beside the writer.
const LOOKED_AT: usize = 2_000;
/// Runs that are archived in one file and then forgotten.
const RUNS_AT_ONCE: usize = 200;

/// Why a round ended early; the next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Runs could not be archived, so they stay.
    #[error("runs cannot be archived, and are kept: {0}")]
    Archive(#[from] ArchiveError),
}

/// What a round has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Runs.
    pub runs: u64,
    /// Of these, how many are in an archive file.
    pub archived: u64,
    /// Events.
    pub events: u64,
    /// Rows of all other kinds.
    pub rows: u64,
    /// Transactions that this took.
    pub pieces: u64,
    /// Rows of the largest of them: what somebody may have had to wait for.
    pub largest_piece: u64,
}

/// The job that is there on every server: it comes again and again, and never dies of a failure.
pub fn job() -> NewJob {
    NewJob::new(SERVER, QUEUE, serde_json::json!({})).unique(QUEUE).attempts(u32::MAX)
}

/// Does the job.
#[derive(Debug)]
pub struct Retention {
    app: App,
    archive: Option<Archive>,
}

impl Retention {
    /// For the organisations of this server; with an archive, runs are written there before they go.
    pub fn new(app: App, archive: Option<Archive>) -> Self {
        Self { app, archive }
    }

    /// One round over every organisation. While everything is paused, after a restore say, nothing goes: somebody may want to look at
    /// what was. `walk`: identities of events are looked at, too.
    pub async fn round(&self, walk: bool, stop: &(dyn Fn() -> bool + Sync)) -> Result<Forgotten, RoundError> {
        let app = &self.app;
        let mut forgotten = Forgotten::default();
        if pauses::everything(&mut app.reader()).await.map_err(|error| DatabaseError::Failed(error.to_string()))?.is_some() {
            return Ok(forgotten);
        }
        let now = app.now();
        let all = organisations::list(&mut app.reader()).await?.into_iter().map(|organisation| organisation.id);
        for id in all.chain([SERVER]) {
            let mut pieces = Pieces::new(app, id, stop);
            self.runs(&mut pieces, now, &mut forgotten).await?;
            forgotten.events += events(&mut pieces, now).await?;
            if walk {
                forgotten.rows += identities(&mut pieces, now).await? + correlations(&mut pieces, now).await?;
            }
            let jobs_before = now.plus_millis(-JOB_DAYS * DAY_MS);
            forgotten.rows += pieces.repeat(|tx, id, limit| Box::pin(idempotency::forget(tx, id, limit))).await?;
            forgotten.rows += pieces.repeat(|tx, id, limit| Box::pin(forget_rates(tx, id, limit))).await?;
            forgotten.rows += pieces.repeat(move |tx, id, limit| Box::pin(jobs::forget(tx, id, jobs_before, limit))).await?;
            forgotten.pieces += pieces.written;
            forgotten.largest_piece = forgotten.largest_piece.max(pieces.largest);
        }
        app.parts.database.tidy().await?;
        Ok(forgotten)
    }

    async fn runs(&self, pieces: &mut Pieces<'_>, now: Timestamp, forgotten: &mut Forgotten) -> Result<(), RoundError> {
        let (app, organisation) = (&self.app, pieces.organisation);
        let rules = retention::rules(&mut app.reader(), organisation).await?;
        let mut workflow = String::new();
        while let Some(next) = retention::next_workflow(&mut app.reader(), organisation, &workflow).await? {
            workflow = next;
            let ended_before = now.plus_millis(-i64::from(rules.days_of(&workflow)) * DAY_MS);
            let mut after = None;
            while !pieces.stopped() {
                let found = retention::old_runs(&mut app.reader(), organisation, &workflow, ended_before, after, RUNS_AT_ONCE).await?;
                let Some(last) = found.last().copied() else { break };
                after = Some(last);
                self.forget_runs(pieces, found.into_iter().map(|(_, run)| run).collect(), ended_before, forgotten).await?;
            }
        }
        // Also what a process left that ended in the middle of it.
        forgotten.rows += pieces.repeat(|tx, id, limit| Box::pin(retention::forget_remains(tx, id, limit))).await?;
        Ok(())
    }

    async fn forget_runs(&self, pieces: &mut Pieces<'_>, runs: Vec<RunId>, ended_before: Timestamp, forgotten: &mut Forgotten) -> Result<(), RoundError> {
        let runs = match &self.archive {
            Some(archive) => {
                let kept = archive.keep(&self.app, pieces.organisation, runs).await?;
                forgotten.archived += kept.len() as u64;
                kept
            }
            None => runs,
        };
        forgotten.runs +=
            pieces.each(runs, move |tx, id, runs: Arc<Vec<RunId>>| Box::pin(async move { retention::forget_runs(tx, id, &runs, ended_before).await })).await?;
        Ok(())
    }
}

#[async_trait]
impl JobHandler for Retention {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    async fn run(&self, run: JobRun) -> Result<Done, JobFailure> {
        let now = self.app.now();
        let walked_at = run.job.output["walked_at"].as_i64();
        let walk = walked_at.is_none_or(|at| now.millis_since(Timestamp::from_millis(at)) >= WALK_MS);
        let gone = self.round(walk, &|| run.is_stopping()).await.map_err(JobFailure::passing)?;
        if run.is_stopping() {
            return Ok(Done::Interrupted);
        }
        let output = serde_json::json!({
            "runs": gone.runs, "archived": gone.archived, "events": gone.events, "rows": gone.rows,
            "pieces": gone.pieces, "largest_piece": gone.largest_piece,
            "walked_at": if walk { Some(now.as_millis()) } else { walked_at },
        });
        Ok(Done::Again { at: self.app.now().plus_millis(ROUND_MS), output })
    }
}

async fn events(pieces: &mut Pieces<'_>, now: Timestamp) -> Result<u64, RoundError> {
    let before = now.plus_millis(-EVENT_DAYS * DAY_MS);
    let mut gone = 0;
    while !pieces.stopped() {
        let old = retention::old_events(&mut pieces.app.reader(), pieces.organisation, before, LOOKED_AT).await?;
        if old.is_empty() {
            break;
        }
        gone += pieces.each(old, |tx, id, events: Arc<Vec<_>>| Box::pin(async move { retention::forget_events(tx, id, &events).await })).await?;
    }
    Ok(gone)
}

async fn identities(pieces: &mut Pieces<'_>, now: Timestamp) -> Result<u64, RoundError> {
    let before = now.plus_millis(-DEDUPE_DAYS * DAY_MS);
    let (mut gone, mut after) = (0, [0; 16]);
    while !pieces.stopped() {
        let (old, last) = retention::old_identities(&mut pieces.app.reader(), pieces.organisation, before, after, LOOKED_AT).await?;
        gone += pieces.each(old, move |tx, id, keys: Arc<Vec<_>>| Box::pin(async move { retention::forget_identities(tx, id, &keys, before).await })).await?;
        let Some(last) = last else { break };
        after = last;
    }
    Ok(gone)
}

async fn correlations(pieces: &mut Pieces<'_>, now: Timestamp) -> Result<u64, RoundError> {
    let before = now.plus_millis(-CORRELATION_DAYS * DAY_MS);
    let (mut gone, mut after) = (0, ([0; 16], Timestamp::MIN, uuid::Uuid::nil()));
    while !pieces.stopped() {
        let (old, last) = retention::old_correlations(&mut pieces.app.reader(), pieces.organisation, before, after, LOOKED_AT).await?;
        gone += pieces.each(old, |tx, id, keys: Arc<Vec<_>>| Box::pin(async move { retention::forget_correlations(tx, id, &keys).await })).await?;
        let Some(last) = last else { break };
        after = last;
    }
    Ok(gone)
}
