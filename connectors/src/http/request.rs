//! Builds the call of `http.request`: pure, apart from sending.

use super::client::HttpRequest;
use ::http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use bytes::Bytes;
use onward_core::{ErrorCode, Object, StepError, Value, limits, ports::Connection};
use std::time::Duration;
use url::Url;

/// How long an answer may take when the step does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that a step may ask for; longer work belongs to a webhook that answers later.
const MAX_TIMEOUT: Duration = Duration::from_mins(10);
/// Headers that belong to the connection between two machines and not to the author.
const FORBIDDEN_HEADERS: [&str; 8] = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "proxy-authorization"];

/// The header that lets the other side recognise a repeated call.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A call to make, and which answers its author expects.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: HttpRequest,
    /// Empty: any 2xx.
    pub(super) expect: Vec<u16>,
}

fn invalid(field: &str, problem: impl std::fmt::Display) -> StepError {
    StepError::new(ErrorCode::InvalidInput, format!("{field}: {problem}"))
}

/// Builds the call from the node's input.
pub(super) fn prepare(input: &Value, connection: Option<&Connection>, idempotency_key: &str) -> Result<Prepared, StepError> {
    let method = method(input)?;
    let mut url = url(input, connection)?;
    add_query(&mut url, &input["query"])?;
    let mut headers = HeaderMap::new();
    if let Some(connection) = connection {
        add_headers(&mut headers, &connection.config.get("headers").cloned().unwrap_or_default(), "the connection's headers")?;
        if let Some(token) = connection.secrets.get("token") {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| invalid("connection", "its token holds characters that no header can carry; replace it"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }
    add_headers(&mut headers, &input["headers"], "headers")?;
    if !headers.contains_key(&IDEMPOTENCY_KEY) {
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(idempotency_key).map_err(|error| invalid("idempotency key", error))?);
    }
    let body = body(&input["body"], &mut headers)?;
    Ok(Prepared {
        request: HttpRequest { method, url, headers, body, timeout: timeout(&input["timeout"])?, max_reply_bytes: limits::STEP_OUTPUT_BYTES },
        expect: expect(&input["expect"])?,
    })
}

fn method(input: &Value) -> Result<Method, StepError> {
    match &input["method"] {
        Value::Null => Ok(Method::GET),
        Value::String(name) => match name.to_ascii_uppercase().as_str() {
            "GET" => Ok(Method::GET),
            "POST" => Ok(Method::POST),
            "PUT" => Ok(Method::PUT),
            "PATCH" => Ok(Method::PATCH),
            "DELETE" => Ok(Method::DELETE),
            "HEAD" => Ok(Method::HEAD),
            _ => Err(invalid("method", format!("\"{name}\" is not one of GET, POST, PUT, PATCH, DELETE, HEAD"))),
        },
        other => Err(invalid("method", format!("must be text, not {other}"))),
    }
}

fn url(input: &Value, connection: Option<&Connection>) -> Result<Url, StepError> {
    let text = input["url"].as_str().ok_or_else(|| invalid("url", "is missing; give a whole address, or a path when a connection has a base_url"))?.trim();
    let base = connection.and_then(|connection| connection.config.get("base_url")).and_then(Value::as_str);
    let Some(base) = base else {
        return Url::parse(text).map_err(|error| invalid("url", format!("\"{text}\" is no whole address ({error})")));
    };
    let base = Url::parse(base).map_err(|error| invalid("connection", format!("its base_url is no address ({error})")))?;
    let url = match Url::parse(text) {
        Ok(whole) => whole,
        Err(url::ParseError::RelativeUrlWithoutBase) if !text.starts_with("//") => {
            let joined = format!("{}/{}", base.as_str().trim_end_matches('/'), text.trim_start_matches('/'));
            Url::parse(&joined).map_err(|error| invalid("url", format!("\"{text}\" does not fit the connection's base_url ({error})")))?
        }
        Err(error) => return Err(invalid("url", format!("\"{text}\" is no address ({error})"))),
    };
    // The connection's secrets are for its own host.
    if url.origin() == base.origin() { Ok(url) } else { Err(invalid("url", format!("\"{text}\" lies outside the connection's base_url {base}"))) }
}

fn add_query(url: &mut Url, query: &Value) -> Result<(), StepError> {
    let pairs = match query {
        Value::Null => return Ok(()),
        Value::Object(pairs) => pairs,
        other => return Err(invalid("query", format!("must be a mapping, not {other}"))),
    };
    let mut add = |name: &str, value: &Value| -> Result<(), StepError> {
        if let Some(text) = scalar(value).map_err(|problem| invalid(&format!("query.{name}"), problem))? {
            url.query_pairs_mut().append_pair(name, &text);
        }
        Ok(())
    };
    for (name, value) in pairs {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| add(name, item))?,
            single => add(name, single)?,
        }
    }
    Ok(())
}

