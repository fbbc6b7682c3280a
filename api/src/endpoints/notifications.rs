//! What the caller was told. Only people are told: a token sees nothing here.

use crate::{
    Answer, App, Caller, Problem,
    caller::Identity,
    request::{Id, Page, Params},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::UserId;
use onward_messaging::{
    NotificationId,
    notifications::{self, Notification},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_notifications)).routes(routes!(read_notification)).routes(routes!(read_all_notifications))
}

/// Which notifications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only what was not read yet.
    #[serde(default)]
    unread: bool,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn person(caller: &Caller) -> Option<UserId> {
    match &caller.identity {
        Identity::Session { user, .. } => Some(user.id),
        Identity::Token(_) | Identity::Local => None,
    }
}

/// Lists what the caller was told, newest first.
#[utoipa::path(get, path = "/notifications", tag = "Notifications", params(Filter), responses((status = 200, body = shapes::Page<shapes::Notification>)))]
async fn list_notifications(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    let page = Page::read("notifications", filter.limit, filter.cursor.as_deref())?;
    let found = match person(&caller) {
        Some(user) => notifications::list(&mut app.reader(), caller.organisation, user, filter.unread, page.after.map(NotificationId), page.ask()).await?,
        None => Vec::new(),
    };
    Ok(Answer::ok(page.render(found, |notification| notification.id.0, Notification::to_value)))
}

/// Notes that the caller has read something.
#[utoipa::path(post, path = "/notifications/{id}/read", tag = "Notifications", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Notification)))]
async fn read_notification(State(app): State<App>, caller: Caller, Id(id): Id<NotificationId>) -> Result<Answer, Problem> {
    let user = person(&caller).ok_or_else(|| Problem::not_found("notification", id))?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(notifications::mark_read(tx, who.organisation, user, id).await?.to_value())) })
    })
    .await
}

/// Notes that the caller has read everything.
#[utoipa::path(post, path = "/notifications/read", tag = "Notifications", responses((status = 200, body = shapes::NotificationsRead)))]
async fn read_all_notifications(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    let Some(user) = person(&caller) else { return Ok(Answer::ok(serde_json::json!({ "read": 0 }))) };
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(serde_json::json!({ "read": notifications::mark_all_read(tx, who.organisation, user).await? }))) })
    })
    .await
}
