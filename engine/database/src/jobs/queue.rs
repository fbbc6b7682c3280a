//! One queue in this process: claiming, doing, and how an attempt's end is noted.

use super::{
    finisher::Finisher,
    model::{Done, Job, JobFailure, JobHandler, JobId, JobRun, JobState},
    table::{self, Ending},
};
use crate::{Database, DatabaseError, Tx};
use onward_core::{
    NodeId, Timestamp,
    ports::{self, Clock, Lane, WriteError, Writer},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

/// Milliseconds for which a claim holds without being renewed.
pub(super) const CLAIM_MS: i64 = 60_000;
/// Milliseconds after which the table is looked at though nobody said anything: the safety net.
const UNASKED_MS: i64 = 60_000;
/// Milliseconds before a failed claim is tried again.
const AGAIN_MS: i64 = 1_000;
/// Jobs in one claim: what the low lane writes in a few milliseconds (SEMANTICS.md 7).
const MOST_AT_ONCE: usize = 256;

/// Milliseconds before a job that failed once comes again; doubled with each failure.
const FIRST_WAIT_MS: i64 = 1_000;
/// The longest such wait.
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// What all queues of a process share.
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) writer: Arc<dyn Writer<Tx>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Who claims.
    pub(super) worker: NodeId,
    pub(super) finisher: Finisher,
    /// Jobs that were claimed and have not ended here, with what tells them to stop. A claim whose commit was not confirmed is not among
    /// them, so that nobody renews it.
    held: Mutex<HashMap<JobId, watch::Sender<bool>>>,
    /// Told when a job was called off.
    pub(super) look_after_claims: Notify,
}

impl Shared {
    pub(super) fn new(database: Database, writer: Arc<dyn Writer<Tx>>, clock: Arc<dyn Clock>, worker: NodeId, finisher: Finisher) -> Self {
        Self { database, writer, clock, worker, finisher, held: Mutex::default(), look_after_claims: Notify::new() }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, watch::Sender<bool>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Tells every job to stop.
    pub(super) fn stop_all(&self) {
        for stop in self.held().values() {
            stop.send_replace(true);
        }
    }
    /// Tells those to stop that were held before and are still held by nobody here.
    pub(super) fn stop_lost(&self, before: &[JobId], still: &[JobId]) {
        let held = self.held();
        for stop in before.iter().filter(|id| !still.contains(id)).filter_map(|id| held.get(id)) {
            stop.send_replace(true);
        }
    }
    /// The jobs that are held.
    pub(super) fn held_jobs(&self) -> Vec<JobId> {
        self.held().keys().copied().collect()
    }
}

/// One queue.
pub(super) struct Queue {
    pub(super) shared: Arc<Shared>,
    pub(super) handler: Arc<dyn JobHandler>,
    /// Told when there may be something to do.
    pub(super) wanted: Notify,
}

impl Queue {
    /// Waits until there are jobs, and claims some.
    pub(super) async fn next(&self) -> Vec<Job> {
        let clock = &self.shared.clock;
        loop {
            let looked = match self.claim().await {
                Ok(Claim::Jobs(jobs)) => return jobs,
                Ok(Claim::NotBefore(due)) => due,
                Err(error) => {
                    tracing::warn!(%error, queue = self.handler.queue(), "jobs could not be claimed; it is tried again");
                    Some(clock.now().plus_millis(AGAIN_MS))
                }
            };
            let unasked = clock.now().plus_millis(UNASKED_MS);
            tokio::select! {
                () = self.wanted.notified() => {}
                () = clock.sleep_until(looked.map_or(unasked, |due| due.min(unasked))) => {}
            }
        }
    }

