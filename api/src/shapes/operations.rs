//! What operators look at.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
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
