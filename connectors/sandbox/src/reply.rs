//! Answers, among them the one that never comes.

use crate::behaviour::Behaviour;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// Marks a response that must not be sent: the server ends the connection instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropped;

/// The answer that never comes.
pub(crate) fn dropped() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Dropped);
    response
}

/// A Graph error.
pub(crate) fn graph_error(status: u16, code: i64, details: &str) -> Response {
    let kind = if code == 190 { "OAuthException" } else { "GraphMethodException" };
    let body = json!({ "error": {
        "message": format!("(#{code}) {}", title(code)),
        "type": kind,
        "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": details },
        "fbtrace_id": "ASandboxTrace",
    } });
    (status_code(status), Json(body)).into_response()
}

/// An error of the sandbox's own addresses.
pub(crate) fn bad_request(detail: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": detail.to_string() }))).into_response()
}

pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The failure that a behaviour orders, if it orders one.
pub(crate) fn ordered_failure(behaviour: &Behaviour, graph: bool) -> Option<Response> {
    let rate_limit = behaviour.retry_after.is_some() && behaviour.fail.is_none() && behaviour.status.is_none();
    let code = behaviour.fail.or((rate_limit && graph).then_some(130_429));
    let mut response = match (code, behaviour.status) {
        (Some(code), status) => graph_error(status.unwrap_or(usual_status(code)), code, "Ordered by the sandbox."),
        (None, Some(status)) => (status_code(status), "The sandbox was told to answer so.").into_response(),
        (None, None) if rate_limit => (StatusCode::TOO_MANY_REQUESTS, Json(Value::Null)).into_response(),
        (None, None) => return None,
    };
    if let Some(seconds) = behaviour.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(response)
}

fn usual_status(code: i64) -> u16 {
    match code {
        190 => 401,
        3 | 10 | 200..=299 => 403,
        4 | 80007 | 130_429 | 131_048 | 131_056 => 429,
        1 | 2 | 131_000 | 131_016 => 500,
        _ => 400,
    }
}

/// What Meta calls it, where we know.
pub(crate) fn title(code: i64) -> &'static str {
    match code {
        100 => "Invalid parameter",
        190 => "Access token has expired",
        130_429 => "Rate limit hit",
        131_000 => "Something went wrong",
        131_026 => "Message undeliverable",
        131_047 => "Re-engagement message",
        131_048 => "Spam rate limit hit",
        131_049 => "Message not delivered to maintain healthy ecosystem engagement",
        131_051 => "Unsupported message type",
        131_056 => "Pair rate limit hit",
        132_001 => "Template does not exist",
        _ => "Sandbox error",
    }
}
