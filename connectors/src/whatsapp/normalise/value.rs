//! The value of one change, by its field.

use super::{
    Change, message,
    read::{list, phone, text, time},
    status,
};
use crate::incoming::{Incoming, IncomingItem, Sender};
use onward_core::{Object, Value};

/// The lists of a value that hold one item each for us.
const LISTS: [&str; 5] = ["messages", "statuses", "message_echoes", "user_preferences", "calls"];

pub(super) fn normalise(change: &Change<'_>, items: &mut Vec<Incoming>) {
    let before = items.len();
    match change.field {
        "messages" => {
            for item in list(&change.value["messages"]) {
                items.push(change.incoming(message::inbound(change.value, item), &only("messages", item)));
            }
            for item in list(&change.value["statuses"]) {
                items.push(change.incoming(status::status(item), &only("statuses", item)));
            }
        }
        "smb_message_echoes" => {
            for item in list(&change.value["message_echoes"]) {
                items.push(change.incoming(message::echo(change.value, item), &only("message_echoes", item)));
            }
        }
        "user_preferences" => {
            for item in list(&change.value["user_preferences"]) {
                items.push(change.incoming(preference(change.value, item), &only("user_preferences", item)));
            }
        }
        "calls" => {
            for name in ["calls", "statuses"] {
                for item in list(&change.value[name]) {
                    let dedupe_id = text(&item["id"]).map(|id| {
                        let step = text(&item["event"]).or_else(|| text(&item["status"])).unwrap_or_default();
                        format!("{id}:{step}")
                    });
                    items.push(change.incoming(IncomingItem::Raw { name: "calls".into(), dedupe_id }, &only(name, item)));
                }
            }
        }
        "message_template_status_update" => items.push(change.incoming(template_status(change), &[])),
        _ => {}
    }
    // Nothing in it that has an item of its own: errors that stand alone, unknown fields, shapes to come.
    if items.len() == before {
        items.push(change.incoming(IncomingItem::Raw { name: change.field.to_owned(), dedupe_id: change.fingerprint() }, &[]));
    }
}

/// Keeps this item of this list, and nothing of the other lists.
fn only<'a>(kept: &'a str, item: &'a Value) -> [(&'a str, Option<&'a Value>); 5] {
    LISTS.map(|list| (list, (list == kept).then_some(item)))
}

/// `message_template_status_update` → `template.status_changed`. Ids come as numbers and are kept as text.
fn template_status(change: &Change<'_>) -> IncomingItem {
    let value = change.value;
    let mut data = Object::new();
    let facts = [
        ("template_id", text(&value["message_template_id"])),
        ("name", text(&value["message_template_name"])),
        ("language", text(&value["message_template_language"])),
        ("category", text(&value["message_template_category"]).map(|category| category.to_lowercase())),
        ("status", text(&value["event"]).map(|event| event.to_lowercase())),
        ("reason", text(&value["reason"]).filter(|reason| reason != "NONE")),
        ("account_id", text(&change.entry["id"])),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            data.insert(name.to_owned(), fact.into());
        }
    }
    IncomingItem::Event { kind: "template.status_changed".into(), data, dedupe_id: change.fingerprint() }
}

fn preference(value: &Value, item: &Value) -> IncomingItem {
    let granted = match item["value"].as_str() {
        Some("stop") => false,
        Some("resume" | "signup") => true,
        _ => return IncomingItem::Raw { name: "user_preferences".into(), dedupe_id: None },
    };
    let wa_id = text(&item["wa_id"]);
    let user_id = text(&item["user_id"]);
    let mut sender = Sender { external_ids: user_id.iter().chain(&wa_id).cloned().collect(), phone: wa_id.as_deref().and_then(phone), ..Sender::default() };
    if let Some(contact) = message::contact_of(value, wa_id.as_deref(), user_id.as_deref()) {
        message::add_profile(&mut sender, contact);
    }
    if sender.external_ids.is_empty() {
        return IncomingItem::Raw { name: "user_preferences".into(), dedupe_id: None };
    }
    let category = text(&item["category"]).unwrap_or_default();
    let category = category.strip_suffix("_messages").unwrap_or(&category).to_owned();
    let dedupe_id = text(&item["timestamp"]).map(|at| format!("{}:{category}:{granted}:{at}", sender.external_ids.join(",")));
    IncomingItem::Preference { sender, category, granted, at: time(&item["timestamp"]), dedupe_id }
}
