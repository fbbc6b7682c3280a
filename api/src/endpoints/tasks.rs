//! Tasks.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Page, Params, Payload, body::given},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, UserId};
use onward_core::Timestamp;
use onward_records::{
    ContactId, DealId, TaskId,
    tasks::{self, Assignee, NewTask, Task, TaskFilter, TaskPatch},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks, create_task))
        .routes(routes!(get_task, update_task, delete_task))
        .routes(routes!(complete_task))
        .routes(routes!(reopen_task))
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// `open` or `done`.
    status: Option<String>,
    /// For this user, by id.
    #[param(value_type = Option<String>)]
    assigned_user: Option<UserId>,
    /// For this team, by name.
    assigned_team: Option<String>,
    /// About this contact, by id.
    #[param(value_type = Option<String>)]
    contact: Option<ContactId>,
    /// About this deal, by id.
    #[param(value_type = Option<String>)]
    deal: Option<DealId>,
    /// Due before this time.
    #[param(value_type = Option<String>)]
    due_before: Option<Timestamp>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A task to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTask, example = json!({ "title": "Call back", "due_at": "2026-12-01T09:00:00Z", "team": "sales" }))]
struct New {
    /// What is to be done.
    title: String,
    /// More about it.
    #[serde(default)]
    text: String,
    /// By when.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// A user, by id or e-mail.
    #[serde(default)]
    user: Option<String>,
    /// A team, by name.
    #[serde(default)]
    team: Option<String>,
    /// About whom; the deal's contact when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    contact_id: Option<ContactId>,
    /// About which deal.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    deal_id: Option<DealId>,
}
impl Body for New {}

/// What changes; what is left out stays.
#[expect(clippy::option_option, reason = "absent leaves it, null clears it")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TaskChange, example = json!({ "due_at": null, "user": "meera@example.com" }))]
struct Patch {
    title: Option<String>,
    text: Option<String>,
    /// By when; `null`: no matter when.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Option<Timestamp>>,
    /// A user, by id or e-mail; takes it from a team. `null`: nobody.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    user: Option<Option<String>>,
    /// A team, by name; takes it from a user. `null`: nobody.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    team: Option<Option<String>>,
}
impl Body for Patch {}

/// Lists tasks, newest first.
#[utoipa::path(get, path = "/tasks", tag = "Tasks", params(Filter), responses((status = 200, body = shapes::Page<shapes::Task>)))]
async fn list_tasks(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("tasks", filter.limit, filter.cursor.as_deref())?;
    let done = match filter.status.as_deref() {
        None => None,
        Some("open") => Some(false),
        Some("done") => Some(true),
        Some(_) => return Err(Problem::bad_request("bad_query", "status is open or done")),
    };
    let wanted = TaskFilter {
        done,
        assigned_user: filter.assigned_user,
        assigned_team: filter.assigned_team,
        contact: filter.contact,
        deal: filter.deal,
        due_before: filter.due_before,
    };
    let found = tasks::list(&mut app.reader(), caller.organisation, &wanted, page.after.map(TaskId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |task| task.id.0, Task::to_value)))
}

/// Makes a task.
#[utoipa::path(post, path = "/tasks", tag = "Tasks", request_body = New, responses((status = 201, body = shapes::Task)))]
async fn create_task(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let body = payload.value;
    let assignee = Assignee { user: body.user, team: body.team };
    let new = NewTask { title: body.title, text: body.text, due_at: body.due_at, assignee, contact: body.contact_id, deal: body.deal_id };
    write(&app, &caller, key, move |tx, who| {
        let new = new.clone();
        Box::pin(async move {
            let task = tasks::create(tx, who.organisation, &who.actor(), new).await?;
            Ok(Answer::created(task.to_value(), format!("/api/v1/tasks/{}", task.id)).tagged())
        })
    })
    .await
}

/// Gives a task.
#[utoipa::path(get, path = "/tasks/{id}", tag = "Tasks", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Task)))]
async fn get_task(State(app): State<App>, caller: Caller, Id(id): Id<TaskId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let task = tasks::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("task", id))?;
    Ok(Answer::ok(task.to_value()).tagged())
}

/// Changes a task. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(patch, path = "/tasks/{id}", tag = "Tasks", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Task)))]
async fn update_task(State(app): State<App>, caller: Caller, Id(id): Id<TaskId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let body = payload.value;
    let assignee = if body.user.is_some() || body.team.is_some() { Some(Assignee { user: body.user.flatten(), team: body.team.flatten() }) } else { None };
    let patch = TaskPatch { title: body.title, text: body.text, due_at: body.due_at, assignee };
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (patch.clone(), seen.clone());
        Box::pin(async move {
            let present = tasks::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("task", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(tasks::update(tx, who.organisation, &who.actor(), id, patch).await?.to_value()).tagged())
        })
    })
    .await
}

/// Removes a task.
#[utoipa::path(delete, path = "/tasks/{id}", tag = "Tasks",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_task(State(app): State<App>, caller: Caller, Id(id): Id<TaskId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = tasks::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("task", id))?;
            seen.check(&present.to_value())?;
            tasks::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Notes that a task is done.
#[utoipa::path(post, path = "/tasks/{id}/complete", tag = "Tasks", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Task)))]
async fn complete_task(State(app): State<App>, caller: Caller, Id(id): Id<TaskId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(tasks::complete(tx, who.organisation, &who.actor(), id).await?.to_value()).tagged()) })
    })
    .await
}

/// Opens a task again.
#[utoipa::path(post, path = "/tasks/{id}/reopen", tag = "Tasks", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Task)))]
async fn reopen_task(State(app): State<App>, caller: Caller, Id(id): Id<TaskId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(tasks::reopen(tx, who.organisation, &who.actor(), id).await?.to_value()).tagged()) })
    })
    .await
}
