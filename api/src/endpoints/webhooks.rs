//! Where webhook triggers listen: `/hooks/in/{path}` of the first organisation, `/hooks/in/{organisation}/{path}` of any.
//!
//! Verified over the raw bytes before anything is parsed; answered 202 after the commit that holds the event and what it
//! starts, or, with `respond: finished`, when the run has ended.

use crate::{Answer, App, Problem, request::body, router::note_organisation};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{StatusCode, header, request::Parts},
    response::Response,
    routing::post,
};
use onward_accounts::organisations;
use onward_connectors::{Verified, WebhookRequest, http::delivery_id, json};
use onward_core::{
    ErrorCode, NewEvent, Object, OrganisationId, RunId, Value,
    definition::{TriggerKind, Webhook},
    limits,
    ports::{Change, Connection, Credentials as _, RunRow},
};
use onward_runtime::Ingested;
use onward_store::queries;
use tokio::sync::broadcast::{self, error::RecvError};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/hooks/in/{path}", post(deliver_to_first)).route("/hooks/in/{organisation}/{path}", post(deliver_to_named))
}

/// The connector whose connections verify.
const CONNECTOR: &str = "http";
/// Bytes of an id: it is a key of a table.
const ID_BYTES: usize = 512;

async fn deliver_to_first(State(app): State<App>, Path(path): Path<String>, request: Request) -> Result<Response, Problem> {
    counted(take_in(&app, None, &path, request).await)
}

async fn deliver_to_named(State(app): State<App>, Path((organisation, path)): Path<(String, String)>, request: Request) -> Result<Response, Problem> {
    counted(take_in(&app, Some(&organisation), &path, request).await)
}

fn counted(outcome: Result<Answer, Problem>) -> Result<Response, Problem> {
    let name = match &outcome {
        Ok(_) => "taken",
        Err(problem) => match problem.status() {
            StatusCode::UNAUTHORIZED => "forged",
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => "unreadable",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::NOT_FOUND => "unknown_address",
            StatusCode::SERVICE_UNAVAILABLE => "overloaded",
            _ => "failed",
        },
    };
    metrics::counter!("onward_webhook_requests_total", "connector" => "in", "outcome" => name).increment(1);
    outcome.map(axum::response::IntoResponse::into_response)
}

async fn take_in(app: &App, organisation: Option<&str>, path: &str, request: Request) -> Result<Answer, Problem> {
    // Before the body is read: a sender that is told to come back must not cost memory first (SEMANTICS.md 32).
    if let Some(overload) = app.engine().overloaded() {
        return Err(Problem::overloaded(overload));
    }
    let (organisation, listener) = listener(app, organisation, path).await?;
    note_organisation(organisation);
    let connection = connection(app, organisation, &listener.webhook).await?;
    let (parts, body) = request.into_parts();
    let bytes = body::read(app, &parts.headers, body, limits::WEBHOOK_BYTES).await?;
    let request =
        WebhookRequest { method: parts.method.clone(), headers: parts.headers.clone(), query: Vec::new(), body: bytes.clone(), received_at: app.now() };
    if let Some(connection) = &connection {
        verify(app, connection, &request)?;
    }
    let data = read(&parts, &bytes)?;
    let mut event = NewEvent::new(organisation, listener.webhook.event_type(), format!("webhook/{path}"), data);
    event.id = delivery_id(connection.as_ref(), &request).map(str::to_owned);
    if event.id.as_ref().is_some_and(|id| id.len() > ID_BYTES) {
        return Err(Problem::bad_request("bad_header", format!("the id of a delivery has {ID_BYTES} bytes at the most")));
    }
    // From before the run begins, so that its end is not missed.
    let changes = listener.webhook.finished.then(|| app.engine().subscribe());
    let ingested = app.engine().deliver(path, event).await?;
    if let Some(changes) = changes
        && let Some(run) = started(app, organisation, &listener.workflow, &ingested).await?
        && let Some(run) = ended(app, organisation, run, changes).await?
    {
        return Ok(finished(&ingested, &run));
    }
    Ok(Answer::accepted(serde_json::to_value(&ingested).map_err(Problem::internal)?))
}

/// Who listens at a path.
struct Listener {
    workflow: String,
    webhook: Webhook,
}

async fn listener(app: &App, organisation: Option<&str>, path: &str) -> Result<(OrganisationId, Listener), Problem> {
    // One answer for every address at which nobody listens: nothing to be learnt from it.
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "nobody listens at this address; is the workflow published?");
    let mut reader = app.reader();
    let organisation = match organisation {
        Some(name) => organisations::by_name(&mut reader, name).await?,
        None => organisations::first(&mut reader).await?,
    };
    let organisation = organisation.ok_or_else(unknown)?.id;
    let (current, trigger) = app.engine().webhook(organisation, path).ok_or_else(unknown)?;
    match current.workflow.triggers.get(trigger).map(|trigger| &trigger.on) {
        Some(TriggerKind::Webhook(webhook)) => Ok((organisation, Listener { workflow: current.workflow.name.clone(), webhook: webhook.clone() })),
        _ => Err(unknown()),
    }
}

