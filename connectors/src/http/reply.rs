//! Makes an outcome of an answer: pure.

use super::client::{HttpError, HttpReply};
use ::http::{
    HeaderMap,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE},
};
use base64::Engine as _;
use onward_core::{
    ErrorCode, Object, StepError, Timestamp, Value,
    ports::{Connection, Outcome},
};
use serde_json::json;

/// The longest wait that another side may ask for.
const MAX_RETRY_AFTER_MS: i64 = 24 * 60 * 60 * 1000;
/// Characters of an answer that are shown with a failure.
const SHOWN_BODY_CHARS: usize = 2_000;
/// Shorter secrets are not looked for in answers: they would blot out ordinary words.
const MIN_SCRUBBED_SECRET: usize = 6;

/// `Retry-After` in milliseconds from now: seconds, or an HTTP date.
pub fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let millis = if let Ok(seconds) = text.parse::<u32>() {
        i64::from(seconds) * 1000
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Timestamp::from_jiff_rounded_up(date.timestamp()).millis_since(now)
    };
    Some(millis.clamp(0, MAX_RETRY_AFTER_MS))
}

/// What an answer means for the step. Without `expect` any 2xx is good.
pub(super) fn outcome(reply: &HttpReply, expect: &[u16], now: Timestamp, connection: Option<&Connection>) -> Outcome {
    let status = reply.status;
    let good = if expect.is_empty() { (200..300).contains(&status) } else { expect.contains(&status) };
    if good {
        return Outcome::done(output(reply, connection));
    }
    let (code, message) = verdict(reply);
    let shown: String = scrub(&String::from_utf8_lossy(&reply.body), connection).chars().take(SHOWN_BODY_CHARS).collect();
    let error = StepError::new(code, message).with_details(json!({ "status": status, "body": shown }));
    match retry_after_ms(&reply.headers, now) {
        Some(after_ms) if matches!(status, 429 | 503) => Outcome::Retry { after_ms: Some(after_ms), error },
        _ => Outcome::Failed { error },
    }
}

fn verdict(reply: &HttpReply) -> (ErrorCode, String) {
    let status = reply.status;
    let (code, meaning) = match status {
        300..=399 => {
            let place = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
            return (ErrorCode::InvalidInput, format!("the server answered {status}, a redirect to {place}; redirects are not followed: write that address"));
        }
        401 => (ErrorCode::Unauthorized, "the credential is missing, wrong or expired"),
        403 => (ErrorCode::Forbidden, "the credential does not permit this"),
        404 | 410 => (ErrorCode::NotFound, "what was asked for does not exist"),
        409 => (ErrorCode::Conflict, "the other side's state does not permit this"),
        429 => (ErrorCode::RateLimited, "the other side asks to slow down"),
        408 | 425 | 500..=599 => (ErrorCode::Unavailable, "the other side has trouble"),
        400..=499 => (ErrorCode::InvalidInput, "the other side does not accept the request"),
        _ => (ErrorCode::InvalidInput, "the answer is not one of the expected"),
    };
    (code, format!("the server answered {status}: {meaning}"))
}

/// What a missing answer means for the step.
pub(super) fn failure(error: &HttpError) -> Outcome {
    let message = error.to_string();
    match error {
        HttpError::Refused(_) => Outcome::failed(ErrorCode::InvalidInput, message),
        HttpError::NotSent { .. } => Outcome::failed(ErrorCode::Unavailable, message),
        // It may have arrived: called again with the same key.
        HttpError::TimedOut { .. } => Outcome::Unknown { error: StepError::new(ErrorCode::Timeout, message) },
        HttpError::Broken { .. } => Outcome::Unknown { error: StepError::new(ErrorCode::Unavailable, message) },
    }
}

fn output(reply: &HttpReply, connection: Option<&Connection>) -> Value {
    let mut headers = Object::new();
    for name in reply.headers.keys() {
        // A session of somebody else's is a credential, and histories hold none.
        if name == SET_COOKIE {
            continue;
        }
        let values: Vec<_> = reply.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), scrub(&values.join(", "), connection).into());
    }
    let mut output = json!({ "status": reply.status, "headers": headers, "body": null });
    match std::str::from_utf8(&reply.body) {
        Ok(text) => output["body"] = readable(&scrub(text, connection), reply),
        // Cut in the middle of a character: the rest is still text.
        Err(error) if reply.truncated && error.error_len().is_none() => {
            output["body"] = scrub(&String::from_utf8_lossy(&reply.body[..error.valid_up_to()]), connection).into();
        }
        Err(_) => output["body_base64"] = base64::engine::general_purpose::STANDARD.encode(&reply.body).into(),
    }
    if reply.truncated {
        output["truncated"] = true.into();
    }
    output
}

/// JSON as its value when it says so and is; text as text; nothing as null.
fn readable(text: &str, reply: &HttpReply) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let says_json = kind == "application/json" || kind == "text/json" || kind.ends_with("+json");
    if says_json && let Ok(value) = crate::json::parse(text.as_bytes()) {
        return value;
    }
    text.into()
}

