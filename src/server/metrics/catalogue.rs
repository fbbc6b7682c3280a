//! Every metric: name, kind, help. Names after the conventions of Prometheus: units are base units and end the name, counters end in
//! `_total`. Labels have a bounded number of values, and none is an organisation's: node and connector ids, kinds, statuses, routes.

/// How a metric is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in these buckets.
    Histogram(&'static [f64]),
}

use Kind::{Counter, Gauge, Histogram};

/// From a fast disk's sync to a call's time-out, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// By node, so fewer.
const STEP_SECONDS: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// How late, in seconds.
const LATE_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 60.0];
/// Messages in one transaction.
const ITEMS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

pub(super) const CATALOGUE: &[(&str, Kind, &str)] = &[
    ("onward_build_info", Gauge, "1, with the version of this build."),
    // What goes in and comes out.
    ("onward_events_total", Counter, "Events taken in, those that the engine and the rooms emit among them."),
    ("onward_events_duplicate_total", Counter, "Events that were known already and took no effect."),
    ("onward_runs_started_total", Counter, "Runs that began."),
    ("onward_runs_ended_total", Counter, "Runs that ended, by status."),
    ("onward_runs_taken_up_again_total", Counter, "Failed runs that a person took up again."),
    ("onward_runs_forked_total", Counter, "Copies of runs."),
    ("onward_runs_quarantined_total", Counter, "Runs that the engine set aside: their history or their version cannot be used."),
    ("onward_runs_running", Gauge, "Runs that are at work; of more than 100,000, that many."),
    ("onward_runs_paused", Gauge, "Runs that are paused; of more than 100,000, that many."),
    ("onward_runs_in_memory", Gauge, "Runs that the loop keeps in memory, at work or resting."),
    ("onward_steps_total", Counter, "Attempts of steps that began, by the effect of their node."),
    ("onward_step_retries_total", Counter, "Attempts of steps after the first."),
    ("onward_step_attempts_total", Counter, "Attempts of steps that ended, by node and outcome."),
    ("onward_step_seconds", Histogram(STEP_SECONDS), "How long an attempt of a step took, by node."),
    ("onward_calls_running", Gauge, "Calls to the outside that are under way."),
    ("onward_calls_recovered_total", Counter, "Calls that were under way when their process ended, and were taken up."),
    ("onward_sends_total", Counter, "Messages that the messaging policy judged, by channel and verdict."),
    ("onward_webhook_requests_total", Counter, "Requests to webhooks, by connector (`in`: a workflow's own) and outcome."),
    ("onward_webhook_items_quarantined_total", Counter, "Parts of webhooks that could not be read and were set aside."),
    ("onward_http_requests_total", Counter, "Requests to this server, by method, route and status."),
    ("onward_http_request_seconds", Histogram(SECONDS), "How long a request took, by method and route."),
    // What waits.
    ("onward_queue_items", Gauge, "Messages that wait for the loop, by queue."),
    ("onward_queue_bytes", Gauge, "Bytes of the messages that wait for the loop."),
    ("onward_inbox_rows", Gauge, "Stored messages to runs that are not applied yet; of more than 100,000, that many."),
    ("onward_held_starts", Gauge, "Starts that are held; of more than 100,000, that many."),
    ("onward_starts_held_total", Counter, "Starts that were held, by what holds them."),
    ("onward_held_starts_over_limit_total", Counter, "Starts that were refused because too many are held."),
    ("onward_timers_overdue", Gauge, "Stored timers that are due and have not fired; of more than 100,000, that many."),
    ("onward_timers_in_memory", Gauge, "Timers of the near future."),
    ("onward_timers_fired_total", Counter, "Timers that fired."),
    ("onward_timer_lateness_seconds", Histogram(LATE_SECONDS), "How long after its due time a timer was taken up."),
    ("onward_schedules_fired_total", Counter, "Due times of schedules that fired."),
    ("onward_schedules_cut_total", Counter, "Missed times of schedules that were more than one may make up for."),
    ("onward_rollouts_held_total", Counter, "Versions on trial that were held because too many of their runs failed."),
    // Commits.
    ("onward_accepting", Gauge, "1 while new work is taken in."),
    ("onward_commit_lag_seconds", Gauge, "How long the transaction under way has been."),
    ("onward_commit_seconds", Histogram(SECONDS), "How long a transaction took, from its begin to its confirmed commit."),
    ("onward_commit_batch_items", Histogram(ITEMS), "Messages that were committed together."),
    ("onward_commits_unconfirmed_total", Counter, "Transactions that did not end in a confirmed commit."),
    ("onward_commits_contended_total", Counter, "Transactions that gave way to another server's, which held what they wanted, and were done again."),
    ("onward_checkpoints_total", Counter, "Checkpoints of long runs: written, used, unfit."),
    // Shards.
    ("onward_shards_owned", Gauge, "Shards that this node owns, of 256."),
    ("onward_lease_remaining_seconds", Gauge, "How long this node's leases last unless they are prolonged."),
    ("onward_leases_lost_total", Counter, "Times that another node took this one's shards."),
    ("onward_spans_exported_total", Counter, "Spans that the collector took."),
    ("onward_spans_dropped_total", Counter, "Spans that were dropped because the collector did not take them."),
    // The house.
    ("onward_database_bytes", Gauge, "Size of the database."),
    ("onward_database_alarm_bytes", Gauge, "From which size of the database on somebody wants to know; 0: nobody said."),
    ("onward_database_free_bytes", Gauge, "Bytes of the database that are free for use again."),
    ("onward_database_wal_bytes", Gauge, "Size of the write-ahead log."),
    ("onward_disk_free_bytes", Gauge, "What is left of the database's disk."),
    ("process_resident_memory_bytes", Gauge, "Resident memory of the process."),
    ("process_cpu_seconds_total", Counter, "Processor time of the process."),
    ("process_open_fds", Gauge, "Open files and sockets of the process."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_conventions() {
        let mut names = BTreeSet::new();
        for (name, kind, help) in CATALOGUE {
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("onward_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), matches!(kind, Counter), "{name}");
            assert!(help.ends_with('.') && help.len() > 10, "{name} has no help");
            if let Histogram(buckets) = kind {
                assert!(buckets.is_sorted() && buckets.len() <= 16, "{name}");
            }
        }
    }
}
