//! Many sleeping runs: what they cost while nothing happens.

use super::{
    Bench,
    starts::{events, post},
};
use crate::{
    Result, clock,
    report::{Figure, Target},
    workflows,
};
use serde_json::json;
use std::time::Duration;

/// Sleeping runs.
const RUNS: usize = 100_000;
/// Events in an array.
const EVENTS: usize = 1_000;
/// For how long the server is watched while it is idle.
const IDLE: Duration = Duration::from_secs(10);
/// Restarts after which the idle server is watched; each takes its time.
const IDLE_RESTARTS: usize = 3;
/// Bytes of a megabyte as people count memory.
const MEGABYTE: f64 = 1024.0 * 1024.0;

/// 100,000 runs asleep for a month, then restarts.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let mut server = bench.server().await?;
    server.publish("sleeper", &workflows::sleeper("sleeper", "benchmark.sleep")).await?;
    let runs = bench.settings.scaled(RUNS);
    server.stop().await?;
    let empty = server.database_bytes()?;
    server.start().await?;

    let mut connection = server.connection().await?;
    let begun = clock::now();
    for begin in (0..runs).step_by(EVENTS) {
        let body = events("benchmark.sleep", (begin..(begin + EVENTS).min(runs)).map(|number| json!({ "number": number })));
        post(&mut connection, &body).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after_start = server.memory()?;

    let (mut ready, mut resident, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for restart in 0..bench.settings.runs {
        server.kill().await?;
        server.start().await?;
        ready.push(server.ready_in.as_secs_f64() * 1000.0);
        // What is done right after a start is not idleness.
        clock::pause(Duration::from_secs(2)).await;
        if restart < IDLE_RESTARTS {
            idle.push(server.processor_share(IDLE).await?);
        }
        resident.push(server.memory()?.peak as f64 / MEGABYTE);
    }
    server.stop().await?;
    let bytes = (server.database_bytes()?.saturating_sub(empty)) as f64 / runs as f64;

    let settings = json!({ "runs": runs });
    let (memory, second, percent) =
        (bench.at_full_size(Target::AtMost(150.0)), bench.at_full_size(Target::AtMost(2_000.0)), bench.at_full_size(Target::AtMost(1.0)));
    let report = &mut bench.report;
    report.add(
        Figure::new("sleeping_starts_per_s", "runs/s", vec![runs as f64 / seconds])
            .with(json!({ "runs": runs, "events_in_an_array": EVENTS, "connections": 1 })),
    );
    report.add(
        Figure::new("sleeping_started_mb", "MB", vec![after_start.resident as f64 / MEGABYTE])
            .with(json!({ "runs": runs, "when": "all have just been started" }))
            .target(memory),
    );
    report.add(
        Figure::new("sleeping_ready_ms", "ms", ready).with(json!({ "runs": runs, "from": "the process's start after kill -9 to /readyz" })).target(second),
    );
    report.add(Figure::new("sleeping_mb", "MB", resident).with(json!({ "runs": runs, "when": "the most since the restart" })).target(memory));
    report.add(Figure::new("sleeping_idle_percent", "% of a core", idle).with(json!({ "runs": runs, "seconds": IDLE.as_secs() })).target(percent));
    report.add(Figure::new("sleeping_bytes", "bytes a run", vec![bytes]).with(settings));
    Ok(())
}
