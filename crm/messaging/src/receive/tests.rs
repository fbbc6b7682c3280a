//! Receiving on a real database.

use super::*;
use crate::{
    messages::MessageStatus,
    raw,
    tests::{DAY, START, World, connection, incoming, message, sender, status, text},
};
use onward_connectors::incoming::{DeliveryError, DeliveryStatus, IncomingMessage, IncomingStatus, Sender};
use onward_core::ErrorCode;
use onward_database::Query as _;
use onward_records::{ContactChange, timeline};
use proptest::prelude::*;
use serde_json::json;

#[tokio::test]
async fn a_message_becomes_contact_identities_conversation_message_and_events() {
    let mut world = World::new().await;
    let received = world.receive([text("wamid.1", "Hello")]).await;
    assert_eq!(received, Received { messages: 1, ..Received::default() });
    let contact = world.contacts().await.remove(0);
    assert_eq!((contact.name.as_str(), contact.phones.join(",")), ("Test Name", "+972987654321".to_owned()));
    let ids: Vec<&str> = contact.identities.iter().map(|identity| identity.key.external_id.as_str()).collect();
    assert_eq!(ids, ["US.1", "972987654321"]);
    let conversation = world.conversations().await.remove(0);
    assert_eq!((conversation.unread, conversation.last_text.as_str(), conversation.last_inbound_at), (1, "Hello", Some(START.plus_millis(-1000))));
    let row = world.messages().await.remove(0);
    assert_eq!((row.status, row.direction.as_str(), row.kind.as_str(), row.text.as_str()), (MessageStatus::Received, "inbound", "text", "Hello"));
    let events = world.events();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["contact.created", "conversation.opened", "message.received"]);
    let event = &events[2];
    assert_eq!((event.source.as_str(), event.id.as_deref()), (events::source("whatsapp", world.receiver.id).as_str(), Some("wamid.1")));
    for (fact, value) in [
        ("contact_id", json!(contact.id)),
        ("conversation_id", json!(conversation.id)),
        ("message_id", json!(row.id)),
        ("channel", json!("whatsapp")),
        ("connection_id", json!(world.receiver.id)),
        ("external_id", json!("wamid.1")),
        ("from", json!("+972987654321")),
        ("text", json!("Hello")),
        ("kind", json!("text")),
        ("reply_id", Value::Null),
        ("author", json!({ "kind": "contact", "id": contact.id })),
        ("at", json!(START.plus_millis(-1000))),
        ("raw", json!({ "whole": true })),
    ] {
        assert_eq!(event.data[fact], value, "{fact}");
    }
    let items = timeline::page(&mut world.tx, world.organisation, contact.id, None, 10).await.unwrap();
    assert_eq!((items[0].kind.as_str(), items[0].text.as_str(), items.len()), ("message", "Hello", 2));
}

#[tokio::test]
async fn a_repeated_message_writes_and_emits_nothing() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hello")]).await;
    let before = (world.contacts().await, world.conversations().await, world.messages().await);
    world.events();
    world.tx.outbox().changes.clear();
    let again = world.receive([text("wamid.1", "Hello"), text("wamid.1", "Hello")]).await;
    assert_eq!(again, Received { duplicates: 2, ..Received::default() });
    assert!(world.kinds().is_empty() && world.tx.outbox().changes.is_empty());
    assert_eq!((world.contacts().await, world.conversations().await, world.messages().await), before);
    crate::conversations::close(&mut world.tx, world.organisation, &Actor::System, before.1[0].id).await.unwrap();
    world.events();
    assert_eq!(world.receive([text("wamid.1", "Hello")]).await.duplicates, 1);
    assert!(world.kinds().is_empty(), "a repetition opens no closed conversation");
}

#[tokio::test]
async fn the_whole_of_receive_for_a_known_contact_is_few_rows() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hello")]).await;
    world.events();
    world.receive([text("wamid.2", "Again")]).await;
    assert_eq!(world.kinds(), ["message.received"]);
    let conversation = world.conversations().await.remove(0);
    assert_eq!((conversation.unread, conversation.last_text.as_str()), (2, "Again"));
}

fn from(external_ids: &[&str], phone: Option<&str>, id: &str) -> IncomingItem {
    let sender = Sender { external_ids: external_ids.iter().map(|id| (*id).to_owned()).collect(), phone: phone.map(str::to_owned), ..Sender::default() };
    IncomingItem::Message(IncomingMessage { sender, ..message(id, "x") })
}

