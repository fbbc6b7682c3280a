//! For those who watch the server: alive, ready, and its numbers.

use crate::{Answer, App, Problem, shapes};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use onward_store::pauses;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_health)).routes(routes!(get_readiness)).routes(routes!(get_metrics))
}

/// Milliseconds after which a database that says nothing counts as one that cannot be reached: whoever asks decides by the answer
/// where requests go.
const PATIENCE_MS: i64 = 2_000;

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Operations", responses((status = 200, body = shapes::Status)), security(()))]
async fn get_health() -> Answer {
    Answer::ok(serde_json::json!({ "status": "ok" }))
}

/// Says whether new work is accepted, which it is not while the disk is nearly full, and whether everything is paused; does not
/// wait for shards.
#[utoipa::path(get, path = "/readyz", tag = "Operations", responses((status = 200, body = shapes::Readiness)), security(()))]
async fn get_readiness(State(app): State<App>) -> Result<Answer, Problem> {
    if !app.engine().is_ready() {
        return Err(Problem::unavailable(1_000));
    }
    if let Some(low) = app.engine().disk_low() {
        return Err(Problem::overloaded(low));
    }
    let mut reader = app.reader();
    let paused = tokio::select! {
        paused = pauses::everything(&mut reader) => paused?.is_some(),
        () = app.parts.clock.sleep_until(app.parts.clock.now().plus_millis(PATIENCE_MS)) => return Err(Problem::unavailable(1_000)),
    };
    Ok(Answer::ok(serde_json::json!({ "status": "ok", "paused": paused })))
}

/// Gives the server's numbers in Prometheus' text format. No name, id or content of an organisation is in them.
#[utoipa::path(get, path = "/metrics", tag = "Operations", responses((status = 200, body = String, content_type = "text/plain")), security(()))]
async fn get_metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], (app.parts.metrics)().await).into_response()
}
