//! Durable steps: how many a second, and how long one takes.

use super::Bench;
use crate::{
    Result, clock,
    http::Connection,
    load::{self, Plan, Window},
    report::{Figure, Limit, Target},
    server::Server,
    statistics,
    watch::Watch,
    workflows,
};
use onward_core::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Steps of a run under load.
const STEPS: usize = 10;
/// Connections over which runs are started; more would only cost the load generator time.
const CONNECTIONS: usize = 64;
/// Runs of a window whose histories are read for the time of a step.
const SAMPLED_RUNS: usize = 200;
/// Steps of a run that is alone: many, so that its start weighs nothing.
const STEPS_ALONE: usize = 100;
/// Runs one after the other in one measurement of a run alone.
const RUNS_ALONE: usize = 10;

/// Ten sequential `debug.echo`, so many runs at a time.
pub(super) async fn many(bench: &mut Bench, at_a_time: usize) -> Result<()> {
    let mut server = bench.server().await?;
    server.publish("echo-chain", &workflows::echo_chain("echo-chain", STEPS)).await?;
    let watch = Arc::new(Watch::open(&server).await?);
    let mut connections = Vec::new();
    for _ in 0..at_a_time.min(CONNECTIONS) {
        connections.push(Arc::new(Mutex::new(server.connection().await?)));
    }
    let plan =
        Plan { tasks: at_a_time, warm_up: Duration::from_secs(2), windows: bench.settings.runs, length: Duration::from_secs_f64(bench.settings.seconds) };
    let windows = load::drive(plan, |index, meter| {
        let (connection, watch) = (Arc::clone(&connections[index % connections.len()]), Arc::clone(&watch));
        async move {
            while meter.runs() {
                let begun = clock::now();
                let run = start(&mut *connection.lock().await, "echo-chain").await?;
                let end = watch.completion(run).await?;
                meter.record(end.at.saturating_duration_since(begun), Some(run));
            }
            Ok(())
        }
    })
    .await?;

    let (items, millis) = server.commits().await?;
    let settings = json!({
        "steps": STEPS, "at_a_time": at_a_time, "seconds": bench.settings.seconds, "watch_gaps": watch.gaps(),
        "messages_of_a_commit": items, "commit_mean_ms": millis,
    });
    let per_second = windows.iter().map(|window| window.per_second() * STEPS as f64).collect();
    let of_runs = |share: f64| windows.iter().map(|window| window.latency_millis(share)).collect::<Vec<_>>();
    let (mut step_p50, mut step_p99) = (Vec::new(), Vec::new());
    for window in &windows {
        let mut millis = step_times(&server, window).await?;
        step_p50.extend(statistics::percentile(&mut millis, 0.5));
        step_p99.extend(statistics::percentile(&mut millis, 0.99));
    }
    server.stop().await?;

    let how = json!({ "at_a_time": at_a_time, "from": "history: from one step_completed to the next, to the millisecond", "runs_sampled": SAMPLED_RUNS });
    let from_outside = json!({ "at_a_time": at_a_time, "from": "the request that starts a run to its end seen over the WebSocket" });
    let names = if at_a_time == 64 {
        ["steps_per_s", "step_p50_ms", "step_p99_ms", "run_of_10_p50_ms", "run_of_10_p99_ms"]
    } else {
        ["steps_1000_per_s", "step_1000_p50_ms", "step_1000_p99_ms", "run_of_10_1000_p50_ms", "run_of_10_1000_p99_ms"]
    };
    // The targets are those of 64 runs at a time.
    let target = |target| (at_a_time == 64).then_some(target);
    let on_postgres = bench.settings.postgres.is_some();
    let report = &mut bench.report;
    report.add(
        Figure::new(names[0], "steps/s", per_second)
            .with(settings)
            .target(target(Target::AtLeast(if on_postgres { 15_000.0 } else { 20_000.0 })))
            .limit(Limit::BatchedRows),
    );
    report.add(Figure::new(names[1], "ms", step_p50).with(how.clone()).limit(Limit::FdatasyncMillis));
    report.add(Figure::new(names[2], "ms", step_p99).with(how).target(target(Target::AtMost(20.0))).limit(Limit::FdatasyncMillis));
    report.add(Figure::new(names[3], "ms", of_runs(0.5)).with(from_outside.clone()));
    report.add(Figure::new(names[4], "ms", of_runs(0.99)).with(from_outside));
    Ok(())
}

/// One run alone, again and again.
pub(super) async fn alone(bench: &mut Bench) -> Result<()> {
    let mut server = bench.server().await?;
    server.publish("echo-long", &workflows::echo_chain("echo-long", STEPS_ALONE)).await?;
    let watch = Watch::open(&server).await?;
    let mut connection = server.connection().await?;
    let mut medians = Vec::new();
    // The first round warms up.
    for round in 0..=bench.settings.runs {
        let mut per_step = Vec::new();
        for _ in 0..RUNS_ALONE {
            let run = start(&mut connection, "echo-long").await?;
            // From the answer on: the start is committed, all that follows are steps.
            let begun = clock::now();
            let end = watch.completion(run).await?;
            per_step.push(end.at.saturating_duration_since(begun).as_secs_f64() * 1000.0 / STEPS_ALONE as f64);
        }
        if round > 0 {
            medians.extend(statistics::percentile(&mut per_step, 0.5));
        }
    }
    server.stop().await?;
    let most = 2.5 * bench.report.limits().fdatasync_p50_micros / 1000.0;
    let settings = json!({ "steps": STEPS_ALONE, "runs_of_one_measurement": RUNS_ALONE, "from": "time of a run by its steps; the median of the runs" });
    bench.report.add(Figure::new("step_alone_p50_ms", "ms", medians).with(settings).target(Some(Target::AtMost(most))).limit(Limit::FdatasyncMillis));
    Ok(())
}

/// Starts a run by hand.
pub(super) async fn start(connection: &mut Connection, workflow: &str) -> Result<Uuid> {
    let answer = connection.post(&format!("/api/v1/workflows/{workflow}/runs"), "", br#"{"input":{}}"#).await?.json()?;
    run_id(&answer["run_id"])
}

/// A run's id in an answer.
pub(super) fn run_id(value: &Value) -> Result<Uuid> {
    Ok(value.as_str().ok_or("the answer names no run")?.parse()?)
}

/// Times of single steps in milliseconds, from the histories of some runs of the window.
async fn step_times(server: &Server, window: &Window) -> Result<Vec<f64>> {
    let mut connection = server.connection().await?;
    let mut millis = Vec::new();
    let every = (window.done.len() / SAMPLED_RUNS).max(1);
    for run in window.done.iter().step_by(every).filter_map(|done| done.run) {
        let history = connection.get(&format!("/api/v1/runs/{run}/history")).await?.json()?;
        let mut before: Option<Timestamp> = None;
        for entry in history["items"].as_array().ok_or("the history has no items")? {
            if entry["kind"] == "step_completed" {
                let at: Timestamp = entry["at"].as_str().ok_or("the entry has no time")?.parse()?;
                millis.extend(before.map(|before| at.millis_since(before) as f64));
                before = Some(at);
            }
        }
    }
    Ok(millis)
}
