//! Published versions: listed, compared, taken back.

use super::workflows::{known, not_built_in, note};
use crate::{
    Answer, App, Caller, Problem,
    request::{Body, Cursor, Name, Paging, Params, Payload, page, params::shortened},
    shapes,
};
use axum::extract::{Path, State};
use onward_accounts::Action;
use onward_core::{
    OrganisationId, Value,
    definition::{Workflow, differences},
    ports::PublishedVersion,
};
use onward_runtime::EngineError;
use onward_store::{drafts, queries, rollouts};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_versions))
        .routes(routes!(get_version))
        .routes(routes!(compare_versions))
        .routes(routes!(roll_back))
        .routes(routes!(promote))
}

/// Lists the published versions of a workflow, newest first.
#[utoipa::path(get, path = "/workflows/{name}/versions", tag = "Workflows", params(("name" = String, Path), Paging), responses((status = 200, body = shapes::Page<shapes::VersionSummary>)))]
async fn list_versions(State(app): State<App>, caller: Caller, Name(name): Name, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let limit = page::bounded(paging.limit)? as usize;
    let before = match paging.cursor.as_deref() {
        None => None,
        Some(text) => {
            let version = Cursor::read("versions", text)?.parse::<u32>();
            Some(version.map_err(|_| Problem::bad_request("bad_cursor", "this cursor is broken; take `next_cursor` of the page before"))?)
        }
    };
    let mut reader = app.reader();
    queries::workflow(&mut reader, caller.organisation, &name).await?.ok_or_else(|| Problem::not_found("workflow", shortened(&name)))?;
    let mut found = queries::list_versions(&mut reader, caller.organisation, &name, limit + 1, before).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| Cursor::after("versions", last.version));
    Ok(Answer::ok(page::envelope(found.iter().map(version_summary).collect(), next)))
}

fn version_summary(version: &PublishedVersion) -> Value {
    serde_json::json!({
        "version": version.version, "digest": version.digest, "language_revision": version.language_revision,
        "published_at": version.published_at, "current": version.current,
    })
}

/// Gives one published version with its file.
#[utoipa::path(get, path = "/workflows/{name}/versions/{version}", tag = "Workflows", params(("name" = String, Path), ("version" = u32, Path)), responses((status = 200, body = shapes::Version)))]
async fn get_version(State(app): State<App>, caller: Caller, Path((name, version)): Path<(String, String)>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let missing = || Problem::not_found("version", format!("{} of {}", shortened(&version), shortened(&name)));
    let number = version.parse::<u32>().map_err(|_| missing())?;
    let found = queries::version(&mut app.reader(), caller.organisation, &name, number).await?.ok_or_else(missing)?;
    let mut shape = version_summary(&found);
    if let Some(object) = shape.as_object_mut() {
        object.insert("source".into(), found.source.into());
    }
    Ok(Answer::ok(shape))
}

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Compared {
    /// The older side: a version; the one before `to` when left out.
    from: Option<String>,
    /// The newer side: a version, or `draft`; the current one when left out.
    to: Option<String>,
}

/// Compares two versions of a workflow, or the draft with a version: the text line by line, the steps by their keys, and what
/// stands above the steps.
#[utoipa::path(get, path = "/workflows/{name}/diff", tag = "Workflows", params(("name" = String, Path), Compared), responses((status = 200, body = shapes::VersionDifference)))]
async fn compare_versions(State(app): State<App>, caller: Caller, Name(name): Name, Params(compared): Params<Compared>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let current = known(&app, caller.organisation, &name).await?.current_version;
    let none = || Problem::conflict("no_version", format!("{} has no current version; name `from` and `to`", shortened(&name)));
    let draft = compared.to.as_deref() == Some("draft");
    let to = match compared.to.as_deref() {
        Some("draft") => None,
        Some(text) => Some(number(text, "to")?),
        None => Some(current.ok_or_else(none)?),
    };
    let from = match (compared.from.as_deref(), to) {
        (Some(text), _) => number(text, "from")?,
        (None, None) => current.ok_or_else(none)?,
        (None, Some(1)) => return Err(Problem::invalid("/from", "version 1 has none before it; name `from`")),
        (None, Some(to)) => to - 1,
    };
    let old = app.engine().definition(caller.organisation, &name, from).await?;
    let new = match to {
        Some(to) => app.engine().definition(caller.organisation, &name, to).await?,
        None => draft_of(&app, caller.organisation, &name).await?,
    };
    // Comparing large files takes a core for a while: off the async threads.
    let found = tokio::task::spawn_blocking(move || differences(&old, &new)).await.map_err(Problem::internal)?;
    let mut shape = serde_json::to_value(found).map_err(Problem::internal)?;
    if let Some(object) = shape.as_object_mut() {
        object.insert("from".into(), from.into());
        object.insert("to".into(), to.into());
        object.insert("draft".into(), draft.into());
    }
    Ok(Answer::ok(shape))
}

