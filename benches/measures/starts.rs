//! Short runs started by events.

use super::{Bench, steps::run_id};
use crate::{
    Result, clock,
    http::Connection,
    load::{self, Plan},
    report::{Figure, Limit},
    watch::Watch,
    workflows,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Tasks that each post an array, wait for the runs, and post the next.
const TASKS: usize = 16;
/// Events in an array.
const EVENTS: usize = 50;

/// Each event starts a run of one `debug.echo`; a run counts when its end was seen.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let mut server = bench.server().await?;
    server.publish("short", &workflows::short("short", "benchmark.short")).await?;
    let watch = Arc::new(Watch::open(&server).await?);
    let plan = Plan { tasks: TASKS, warm_up: Duration::from_secs(2), windows: bench.settings.runs, length: Duration::from_secs_f64(bench.settings.seconds) };
    let mut connections = Vec::new();
    for _ in 0..TASKS {
        connections.push(Some(server.connection().await?));
    }
    let connections = std::sync::Mutex::new(connections);
    let windows = load::drive(plan, |index, meter| {
        let connection = connections.lock().ok().and_then(|mut connections| connections.get_mut(index)?.take());
        let watch = Arc::clone(&watch);
        async move {
            let mut connection = connection.ok_or("there is a connection for each task")?;
            let body = events("benchmark.short", (0..EVENTS).map(|number| json!({ "number": number })));
            while meter.runs() {
                let begun = clock::now();
                for run in post(&mut connection, &body).await? {
                    let end = watch.completion(run).await?;
                    meter.record(end.at.saturating_duration_since(begun), Some(run));
                }
            }
            Ok(())
        }
    })
    .await?;
    server.stop().await?;
    let settings = json!({ "tasks": TASKS, "events_in_an_array": EVENTS, "steps": 1, "seconds": bench.settings.seconds, "watch_gaps": watch.gaps() });
    let per_second = windows.iter().map(load::Window::per_second).collect();
    bench.report.add(Figure::new("short_runs_per_s", "runs/s", per_second).with(settings).limit(Limit::BatchedRows));
    Ok(())
}

/// The body of `POST /events` for many events of one type.
pub(super) fn events(kind: &str, data: impl Iterator<Item = Value>) -> Vec<u8> {
    let events: Vec<Value> = data.map(|data| json!({ "type": kind, "data": data })).collect();
    Value::Array(events).to_string().into_bytes()
}

/// Posts events of which each starts one run; the runs.
pub(super) async fn post(connection: &mut Connection, body: &[u8]) -> Result<Vec<Uuid>> {
    let answer = connection.post("/api/v1/events", "", body).await?.json()?;
    let items = answer["items"].as_array().ok_or("the answer has no items")?;
    items.iter().map(|item| run_id(&item["run_ids"][0])).collect()
}
