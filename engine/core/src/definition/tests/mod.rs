//! The compiler from the outside: files in, programs and problems out.

mod hostile;
mod invalid;
mod properties;
mod valid;

use super::{Catalogue, Compiled, Severity, Workflow, compile, render_problem};
use crate::ports::{Effect, NodeDescriptor};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A few nodes, enough to make every kind of mistake with.
pub(super) struct Nodes(BTreeMap<String, NodeDescriptor>);

impl Default for Nodes {
    fn default() -> Self {
        let node = |id: &str, effect: Effect, input: Value, output: Value| NodeDescriptor {
            id: id.into(),
            title: id.into(),
            description: String::new(),
            category: "Test".into(),
            effect,
            input,
            output,
            example: json!({}),
            example_output: json!({}),
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: id.starts_with("crm.contact").then(|| "contact".into()),
        };
        let message = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "template": { "type": "string" },
                "text": { "type": "string" },
                "params": { "type": "object" },
                "buttons": {
                    "type": "array", "maxItems": 3,
                    "items": {
                        "type": "object", "additionalProperties": false, "required": ["id"],
                        "properties": { "id": { "type": "string" }, "title": { "type": "string", "maxLength": 20 } }
                    }
                },
                "if_denied": { "enum": ["hold", "skip", "fail"] },
                "delay": { "type": "integer", "minimum": 0 }
            }
        });
        let contact = json!({
            "type": "object", "additionalProperties": false, "required": ["phone"],
            "properties": { "phone": { "type": "string" }, "name": { "type": "string" }, "tags": { "type": "array", "items": { "type": "string" } } }
        });
        let closed = json!({ "type": "object", "additionalProperties": false, "properties": { "message_id": {}, "verdict": {} } });
        let nodes = [
            node("message.send", Effect::AtMostOnce, message, closed),
            node("crm.contact.upsert", Effect::Transactional, contact, json!({})),
            node("crm.conversation.assign", Effect::Transactional, json!({ "type": "object", "properties": { "team": { "type": "string" } } }), json!({})),
            node("debug.echo", Effect::External, json!({ "type": "object" }), json!({})),
        ];
        Self(nodes.into_iter().map(|node| (node.id.clone(), node)).collect())
    }
}

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        self.0.get(id)
    }
    fn node_ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        vec!["lead.captured", "message.received", "contact.unsubscribed"]
    }
}

fn compiled(source: &str) -> Compiled {
    compile(source, &Nodes::default())
}

/// The program of a file without a mistake.
fn good(source: &str) -> Workflow {
    let compiled = compiled(source);
    let shown: Vec<String> =
        compiled.problems.iter().filter(|problem| problem.severity != Severity::Hint).map(|problem| render_problem("f.yaml", problem)).collect();
    assert!(shown.is_empty(), "{}\n{source}", shown.join("\n"));
    compiled.workflow.unwrap()
}

/// The problems of a file, as people read them.
fn problems(source: &str) -> Vec<String> {
    let compiled = compiled(source);
    let has_error = compiled.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(compiled.workflow.is_none(), has_error, "{source}");
    compiled.problems.iter().map(|problem| render_problem("f.yaml", problem)).collect()
}
