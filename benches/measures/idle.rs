//! What the product costs before it does anything, and what a step leaves behind.

use super::{Bench, steps};
use crate::{Result, clock, report::Figure, watch::Watch, workflows};
use serde_json::json;
use std::time::Duration;

/// For how long the server is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// Steps of a run whose history is weighed: many, so that the run itself weighs nothing.
const STEPS: usize = 100;
/// Runs that are weighed.
const RUNS: usize = 200;
/// Bytes of a megabyte as people count memory.
const MEGABYTE: f64 = 1024.0 * 1024.0;

/// An idle server, the binary, and the disk.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let binary = std::fs::metadata(&bench.settings.binary)?.len() as f64 / MEGABYTE;
    let mut server = bench.server().await?;
    clock::pause(Duration::from_secs(2)).await;
    let mut shares = Vec::new();
    for _ in 0..bench.settings.runs.min(3) {
        shares.push(server.processor_share(WATCHED).await?);
    }
    let resident = server.memory()?.resident as f64 / MEGABYTE;

    server.publish("echo-long", &workflows::echo_chain("echo-long", STEPS)).await?;
    server.stop().await?;
    let before = server.database_bytes()?;
    server.start().await?;
    let watch = Watch::open(&server).await?;
    let mut connection = server.connection().await?;
    let runs = bench.settings.scaled(RUNS);
    let mut started = Vec::new();
    for _ in 0..runs {
        started.push(steps::start(&mut connection, "echo-long").await?);
    }
    for run in started {
        watch.completion(run).await?;
    }
    server.stop().await?;
    let bytes = server.database_bytes()?.saturating_sub(before) as f64 / (runs * STEPS) as f64;

    let report = &mut bench.report;
    report.add(Figure::new("idle_mb", "MB", vec![resident]).with(json!({ "when": "a fresh database, nothing asked" })));
    report.add(Figure::new("idle_percent", "% of a core", shares).with(json!({ "seconds": WATCHED.as_secs() })));
    report.add(Figure::new("binary_mb", "MB", vec![binary]));
    report.add(Figure::new("step_bytes", "bytes a step", vec![bytes]).with(json!({ "steps": STEPS, "runs": runs, "when": "the log is moved into the file" })));
    Ok(())
}
