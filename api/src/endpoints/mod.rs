//! The endpoints, one file a group.

mod about;
mod asks;
mod audit;
mod backfill;
mod bulk;
mod companies;
mod connections;
mod contacts;
mod conversations;
mod deals;
mod docs;
mod drafts;
mod events;
pub(crate) mod first_run;
pub(crate) mod gallery;
mod health;
mod hooks;
mod jobs;
mod migrate;
mod nodes;
mod notifications;
mod operating;
mod overview;
mod pauses;
mod pipelines;
mod repair;
mod replay;
pub(crate) mod results;
mod retention;
mod runs;
mod segments;
mod session;
mod simulate;
mod stats;
mod tasks;
mod teams;
mod tokens;
mod users;
mod versions;
pub(crate) mod web_app;
mod webhooks;
mod why;
mod workflows;
mod ws;

pub(crate) use runs::exported;

use crate::App;
use axum::Router;
use utoipa_axum::router::OpenApiRouter;

/// Where the versioned API stands.
pub(crate) const PREFIX: &str = "/api/v1";

/// Everything that the `OpenAPI` document describes.
pub(crate) fn described() -> OpenApiRouter<App> {
    let versioned = OpenApiRouter::new()
        .merge(events::routes())
        .merge(workflows::routes())
        .merge(stats::routes())
        .merge(versions::routes())
        .merge(migrate::routes())
        .merge(backfill::routes())
        .merge(runs::routes())
        .merge(why::routes())
        .merge(results::routes())
        .merge(asks::routes())
        .merge(operating::routes())
        .merge(overview::routes())
        .merge(about::routes())
        .merge(jobs::routes())
        .merge(retention::routes())
        .merge(pauses::routes())
        .merge(repair::routes())
        .merge(bulk::routes())
        .merge(replay::routes())
        .merge(simulate::routes())
        .merge(nodes::routes())
        .merge(gallery::routes())
        .merge(connections::routes())
        .merge(contacts::routes())
        .merge(companies::routes())
        .merge(pipelines::routes())
        .merge(deals::routes())
        .merge(tasks::routes())
        .merge(segments::routes())
        .merge(conversations::routes())
        .merge(drafts::routes())
        .merge(notifications::routes())
        .merge(session::routes())
        .merge(first_run::routes())
        .merge(users::routes())
        .merge(teams::routes())
        .merge(tokens::routes())
        .merge(audit::routes());
    OpenApiRouter::new().nest(PREFIX, versioned).merge(health::routes())
}

/// What is there besides: pages, sockets, and what providers call.
pub(crate) fn undescribed() -> Router<App> {
    Router::new().merge(hooks::routes()).merge(webhooks::routes()).merge(ws::routes()).merge(docs::routes()).merge(web_app::routes())
}
