//! Traces over OTLP: off unless a collector is named, and then free of cost.
//!
//! The rooms say what happens in the language of `tracing`: requests, calls of nodes and calls over HTTP as spans, what is told after a
//! commit (an event's routing, steps, runs) as events of a target of its own. A layer turns both into spans of OpenTelemetry; their ids
//! are derived (`onward_core::trace`), so that what a later process tells joins the trace.

mod export;
mod layer;
mod otlp;

use crate::cli::Failure;
use export::{Collector, WAITING};
pub(crate) use layer::Traces as Layer;
use onward_core::ports::{Clock as _, Ids as _};
use onward_database::{SystemClock, SystemIds};
use serde_json::json;
use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

/// Milliseconds that the last export may take when the server stops.
const END_MS: i64 = 5_000;

/// What the layer gathers, until the server exports it.
pub(crate) struct Gathered {
    collector: Collector,
    spans: mpsc::Receiver<otlp::Span>,
}

/// Gathered before there is a runtime to export it.
static GATHERED: Mutex<Option<Gathered>> = Mutex::new(None);

/// The layer that gathers spans, when the environment names a collector.
pub(crate) fn layer() -> Result<Option<Layer>, String> {
    let Some(collector) = Collector::of(|name| env::var(name).ok())? else { return Ok(None) };
    let (sender, spans) = mpsc::channel(WAITING);
    *GATHERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Gathered { collector, spans });
    Ok(Some(Layer::new(sender)))
}

/// The export under way.
pub(crate) struct Exporting {
    task: JoinHandle<()>,
    stop: Arc<Notify>,
}

impl Exporting {
    /// Exports what is left, as far as the collector takes it in time.
    pub(crate) async fn end(self) {
        self.stop.notify_one();
        let clock = SystemClock::new();
        tokio::select! {
            _ = self.task => {}
            () = clock.sleep_until(clock.now().plus_millis(END_MS)) => tracing::warn!("the collector does not take the last traces; they are dropped"),
        }
    }
}

/// Exports in the background from here on; `None` where traces are off.
pub(crate) fn export() -> Result<Option<Exporting>, Failure> {
    let Some(Gathered { collector, spans }) = GATHERED.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(None) };
    let client = export::client().map_err(|error| Failure::new(format!("traces cannot be exported: {error}")))?;
    let resource = vec![
        ("service.name", json!(env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "onward".into()))),
        ("service.version", json!(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", json!(SystemIds::new().fresh(SystemClock::new().now()).to_string())),
        ("process.pid", json!(std::process::id())),
    ];
    let stop = Arc::new(Notify::new());
    let task = tokio::spawn(export::go_on(collector, client, resource, spans, Arc::clone(&stop)));
    Ok(Some(Exporting { task, stop }))
}
