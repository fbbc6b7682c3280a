//! Webhooks: a delivery is answered only after its commit, so an answer is a committed message.

use super::Bench;
use crate::{
    Result, clock,
    load::{self, Plan},
    report::{Figure, Limit, Target},
    whatsapp, workflows,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Connections side by side.
const CONNECTIONS: usize = 32;
/// People who write. Most of their contacts are made while warming up.
const SENDERS: u64 = 5_000;

/// No automation listens.
pub(super) async fn plain(bench: &mut Bench) -> Result<()> {
    measure(bench, false).await
}

/// One automation starts a run of one step for each message.
pub(super) async fn with_automation(bench: &mut Bench) -> Result<()> {
    measure(bench, true).await
}

async fn measure(bench: &mut Bench, automation: bool) -> Result<()> {
    let mut server = bench.server().await?;
    if automation {
        server.publish("on-message", &workflows::short("on-message", "message.received")).await?;
    }
    let connection = server.connection().await?.json("POST", "/api/v1/connections", &whatsapp::connection()).await?.json()?;
    let path: Arc<str> = format!("/hooks/whatsapp/{}", connection["id"].as_str().ok_or("the connection has no id")?).into();
    let plan =
        Plan { tasks: CONNECTIONS, warm_up: Duration::from_secs(4), windows: bench.settings.runs, length: Duration::from_secs_f64(bench.settings.seconds) };
    let (number, address) = (Arc::new(AtomicU64::new(0)), server.address());
    let windows = load::drive(plan, |_, meter| {
        let (number, path) = (Arc::clone(&number), Arc::clone(&path));
        async move {
            let mut connection = crate::http::Connection::open(address, None).await?;
            while meter.runs() {
                let (body, signature) = whatsapp::text_message(number.fetch_add(1, Ordering::Relaxed), SENDERS)?;
                let begun = clock::now();
                connection.post(&path, &signature, body.as_bytes()).await?.good()?;
                meter.record(begun.elapsed(), None);
            }
            Ok(())
        }
    })
    .await?;
    let (items, millis) = server.commits().await?;
    server.stop().await?;

    let settings = json!({
        "connections": CONNECTIONS, "senders": SENDERS, "messages_in_a_body": 1, "automation": automation, "seconds": bench.settings.seconds,
        "messages_of_a_commit": items, "commit_mean_ms": millis,
    });
    let names =
        if automation { ["webhooks_run_per_s", "webhook_run_p50_ms", "webhook_run_p99_ms"] } else { ["webhooks_per_s", "webhook_p50_ms", "webhook_p99_ms"] };
    // The targets are those without an automation.
    let target = |target| (!automation).then_some(target);
    let latencies = |share: f64| windows.iter().map(|window| window.latency_millis(share)).collect::<Vec<_>>();
    let per_second = windows.iter().map(load::Window::per_second).collect();
    let report = &mut bench.report;
    report.add(Figure::new(names[0], "messages/s", per_second).with(settings.clone()).target(target(Target::AtLeast(3_000.0))).limit(Limit::OneRow));
    report.add(Figure::new(names[1], "ms", latencies(0.5)).with(settings.clone()).limit(Limit::FdatasyncMillis));
    report.add(Figure::new(names[2], "ms", latencies(0.99)).with(settings).target(target(Target::AtMost(25.0))).limit(Limit::FdatasyncMillis));
    Ok(())
}
