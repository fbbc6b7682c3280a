//! The runner: apalis' monitor over one worker a queue, the renewal of claims, and the stop in order.

use super::{
    finisher::Finisher,
    model::{JobHandler, TOPIC},
    queue::{CLAIM_MS, Queue, Shared},
    source::{Doing, Source},
    table::{self, Lost},
};
use crate::{Database, DatabaseError, Tx};
use apalis_core::{
    monitor::{Monitor, context::MonitorContext},
    worker::builder::WorkerBuilder,
};
use onward_core::{
    NodeId,
    ports::{self, Change, Clock, Lane, Transaction as _, Writer},
};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tower::limit::ConcurrencyLimitLayer;

/// Claims are renewed this many times before they would run out.
const RENEWALS: i64 = 3;
/// Milliseconds that jobs get to end when the server stops; they are told before.
const STOP_MS: i64 = 10_000;

/// What a runner is made of.
pub struct JobParts {
    /// The database.
    pub database: Database,
    /// The one way to write.
    pub writer: Arc<dyn Writer<Tx>>,
    /// Engine time.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub worker: NodeId,
    /// No other process can be doing jobs of this database: whatever is claimed was claimed by a dead one.
    pub alone: bool,
    /// Who does what; one a queue.
    pub handlers: Vec<Arc<dyn JobHandler>>,
}

/// Tells the runner that there may be something to do. Cheap to clone.
#[derive(Clone)]
pub struct JobWaker(Arc<[Arc<Queue>]>);

impl JobWaker {
    /// Something of the engine changed; changes of jobs are what counts.
    pub fn changed(&self, change: &Change) {
        if change.topic == TOPIC {
            let queue = change.data["queue"].as_str();
            self.0.iter().filter(|one| Some(one.handler.queue()) == queue).for_each(|one| one.wanted.notify_one());
            if change.data["state"] == "cancelled" {
                self.0.iter().take(1).for_each(|one| one.shared.look_after_claims.notify_one());
            }
        }
    }
    /// Changes were missed: anything may have come.
    pub fn missed(&self) {
        self.0.iter().for_each(|queue| queue.wanted.notify_one());
    }
}

/// Jobs of this process, being done.
pub struct Jobs {
    shared: Arc<Shared>,
    waker: JobWaker,
    monitor: MonitorContext,
    running: JoinHandle<()>,
    renewing: JoinHandle<()>,
}

impl Jobs {
    /// Begins to do jobs.
    pub async fn start(parts: JobParts) -> Self {
        let JobParts { database, writer, clock, worker, alone, handlers } = parts;
        let finisher = Finisher::start(Arc::clone(&writer), Arc::clone(&clock));
        let shared = Arc::new(Shared::new(database, writer, clock, worker, finisher));
        if alone && let Err(error) = shared.take_back(Lost::NotOf(worker)).await {
            tracing::warn!(%error, "jobs of a process that has ended wait until their claims run out");
        }
        let queues: Arc<[Arc<Queue>]> =
            handlers.into_iter().map(|handler| Arc::new(Queue { shared: Arc::clone(&shared), handler, wanted: tokio::sync::Notify::new() })).collect();
        let mut monitor = Monitor::new().should_restart(|worker, error| {
            tracing::error!(worker = worker.name(), %error, "a worker of background jobs ended; it begins again");
            true
        });
        for queue in queues.iter() {
            let queue = Arc::clone(queue);
            monitor = monitor.register(move |_| {
                WorkerBuilder::new(queue.handler.queue())
                    .backend(Source::new(Arc::clone(&queue)))
                    .layer(ConcurrencyLimitLayer::new(queue.handler.concurrency().max(1)))
                    .build(Doing(Arc::clone(&queue)))
            });
        }
        let context = monitor.context();
        let running = tokio::spawn(async move {
            if let Err(error) = monitor.run().await {
                tracing::error!(%error, "background jobs ended");
            }
        });
        let renewing = tokio::spawn(renew(Arc::clone(&shared)));
        Self { shared, waker: JobWaker(queues), monitor: context, running, renewing }
    }

    /// What tells it of changes.
    pub fn waker(&self) -> JobWaker {
        self.waker.clone()
    }

    /// Stops in order: nothing new is begun, what is under way is told and gets its time, and what is left is given back.
    pub async fn stop(self) {
        let Self { shared, waker: _, monitor, mut running, renewing } = self;
        // It only says that there is nobody to tell.
        let _ = monitor.shutdown();
        shared.stop_all();
        let clock = Arc::clone(&shared.clock);
        tokio::select! {
            _ = &mut running => {}
            () = clock.sleep_until(clock.now().plus_millis(STOP_MS)) => {
                tracing::warn!("background jobs that did not end in time come again with the next start");
                running.abort();
            }
        }
        renewing.abort();
        let worker = shared.worker;
        let released = ports::write(&*shared.writer, Lane::Normal, move |tx: &mut Tx| Box::pin(async move { table::release(tx, worker).await })).await;
        match released {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "claims of jobs could not be given back; they run out by themselves"),
            Err(error) => tracing::warn!(%error, "claims of jobs could not be given back; they run out by themselves"),
        }
    }
}

impl Shared {
    async fn take_back(&self, lost: Lost) -> Result<u64, DatabaseError> {
        let taken = ports::write(&*self.writer, Lane::Low, move |tx: &mut Tx| Box::pin(async move { table::take_back(tx, lost).await })).await;
        let taken = taken.map_err(|error| DatabaseError::Failed(error.to_string()))??;
        if taken > 0 {
            tracing::info!(jobs = taken, "jobs of a process that ended in the middle of them come again");
        }
        Ok(taken)
    }

    /// Renews what this process holds and takes back what nobody renewed.
    async fn look_after(&self) -> Result<(), DatabaseError> {
        let before = self.held_jobs();
        if !before.is_empty() {
            let (worker, ids) = (self.worker, Arc::new(before.clone()));
            let held = ports::write(&*self.writer, Lane::Normal, move |tx: &mut Tx| {
                let until = tx.now().plus_millis(CLAIM_MS);
                let ids = Arc::clone(&ids);
                Box::pin(async move { table::renew(tx, worker, &ids, until).await })
            });
            let held = held.await.map_err(|error| DatabaseError::Failed(error.to_string()))??;
            self.stop_lost(&before, &held);
        }
        if table::any_expired(&mut self.database.reader(), self.clock.now()).await? {
            self.take_back(Lost::Expired).await?;
        }
        Ok(())
    }
}

async fn renew(shared: Arc<Shared>) {
    loop {
        let next = shared.clock.now().plus_millis(CLAIM_MS / RENEWALS);
        tokio::select! {
            () = shared.clock.sleep_until(next) => {}
            () = shared.look_after_claims.notified() => {}
        }
        if let Err(error) = shared.look_after().await {
            tracing::warn!(%error, "claims of jobs could not be renewed; it is tried again");
        }
    }
}