#[tokio::test]
async fn addresses_of_one_sender_belong_to_one_contact_phone_or_not() {
    let mut world = World::new().await;
    world.receive([from(&["US.1"], None, "1"), from(&["US.1", "972987654321"], Some("+972987654321"), "2"), from(&["972987654321"], None, "3")]).await;
    let all = world.contacts().await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].identities.len(), 2);
    assert_eq!(world.messages().await.len(), 3);
}

#[tokio::test]
async fn addresses_of_two_contacts_stay_with_them_and_the_strongest_counts() {
    let mut world = World::new().await;
    world.receive([from(&["US.1"], None, "1"), from(&["972987654321"], None, "2")]).await;
    let strong = world.messages().await[0].contact_id;
    world.receive([from(&["US.1", "972987654321"], None, "3"), from(&["US.1", "972987654321"], None, "4")]).await;
    assert_eq!(world.contacts().await.len(), 2);
    assert_eq!(world.messages().await.iter().filter(|row| row.contact_id == strong).count(), 3);
    let items = timeline::page(&mut world.tx, world.organisation, strong, None, 100).await.unwrap();
    assert_eq!(items.iter().filter(|item| item.text.starts_with("Another contact")).count(), 1, "said once");
}

#[tokio::test]
async fn a_sender_known_by_phone_is_that_contact() {
    let mut world = World::new().await;
    let change = ContactChange { name: Some("Asha".into()), phones: vec!["+972987654321".into()], ..ContactChange::default() };
    let asha = world.contact(change).await;
    world.receive([text("wamid.1", "Hi")]).await;
    let all = world.contacts().await;
    assert_eq!((all.len(), all[0].id, all[0].name.as_str(), all[0].identities.len()), (1, asha, "Asha", 2));
    assert_eq!(world.kinds(), ["contact.updated", "conversation.opened", "message.received"]);
}

#[tokio::test]
async fn messages_written_in_the_phone_app_are_ours() {
    let mut world = World::new().await;
    let echo = IncomingItem::Message(IncomingMessage { outbound: true, ..message("wamid.e", "From the phone") });
    assert_eq!(world.receive([echo.clone(), echo]).await, Received { messages: 1, duplicates: 1, ..Received::default() });
    let row = world.messages().await.remove(0);
    assert_eq!((row.direction.as_str(), row.status, row.author["kind"].as_str()), ("outbound", MessageStatus::Sent, Some("user")));
    let conversation = world.conversations().await.remove(0);
    assert_eq!((conversation.last_inbound_at, conversation.unread), (None, 0), "our own message opens no window");
    assert_eq!(world.kinds(), ["contact.created", "conversation.opened", "message.sent"]);
}

#[tokio::test]
async fn edits_and_revocations_change_the_message() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Helo")]).await;
    world.events();
    let change = |id: &str, what: MessageChange, of: &str, text: &str| {
        IncomingItem::Message(IncomingMessage { change: Some(what), context_id: Some(of.into()), ..message(id, text) })
    };
    let edit = change("wamid.2", MessageChange::Edited, "wamid.1", "Hello");
    assert_eq!(world.receive([edit.clone(), edit]).await, Received { others: 1, duplicates: 1, ..Received::default() });
    let revoke = change("wamid.3", MessageChange::Revoked, "wamid.1", "");
    assert_eq!(world.receive([revoke.clone(), revoke]).await, Received { others: 1, duplicates: 1, ..Received::default() });
    let rows = world.messages().await;
    assert_eq!((rows.len(), rows[0].text.as_str(), rows[0].edited_at, rows[0].revoked_at), (1, "Hello", Some(START), Some(START)));
    assert_eq!(world.kinds(), ["message.edited", "message.revoked"]);
    let received =
        world.receive([change("wamid.4", MessageChange::Edited, "wamid.lost", "New"), change("wamid.5", MessageChange::Revoked, "wamid.lost", "")]).await;
    assert_eq!(received, Received { messages: 1, raw: 1, ..Received::default() });
    assert_eq!(world.messages().await[1].text, "New", "an edit of a message that never came is all there is of it");
}

