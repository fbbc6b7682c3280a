//! What the loop counts and measures, for `/metrics`.
//!
//! What happens within a transaction is noted in its [`Tally`] and counted once its commit is confirmed: what was rolled back did not
//! happen. The handles are taken once, so that counting is an addition to an atomic number: no lock and no allocation a step. Labels
//! have a bounded number of values, none of which an organisation chooses.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use onward_core::ports::{Effect, HeldQueue, Outcome, RunStatus};
use std::{collections::HashMap, sync::Arc};

/// What happened in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) duplicates: u64,
    pub(crate) started: u64,
    pub(crate) taken_up_again: u64,
    pub(crate) forked: u64,
    ended: [u64; ENDS.len()],
    steps: [u64; EFFECTS.len()],
    pub(crate) retries: u64,
    pub(crate) recovered: u64,
    held: [u64; QUEUES.len()],
    attempts: Vec<(Arc<str>, usize)>,
}

const ENDS: [RunStatus; 3] = [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
const EFFECTS: [&str; 4] = ["pure", "transactional", "external", "at_most_once"];
const QUEUES: [&str; 6] = ["key", "concurrency", "rate", "debounce", "paused", "person"];
/// How an attempt of a step ends.
const OUTCOMES: [&str; 5] = ["done", "retry", "hold", "failed", "unknown"];

impl Tally {
    pub(crate) fn run_ended(&mut self, status: RunStatus) {
        if let Some(place) = ENDS.iter().position(|end| *end == status) {
            self.ended[place] += 1;
        }
    }
    pub(crate) fn step(&mut self, effect: Effect) {
        self.steps[match effect {
            Effect::Pure => 0,
            Effect::Transactional => 1,
            Effect::External => 2,
            Effect::AtMostOnce => 3,
        }] += 1;
    }
    pub(crate) fn start_held(&mut self, queue: &HeldQueue) {
        if let Some(place) = QUEUES.iter().position(|kind| *kind == queue.kind()) {
            self.held[place] += 1;
        }
    }
    /// An attempt of a step of this node ended so.
    pub(crate) fn attempt(&mut self, node: &Arc<str>, outcome: &Outcome) {
        let place = match outcome {
            Outcome::Done { .. } => 0,
            Outcome::Retry { .. } => 1,
            Outcome::Hold { .. } => 2,
            Outcome::Failed { .. } => 3,
            Outcome::Unknown { .. } => 4,
        };
        self.attempts.push((Arc::clone(node), place));
    }
}

/// What is known of a node's attempts.
struct NodeMeters {
    outcomes: [Counter; OUTCOMES.len()],
    seconds: Histogram,
}

impl NodeMeters {
    fn of(node: &str) -> Self {
        Self {
            outcomes: OUTCOMES.map(|outcome| counter!("onward_step_attempts_total", "node" => node.to_owned(), "outcome" => outcome)),
            seconds: histogram!("onward_step_seconds", "node" => node.to_owned()),
        }
    }
}

/// The handles.
pub(crate) struct Meters {
    events: Counter,
    duplicates: Counter,
    started: Counter,
    taken_up_again: Counter,
    forked: Counter,
    ended: [Counter; ENDS.len()],
    steps: [Counter; EFFECTS.len()],
    retries: Counter,
    recovered: Counter,
    held: [Counter; QUEUES.len()],
    /// Taken as nodes are first used; there are as many as the server knows.
    nodes: HashMap<String, NodeMeters>,
    pub(crate) commit_seconds: Histogram,
    pub(crate) commit_items: Histogram,
    pub(crate) commits_unconfirmed: Counter,
    pub(crate) commits_contended: Counter,
    pub(crate) timers_fired: Counter,
    pub(crate) timer_lateness: Histogram,
    pub(crate) leases_lost: Counter,
    pub(crate) quarantined: Counter,
    pub(crate) runs_in_memory: Gauge,
    pub(crate) timers_in_memory: Gauge,
    pub(crate) calls_running: Gauge,
    pub(crate) queue_bytes: Gauge,
    /// Messages that wait: our own, outcomes of calls, from outside, of the low lane; calls that wait for a place; queues of held starts
    /// that have somebody to let go.
    pub(crate) queues: [Gauge; LANES.len()],
}

/// The labels of [`Meters::queues`], in their order.
const LANES: [&str; 6] = ["own", "outcomes", "outside", "low", "calls", "held_starts"];

impl Meters {
    pub(crate) fn new() -> Self {
        // Counted where they happen, which is rare; they begin at nothing, so that the first shows as a rise.
        for rare in ["onward_held_starts_over_limit_total", "onward_rollouts_held_total", "onward_schedules_cut_total", "onward_schedules_fired_total"] {
            counter!(rare).increment(0);
        }
        for used in ["written", "used", "unfit"] {
            counter!("onward_checkpoints_total", "use" => used).increment(0);
        }
        Self {
            events: counter!("onward_events_total"),
            duplicates: counter!("onward_events_duplicate_total"),
            started: counter!("onward_runs_started_total"),
            taken_up_again: counter!("onward_runs_taken_up_again_total"),
            forked: counter!("onward_runs_forked_total"),
            ended: ENDS.map(|status| counter!("onward_runs_ended_total", "status" => status.as_str())),
            steps: EFFECTS.map(|effect| counter!("onward_steps_total", "effect" => effect)),
            retries: counter!("onward_step_retries_total"),
            recovered: counter!("onward_calls_recovered_total"),
            held: QUEUES.map(|queue| counter!("onward_starts_held_total", "queue" => queue)),
            nodes: HashMap::new(),
            commit_seconds: histogram!("onward_commit_seconds"),
            commit_items: histogram!("onward_commit_batch_items"),
            commits_unconfirmed: counter!("onward_commits_unconfirmed_total"),
            commits_contended: counter!("onward_commits_contended_total"),
            timers_fired: counter!("onward_timers_fired_total"),
            timer_lateness: histogram!("onward_timer_lateness_seconds"),
            leases_lost: counter!("onward_leases_lost_total"),
            quarantined: counter!("onward_runs_quarantined_total"),
            runs_in_memory: gauge!("onward_runs_in_memory"),
            timers_in_memory: gauge!("onward_timers_in_memory"),
            calls_running: gauge!("onward_calls_running"),
            queue_bytes: gauge!("onward_queue_bytes"),
            queues: LANES.map(|lane| gauge!("onward_queue_items", "queue" => lane)),
        }
    }

    /// Counts what a confirmed transaction did.
    pub(crate) fn count(&mut self, tally: Tally) {
        let Tally { events, duplicates, started, taken_up_again, forked, ended, steps, retries, recovered, held, attempts } = tally;
        let single = [
            (&self.events, events),
            (&self.duplicates, duplicates),
            (&self.started, started),
            (&self.taken_up_again, taken_up_again),
            (&self.forked, forked),
            (&self.retries, retries),
            (&self.recovered, recovered),
        ];
        let several = self.ended.iter().zip(ended).chain(self.steps.iter().zip(steps)).chain(self.held.iter().zip(held));
        for (counter, count) in single.into_iter().chain(several).filter(|(_, count)| *count > 0) {
            counter.increment(count);
        }
        for (node, outcome) in attempts {
            self.node(&node).outcomes[outcome].increment(1);
        }
    }

    /// An attempt of this node took so many microseconds.
    pub(crate) fn took(&mut self, node: &str, micros: i64) {
        self.node(node).seconds.record(seconds(micros));
    }

    /// Where the time of calls is recorded that are made beside the loop.
    pub(crate) fn seconds_of(&mut self, node: &str) -> Histogram {
        self.node(node).seconds.clone()
    }

    fn node(&mut self, node: &str) -> &NodeMeters {
        if !self.nodes.contains_key(node) {
            self.nodes.insert(node.to_owned(), NodeMeters::of(node));
        }
        &self.nodes[node]
    }
}

/// Prometheus measures in seconds.
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}
