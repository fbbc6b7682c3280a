//! A writer without an engine, a clock that is set by hand, and handlers that do as they are told.

use crate::{
    Database, DatabaseError, Query as _, Tx, args,
    jobs::{Done, Job, JobFailure, JobFilter, JobHandler, JobId, JobParts, JobRun, JobWaker, Jobs, NewJob, enqueue, list},
};
use onward_core::{
    NodeId, OrganisationId, Timestamp, Value, async_trait,
    ports::{self, Body, BoxFuture, Change, Clock, CommitError, Lane, Transaction as _, WriteError, Writer},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use uuid::Uuid;

pub(super) const OURS: OrganisationId = OrganisationId(Uuid::from_u128(1));
pub(super) const THEIRS: OrganisationId = OrganisationId(Uuid::from_u128(2));
pub(super) const FIRST: NodeId = NodeId(Uuid::from_u128(11));
pub(super) const SECOND: NodeId = NodeId(Uuid::from_u128(12));
pub(super) const QUEUE: &str = "trial";

/// A clock that stands until it is moved.
pub(super) struct HandClock(watch::Sender<Timestamp>);

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Timestamp::from_millis(1_800_000_000_000))))
    }
    pub(super) fn go_on(&self, millis: i64) {
        self.0.send_modify(|now| *now = now.plus_millis(millis));
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= due).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Each body is a transaction of its own, and may be made to fail.
pub(super) struct DirectWriter {
    database: Database,
    clock: Arc<HandClock>,
    changes: broadcast::Sender<Change>,
    /// Writes that are refused from now on.
    pub(super) refuse: AtomicU32,
    /// Writes that are stored from now on and reported as unknown.
    pub(super) forget: AtomicU32,
}

impl DirectWriter {
    async fn carry_out(&self, mut body: Body<Tx>) -> Result<(), WriteError> {
        let take = |left: &AtomicU32| left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
        if take(&self.refuse) {
            return Err(WriteError::Unavailable { retry_after_ms: 1 });
        }
        let mut tx = self.database.begin(self.clock.now()).await?;
        if let Err(error) = body(&mut tx).await {
            tx.rollback().await;
            return Err(error);
        }
        let changes = std::mem::take(&mut tx.outbox().changes);
        tx.commit().await.map_err(|error| match error {
            CommitError::Unknown(_) => WriteError::OutcomeUnknown,
            CommitError::Failed(error) | CommitError::Refused(error) => WriteError::Database(error.to_string()),
        })?;
        for change in changes {
            // Nobody may be watching.
            let _ = self.changes.send(change);
        }
        if take(&self.forget) { Err(WriteError::OutcomeUnknown) } else { Ok(()) }
    }
}

/// What is shared with the writer's tasks.
#[derive(Clone)]
pub(super) struct Writing(pub(super) Arc<DirectWriter>);

impl Writer<Tx> for Writing {
    fn submit(&self, _: Lane, body: Body<Tx>) -> BoxFuture<'static, Result<(), WriteError>> {
        let writer = Arc::clone(&self.0);
        Box::pin(async move { writer.carry_out(body).await })
    }
}

/// A database with everything around it.
pub(super) struct Place {
    pub(super) database: Database,
    pub(super) clock: Arc<HandClock>,
    pub(super) writing: Writing,
}

