//! Pausing and resuming: a run, a workflow, a step of it, a version of it, the organisation. Held, never skipped.

use crate::{
    Answer, App, Caller, Problem,
    request::{Body, Id, Name, Payload},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{
    OrganisationId, RunId, Value,
    ports::{Pause, PauseScope},
};
use onward_store::{pauses, queries};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(pause_run))
        .routes(routes!(resume_run))
        .routes(routes!(pause_workflow))
        .routes(routes!(resume_workflow))
        .routes(routes!(list_pauses))
        .routes(routes!(pause_organisation))
        .routes(routes!(resume_organisation))
}

/// Why something is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PauseReason, example = json!({ "reason": "the provider is down" }))]
struct Reason {
    /// For people.
    reason: Option<String>,
}
impl Body for Reason {
    const OPTIONAL: bool = true;
}

/// What of a workflow is meant; without `step` and `version`, all of it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WorkflowPart, example = json!({ "step": "invoice", "reason": "the bank is closed" }))]
struct Part {
    /// Only this step: every run that reaches it is held before it.
    step: Option<String>,
    /// Only this version: what it started, and its new starts.
    version: Option<u32>,
    /// For people.
    reason: Option<String>,
}
impl Body for Part {
    const OPTIONAL: bool = true;
}

/// Holds a run where it stands. Deadlines do not move; what falls due meanwhile is applied when it goes on.
#[utoipa::path(post, path = "/runs/{id}/pause", tag = "Runs", request_body = Option<Reason>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn pause_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, payload: Payload<Reason>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    let status = app.engine().pause(caller.organisation, id, &caller.by(), payload.value.reason).await?;
    note(&app, &caller, "run.paused", "run", id.to_string(), Value::Null).await?;
    Ok(Answer::accepted(serde_json::json!({ "run_id": id, "status": status })))
}

/// Lets a paused run go on, or a start that waits for a person. A run that is held with others is a conflict that says what
/// to resume.
#[utoipa::path(post, path = "/runs/{id}/resume", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn resume_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    let status = app.engine().resume(caller.organisation, id, &caller.by()).await?;
    note(&app, &caller, "run.resumed", "run", id.to_string(), Value::Null).await?;
    Ok(Answer::accepted(serde_json::json!({ "run_id": id, "status": status })))
}

/// Pauses a workflow: new starts and its runs are held, never skipped. With `step` only that step, with `version` only what that
/// version started.
#[utoipa::path(post, path = "/workflows/{name}/pause", tag = "Workflows", request_body = Option<Part>, params(("name" = String, Path)), responses((status = 200, body = shapes::Paused)))]
async fn pause_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Part>) -> Result<Answer, Problem> {
    set_workflow(&app, &caller, name, payload.value, true).await
}

/// Lets a workflow go on, or the step or version that is named.
#[utoipa::path(post, path = "/workflows/{name}/resume", tag = "Workflows", request_body = Option<Part>, params(("name" = String, Path)), responses((status = 200, body = shapes::Paused)))]
async fn resume_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Part>) -> Result<Answer, Problem> {
    set_workflow(&app, &caller, name, payload.value, false).await
}

async fn set_workflow(app: &App, caller: &Caller, name: String, part: Part, on: bool) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    let Part { step, version, reason } = part;
    let organisation = caller.organisation;
    let detail = serde_json::json!({ "step": step, "version": version, "reason": reason });
    match (step, version) {
        (Some(_), Some(_)) => return Err(Problem::invalid("/version", "give step or version, not both")),
        (None, None) => app.engine().set_workflow_paused(organisation, &name, on).await?,
        (Some(step), None) => {
            if on {
                check_step(app, organisation, &name, &step)?;
            }
            set(app, caller, PauseScope::Step { organisation, workflow: name.clone(), step }, reason, on).await?;
        }
        (None, Some(version)) => {
            queries::version(&mut app.reader(), organisation, &name, version)
                .await?
                .ok_or_else(|| Problem::not_found("version", format!("{version} of {name}")))?;
            set(app, caller, PauseScope::Version { organisation, workflow: name.clone(), version }, reason, on).await?;
        }
    }
    note(app, caller, if on { "workflow.paused" } else { "workflow.resumed" }, "workflow", name, detail).await?;
    Ok(Answer::ok(serde_json::json!({ "paused": on })))
}