#[tokio::test]
async fn stop_is_honoured_and_taken_back() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi"), text("wamid.2", " Stop! ")]).await;
    assert_eq!(world.contacts().await[0].opt_outs, ["whatsapp:all"]);
    let events = world.events();
    let event = events.iter().find(|event| event.kind == "contact.unsubscribed").unwrap();
    assert_eq!((event.data["category"].as_str(), event.data["text"].as_str()), (Some("all"), Some(" Stop! ")));
    assert_eq!(event.data["contact_id"], json!(world.contacts().await[0].id));
    world.receive([text("wamid.3", "STOP"), text("wamid.4", "do not stop")]).await;
    assert_eq!(world.kinds(), ["message.received", "message.received"], "refusing twice is no news");
    let later = IncomingMessage { at: Some(START), ..message("wamid.5", "start") };
    world.receive([IncomingItem::Message(later)]).await;
    assert!(world.contacts().await[0].opt_outs.is_empty());
}

#[tokio::test]
async fn preferences_of_the_provider_are_consent() {
    let mut world = World::new().await;
    let preference = |granted: bool, id: &str| IncomingItem::Preference {
        sender: sender(),
        category: "marketing".into(),
        granted,
        at: Some(START),
        dedupe_id: Some(id.into()),
    };
    let received = world.receive([preference(false, "1"), preference(false, "1")]).await;
    assert_eq!(received, Received { others: 1, duplicates: 1, ..Received::default() });
    assert_eq!(world.contacts().await[0].opt_outs, ["whatsapp:marketing"], "a stranger's refusal is remembered too");
    assert_eq!(world.kinds(), ["contact.created", "contact.unsubscribed", "whatsapp.raw"]);
    world = world.at(1000).await;
    let later = IncomingItem::Preference { sender: sender(), category: "marketing".into(), granted: true, at: Some(START.plus_millis(1)), dedupe_id: None };
    world.receive([later]).await;
    assert!(world.contacts().await[0].opt_outs.is_empty());
    let nobody = IncomingItem::Preference { sender: Sender::default(), category: "marketing".into(), granted: false, at: None, dedupe_id: None };
    assert_eq!(world.receive([nobody]).await.raw, 1);
}

#[tokio::test]
async fn a_number_change_keeps_the_contact() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    let moved = IncomingItem::AddressChanged {
        sender: Sender { external_ids: vec!["972987654321".into()], ..Sender::default() },
        new_external_id: "972912345678".into(),
        dedupe_id: Some("wamid.s".into()),
    };
    assert_eq!(world.receive([moved.clone(), moved]).await, Received { others: 1, duplicates: 1, ..Received::default() });
    world.receive([from(&["972912345678"], Some("+972912345678"), "wamid.2")]).await;
    let all = world.contacts().await;
    assert_eq!((all.len(), all[0].phones.len(), world.messages().await.len()), (1, 2, 2));
    let unknown =
        IncomingItem::AddressChanged { sender: Sender { external_ids: vec!["1".into()], ..Sender::default() }, new_external_id: "2".into(), dedupe_id: None };
    assert_eq!(world.receive([unknown]).await.raw, 1);
}

#[tokio::test]
async fn what_is_not_understood_is_kept_whole() {
    let mut world = World::new().await;
    let raw = IncomingItem::Raw { name: "account_update".into(), dedupe_id: Some("7".into()) };
    let event =
        IncomingItem::Event { kind: "template.status_changed".into(), data: Object::from_iter([("event".to_owned(), json!("APPROVED"))]), dedupe_id: None };
    assert_eq!(world.receive([raw, event]).await, Received { raw: 1, others: 1, ..Received::default() });
    let events = world.events();
    assert_eq!((events[0].kind.as_str(), events[0].id.as_deref()), ("whatsapp.raw", Some("account_update:7")));
    assert_eq!((events[0].data["name"].as_str(), &events[0].data["raw"]), (Some("account_update"), &json!({ "whole": true })));
    assert_eq!((events[1].kind.as_str(), events[1].data["event"].as_str()), ("template.status_changed", Some("APPROVED")));
    let strange = IncomingItem::Message(IncomingMessage { kind: "hologram".into(), text: None, ..message("wamid.h", "") });
    world.receive([strange]).await;
    assert_eq!((world.messages().await[0].kind.as_str(), world.conversations().await[0].last_text.as_str()), ("unsupported", "[hologram]"));
}

