//! A queue as apalis sees it: where tasks come from, and what does them.

use super::{model::Job, queue::Queue};
use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{
        Task,
        builder::TaskBuilder,
        task_id::{RandomId, TaskId},
    },
    worker::context::WorkerContext,
};
use onward_core::ports::BoxFuture;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::layer::util::Identity;
use tower_service::Service;

/// Where a worker's tasks come from: claimed rows. It never fails, since apalis ends a worker whose backend does; what goes wrong
/// is tried again within.
pub(super) struct Source {
    queue: Arc<Queue>,
    claimed: VecDeque<Job>,
    claiming: Option<BoxFuture<'static, Vec<Job>>>,
}

impl Source {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, claimed: VecDeque::new(), claiming: None }
    }
}

impl Backend for Source {
    type Task = Task<Job>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, context: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Job>, Infallible>>> {
        loop {
            if let Some(job) = self.claimed.pop_front() {
                let id = TaskId::from_string(job.id.to_string());
                return Poll::Ready(Some(Ok(TaskBuilder::new(job).task_id(id).build())));
            }
            let queue = &self.queue;
            let claiming = self.claiming.get_or_insert_with(|| {
                let queue = Arc::clone(queue);
                Box::pin(async move { queue.next().await })
            });
            let jobs = ready!(claiming.as_mut().poll(context));
            self.claiming = None;
            self.claimed.extend(jobs);
        }
    }

    /// What was claimed and not begun is given back with everything else that the process still holds.
    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Job;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }
    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// What does a queue's jobs, under the layers that the runner puts around it.
#[derive(Clone)]
pub(super) struct Doing(pub(super) Arc<Queue>);

impl Service<Task<Job>> for Doing {
    type Response = ();
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let queue = Arc::clone(&self.0);
        let (job, _) = task.take();
        Box::pin(async move {
            queue.work(job).await;
            Ok(())
        })
    }
}
