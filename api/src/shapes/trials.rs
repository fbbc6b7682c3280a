//! What would be: replays, simulations, steps tried out.

use super::{Run, shapes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// A run with everything that a replay needs.
    Export {
        /// The run.
        run: Run,
        /// The version that it ran on.
        #[schema(value_type = Object)]
        definition: Value,
        /// The versions that the run was on before it was moved, shaped alike.
        #[schema(value_type = Vec<Object>)]
        earlier: Value,
        /// Every entry of its history.
        #[schema(value_type = Vec<Object>)]
        history: Value,
        /// SHA-256 over the rest, hex.
        digest: String,
    }

    /// Re-executions, run by run.
    ReplayReport {
        /// One for each run, newest first.
        runs: Vec<RunReport>,
        /// What they say together; null for a single run.
        summary: Option<ReplaySummary>,
    }

    /// What many re-executions say together.
    ReplaySummary {
        /// Runs that were executed again.
        runs: u64,
        /// With the same decisions.
        same: u64,
        /// With other ones.
        different: u64,
        /// Whose end nobody can know.
        unknown: u64,
        /// Where values are assumed somewhere.
        assumed: u64,
        /// Messages: `{ was, would }`.
        #[schema(value_type = Object)]
        messages: Value,
        /// Calls by node where their number changes, each `{ was, would }`.
        #[schema(value_type = Object)]
        calls: Value,
        /// Runs by end, each `{ was, would }`; `alive` have not ended.
        #[schema(value_type = Object)]
        statuses: Value,
        /// Runs that would fail and did not.
        would_fail: u64,
        /// The first of them.
        would_fail_runs: Vec<Uuid>,
        /// Runs that failed and would not.
        would_not_fail: u64,
        /// One sentence.
        text: String,
    }

    /// What re-executing one run gave.
    RunReport {
        /// The run.
        run_id: Uuid,
        /// No difference.
        same: bool,
        /// Where it begins to differ: `{ seq, step, was, would }`.
        #[schema(value_type = Vec<Object>)]
        differences: Value,
        /// Calls that would be made and were not.
        #[schema(value_type = Vec<Object>)]
        added: Value,
        /// Calls that were made and would not be.
        #[schema(value_type = Vec<Object>)]
        missing: Value,
        /// From this entry on, values are assumed.
        assumed_from: Option<u64>,
        /// The re-execution ends here for want of a value.
        unknown: Option<String>,
        /// How the run has ended; null while it lives.
        status: Option<String>,
        /// How it would have ended; null where it would not, or where nobody can know.
        would_status: Option<String>,
    }

    /// A play in virtual time. Of one run: `run_id, status, output, error, history, runs, calls, messages, emitted, refused,
    /// held, now, given_up`; of a crowd: its counts.
    Simulation {
        /// The play of one start; null for a crowd.
        #[schema(value_type = Option<Object>)]
        timeline: Value,
        /// The counts of a crowd: `contacts, runs, not_started, held, together, delays, statuses, exits, errors, steps, calls,
        /// messages, emitted, took`; null for one start.
        #[schema(value_type = Option<Object>)]
        counts: Value,
    }

    /// A step that was tried alone.
    TriedStep {
        /// The step.
        step: String,
        /// Its verb.
        verb: String,
        /// The node of a `do`.
        node: Option<String>,
        /// Its guard was false.
        skipped: bool,
        /// What the node would get, an `emit` would carry, a `set` would give.
        input: Value,
        /// What the node gives without an effect.
        output: Value,
        /// The branch that it would take.
        branch: Option<String>,
        /// Why it fails: `{ code, message, step, details }`.
        #[schema(value_type = Option<Object>)]
        error: Value,
        /// Fields of records that its expressions used.
        #[schema(value_type = Object)]
        reads: Value,
    }
}
