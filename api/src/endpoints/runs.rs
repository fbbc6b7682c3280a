//! Runs: what they did, and asking them to end.

use crate::{
    Answer, App, Caller, Problem, export,
    idempotency::BoundKey,
    request::{Body, Cursor, Id, Page, Params, Payload, page},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{
    OrganisationId, RunId, Value, machine,
    ports::{RunRow, RunStatus, StoredRun},
};
use onward_runtime::StartRequest;
use onward_store::queries::{self, RunFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_runs))
        .routes(routes!(get_run))
        .routes(routes!(get_history))
        .routes(routes!(export_run))
        .routes(routes!(cancel_run))
}

/// Entries of a history that are given when nobody asks for a number: nearly every run whole.
pub(super) const ENTRIES: u32 = 1_000;

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this workflow.
    workflow: Option<String>,
    /// `held`, `running`, `waiting`, `paused`, `completed`, `failed` or `cancelled`.
    status: Option<String>,
    /// Of this key.
    key: Option<String>,
    /// Of this contact, by id.
    contact: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists runs, newest first. A run is listed as soon as its event is acknowledged.
#[utoipa::path(get, path = "/runs", tag = "Runs", params(Filter), responses((status = 200, body = shapes::Page<shapes::Run>)))]
async fn list_runs(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let page = Page::read("runs", filter.limit, filter.cursor.as_deref())?;
    let status = match filter.status.as_deref() {
        None => None,
        Some(text) => Some(
            RunStatus::parse(text)
                .ok_or_else(|| Problem::bad_request("bad_query", "status is held, running, waiting, paused, completed, failed or cancelled"))?,
        ),
    };
    let wanted = RunFilter { workflow: filter.workflow, status, key: filter.key, contact: filter.contact };
    let found = queries::list_runs(&mut app.reader(), caller.organisation, &wanted, page.ask() as usize, page.after.map(RunId)).await?;
    Ok(Answer::ok(page.render(found, |row| row.id.0, shape)))
}

/// Gives a run.
#[utoipa::path(get, path = "/runs/{id}", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Run)))]
async fn get_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let row = queries::run(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("run", id))?;
    Ok(Answer::ok(shape(&row)))
}

/// A run as people and programs see it: without what only the engine needs.
pub(crate) fn shape(row: &RunRow) -> Value {
    serde_json::json!({
        "id": row.id, "workflow": row.workflow, "version": row.version, "status": row.status, "key": row.key, "contact": row.contact,
        "input": row.input, "output": row.output, "error": row.error.as_ref().map(onward_core::StepError::to_value), "exit": row.exit,
        "event_id": row.event_id, "started_at": row.started_at, "ended_at": row.ended_at, "waiting_on": row.waiting_on,
        "questions": row.questions,
    })
}

/// Which part of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// Entries of a page, 1 to 100; without it up to 1,000.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Gives a run's history from its first entry on: `{ seq, at, kind, step, … }`, each kind with its own data.
#[utoipa::path(get, path = "/runs/{id}/history", tag = "Runs", params(("id" = String, Path, format = "uuid"), Part),
    responses((status = 200, body = shapes::Page<Object>, example = json!({ "items": [{ "seq": 1, "at": "2026-11-20T09:30:00.000Z", "kind": "run_started", "workflow": "welcome" }], "next_cursor": null }))))]
async fn get_history(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, Params(part): Params<Part>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let limit = match part.limit {
        None => ENTRIES,
        given => page::bounded(given)?,
    };
    let after = match &part.cursor {
        None => 0,
        Some(text) => {
            let broken = || Problem::bad_request("bad_cursor", "this cursor is broken; take `next_cursor` of the page before");
            // The run is part of the cursor: a cursor of another run's history means nothing here.
            let (run, seq) = Cursor::read("history", text)?.split_once(':').map(|(run, seq)| (run.to_owned(), seq.parse::<u64>())).ok_or_else(broken)?;
            if run != id.to_string() {
                return Err(broken());
            }
            seq.map_err(|_| broken())?
        }
    };
    let mut reader = app.reader();
    queries::run(&mut reader, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("run", id))?;
    let mut entries = queries::history_page(&mut reader, caller.organisation, id, after, limit as usize + 1).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|entry| Cursor::after("history", format!("{id}:{}", entry.seq)));
    let items = entries.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Problem::internal)?;
    Ok(Answer::ok(page::envelope(items, next)))
}

/// The run with its whole history, read beside the engine.
pub(crate) async fn stored(app: &App, organisation: OrganisationId, id: RunId) -> Result<StoredRun, Problem> {
    queries::stored_run(&mut app.reader(), organisation, id).await?.ok_or_else(|| Problem::not_found("run", id))
}

/// Gives a run, its definition and its whole history with a digest over them: enough to replay it without a database.
#[utoipa::path(get, path = "/runs/{id}/export", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Export)))]
async fn export_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    Ok(Answer::ok(exported(&app, caller.organisation, id).await?))
}

/// The export of a run, as it stands now.
pub(crate) async fn exported(app: &App, organisation: OrganisationId, id: RunId) -> Result<Value, Problem> {
    let run = stored(app, organisation, id).await?;
    let version = queries::version(&mut app.reader(), organisation, &run.row.workflow, run.row.version)
        .await?
        .ok_or_else(|| Problem::conflict("no_definition", format!("version {} of {} is not stored any more", run.row.version, run.row.workflow)))?;
    let mut earlier = Vec::new();
    for number in machine::versions_of(&run.entries).into_iter().filter(|number| *number != run.row.version) {
        earlier.extend(queries::version(&mut app.reader(), organisation, &run.row.workflow, number).await?);
    }
    export::render(shape(&run.row), &version, &earlier, &run.entries)
}

/// How a run is to end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Cancellation, example = json!({ "reason": "the order was cancelled by phone" }))]
struct Cancellation {
    /// Why; written into the history.
    reason: Option<String>,
    /// Skips `finally` and compensation.
    force: bool,
}
impl Body for Cancellation {
    const OPTIONAL: bool = true;
}

/// Asks a run to end. 202 with its state; calls in flight may still be settling. A run that has ended is a conflict.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "Runs", request_body = Option<Cancellation>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn cancel_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, payload: Payload<Cancellation>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    let Cancellation { reason, force } = payload.value;
    let status = app.engine().cancel(caller.organisation, id, &caller.by(), reason, force).await?;
    Ok(Answer::accepted(serde_json::json!({ "run_id": id, "status": status })))
}

/// Starts a run by hand; with a key, the answer is kept in the same transaction.
pub(crate) async fn start(app: &App, request: StartRequest, key: Option<BoundKey>) -> Result<Answer, Problem> {
    match key {
        None => Ok(started(&serde_json::to_value(app.engine().start_run(request).await?).map_err(Problem::internal)?)),
        Some(key) => {
            let (guard, kept) = key.guard(started);
            let done = app.engine().start_run_guarded(request, Some(guard)).await;
            kept.answer(done.map(|run| started(&serde_json::to_value(run).unwrap_or_default())))
        }
    }
}

fn started(run: &Value) -> Answer {
    Answer::accepted(run.clone())
}
