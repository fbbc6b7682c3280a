//! Every answer that the tests see is held against the `OpenAPI` document, in both directions: nothing is missing, and nothing
//! is there that the document does not know.

use super::Reply;
use crate::openapi;
use http::{Method, header};
use jsonschema::Validator;
use onward_core::Value;
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

/// The document, with every described object closed.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = openapi();
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        close(schema);
    }
    document
});

fn close(schema: &mut Value) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema["additionalProperties"] = json!(false);
    }
    for part in ["properties", "items", "oneOf", "allOf"] {
        match schema.get_mut(part) {
            Some(Value::Object(object)) if part == "properties" => object.values_mut().for_each(close),
            Some(Value::Array(items)) => items.iter_mut().for_each(close),
            Some(item @ Value::Object(_)) => close(item),
            _ => {}
        }
    }
}

/// The path of the document that a request's path is of.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    let mut fitting: Vec<&'static str> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|template| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            template.split('/').count() == path.split('/').count()
                && wanted.by_ref().zip(given.by_ref()).all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()))
        })
        .map(String::as_str)
        .collect();
    // A literal path before one with parameters.
    fitting.sort_by_key(|template| template.matches('{').count());
    fitting.first().copied()
}

/// Every operation of the document.
pub(crate) fn operations() -> Vec<(Method, &'static str, &'static Value)> {
    let mut all = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase().parse().unwrap(), path.as_str(), operation));
        }
    }
    all
}

/// An operation that needs no authentication.
pub(crate) fn is_open(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|schemes| schemes.iter().any(|scheme| scheme.as_object().is_some_and(serde_json::Map::is_empty)))
}

/// Panics when the answer is not what the document says.
pub(crate) fn check(method: &Method, path: &str, reply: &Reply) {
    let Some(template) = template(path) else { return };
    let operation = &DOCUMENT["paths"][template][method.as_str().to_lowercase()];
    if operation.is_null() {
        assert_eq!(reply.status, 405, "{method} {template} is not described");
        return;
    }
    let name = if reply.status.is_success() { reply.status.as_u16().to_string() } else { "default".to_owned() };
    let described = &operation["responses"][&name];
    assert!(!described.is_null(), "{method} {template} answers {name}, which is not described: {}", reply.text);
    let kind = reply.headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
    let Some(content) = described["content"].as_object() else {
        assert!(reply.text.is_empty(), "{method} {template} {name} has no body in the document: {}", reply.text);
        return;
    };
    let essence = kind.split(';').next().unwrap();
    assert!(content.contains_key(essence), "{method} {template} {name} is {kind}");
    if !essence.ends_with("json") || name == "default" {
        return;
    }
    let validator = validator(&content[essence]["schema"]);
    let problems: Vec<String> = validator.iter_errors(&reply.json()).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{method} {template} {name}: {problems:#?}\n{}", reply.text);
}

fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let key = schema.to_string();
    if let Some(known) = KNOWN.lock().unwrap().get(&key) {
        return Arc::clone(known);
    }
    let mut root = json!({ "allOf": [schema] });
    root["components"] = DOCUMENT["components"].clone();
    let made = Arc::new(jsonschema::validator_for(&root).unwrap());
    KNOWN.lock().unwrap().insert(key, Arc::clone(&made));
    made
}