fn check_step(app: &App, organisation: OrganisationId, name: &str, step: &str) -> Result<(), Problem> {
    let current = app.engine().current(organisation, name).ok_or_else(|| Problem::not_found("published version of workflow", name))?;
    if current.workflow.outline.iter().any(|known| *known.key == *step) {
        return Ok(());
    }
    let known: Vec<&str> = current.workflow.outline.iter().map(|known| &*known.key).collect();
    Err(Problem::invalid("/step", format!("there is no step {step:?} in {name}; there are {}", known.join(", "))))
}

async fn set(app: &App, caller: &Caller, scope: PauseScope, reason: Option<String>, on: bool) -> Result<bool, Problem> {
    Ok(app.engine().set_pause(Pause { scope, at: app.now(), by: caller.by(), reason }, on).await?)
}

/// Lists what is paused in the organisation, workflows apart, and what is due: what a resume would set going.
#[utoipa::path(get, path = "/pauses", tag = "Workflows", responses((status = 200, body = shapes::Pauses)))]
async fn list_pauses(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    Ok(Answer::ok(overview(&app, caller.organisation).await?))
}

async fn overview(app: &App, organisation: OrganisationId) -> Result<Value, Problem> {
    let mut reader = app.reader();
    let all = pauses::all(&mut reader).await?;
    let ours = all.iter().filter(|pause| pause.scope.organisation().is_none_or(|whose| whose == organisation));
    let items: Vec<Value> = ours
        .map(|pause| {
            let (scope, workflow, target) = pause.scope.parts();
            serde_json::json!({ "scope": scope, "workflow": workflow, "target": target, "at": pause.at, "by": pause.by, "reason": pause.reason })
        })
        .collect();
    let due = pauses::due(&mut reader, organisation, app.now()).await?;
    Ok(serde_json::json!({
        "items": items,
        "due": { "timers": due.timers, "oldest": due.oldest, "held_starts": due.held_starts, "paused_runs": due.paused_runs },
    }))
}

/// Pauses the organisation: nothing starts, no timer fires, no event is delivered; everything is kept and applied in order
/// when it goes on.
#[utoipa::path(post, path = "/pause", tag = "Workflows", request_body = Option<Reason>, responses((status = 200, body = shapes::Paused)))]
async fn pause_organisation(State(app): State<App>, caller: Caller, payload: Payload<Reason>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    set(&app, &caller, PauseScope::Organisation(caller.organisation), payload.value.reason, true).await?;
    note(&app, &caller, "organisation.paused", "organisation", caller.organisation.to_string(), Value::Null).await?;
    Ok(Answer::ok(serde_json::json!({ "paused": true })))
}

/// Lets the organisation go on. `GET /pauses` tells before what is due.
#[utoipa::path(post, path = "/resume", tag = "Workflows", responses((status = 200, body = shapes::Paused)))]
async fn resume_organisation(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    set(&app, &caller, PauseScope::Organisation(caller.organisation), None, false).await?;
    note(&app, &caller, "organisation.resumed", "organisation", caller.organisation.to_string(), Value::Null).await?;
    Ok(Answer::ok(serde_json::json!({ "paused": false })))
}

async fn note(app: &App, caller: &Caller, action: &'static str, subject: &'static str, id: String, after: Value) -> Result<Answer, Problem> {
    write(app, caller, None, move |tx, who| {
        let deed = audit::Deed { action, subject, subject_id: id.clone(), before: Value::Null, after: after.clone() };
        Box::pin(async move {
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::empty())
        })
    })
    .await
}