/// A value as text; `None` for null, which is left out.
fn scalar(value: &Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err("must be text, a number or a boolean"),
    }
}

fn add_headers(headers: &mut HeaderMap, given: &Value, place: &str) -> Result<(), StepError> {
    let given: &Object = match given {
        Value::Null => return Ok(()),
        Value::Object(given) => given,
        other => return Err(invalid(place, format!("must be a mapping, not {other}"))),
    };
    for (name, value) in given {
        let field = format!("{place}.{name}");
        let name: HeaderName = name.parse().map_err(|_| invalid(&field, "is no header name"))?;
        if FORBIDDEN_HEADERS.contains(&name.as_str()) {
            return Err(invalid(&field, "is set by the client itself; leave it out"));
        }
        let Some(text) = scalar(value).map_err(|problem| invalid(&field, problem))? else { continue };
        headers.insert(name, HeaderValue::from_str(&text).map_err(|_| invalid(&field, "holds characters that no header can carry"))?);
    }
    Ok(())
}

fn body(body: &Value, headers: &mut HeaderMap) -> Result<Option<Bytes>, StepError> {
    let form = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let (bytes, kind) = match body {
        Value::Null => return Ok(None),
        Value::String(text) => (text.clone().into_bytes(), "text/plain; charset=utf-8"),
        Value::Object(fields) if form => {
            let mut encoded = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields {
                if let Some(text) = scalar(value).map_err(|problem| invalid(&format!("body.{name}"), problem))? {
                    encoded.append_pair(name, &text);
                }
            }
            (encoded.finish().into_bytes(), "application/x-www-form-urlencoded")
        }
        other => (other.to_string().into_bytes(), "application/json"),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    Ok(Some(bytes.into()))
}

fn timeout(value: &Value) -> Result<Duration, StepError> {
    let seconds = match value {
        Value::Null => return Ok(DEFAULT_TIMEOUT),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<jiff::SignedDuration>().ok().map(|duration| duration.as_secs_f64()),
        _ => None,
    };
    seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| *timeout <= MAX_TIMEOUT)
        .ok_or_else(|| invalid("timeout", format!("{value} is no duration above 0 and up to 10m; write 30s, 500ms, or a number of seconds")))
}

