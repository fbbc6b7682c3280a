//! What people and programs must know of `message.send`.

use crate::policy::Category;
use onward_core::ports::{Effect, NodeDescriptor};
use serde_json::json;

pub(super) fn descriptor() -> NodeDescriptor {
    let text = |description: &str| json!({ "type": ["string", "null"], "description": description });
    let categories: Vec<serde_json::Value> = Category::ALL.iter().map(|category| category.as_str().into()).chain([serde_json::Value::Null]).collect();
    NodeDescriptor {
        id: "message.send".to_owned(),
        title: "Send a message".to_owned(),
        description: "Sends a text or a template to a contact under the messaging policy. What may not leave now is held, skipped, or fails the step."
            .to_owned(),
        category: "Messaging".to_owned(),
        effect: Effect::AtMostOnce,
        input: json!({
            "type": "object",
            "properties": {
                "contact": { "type": ["string", "object", "null"], "description": "A contact's id, or the contact; by default the run's" },
                "channel": text("whatsapp …; by default the conversation's, else where the contact was last active"),
                "connection": { "type": ["string", "null"], "x-names": "connection", "description": "A connection's name or id" },
                "text": { "type": ["string", "number", "null"], "description": "Free text; either this or `template`" },
                "template": { "type": ["string", "null"], "x-names": "template", "description": "The name of an approved template" },
                "params": { "type": ["object", "array", "null"], "description": "The template's values, by name or in order" },
                "header": { "type": ["object", "array", "string", "number", "null"], "description": "The template's header: the values of its text, or { image }, { video }, { document, filename }, each an https address, or { location }" },
                "button_params": { "type": ["array", "null"], "description": "What the template's buttons carry, in their order: the end of an address, { payload } or { code }; null for one that takes nothing" },
                "buttons": {
                    "type": ["array", "null"],
                    "description": "Choices below a text; the chosen id comes back as reply_id",
                    "items": {
                        "type": "object",
                        "properties": { "id": { "type": ["string", "number"] }, "title": { "type": ["string", "number"] } },
                        "required": ["title"],
                        "additionalProperties": false
                    }
                },
                "language": text("The template's language (en_US); by default the contact's"),
                "category": { "enum": categories, "description": "What the message is for; without it a template counts as marketing where the contact refused that" },
                "if_denied": { "enum": ["hold", "skip", "fail", null], "description": "When the policy says no: wait until it may leave (default), go on without it (default for marketing), or fail" },
                "reply_to": text("The provider's id of the message that this one answers"),
                "author": { "type": ["object", "null"], "description": "Who writes; only for the built-in workflow send-message" },
                "draft": text("The draft that this sends; only for the built-in workflow send-message"),
                "question": { "type": ["object", "null"], "description": "The question of a run that this brings; only for the built-in workflow ask-contact" }
            },
            "additionalProperties": false
        }),
        output: json!({
            "type": "object",
            "properties": {
                "message_id": { "type": ["string", "null"], "description": "null when it was skipped" },
                "verdict": { "enum": ["allow", "hold", "need_template", "need_human", "deny", "closed"], "description": "closed: the question that it was to bring was answered meanwhile" }
            },
            "required": ["message_id", "verdict"]
        }),
        example: json!({ "text": "Hello! How can we help?", "buttons": [{ "id": "prices", "title": "Prices" }] }),
        example_output: json!({ "message_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2e", "verdict": "allow" }),
        ui: json!({ "order": ["contact", "channel", "connection", "template", "params", "header", "button_params", "text", "buttons", "category", "if_denied"] }),
        connector: None,
        personal: true,
        binds: None,
    }
}
