//! Metrics: the process's recorder, rendered for `/metrics`.

use crate::cli::Failure;
use metrics_exporter_prometheus::PrometheusBuilder;
use onward_api::RenderMetrics;
use onward_core::ports::Clock as _;
use onward_database::SystemClock;
use std::sync::Arc;

/// Milliseconds between the recorder's house-keeping: histograms are drained, so that they do not grow.
const UPKEEP_MS: i64 = 5_000;

/// Starts the recorder of this process.
pub(super) fn start() -> Result<RenderMetrics, Failure> {
    let handle = PrometheusBuilder::new().install_recorder().map_err(|error| Failure::because("metrics cannot start", &error))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let clock = SystemClock::new();
        loop {
            clock.sleep_until(clock.now().plus_millis(UPKEEP_MS)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}
