//! The one error envelope: RFC 9457 `application/problem+json` with `code`, and `errors` for input.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use onward_accounts::CrmError;
use onward_connectors::connection::ConnectionError;
use onward_core::{
    ErrorCode, Object, StepError, Value,
    definition::{self, Severity},
    limits,
    ports::{StoreError, WriteError},
};
use onward_database::DatabaseError;
use onward_runtime::{EngineError, Overload};
use serde::Serialize;
use utoipa::ToSchema;

/// One mistake of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body (`/3/type`), or the name of a query parameter.
    #[schema(example = "/phones/0")]
    pub pointer: String,
    /// What is wrong, and the remedy.
    #[schema(example = "`12` is no phone number; write it with its country code, like +4915112345678")]
    pub detail: String,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Facts>);

#[derive(Clone, Debug, PartialEq)]
struct Facts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_ms: Option<u64>,
    more: Object,
}

/// The members of a problem, for the `OpenAPI` document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:onward:problem:invalid_input", "title": "Unprocessable Entity", "status": 422, "code": "invalid_input",
    "detail": "the body has a mistake at /phones/0", "errors": [{ "pointer": "/phones/0", "detail": "`12` is no phone number" }]
}))]
pub(crate) struct ProblemShape {
    /// `urn:onward:problem:` and the code.
    pub(crate) r#type: String,
    /// The status in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// A stable name for programs.
    pub(crate) code: String,
    /// What happened and what to do, for a person.
    pub(crate) detail: String,
    /// The mistakes of the input; only when the input is wrong.
    #[schema(required = false)]
    pub(crate) errors: Vec<FieldError>,
}

/// The content type of every problem.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

impl Problem {
    /// With this status and stable code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Facts { status, code, detail: detail.into(), errors: Vec::new(), retry_after_ms: None, more: Object::new() }))
    }
    /// 400: not what this protocol allows (malformed JSON, a bad cursor).
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }
    /// 401: who are you?
    pub fn unauthorised(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }
    /// 403.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }
    /// 404: no such record in this organisation; says nothing of others.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} {id}"))
    }
    /// 409.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }
    /// 412: `If-Match` names another state than the present one.
    pub fn changed_meanwhile() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed",
            "it was changed since it was read (If-Match does not fit its ETag); read it again and repeat the change",
        )
    }
    /// 413.
    pub fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the body is larger than {limit} bytes"))
    }
    /// 422 with one mistake.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_input(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
    /// 422 with every mistake.
    pub fn invalid_input(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            several => format!("the body has {} mistakes; the first: {}: {}", several.len(), several[0].pointer, several[0].detail),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", detail);
        problem.0.errors = errors;
        problem
    }
    /// 500: our own mistake. The cause goes to the log and not to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed by our own mistake");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }
    /// 503 with `Retry-After`.
    pub fn unavailable(retry_after_ms: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server cannot take this now; try again").retry_after(retry_after_ms)
    }
    /// 503: new work is refused, and why.
    pub fn overloaded(overload: Overload) -> Self {
        let problem = match overload {
            Overload::Busy { retry_after_ms } => return Self::unavailable(retry_after_ms),
            Overload::DiskLow { bytes_left } => {
                let detail = format!(
                    "the disk is nearly full: {} MiB are left, and the last {} MiB are kept so that what was taken in can end; make room",
                    bytes_left >> 20,
                    limits::DISK_RESERVE_BYTES >> 20
                );
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk_low", detail)
            }
        };
        problem.retry_after(overload.retry_after_ms())
    }
    /// Says when to try again, in milliseconds; rounded up to the second in `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, millis: u64) -> Self {
        self.0.retry_after_ms = Some(millis);
        self
    }
    /// Adds a member of its own.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }
    /// The stable name.
    pub fn code(&self) -> &'static str {
        self.0.code
    }
    /// What happened, for a person.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
    /// As JSON.
    pub fn to_value(&self) -> Value {
        let Facts { status, code, detail, errors, more, .. } = &*self.0;
        let mut body = serde_json::json!({
            "type": format!("urn:onward:problem:{code}"),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": code,
            "detail": detail,
        });
        if !errors.is_empty() {
            body["errors"] = serde_json::to_value(errors).unwrap_or_default();
        }
        if let Some(object) = body.as_object_mut() {
            object.extend(more.clone());
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_value().to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(millis) = self.0.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000).max(1)));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            passing if passing.is_passing() => Self::unavailable(1_000),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull
            | StoreError::Unavailable(_)
            | StoreError::LeaseLost { .. }
            | StoreError::GenerationChanged
            | StoreError::InboxWaits
            | StoreError::Contended => Self::unavailable(1_000),
            other => Self::internal(other),
        }
    }
}

