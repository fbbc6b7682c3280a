//! Where providers deliver: `/hooks/{connector}/{connection_id}`.
//!
//! Verified over the raw bytes before anything is parsed; answered 200 after the commit that holds the raw body and all that
//! follows from it.

use crate::{App, Problem, request::body};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use onward_connectors::{Challenge, Connector, Verified, WebhookRequest, incoming::Incoming};
use onward_core::{
    ConnectionId, OrganisationId, limits,
    ports::{self, Connection, Lane},
};
use onward_database::Tx;
use onward_messaging::{
    raw,
    receive::{self, Received, Receiver},
};
use std::sync::Arc;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/hooks/{connector}/{connection_id}", get(verify_address).post(deliver))
}

/// The connection that an address names.
struct Addressed {
    organisation: OrganisationId,
    connection: Connection,
    connector: Arc<dyn Connector>,
}

async fn addressed(app: &App, connector: &str, id: &str) -> Result<Addressed, Problem> {
    // One answer for every address that is not ours: nothing to be learnt from it.
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "nobody listens at this address");
    let id = onward_core::ids::parse::<ConnectionId>(id).ok_or_else(unknown)?;
    let known = app.parts.connectors.get(connector).ok_or_else(unknown)?;
    let (organisation, connection) = app.parts.credentials.for_webhook(connector, id).await?.ok_or_else(unknown)?;
    Ok(Addressed { organisation, connection, connector: Arc::clone(known) })
}

fn webhook_request(parts: Parts, body: Bytes) -> WebhookRequest {
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    WebhookRequest { method: parts.method, headers: parts.headers, query, body }
}

/// A provider asks whether the address is ours.
async fn verify_address(State(app): State<App>, Path((connector, id)): Path<(String, String)>, request: Request) -> Result<Response, Problem> {
    let addressed = addressed(&app, &connector, &id).await?;
    let request = webhook_request(request.into_parts().0, Bytes::new());
    match addressed.connector.challenge(&addressed.connection, &request) {
        Challenge::Answer(text) => {
            // The text is the provider's own: it must never be taken for a page.
            Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response())
        }
        Challenge::Refused => {
            metrics::counter!("onward_webhooks_total", "connector" => connector, "outcome" => "challenge_refused").increment(1);
            Err(Problem::forbidden("forbidden", "the verify token is not this connection's"))
        }
        Challenge::Unsupported => Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this provider asks nothing; it posts")),
    }
}

/// A provider delivers.
async fn deliver(State(app): State<App>, Path((connector, id)): Path<(String, String)>, request: Request) -> Result<Response, Problem> {
    let outcome = take_in(&app, &connector, &id, request).await;
    let name = match &outcome {
        Ok(()) => "taken",
        Err(problem) => match problem.status() {
            StatusCode::UNAUTHORIZED => "forged",
            StatusCode::BAD_REQUEST => "unreadable",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::NOT_FOUND => "unknown_address",
            StatusCode::SERVICE_UNAVAILABLE => "overloaded",
            _ => "failed",
        },
    };
    // An address that nobody listens at may name anything: its connector is no label.
    let connector = if name == "unknown_address" { String::new() } else { connector };
    metrics::counter!("onward_webhooks_total", "connector" => connector, "outcome" => name).increment(1);
    outcome.map(|()| StatusCode::OK.into_response())
}

async fn take_in(app: &App, connector: &str, id: &str, request: Request) -> Result<(), Problem> {
    // Before the body is read: a provider that is told to come back must not cost memory first (SEMANTICS.md 32).
    if let Some(retry_after_ms) = app.engine().overloaded() {
        return Err(Problem::unavailable(retry_after_ms));
    }
    let Addressed { organisation, connection, connector } = addressed(app, connector, id).await?;
    let (parts, body) = request.into_parts();
    let bytes = body::read(app, &parts.headers, body, limits::WEBHOOK_BYTES).await?;
    let request = webhook_request(parts, bytes.clone());
    if let Verified::Forged { reason } = connector.verify(&connection, &request) {
        tracing::debug!(connection = %connection.id, reason, "a delivery was refused");
        return Err(Problem::unauthorised("the signature is wrong"));
    }
    let items = connector.normalise(&bytes).map_err(|error| Problem::bad_request("unreadable", error.to_string()))?;
    let account = connector.manifest().account.and_then(|key| connection.config.get(key)?.as_str()).map(str::to_owned);
    let delivery = Delivery { organisation, receiver: Receiver { id: connection.id, connector: connection.connector, account }, bytes, items };
    let received = store(app, delivery).await?;
    if received.quarantined > 0 {
        metrics::counter!("onward_webhook_items_quarantined_total").increment(u64::from(received.quarantined));
    }
    Ok(())
}

/// A delivery that is genuine and readable.
struct Delivery {
    organisation: OrganisationId,
    receiver: Receiver,
    bytes: Bytes,
    items: Vec<Incoming>,
}

/// The raw body and all that follows from it, in one transaction.
async fn store(app: &App, delivery: Delivery) -> Result<Received, Problem> {
    let delivery = Arc::new(delivery);
    ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let delivery = Arc::clone(&delivery);
        Box::pin(async move {
            let Delivery { organisation, receiver, bytes, items } = &*delivery;
            let received = receive::receive(tx, *organisation, receiver, items).await?;
            let quarantined = (received.quarantined > 0).then_some("it names an account that no connection has");
            raw::store_raw(tx, *organisation, receiver.id, &receiver.connector, bytes, quarantined).await?;
            Ok(received)
        })
    })
    .await?
}
