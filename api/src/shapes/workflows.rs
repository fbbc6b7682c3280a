//! Workflows: what they say, their versions, moves between them, the gallery.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
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
        /// How many of its newest runs `entered`, `left` and `failed` are counted over.
        counted_runs: u32,
        /// Since when `failed_today` is counted: the last midnight where the organisation is.
        #[schema(format = DateTime)]
        today: String,
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
        /// Are in it, whenever they began.
        waiting: u64,
        /// Came through it.
        left: u64,
        /// Failed in it.
        failed: u64,
        /// Runs that it failed today and that are failed still.
        failed_today: u64,
    }

    /// How the variants of a workflow's splits compare.
    WorkflowVariants {
        /// Over how many of its newest runs this is counted.
        counted_runs: u32,
        /// In file order.
        splits: Vec<SplitStats>,
    }

    /// How the variants of one split compare.
    SplitStats {
        /// The split's step.
        step: String,
        /// The event that it hopes for; null without a goal.
        goal: Option<String>,
        /// Why nobody can tell who came to the goal; null when it is told.
        not_told: Option<String>,
        /// In file order; then those of older versions.
        variants: Vec<VariantStats>,
    }

    /// How one variant fares.
    VariantStats {
        /// Its name.
        variant: String,
        /// Runs that were given it.
        entered: u64,
        /// Those of them that came to their end.
        completed: u64,
        /// Those of them that failed.
        failed: u64,
        /// Those of them whose goal was reached; null without one that can be told.
        reached: Option<u64>,
    }

    /// What publishing gave.
    Published {
        /// The version.
        version: u32,
        /// Warnings and hints.
        problems: Vec<DefinitionProblem>,
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
