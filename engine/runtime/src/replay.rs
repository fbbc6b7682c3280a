//! What-if over recorded runs: the histories come from the store, the rest is pure.

use onward_core::{
    RunId, Value,
    definition::Workflow,
    machine::{self, Report},
    ports::StoredRun,
};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What another definition would have done with one recorded run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// The comparison.
    #[serde(flatten)]
    pub report: Report,
}

/// Re-executes each history on a definition: on its own one it must be the same, on another one the differences are what
/// would have gone differently. Touches nothing outside (SEMANTICS.md 20).
///
/// `example` gives a node's example output, for calls that the record does not know.
pub fn what_if(runs: &[StoredRun], against: &Workflow, example: &dyn Fn(&str) -> Option<Value>) -> Vec<RunReport> {
    runs.iter()
        .map(|run| {
            let report = catch_unwind(AssertUnwindSafe(|| machine::replay_against(against, run.row.organisation, run.row.id, &run.entries, example)));
            let unknown = || Report { unknown: Some("the replay panicked; report this as a bug".into()), ..Report::default() };
            RunReport { run_id: run.row.id, report: report.unwrap_or_else(|_| unknown()) }
        })
        .collect()
}
