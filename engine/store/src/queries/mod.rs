//! What API and command line read. Every function takes `&mut impl Query`: a reader, a snapshot, or a transaction.
//!
//! Lists are newest first, by id; the next page begins before the last id of this one.

mod backlog;
mod events;
mod nodes;
mod overview;
mod runs;
mod schedules;
mod standing;
mod steps;
mod workflows;

pub use backlog::{Backlog, backlog};
pub use events::{EventFilter, NotedEvent, event, list_events};
pub use nodes::{NodeAtWork, NodesAtWork, nodes_at_work};
pub use overview::{RUNS_OF_AN_OVERVIEW, events_by_time, living_runs, runs_by_time};
pub use runs::{RunFilter, asking_runs, erased_payloads, history_page, list_runs, run, stored_run, stored_runs};
pub use schedules::schedules;
pub use standing::{ahead_of, held_start, holders, owner};
pub use steps::{Choice, StepStats, choices, events_of_type, failed_since, status_counts, step_stats, waiting_longer};
pub use workflows::{WorkflowSummary, latest_version, list_versions, list_workflows, version, workflow};
