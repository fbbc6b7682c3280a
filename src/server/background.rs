//! Background jobs of this server: who does what, and who tells them that there is something to do.

use super::{Backups, Options};
use crate::{cli::Failure, wiring::Rooms};
use onward_api::{
    bulk_repairs::BulkRepairs,
    retention::{self, Archive, Retention},
};
use onward_core::{
    NodeId,
    ports::{self, Change, Ids as _, Lane, Writer},
};
use onward_database::{
    SystemIds, Tx,
    backup::ScheduledBackups,
    jobs::{self, JobHandler, JobParts, Jobs},
};
use std::sync::Arc;
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

/// Background jobs, being done.
pub(super) struct Background {
    jobs: Jobs,
    telling: JoinHandle<()>,
}

impl Background {
    /// Begins to do them, and wants those that every server has.
    pub(super) async fn start(rooms: &Rooms, options: &Options) -> Result<Self, Failure> {
        let app = rooms.app();
        let archive = options.archive_folder.clone().map(Archive::open).transpose();
        let archive = archive.map_err(|error| Failure::because("the archive folder cannot be used", &error))?;
        let writer: Arc<dyn Writer<Tx>> = Arc::new(app.engine().clone());
        let mut wanted = vec![retention::job()];
        let mut handlers: Vec<Arc<dyn JobHandler>> = vec![Arc::new(Retention::new(app.clone(), archive)), Arc::new(BulkRepairs::new(app.clone()))];
        if let Some(Backups { folder, every_ms, keep }) = &options.backups {
            let backups = ScheduledBackups::new(rooms.database().clone(), Arc::clone(&app.parts.clock), folder.clone(), *every_ms, *keep);
            handlers.push(Arc::new(backups.map_err(|error| Failure::because("the backup folder cannot be used", &error))?));
            wanted.push(ScheduledBackups::job());
        }
        let mut changes = app.engine().subscribe();
        let jobs = Jobs::start(JobParts {
            database: rooms.database().clone(),
            writer,
            clock: Arc::clone(&app.parts.clock),
            worker: NodeId(SystemIds::new().fresh(app.now())),
            // The lock beside the file proves whoever had jobs of it dead.
            alone: rooms.database().path().is_some(),
            handlers,
        })
        .await;
        let waker = jobs.waker();
        let telling = tokio::spawn(async move {
            loop {
                match changes.recv().await {
                    Ok(change) if change.topic != Change::RESYNC => waker.changed(&change),
                    Ok(_) | Err(RecvError::Lagged(_)) => waker.missed(),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        for job in wanted {
            let enqueued = ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
                let job = job.clone();
                Box::pin(async move { jobs::enqueue(tx, job).await })
            });
            enqueued
                .await
                .map_err(|error| Failure::because("jobs cannot be stored", &error))?
                .map_err(|error| Failure::because("jobs cannot be stored", &error))?;
        }
        Ok(Self { jobs, telling })
    }

    /// Stops in order.
    pub(super) async fn stop(self) {
        self.jobs.stop().await;
        self.telling.abort();
    }
}