    /// Reads first, so that a queue with nothing to do writes nothing.
    async fn claim(&self) -> Result<Claim, ClaimError> {
        let shared = &self.shared;
        let due = table::next_due(&mut shared.database.reader(), self.handler.queue()).await?;
        let now = shared.clock.now();
        if due.is_none_or(|due| due > now) {
            return Ok(Claim::NotBefore(due));
        }
        let (queue, worker) = (self.handler.queue(), shared.worker);
        let limit = self.handler.concurrency().clamp(1, MOST_AT_ONCE);
        let claimed = ports::write(&*shared.writer, Lane::Low, move |tx: &mut Tx| {
            let until = ports::Transaction::now(tx).plus_millis(CLAIM_MS);
            Box::pin(async move { table::claim(tx, queue, worker, until, limit).await })
        })
        .await??;
        shared.held().extend(claimed.iter().map(|job| (job.id, watch::Sender::new(false))));
        // Others were faster.
        Ok(if claimed.is_empty() { Claim::NotBefore(None) } else { Claim::Jobs(claimed) })
    }

    /// Does one job, and returns when its end is committed.
    pub(super) async fn work(self: Arc<Self>, job: Job) {
        let shared = &self.shared;
        let stopping = shared.held().get(&job.id).map(watch::Sender::subscribe);
        let outcome = match stopping {
            Some(stopping) if !*stopping.borrow() => self.attempt(JobRun { job: job.clone(), stopping }).await,
            _ => Ok(Done::Interrupted),
        };
        let interrupted = matches!(outcome, Ok(Done::Interrupted));
        if let Some(ending) = ending(&job, outcome, shared.clock.now()) {
            let again = ending.state == JobState::Pending && !interrupted;
            shared.finisher.finish(ending).await;
            // Where several are done at a time the queue has looked while this one was at work, and knows nothing of its next time.
            if again {
                self.wanted.notify_one();
            }
        }
        shared.held().remove(&job.id);
    }

    /// One attempt, in a task of its own, so that it cannot take the others with it.
    async fn attempt(&self, run: JobRun) -> Result<Done, JobFailure> {
        let (clock, longest_ms) = (&self.shared.clock, self.handler.longest_ms());
        let handler = Arc::clone(&self.handler);
        let give_up = clock.sleep_until(clock.now().plus_millis(longest_ms));
        let mut attempt = Attempt(tokio::spawn(async move { handler.run(run).await }));
        tokio::select! {
            ended = &mut attempt.0 => ended.unwrap_or_else(|error| Err(JobFailure::passing(format!("the job's handler did not come to its end: {error}")))),
            () = give_up => Err(JobFailure::passing(format!("it took longer than {longest_ms} ms"))),
        }
    }
}

/// An attempt; ended when dropped.
struct Attempt(JoinHandle<Result<Done, JobFailure>>);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Claim {
    Jobs(Vec<Job>),
    NotBefore(Option<Timestamp>),
}

#[derive(Debug, thiserror::Error)]
enum ClaimError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What is noted of an attempt; `None`: its handler has noted it.
fn ending(job: &Job, outcome: Result<Done, JobFailure>, now: Timestamp) -> Option<Ending> {
    let over = |state, output| Ending { id: job.id, attempt: job.attempts, state, not_before: job.not_before, failures: job.failures, error: None, output };
    Some(match outcome {
        Ok(Done::Committed) => return None,
        Ok(Done::With(output)) => Ending { failures: 0, ..over(JobState::Done, Some(output)) },
        Ok(Done::Again { at, output }) => Ending { not_before: at, failures: 0, ..over(JobState::Pending, Some(output)) },
        Ok(Done::Interrupted) => over(JobState::Pending, None),
        Err(failure) => {
            let failures = job.failures.saturating_add(1);
            let dead = failure.for_good || failures >= job.max_attempts;
            tracing::warn!(job = %job.id, queue = job.queue, error = %failure, dead, "a job's attempt failed");
            let state = if dead { JobState::Failed } else { JobState::Pending };
            Ending { not_before: now.plus_millis(wait_ms(failures)), failures, error: Some(failure.message), ..over(state, None) }
        }
    })
}

/// Longer with each failure, up to a bound.
fn wait_ms(failures: i64) -> i64 {
    FIRST_WAIT_MS.saturating_mul(1 << (failures.clamp(1, 31) - 1)).min(LONGEST_WAIT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        assert_eq!([1, 2, 3, 12, 13, i64::MAX].map(wait_ms), [1_000, 2_000, 4_000, 2_048_000, LONGEST_WAIT_MS, LONGEST_WAIT_MS]);
    }
}
