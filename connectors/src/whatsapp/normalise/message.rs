//! `value.messages[]` and `value.message_echoes[]`.

use super::read::{list, phone, text, time};
use crate::incoming::{IncomingItem, IncomingMessage, MessageChange, Sender};
use onward_core::{Object, Value};
use serde_json::json;

/// A message of a customer.
pub(super) fn inbound(value: &Value, item: &Value) -> IncomingItem {
    let sender = sender(value, text(&item["from"]), text(&item["from_user_id"]));
    take(item, sender, false)
}

/// A message that our side sent from the phone app; its customer is whom it went to.
pub(super) fn echo(value: &Value, item: &Value) -> IncomingItem {
    let sender = sender(value, text(&item["to"]), text(&item["to_user_id"]));
    take(item, sender, true)
}

fn take(item: &Value, sender: Sender, outbound: bool) -> IncomingItem {
    let kind = item["type"].as_str().unwrap_or("unknown");
    let raw = |name: String| IncomingItem::Raw { name, dedupe_id: text(&item["id"]) };
    let Some(external_id) = text(&item["id"]) else { return raw(format!("message.{kind}")) };
    if kind == "system" {
        return system(item, sender);
    }
    if sender.external_ids.is_empty() {
        return raw(format!("message.{kind}"));
    }
    let (content, change, context_id) = match kind {
        // The new content stands in an envelope of its own.
        "edit" => (content(&item["edit"]["message"]), Some(MessageChange::Edited), text(&item["edit"]["original_message_id"])),
        "revoke" => (Content::of("unsupported"), Some(MessageChange::Revoked), text(&item["revoke"]["original_message_id"])),
        "reaction" => (content(item), None, text(&item["reaction"]["message_id"])),
        _ => (content(item), None, text(&item["context"]["id"])),
    };
    if change.is_some() && context_id.is_none() {
        return raw(format!("message.{kind}"));
    }
    let Content { kind, text, reply_id, attachments } = content;
    IncomingItem::Message(IncomingMessage {
        external_id,
        outbound,
        sender,
        kind: kind.to_owned(),
        text,
        reply_id,
        context_id,
        attachments,
        change,
        at: time(&item["timestamp"]),
    })
}

/// Who wrote: the business-scoped user id first, then the WhatsApp id, either of which may be missing.
fn sender(value: &Value, wa_id: Option<String>, user_id: Option<String>) -> Sender {
    let contact = contact_of(value, wa_id.as_deref(), user_id.as_deref());
    let wa_id = wa_id.or_else(|| contact.and_then(|contact| text(&contact["wa_id"])));
    let user_id = user_id.or_else(|| contact.and_then(|contact| text(&contact["user_id"])));
    let mut sender = Sender { external_ids: user_id.into_iter().chain(wa_id.clone()).collect(), phone: wa_id.as_deref().and_then(phone), ..Sender::default() };
    if let Some(contact) = contact {
        add_profile(&mut sender, contact);
    }
    sender
}

/// The entry of `contacts` that describes this person; the only one when the message names nobody.
pub(super) fn contact_of<'a>(value: &'a Value, wa_id: Option<&str>, user_id: Option<&str>) -> Option<&'a Value> {
    let contacts = list(&value["contacts"]);
    let same = |member: &Value, id: Option<&str>| id.is_some() && text(member).as_deref() == id;
    match (wa_id, user_id, contacts) {
        (None, None, [only]) => Some(only),
        _ => contacts.iter().find(|contact| same(&contact["user_id"], user_id) || same(&contact["wa_id"], wa_id)),
    }
}

pub(super) fn add_profile(sender: &mut Sender, contact: &Value) {
    sender.name = text(&contact["profile"]["name"]);
    sender.username = text(&contact["profile"]["username"]);
}

/// `system`: a customer moved to another number; anything else of the kind is kept raw.
fn system(item: &Value, sender: Sender) -> IncomingItem {
    let what = item["system"]["type"].as_str().unwrap_or("unknown");
    let dedupe_id = text(&item["id"]);
    let new = [&item["system"]["wa_id"], &item["system"]["new_wa_id"], &item["system"]["user_id"]].into_iter().find_map(text);
    match new {
        Some(new_external_id) if matches!(what, "user_changed_number" | "user_changed_user_id") && !sender.external_ids.is_empty() => {
            IncomingItem::AddressChanged { sender, new_external_id, dedupe_id }
        }
        _ => IncomingItem::Raw { name: format!("message.system.{what}"), dedupe_id },
    }
}

