//! The catalogue: nodes, and the event types that somebody declares.

use crate::{
    Answer, App, Caller, Problem,
    request::{Name, page::envelope, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{Value, definition::Catalogue as _, ports::NodeDescriptor};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_nodes)).routes(routes!(get_node)).routes(routes!(list_event_types))
}

/// Lists the nodes that a `do` step can run, by id.
#[utoipa::path(get, path = "/nodes", tag = "Catalogue", responses((status = 200, body = shapes::Page<shapes::Node>)))]
async fn list_nodes(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let items = app.engine().nodes().descriptors().map(shape).collect::<Result<_, _>>()?;
    Ok(Answer::ok(envelope(items, None)))
}

/// Gives one node.
#[utoipa::path(get, path = "/nodes/{id}", tag = "Catalogue", params(("id" = String, Path)), responses((status = 200, body = shapes::Node)))]
async fn get_node(State(app): State<App>, caller: Caller, Name(id): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let descriptor = app.engine().nodes().node(&id).ok_or_else(|| Problem::not_found("node", shortened(&id)))?;
    Ok(Answer::ok(shape(descriptor)?))
}

/// Lists the event types that somebody declares, by name. Others are allowed.
#[utoipa::path(get, path = "/event-types", tag = "Catalogue", responses((status = 200, body = shapes::Page<shapes::EventType>)))]
async fn list_event_types(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let items = app.engine().nodes().event_types().into_iter().map(|kind| serde_json::json!({ "type": kind })).collect();
    Ok(Answer::ok(envelope(items, None)))
}

fn shape(descriptor: &NodeDescriptor) -> Result<Value, Problem> {
    serde_json::to_value(descriptor).map_err(Problem::internal)
}
