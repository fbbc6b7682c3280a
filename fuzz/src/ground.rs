//! What the fuzz targets share: nodes to write about, and a scope to look into.

use onward_core::{
    Object, Timestamp, Value,
    definition::Catalogue,
    expression::{RecordReads, Scope},
    ports::{Effect, NodeDescriptor, Scripts},
};
use onward_script::Rhai;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// Two nodes, some event types, and scripts.
pub struct Nodes;

static NODES: LazyLock<[NodeDescriptor; 2]> = LazyLock::new(|| {
    let node = |id: &str, effect| NodeDescriptor {
        id: id.into(),
        title: id.into(),
        category: "test".into(),
        effect,
        description: String::new(),
        input: json!({
            "type": "object", "additionalProperties": false,
            "properties": { "text": { "type": "string" }, "count": { "type": "integer", "minimum": 0 }, "any": {} }
        }),
        output: json!({ "type": "object" }),
        example: json!({}),
        example_output: json!({}),
        ui: json!({}),
        connector: None,
        personal: false,
        binds: None,
    };
    [node("debug.echo", Effect::External), node("debug.log", Effect::Transactional)]
});

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        NODES.iter().find(|node| node.id == id)
    }
    fn node_ids(&self) -> Vec<&str> {
        NODES.iter().map(|node| node.id.as_str()).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        vec!["message.received", "lead.captured"]
    }
    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(&Rhai)
    }
}

/// A scope with something of every kind in it.
pub fn scope() -> Scope {
    let object = |value: Value| if let Value::Object(object) = value { object } else { Object::new() };
    let steps = [("lead", json!({ "id": "c1", "score": 71, "tags": ["new", "hot"], "note": null, "deep": [1, { "x": 2 }] })), ("skipped", Value::Null)];
    let contact = json!({ "first_name": "Asha", "last_name": null, "score": 7, "tags": ["vip"], "timezone": "Asia/Kolkata" });
    Scope {
        event: Arc::new(
            json!({ "type": "lead.captured", "data": { "amount": 12.5, "big": u64::MAX, "flag": true, "empty": "", "when": "2026-11-20T09:30:00Z" } }),
        ),
        input: Arc::new(json!({ "phone": "+91", "items": [{ "n": 1 }, { "n": 2 }, { "n": 3 }] })),
        vars: Arc::new(object(json!({ "after": "24h", "i": 1 }))),
        steps: Arc::new(steps.into_iter().map(|(key, value)| (Arc::from(key), Arc::new(value))).collect()),
        run: Arc::new(json!({ "id": "r1", "workflow": "w" })),
        now: Timestamp::from_millis(1_772_339_400_000),
        records: Arc::new(RecordReads::live(BTreeMap::from([("contact".into(), contact), ("company".into(), Value::Null)]))),
        timezone: Some("Europe/Amsterdam".into()),
        ..Scope::default()
    }
}
