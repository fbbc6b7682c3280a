//! Connectors, and connections with their write-only secrets.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Name, Page, Paging, Params, Payload, params::shortened},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_connectors::{
    TestReport,
    connection::{self, ConnectionChange, HealthState, NewConnection, StoredConnection},
};
use onward_core::{ConnectionId, Object, StepError, Value};
use onward_database::Tx;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_connectors))
        .routes(routes!(get_connector))
        .routes(routes!(list_connections, create_connection))
        .routes(routes!(get_connection, update_connection, delete_connection))
        .routes(routes!(test_connection))
}

/// Lists the connectors of this version, with the JSON Schemas of their config and secrets.
#[utoipa::path(get, path = "/connectors", tag = "Connections", responses((status = 200, body = shapes::Page<shapes::Connector>)))]
async fn list_connectors(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadConnections)?;
    let items = app.parts.connectors.all().map(|connector| connector.manifest().to_json()).collect();
    Ok(Answer::ok(crate::request::page::envelope(items, None)))
}

/// Gives one connector.
#[utoipa::path(get, path = "/connectors/{id}", tag = "Connections", params(("id" = String, Path)), responses((status = 200, body = shapes::Connector)))]
async fn get_connector(State(app): State<App>, caller: Caller, Name(id): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadConnections)?;
    let manifest = app.parts.connectors.manifest(&id).ok_or_else(|| Problem::not_found("connector", shortened(&id)))?;
    Ok(Answer::ok(manifest.to_json()))
}

/// A connection to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection, example = json!({
    "connector": "whatsapp", "name": "support", "config": { "phone_number_id": "106540352242922" },
    "secrets": { "access_token": "EAAG…", "app_secret": "…", "verify_token": "…" }
}))]
struct New {
    /// The connector's id.
    connector: String,
    /// `[a-z0-9-]+`, unique in the organisation.
    name: String,
    /// What is not secret; the connector's schema names the keys.
    #[serde(default)]
    #[schema(value_type = Object)]
    config: Object,
    /// What is; never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    secrets: Object,
}
impl Body for New {}

/// What changes; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ConnectionChange, example = json!({ "secrets": { "access_token": "EAAG…" } }))]
struct Patch {
    /// A new name.
    name: Option<String>,
    /// The whole new config.
    #[schema(value_type = Option<Object>)]
    config: Option<Object>,
    /// Secrets to set; `null` removes one; those not named stay.
    #[schema(value_type = Object)]
    secrets: Object,
}
impl Body for Patch {}

/// Lists the connections, oldest first; never their secrets.
#[utoipa::path(get, path = "/connections", tag = "Connections", params(Paging), responses((status = 200, body = shapes::Page<shapes::Connection>)))]
async fn list_connections(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadConnections)?;
    let page = Page::read("connections", paging.limit, paging.cursor.as_deref())?;
    let found = connection::list(&mut app.reader(), caller.organisation, page.after.map(ConnectionId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |connection| connection.id.0, |connection| shape(&app, connection))))
}

/// Makes a connection. The provider is not asked: `health` says later whether it works.
#[utoipa::path(post, path = "/connections", tag = "Connections", request_body = New, responses((status = 201, body = shapes::Connection)))]
async fn create_connection(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::WriteConnections)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let New { connector, name, config, secrets } = payload.value;
    let new = Arc::new(NewConnection { connector, name, config, secrets });
    let shared = app.clone();
    write(&app, &caller, key, move |tx, who| {
        let (app, new) = (shared.clone(), Arc::clone(&new));
        Box::pin(async move {
            let made = connection::add(tx, &app.parts.connectors, &app.parts.vault, who.organisation, &new).await?;
            note(tx, &who, "connection.created", None, Some(&made)).await?;
            Ok(Answer::created(shape(&app, &made), format!("/api/v1/connections/{}", made.id)).tagged())
        })
    })
    .await
}

/// Gives a connection; never its secrets.
#[utoipa::path(get, path = "/connections/{id}", tag = "Connections", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Connection)))]
async fn get_connection(State(app): State<App>, caller: Caller, Id(id): Id<ConnectionId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadConnections)?;
    let found = connection::find(&mut app.reader(), caller.organisation, &id.to_string()).await?.ok_or_else(|| Problem::not_found("connection", id))?;
    Ok(Answer::ok(shape(&app, &found)).tagged())
}