fn number(text: &str, name: &str) -> Result<u32, Problem> {
    text.parse().ok().filter(|version| *version > 0).ok_or_else(|| Problem::invalid(format!("/{name}"), format!("`{}` is no version", shortened(text))))
}

async fn draft_of(app: &App, organisation: OrganisationId, name: &str) -> Result<Arc<Workflow>, Problem> {
    let draft = drafts::get(&mut app.reader(), organisation, name).await?.ok_or_else(|| Problem::not_found("draft of", shortened(name)))?;
    let engine = app.engine().clone();
    let compiled = tokio::task::spawn_blocking(move || engine.compile(&draft.source)).await.map_err(Problem::internal)?;
    match compiled.workflow {
        Some(workflow) => Ok(Arc::new(workflow)),
        None => Err(EngineError::Invalid { problems: compiled.problems }.into()),
    }
}

/// To which version.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Rollback, example = json!({ "to": 3 }))]
struct Rollback {
    /// The version that new events start from now on; the one before the current one when left out.
    to: Option<u32>,
}
impl Body for Rollback {
    const OPTIONAL: bool = true;
}

/// Takes a version back. The one on trial, where there is one: it takes no starts any more. Else the current one: new events start
/// an older one. Published versions never change: nothing is published again, and runs stay on the version that they started with.
#[utoipa::path(post, path = "/workflows/{name}/rollback", tag = "Workflows", request_body = Option<Rollback>, params(("name" = String, Path)), responses((status = 200, body = shapes::CurrentVersion)))]
async fn roll_back(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Rollback>) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    not_built_in(&name)?;
    let current = known(&app, caller.organisation, &name).await?.current_version;
    let trial = rollouts::one(&mut app.reader(), caller.organisation, &name).await?.map(|state| state.version);
    let was = trial.or(current);
    let to = match (payload.value.to, was) {
        (Some(to), _) => to,
        (None, Some(_)) if trial.is_some() && current.is_some() => current.unwrap_or_default(),
        (None, Some(1)) => return Err(Problem::conflict("no_version", format!("version 1 of {} has none before it", shortened(&name)))),
        (None, Some(was)) => was - 1,
        (None, None) => return Err(Problem::conflict("no_version", format!("{} has no current version; say `to` which", shortened(&name)))),
    };
    if was == Some(to) && trial.is_none() {
        return Err(Problem::conflict("same_version", format!("version {to} of {} is the current one", shortened(&name))));
    }
    app.engine().set_current(caller.organisation, &name, Some(to)).await?;
    note(&app, &caller, "workflow.rolled_back", &name, serde_json::json!({ "version": was }), serde_json::json!({ "version": to })).await?;
    Ok(Answer::ok(serde_json::json!({ "version": to, "was": was })))
}

/// Ends the trial of a version well: it takes every start from now on. Where too many of its runs had failed, those that were held go
/// on.
#[utoipa::path(post, path = "/workflows/{name}/promote", tag = "Workflows", params(("name" = String, Path)), responses((status = 200, body = shapes::CurrentVersion)))]
async fn promote(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    let was = known(&app, caller.organisation, &name).await?.current_version;
    let trial = rollouts::one(&mut app.reader(), caller.organisation, &name).await?;
    let to = trial.ok_or_else(|| Problem::conflict("no_rollout", format!("no version of {} is on trial", shortened(&name))))?.version;
    app.engine().set_current(caller.organisation, &name, Some(to)).await?;
    note(&app, &caller, "workflow.promoted", &name, serde_json::json!({ "version": was }), serde_json::json!({ "version": to })).await?;
    Ok(Answer::ok(serde_json::json!({ "version": to, "was": was })))
}

/// How the trial of a version stands; null when none is on trial.
pub(super) async fn rollout(app: &App, organisation: OrganisationId, name: &str) -> Result<Value, Problem> {
    let Some(state) = rollouts::one(&mut app.reader(), organisation, name).await? else { return Ok(Value::Null) };
    // A version that does not compile any more takes no share; that it is on trial is shown all the same.
    let rules = app.engine().definition(organisation, name, state.version).await.ok().and_then(|program| program.rollout);
    let hold_if = rules.and_then(|rules| rules.hold_if).map(|hold_if| serde_json::json!({ "failed": hold_if.failed, "of": hold_if.of }));
    Ok(serde_json::json!({
        "version": state.version, "share": rules.map(|rules| rules.share), "hold_if": hold_if, "since": state.since,
        "ended": state.ended, "failed": state.failed, "held_at": state.held_at,
    }))
}
