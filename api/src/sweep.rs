//! Repairs of many runs, carried out: one run after the other, each when it has its turn. What was done is noted in the
//! transaction that did it, so that a crash repeats and forgets none.

use crate::{
    App, Problem,
    idempotency::{Note, noting},
};
use onward_core::{
    RunId, Timestamp,
    machine::Repair,
    ports::{self, Lane, WriteError},
};
use onward_database::Tx;
use onward_runtime::EngineError;
use onward_store::repairs::{self, BulkAction, BulkRepair};
use std::sync::Arc;

/// Repairs that are looked at in one round.
const REPAIRS: usize = 100;
/// Runs of one repair before the next one has its turn.
const AT_ONCE: usize = 50;
/// Milliseconds by which turns may come late and are made up for: after a downtime the rate holds all the same.
const LATE_MS: i64 = 1_000;

/// Milliseconds after which a repair that met a failure is looked at again.
const AFTER_A_FAILURE_MS: i64 = 5_000;

/// Carries out what has its turn now; when the next look is due, `None` while no repair is under way. A repair that meets a
/// failure does not keep the others.
pub async fn repair_due(app: &App) -> Result<Option<Timestamp>, Problem> {
    let now = app.now();
    let mut failed = false;
    for bulk in repairs::due(&mut app.reader(), now, REPAIRS).await? {
        if let Err(problem) = turns_of(app, &bulk, now).await {
            failed = true;
            tracing::warn!(repair = %bulk.id, problem = problem.detail(), "a repair of many runs waits; it is tried again soon");
        }
    }
    let next = repairs::next_due(&mut app.reader()).await?;
    Ok(next.map(|next| if failed { next.max(now.plus_millis(AFTER_A_FAILURE_MS)) } else { next }))
}

/// Returns when a repair is asked for.
pub async fn repair_begins(app: &App) {
    app.repair_begun.notified().await;
}

/// Carries out the turns of one repair that have come.
async fn turns_of(app: &App, bulk: &BulkRepair, now: Timestamp) -> Result<(), Problem> {
    let mut next_at = bulk.next_at.max(now.plus_millis(-LATE_MS));
    for _ in 0..AT_ONCE {
        if next_at > now {
            break;
        }
        let Some(run) = repairs::next_run(&mut app.reader(), bulk).await? else { return end(app, bulk).await };
        next_at = next_at.plus_millis(60_000 / i64::from(bulk.per_minute.max(1)));
        repair_one(app, bulk, run, next_at).await?;
    }
    Ok(())
}

async fn repair_one(app: &App, bulk: &BulkRepair, run: RunId, next_at: Timestamp) -> Result<(), Problem> {
    let (organisation, by) = (bulk.organisation, bulk.actor.as_str());
    let noted = Arc::new(bulk.clone());
    let note: Note = Arc::new(move |tx, _| {
        let bulk = Arc::clone(&noted);
        Box::pin(async move { repairs::note(tx, &bulk, run, None, next_at).await.map_err(|error| WriteError::Database(error.to_string())) })
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