#[tokio::test]
async fn another_account_has_its_own_connection_or_is_quarantined() {
    let mut world = World::new().await;
    let second = connection(&mut world.tx, world.organisation, 2, "second", "222").await;
    let items: Vec<Incoming> = [("222", "wamid.1"), ("333", "wamid.2"), ("106540352242922", "wamid.3")]
        .into_iter()
        .map(|(account, id)| Incoming { account: Some(account.into()), ..incoming(text(id, "x")) })
        .collect();
    let main = world.receiver.clone();
    let received = receive(&mut world.tx, world.organisation, &main, &items).await.unwrap();
    assert_eq!(received, Received { messages: 2, quarantined: 1, ..Received::default() });
    let rows = world.messages().await;
    assert_eq!((rows[0].connection_id, rows[1].connection_id), (second.id, main.id));
    let events = world.events();
    let kept = events.iter().find(|event| event.kind == "whatsapp.raw").unwrap();
    assert_eq!((kept.data["account"].as_str(), kept.data["quarantined"].as_bool()), (Some("333"), Some(true)));
}

#[tokio::test]
async fn raw_bodies_are_kept_once_and_quarantined_ones_are_shown() {
    let mut world = World::new().await;
    let (organisation, id) = (world.organisation, world.receiver.id);
    for _ in 0..2 {
        raw::store_raw(&mut world.tx, organisation, id, "whatsapp", b"{}", None).unwrap();
    }
    raw::store_raw(&mut world.tx, organisation, id, "whatsapp", &[0xff, 0], Some("not JSON")).unwrap();
    let count: i64 = world.tx.fetch_one("SELECT count(*) AS n FROM raw_deliveries", args![]).await.unwrap().get("n").unwrap();
    assert_eq!(count, 2);
    let shown = raw::quarantined(&mut world.tx, organisation, None, 10).await.unwrap();
    assert_eq!((shown.len(), shown[0].body.as_slice(), shown[0].quarantined.as_deref()), (1, &[0xff, 0][..], Some("not JSON")));
}

#[tokio::test]
async fn a_status_of_a_message_that_is_not_ours_is_kept_as_an_event() {
    let mut world = World::new().await;
    world.receive([text("wamid.in", "Hi")]).await;
    world.events();
    let unknown = status("wamid.x", Some("some data"), DeliveryStatus::Delivered);
    assert_eq!(world.receive([unknown.clone(), unknown]).await, Received { statuses: 1, duplicates: 1, ..Received::default() });
    let events = world.events();
    assert_eq!((events.len(), events[0].kind.as_str(), events[0].id.as_deref()), (1, "message.delivered", Some("wamid.x:delivered")));
    assert!(events[0].data.get("message_id").is_none());
    assert_eq!(events[0].data["contact_id"], json!(world.contacts().await[0].id), "the recipient is known");
    world.receive([status("wamid.in", None, DeliveryStatus::Read)]).await;
    assert_eq!(world.messages().await[0].status, MessageStatus::Received, "what came in has no delivery status");
}

#[tokio::test]
async fn a_refusal_told_by_an_error_is_consent() {
    let mut world = World::new().await;
    world.receive([text("wamid.in", "Hi")]).await;
    let error = DeliveryError { code: ErrorCode::Provider("whatsapp:131050".into()), provider_code: "131050".into(), message: "stopped marketing".into() };
    let failed = IncomingStatus {
        external_id: "wamid.x".into(),
        message_id: None,
        status: DeliveryStatus::Failed,
        error: Some(error),
        recipient: Some("972987654321".into()),
        at: Some(START),
    };
    world.receive([IncomingItem::Status(failed)]).await;
    assert_eq!(world.contacts().await[0].opt_outs, ["whatsapp:marketing"]);
}

/// An outbound message of ours, as `message.send` leaves it after its call began.
async fn sending(world: &mut World) -> String {
    world.receive([text("wamid.in", "Hi")]).await;
    let contact = world.contacts().await[0].id;
    let node = world.node("message.send");
    let context = world.context(Some(contact), "key");
    node.prepare(&mut world.tx, &context, &json!({ "text": "Hello" })).await;
    world.events();
    let row = world.messages().await.pop().unwrap();
    assert_eq!(row.status, MessageStatus::Sending);
    row.id.to_string()
}

const ALL: [DeliveryStatus; 4] = [DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Read, DeliveryStatus::Failed];

