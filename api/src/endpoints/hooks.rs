//! Where providers deliver: `/hooks/{connector}/{connection_id}`.
//!
//! Verified over the raw bytes before anything is parsed; answered 200 after the commit that holds the raw body and all that
//! follows from it.

use crate::{App, Problem, request::body, router::note_organisation};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use onward_connectors::{
    Challenge, Connector, Verified, WebhookRequest,
    connection::{self, Addressed},
    incoming::Incoming,
};
use onward_core::{
    ConnectionId, OrganisationId, limits,
    ports::{self, Lane},
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
struct Address {
    found: Addressed,
    /// Known from an earlier delivery, and perhaps changed since.
    remembered: bool,
    connector: Arc<dyn Connector>,
}

/// The connection behind an address. `remembered` permits what was known of it a moment ago.
async fn find(app: &App, connector: &str, id: &str, remembered: bool) -> Result<Address, Problem> {
    // One answer for every address that is not ours: nothing to be learnt from it.
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "nobody listens at this address");
    let id = onward_core::ids::parse::<ConnectionId>(id).ok_or_else(unknown)?;
    let known = app.parts.connectors.get(connector).ok_or_else(unknown)?;
    let credentials = &app.parts.credentials;
    let (found, remembered) = match remembered.then(|| credentials.remembered(connector, id)).flatten() {
        Some(found) => (found, true),
        None => (credentials.for_webhook(connector, id).await?.ok_or_else(unknown)?, false),
    };
    note_organisation(found.organisation);
    Ok(Address { found, remembered, connector: Arc::clone(known) })
}

fn webhook_request(app: &App, parts: Parts, body: Bytes) -> WebhookRequest {
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    WebhookRequest { method: parts.method, headers: parts.headers, query, body, received_at: app.now() }
}

/// A provider asks whether the address is ours.
async fn verify_address(State(app): State<App>, Path((connector, id)): Path<(String, String)>, request: Request) -> Result<Response, Problem> {
    let address = find(&app, &connector, &id, false).await?;
    let request = webhook_request(&app, request.into_parts().0, Bytes::new());
    match address.connector.challenge(&address.found.connection, &request) {
        Challenge::Answer(text) => {
            // The text is the provider's own: it must never be taken for a page.
            Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response())
        }
        Challenge::Refused => {
            metrics::counter!("onward_webhook_requests_total", "connector" => connector, "outcome" => "challenge_refused").increment(1);
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
    metrics::counter!("onward_webhook_requests_total", "connector" => connector, "outcome" => name).increment(1);
    outcome.map(|()| StatusCode::OK.into_response())
}

async fn take_in(app: &App, connector: &str, id: &str, request: Request) -> Result<(), Problem> {
    // Before the body is read: a provider that is told to come back must not cost memory first (SEMANTICS.md 32).
    if let Some(overload) = app.engine().overloaded() {
        return Err(Problem::overloaded(overload));
    }
    let mut address = find(app, connector, id, true).await?;
    let (parts, body) = request.into_parts();
    let bytes = body::read(app, &parts.headers, body, limits::WEBHOOK_BYTES).await?;
    let request = webhook_request(app, parts, bytes);
    loop {
        let refusal = match address.connector.verify(&address.found.connection, &request) {
            Verified::Genuine => match store(app, Delivery::new(&address, &request.body)?).await? {
                Some(received) => {
                    if received.quarantined > 0 {
                        metrics::counter!("onward_webhook_items_quarantined_total").increment(u64::from(received.quarantined));
                    }
                    return Ok(());
                }
                // Changed between the look and the commit: by a person, so hardly ever, and never twice in a row.
                None => Problem::unavailable(CHANGING_RETRY_MS),
            },
            Verified::Forged { reason } => {
                tracing::debug!(connection = %address.found.connection.id, reason, "a delivery does not match its connection");
                Problem::unauthorised("the signature is wrong")
            }
        };
        if !address.remembered {
            return Err(refusal);
        }
        // The connection may have changed since: as it is now, it decides.
        address = find(app, connector, id, false).await?;
    }
}

/// For `Retry-After`, when a connection changes while it is delivered to.
const CHANGING_RETRY_MS: u64 = 1_000;

/// A delivery that is genuine and readable.
struct Delivery {
    organisation: OrganisationId,
    receiver: Receiver,
    /// The state of the connection by which it is genuine.
    revision: i64,
    bytes: Bytes,
    items: Vec<Incoming>,
}

impl Delivery {
    fn new(address: &Address, bytes: &Bytes) -> Result<Self, Problem> {
        let Addressed { organisation, connection, revision } = &address.found;
        let items = address.connector.normalise(bytes).map_err(|error| Problem::bad_request("unreadable", error.to_string()))?;
        let account = address.connector.manifest().account.and_then(|key| connection.config.get(key)?.as_str()).map(str::to_owned);
        let receiver = Receiver { id: connection.id, connector: connection.connector.clone(), account };
        Ok(Self { organisation: *organisation, receiver, revision: *revision, bytes: bytes.clone(), items })
    }
}

/// The raw body and all that follows from it, in one transaction. `None`, and nothing is stored, when the connection is not
/// any more as the delivery was checked by.
async fn store(app: &App, delivery: Delivery) -> Result<Option<Received>, Problem> {
    let delivery = Arc::new(delivery);
    ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let delivery = Arc::clone(&delivery);
        Box::pin(async move {
            let Delivery { organisation, receiver, revision, bytes, items } = &*delivery;
            if !connection::is_current(tx, *organisation, receiver.id, *revision).await? {
                return Ok(None);
            }
            let received = receive::receive(tx, *organisation, receiver, items).await?;
            let quarantined = (received.quarantined > 0).then_some("it names an account that no connection has");
            raw::store_raw(tx, *organisation, receiver.id, &receiver.connector, bytes, quarantined)?;
            Ok(Some(received))
        })
    })
    .await?
}
