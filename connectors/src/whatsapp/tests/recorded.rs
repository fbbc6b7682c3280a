//! The provider's recorded bodies, when they lie beside the repository (or where `ONWARD_SHARED` says).

use super::*;
use crate::{
    channel::{Button, Content, OutgoingMessage, TemplateButton, TemplateHeader},
    incoming::{Incoming, IncomingItem},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The folder, or nothing with a line that says so.
fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("ONWARD_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("contracts/fixtures/whatsapp");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("skipped: no recorded bodies at {}", folder.display());
        None
    }
}

/// Every recorded delivery: its name and its bytes.
fn deliveries() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .filter(|(name, _)| !name.starts_with("api.") && name != "signatures.json")
        .collect();
    found.sort();
    assert!(found.len() > 50, "the folder holds {} deliveries", found.len());
    found
}

/// What became of a body: one word an item.
fn words(items: &[Incoming]) -> Vec<String> {
    let word = |item: &Incoming| match &item.item {
        IncomingItem::Message(message) => {
            let change = message.change.map(|change| format!(" {change:?}").to_lowercase()).unwrap_or_default();
            format!("{}{}{change}", if message.outbound { "outbound " } else { "" }, message.kind)
        }
        IncomingItem::Status(status) => format!("status {:?}", status.status).to_lowercase(),
        IncomingItem::Preference { category, granted, .. } => format!("preference {category} {granted}"),
        IncomingItem::AddressChanged { new_external_id, .. } => format!("address {new_external_id}"),
        IncomingItem::Event { kind, .. } => kind.clone(),
        IncomingItem::Raw { name, .. } => format!("raw {name}"),
    };
    items.iter().map(word).collect()
}

#[test]
fn every_recorded_body_is_understood() {
    let expected: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("batch.two_entries_messages_and_status.json", &["text", "image", "status delivered"][..]),
        ("call_connect.business_initiated.json", &["raw calls"]),
        ("call_connect.user_initiated.json", &["raw calls"]),
        ("call_status.call_status.json", &["raw calls"]),
        ("deleted_message.revoke.json", &["unsupported revoked"]),
        ("edited_message.image.json", &["image edited"]),
        ("flow_completion.completion.json", &["interactive"]),
        ("flow_completion.without_flow_token.json", &["interactive"]),
        ("message.animated_sticker.json", &["sticker"]),
        ("message.audio.json", &["audio"]),
        ("message.callback_button.json", &["interactive"]),
        ("message.callback_quick_reply.json", &["interactive"]),
        ("message.callback_quick_reply_without_context.json", &["interactive"]),
        ("message.chosen_location.json", &["location"]),
        ("message.contacts.json", &["contacts"]),
        ("message.current_location.json", &["location"]),
        ("message.document.json", &["document"]),
        ("message.forwarded.json", &["text"]),
        ("message.forwarded_many_times.json", &["text"]),
        ("message.image.json", &["image"]),
        ("message.interactive_message_with_err.json", &["interactive"]),
        ("message.list_reply_callback.json", &["interactive"]),
        ("message.list_reply_description.json", &["interactive"]),
        ("message.media_with_url.json", &["image"]),
        ("message.order.json", &["interactive"]),
        ("message.reaction.json", &["reaction"]),
        ("message.referral.json", &["text"]),
        ("message.reply.json", &["text"]),
        ("message.static_sticker.json", &["sticker"]),
        ("message.text.json", &["text"]),
        ("message.unreaction_empty.json", &["reaction"]),
        ("message.unreaction_no_emoji.json", &["reaction"]),
        ("message.unsupported.json", &["unsupported"]),
        ("message.unsupported_with_type.json", &["unsupported"]),
        ("message.video.json", &["video"]),
        ("message.voice.json", &["audio"]),
        ("outgoing_message.delete.json", &["outbound unsupported revoked"]),
        ("outgoing_message.edit.json", &["outbound text edited"]),
        ("outgoing_message.text.json", &["outbound text"]),
        ("status.delivered.json", &["status delivered"]),
        ("status.failed.json", &["status failed"]),
        ("status.group.json", &["status read"]),
        ("status.played.json", &["status read"]),
        ("status.read.json", &["status read"]),
        ("status.sent.json", &["status sent"]),
        ("status.with_tracker.json", &["status sent"]),
        ("system.identity_change.json", &["raw message.system.customer_identity_changed"]),
        ("system.phone_number_change.json", &["address 972912345678"]),
        ("template_category_update.marketing.json", &["raw template_category_update"]),
        ("template_components_update.element.json", &["raw message_template_components_update"]),
        ("template_quality_update.yellow.json", &["raw message_template_quality_update"]),
        ("template_status_update.approved.json", &["template.status_changed"]),
        ("template_status_update.rejected.json", &["template.status_changed"]),
        ("user_marketing_preferences.resume.json", &["preference marketing true"]),
        ("user_marketing_preferences.signup.json", &["preference marketing true"]),
    ]);
    for (name, body) in deliveries() {
        let items = normalise::normalise(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = match expected.get(name.as_str()) {
            Some(expected) => *expected,
            None if name.starts_with("account_update.") => &["raw account_update"],
            None => panic!("{name} is new: say what becomes of it"),
        };
        assert_eq!(words(&items), expected, "{name}");
        for item in &items {
            assert!(item.raw["field"].is_string() && item.raw["value"].is_object(), "{name}");
        }
    }
}

