//! Workflows: drafts, published versions, starts by hand.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Cursor, IfMatch, Name, Paging, Params, Payload, etag, page, params::shortened},
    shapes, triggers,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{
    OrganisationId, Value,
    definition::{Compiled, Severity},
    limits,
};
use onward_messaging::workflow as built_in;
use onward_runtime::StartRequest;
use onward_store::{
    drafts::{self, Draft},
    queries::{self, WorkflowSummary},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_workflows))
        .routes(routes!(validate_workflow))
        .routes(routes!(get_workflow, put_workflow, delete_workflow))
        .routes(routes!(get_draft, put_draft, delete_draft))
        .routes(routes!(publish_workflow))
        .routes(routes!(start_run))
}

/// Characters of a workflow's name.
const NAME_LENGTH: usize = 100;

/// Lists workflows, by name.
#[utoipa::path(get, path = "/workflows", tag = "Workflows", params(Paging), responses((status = 200, body = shapes::Page<shapes::WorkflowSummary>)))]
async fn list_workflows(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let limit = page::bounded(paging.limit)? as usize;
    let after = paging.cursor.as_deref().map(|text| Cursor::read("workflows", text)).transpose()?;
    let mut found = queries::list_workflows(&mut app.reader(), caller.organisation, limit + 1, after.as_deref()).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| Cursor::after("workflows", &last.name));
    // A workflow that was deleted keeps its versions for the runs that are on them.
    let items = found.iter().filter(|summary| exists(summary)).map(serde_json::to_value).collect::<Result<_, _>>().map_err(Problem::internal)?;
    Ok(Answer::ok(page::envelope(items, next)))
}

fn exists(summary: &WorkflowSummary) -> bool {
    summary.current_version.is_some() || summary.draft_updated_at.is_some()
}

pub(super) async fn known(app: &App, organisation: OrganisationId, name: &str) -> Result<WorkflowSummary, Problem> {
    let found = queries::workflow(&mut app.reader(), organisation, name).await?;
    found.filter(exists).ok_or_else(|| Problem::not_found("workflow", shortened(name)))
}

/// Gives a workflow with the current version's file.
#[utoipa::path(get, path = "/workflows/{name}", tag = "Workflows", params(("name" = String, Path)), responses((status = 200, body = shapes::Workflow)))]
async fn get_workflow(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    whole(&app, caller.organisation, &name).await
}

async fn whole(app: &App, organisation: OrganisationId, name: &str) -> Result<Answer, Problem> {
    let summary = known(app, organisation, name).await?;
    let mut reader = app.reader();
    let current = match summary.current_version {
        Some(version) => queries::version(&mut reader, organisation, name, version).await?,
        None => None,
    };
    let runs = queries::status_counts(&mut reader, organisation, name, super::stats::RUNS_MOST).await?;
    let mut shape = serde_json::to_value(&summary).map_err(Problem::internal)?;
    let compiled = app.engine().current(organisation, name);
    let rollout = super::versions::rollout(app, organisation, name).await?;
    let triggers = match &compiled {
        Some(current) => triggers::render(app, organisation, current).await?,
        None => Vec::new(),
    };
    if let Some(object) = shape.as_object_mut() {
        object.insert("description".into(), compiled.and_then(|current| current.workflow.description.clone()).into());
        object.insert("source".into(), current.map(|version| version.source).into());
        object.insert("rollout".into(), rollout);
        object.insert("triggers".into(), triggers.into());
        object.insert("runs".into(), serde_json::to_value(runs).map_err(Problem::internal)?);
    }
    Ok(Answer::ok(shape))
}

/// What a workflow is set to; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WorkflowSettings, example = json!({ "current_version": 3 }))]
struct Settings {
    /// The file's text, saved as the draft; creates the workflow.
    source: Option<String>,
    /// The published version that new events start: an older one is a rollback.
    current_version: Option<u32>,
}
impl Body for Settings {
    const LIMIT: usize = SOURCE_BODY;
}

/// Bytes of a body that holds a file: in JSON a byte may take two and more.
const SOURCE_BODY: usize = 3 * limits::DEFINITION_BYTES;

/// Saves the draft of a workflow, or makes an older version current.
#[utoipa::path(put, path = "/workflows/{name}", tag = "Workflows", request_body = Settings, params(("name" = String, Path)), responses((status = 200, body = shapes::Workflow)))]
async fn put_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Settings>) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    let Settings { source, current_version } = payload.value;
    if source.is_none() && current_version.is_none() {
        return Err(Problem::invalid("", "give source, current_version, or both"));
    }
    if let Some(source) = source {
        save_draft(&app, &caller, name.clone(), source, IfMatch::default()).await?;
    }
    if let Some(version) = current_version {
        not_built_in(&name)?;
        let before = known(&app, caller.organisation, &name).await?.current_version;
        app.engine().set_current(caller.organisation, &name, Some(version)).await?;
        note(&app, &caller, "workflow.current_version_changed", &name, serde_json::json!({ "version": before }), serde_json::json!({ "version": version }))
            .await?;
    }
    whole(&app, caller.organisation, &name).await
}

