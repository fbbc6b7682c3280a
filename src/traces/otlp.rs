//! Spans in OTLP's JSON form (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): ids in hex, 64-bit numbers as text.

use onward_core::Value;
use serde_json::json;

/// Who is on which side of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Work of our own.
    Internal = 1,
    /// A request to us.
    Server = 2,
    /// A request of ours.
    Client = 3,
}

/// A span that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    /// Spans of other traces that belong to it.
    pub(super) links: Vec<([u8; 16], [u8; 8])>,
    /// It went wrong: how.
    pub(super) error: Option<String>,
}

/// The body of an export.
pub(super) fn body(spans: &[Span], resource: &[(&'static str, Value)]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(resource) },
        "scopeSpans": [{ "scope": { "name": "onward", "version": env!("CARGO_PKG_VERSION") }, "spans": spans.iter().map(span).collect::<Vec<_>>() }],
    }] })
}

fn span(span: &Span) -> Value {
    let mut told = json!({
        "traceId": hex::encode(span.trace), "spanId": hex::encode(span.id), "name": span.name, "kind": span.kind as u8,
        "startTimeUnixNano": span.began.to_string(), "endTimeUnixNano": span.ended.max(span.began).to_string(),
        "attributes": attributes(&span.attributes), "status": {},
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = hex::encode(parent).into();
    }
    if !span.links.is_empty() {
        let link = |(trace, id): &([u8; 16], [u8; 8])| json!({ "traceId": hex::encode(trace), "spanId": hex::encode(id) });
        told["links"] = span.links.iter().map(link).collect();
    }
    if let Some(error) = &span.error {
        told["status"] = json!({ "code": 2, "message": error });
    }
    told
}

fn attributes(attributes: &[(&'static str, Value)]) -> Value {
    let value = |value: &Value| match value {
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Number(number) if number.is_i64() || number.is_u64() => json!({ "intValue": number.to_string() }),
        Value::Number(number) => json!({ "doubleValue": number }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    attributes.iter().map(|(key, of)| json!({ "key": key, "value": value(of) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_and_large_numbers_are_text() {
        let span = Span {
            trace: [0xab; 16],
            id: [1; 8],
            parent: Some([2; 8]),
            name: "run welcome".into(),
            kind: Kind::Internal,
            began: 1_800_000_000_123_456_789,
            ended: 1_800_000_000_123_456_790,
            attributes: vec![("attempt", json!(2)), ("ok", json!(true)), ("workflow", json!("welcome"))],
            links: vec![([3; 16], [4; 8])],
            error: Some("declined".into()),
        };
        let told = body(&[span], &[("service.name", json!("onward"))]);
        let told = &told["resourceSpans"][0];
        assert_eq!(told["resource"]["attributes"], json!([{ "key": "service.name", "value": { "stringValue": "onward" } }]));
        let span = &told["scopeSpans"][0]["spans"][0];
        assert_eq!((&span["traceId"], &span["spanId"], &span["parentSpanId"]), (&json!("ab".repeat(16)), &json!("01".repeat(8)), &json!("02".repeat(8))));
        assert_eq!((&span["startTimeUnixNano"], &span["status"]), (&json!("1800000000123456789"), &json!({ "code": 2, "message": "declined" })));
        assert_eq!(span["attributes"][0], json!({ "key": "attempt", "value": { "intValue": "2" } }));
        assert_eq!(span["links"], json!([{ "traceId": "03".repeat(16), "spanId": "04".repeat(8) }]));
    }
}
