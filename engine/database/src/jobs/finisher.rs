//! Ends of attempts, gathered: as many as are there are noted in one write.

use super::{
    model::JobId,
    table::{self, Ending},
};
use crate::Tx;
use onward_core::ports::{self, Clock, Lane, Writer};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Ends in one write: what the low lane writes in a few milliseconds (SEMANTICS.md 7).
const MOST_AT_ONCE: usize = 256;
/// Milliseconds before ends that could not be written are tried again.
const AGAIN_MS: i64 = 500;

/// Where ends are handed in.
#[derive(Clone)]
pub(super) struct Finisher(mpsc::UnboundedSender<(Ending, oneshot::Sender<()>)>);

impl Finisher {
    /// Starts gathering; ends when the last handle is gone and all is written. What cannot be written is tried until it can be, since
    /// the work behind it is done.
    pub(super) fn start(writer: Arc<dyn Writer<Tx>>, clock: Arc<dyn Clock>) -> Self {
        let (sender, mut ends) = mpsc::unbounded_channel::<(Ending, oneshot::Sender<()>)>();
        tokio::spawn(async move {
            while let Some(first) = ends.recv().await {
                let (mut batch, mut waiting) = (vec![first.0], vec![first.1]);
                while batch.len() < MOST_AT_ONCE
                    && let Ok((ending, told)) = ends.try_recv()
                {
                    batch.push(ending);
                    waiting.push(told);
                }
                let batch = Arc::new(batch);
                loop {
                    let endings = Arc::clone(&batch);
                    let written = ports::write(&*writer, Lane::Low, move |tx: &mut Tx| {
                        let endings = Arc::clone(&endings);
                        Box::pin(async move { table::finish(tx, &endings).await })
                    });
                    let error = match written.await {
                        Ok(Ok(noted)) => {
                            tell_of_lost(&batch, &noted);
                            break;
                        }
                        Ok(Err(error)) => error.to_string(),
                        Err(error) => error.to_string(),
                    };
                    tracing::warn!(error, jobs = batch.len(), "the ends of jobs could not be noted; it is tried again");
                    clock.sleep_until(clock.now().plus_millis(AGAIN_MS)).await;
                }
                for told in waiting {
                    // Nobody waits any more when the server stops.
                    let _ = told.send(());
                }
            }
        });
        Self(sender)
    }

    /// Notes an end; returns when it is committed.
    pub(super) async fn finish(&self, ending: Ending) {
        let (told, noted) = oneshot::channel();
        if self.0.send((ending, told)).is_ok() {
            // An error says that the gathering ended with its process.
            let _ = noted.await;
        }
    }
}

fn tell_of_lost(endings: &[Ending], noted: &[JobId]) {
    if noted.len() < endings.len() {
        for ending in endings.iter().filter(|ending| !noted.contains(&ending.id)) {
            tracing::info!(job = %ending.id, attempt = ending.attempt, "a job had been called off or taken over when this attempt ended");
        }
    }
}