/// Deletes a workflow: it takes no new starts and its draft is gone. Runs go on to their end on the version they started with.
#[utoipa::path(delete, path = "/workflows/{name}", tag = "Workflows", params(("name" = String, Path)), responses((status = 204)))]
async fn delete_workflow(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    not_built_in(&name)?;
    let before = known(&app, caller.organisation, &name).await?.current_version;
    if before.is_some() {
        app.engine().set_current(caller.organisation, &name, None).await?;
    }
    write(&app, &caller, None, move |tx, who| {
        let name = name.clone();
        Box::pin(async move {
            drafts::delete(tx, who.organisation, &name).await?;
            let deed = audit::Deed {
                action: "workflow.deleted",
                subject: "workflow",
                subject_id: name,
                before: serde_json::json!({ "version": before }),
                after: Value::Null,
            };
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// A workflow file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkflowFile, example = json!({ "source": "name: hello\non:\n  - event: lead.captured\nsteps:\n  - do: debug.log\n    with: { message: \"hello {{ event.data.name }}\" }\n" }))]
struct File {
    /// The file's text.
    source: String,
}
impl Body for File {
    const LIMIT: usize = SOURCE_BODY;
}

/// Gives the draft of a workflow.
#[utoipa::path(get, path = "/workflows/{name}/draft", tag = "Workflows", params(("name" = String, Path)), responses((status = 200, body = shapes::Draft)))]
async fn get_draft(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let draft = drafts::get(&mut app.reader(), caller.organisation, &name).await?.ok_or_else(|| Problem::not_found("draft of", shortened(&name)))?;
    Ok(draft_answer(&draft))
}

/// Saves the draft of a workflow; creates the workflow. `If-Match` refuses it when somebody else saved meanwhile.
///
/// A draft may have mistakes: `POST /workflows/validate` tells them.
#[utoipa::path(put, path = "/workflows/{name}/draft", tag = "Workflows", request_body = File,
    params(("name" = String, Path), ("If-Match" = Option<String>, Header, description = "the ETag that was read")), responses((status = 200, body = shapes::Draft)))]
async fn put_draft(State(app): State<App>, caller: Caller, Name(name): Name, seen: IfMatch, payload: Payload<File>) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    save_draft(&app, &caller, name, payload.value.source, seen).await
}

/// Drops the draft of a workflow; the published version stays.
#[utoipa::path(delete, path = "/workflows/{name}/draft", tag = "Workflows", params(("name" = String, Path)), responses((status = 204)))]
async fn delete_draft(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    write(&app, &caller, None, move |tx, who| {
        let name = name.clone();
        Box::pin(async move {
            let dropped = drafts::delete(tx, who.organisation, &name).await?;
            if dropped { Ok(Answer::empty()) } else { Err(Problem::not_found("draft of", shortened(&name))) }
        })
    })
    .await
}

async fn save_draft(app: &App, caller: &Caller, name: String, source: String, seen: IfMatch) -> Result<Answer, Problem> {
    check_name(&name)?;
    not_built_in(&name)?;
    check_source(&source)?;
    write(app, caller, None, move |tx, who| {
        let (name, source, seen) = (name.clone(), source.clone(), seen.clone());
        Box::pin(async move {
            match drafts::get(tx, who.organisation, &name).await? {
                Some(present) => seen.check_tag(&draft_tag(&present))?,
                None => seen.check_absent()?,
            }
            drafts::put(tx, who.organisation, &name, &source, Some(&who.by())).await?;
            let saved = drafts::get(tx, who.organisation, &name).await?.ok_or_else(|| Problem::internal("a draft that was just saved is not there"))?;
            Ok(draft_answer(&saved))
        })
    })
    .await
}

/// Over the file alone: saving the same text again is no change.
fn draft_tag(draft: &Draft) -> String {
    etag(&Value::from(draft.source.as_str()))
}

fn draft_answer(draft: &Draft) -> Answer {
    let Draft { workflow, source, updated_at, updated_by } = draft;
    let shape = serde_json::json!({ "workflow": workflow, "source": source, "updated_at": updated_at, "updated_by": updated_by });
    Answer::ok(shape).tagged_as(draft_tag(draft))
}

fn check_name(name: &str) -> Result<(), Problem> {
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=NAME_LENGTH).contains(&name.len()) && name.bytes().all(right) {
        return Ok(());
    }
    Err(Problem::invalid("/name", format!("`{}` cannot name a workflow; use lower-case letters, digits and hyphens, at most {NAME_LENGTH}", shortened(name))))
}

fn check_source(source: &str) -> Result<(), Problem> {
    if source.len() <= limits::DEFINITION_BYTES {
        return Ok(());
    }
    Err(Problem::invalid("/source", format!("a workflow file has at most {} bytes, this one {}", limits::DEFINITION_BYTES, source.len())))
}

pub(super) fn not_built_in(name: &str) -> Result<(), Problem> {
    if built_in::is_built_in(name) { Err(Problem::conflict("built_in", format!("{name} is built in; give your workflow another name"))) } else { Ok(()) }
}

/// Says what is wrong with a workflow file; nothing is stored.
#[utoipa::path(post, path = "/workflows/validate", tag = "Workflows", request_body = File, responses((status = 200, body = shapes::Validation)))]
async fn validate_workflow(State(app): State<App>, caller: Caller, payload: Payload<File>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let Compiled { workflow, mut problems } = compile(&app, payload.value.source).await?;
    if let Some(workflow) = &workflow {
        problems.extend(app.engine().missing(caller.organisation, workflow, Severity::Warning).await?);
    }
    let valid = !problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(Answer::ok(serde_json::json!({ "valid": valid, "problems": problems })))
}

/// Compiling a large file takes a core for milliseconds: off the async threads.
async fn compile(app: &App, source: String) -> Result<Compiled, Problem> {
    let engine = app.engine().clone();
    tokio::task::spawn_blocking(move || engine.compile(&source)).await.map_err(Problem::internal)
}

/// What is published.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Publication)]
struct Publication {
    /// The file's text; the draft when left out.
    source: Option<String>,
}
impl Body for Publication {
    const LIMIT: usize = SOURCE_BODY;
    const OPTIONAL: bool = true;
}

/// Publishes a version: from this answer on, the next event starts it. The same file as the current version makes none and
/// answers with that one, so that a repeated request is harmless.
#[utoipa::path(post, path = "/workflows/{name}/publish", tag = "Workflows", request_body = Option<Publication>, params(("name" = String, Path)),
    responses((status = 200, body = shapes::Published), (status = 422, description = "the file has mistakes; `problems` names them")))]