/// The connection that says who may deliver.
async fn connection(app: &App, organisation: OrganisationId, webhook: &Webhook) -> Result<Option<Connection>, Problem> {
    let Some(name) = &webhook.connection else { return Ok(None) };
    match app.parts.credentials.connection(organisation, Some(CONNECTOR), Some(name)).await {
        Ok(connection) => Ok(Some(connection)),
        // The sender did nothing wrong, and shall come again when the connection is there.
        Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::InvalidInput) => {
            tracing::error!(%organisation, path = webhook.path, connection = name, error = error.message, "a webhook cannot be verified");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_verifiable", "this address cannot verify deliveries at the moment").retry_after(60_000))
        }
        Err(error) => Err(error.into()),
    }
}

fn verify(app: &App, connection: &Connection, request: &WebhookRequest) -> Result<(), Problem> {
    let connector = app.parts.connectors.get(CONNECTOR).ok_or_else(|| Problem::internal("this build has no connector http"))?;
    match connector.verify(connection, request) {
        Verified::Genuine => Ok(()),
        Verified::Forged { reason } => {
            tracing::debug!(connection = %connection.id, reason, "a delivery was refused");
            Err(Problem::unauthorised("the signature or token is wrong"))
        }
    }
}

/// The facts of a delivery: JSON, the fields of a form, or a text.
fn read(parts: &Parts, bytes: &Bytes) -> Result<Value, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Object::new()));
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let json = |bytes: &[u8]| json::parse(bytes).map_err(|error| Problem::bad_request("unreadable", error.to_string()));
    match essence.as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(form(bytes)),
        Some(kind) if body::is_json(kind.as_bytes()) => json(bytes),
        Some(kind) if !kind.starts_with("text/") && !kind.ends_with("/xml") => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "a webhook takes JSON, a form (application/x-www-form-urlencoded) or text; say which by Content-Type",
        )),
        named => match std::str::from_utf8(bytes) {
            // Who says nothing mostly means JSON.
            Ok(text) if named.is_none() => Ok(json::parse(bytes).unwrap_or_else(|_| Value::from(text))),
            Ok(text) => Ok(Value::from(text)),
            Err(_) => Err(Problem::bad_request("unreadable", "the body is no UTF-8 text")),
        },
    }
}

/// The fields of a form; one that is given several times is a list.
fn form(bytes: &[u8]) -> Value {
    let mut fields = Object::new();
    for (name, value) in url::form_urlencoded::parse(bytes).into_owned() {
        let value = Value::from(value);
        match fields.get_mut(&name) {
            None => drop(fields.insert(name, value)),
            Some(Value::Array(several)) => several.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Value::Object(fields)
}

/// The run of the workflow that listens; other workflows may have started by the same event.
async fn started(app: &App, organisation: OrganisationId, workflow: &str, ingested: &Ingested) -> Result<Option<RunId>, Problem> {
    for run in &ingested.run_ids {
        if queries::run(&mut app.reader(), organisation, *run).await?.is_some_and(|row| row.workflow == workflow) {
            return Ok(Some(*run));
        }
    }
    Ok(None)
}

/// The run once it has ended; `None` when that takes too long, or too many wait already. Holds nothing but a place in a queue.
async fn ended(app: &App, organisation: OrganisationId, id: RunId, mut changes: broadcast::Receiver<Change>) -> Result<Option<RunRow>, Problem> {
    let Ok(_place) = app.waiting_senders.try_acquire() else { return Ok(None) };
    let deadline = app.parts.clock.sleep_until(app.now().plus_millis(limits::WEBHOOK_FINISH_MS));
    tokio::pin!(deadline);
    let name = id.to_string();
    loop {
        if let Some(run) = queries::run(&mut app.reader(), organisation, id).await?.filter(|run| run.status.is_final()) {
            return Ok(Some(run));
        }
        loop {
            tokio::select! {
                biased;
                change = changes.recv() => match change {
                    Ok(change) if change.topic == "run" && change.id == name || change.topic == Change::RESYNC => break,
                    Ok(_) => {}
                    // What was missed may have been the end.
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(None),
                },
                () = &mut deadline => return Ok(None),
            }
        }
    }
}

/// The answer to a sender that waited. Of an error it learns the code alone: the rest is the organisation's.
fn finished(ingested: &Ingested, run: &RunRow) -> Answer {
    Answer::ok(serde_json::json!({
        "event_id": ingested.event_id, "duplicate": ingested.duplicate, "run_ids": ingested.run_ids,
        "run_id": run.id, "status": run.status, "output": run.output,
        "error": run.error.as_ref().map(|error| serde_json::json!({ "code": error.code })),
    }))
}