#[test]
fn every_recorded_signature_verifies_and_no_flipped_byte_does() {
    let Some(folder) = folder() else { return };
    let signatures: Value = serde_json::from_slice(&std::fs::read(folder.join("signatures.json")).unwrap()).unwrap();
    let connection = connection(&json!({}), &[("app_secret", signatures["app_secret"].as_str().unwrap())]);
    let connector = connector();
    let files = signatures["files"].as_object().unwrap();
    assert!(files.len() > 50);
    for (name, signature) in files {
        let signature = signature.as_str().unwrap();
        let mut body = std::fs::read(folder.join(name)).unwrap();
        let verify = |body: &[u8]| {
            let headers = [(::http::HeaderName::from_static("x-hub-signature-256"), signature.parse().unwrap())].into_iter().collect();
            connector
                .verify(
                    &connection,
                    &WebhookRequest {
                        method: ::http::Method::POST,
                        headers,
                        query: Vec::new(),
                        body: body.to_vec().into(),
                        received_at: onward_core::Timestamp::default(),
                    },
                )
                .is_genuine()
        };
        assert!(verify(&body), "{name}");
        let middle = body.len() / 2;
        body[middle] ^= 1;
        assert!(!verify(&body), "{name} with a flipped byte");
    }
}

#[test]
fn requests_are_shaped_like_the_recorded_ones() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let message = |content| OutgoingMessage { message_id: "ours".into(), to: "16505551234".into(), content, reply_to: None };
    let button = |id: &str, title: &str| Button { id: id.into(), title: title.into() };
    let text = request::body(&message(Content::Text { text: "Hello".into() }), "to");
    let recorded = read("api.send_text.request.json");
    let buttons = request::body(&message(Content::Buttons { text: "Confirm?".into(), buttons: vec![button("yes", "Yes"), button("no", "No")] }), "to");
    let recorded_buttons = read("api.send_interactive_buttons.request.json");
    for (ours, recorded) in [(&text, &recorded), (&buttons, &recorded_buttons)] {
        for (name, member) in recorded.as_object().unwrap() {
            assert_eq!(&ours[name], member, "{name}");
        }
    }
    let rows = Content::List { text: "Choose".into(), button: "Open".into(), rows: vec![button("p1", "Basic")] };
    let (ours, recorded) = (request::body(&message(rows), "to"), read("api.send_interactive_list.request.json"));
    assert_eq!((&ours["interactive"]["type"], &ours["interactive"]["body"]), (&recorded["interactive"]["type"], &recorded["interactive"]["body"]));
    let (ours, recorded) = (&ours["interactive"]["action"], &recorded["interactive"]["action"]);
    assert_eq!(ours["button"], recorded["button"]);
    for name in ["id", "title"] {
        assert_eq!(ours["sections"][0]["rows"][0][name], recorded["sections"][0]["rows"][0][name], "{name}");
    }
    let params = vec![("1".to_owned(), json!("Asha")), ("2".to_owned(), json!("#1001"))];
    let template = Content::Template {
        name: "order_confirmation".into(),
        language: "en_US".into(),
        params,
        header: Some(TemplateHeader::Image { link: "https://example.com/a.png".into() }),
        buttons: vec![(0, TemplateButton::Url("1001".into()))],
    };
    assert_eq!(request::body(&message(template), "to")["template"], read("api.send_template.request.json")["template"]);
}
