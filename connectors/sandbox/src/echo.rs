//! A server of no importance: answers whatever is sent to `/http/…`, and records it.

use crate::{
    behaviour::{DropAt, Target},
    reply::{dropped, ordered_failure},
    state::{HttpCall, Shared, pause},
};
use axum::{
    Json,
    body::Bytes,
    extract::{OriginalUri, State},
    http::{HeaderMap, Method},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Any method of `/http/{anything}`.
pub(crate) async fn echo(State(shared): State<Arc<Shared>>, method: Method, OriginalUri(uri): OriginalUri, headers: HeaderMap, bytes: Bytes) -> Response {
    let behaviour = shared.change(|inner| inner.behaviour(Target::Http, None));
    pause(Duration::from_millis(behaviour.latency_ms)).await;
    if behaviour.drop == Some(DropAt::Before) {
        shared.change(|inner| inner.counters.dropped += 1);
        return dropped();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = path.strip_prefix("/http").unwrap_or(path).to_owned();
    let headers: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
    let failure = ordered_failure(&behaviour, false);
    let drops = behaviour.drop == Some(DropAt::After);
    let status = failure.as_ref().map_or(200, |failure| failure.status().as_u16());
    let call = shared.change(|inner| {
        let call = HttpCall { number: inner.http_calls.len() + 1, method: method.to_string(), path, headers, body, answered: (!drops).then_some(status) };
        inner.http_calls.push(call.clone());
        inner.counters.http_calls += 1;
        inner.counters.dropped += u64::from(drops);
        call
    });
    if drops {
        return dropped();
    }
    failure.unwrap_or_else(|| {
        let key = call.headers.get("idempotency-key");
        Json(json!({ "number": call.number, "method": call.method, "path": call.path, "idempotency_key": key, "body": call.body })).into_response()
    })
}
