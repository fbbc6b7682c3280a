//! Background jobs: what waits, what is done, what failed, and letting it come again.

use crate::{
    Answer, App, Caller, Problem,
    caller::Operator,
    request::{Id, Page, Params},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, Actor, audit};
use onward_core::{
    OrganisationId, Value,
    ports::{self, Lane},
};
use onward_database::{
    Tx,
    jobs::{self, Job, JobFilter, JobId, JobState, SERVER},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(get_job))
        .routes(routes!(retry_job))
        .routes(routes!(cancel_job))
        .routes(routes!(list_server_jobs))
        .routes(routes!(retry_server_job))
        .routes(routes!(cancel_server_job))
}

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// `pending`, `running`, `done`, `failed` or `cancelled`.
    state: Option<String>,
    /// What kind of work: `retention` …
    queue: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists background jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "Operations", params(Filter), responses((status = 200, body = shapes::Page<shapes::Job>)))]
async fn list_jobs(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    page(&app, caller.organisation, filter).await
}

/// Gives a background job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "Operations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Job)))]
async fn get_job(State(app): State<App>, caller: Caller, Id(id): Id<JobId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let job = jobs::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("job", id))?;
    Ok(Answer::ok(job.to_value()))
}

/// Lets a job come again that failed or was called off, with all its attempts; one that waits for its time comes at once.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "Operations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Job)))]
async fn retry_job(State(app): State<App>, caller: Caller, Id(id): Id<JobId>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(control(tx, who.organisation, &who.actor(), id, Control::Retry).await?.to_value())) })
    })
    .await
}

/// Calls a job off that is not over. What it has done stays done.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "Operations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Job)))]
async fn cancel_job(State(app): State<App>, caller: Caller, Id(id): Id<JobId>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(control(tx, who.organisation, &who.actor(), id, Control::Cancel).await?.to_value())) })
    })
    .await
}

/// Lists the server's own background jobs, newest first. Only the server's own command line may ask.
#[utoipa::path(get, path = "/server/jobs", tag = "Operations", params(Filter), responses((status = 200, body = shapes::Page<shapes::Job>)))]
async fn list_server_jobs(State(app): State<App>, _operator: Operator, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    page(&app, SERVER, filter).await
}

/// Lets one of the server's own jobs come again, at once. Only the server's own command line may.
#[utoipa::path(post, path = "/server/jobs/{id}/retry", tag = "Operations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Job)))]
async fn retry_server_job(State(app): State<App>, _operator: Operator, Id(id): Id<JobId>) -> Result<Answer, Problem> {
    control_server(&app, id, Control::Retry).await
}

/// Calls one of the server's own jobs off. Only the server's own command line may.
#[utoipa::path(post, path = "/server/jobs/{id}/cancel", tag = "Operations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Job)))]
async fn cancel_server_job(State(app): State<App>, _operator: Operator, Id(id): Id<JobId>) -> Result<Answer, Problem> {
    control_server(&app, id, Control::Cancel).await
}

async fn page(app: &App, organisation: OrganisationId, filter: Filter) -> Result<Answer, Problem> {
    let page = Page::read("jobs", filter.limit, filter.cursor.as_deref())?;
    let state = match filter.state.as_deref() {
        None => None,
        Some(text) => {
            Some(JobState::parse(text).ok_or_else(|| Problem::bad_request("bad_query", "state is one of pending, running, done, failed, cancelled"))?)
        }
    };
    let filter = JobFilter { state, queue: filter.queue };
    let found = jobs::list(&mut app.reader(), organisation, &filter, page.after.map(JobId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |job| job.id.0, Job::to_value)))
}

#[derive(Clone, Copy)]
enum Control {
    Retry,
    Cancel,
}

async fn control(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: JobId, control: Control) -> Result<Job, Problem> {
    let (action, changed) = match control {
        Control::Retry => ("job.retried", jobs::retry(tx, organisation, id).await?),
        Control::Cancel => ("job.cancelled", jobs::cancel(tx, organisation, id).await?),
    };
    let Some(job) = changed else {
        let job = jobs::get(tx, organisation, id).await?.ok_or_else(|| Problem::not_found("job", id))?;
        let why = match (control, job.state) {
            (Control::Retry, JobState::Failed | JobState::Cancelled | JobState::Pending) => "another one of its kind is not over yet".to_owned(),
            (_, state) => format!("the job is {}", state.as_str()),
        };
        return Err(Problem::conflict("conflict", why));
    };
    // The server's own belong to no organisation's audit log; the server's log has them.
    if organisation == SERVER {
        tracing::info!(job = %id, queue = job.queue, action, "by the command line");
    } else {
        let after = serde_json::json!({ "queue": job.queue });
        let deed = audit::Deed { action, subject: "job", subject_id: id.to_string(), before: Value::Null, after };
        audit::record(tx, organisation, actor, deed).await?;
    }
    Ok(job)
}

async fn control_server(app: &App, id: JobId, what: Control) -> Result<Answer, Problem> {
    let job = ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| Box::pin(async move { control(tx, SERVER, &Actor::System, id, what).await }));
    Ok(Answer::ok(job.await??.to_value()))
}
