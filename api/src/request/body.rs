//! JSON bodies: bounded before they are read whole, bounded in depth, refused with the place of the mistake.

use crate::{App, Problem, problem::FieldError};
use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use onward_connectors::json::{self, JsonError};
use onward_core::Value;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// What an endpoint takes as its body.
pub(crate) trait Body: DeserializeOwned {
    /// Bytes of the body: 1 MiB is more than any record.
    const LIMIT: usize = 1 << 20;
    /// No body at all is the same as `{}`.
    const OPTIONAL: bool = false;
}

/// A body that was read, and the bytes that it was made of.
#[derive(Debug)]
pub(crate) struct Payload<T> {
    /// What it says.
    pub(crate) value: T,
    /// The exact bytes: what an `Idempotency-Key` is compared by.
    pub(crate) bytes: Bytes,
}

impl<T: Body> FromRequest<App> for Payload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE)
            && !is_json(kind.as_bytes())
        {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "this endpoint takes JSON; send Content-Type: application/json",
            ));
        }
        let (parts, body) = request.into_parts();
        let bytes = read(app, &parts.headers, body, T::LIMIT).await?;
        let value = if T::OPTIONAL && bytes.iter().all(u8::is_ascii_whitespace) { parse(b"{}")? } else { parse(&bytes)? };
        Ok(Self { value: typed(value)?, bytes })
    }
}

/// Whether a content type is JSON, of any kind.
pub(crate) fn is_json(kind: &[u8]) -> bool {
    let Ok(kind) = std::str::from_utf8(kind) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Milliseconds that a body may take to arrive: 10 MiB over a slow line, and no longer.
const ARRIVAL_MS: i64 = 60_000;

/// The bytes of a body: a body that says it is too large is refused before it is read, one that turns out so while it is.
pub(crate) async fn read(app: &App, headers: &HeaderMap, body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Problem::too_large(limit));
    }
    let collected = tokio::select! {
        biased;
        collected = Limited::new(body, limit).collect() => collected,
        () = app.parts.clock.sleep_until(app.now().plus_millis(ARRIVAL_MS)) => {
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long to arrive"));
        }
    };
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(error) => Err(Problem::bad_request("truncated", format!("the body could not be read to its end: {error}"))),
    }
}

/// JSON of bounded depth.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    json::parse(bytes).map_err(|error| {
        let code = match error {
            JsonError::TooDeep { .. } => "too_deep",
            JsonError::Syntax { .. } => "malformed_json",
        };
        Problem::bad_request(code, error.to_string())
    })
}

/// A value as the type that an endpoint takes; the mistake is named by its place.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    at("", value).map_err(|error| Problem::invalid_input(vec![error]))
}

/// Tells `null` from absent: `#[serde(deserialize_with = "given")]` on an `Option<Option<T>>`.
#[expect(clippy::option_option, reason = "absent leaves it, null forgets it")]
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// As [`typed`], for a part of a body that stands at `place`.
pub(crate) fn at<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, FieldError> {
    // What derives `Deserialize` would take an array as its fields in order.
    if !value.is_object() {
        return Err(FieldError { pointer: place.to_owned(), detail: "an object is expected".into() });
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        FieldError { pointer: format!("{place}{pointer}"), detail: error.into_inner().to_string() }
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// A key as a reference token of a JSON pointer (RFC 6901).
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Person {
        #[expect(dead_code, reason = "only its type counts here")]
        phones: Vec<String>,
    }

    #[test]
    fn a_wrong_type_is_named_by_its_pointer() {
        let problem = typed::<Person>(json!({ "phones": ["a", 7] })).unwrap_err();
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem.to_value()["errors"][0]["pointer"], "/phones/1");
        let problem = typed::<Person>(json!({ "phones": [], "fones": 1 })).unwrap_err();
        assert!(problem.detail().contains("fones"), "{}", problem.detail());
        let problem = typed::<Person>(json!({})).unwrap_err();
        assert!(problem.detail().contains("missing field `phones`"), "{}", problem.detail());
    }

    #[test]
    fn malformed_and_deep_json_are_told_apart() {
        assert_eq!(parse(b"{\"a\":").unwrap_err().code(), "malformed_json");
        assert_eq!(parse(&b"[".repeat(100_000)).unwrap_err().code(), "too_deep");
    }

    #[test]
    fn json_by_any_of_its_names() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/cloudevents+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(is_json(kind.as_bytes()), expected, "{kind}");
        }
    }
}
