//! Background jobs that do nothing, from being wanted to being done. In this process, on a database of its own, each write a
//! transaction of its own.

use super::Bench;
use crate::{
    Result, clock,
    postgres::Postgres,
    report::{Figure, Target},
};
use onward_core::{
    NodeId, OrganisationId, Value, async_trait,
    ports::{Body, BoxFuture, Clock, Ids as _, Lane, WriteError, Writer, write},
};
use onward_database::{
    Database, SystemClock, SystemIds, Tx,
    jobs::{self, Done, JobFailure, JobHandler, JobParts, JobRun, Jobs, NewJob},
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

const JOBS: usize = 50_000;
/// Jobs that are wanted in one transaction, and those that are done at a time.
const WANTED: usize = 500;
const AT_ONCE: usize = 256;
const QUEUE: &str = "nothing";

#[derive(Clone)]
struct Direct(Database, SystemClock);

impl Writer<Tx> for Direct {
    fn submit(&self, _: Lane, mut body: Body<Tx>) -> BoxFuture<'static, std::result::Result<(), WriteError>> {
        let Self(database, clock) = self.clone();
        Box::pin(async move {
            let mut tx = database.begin(clock.now()).await?;
            body(&mut tx).await?;
            tx.commit().await.map_err(|error| WriteError::Database(error.to_string()))
        })
    }
}

/// Counts down, and tells when nothing is left.
struct Nothing {
    left: Arc<AtomicUsize>,
    done: Arc<Notify>,
}

#[async_trait]
impl JobHandler for Nothing {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    fn concurrency(&self) -> usize {
        AT_ONCE
    }
    async fn run(&self, _: JobRun) -> std::result::Result<Done, JobFailure> {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
        Ok(Done::With(Value::Null))
    }
}

/// Wants them all, then does them all.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let jobs = bench.settings.scaled(JOBS).max(WANTED);
    let (mut wanting, mut doing) = (Vec::new(), Vec::new());
    for _ in 0..bench.settings.runs {
        let folder = tempfile::tempdir_in(&bench.settings.folder)?;
        let url = bench.settings.postgres.as_ref().map(Postgres::database).transpose()?;
        let url = url.unwrap_or_else(|| format!("sqlite://{}", folder.path().join("jobs.db").display()));
        let ids = Arc::new(SystemIds::new());
        let database = Database::open(&url, ids.clone()).await?;
        let system = SystemClock::new();
        let writer = Arc::new(Direct(database.clone(), system.clone()));
        let began = clock::now();
        for _ in 0..jobs / WANTED {
            let wanted = write(&*writer, Lane::Normal, |tx: &mut Tx| {
                Box::pin(async move {
                    for number in 0..WANTED {
                        jobs::enqueue(tx, NewJob::new(OrganisationId(uuid::Uuid::from_u128(1)), QUEUE, json!({ "number": number }))).await?;
                    }
                    Ok::<_, onward_database::DatabaseError>(())
                })
            });
            wanted.await??;
        }
        let jobs = jobs / WANTED * WANTED;
        wanting.push(jobs as f64 / began.elapsed().as_secs_f64());
        let (left, done) = (Arc::new(AtomicUsize::new(jobs)), Arc::new(Notify::new()));
        let began = clock::now();
        let parts = JobParts {
            database: database.clone(),
            writer,
            clock: Arc::new(system.clone()),
            worker: NodeId(ids.fresh(system.now())),
            alone: true,
            handlers: vec![Arc::new(Nothing { left, done: Arc::clone(&done) })],
        };
        let working = Jobs::start(parts).await;
        done.notified().await;
        // The ends of the last of them are written within the stop.
        working.stop().await;
        doing.push(jobs as f64 / began.elapsed().as_secs_f64());
        database.close().await;
    }
    let settings = json!({ "jobs": jobs, "at_once": AT_ONCE, "wanted_in_one_transaction": WANTED });
    bench.report.add(Figure::new("jobs_wanted_per_s", "jobs/s", wanting).with(settings.clone()));
    bench.report.add(Figure::new("jobs_per_s", "jobs/s", doing).with(settings).target(Some(Target::AtLeast(10_000.0))));
    Ok(())
}
