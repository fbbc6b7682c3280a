//! The audit log.

use crate::{
    Answer, App, Caller, Problem,
    request::{Page, Params},
    shapes,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_audit_log))
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of one record: its kind (`user`, `token`, `connection` …). Goes with `subject_id`.
    subject: Option<String>,
    /// Of one record: its id.
    subject_id: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists who changed what, newest first.
#[utoipa::path(get, path = "/audit-log", tag = "Accounts", params(Filter), responses((status = 200, body = shapes::Page<shapes::AuditEntry>)))]
async fn list_audit_log(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let page = Page::read("audit", filter.limit, filter.cursor.as_deref())?;
    let subject = match (&filter.subject, &filter.subject_id) {
        (Some(kind), Some(id)) => Some((kind.as_str(), id.as_str())),
        (None, None) => None,
        _ => return Err(Problem::bad_request("bad_query", "subject and subject_id go together")),
    };
    let found = audit::list(&mut app.reader(), caller.organisation, subject, page.after, page.ask()).await?;
    Ok(Answer::ok(page.render(found, |entry| entry.id, audit::Entry::to_value)))
}
