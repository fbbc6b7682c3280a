//! Sends, and sorts what came of it: sent, surely not sent, or nobody knows.

use super::{
    codes::{Act, graph_error},
    request, setting,
};
use crate::{
    channel::{Channel, OutgoingMessage, SendOutcome},
    http::{HttpClient, HttpError, HttpReply, HttpRequest, retry_after_ms},
};
use onward_core::{ErrorCode, StepError, Timestamp, ports::Connection};
use serde_json::json;
use std::time::Duration;

/// How long Meta may take. Long, since a send whose answer does not come can never be repeated.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read; Meta's have a few hundred.
const REPLY_BYTES: usize = 64 << 10;

/// The sending half of the connector.
#[derive(Clone)]
pub struct WhatsAppChannel {
    client: HttpClient,
}

impl WhatsAppChannel {
    /// The channel over this client.
    pub fn new(client: HttpClient) -> Self {
        Self { client }
    }
}

#[onward_core::async_trait]
impl Channel for WhatsAppChannel {
    fn connector(&self) -> &'static str {
        super::ID
    }

    fn check(&self, message: &OutgoingMessage) -> Result<(), StepError> {
        request::check(message)
    }

    async fn send(&self, connection: &Connection, message: &OutgoingMessage) -> SendOutcome {
        let call = match call(connection, message) {
            Ok(call) => call,
            Err(error) => return SendOutcome::Refused { error },
        };
        match self.client.call(call).await {
            Ok(reply) => sort(&reply, connection),
            Err(error) => unanswered(&error),
        }
    }
}

fn call(connection: &Connection, message: &OutgoingMessage) -> Result<HttpRequest, StepError> {
    request::check(message)?;
    let (url, headers) = request::target(connection, "messages")?;
    let body = request::body(message, setting(connection, "user_id_field").unwrap_or("recipient"));
    Ok(HttpRequest { method: ::http::Method::POST, url, headers, body: Some(body.to_string().into()), timeout: TIMEOUT, max_reply_bytes: REPLY_BYTES })
}

/// Sorts an answer. A Graph error says that nothing was sent, whatever the status; without one, only a 4xx does.
pub(super) fn sort(reply: &HttpReply, connection: &Connection) -> SendOutcome {
    let status = reply.status;
    let answer = crate::json::parse(&reply.body).unwrap_or_default();
    // Dates in Retry-After need a clock; Meta sends seconds.
    let after = retry_after_ms(&reply.headers, Timestamp::MIN).filter(|_| !has_date(reply));
    if let Some((act, error)) = graph_error(&answer, Some(connection)) {
        let act = act.unwrap_or(if status >= 500 || status == 429 { Act::Later(None) } else { Act::Refuse });
        return match act {
            Act::Later(rest) => SendOutcome::TryLater { after_ms: after.or(rest), error },
            Act::Refuse => SendOutcome::Refused { error },
        };
    }
    let described = |code, message: &str| StepError::new(code, format!("WhatsApp answered {status}: {message}")).with_details(json!({ "status": status }));
    match status {
        200..=299 => match answer["messages"][0]["id"].as_str().filter(|id| !id.is_empty()) {
            Some(id) => SendOutcome::Accepted { external_id: id.to_owned() },
            None => SendOutcome::Unknown { error: described(ErrorCode::OutcomeUnknown, "taken, but the answer names no message; a status may still find it") },
        },
        300..=399 => SendOutcome::Refused { error: described(ErrorCode::InvalidInput, "a redirect, which is not followed; look at base_url") },
        429 => SendOutcome::TryLater { after_ms: after, error: described(ErrorCode::RateLimited, "slow down") },
        401 => SendOutcome::Refused { error: described(ErrorCode::Unauthorized, "the access token is not accepted") },
        403 => SendOutcome::Refused { error: described(ErrorCode::Forbidden, "not allowed") },
        404 => SendOutcome::Refused { error: described(ErrorCode::NotFound, "no such address; look at base_url, api_version and phone_number_id") },
        400..=499 => SendOutcome::Refused { error: described(ErrorCode::InvalidInput, "the request is not accepted") },
        _ => SendOutcome::Unknown { error: described(ErrorCode::OutcomeUnknown, "a failure without an explanation; the message may have been sent") },
    }
}

fn has_date(reply: &HttpReply) -> bool {
    reply.headers.get(::http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()).is_some_and(|text| text.trim().parse::<u32>().is_err())
}

/// Sorts a missing answer.
pub(super) fn unanswered(error: &HttpError) -> SendOutcome {
    let message = error.to_string();
    match error {
        HttpError::Refused(_) => SendOutcome::Refused { error: StepError::new(ErrorCode::InvalidInput, message) },
        HttpError::NotSent { .. } => SendOutcome::TryLater { after_ms: None, error: StepError::new(ErrorCode::Unavailable, message) },
        HttpError::TimedOut { .. } | HttpError::Broken { .. } => {
            SendOutcome::Unknown { error: StepError::new(ErrorCode::OutcomeUnknown, format!("{message}; the message may have been sent")) }
        }
    }
}