async fn publish_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Publication>) -> Result<Answer, Problem> {
    caller.may(Action::WriteWorkflows)?;
    check_name(&name)?;
    not_built_in(&name)?;
    let source = if let Some(source) = payload.value.source {
        source
    } else {
        let draft = drafts::get(&mut app.reader(), caller.organisation, &name).await?;
        draft.ok_or_else(|| Problem::conflict("no_draft", format!("{} has no draft; save one, or send `source`", shortened(&name))))?.source
    };
    check_source(&source)?;
    super::conversations::ensure_built_in(&app, caller.organisation).await?;
    let before = queries::workflow(&mut app.reader(), caller.organisation, &name).await?.and_then(|summary| summary.current_version);
    let published = app.engine().publish(caller.organisation, Some(&name), &source).await?;
    let version = published.version;
    write(&app, &caller, None, move |tx, who| {
        let (name, source) = (name.clone(), source.clone());
        Box::pin(async move {
            // The draft has become the version; one that says something else is somebody's work and stays.
            if drafts::get(tx, who.organisation, &name).await?.is_some_and(|draft| draft.source == source) {
                drafts::delete(tx, who.organisation, &name).await?;
            }
            if before != Some(version) {
                let (before, after) = (serde_json::json!({ "version": before }), serde_json::json!({ "version": version }));
                let deed = audit::Deed { action: "workflow.published", subject: "workflow", subject_id: name, before, after };
                audit::record(tx, who.organisation, &who.actor(), deed).await?;
            }
            Ok(Answer::empty())
        })
    })
    .await?;
    Ok(Answer::ok(serde_json::json!({ "version": version, "problems": published.problems })))
}

pub(super) async fn note(app: &App, caller: &Caller, action: &'static str, name: &str, before: Value, after: Value) -> Result<Answer, Problem> {
    let name = name.to_owned();
    write(app, caller, None, move |tx, who| {
        let deed = audit::Deed { action, subject: "workflow", subject_id: name.clone(), before: before.clone(), after: after.clone() };
        Box::pin(async move {
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// A run to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRun, example = json!({ "input": { "phone": "+919812345678", "name": "Asha" } }))]
struct NewRun {
    /// Becomes `input`; checked against the workflow's manual trigger.
    #[serde(default = "no_input")]
    input: Value,
    /// Instead of the workflow's `key`.
    key: Option<String>,
}
impl Body for NewRun {
    const OPTIONAL: bool = true;
}

fn no_input() -> Value {
    Value::Object(onward_core::Object::new())
}

/// Starts a run by hand. 202 after it is stored; it is listed from then on.
#[utoipa::path(post, path = "/workflows/{name}/runs", tag = "Runs", request_body = NewRun,
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request give the first one's answer, for 24 h")),
    responses((status = 202, body = shapes::StartedRun)))]
async fn start_run(State(app): State<App>, caller: Caller, once: Once, Name(name): Name, payload: Payload<NewRun>) -> Result<Answer, Problem> {
    caller.may(Action::StartRuns)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let NewRun { input, key: about } = payload.value;
    if about.as_deref().is_some_and(str::is_empty) {
        return Err(Problem::invalid("/key", "a key is not empty; leave it out to use the workflow's own"));
    }
    let request = StartRequest { organisation: caller.organisation, workflow: name, input, key: about };
    super::runs::start(&app, request, key).await
}