/// What was written, in our words.
struct Content {
    kind: &'static str,
    text: Option<String>,
    reply_id: Option<String>,
    attachments: Vec<Value>,
}

impl Content {
    fn of(kind: &'static str) -> Self {
        Self { kind, text: None, reply_id: None, attachments: Vec::new() }
    }
}

fn content(item: &Value) -> Content {
    let kind = item["type"].as_str().unwrap_or_default();
    let part = &item[kind];
    let mut content = match kind {
        "text" => Content { text: text(&part["body"]), ..Content::of("text") },
        "image" => media("image", part),
        "video" => media("video", part),
        "audio" => media("audio", part),
        "document" => media("document", part),
        "sticker" => media("sticker", part),
        "location" => {
            Content { text: text(&part["name"]).or_else(|| text(&part["address"])), attachments: vec![labelled("location", part)], ..Content::of("location") }
        }
        "contacts" => {
            let names: Vec<String> = list(part).iter().filter_map(|card| text(&card["name"]["formatted_name"])).collect();
            Content {
                text: Some(names.join(", ")).filter(|names| !names.is_empty()),
                attachments: list(part).iter().map(|card| labelled("contact", card)).collect(),
                ..Content::of("contacts")
            }
        }
        // An empty or missing emoji takes the reaction back.
        "reaction" => Content { text: text(&part["emoji"]), ..Content::of("reaction") },
        "button" => Content { text: text(&part["text"]), reply_id: text(&part["payload"]), ..Content::of("interactive") },
        "interactive" => interactive(part),
        "order" => Content { text: text(&part["text"]), attachments: vec![labelled("order", part)], ..Content::of("interactive") },
        // Kept as a message: the customer wrote, and the window is open.
        _ => Content::of("unsupported"),
    };
    if item["errors"].is_array() {
        content.attachments.push(json!({ "kind": "errors", "errors": item["errors"] }));
    }
    if item["referral"].is_object() {
        content.attachments.push(labelled("referral", &item["referral"]));
    }
    if let Some(product) = item["context"].get("referred_product") {
        content.attachments.push(labelled("referred_product", product));
    }
    if item["context"]["forwarded"] == true || item["context"]["frequently_forwarded"] == true {
        content.attachments.push(json!({ "kind": "forwarded", "frequently": item["context"]["frequently_forwarded"] == true }));
    }
    content
}

fn interactive(part: &Value) -> Content {
    let content = Content::of("interactive");
    let kind = part["type"].as_str().unwrap_or_default();
    let reply = &part[kind];
    match kind {
        "button_reply" | "list_reply" => {
            let attachments = if reply["description"].is_string() { vec![labelled(kind, reply)] } else { Vec::new() };
            Content { text: text(&reply["title"]), reply_id: text(&reply["id"]), attachments, ..content }
        }
        "nfm_reply" => {
            // The answers of a form come as JSON within text; what is none stays text.
            let answers =
                reply["response_json"].as_str().and_then(|text| crate::json::parse(text.as_bytes()).ok()).unwrap_or_else(|| reply["response_json"].clone());
            Content { text: text(&reply["body"]), attachments: vec![json!({ "kind": "form", "name": reply["name"], "answers": answers })], ..content }
        }
        // The member is missing when Meta met an error, and unknown when it is new.
        _ => content,
    }
}

fn media(kind: &'static str, part: &Value) -> Content {
    let mut attachment = Object::new();
    attachment.insert("kind".into(), kind.into());
    if let Some(id) = text(&part["id"]) {
        attachment.insert("external_id".into(), id.into());
    }
    for (name, member) in part.as_object().into_iter().flatten().filter(|(name, _)| *name != "id") {
        attachment.insert(name.clone(), member.clone());
    }
    Content { text: text(&part["caption"]), attachments: vec![attachment.into()], ..Content::of(kind) }
}

/// The provider's part with our name for its kind before it.
fn labelled(kind: &str, part: &Value) -> Value {
    let mut labelled = Object::new();
    labelled.insert("kind".into(), kind.into());
    for (name, member) in part.as_object().into_iter().flatten() {
        // A part's own `kind` would hide ours; none is known to have one.
        labelled.entry(name.clone()).or_insert_with(|| member.clone());
    }
    labelled.into()
}
