//! The server itself, for whoever is signed in.

use crate::{Answer, App, Caller, Problem, shapes};
use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_about))
}

/// Tells the server's version, and where the customer of the demonstration writes, where it is one.
#[utoipa::path(get, path = "/about", tag = "Operations", responses((status = 200, body = shapes::About)))]
async fn get_about(State(app): State<App>, _: Caller) -> Result<Answer, Problem> {
    Ok(Answer::ok(serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "sandbox_url": app.parts.settings.sandbox })))
}
