//! Closed-loop load: tasks that each do one thing after the other, measured in windows while they run.

use crate::{Result, clock};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// One thing that was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// How long it took.
    pub(crate) latency: Duration,
    /// The run it was about, when it was about one.
    pub(crate) run: Option<Uuid>,
}

/// What was done within a window.
#[derive(Debug)]
pub(crate) struct Window {
    seconds: f64,
    /// Each thing.
    pub(crate) done: Vec<Done>,
}

impl Window {
    /// Things done in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.done.len() as f64 / self.seconds
    }
    /// The latency below which this share lies, in milliseconds.
    pub(crate) fn latency_millis(&self, share: f64) -> f64 {
        let mut millis: Vec<f64> = self.done.iter().map(|done| done.latency.as_secs_f64() * 1000.0).collect();
        crate::statistics::percentile(&mut millis, share).unwrap_or(f64::NAN)
    }
}

/// What a task of the load is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    done: Arc<Mutex<Vec<Done>>>,
    ended: Arc<AtomicBool>,
}

impl Meter {
    /// Whether to go on.
    pub(crate) fn runs(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }
    /// Notes one thing that was done.
    pub(crate) fn record(&self, latency: Duration, run: Option<Uuid>) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(Done { latency, run });
    }
    fn take(&self) -> Vec<Done> {
        std::mem::take(&mut self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How load is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Tasks side by side.
    pub(crate) tasks: usize,
    /// Not measured: connections are opened, caches filled.
    pub(crate) warm_up: Duration,
    /// How many windows.
    pub(crate) windows: usize,
    /// How long each.
    pub(crate) length: Duration,
}

/// Runs the tasks, and cuts what they do into windows.
pub(crate) async fn drive<F: Future<Output = Result<()>> + Send + 'static>(plan: Plan, task: impl Fn(usize, Meter) -> F) -> Result<Vec<Window>> {
    let meter = Meter::default();
    let mut tasks = JoinSet::new();
    for index in 0..plan.tasks {
        tasks.spawn(task(index, meter.clone()));
    }
    let measuring = async {
        clock::pause(plan.warm_up).await;
        meter.take();
        let mut windows = Vec::new();
        for _ in 0..plan.windows {
            let begun = clock::now();
            clock::pause(plan.length).await;
            windows.push(Window { seconds: begun.elapsed().as_secs_f64(), done: meter.take() });
        }
        windows
    };
    let windows = tokio::select! {
        windows = measuring => windows,
        ended = tasks.join_next() => {
            ended.ok_or("there is no load")???;
            return Err("a task of the load ended before its time".into());
        }
    };
    meter.ended.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(windows)
}
