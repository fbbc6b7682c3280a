//! The Graph API: sends, media, the number itself.

use crate::{
    behaviour::{Behaviour, DropAt, Statuses, Target},
    config::Account,
    deliver::{deliver, envelope},
    reply::{dropped, graph_error, ordered_failure, title},
    send_check::{self, Mistake},
    state::{AcceptedSend, Inner, Line, Shared, pause},
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// How long a customer's message permits free-form answers.
const WINDOW_SECONDS: i64 = 24 * 60 * 60;

/// The number that a call is for, when its token is right.
fn account(shared: &Shared, phone_number_id: &str, headers: &HeaderMap) -> Result<Account, Box<Response>> {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("Bearer "));
    let inner = shared.lock();
    let Some(token) = token.filter(|token| inner.accounts.values().any(|account| account.access_token == *token)) else {
        return Err(Box::new(graph_error(401, 190, "The access token is not valid.")));
    };
    match inner.accounts.get(phone_number_id) {
        Some(account) if account.access_token == token => Ok(account.clone()),
        _ => {
            Err(Box::new(graph_error(400, 100, &format!("Object with ID '{phone_number_id}' does not exist, or cannot be loaded due to missing permissions."))))
        }
    }
}

/// `POST /{version}/{phone_number_id}/messages`.
pub(crate) async fn send(State(shared): State<Arc<Shared>>, Path((_, phone_number_id)): Path<(String, String)>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let recipient = [&body["to"], &body["recipient"]].into_iter().find_map(Value::as_str);
    let behaviour = shared.change(|inner| inner.behaviour(Target::Messages, recipient));
    pause(Duration::from_millis(behaviour.latency_ms)).await;
    if behaviour.drop == Some(DropAt::Before) {
        shared.change(|inner| inner.counters.dropped += 1);
        return dropped();
    }
    let refuse = |response: Response| {
        shared.change(|inner| inner.counters.refused += 1);
        response
    };
    if let Some(failure) = ordered_failure(&behaviour, true) {
        return refuse(failure);
    }
    let account = match account(&shared, &phone_number_id, &headers) {
        Ok(account) => account,
        Err(response) => return refuse(*response),
    };
    if body["status"] == "read" {
        return Json(json!({ "success": true })).into_response();
    }
    let now = shared.now();
    let accepted = shared.change(|inner| accept(inner, &account, &body, now, shared.config.enforce_window));
    let send = match accepted {
        Ok(send) => send,
        Err(mistake) => return refuse(graph_error(400, mistake.code, &mistake.details)),
    };
    let answer = answer(&send);
    let statuses = post_statuses(Arc::clone(&shared), account, send, behaviour.clone());
    if behaviour.statuses == Statuses::BeforeAnswer {
        statuses.await;
    } else {
        shared.spawn(statuses);
    }
    if behaviour.drop == Some(DropAt::After) {
        shared.change(|inner| inner.counters.dropped += 1);
        return dropped();
    }
    answer
}

/// Checks and records a send.
fn accept(inner: &mut Inner, account: &Account, body: &Value, now: i64, enforce_window: bool) -> Result<AcceptedSend, Mistake> {
    let accepted = send_check::check(body)?;
    let (to, kind) = (accepted.to.to_owned(), accepted.kind.to_owned());
    let key = to.trim_start_matches('+').to_owned();
    let wrote_at = inner.customers.get(&key).and_then(|customer| customer.wrote_at);
    if enforce_window && kind != "template" && wrote_at.is_none_or(|at| now - at > WINDOW_SECONDS) {
        let details = "Message failed to send because more than 24 hours have passed since the customer last replied to this number.".to_owned();
        return Err(Mistake { code: 131_047, details });
    }
    let send = AcceptedSend {
        number: inner.sends.len() + 1,
        id: inner.fresh("wamid.SANDBOX"),
        phone_number_id: account.phone_number_id.clone(),
        to,
        kind,
        biz_opaque_callback_data: body["biz_opaque_callback_data"].as_str().map(str::to_owned),
        body: body.clone(),
        at: now,
        statuses: Vec::new(),
    };
    let (text, buttons) = send_check::shown(&send.kind, body);
    inner.customers.entry(key).or_default().lines.push(Line { from: "business", id: send.id.clone(), kind: send.kind.clone(), text, buttons, at: now });
    inner.counters.accepted += 1;
    inner.sends.push(send.clone());
    Ok(send)
}

