//! Timers due all at once, and one here and there: how late they fire.

use super::{
    Bench,
    starts::{events, post},
};
use crate::{
    Result, clock,
    report::{Figure, Limit, Target},
    statistics,
    watch::Watch,
    workflows,
};
use onward_core::Timestamp;
use serde_json::json;

/// Timers of one measurement.
const TIMERS: usize = 10_000;
/// Events in an array.
const EVENTS: usize = 1_000;
/// Timers of a trickle, and the milliseconds over which they are spread.
const TRICKLE: (usize, i64) = (500, 5_000);
/// How late one of a trickle may be, in milliseconds: half of them, and nearly all.
const TRICKLE_AT_MOST: (f64, f64) = (2.0, 20.0);
/// How long before they are due they are set, in milliseconds.
const LEAD: i64 = 10_000;

/// 10,000 timers spread over one second, once more all due in the same millisecond, and a hundred a second.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let mut server = bench.server().await?;
    server.publish("alarm", &workflows::alarm("alarm", "benchmark.alarm")).await?;
    let watch = Watch::open(&server).await?;
    let mut connection = server.connection().await?;
    let timers = bench.settings.scaled(TIMERS);
    let many = bench.at_full_size(Target::AtMost(500.0));
    for (timers, spread, names, targets) in [
        (timers, 1_000, ["timer_lateness_p50_ms", "timer_lateness_p99_ms"], [None, many]),
        (timers, 0, ["timer_burst_p50_ms", "timer_burst_p99_ms"], [None, many]),
        (TRICKLE.0, TRICKLE.1, ["timer_trickle_p50_ms", "timer_trickle_p99_ms"], [TRICKLE_AT_MOST.0, TRICKLE_AT_MOST.1].map(|most| Some(Target::AtMost(most)))),
    ] {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for _ in 0..bench.settings.runs {
            let first_due = clock::wall_millis() + LEAD;
            let due = |timer: usize| first_due + spread * timer as i64 / timers as i64;
            let mut runs = Vec::with_capacity(timers);
            for begin in (0..timers).step_by(EVENTS) {
                let dues: Vec<i64> = (begin..(begin + EVENTS).min(timers)).map(due).collect();
                let body = events("benchmark.alarm", dues.iter().map(|due| json!({ "until": Timestamp::from_millis(*due) })));
                runs.extend(post(&mut connection, &body).await?.into_iter().zip(dues));
            }
            if clock::wall_millis() >= first_due {
                return Err(format!("setting {timers} timers took longer than {LEAD} ms").into());
            }
            let mut lateness = Vec::with_capacity(timers);
            for (run, due) in runs {
                let late = watch.completion(run).await?.wall_millis - due as f64;
                if late < 0.0 {
                    return Err(format!("run {run} woke {} ms early", -late).into());
                }
                lateness.push(late);
            }
            p50.extend(statistics::percentile(&mut lateness, 0.5));
            p99.extend(statistics::percentile(&mut lateness, 0.99));
        }
        let settings =
            json!({ "timers": timers, "due_within_ms": spread, "from": "the due time to the run's end seen over the WebSocket", "watch_gaps": watch.gaps() });
        for ((name, values), target) in names.into_iter().zip([p50, p99]).zip(targets) {
            bench.report.add(Figure::new(name, "ms", values).with(settings.clone()).target(target).limit(Limit::FdatasyncMillis));
        }
    }
    server.stop().await
}
