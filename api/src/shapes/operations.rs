//! What operators look at.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// The server itself.
    About {
        /// Its version.
        version: String,
        /// Where the demonstration's customer writes; null where it is none.
        sandbox_url: Option<String>,
    }

    /// How the organisation fares.
    Overview {
        /// The moment that this is about.
        at: String,
        /// Runs that live now, by status; those without any are left out. At the most 100,000 are counted.
        living: BTreeMap<String, u64>,
        /// Hours in which a run began, the oldest first.
        hours: Vec<RunsOfAnHour>,
        /// Where runs began to be counted: later than was asked when more than 50,000 began since.
        counted_since: String,
        /// The last 60 minutes in which an event came in, the oldest first.
        minutes: Vec<EventsOfAMinute>,
    }

    /// Runs that began within an hour.
    RunsOfAnHour {
        /// Its beginning.
        at: String,
        /// How many, by the status that they have now; those without any are left out.
        runs: BTreeMap<String, u64>,
    }

    /// Events that came in within a minute.
    EventsOfAMinute {
        /// Its beginning.
        at: String,
        /// How many.
        events: u64,
    }

    /// How many days runs are kept after their end.
    Retention {
        /// Where a workflow has no rule of its own.
        days: u32,
        /// Rules of workflows, by name.
        workflows: BTreeMap<String, u32>,
    }

    /// Work in the background that is no workflow.
    Job {
        /// Its id.
        id: Uuid,
        /// What kind of work: `retention` …
        queue: String,
        /// `pending`, `running`, `done`, `failed` or `cancelled`.
        state: String,
        /// When it is due.
        not_before: String,
        /// How often it was begun.
        attempts: i64,
        /// Attempts that failed; at `max_attempts` it is given up.
        failures: i64,
        /// See `failures`.
        max_attempts: i64,
        /// When it was wanted.
        created_at: String,
        /// When it was last begun.
        started_at: Option<String>,
        /// When it was over.
        ended_at: Option<String>,
        /// Why the last failed attempt failed.
        error: Option<String>,
        /// What it is about.
        input: Value,
        /// What it gave; of one that comes again and again, what it gave last.
        output: Value,
    }
}
