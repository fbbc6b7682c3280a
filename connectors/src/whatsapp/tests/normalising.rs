//! What becomes of each kind of body.

use super::*;
use crate::incoming::{DeliveryStatus, Incoming, IncomingItem, IncomingMessage, IncomingStatus, MessageChange, Sender};
use onward_core::{ErrorCode, Timestamp, limits};
use proptest::prelude::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/", $name, ".json"))
    };
}

fn items(body: &[u8]) -> Vec<Incoming> {
    normalise::normalise(body).unwrap()
}

fn item(body: &[u8]) -> IncomingItem {
    let mut items = items(body);
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0].raw["id"], "800000000000001");
    items.remove(0).item
}

fn message(body: &[u8]) -> IncomingMessage {
    match item(body) {
        IncomingItem::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

fn status(body: &[u8]) -> IncomingStatus {
    match item(body) {
        IncomingItem::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

fn noor() -> Sender {
    Sender {
        external_ids: vec!["DE.90001".into(), "4915550000101".into()],
        phone: Some("+4915550000101".into()),
        email: None,
        name: Some("Noor Haddad".into()),
        username: Some("noor.h".into()),
    }
}

fn raw(name: &str, dedupe_id: Option<&str>) -> IncomingItem {
    IncomingItem::Raw { name: name.into(), dedupe_id: dedupe_id.map(str::to_owned) }
}

#[test]
fn a_text_and_who_wrote_it() {
    let expected = IncomingMessage {
        external_id: "wamid.t1".into(),
        outbound: false,
        sender: noor(),
        kind: "text".into(),
        text: Some("Guten Tag 👋".into()),
        reply_id: None,
        context_id: None,
        attachments: Vec::new(),
        change: None,
        at: Some(Timestamp::from_millis(1_790_000_000_000)),
    };
    assert_eq!(message(fixture!("text")), expected);
    let all = items(fixture!("text"));
    assert_eq!(all[0].account.as_deref(), Some("700000000000001"));
    assert_eq!(all[0].raw["value"]["messages"][0]["text"]["body"], "Guten Tag 👋");
    assert_eq!(all[0].raw["value"]["contacts"][0]["parent_user_id"], "DE.ENT.1");
    let numbers = message(fixture!("text_numbers_for_texts"));
    assert_eq!((numbers.sender, numbers.at), (noor(), expected.at));
}

#[test]
fn people_without_a_phone_number_keep_their_user_id() {
    let sender = message(fixture!("user_without_phone")).sender;
    assert_eq!((sender.external_ids.as_slice(), sender.phone.as_deref()), (["DE.90001".to_owned()].as_slice(), None));
    assert_eq!((sender.name.as_deref(), sender.username.as_deref()), (Some("Noor"), Some("noor.h")));
    assert_eq!(message(fixture!("user_named_by_contact_only")).sender.external_ids, ["DE.90001"]);
    assert_eq!(item(fixture!("nobody")), raw("message.text", Some("wamid.u3")));
}

#[test]
fn media_carry_what_is_needed_to_fetch_them() {
    let voice = message(fixture!("voice"));
    assert_eq!((voice.kind.as_str(), voice.text), ("audio", None));
    assert_eq!(voice.attachments, [json!({ "kind": "audio", "external_id": "m1", "mime_type": "audio/ogg; codecs=opus", "sha256": "abc=", "voice": true })]);
    let document = message(fixture!("document"));
    assert_eq!(document.text.as_deref(), Some("the offer"));
    assert_eq!((&document.attachments[0]["external_id"], &document.attachments[0]["filename"]), (&json!("77"), &json!("offer.pdf")));
    let sticker = message(fixture!("sticker"));
    assert_eq!((sticker.kind.as_str(), &sticker.attachments[0]["animated"]), ("sticker", &json!(true)));
}

#[test]
fn places_and_cards_are_readable() {
    let location = message(fixture!("location"));
    assert_eq!((location.kind.as_str(), location.text.as_deref(), &location.attachments[0]["latitude"]), ("location", Some("Office"), &json!(52.5)));
    let contacts = message(fixture!("contacts"));
    assert_eq!((contacts.kind.as_str(), contacts.text.as_deref(), contacts.attachments.len()), ("contacts", Some("A B, C"), 2));
}

#[test]
fn reactions_name_their_message_and_can_be_taken_back() {
    let given = message(fixture!("reaction"));
    assert_eq!((given.kind.as_str(), given.text.as_deref(), given.context_id.as_deref()), ("reaction", Some("👍"), Some("wamid.x")));
    let removed = message(fixture!("reaction_removed"));
    assert_eq!((removed.text, removed.context_id.as_deref()), (None, Some("wamid.x")));
}

#[test]
fn choices_come_back_as_reply_ids() {
    let choices: [(&[u8], &str, &str, Option<&str>); 3] = [
        (fixture!("template_button"), "go", "Go on", Some("wamid.x")),
        (fixture!("button_reply"), "yes", "Yes", Some("wamid.x")),
        (fixture!("list_reply"), "p1", "Basic", None),
    ];
    for (body, id, title, context) in choices {
        let message = message(body);
        assert_eq!(message.kind, "interactive");
        assert_eq!((message.reply_id.as_deref(), message.text.as_deref(), message.context_id.as_deref()), (Some(id), Some(title), context));
    }
    let form = message(fixture!("form_reply"));
    assert_eq!((form.text.as_deref(), &form.attachments[0]), (Some("Sent"), &json!({ "kind": "form", "name": "flow", "answers": { "size": "L" } })));
    assert_eq!(message(fixture!("form_reply_no_json")).attachments[0]["answers"], "{oops");
    let empty = message(fixture!("interactive_without_member"));
    assert_eq!((empty.kind.as_str(), empty.text, empty.reply_id), ("interactive", None, None));
    assert_eq!(items(fixture!("interactive_without_member"))[0].raw["value"]["errors"][0]["code"], 131_000);
}

#[test]
fn an_order_is_a_message_with_its_items() {
    let order = message(fixture!("order"));
    assert_eq!((order.kind.as_str(), order.text.as_deref()), ("interactive", Some("please")));
    assert_eq!((&order.attachments[0]["kind"], &order.attachments[0]["product_items"][0]["quantity"]), (&json!("order"), &json!(1)));
}

#[test]
fn a_customer_may_change_their_number() {
    let expected = IncomingItem::AddressChanged {
        sender: Sender { external_ids: vec!["4915550000101".into()], phone: Some("+4915550000101".into()), ..Sender::default() },
        new_external_id: "4915550000202".into(),
        dedupe_id: Some("wamid.y1".into()),
    };
    assert_eq!(item(fixture!("number_changed")), expected);
    assert_eq!(item(fixture!("identity_changed")), raw("message.system.customer_identity_changed", Some("wamid.y2")));
}

#[test]
fn edits_and_revocations_name_the_original() {
    let edit = message(fixture!("edit"));
    assert_eq!(
        (edit.change, edit.context_id.as_deref(), edit.text.as_deref(), edit.external_id.as_str()),
        (Some(MessageChange::Edited), Some("wamid.t1"), Some("Guten Abend"), "wamid.e1")
    );
    let revoke = message(fixture!("revoke"));
    assert_eq!((revoke.change, revoke.context_id.as_deref(), revoke.text), (Some(MessageChange::Revoked), Some("wamid.t1"), None));
}

#[test]
fn what_is_not_understood_is_still_a_message() {
    for body in [&fixture!("unsupported")[..], &fixture!("type_to_come")[..]] {
        let message = message(body);
        assert_eq!((message.kind.as_str(), message.sender), ("unsupported", noor()));
    }
    assert_eq!(message(fixture!("unsupported")).attachments[0]["errors"][0]["code"], 131_051);
    assert_eq!(items(fixture!("type_to_come"))[0].raw["value"]["messages"][0]["hologram"]["depth"], 3);
}

#[test]
fn where_a_message_came_from_is_kept() {
    let advertisement = message(fixture!("advertisement"));
    assert_eq!(advertisement.attachments, [json!({ "kind": "referral", "source_id": "ad1", "source_type": "ad", "ctwa_clid": "clid" })]);
    assert_eq!(message(fixture!("forwarded")).attachments, [json!({ "kind": "forwarded", "frequently": true })]);
}

#[test]
fn statuses_carry_our_id_and_the_reason() {
    let failed = status(fixture!("status_failed"));
    assert_eq!((failed.status, failed.message_id.as_deref(), failed.external_id.as_str()), (DeliveryStatus::Failed, Some("018f-ours"), "wamid.out1"));
    let error = failed.error.unwrap();
    assert_eq!((error.code, error.provider_code.as_str(), error.message.as_str()), (ErrorCode::PolicyDenied, "131047", "More than 24 hours have passed"));
    let read = status(fixture!("status_read"));
    assert_eq!((read.status, read.at, read.error), (DeliveryStatus::Read, Some(Timestamp::from_millis(1_790_000_006_000)), None));
    assert_eq!(status(fixture!("status_played_group")).status, DeliveryStatus::Read);
    assert_eq!(item(fixture!("status_to_come")), raw("status.dreamt", Some("wamid.out3:dreamt")));
}

#[test]
fn other_fields_become_events_or_are_kept_raw() {
    let IncomingItem::Event { kind, data, dedupe_id } = item(fixture!("template_rejected")) else { panic!() };
    assert_eq!(kind, "template.status_changed");
    let expected = json!({ "template_id": "55", "name": "hello", "language": "en_US", "category": "marketing", "status": "rejected", "reason": "INVALID_FORMAT", "account_id": "800000000000001" });
    assert_eq!(Value::from(data), expected);
    assert!(dedupe_id.is_some());
    let IncomingItem::Raw { name, dedupe_id } = item(fixture!("account_update")) else { panic!() };
    assert_eq!(name, "account_update");
    assert!(dedupe_id.is_some(), "a repeated delivery is recognised");
    assert_eq!(item(fixture!("field_to_come")), raw("telepathy", None));
    assert!(matches!(item(fixture!("errors_alone")), IncomingItem::Raw { name, .. } if name == "messages"));
    assert_eq!(item(fixture!("call")), raw("calls", Some("wacid.1:connect")));
}

#[test]
fn preferences_say_who_what_and_whether() {
    let IncomingItem::Preference { sender, category, granted, at, dedupe_id } = item(fixture!("preference_stop")) else { panic!() };
    assert_eq!((sender, category.as_str(), granted), (noor(), "marketing", false));
    assert_eq!((at, dedupe_id.as_deref()), (Some(Timestamp::from_millis(1_790_000_011_000)), Some("DE.90001,4915550000101:marketing:false:1790000011")));
    assert!(matches!(item(fixture!("preference_resume")), IncomingItem::Preference { granted: true, .. }));
}

#[test]
fn what_our_side_sent_from_the_phone_is_outbound_to_the_customer() {
    let echo = message(fixture!("echo"));
    assert!(echo.outbound);
    assert_eq!(echo.sender.external_ids, ["DE.90001", "4915550000101"]);
    assert_eq!(echo.text.as_deref(), Some("from the phone"));
}

#[test]
fn several_entries_changes_and_messages_come_one_by_one_in_order() {
    let items = items(fixture!("several"));
    let accounts: Vec<Option<&str>> = items.iter().map(|item| item.account.as_deref()).collect();
    assert_eq!(accounts, [Some("700000000000001"), Some("700000000000001"), Some("700000000000001"), None, Some("700000000000002")]);
    // Each carries its own part and nobody else's.
    assert_eq!(items[1].raw["value"]["messages"], json!([items[1].raw["value"]["messages"][0]]));
    assert_eq!(items[1].raw["value"]["messages"][0]["id"], "wamid.2");
    assert!(items[1].raw["value"].get("statuses").is_none());
    assert!(items[2].raw["value"].get("messages").is_none());
    assert_eq!(items[2].raw["value"]["statuses"][0]["id"], "wamid.out");
}

#[test]
fn shapes_to_come_are_kept_and_never_an_error() {
    let names: Vec<String> = items(fixture!("shapes_to_come"))
        .into_iter()
        .map(|item| match item.item {
            IncomingItem::Raw { name, .. } => name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["entry", "entry", "unknown", "messages", "unknown", "message.unknown", "message.unknown", "message.unknown"]);
    assert!(matches!(&items(br#"{"object":"page","entry":[{"id":"1","changes":[]}]}"#)[0].item, IncomingItem::Raw { name, .. } if name == "page"));
    assert!(items(br#"{"object":"whatsapp_business_account","entry":[]}"#).is_empty());
}

#[test]
fn only_what_is_no_delivery_is_an_error() {
    let deep = format!("{{\"object\":\"whatsapp_business_account\",\"entry\":{}1{}}}", "[".repeat(limits::JSON_DEPTH), "]".repeat(limits::JSON_DEPTH));
    for body in [
        "",
        "{",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"object":"whatsapp_business_account"}"#,
        r#"{"object":"whatsapp_business_account","entry":{}}"#,
        r#"{"object":1,"entry":[]}"#,
        deep.as_str(),
    ] {
        assert!(normalise::normalise(body.as_bytes()).is_err(), "{body}");
    }
    assert!(normalise::normalise(&[0xff, 0xfe]).is_err());
}

/// JSON of every shape, with the names that the connector looks for.
fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9.]{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "messages",
            "statuses",
            "text",
            "interactive",
            "system",
            "edit",
            "revoke",
            "failed",
            "user_changed_number",
            "nfm_reply",
            "9999999999999999999"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let name = prop::sample::select(vec![
            "id",
            "from",
            "from_user_id",
            "type",
            "timestamp",
            "text",
            "body",
            "context",
            "interactive",
            "nfm_reply",
            "response_json",
            "edit",
            "message",
            "original_message_id",
            "revoke",
            "system",
            "wa_id",
            "contacts",
            "messages",
            "statuses",
            "metadata",
            "phone_number_id",
            "errors",
            "code",
            "status",
            "profile",
            "name",
            "field",
            "value",
            "image",
            "referral",
            "user_preferences",
            "message_echoes",
            "calls",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<onward_core::Object>()
                .into())
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = normalise::normalise(&bytes);
    }

    #[test]
    fn arbitrary_changes_are_taken_apart_the_same_way_twice(field in prop::sample::select(vec!["messages", "smb_message_echoes", "user_preferences", "calls", "message_template_status_update", "x"]), value in json_like()) {
        let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": field, "value": value }] }] }).to_string();
        let first = normalise::normalise(body.as_bytes()).unwrap();
        prop_assert!(!first.is_empty(), "nothing is dropped");
        prop_assert_eq!(&first, &normalise::normalise(body.as_bytes()).unwrap());
        for item in &first {
            if let IncomingItem::Message(message) = &item.item {
                prop_assert!(!message.external_id.is_empty() && !message.sender.external_ids.is_empty());
            }
        }
    }
}
