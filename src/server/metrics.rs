//! Metrics: the process's recorder, rendered for `/metrics` in Prometheus' text format.
//!
//! Rooms count as things happen; what can only be looked up (queues in the database, sizes, memory) is looked up when somebody asks,
//! and then at most once a second, whoever asks.

mod catalogue;
mod process;

use crate::cli::Failure;
use catalogue::{CATALOGUE, Kind};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use onward_api::{App, RenderMetrics};
use onward_core::{Timestamp, ports::Clock as _};
use onward_database::{Database, SystemClock};
use onward_store::queries;
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// Milliseconds between the recorder's house-keeping: histograms are drained, so that they do not grow.
const UPKEEP_MS: i64 = 5_000;
/// Milliseconds for which what was looked up is good.
const FRESH_MS: i64 = 1_000;
/// Rows that are counted at the most, of each kind.
const COUNTED: usize = 100_000;

/// The recorder, and where it looks things up.
#[derive(Clone)]
pub(super) struct Metrics {
    handle: PrometheusHandle,
    sources: Arc<OnceLock<Sources>>,
    looked_up: Arc<Mutex<Timestamp>>,
}

struct Sources {
    app: App,
    database: Database,
}

/// Starts the recorder of this process. Rooms that are opened later count with it.
pub(super) fn start() -> Result<Metrics, Failure> {
    let broken = |error: &dyn std::error::Error| Failure::new(format!("metrics cannot start: {error}"));
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in CATALOGUE {
        if let Kind::Histogram(buckets) = kind {
            builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets).map_err(|error| broken(&error))?;
        }
    }
    let handle = builder.install_recorder().map_err(|error| broken(&error))?;
    for (name, kind, help) in CATALOGUE {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Histogram(_) => describe_histogram!(*name, *help),
        }
    }
    gauge!("onward_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let clock = SystemClock::new();
        loop {
            clock.sleep_until(clock.now().plus_millis(UPKEEP_MS)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Metrics { handle, sources: Arc::default(), looked_up: Arc::new(Mutex::new(Timestamp::MIN)) })
}

impl Metrics {
    /// What `/metrics` says.
    pub(super) fn render(&self) -> RenderMetrics {
        let metrics = self.clone();
        Arc::new(move || {
            let metrics = metrics.clone();
            Box::pin(async move {
                metrics.look_up().await;
                metrics.handle.render()
            })
        })
    }

    /// From here on queues and sizes are told, too. What connectors and channels count begins at nothing, so that the first of a kind
    /// shows as a rise.
    pub(super) fn watch(&self, app: App, database: Database, alarm_bytes: u64) {
        gauge!("onward_database_alarm_bytes").set(alarm_bytes as f64);
        for connector in app.parts.connectors.ids().chain(["in"]) {
            counter!("onward_webhook_requests_total", "connector" => connector, "outcome" => "taken").increment(0);
        }
        counter!("onward_webhook_items_quarantined_total").increment(0);
        for channel in app.parts.connectors.all().filter_map(|connector| connector.channel()) {
            onward_messaging::send::count_from_nothing(channel.connector());
        }
        // It is set once, when the server starts.
        drop(self.sources.set(Sources { app, database }).err());
    }

    async fn look_up(&self) {
        let Some(Sources { app, database }) = self.sources.get() else { return };
        let mut looked_up = self.looked_up.lock().await;
        let now = app.now();
        if now.millis_since(*looked_up) < FRESH_MS {
            return;
        }
        *looked_up = now;
        let vitals = app.engine().vitals();
        gauge!("onward_accepting").set(if vitals.accepting { 1.0 } else { 0.0 });
        gauge!("onward_commit_lag_seconds").set(vitals.commit_lag_ms as f64 / 1_000.0);
        gauge!("onward_shards_owned").set(vitals.shards as f64);
        gauge!("onward_lease_remaining_seconds").set(vitals.lease_left_ms as f64 / 1_000.0);
        // While the database does not answer, what is looked up there stays as it was; that it does not shows elsewhere.
        if let Ok(backlog) = queries::backlog(&mut app.reader(), now, COUNTED).await {
            gauge!("onward_runs_running").set(backlog.running as f64);
            gauge!("onward_runs_paused").set(backlog.paused as f64);
            gauge!("onward_inbox_rows").set(backlog.inbox as f64);
            gauge!("onward_held_starts").set(backlog.held_starts as f64);
            gauge!("onward_timers_overdue").set(backlog.timers_overdue as f64);
        }
        if let Ok(report) = database.report().await {
            gauge!("onward_database_bytes").set(report.bytes as f64);
            gauge!("onward_database_free_bytes").set(report.free_bytes as f64);
            gauge!("onward_database_wal_bytes").set(report.log_bytes as f64);
            if let Some(left) = report.disk_bytes_left {
                gauge!("onward_disk_free_bytes").set(left as f64);
            }
        }
        process::look_up();
    }
}