#[tokio::test]
async fn a_status_never_goes_back() {
    for (order, end) in [
        (vec![0, 1, 2], MessageStatus::Read),
        (vec![2, 1, 0], MessageStatus::Read),
        (vec![1, 0], MessageStatus::Delivered),
        (vec![3], MessageStatus::Failed),
        (vec![0, 3], MessageStatus::Failed),
        (vec![3, 0], MessageStatus::Failed),
        (vec![1, 3], MessageStatus::Delivered),
        (vec![2, 3], MessageStatus::Read),
    ] {
        let mut world = World::new().await;
        let id = sending(&mut world).await;
        world.receive(order.iter().map(|at| status("wamid.out", Some(&id), ALL[*at]))).await;
        let row = world.messages().await.pop().unwrap();
        assert_eq!((row.status, row.external_id.as_deref()), (end, Some("wamid.out")), "{order:?}");
        assert_eq!(world.events().len(), order.len(), "each is told");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever order they come in, however often, with our id or the provider's: the same end.
    #[test]
    fn statuses_in_any_order_end_the_same(order in proptest::collection::vec((0_usize..4, any::<bool>()), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (shown, events) = runtime.block_on(async {
            let mut world = World::new().await;
            let id = sending(&mut world).await;
            // The first always carries our id: the provider's is not known before.
            for (at, (which, ours)) in order.iter().enumerate() {
                let ours = (*ours || at == 0).then_some(id.as_str());
                world.receive([status("wamid.out", ours, ALL[*which])]).await;
            }
            (world.messages().await.pop().unwrap().status, world.kinds())
        });
        let best = order.iter().map(|(which, _)| ALL[*which]).max_by_key(|status| crate::messages::rank(*status)).unwrap();
        prop_assert_eq!(shown, crate::messages::of_delivery(best));
        let distinct: std::collections::BTreeSet<&str> = order.iter().map(|(which, _)| events::of_status(ALL[*which])).collect();
        prop_assert_eq!(events.len(), distinct.len(), "each status is told once");
    }
}

#[tokio::test]
async fn a_status_whose_provider_id_somebody_else_has_breaks_nothing() {
    let mut world = World::new().await;
    let id = sending(&mut world).await;
    world.receive([IncomingItem::Message(IncomingMessage { outbound: true, ..message("wamid.out", "echo") })]).await;
    world.receive([status("wamid.out", Some(&id), DeliveryStatus::Delivered)]).await;
    let rows = world.messages().await;
    let ours = rows.iter().find(|row| row.id.to_string() == id).unwrap();
    assert_eq!((ours.status, ours.external_id.as_deref()), (MessageStatus::Delivered, None));
}

#[tokio::test]
async fn an_old_delivery_opens_the_window_when_the_message_was_written() {
    let mut world = World::new().await;
    let late = IncomingMessage { at: Some(START.plus_millis(-2 * DAY)), ..message("wamid.1", "late") };
    world.receive([text("wamid.0", "first"), IncomingItem::Message(late)]).await;
    assert_eq!(world.conversations().await[0].last_inbound_at, Some(START.plus_millis(-1000)), "an older message does not shorten it");
}

/// The provider's recorded bodies, where they lie beside the repository (or where `ONWARD_SHARED` says).
#[tokio::test]
async fn recorded_bodies_are_taken_in_and_their_repetition_adds_nothing() {
    use onward_connectors::{
        Connector as _,
        http::{AllowPrivate, HttpClient},
        whatsapp::WhatsApp,
    };
    let shared =
        std::env::var_os("ONWARD_SHARED").map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), std::path::PathBuf::from);
    let folder = shared.join("contracts/fixtures/whatsapp");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no recorded bodies at {}", folder.display());
        return;
    };
    let connector = WhatsApp::new(HttpClient::new(AllowPrivate::None).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut taken = 0;
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if file.extension().is_none_or(|extension| extension != "json") || name.starts_with("api.") || name == "signatures.json" {
            continue;
        }
        let items = connector.normalise(&std::fs::read(&file).unwrap()).unwrap();
        assert!(!items.is_empty(), "{name} has items");
        let mut world = World::new().await;
        let receiver = Receiver { account: items[0].account.clone(), ..world.receiver.clone() };
        let first = receive(&mut world.tx, world.organisation, &receiver, &items).await.unwrap();
        let told: Vec<_> = world.events().into_iter().filter(|event| event.source.starts_with("whatsapp/")).collect();
        assert!(told.iter().all(|event| event.data.get("raw").is_some_and(|raw| !raw.is_null())), "{name}: the provider's own event is kept whole");
        let known = (world.contacts().await, world.messages().await);
        let again = receive(&mut world.tx, world.organisation, &receiver, &items).await.unwrap();
        assert_eq!((again.messages, again.statuses), (0, 0), "{name}: {first:?} {again:?}");
        assert_eq!((world.contacts().await, world.messages().await), known, "{name}");
        taken += 1;
    }
    assert!(taken > 50, "{taken} bodies");
}
