//! Runs, what fails of them, and what holds them.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// A run that was asked for.
    StartedRun {
        /// The run.
        run_id: Uuid,
        /// Why it is held, when it did not start at once.
        held: Option<String>,
    }

    /// One run of a workflow.
    Run {
        /// Its id.
        id: Uuid,
        /// The workflow's name.
        workflow: String,
        /// The version it runs on.
        version: u32,
        /// `held`, `running`, `waiting`, `paused`, `completed`, `failed` or `cancelled`.
        status: String,
        /// What it is about.
        key: String,
        /// Its contact.
        contact: Option<String>,
        /// The start's input.
        input: Value,
        /// What it gave, once it ended well.
        output: Value,
        /// Why it failed.
        #[schema(value_type = Option<Object>)]
        error: Value,
        /// The event type of the `exit_on` that ended it.
        exit: Option<String>,
        /// The event that started it.
        event_id: Option<Uuid>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        started_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        ended_at: Option<String>,
        /// What it waits for.
        waiting_on: Value,
        /// What it asks people now, each `{ step, who, title, form, values, until }`; `null` when nothing.
        #[schema(value_type = Option<Vec<Object>>)]
        questions: Value,
    }

    /// Why a run does not move.
    WhyNot {
        /// The run.
        run_id: Uuid,
        /// Its workflow.
        workflow: String,
        /// `held`, `running`, `waiting`, `paused`, `completed`, `failed` or `cancelled`.
        status: String,
        /// The moment that this is about.
        #[schema(format = DateTime)]
        at: String,
        /// The reasons, what must be lifted first before what is waited for. Each has a `kind`, a sentence as `text`, and what belongs
        /// to it: `ended` (`status, at, exit, error, reason`), `unowned` (`shard, node, since`), `paused` (`scope, by, at, reason,
        /// resume`), `resuming`, `start` (`held_by, name, key, place, ahead, holders, priority, since, until, reason`), `settle` (`since,
        /// until, calls`), and for each step in progress `event` (`events: [{ name, event, match }], until`), `ask` (`who, title,
        /// until`), `timer` (`until`), `retry` (`node, attempt, until, error`), `hold` (`node, until, reason`), `run` (`workflow, run_id`, and
        /// the other run's own reasons as `why`), `step` (`node, attempt, timeout_ms`), each with `step` and `since`; or `working`.
        #[schema(value_type = Vec<Object>)]
        reasons: Value,
        /// Steps in progress besides those that are told.
        more: u64,
        /// Who works on its shard: `{ shard, node, until }`.
        #[schema(value_type = Object)]
        owner: Value,
    }

    /// A question to a person.
    Ask {
        /// The run that asks.
        run_id: Uuid,
        /// Its workflow.
        workflow: String,
        /// The run's contact.
        contact: Option<String>,
        /// The step that asks.
        step: String,
        /// `{ role }`, `{ user }` or `{ contact }`.
        #[schema(value_type = Object)]
        who: Value,
        /// The question.
        title: String,
        /// JSON Schema of the answer; `null`: approve or reject.
        #[schema(value_type = Option<Object>)]
        form: Value,
        /// What the form is filled with.
        values: Value,
        /// When the run goes on without an answer.
        #[schema(format = DateTime)]
        until: Option<String>,
        /// How a question to the contact stands with them: `{ status, problem, message_id, sent_at, misfits }`. The status is the
        /// message's, or `waiting` (nothing is written yet), `answered` (for a run that is paused), `for_person` (nobody understood
        /// the contact: a person passes the answer on). `null` for questions to others.
        #[schema(value_type = Option<Object>)]
        delivery: Value,
        /// Whether you may answer it.
        mine: bool,
    }

    /// The state of a run after a request.
    RunState {
        /// The run.
        run_id: Uuid,
        /// As in a run.
        status: String,
    }

    /// Runs that failed for the same cause.
    Failure {
        /// The cause's name: what `cause` of a repair takes.
        id: String,
        /// The workflow.
        workflow: String,
        /// The step that failed, without the iterations it was in.
        step: Option<String>,
        /// The error's code.
        code: String,
        /// The message, with `…` for what differs from run to run.
        message: String,
        /// How many runs.
        count: u64,
        /// When the first of them failed.
        #[schema(format = DateTime)]
        first_seen: String,
        /// When the last one did.
        #[schema(format = DateTime)]
        last_seen: String,
        /// The run that failed last.
        example: Uuid,
    }

    /// What a repair of many runs would do.
    BulkPreview {
        /// How many runs.
        count: u64,
        /// Even more match: they are for the next repair.
        more: bool,
        /// Of failed runs, by cause.
        causes: Vec<Failure>,
    }

    /// How far a repair of many runs is.
    BulkRepair {
        /// Its id.
        id: Uuid,
        /// `retry`, `skip` or `cancel`.
        action: String,
        /// Runs a minute at the most.
        per_minute: u32,
        /// Who asked for it.
        by: String,
        /// When.
        #[schema(format = DateTime)]
        created_at: String,
        /// When the last run was done.
        #[schema(format = DateTime)]
        ended_at: Option<String>,
        /// Runs that had no turn yet.
        pending: u64,
        /// Runs that were done.
        done: u64,
        /// Runs that refused.
        refused: u64,
        /// Runs that were left out when a person stopped it.
        stopped: u64,
        /// Some of those that refused: `{ run_id, reason }`.
        #[schema(value_type = Vec<Object>)]
        refusals: Value,
    }

    /// Whether something is paused now.
    Paused {
        /// It is.
        paused: bool,
    }

    /// Something that is paused.
    PausedPart {
        /// `everything`, `organisation`, `step`, `version` or `starts`.
        scope: String,
        /// The workflow, for a part of one.
        workflow: String,
        /// The step or the version.
        target: String,
        /// Since when.
        at: String,
        /// By whom.
        by: String,
        /// Why.
        reason: Option<String>,
    }

    /// What a resume would set going.
    DueWork {
        /// Timers that have fallen due.
        timers: u64,
        /// When the oldest of them was due.
        oldest: Option<String>,
        /// Starts that are held, for whatever reason.
        held_starts: u64,
        /// Runs that are paused.
        paused_runs: u64,
    }

    /// What is paused, and what is due.
    Pauses {
        /// Without paused workflows: those are listed as such.
        items: Vec<PausedPart>,
        /// What a resume would set going.
        due: DueWork,
    }

    /// A process that works on the database.
    ServerNode {
        /// Its id.
        id: Uuid,
        /// `all`, `api` (takes requests, owns no shards) or `worker`.
        role: String,
        /// Its version and address.
        about: String,
        /// Since when it is there.
        started_at: String,
        /// When it was last heard of.
        seen_at: String,
        /// That was lately.
        lives: bool,
        /// How many of the 256 shards it owns.
        shards: u64,
        /// Messages that wait for it.
        waiting: u64,
        /// Since when the oldest of them waits.
        waiting_since: Option<String>,
    }

    /// How large a table of the database is.
    TableSize {
        /// Its name.
        table: String,
        /// Rows; on PostgreSQL an estimate.
        rows: u64,
        /// Rows that were deleted or replaced and not yet cleared away; on SQLite there are none.
        dead_rows: u64,
        /// Bytes on the disk, with its indexes.
        bytes: u64,
    }

    /// How large the database is, and where.
    DatabaseSize {
        /// Bytes of all.
        bytes: u64,
        /// Bytes within that hold nothing and are used next; SQLite only.
        free_bytes: u64,
        /// Bytes of the write-ahead log; SQLite only.
        log_bytes: u64,
        /// The tables, the largest first; `null`: the file is too large to be looked through for a request.
        tables: Option<Vec<TableSize>>,
    }

    /// The whole server, every organisation in it.
    ServerState {
        /// Everything is paused.
        paused: bool,
        /// Since when.
        at: Option<String>,
        /// By whom.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// How many organisations there are.
        organisations: u64,
        /// What a resume would set going, of all of them together.
        due: DueWork,
        /// The processes that work on its database.
        nodes: Vec<ServerNode>,
        /// Shards that no process owns: what belongs to them waits.
        unowned_shards: u64,
    }
}
