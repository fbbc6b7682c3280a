//! Repairs of many runs, carried out by a background job each: one run after the other, each when it has its turn. What was done is
//! noted in the transaction that did it, so that a crash repeats and forgets none.

use crate::{
    App, Problem,
    idempotency::{Note, noting},
};
use onward_core::{
    OrganisationId, RunId, Timestamp, async_trait,
    machine::Repair,
    ports::{self, Lane, WriteError},
};
use onward_database::{
    Tx,
    jobs::{Done, JobFailure, JobHandler, JobRun, NewJob},
};
use onward_runtime::EngineError;
use onward_store::repairs::{self, BulkAction, BulkRepair};
use std::sync::Arc;
use uuid::Uuid;

const QUEUE: &str = "bulk_repair";
/// Runs of one repair before its job says how far it is.
const AT_ONCE: usize = 50;
/// Milliseconds by which turns may come late and are made up for: after a downtime the rate holds all the same.
const LATE_MS: i64 = 1_000;
/// Milliseconds between two rounds at least; the turns between them are made up for.
const ROUND_MS: i64 = 200;

/// The job that carries a repair out.
pub(crate) fn job(organisation: OrganisationId, repair: Uuid) -> NewJob {
    NewJob::new(organisation, QUEUE, serde_json::json!({ "repair": repair })).unique(repair.to_string()).attempts(u32::MAX)
}

/// Does these jobs.
#[derive(Debug)]
pub struct BulkRepairs {
    app: App,
}

impl BulkRepairs {
    /// For the organisations of this server.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// Carries out the turns that have come; when the next one is, `None`: the repair has ended.
    pub(crate) async fn turns(&self, organisation: OrganisationId, repair: Uuid, stop: &(dyn Fn() -> bool + Sync)) -> Result<Option<Timestamp>, Problem> {
        let app = &self.app;
        let bulk = repairs::get(&mut app.reader(), organisation, repair).await?;
        let Some(bulk) = bulk.filter(|bulk| bulk.ended_at.is_none()) else { return Ok(None) };
        let now = app.now();
        let mut next_at = bulk.next_at.max(now.plus_millis(-LATE_MS));
        for _ in 0..AT_ONCE {
            if next_at > now || stop() {
                break;
            }
            let Some(run) = repairs::next_run(&mut app.reader(), &bulk).await? else {
                end(app, &bulk).await?;
                return Ok(None);
            };
            next_at = next_at.plus_millis(60_000 / i64::from(bulk.per_minute.max(1)));
            repair_one(app, &bulk, run, next_at).await?;
        }
        Ok(Some(next_at))
    }
}

#[async_trait]
impl JobHandler for BulkRepairs {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    /// A slow repair keeps no other.
    fn concurrency(&self) -> usize {
        4
    }
    async fn run(&self, run: JobRun) -> Result<Done, JobFailure> {
        let repair = run.job.input["repair"].as_str().and_then(|id| Uuid::parse_str(id).ok());
        let repair = repair.ok_or_else(|| JobFailure::for_good("the job names no repair"))?;
        let next = self.turns(run.job.organisation, repair, &|| run.is_stopping()).await.map_err(|problem| JobFailure::passing(problem.detail()))?;
        Ok(match next {
            _ if run.is_stopping() => Done::Interrupted,
            Some(next) => Done::Again { at: next.max(self.app.now().plus_millis(ROUND_MS)), output: serde_json::Value::Null },
            None => Done::With(serde_json::Value::Null),
        })
    }
}

async fn repair_one(app: &App, bulk: &BulkRepair, run: RunId, next_at: Timestamp) -> Result<(), Problem> {
    let (organisation, by) = (bulk.organisation, bulk.actor.as_str());
    let noted = Arc::new(bulk.clone());
    let note: Note = Arc::new(move |tx, _| {
        let bulk = Arc::clone(&noted);
        Box::pin(async move {
            match repairs::note(tx, &bulk, run, None, next_at).await {
                Ok(true) => Ok(()),
                // Its job was taken over by another server: what that one did is not done twice.
                Ok(false) => Err(WriteError::Refused),
                Err(error) => Err(WriteError::Database(error.to_string())),
            }
        })
    });
    let output = || bulk.options["output"].clone();
    let result = match bulk.action {
        BulkAction::Retry => {
            let repair = Repair::Retry { input: None, not_done: bulk.options["not_done"] == true };
            app.engine().repair(organisation, run, by, repair, Some(noting(note))).await.map(drop)
        }
        BulkAction::Skip => app.engine().repair(organisation, run, by, Repair::Skip { output: output() }, Some(noting(note))).await.map(drop),
        BulkAction::Cancel => {
            let reason = bulk.options["reason"].as_str().map(str::to_owned);
            app.engine().cancel_guarded(organisation, run, by, reason, noting(note)).await.map(drop)
        }
    };
    match result {
        Ok(()) => Ok(()),
        // Nobody refused it: it is tried again.
        Err(EngineError::Write(error)) => Err(EngineError::Write(error).into()),
        Err(refusal) => refuse(app, bulk, run, refusal.to_string(), next_at).await,
    }
}

async fn refuse(app: &App, bulk: &BulkRepair, run: RunId, reason: String, next_at: Timestamp) -> Result<(), Problem> {
    let bulk = bulk.clone();
    ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| {
        let (bulk, reason) = (bulk.clone(), reason.clone());
        Box::pin(async move { repairs::note(tx, &bulk, run, Some(&reason), next_at).await })
    })
    .await??;
    Ok(())
}

async fn end(app: &App, bulk: &BulkRepair) -> Result<(), Problem> {
    let (organisation, id) = (bulk.organisation, bulk.id);
    ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { repairs::end(tx, organisation, id).await })).await??;
    Ok(())
}
