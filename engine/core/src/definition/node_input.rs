//! A node's input against its JSON Schema, as far as it is known before a run: what an expression gives is unknown.

use super::{
    mentions::{self, Mention},
    problems::Problems,
    tree::{Node, Tree},
};
use crate::{Object, Value};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use std::collections::HashMap;

/// Compiled schemas of the nodes met so far; `None` for a schema that is broken.
#[derive(Default)]
pub(super) struct Validators {
    by_node: HashMap<String, Option<Validator>>,
    /// What the inputs met so far name of the organisation's.
    pub(super) mentions: Vec<Mention>,
}

impl Validators {
    /// Checks `with` of a step that runs `node`.
    pub(super) fn check(&mut self, problems: &mut Problems, node: &str, schema: &Value, with: &Tree) {
        if is_code(with) {
            return;
        }
        self.mentions.extend(mentions::of_input(schema, with));
        let validator = self.by_node.entry(node.to_owned()).or_insert_with(|| jsonschema::validator_for(schema).ok());
        let Some(validator) = validator else { return };
        let value = with.to_value();
        for error in validator.iter_errors(&value) {
            report(problems, node, schema, with, &error);
        }
    }
}

fn report(problems: &mut Problems, node: &str, schema: &Value, with: &Tree, error: &ValidationError<'_>) {
    let path = error.instance_path().to_string();
    let here = with.at(&path);
    let inside = path.trim_start_matches('/').replace('/', ".");
    let what = if inside.is_empty() { node.to_owned() } else { format!("{node}: `{inside}`") };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = properties(schema, &error.schema_path().to_string());
            for name in unexpected {
                let place = here.map().and_then(|entries| entries.iter().find(|(key, _)| key.text == *name)).map_or(&here.place, |(key, _)| &key.place);
                problems.wrong_name(place, "unknown_field", &format!("{what} has no input \"{name}\""), name, known.iter().map(String::as_str));
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            problems.error(&here.place, "missing_input", format!("{what} needs the input \"{name}\""));
        }
        // Whatever depends on a value that is not known yet is left to the run.
        _ if has_code(here) => {}
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
                jsonschema::error::TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or "),
            };
            let quote = if expected == "string" && matches!(here.node, Node::Number(_) | Node::Bool(_)) { "; quote it" } else { "" };
            problems.error(&here.place, "wrong_type", format!("{what} must be {}, not {}{quote}", in_words(&expected), here.kind()));
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array().map(|options| options.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
            let shown = here.text().map_or_else(|| here.to_value().to_string(), str::to_owned);
            problems.wrong_name(&here.place, "bad_value", &format!("{what} cannot be \"{shown}\""), &shown, options);
        }
        _ => problems.error(&here.place, "bad_value", format!("{what}: {error}")),
    }
}

/// The names that the schema's object at this keyword allows.
fn properties(schema: &Value, keyword: &str) -> Vec<String> {
    let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
    let found = schema.pointer(parent).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    found.map(Object::keys).map(|keys| keys.cloned().collect()).unwrap_or_default()
}

fn in_words(kind: &str) -> String {
    kind.split(" or ")
        .map(|kind| match kind {
            "string" => "a text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list",
            "object" => "a map",
            _ => "nothing",
        })
        .collect::<Vec<_>>()
        .join(" or ")
}

pub(super) fn is_code(tree: &Tree) -> bool {
    tree.text().is_some_and(|text| text.contains("{{") || text.contains("{%") || text.contains("{#"))
}

/// Whether any part is known at run time only.
fn has_code(tree: &Tree) -> bool {
    match &tree.node {
        Node::List(items) => items.iter().any(has_code),
        Node::Map(entries) => entries.iter().any(|(_, value)| has_code(value)),
        _ => is_code(tree),
    }
}