impl Place {
    pub(super) async fn open() -> Self {
        let database = crate::testing::database().await;
        let clock = HandClock::new();
        let writer = DirectWriter {
            database: database.clone(),
            clock: Arc::clone(&clock),
            changes: broadcast::channel(4_096).0,
            refuse: AtomicU32::new(0),
            forget: AtomicU32::new(0),
        };
        Self { database, clock, writing: Writing(Arc::new(writer)) }
    }
    pub(super) async fn write<R: Send + 'static>(&self, body: impl for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<R, DatabaseError>> + Send + 'static) -> R {
        ports::write(&self.writing, Lane::Normal, body).await.unwrap().unwrap()
    }
    pub(super) async fn want(&self, job: NewJob) -> Option<JobId> {
        self.write(move |tx| {
            let job = job.clone();
            Box::pin(async move { enqueue(tx, job).await })
        })
        .await
    }
    pub(super) async fn all(&self) -> Vec<Job> {
        list(&mut self.database.reader(), OURS, &JobFilter::default(), None, 1_000).await.unwrap()
    }
    pub(super) async fn job(&self, id: JobId) -> Job {
        crate::jobs::get(&mut self.database.reader(), OURS, id).await.unwrap().unwrap()
    }
    pub(super) async fn effects(&self) -> Vec<(JobId, i64)> {
        let rows = self.database.reader().fetch_all("SELECT job, count(*) AS times FROM effects GROUP BY job ORDER BY job", args![]).await.unwrap();
        rows.iter().map(|row| (row.get("job").unwrap(), row.get("times").unwrap())).collect()
    }
    /// Somewhere to leave effects.
    pub(super) async fn with_effects(self) -> Self {
        let table = if self.database.path().is_some() { "CREATE TABLE effects (job BLOB NOT NULL) STRICT" } else { "CREATE TABLE effects (job UUID NOT NULL)" };
        self.write(move |tx| Box::pin(async move { tx.execute(table, args![]).await.map(drop) })).await;
        self
    }
    /// Does jobs as this worker.
    pub(super) async fn start(&self, worker: NodeId, alone: bool, handlers: Vec<Arc<dyn JobHandler>>) -> Jobs {
        let mut changes = self.writing.0.changes.subscribe();
        let writer: Arc<dyn Writer<Tx>> = Arc::new(self.writing.clone());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let jobs = Jobs::start(JobParts { database: self.database.clone(), writer, clock, worker, alone, handlers }).await;
        let waker: JobWaker = jobs.waker();
        tokio::spawn(async move {
            while let Ok(change) = changes.recv().await {
                waker.changed(&change);
            }
        });
        jobs
    }
}

/// A job that says how it ends: `{ "do": … }`.
pub(super) fn told(what: &str) -> NewJob {
    NewJob::new(OURS, QUEUE, serde_json::json!({ "do": what }))
}

/// Does what the job says, and tells the test.
pub(super) struct Obedient {
    place: Writing,
    concurrency: usize,
    pub(super) began: Mutex<mpsc::UnboundedSender<JobRun>>,
    pub(super) go: Arc<Notify>,
}

impl Obedient {
    pub(super) fn new(place: &Place, concurrency: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<JobRun>) {
        let (sender, began) = mpsc::unbounded_channel();
        (Arc::new(Self { place: place.writing.clone(), concurrency, began: Mutex::new(sender), go: Arc::default() }), began)
    }
}

#[async_trait]
impl JobHandler for Obedient {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    fn concurrency(&self) -> usize {
        self.concurrency
    }
    fn longest_ms(&self) -> i64 {
        3_600_000
    }
    async fn run(&self, run: JobRun) -> Result<Done, JobFailure> {
        // The test may have seen enough.
        let _ = self.began.lock().unwrap().send(run.clone());
        let job = run.job.clone();
        match job.input["do"].as_str().unwrap_or_default() {
            "fail" => Err(JobFailure::passing("as it was told")),
            "fail for good" => Err(JobFailure::for_good("as it was told")),
            "panic" => panic!("as it was told"),
            "wait" => {
                self.go.notified().await;
                Ok(if run.is_stopping() { Done::Interrupted } else { Done::With(Value::Null) })
            }
            "fail when told" => {
                self.go.notified().await;
                Err(JobFailure::passing("as it was told"))
            }
            "hang" => std::future::pending().await,
            "again" => Ok(Done::Again { at: job.not_before.plus_millis(60_000), output: job.attempts.into() }),
            "effect" => {
                let done = ports::write(&self.place, Lane::Low, move |tx: &mut Tx| {
                    let job = job.clone();
                    Box::pin(async move {
                        tx.execute("INSERT INTO effects (job) VALUES ($1)", args![job.id]).await?;
                        if crate::jobs::complete(tx, &job, Value::Null).await? { Ok(()) } else { Err(JobFailure::passing("the claim was lost")) }
                    })
                });
                done.await??;
                Ok(Done::Committed)
            }
            _ => Ok(Done::With(job.input.clone())),
        }
    }
}
