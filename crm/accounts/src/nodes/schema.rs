//! The JSON Schemas that inputs of these nodes are made of. `null` is the same as absent, so that `{{ … | default(none) }}`
//! can fill any field.

use onward_core::Value;
use serde_json::json;

/// A text.
pub fn text(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

/// A list of texts.
pub fn texts(description: &str) -> Value {
    json!({ "type": ["array", "null"], "items": { "type": "string" }, "description": description })
}

/// A whole number.
pub fn integer(description: &str) -> Value {
    json!({ "type": ["integer", "null"], "description": description })
}

/// True or false.
pub fn boolean(description: &str) -> Value {
    json!({ "type": ["boolean", "null"], "description": description })
}

/// A record: its id, or the record itself.
pub fn record(description: &str) -> Value {
    json!({ "type": ["string", "object", "null"], "description": description })
}

/// Something of the organisation's that is there or not when the workflow is published: a `user`, `connection` or `template`.
#[must_use]
pub fn naming(kind: &str, mut schema: Value) -> Value {
    schema["x-names"] = kind.into();
    schema
}

/// A user, by id or e-mail.
pub fn user() -> Value {
    naming("user", record("A user's id or e-mail"))
}

/// Custom fields.
pub fn fields() -> Value {
    json!({ "type": ["object", "null"], "description": "Custom fields" })
}

/// A whole input: these members and no others.
pub fn input(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Members and one more.
#[must_use]
pub fn with(mut properties: Value, name: &str, schema: Value) -> Value {
    if let Value::Object(members) = &mut properties {
        members.insert(name.to_owned(), schema);
    }
    properties
}

/// An output that may be nothing.
#[must_use]
pub fn or_nothing(mut schema: Value) -> Value {
    schema["type"] = json!(["object", "null"]);
    schema
}
