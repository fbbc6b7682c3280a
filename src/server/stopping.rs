//! The signal to stop, for everything that serves.

use crate::cli::Failure;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells that the process was asked to stop. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Watches for SIGTERM and SIGINT. A second signal ends the process at once, as if it were killed.
    pub(super) fn watch() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::because("signals cannot be read", &error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            let mut asked = 0;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                asked += 1;
                if asked > 1 {
                    tracing::warn!("asked to stop twice: ending at once");
                    std::process::exit(1);
                }
                stop.send_replace(true);
            }
        });
        Ok(Self(stopping))
    }

    /// Completes when the process is to stop.
    pub(super) async fn wait(mut self) {
        // The sender lives as long as the runtime; when it is gone there is nothing left to serve.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
