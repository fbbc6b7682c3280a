//! Events, workflows, runs, the catalogue.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// What a `do` step can run.
    Node {
        /// `crm.contact.upsert` …
        id: String,
        /// For people.
        title: String,
        /// For people.
        description: String,
        /// The palette's group.
        category: String,
        /// `pure`, `transactional`, `external` or `at_most_once`.
        effect: String,
        /// JSON Schema of the input.
        #[schema(value_type = Object)]
        input: Value,
        /// JSON Schema of the output.
        output: Value,
        /// An input that works.
        example: Value,
        /// An output as it may look.
        example_output: Value,
        /// Hints for the form.
        ui: Value,
        /// The connector it belongs to.
        connector: Option<String>,
        /// Input and output hold personal data.
        personal: bool,
        /// The record that its output becomes.
        binds: Option<String>,
    }

    /// A type of event that somebody declares.
    EventType {
        /// `message.received` …
        r#type: String,
    }

    /// What became of an event that was handed in.
    Ingested {
        /// Our id of the event; of the first one when it is a duplicate.
        event_id: Uuid,
        /// It was known already: nothing happened.
        duplicate: bool,
        /// The runs that it started, known by now.
        run_ids: Vec<Uuid>,
    }

    /// Due times of a schedule: what would fire, or what became of each.
    Backfilled {
        /// Oldest first: `{ due }`, and once fired `event_id`, `duplicate` and `run_ids`.
        #[schema(value_type = Vec<Object>)]
        items: Value,
    }

    /// What became of the events that were handed in.
    IngestedList {
        /// In the order of the events.
        items: Vec<Ingested>,
    }

    /// An event with what routing noted on it.
    Event {
        /// Always `1.0`.
        specversion: String,
        /// The sender's id, else ours.
        id: String,
        /// Who says so.
        source: String,
        /// What kind.
        r#type: String,
        /// What it is about.
        subject: Option<String>,
        /// When it happened.
        #[schema(format = DateTime)]
        time: String,
        /// The facts.
        data: Value,
        /// Our id for it.
        event_id: Uuid,
        /// When it was taken in.
        #[schema(format = DateTime)]
        taken_in_at: String,
        /// What it started, reached, and what was refused.
        #[schema(value_type = Vec<Object>)]
        routing: Value,
    }

    /// A mistake in a definition.
    DefinitionProblem {
        /// `error`, `warning` or `hint`.
        severity: String,
        /// A stable name.
        code: String,
        /// What is wrong, and the remedy.
        message: String,
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// JSON pointer into the file.
        pointer: String,
        /// The text to put in its place.
        suggestion: Option<String>,
    }

    /// Whether a definition can be published.
    Validation {
        /// No problem is an error.
        valid: bool,
        /// In file order.
        problems: Vec<DefinitionProblem>,
    }

    /// A workflow.
    Workflow {
        /// Unique in the organisation.
        name: String,
        /// The version that new events start; null: it takes no starts.
        current_version: Option<u32>,
        /// Starts are taken in and held.
        paused: bool,
        /// When the current version was published.
        #[schema(format = DateTime)]
        published_at: Option<String>,
        /// When the draft was last changed, if there is one.
        #[schema(format = DateTime)]
        draft_updated_at: Option<String>,
        /// Runs that live.
        live_runs: u64,
        /// What people read; from the current version.
        description: Option<String>,
        /// The current version's file.
        source: Option<String>,
        /// The version on trial, which takes a share of the starts.
        rollout: Option<Rollout>,
        /// What starts it, from the current version: `{ kind: event|schedule|webhook|manual, … }`. A schedule says when it fires
        /// `next`, a webhook its `url`, a start by hand the JSON Schema of its `input`.
        #[schema(value_type = Vec<Object>)]
        triggers: Value,
        /// How many of its runs are in each status; those without any are left out.
        #[schema(value_type = Object)]
        runs: Value,
    }

    /// A workflow in a list.
    WorkflowSummary {
        /// Unique in the organisation.
        name: String,
        /// The version that new events start; null: it takes no starts.
        current_version: Option<u32>,
        /// Starts are taken in and held.
        paused: bool,
        /// When the current version was published.
        #[schema(format = DateTime)]
        published_at: Option<String>,
        /// When the draft was last changed, if there is one.
        #[schema(format = DateTime)]
        draft_updated_at: Option<String>,
        /// Runs that live.
        live_runs: u64,
    }

    /// A file that is being worked on.
    Draft {
        /// The workflow.
        workflow: String,
        /// The file's text.
        source: String,
        /// When it was saved.
        #[schema(format = DateTime)]
        updated_at: String,
        /// By whom.
        updated_by: Option<String>,
    }

    /// A published version in a list.
    VersionSummary {
        /// From 1.
        version: u32,
        /// SHA-256 of the file, hex.
        digest: String,
        /// The revision of the language that it is written in.
        language_revision: u32,
        /// When.
        #[schema(format = DateTime)]
        published_at: String,
        /// New events start it.
        current: bool,
    }

    /// A published version.
    Version {
        /// From 1.
        version: u32,
        /// SHA-256 of the file, hex.
        digest: String,
        /// The revision of the language that it is written in.
        language_revision: u32,
        /// When.
        #[schema(format = DateTime)]
        published_at: String,
        /// New events start it.
        current: bool,
        /// The file's text.
        source: String,
    }

    /// What two versions of a workflow differ in.
    VersionDifference {
        /// The older side.
        from: u32,
        /// The newer side; null for the draft.
        to: Option<u32>,
        /// The newer side is the draft.
        draft: bool,
        /// Their texts are the same.
        same: bool,
        /// Steps that were added, removed, changed or moved, in the order of the newer file, removed ones last.
        steps: Vec<StepDifference>,
        /// What stands above the steps: triggers (`on`), limits, variables ….
        settings: Vec<FieldDifference>,
        /// The unified diff of the texts.
        text: String,
    }

    /// What became of a step.
    StepDifference {
        /// Its key.
        step: String,
        /// For people.
        title: String,
        /// `added`, `removed`, `changed` or `moved`.
        change: String,
        /// It stands elsewhere; a changed step may have moved, too.
        moved: bool,
        /// Its line in the older file.
        line_was: Option<u32>,
        /// Its line in the newer file.
        line_now: Option<u32>,
        /// What it has otherwise than before, the steps inside it apart.
        fields: Vec<FieldDifference>,
    }

    /// A value that is not what it was; null where there is none.
    FieldDifference {
        /// The key.
        field: String,
        /// In the older version.
        was: Value,
        /// In the newer version.
        now: Value,
    }

    /// What became of runs that were to move to another version, or would.
    MigrationReport {
        /// Nothing was changed.
        dry_run: bool,
        /// The version.
        to: u32,
        /// Runs that were looked at.
        runs: u64,
        /// Runs that moved, began again or were cancelled, or would.
        moved: u64,
        /// Runs that went on meanwhile: ask again for them.
        changed: u64,
        /// The steps in which runs wait, and where they go on; a run that waits in several counts in each.
        steps: Vec<MigratedStep>,
        /// Why runs stay where they are.
        obstacles: Vec<MigrationObstacle>,
        /// `cursor` for the runs behind these; null when there are none.
        next_cursor: Option<String>,
    }

    /// A step in which runs wait, and what becomes of them.
    MigratedStep {
        /// The version that they are on.
        from: u32,
        /// The step.
        step: String,
        /// `event`, `timer`, `run`, `ask`, `retry` or `hold`.
        waits_for: String,
        /// `kept`, `mapped`, `restarted`, `cancelled`, `undone`, or `stays`.
        place: String,
        /// The step in which they go on.
        to_step: Option<String>,
        /// How many runs.
        runs: u64,
    }

    /// A reason for which runs stay on their version.
    MigrationObstacle {
        /// The version that they are on.
        from: u32,
        /// `busy`, `missing_step`, `unlike_step`, `undo` or `decides_otherwise`.
        code: String,
        /// What is in the way, and the remedy.
        message: String,
        /// How many runs.
        runs: u64,
        /// One of them.
        example: Uuid,
    }

    /// How the trial of a version stands.
    Rollout {
        /// The version.
        version: u32,
        /// The part of the keys whose starts it takes, from 0 to 1.
        share: Option<f64>,
        /// When it is held: more than the part `failed` of its first runs, `of` so many.
        #[schema(value_type = Option<Object>)]
        hold_if: Value,
        /// Since when.
        #[schema(format = DateTime)]
        since: String,
        /// Its runs that ended by themselves, counted up to `hold_if.of`.
        ended: u32,
        /// Those of them that failed.
        failed: u32,
        /// Since when it takes no starts any more and its runs are paused, because too many failed.
        #[schema(format = DateTime)]
        held_at: Option<String>,
    }

    /// Which version new events start.
    CurrentVersion {
        /// From now on.
        version: u32,
        /// Until now.
        was: Option<u32>,
    }

    /// How runs fare.
    WorkflowStats {
        /// How many runs are in each status; those without any are left out.
        #[schema(value_type = Object)]
        runs: Value,
        /// How many of its newest runs the steps are counted over.
        counted_runs: u32,
        /// In file order.
        steps: Vec<StepStats>,
    }

    /// How runs passed one step.
    StepStats {
        /// The step's key.
        step: String,
        /// For people.
        title: String,
        /// Began it.
        entered: u64,
        /// Are in it.
        waiting: u64,
        /// Came through it.
        left: u64,
        /// Failed in it.
        failed: u64,
    }

    /// What publishing gave.
    Published {
        /// The version.
        version: u32,
        /// Warnings and hints.
        problems: Vec<DefinitionProblem>,
    }

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
    }

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

    /// A ready workflow that comes with the server.
    GalleryItem {
        /// The workflow's name.
        name: String,
        /// What it does, in a sentence.
        description: String,
        /// The file's text: publish it to use it.
        source: String,
        /// What the organisation must have before it can do its work.
        needs: GalleryNeeds,
    }

    /// Names of things that a workflow needs.
    GalleryNeeds {
        /// Connections.
        connections: Vec<String>,
        /// Segments.
        segments: Vec<String>,
        /// Teams.
        teams: Vec<String>,
        /// Approved message templates.
        templates: Vec<String>,
        /// Other workflows.
        workflows: Vec<String>,
    }
}
