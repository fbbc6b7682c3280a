//! Retention: a background job that forgets what has had its time, and gives the room back to the disk.
//!
//! It goes in small pieces through the low-priority lane, each a transaction of its own, so that it holds nobody up; killed between
//! two of them, it goes on with the next.

use crate::App;
use onward_accounts::organisations;
use onward_core::{
    OrganisationId, Timestamp,
    ports::{self, BoxFuture, Lane, WriteError},
};
use onward_database::{
    DatabaseError, Tx, async_trait,
    jobs::{self, Done, JobFailure, JobHandler, JobRun, NewJob, SERVER},
};
use onward_store::{forget_events, forget_rates, idempotency, pauses};

/// The queue of its job.
pub const QUEUE: &str = "retention";
/// Milliseconds between two rounds: what is forgotten is a day old at least, so that minutes do not count.
const ROUND_MS: i64 = 600_000;
/// Days for which jobs that are over can still be looked at.
const JOB_DAYS: i64 = 7;
const DAY_MS: i64 = 86_400_000;
/// Rows of each kind in one piece: the low lane takes pieces of a few milliseconds (SEMANTICS.md 7).
const PIECE: usize = 500;

/// Why a round ended early; the next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The job that is there on every server: it comes again and again, and never dies of a failure.
pub fn job() -> NewJob {
    NewJob::new(SERVER, QUEUE, serde_json::json!({})).unique(QUEUE).attempts(u32::MAX)
}

/// Does the job.
#[derive(Debug)]
pub struct Retention {
    app: App,
}

impl Retention {
    /// For the organisations of this server.
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait]
impl JobHandler for Retention {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    async fn run(&self, run: JobRun) -> Result<Done, JobFailure> {
        let gone = round(&self.app, &|| run.is_stopping()).await.map_err(JobFailure::passing)?;
        if run.is_stopping() {
            return Ok(Done::Interrupted);
        }
        Ok(Done::Again { at: self.app.now().plus_millis(ROUND_MS), output: serde_json::json!({ "rows": gone }) })
    }
}

/// One round over every organisation; how many rows went. While everything is paused, after a restore say, nothing goes: somebody may
/// want to look at what was.
pub async fn round(app: &App, stop: &(dyn Fn() -> bool + Sync)) -> Result<u64, RoundError> {
    if pauses::everything(&mut app.reader()).await.map_err(|error| DatabaseError::Failed(error.to_string()))?.is_some() {
        return Ok(0);
    }
    let now = app.now();
    let mut gone = 0;
    let all = organisations::list(&mut app.reader()).await?.into_iter().map(|organisation| organisation.id);
    for id in all.chain([SERVER]) {
        gone += pieces(app, stop, move |tx| Box::pin(forget_events(tx, id, PIECE))).await?;
        gone += pieces(app, stop, move |tx| Box::pin(idempotency::forget(tx, id))).await?;
        gone += pieces(app, stop, move |tx| Box::pin(forget_rates(tx, id, PIECE))).await?;
        gone += pieces(app, stop, move |tx| Box::pin(forget_jobs(tx, id, now))).await?;
    }
    app.parts.database.tidy().await?;
    Ok(gone)
}

async fn forget_jobs(tx: &mut Tx, organisation: OrganisationId, now: Timestamp) -> Result<u64, DatabaseError> {
    jobs::forget(tx, organisation, now.plus_millis(-JOB_DAYS * DAY_MS), PIECE).await
}

/// Repeats a piece, each in a write of its own, until nothing is left for it to do; how many rows went.
async fn pieces(
    app: &App,
    stop: &(dyn Fn() -> bool + Sync),
    piece: impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<u64, DatabaseError>> + Clone + Send + Sync + 'static,
) -> Result<u64, RoundError> {
    let mut gone = 0;
    while !stop() {
        let piece = piece.clone();
        let went = ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| piece(tx)).await??;
        gone += went;
        if went == 0 {
            break;
        }
    }
    Ok(gone)
}