fn answer(send: &AcceptedSend) -> Response {
    let contact = if is_number(&send.to) {
        json!({ "input": send.to, "wa_id": send.to.trim_start_matches('+') })
    } else {
        json!({ "input": send.to, "user_id": send.to })
    };
    Json(json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [{ "id": send.id, "message_status": "accepted" }] })).into_response()
}

fn is_number(to: &str) -> bool {
    to.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit())
}

/// Posts what becomes of a message, one status after the other.
async fn post_statuses(shared: Arc<Shared>, account: Account, send: AcceptedSend, behaviour: Behaviour) {
    for word in behaviour.statuses.words() {
        pause(shared.config.status_interval).await;
        let mut status = json!({ "id": send.id, "status": word, "timestamp": shared.now().to_string(), "recipient_id": send.to.trim_start_matches('+') });
        if let Some(data) = &send.biz_opaque_callback_data {
            status["biz_opaque_callback_data"] = data.clone().into();
        }
        if *word == "failed" {
            let code = behaviour.failed_code.unwrap_or(131_026);
            status["errors"] = json!([{ "code": code, "title": title(code), "message": title(code), "error_data": { "details": "Ordered by the sandbox." } }]);
        }
        // A number's webhook address may have changed since the send.
        let account = shared.lock().accounts.get(&account.phone_number_id).cloned().unwrap_or_else(|| account.clone());
        deliver(&shared, &account, &envelope(&account, json!({ "statuses": [status] }))).await;
        shared.change(|inner| {
            if let Some(known) = inner.sends.get_mut(send.number - 1) {
                known.statuses.push((*word).to_owned());
            }
        });
    }
}

/// `POST /{version}/{phone_number_id}/media`: takes the bytes and forgets them.
pub(crate) async fn upload(
    State(shared): State<Arc<Shared>>,
    Path((_, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
    _bytes: Bytes,
) -> Response {
    match account(&shared, &phone_number_id, &headers) {
        Ok(_) => {
            let id = shared.change(|inner| inner.fresh("media"));
            Json(json!({ "id": id })).into_response()
        }
        Err(response) => *response,
    }
}

/// `GET /{version}/{id}`: the number, or a piece of media.
pub(crate) async fn object(State(shared): State<Arc<Shared>>, Path((version, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("localhost").to_owned();
    if shared.lock().accounts.contains_key(&id) {
        return match account(&shared, &id, &headers) {
            Ok(account) => {
                Json(json!({ "id": id, "display_phone_number": account.display_phone_number, "verified_name": "Onward Sandbox", "quality_rating": "GREEN" }))
                    .into_response()
            }
            Err(response) => *response,
        };
    }
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("Bearer "));
    if !shared.lock().accounts.values().any(|account| Some(account.access_token.as_str()) == token) {
        return graph_error(401, 190, "The access token is not valid.");
    }
    let url = format!("http://{host}/{version}/{id}/bytes");
    Json(json!({ "messaging_product": "whatsapp", "url": url, "mime_type": "text/plain", "sha256": MEDIA_SHA256, "file_size": MEDIA.len().to_string(), "id": id })).into_response()
}

/// What every piece of media holds.
const MEDIA: &str = "sandbox media\n";
/// SHA-256 of [`MEDIA`] in hex.
const MEDIA_SHA256: &str = "75b6838323aac3b67065561388b38007ebeafb55026faae50ff7aeb4e2d6b731";

/// `GET /{version}/{id}/bytes`: the media itself.
pub(crate) async fn media(Path(_): Path<(String, String)>) -> &'static str {
    MEDIA
}
