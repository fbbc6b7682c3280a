//! The whole server, every organisation in it: for whoever operates it, from its own command line and nowhere else.

use crate::{
    Answer, App, Problem,
    caller::Operator,
    idempotency::{Note, noting},
    request::{Body, Payload},
    shapes,
};
use axum::extract::State;
use onward_accounts::{
    Actor, audit,
    organisations::{self, Organisation},
};
use onward_core::{
    Value,
    ports::{Pause, PauseScope, WriteError},
};
use onward_database::DatabaseError;
use onward_runtime::Duty;
use onward_store::{
    pauses::{self, Due},
    queries::{self, NodeAtWork},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_server)).routes(routes!(get_server_size)).routes(routes!(pause_server)).routes(routes!(resume_server))
}

/// Why everything is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ServerPauseReason, example = json!({ "reason": "the disk is replaced" }))]
struct Reason {
    /// For people.
    reason: Option<String>,
}
impl Body for Reason {
    const OPTIONAL: bool = true;
}

/// Tells whether everything is paused, what is due in all organisations together, and which processes work on the database. Only the server's own command line may
/// ask.
#[utoipa::path(get, path = "/server", tag = "Operations", responses((status = 200, body = shapes::ServerState)))]
async fn get_server(State(app): State<App>, _operator: Operator) -> Result<Answer, Problem> {
    Ok(Answer::ok(state(&app).await?))
}

/// Tells how large the database is, table by table. SQLite reads its file for that; one of more than 2 GiB is not. Only the server's own
/// command line may ask.
#[utoipa::path(get, path = "/server/size", tag = "Operations", responses((status = 200, body = shapes::DatabaseSize)))]
async fn get_server_size(State(app): State<App>, _operator: Operator) -> Result<Answer, Problem> {
    let database = &app.parts.database;
    let (report, tables) = (database.report().await?, database.table_sizes().await?);
    Ok(Answer::ok(serde_json::json!({ "bytes": report.bytes, "free_bytes": report.free_bytes, "log_bytes": report.log_bytes, "tables": tables })))
}

/// Pauses every organisation of the server: nothing starts, no timer fires, no event is delivered; everything is kept and
/// applied in order when it goes on. Only the server's own command line may.
#[utoipa::path(post, path = "/server/pause", tag = "Operations", request_body = Option<Reason>, responses((status = 200, body = shapes::ServerState)))]
async fn pause_server(State(app): State<App>, _operator: Operator, payload: Payload<Reason>) -> Result<Answer, Problem> {
    set(&app, payload.value.reason, true).await
}

/// Lets every organisation go on that is not paused by itself. `GET /server` tells before what is due. Only the server's own
/// command line may.
#[utoipa::path(post, path = "/server/resume", tag = "Operations", responses((status = 200, body = shapes::ServerState)))]
async fn resume_server(State(app): State<App>, _operator: Operator) -> Result<Answer, Problem> {
    set(&app, None, false).await
}

async fn set(app: &App, reason: Option<String>, on: bool) -> Result<Answer, Problem> {
    let pause = Pause { scope: PauseScope::Everything, at: app.now(), by: Operator::BY.into(), reason: reason.clone() };
    app.engine().set_pause_guarded(pause, on, Some(noting(noted(reason, on)))).await?;
    Ok(Answer::ok(state(app).await?))
}

/// Each organisation's audit log says who held it.
fn noted(reason: Option<String>, on: bool) -> Note {
    Arc::new(move |tx, _| {
        let after = serde_json::json!({ "reason": reason });
        let entries = async move {
            for Organisation { id, .. } in organisations::list(tx).await? {
                let action = if on { "server.paused" } else { "server.resumed" };
                let deed = audit::Deed { action, subject: "server", subject_id: String::new(), before: Value::Null, after: after.clone() };
                audit::record(tx, id, &Actor::System, deed).await?;
            }
            Ok::<_, DatabaseError>(())
        };
        Box::pin(async move { entries.await.map_err(|error| WriteError::Database(error.to_string())) })
    })
}

async fn state(app: &App) -> Result<Value, Problem> {
    let mut reader = app.reader();
    let paused = pauses::everything(&mut reader).await?;
    let organisations = organisations::list(&mut reader).await?;
    let mut work = queries::nodes_at_work(&mut reader, app.now()).await?;
    if app.engine().duty() != Duty::Server {
        // A command that asks is no server.
        work.nodes.retain(|one| one.node.id != app.engine().node_id());
    }
    let mut all = Due { timers: 0, oldest: None, held_starts: 0, paused_runs: 0 };
    for organisation in &organisations {
        let due = pauses::due(&mut reader, organisation.id, app.now()).await?;
        all.timers += due.timers;
        all.held_starts += due.held_starts;
        all.paused_runs += due.paused_runs;
        all.oldest = [all.oldest, due.oldest].into_iter().flatten().min();
    }
    Ok(serde_json::json!({
        "paused": paused.is_some(),
        "at": paused.as_ref().map(|pause| pause.at),
        "by": paused.as_ref().map(|pause| pause.by.as_str()),
        "reason": paused.as_ref().and_then(|pause| pause.reason.as_deref()),
        "organisations": organisations.len(),
        "due": { "timers": all.timers, "oldest": all.oldest, "held_starts": all.held_starts, "paused_runs": all.paused_runs },
        "nodes": work.nodes.iter().map(NodeAtWork::to_value).collect::<Vec<_>>(),
        "unowned_shards": work.unowned,
    }))
}
