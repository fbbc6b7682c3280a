//! Moving runs to another version (SEMANTICS.md 28).

use super::workflows::{known, not_built_in};
use crate::{
    Answer, App, Caller, Problem,
    idempotency::{Note, noting},
    request::{Body, Cursor, Name, Payload, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{RunId, Value, machine::Mapping, ports::WriteError};
use onward_runtime::MigrationRequest;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(migrate_runs))
}

/// Runs of one request, when nobody asks for a number.
const USUAL: u32 = 1_000;
/// Runs of one request at the most.
const MOST: u32 = 10_000;
/// Steps that a request may name.
const STEPS: usize = 2_000;

/// Which runs are moved, and where to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RunMigration, example = json!({ "to": 4, "map": { "reply": "answer" }, "dry_run": true }))]
struct RunMigration {
    /// The version they move to; the current one when left out. With `undo`, the version that they were moved to.
    to: Option<u32>,
    /// Only runs of this version.
    from: Option<u32>,
    /// Old step to new step: the runs that wait there go on there, whatever the new version would have decided before.
    map: BTreeMap<String, String>,
    /// Runs that wait in these steps begin again on the new version.
    restart: BTreeSet<String>,
    /// Runs that wait in these steps are cancelled, with what that undoes.
    cancel: BTreeSet<String>,
    /// Steps whose undoing is given up.
    not_undone: BTreeSet<String>,
    /// Takes the move back, of runs that have decided nothing since.
    undo: bool,
    /// Only tells what would become of the runs.
    dry_run: bool,
    /// So many runs in this request, 1 to 10,000; 1,000 when left out.
    limit: Option<u32>,
    /// `next_cursor` of the request before.
    cursor: Option<String>,
}
impl Body for RunMigration {
    const OPTIONAL: bool = true;
}

/// Moves runs that rest to another version, or tells what would become of them.
///
/// A run goes on in the step in which it waits. That is `kept` where the new version would have made the same decisions up to there,
/// and `mapped` where `map` says so; `restart` and `cancel` say what else becomes of runs that wait in a step. Whatever cannot be
/// moved stays on its version, and `obstacles` says why. Each run is either moved or where it was, even after a crash: the same
/// request may be made again.
#[utoipa::path(post, path = "/workflows/{name}/migrate", tag = "Workflows", request_body = Option<RunMigration>, params(("name" = String, Path)), responses((status = 200, body = shapes::MigrationReport)))]
async fn migrate_runs(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<RunMigration>) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    not_built_in(&name)?;
    let body = payload.value;
    let current = known(&app, caller.organisation, &name).await?.current_version;
    let to = body.to.or(current).ok_or_else(|| Problem::conflict("no_version", format!("{} has no current version; say `to` which", shortened(&name))))?;
    let limit = body.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid("/limit", format!("is {limit}; it goes from 1 to {MOST}")));
    }
    if body.map.len() + body.restart.len() + body.cancel.len() + body.not_undone.len() > STEPS {
        return Err(Problem::invalid("/map", format!("a request names {STEPS} steps at the most")));
    }
    let after = match body.cursor.as_deref() {
        None => None,
        Some(text) => {
            let run = Cursor::read("migrate", text)?.parse::<uuid::Uuid>();
            Some(RunId(run.map_err(|_| Problem::bad_request("bad_cursor", "this cursor is broken; take `next_cursor` of the request before"))?))
        }
    };
    let request = MigrationRequest {
        organisation: caller.organisation,
        workflow: name.clone(),
        to,
        from: body.from,
        mapping: Mapping { steps: body.map, not_undone: body.not_undone },
        restart: body.restart,
        cancel: body.cancel,
        undo: body.undo,
        dry_run: body.dry_run,
        after,
        limit: limit as usize,
        by: caller.by(),
    };
    let who = Arc::new(caller.clone());
    let (from, undo) = (request.from, request.undo);
    let note: Note = Arc::new(move |tx, moved| {
        let (who, name) = (Arc::clone(&who), name.clone());
        let (before, after) = (serde_json::json!({ "version": from }), serde_json::json!({ "version": to, "runs": moved, "undo": undo }));
        let deed = audit::Deed { action: "workflow.runs_migrated", subject: "workflow", subject_id: name, before, after };
        Box::pin(async move { audit::record(tx, who.organisation, &who.actor(), deed).await.map_err(|error| WriteError::Database(error.to_string())) })
    });
    let report = app.engine().migrate_guarded(&request, &|| Some(noting(Arc::clone(&note)))).await?;
    let next = report.next.map(|run| Cursor::after("migrate", run));
    let mut shape = serde_json::to_value(&report).map_err(Problem::internal)?;
    if let Some(object) = shape.as_object_mut() {
        object.insert("to".into(), to.into());
        object.insert("dry_run".into(), request.dry_run.into());
        object.insert("next_cursor".into(), next.map_or(Value::Null, Cursor::shown));
    }
    Ok(Answer::ok(shape))
}