impl From<CrmError> for Problem {
    fn from(error: CrmError) -> Self {
        match error {
            CrmError::Invalid { field, message } => Self::invalid(format!("/{}", field.trim_start_matches('/')), message),
            CrmError::NotFound { what, id } => Self::not_found(what, id),
            CrmError::Conflict { message, ids } if ids.is_empty() => Self::conflict("conflict", message),
            CrmError::Conflict { message, ids } => Self::conflict("conflict", message).with("ids", ids),
            CrmError::Unavailable { message } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message),
            CrmError::Database(error) => error.into(),
        }
    }
}

impl From<ConnectionError> for Problem {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Invalid(problems) => {
                Self::invalid_input(problems.into_iter().map(|problem| FieldError { pointer: problem.pointer, detail: problem.detail }).collect())
            }
            ConnectionError::NameTaken(_) => Self::conflict("conflict", error.to_string()),
            ConnectionError::Changed { .. } => Self::changed_meanwhile(),
            // Only the operator can give the right key back.
            ConnectionError::Seal(_) => Self::conflict("secrets_unreadable", error.to_string()),
            ConnectionError::Database(error) => error.into(),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Unavailable { retry_after_ms } => Self::unavailable(retry_after_ms),
            WriteError::OutcomeUnknown => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "the database connection was lost while committing: it may or may not be stored; look before you repeat it, or repeat it with the same Idempotency-Key",
            )
            .retry_after(1_000),
            WriteError::Refused | WriteError::Database(_) => Self::internal(error),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string()),
            EngineError::Invalid { problems } => {
                let told =
                    |problem: &definition::Problem| FieldError { pointer: "/source".into(), detail: format!("line {}: {}", problem.line, problem.message) };
                let errors: Vec<FieldError> = problems.iter().filter(|problem| problem.severity == Severity::Error).map(told).collect();
                let problems = serde_json::to_value(&problems).unwrap_or_default();
                let mut problem = Self::invalid_input(errors).with("problems", problems);
                problem.0.code = "invalid_workflow";
                problem
            }
            EngineError::InvalidInput(message) => Self::invalid("", message),
            EngineError::Conflict(message) => Self::conflict("conflict", message),
            EngineError::TooMany(message) => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message).retry_after(60_000),
            EngineError::Write(error) => error.into(),
        }
    }
}

/// A failure as nodes and connectors tell it.
impl From<StepError> for Problem {
    fn from(error: StepError) -> Self {
        match error.code {
            ErrorCode::NotFound => Self::new(StatusCode::NOT_FOUND, "not_found", error.message),
            ErrorCode::Conflict => Self::conflict("conflict", error.message),
            ErrorCode::InvalidInput => Self::invalid("", error.message),
            ErrorCode::Unavailable | ErrorCode::Timeout => Self::unavailable(1_000),
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::invalid("/phones/0", "no phone number").with("ids", vec!["a"]);
        let body = problem.to_value();
        assert_eq!(body["type"], "urn:onward:problem:invalid_input");
        assert_eq!((body["status"].as_u64(), body["title"].as_str()), (Some(422), Some("Unprocessable Entity")));
        assert_eq!(body["errors"], serde_json::json!([{ "pointer": "/phones/0", "detail": "no phone number" }]));
        assert_eq!(body["ids"], serde_json::json!(["a"]));
        assert_eq!(problem.into_response().headers()[header::CONTENT_TYPE], CONTENT_TYPE);
    }

    #[test]
    fn retry_after_rounds_up_to_whole_seconds() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            assert_eq!(Problem::unavailable(millis).into_response().headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn our_own_mistakes_keep_their_cause_to_the_log() {
        let problem = Problem::from(DatabaseError::Failed("no such column: password_hash".into()));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem.to_value().to_string().contains("password_hash"));
    }
}
