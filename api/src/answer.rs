//! What an endpoint answers when it went well.

use crate::request::etag;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use onward_core::Value;
use serde::{Deserialize, Serialize};

/// Says that an answer was kept from an earlier request with the same `Idempotency-Key`.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A status and a JSON body. Plain data, so that it can be stored beside the effect it tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    body: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip)]
    replayed: bool,
}

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status: status.as_u16(), body, location: None, tag: None, replayed: false }
    }
    /// 200.
    pub(crate) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }
    /// 201, and where it stands now.
    pub(crate) fn created(body: Value, location: impl Into<String>) -> Self {
        Self { location: Some(location.into()), ..Self::new(StatusCode::CREATED, body) }
    }
    /// 202: it is stored; its effects follow.
    pub(crate) fn accepted(body: Value) -> Self {
        Self::new(StatusCode::ACCEPTED, body)
    }
    /// 204.
    pub(crate) fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT, Value::Null)
    }
    /// Adds the body's `ETag`.
    #[must_use]
    pub(crate) fn tagged(mut self) -> Self {
        self.tag = Some(etag(&self.body));
        self
    }
    /// Adds this `ETag`, where only a part of the body is what people edit.
    #[must_use]
    pub(crate) fn tagged_as(mut self, tag: String) -> Self {
        self.tag = Some(tag);
        self
    }
    /// Marks it as kept from an earlier request.
    #[must_use]
    pub(crate) fn replayed(mut self) -> Self {
        self.replayed = true;
        self
    }
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = if self.body.is_null() { Body::empty() } else { Body::from(self.body.to_string()) };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        if !self.body.is_null() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if let Some(tag) = self.tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stored_answer_is_the_same_answer() {
        let answer = Answer::created(json!({ "id": 1 }), "/api/v1/things/1").tagged();
        let stored: Answer = serde_json::from_value(serde_json::to_value(&answer).unwrap()).unwrap();
        assert_eq!(stored, answer);
        let response = stored.replayed().into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[header::LOCATION], "/api/v1/things/1");
        assert_eq!(response.headers()[header::ETAG].to_str().unwrap(), etag(&json!({ "id": 1 })));
        assert_eq!(response.headers()[REPLAYED], "true");
    }
}
