//! Tasks on tokio: the executor of a real server.

use onward_core::ports::{BoxFuture, Executor};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs tasks on a tokio runtime.
#[derive(Clone, Debug)]
pub struct TokioExecutor {
    handle: Handle,
}

impl TokioExecutor {
    /// On this runtime.
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

impl Executor for TokioExecutor {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.handle.spawn(task));
    }

    fn spawn_all(&self, mut tasks: Vec<BoxFuture<'static, ()>>) {
        // The last one starts the others: its thread is awake by then.
        let Some(last) = tasks.pop() else { return };
        if tasks.is_empty() {
            return self.spawn(last);
        }
        let handle = self.handle.clone();
        self.spawn(Box::pin(async move {
            for task in tasks {
                drop(handle.spawn(task));
            }
            last.await;
        }));
    }

    fn spawn_apart(&self, task: BoxFuture<'static, ()>) {
        if self.handle.runtime_flavor() != RuntimeFlavor::MultiThread {
            return self.spawn(task);
        }
        let handle = self.handle.clone();
        let task = std::sync::Arc::new(std::sync::Mutex::new(Some(task)));
        let apart = std::sync::Arc::clone(&task);
        let thread = std::thread::Builder::new().name("onward-engine".into()).spawn(move || {
            if let Some(task) = take(&apart) {
                handle.block_on(task);
            }
        });
        // No thread to be had: beside the others, then.
        if let Err(error) = thread {
            tracing::warn!(%error, "the engine's loop gets no thread of its own");
            if let Some(task) = take(&task) {
                self.spawn(task);
            }
        }
    }
}

type Shared = std::sync::Mutex<Option<BoxFuture<'static, ()>>>;

fn take(shared: &Shared) -> Option<BoxFuture<'static, ()>> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}