/// Changes a connection. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(patch, path = "/connections/{id}", tag = "Connections", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Connection)))]
async fn update_connection(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ConnectionId>,
    seen: IfMatch,
    payload: Payload<Patch>,
) -> Result<Answer, Problem> {
    caller.may(Action::WriteConnections)?;
    let Patch { name, config, secrets } = payload.value;
    let change = Arc::new(ConnectionChange { name, config, secrets, if_revision: None });
    let shared = app.clone();
    write(&app, &caller, None, move |tx, who| {
        let (app, change, seen) = (shared.clone(), Arc::clone(&change), seen.clone());
        Box::pin(async move {
            let gone = || Problem::not_found("connection", id);
            let before = connection::find(tx, who.organisation, &id.to_string()).await?.ok_or_else(gone)?;
            seen.check(&shape(&app, &before))?;
            let after = connection::update(tx, &app.parts.connectors, &app.parts.vault, who.organisation, id, &change).await?.ok_or_else(gone)?;
            note(tx, &who, "connection.updated", Some(&before), Some(&after)).await?;
            Ok(Answer::ok(shape(&app, &after)).tagged())
        })
    })
    .await
}

/// Deletes a connection and its secrets. Deliveries to its address are answered 404 from then on.
#[utoipa::path(delete, path = "/connections/{id}", tag = "Connections", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
async fn delete_connection(State(app): State<App>, caller: Caller, Id(id): Id<ConnectionId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteConnections)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move {
            let gone = connection::delete(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("connection", id))?;
            note(tx, &who, "connection.deleted", Some(&gone), None).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Asks the provider whether the connection works, and keeps what it said as its health.
///
/// 200 whatever the provider says: `ok` and `message` tell.
#[utoipa::path(post, path = "/connections/{id}/test", tag = "Connections", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::ConnectionTest)))]
async fn test_connection(State(app): State<App>, caller: Caller, Id(id): Id<ConnectionId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteConnections)?;
    let gone = || Problem::not_found("connection", id);
    let opened = app.parts.credentials.by_id(caller.organisation, id).await?.ok_or_else(gone)?;
    let connector = app
        .parts
        .connectors
        .get(&opened.connector)
        .ok_or_else(|| Problem::conflict("no_connector", format!("this version has no connector {}", opened.connector)))?;
    let report = connector.test(&opened).await;
    let shared = app.clone();
    let report = Arc::new(report);
    write(&app, &caller, None, move |tx, who| {
        let (app, report) = (shared.clone(), Arc::clone(&report));
        Box::pin(async move {
            let (state, message) = match &*report {
                Ok(report) => (HealthState::Healthy, &report.message),
                Err(error) => (HealthState::Unhealthy, &error.message),
            };
            let stored =
                connection::record_health(tx, who.organisation, id, state, Some(message)).await?.ok_or_else(|| Problem::not_found("connection", id))?;
            Ok(Answer::ok(verdict(&report, &shape(&app, &stored))))
        })
    })
    .await
}

fn verdict(report: &Result<TestReport, StepError>, connection: &Value) -> Value {
    match report {
        Ok(report) => serde_json::json!({ "ok": true, "message": report.message, "code": null, "details": report.details, "connection": connection }),
        Err(error) => serde_json::json!({ "ok": false, "message": error.message, "code": error.code, "details": error.details, "connection": connection }),
    }
}

fn shape(app: &App, connection: &StoredConnection) -> Value {
    connection.to_json(&app.parts.settings.public_url)
}

/// Writes the audit log's entry; which secrets are set is part of it, the secrets are not.
async fn note(tx: &mut Tx, who: &Caller, action: &str, before: Option<&StoredConnection>, after: Option<&StoredConnection>) -> Result<(), Problem> {
    let Some(id) = after.or(before).map(|connection| connection.id) else { return Ok(()) };
    let facts = |connection: Option<&StoredConnection>| {
        connection.map_or(Value::Null, |connection| {
            serde_json::json!({ "connector": connection.connector, "name": connection.name, "config": connection.config, "secrets_set": connection.secret_names })
        })
    };
    let deed = audit::Deed { action, subject: "connection", subject_id: id.to_string(), before: facts(before), after: facts(after) };
    audit::record(tx, who.organisation, &who.actor(), deed).await?;
    Ok(())
}