fn expect(value: &Value) -> Result<Vec<u16>, StepError> {
    let status = |value: &Value| {
        value
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (100..600).contains(status))
            .ok_or_else(|| invalid("expect", format!("{value} is no HTTP status; write for instance [200, 404]")))
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(status).collect(),
        single => Ok(vec![status(single)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::{ConnectionId, ports::Secret};
    use serde_json::json;
    use std::sync::Arc;

    fn connection(config: &Value, secrets: &[(&str, &str)]) -> Connection {
        Connection {
            id: ConnectionId(uuid::Uuid::nil()),
            connector: "http".into(),
            name: "erp".into(),
            config: config.as_object().cloned().unwrap(),
            secrets: Arc::new(secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()),
        }
    }

    fn refused(input: &Value, connection: Option<&Connection>) -> String {
        let error = prepare(input, connection, "k").unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput);
        error.message
    }

    #[test]
    fn json_body_query_and_idempotency_key() {
        let input = json!({ "method": "post", "url": "https://example.com/a?x=1", "query": { "q": "a b", "n": [1, 2], "none": null }, "body": { "a": [1] } });
        let prepared = prepare(&input, None, "00ff").unwrap();
        assert_eq!(prepared.request.method, Method::POST);
        assert_eq!(prepared.request.url.as_str(), "https://example.com/a?x=1&q=a+b&n=1&n=2");
        assert_eq!(prepared.request.headers["idempotency-key"], "00ff");
        assert_eq!(prepared.request.headers["content-type"], "application/json");
        assert_eq!(&prepared.request.body.unwrap()[..], br#"{"a":[1]}"#);
        assert_eq!(prepared.request.timeout, DEFAULT_TIMEOUT);
    }

    #[test]
    fn text_and_form_bodies() {
        let text = prepare(&json!({ "url": "http://example.com", "body": "hi" }), None, "k").unwrap();
        assert_eq!(text.request.headers["content-type"], "text/plain; charset=utf-8");
        let form = json!({ "url": "http://example.com", "headers": { "Content-Type": "application/x-www-form-urlencoded" }, "body": { "a": "b c", "n": 1 } });
        assert_eq!(&prepare(&form, None, "k").unwrap().request.body.unwrap()[..], b"a=b+c&n=1");
    }

    #[test]
    fn a_connection_gives_base_address_token_and_headers() {
        let connection =
            connection(&json!({ "base_url": "https://erp.example/api/", "headers": { "X-Team": "a", "X-Both": "connection" } }), &[("token", "s3cret")]);
        let prepared = prepare(&json!({ "url": "/orders", "headers": { "X-Both": "step" } }), Some(&connection), "k").unwrap();
        assert_eq!(prepared.request.url.as_str(), "https://erp.example/api/orders");
        assert_eq!(prepared.request.headers["authorization"], "Bearer s3cret");
        assert_eq!(prepared.request.headers["x-both"], "step");
        assert_eq!(prepared.request.headers["x-team"], "a");
        assert!(!format!("{:?}", prepared.request.headers).contains("s3cret"));
    }

    #[test]
    fn a_connections_secrets_stay_on_its_host() {
        let connection = connection(&json!({ "base_url": "https://erp.example/api" }), &[("token", "s3cret")]);
        for url in ["https://evil.example/", "http://erp.example/", "//evil.example/x", "https://erp.example:8443/"] {
            refused(&json!({ "url": url }), Some(&connection));
        }
        // A path cannot break out of the host either.
        let prepared = prepare(&json!({ "url": "@evil.example/x" }), Some(&connection), "k").unwrap();
        assert_eq!(prepared.request.url.host_str(), Some("erp.example"));
    }

    #[test]
    fn mistakes_name_their_place() {
        assert!(refused(&json!({}), None).starts_with("url: is missing"));
        assert!(refused(&json!({ "url": "/x" }), None).contains("no whole address"));
        assert!(refused(&json!({ "url": "http://a", "method": "FETCH" }), None).contains("FETCH"));
        assert!(refused(&json!({ "url": "http://a", "headers": { "Host": "b" } }), None).starts_with("headers.Host"));
        assert!(refused(&json!({ "url": "http://a", "headers": { "X-A": "a\r\nX-B: b" } }), None).contains("no header can carry"));
        assert!(refused(&json!({ "url": "http://a", "timeout": "soon" }), None).starts_with("timeout"));
        assert!(refused(&json!({ "url": "http://a", "timeout": "11m" }), None).starts_with("timeout"));
        assert!(refused(&json!({ "url": "http://a", "expect": ["ok"] }), None).starts_with("expect"));
        assert!(refused(&json!({ "url": "http://a", "query": { "a": {} } }), None).starts_with("query.a"));
    }

    #[test]
    fn timeouts_and_expectations() {
        for (value, millis) in [(json!("500ms"), 500), (json!("2m"), 120_000), (json!(1.5), 1_500), (json!("1m 30s"), 90_000)] {
            let prepared = prepare(&json!({ "url": "http://a", "timeout": value, "expect": [200, 404] }), None, "k").unwrap();
            assert_eq!(prepared.request.timeout.as_millis(), millis);
            assert_eq!(prepared.expect, [200, 404]);
        }
    }
}
