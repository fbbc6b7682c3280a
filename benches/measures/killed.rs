//! A server killed amid its work: how much later everything ends, and how much is done again.

use super::{
    Bench,
    starts::{events, post},
};
use crate::{
    Result, clock,
    http::Connection,
    report::{Figure, Target},
    server::Server,
    workflows,
};
use onward_core::Timestamp;
use onward_sandbox::{Account, Config, Sandbox, SandboxHandle};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::net::TcpListener;
use uuid::Uuid;

/// Runs that begin together.
const RUNS: usize = 1_000;
/// Calls of a run, one after the other.
const STEPS: usize = 10;
/// Between two questions after a run.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// What may be lost to a kill, in milliseconds.
const AT_MOST_MORE: f64 = 1_500.0;

/// 1,000 runs of ten calls each, undisturbed, and with a `kill -9` half-way and a start right after it. The outside counts the calls
/// that it gets twice, by their keys.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let outside = outside().await?;
    let mut server = bench.server().await?;
    server.publish("calls", &workflows::calls("calls", "benchmark.calls", &format!("{}/http/calls", outside.base_url()), STEPS)).await?;
    let runs = bench.settings.scaled(RUNS);
    // The first time warms up.
    round(&mut server, runs, None).await?;
    let (mut undisturbed, mut more, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.settings.runs {
        let alone = round(&mut server, runs, None).await?;
        let before = repeated(&outside);
        let killed = round(&mut server, runs, Some(Duration::from_secs_f64(alone / 2_000.0))).await?;
        undisturbed.push(alone);
        more.push(killed - alone);
        again.push((repeated(&outside) - before) as f64);
    }
    server.stop().await?;
    let settings = json!({ "runs": runs, "steps": STEPS, "from": "histories: from the first start to the last end" });
    let target = bench.at_full_size(Target::AtMost(AT_MOST_MORE));
    let report = &mut bench.report;
    report.add(Figure::new("undisturbed_ms", "ms", undisturbed).with(settings.clone()));
    report.add(Figure::new("killed_more_ms", "ms", more).with(settings.clone()).target(target));
    report.add(Figure::new("killed_repeated", "calls made again", again).with(settings));
    Ok(())
}

/// Something to call, on this machine.
async fn outside() -> Result<SandboxHandle> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(Sandbox::start(listener, Config::new(Account::new("1", "none", "none", "none"), 1))?)
}

/// How many milliseconds the runs took, from the first start to the last end; killed and started again after so long.
async fn round(server: &mut Server, runs: usize, kill_after: Option<Duration>) -> Result<f64> {
    let mut connection = server.connection().await?;
    let started = post(&mut connection, &events("benchmark.calls", (0..runs).map(|number| json!({ "number": number })))).await?;
    if let Some(after) = kill_after {
        clock::pause(after).await;
        server.kill().await?;
        server.start().await?;
    }
    let mut connection = server.connection().await?;
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for run in started {
        let row = ended(&mut connection, run).await?;
        let moment = |name: &str| -> Result<i64> { Ok(row[name].as_str().ok_or("the run has no such time")?.parse::<Timestamp>()?.as_millis()) };
        first = first.min(moment("started_at")?);
        last = last.max(moment("ended_at")?);
    }
    Ok((last - first) as f64)
}

/// The run once it has ended well. Nobody tells of what ended before the kill, so it is asked for.
async fn ended(connection: &mut Connection, run: Uuid) -> Result<Value> {
    loop {
        let row = connection.get(&format!("/api/v1/runs/{run}")).await?.json()?;
        match row["status"].as_str() {
            Some("completed") => return Ok(row),
            Some("running" | "waiting") => clock::pause(ASK_EVERY).await,
            other => return Err(format!("run {run} is {other:?}").into()),
        }
    }
}

/// Calls that came under a key that had come before.
fn repeated(outside: &SandboxHandle) -> usize {
    let calls = outside.http_calls();
    let keys: BTreeSet<&String> = calls.iter().filter_map(|call| call.headers.get("idempotency-key")).collect();
    calls.len() - keys.len()
}
