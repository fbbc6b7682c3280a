//! The sandbox's own addresses: behaviour, records, accounts, the page.

use crate::{behaviour::Behaviour, config::Account, reply::bad_request, state::Shared};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// How long a list is waited for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Behaviours that can wait in the queue.
const MOST_BEHAVIOURS: usize = 10_000;

/// What to wait for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wait {
    /// Answers when there are this many.
    at_least: Option<usize>,
}

pub(crate) fn waited_in_vain() -> Response {
    (StatusCode::REQUEST_TIMEOUT, Json(json!({ "error": "there are still fewer" }))).into_response()
}

/// `GET /`.
pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

/// `POST /sandbox/behaviour`: one, or a list, added at the end of the queue.
pub(crate) async fn order(State(shared): State<Arc<Shared>>, body: Result<Json<Value>, JsonRejection>) -> Response {
    let body = match body {
        Ok(Json(body)) => body,
        Err(rejection) => return bad_request(rejection.body_text()),
    };
    let items = match body {
        Value::Array(items) => items,
        single => vec![single],
    };
    let ordered: Result<Vec<Behaviour>, _> = items.into_iter().map(serde_json::from_value).collect();
    match ordered {
        Ok(ordered) if shared.lock().behaviours.len() + ordered.len() <= MOST_BEHAVIOURS => {
            let queue = shared.change(|inner| {
                inner.behaviours.extend(ordered);
                inner.behaviours.clone()
            });
            (StatusCode::CREATED, Json(json!({ "items": queue }))).into_response()
        }
        Ok(_) => bad_request(format!("at most {MOST_BEHAVIOURS} behaviours can wait")),
        Err(error) => bad_request(error),
    }
}

/// `GET /sandbox/behaviour`: the queue.
pub(crate) async fn ordered(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "items": shared.lock().behaviours }))
}

/// `DELETE /sandbox/behaviour`: all as usual again.
pub(crate) async fn behave(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.change(|inner| inner.behaviours.clear());
    StatusCode::NO_CONTENT
}

/// `GET /sandbox/sends`.
pub(crate) async fn sends(State(shared): State<Arc<Shared>>, Query(wait): Query<Wait>) -> Response {
    let least = wait.at_least.unwrap_or(0);
    let sends = shared.wait_for(|inner| (inner.sends.len() >= least).then(|| inner.sends.clone()));
    match tokio::time::timeout(LONGEST_WAIT, sends).await {
        Ok(sends) => Json(json!({ "items": sends })).into_response(),
        Err(_) => waited_in_vain(),
    }
}

/// `GET /sandbox/http-calls`.
pub(crate) async fn http_calls(State(shared): State<Arc<Shared>>, Query(wait): Query<Wait>) -> Response {
    let least = wait.at_least.unwrap_or(0);
    let calls = shared.wait_for(|inner| (inner.http_calls.len() >= least).then(|| inner.http_calls.clone()));
    match tokio::time::timeout(LONGEST_WAIT, calls).await {
        Ok(calls) => Json(json!({ "items": calls })).into_response(),
        Err(_) => waited_in_vain(),
    }
}

/// `GET /sandbox/counters`.
pub(crate) async fn counters(State(shared): State<Arc<Shared>>) -> Response {
    let counters = shared.lock().counters;
    Json(counters).into_response()
}

/// `GET /sandbox/customers`: who there is, for the page.
pub(crate) async fn customers(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let mut names: Vec<String> = shared.lock().customers.keys().cloned().collect();
    names.sort();
    Json(json!({ "items": names }))
}

/// `GET /sandbox/accounts`: the numbers, without their secrets.
pub(crate) async fn accounts(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let inner = shared.lock();
    let items: Vec<Value> = inner.accounts.values().map(shown).collect();
    Json(json!({ "items": items }))
}

/// `PUT /sandbox/accounts/{phone_number_id}`: plays one more number, or the same one differently; members that are left out
/// stay.
pub(crate) async fn put_account(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Result<Json<Value>, JsonRejection>) -> Response {
    let body = match body {
        Ok(Json(Value::Object(body))) => body,
        Ok(_) => return bad_request("an account is an object"),
        Err(rejection) => return bad_request(rejection.body_text()),
    };
    shared.change(|inner| {
        let known = inner.accounts.get(&id).or_else(|| inner.accounts.values().next());
        let mut merged = known.map_or_else(|| json!({}), |account| json!(account));
        for (name, value) in body {
            merged[name] = value;
        }
        merged["phone_number_id"] = id.clone().into();
        match serde_json::from_value::<Account>(merged) {
            Ok(account) if account.webhook_url.as_deref().is_none_or(|url| url::Url::parse(url).is_ok()) => {
                let shown = shown(&account);
                inner.accounts.insert(id, account);
                Json(shown).into_response()
            }
            Ok(_) => bad_request("webhook_url is no address"),
            Err(error) => bad_request(error),
        }
    })
}

fn shown(account: &Account) -> Value {
    json!({
        "phone_number_id": account.phone_number_id,
        "waba_id": account.waba_id,
        "display_phone_number": account.display_phone_number,
        "webhook_url": account.webhook_url,
    })
}
