//! Tasks on tokio: the executor of a real server.

use onward_core::ports::{BoxFuture, Executor};
use tokio::runtime::Handle;

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
}