/// Takes the connection's own secrets out of a text: an echo must not carry them into a history.
pub(crate) fn scrub(text: &str, connection: Option<&Connection>) -> String {
    let mut text = text.to_owned();
    for secret in connection.iter().flat_map(|connection| connection.secrets.values()) {
        let secret = secret.expose();
        if secret.len() >= MIN_SCRUBBED_SECRET && text.contains(secret) {
            text = text.replace(secret, "[secret]");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::{ConnectionId, ports::Secret};
    use std::sync::Arc;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> HttpReply {
        let headers = headers.iter().map(|(name, value)| (::http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        HttpReply { status, headers, body: body.to_vec().into(), truncated: false }
    }

    fn failed(status: u16) -> ErrorCode {
        match outcome(&reply(status, &[], b""), &[], Timestamp::default(), None) {
            Outcome::Failed { error } => error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn statuses_become_codes() {
        let expected = [
            (301, ErrorCode::InvalidInput),
            (400, ErrorCode::InvalidInput),
            (401, ErrorCode::Unauthorized),
            (403, ErrorCode::Forbidden),
            (404, ErrorCode::NotFound),
            (408, ErrorCode::Unavailable),
            (409, ErrorCode::Conflict),
            (422, ErrorCode::InvalidInput),
            (429, ErrorCode::RateLimited),
            (500, ErrorCode::Unavailable),
            (503, ErrorCode::Unavailable),
        ];
        for (status, code) in expected {
            assert_eq!(failed(status), code, "{status}");
        }
    }

    #[test]
    fn expected_statuses_are_good_and_only_those() {
        assert!(matches!(outcome(&reply(404, &[], b""), &[200, 404], Timestamp::default(), None), Outcome::Done { .. }));
        assert!(matches!(outcome(&reply(201, &[], b""), &[200], Timestamp::default(), None), Outcome::Failed { .. }));
        assert!(matches!(outcome(&reply(204, &[], b""), &[], Timestamp::default(), None), Outcome::Done { .. }));
    }

    #[test]
    fn retry_after_is_a_floor_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7", Some(7_000)),
            ("Fri, 20 Nov 2026 10:01:00 GMT", Some(60_000)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("99999999", Some(MAX_RETRY_AFTER_MS)),
        ] {
            let answer = reply(429, &[("retry-after", text)], b"");
            assert_eq!(retry_after_ms(&answer.headers, now), expected, "{text}");
            let got = outcome(&answer, &[], now, None);
            match expected {
                Some(after) => assert!(matches!(got, Outcome::Retry { after_ms: Some(ms), ref error } if ms == after && error.code == ErrorCode::RateLimited)),
                None => assert!(matches!(got, Outcome::Failed { .. })),
            }
        }
        // On other statuses it means nothing to us.
        assert!(matches!(outcome(&reply(404, &[("retry-after", "1")], b""), &[], now, None), Outcome::Failed { .. }));
    }

    #[test]
    fn bodies_are_json_text_or_bytes() {
        let body = |headers: &[(&'static str, &str)], bytes: &[u8]| output(&reply(200, headers, bytes), None);
        assert_eq!(body(&[("content-type", "application/json; charset=utf-8")], b"{\"a\":1}")["body"], json!({ "a": 1 }));
        assert_eq!(body(&[("content-type", "application/problem+json")], b"[1]")["body"], json!([1]));
        assert_eq!(body(&[("content-type", "application/json")], b"{oops")["body"], json!("{oops"));
        assert_eq!(body(&[("content-type", "text/plain")], b"{\"a\":1}")["body"], json!("{\"a\":1}"));
        assert_eq!(body(&[], b"")["body"], Value::Null);
        assert_eq!(body(&[], &[0xff, 0xfe, 0x00])["body_base64"], json!("//4A"));
        assert_eq!(body(&[("set-cookie", "session=1"), ("x-a", "b")], b"")["headers"], json!({ "x-a": "b" }));
        let cut = HttpReply { truncated: true, ..reply(200, &[], "aü".as_bytes()) };
        let cut = HttpReply { body: cut.body.slice(..2), ..cut };
        assert_eq!(output(&cut, None)["body"], json!("a"));
        assert_eq!(output(&cut, None)["truncated"], json!(true));
    }

    #[test]
    fn an_echoed_secret_is_taken_out() {
        let connection = Connection {
            id: ConnectionId(uuid::Uuid::nil()),
            connector: "http".into(),
            name: "a".into(),
            config: Object::new(),
            secrets: Arc::new([("token".to_owned(), Secret::new("s3cret-token"))].into()),
        };
        let answer = reply(200, &[("content-type", "application/json"), ("x-echo", "s3cret-token")], b"{\"auth\":\"Bearer s3cret-token\"}");
        for outcome in [outcome(&answer, &[], Timestamp::default(), Some(&connection)), outcome(&answer, &[201], Timestamp::default(), Some(&connection))] {
            let text = serde_json::to_string(&outcome).unwrap();
            assert!(!text.contains("s3cret-token"), "{text}");
            assert!(text.contains("[secret]"));
        }
    }

    #[test]
    fn only_what_may_have_arrived_is_unknown() {
        let host = || "h:1".to_owned();
        assert!(
            matches!(failure(&HttpError::NotSent { host: host(), reason: String::new() }), Outcome::Failed { error } if error.code == ErrorCode::Unavailable)
        );
        assert!(matches!(failure(&HttpError::Refused(String::new())), Outcome::Failed { error } if error.code == ErrorCode::InvalidInput));
        assert!(matches!(failure(&HttpError::TimedOut { host: host(), timeout_ms: 1 }), Outcome::Unknown { error } if error.code == ErrorCode::Timeout));
        assert!(
            matches!(failure(&HttpError::Broken { host: host(), reason: String::new() }), Outcome::Unknown { error } if error.code == ErrorCode::Unavailable)
        );
    }
}
