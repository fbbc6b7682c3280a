//! The one door on a real database.

use super::*;
use crate::{
    receive::receive,
    tests::{DAY, START, World, connection, incoming, message, status, text, two_servers::Servers},
};
use onward_connectors::{
    channel::Content,
    incoming::{DeliveryStatus, IncomingItem, IncomingMessage, Sender},
};
use onward_core::{
    Object,
    ports::{Effect, Transaction as _},
};
use onward_database::args;
use onward_records::{ContactChange, ContactId, contacts::ContactPatch};
use serde_json::json;

fn error(code: ErrorCode) -> StepError {
    StepError::new(code, "as told")
}

impl World {
    /// Someone who has just written.
    async fn writer(&mut self) -> ContactId {
        self.receive([text("wamid.in", "Hi")]).await;
        self.events();
        self.contacts().await[0].id
    }
    async fn prepare(&mut self, contact: ContactId, key: &str, input: Value) -> Outcome {
        let context = self.context(Some(contact), key);
        self.node("message.send").prepare(&mut self.tx, &context, &input).await
    }
    async fn prepared(&mut self, contact: ContactId, key: &str, input: Value) -> Value {
        match self.prepare(contact, key, input).await {
            Outcome::Done { output } => output,
            other => panic!("{other:?}"),
        }
    }
    async fn call_and_finish(&mut self, contact: ContactId, key: &str, prepared: &Value) -> Outcome {
        let context = self.context(Some(contact), key);
        let node = self.node("message.send");
        let reply = node.call(&context, prepared).await;
        node.finish(&mut self.tx, &context, prepared, reply).await
    }
    async fn finish(&mut self, contact: ContactId, key: &str, prepared: &Value, reply: Outcome) -> Outcome {
        let context = self.context(Some(contact), key);
        self.node("message.send").finish(&mut self.tx, &context, prepared, reply).await
    }
    async fn send(&mut self, contact: ContactId, key: &str, input: Value) -> Outcome {
        match self.prepare(contact, key, input).await {
            Outcome::Done { output } => self.call_and_finish(contact, key, &output).await,
            other => other,
        }
    }
    fn answer(&self, outcome: SendOutcome) {
        self.line.answers.lock().unwrap().push_back(outcome);
    }
    fn calls(&self) -> usize {
        self.line.sent.lock().unwrap().len()
    }
    async fn outbound(&mut self) -> Vec<Message> {
        self.messages().await.into_iter().filter(|row| row.direction == "outbound").collect()
    }
    async fn only(&mut self) -> Message {
        let mut rows = self.outbound().await;
        assert_eq!(rows.len(), 1, "one row");
        rows.remove(0)
    }
}

#[tokio::test]
async fn an_allowed_message_is_stored_called_and_finished() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let prepared = world.prepared(contact, "k", json!({ "text": "Hello", "buttons": [{ "id": "a", "title": "Prices" }, { "title": "Hours" }] })).await;
    let row = world.only().await;
    assert_eq!((row.status, row.kind.as_str(), row.verdict["verdict"].as_str()), (MessageStatus::Sending, "interactive", Some("allow")));
    assert_eq!((row.run_id.is_some(), row.step.as_deref(), row.author.clone()), (true, Some("greet"), json!({ "kind": "automation", "id": "welcome" })));
    let outcome = world.call_and_finish(contact, "k", &prepared).await;
    assert_eq!(outcome, Outcome::done(json!({ "message_id": row.id, "verdict": "allow" })));
    let sent = world.line.sent.lock().unwrap().remove(0);
    assert_eq!((sent.message_id, sent.to.as_str()), (row.id.to_string(), "972987654321"), "a number first, since every version of the interface takes it");
    assert!(matches!(sent.content, Content::Buttons { buttons, .. } if buttons[1].id == "Hours"));
    let row = world.only().await;
    assert_eq!((row.status, row.external_id.as_deref()), (MessageStatus::Sent, Some("wamid.out1")));
    assert!(world.kinds().is_empty(), "`message.sent` is told by the provider's status");
    let conversation = world.conversations().await.remove(0);
    assert_eq!((conversation.last_outbound_at, conversation.last_text.as_str()), (Some(START), "Hello"));
    world.receive([status("wamid.out1", None, DeliveryStatus::Sent)]).await;
    assert_eq!(world.kinds(), ["message.sent"]);
}

#[tokio::test]
async fn a_held_message_keeps_one_row_and_leaves_when_the_contact_writes() {
    let world = World::new().await;
    let mut world = world.at(0).await;
    let contact = world.writer().await;
    let mut world = world.at(DAY - 1000 - 1).await;
    assert!(matches!(world.send(contact, "early", json!({ "text": "in time" })).await, Outcome::Done { .. }), "the last millisecond of the window");
    let mut world = world.at(DAY - 1000).await;
    let hold = world.prepare(contact, "k", json!({ "text": "Hello" })).await;
    let Outcome::Hold { until: Some(until), reason } = hold else { panic!("{hold:?}") };
    assert!(until > world.tx.now() && reason.contains("24 hours"));
    let first = world.outbound().await.pop().unwrap();
    assert_eq!((first.status, first.verdict["verdict"].as_str(), first.verdict["rule"].as_str()), (MessageStatus::Held, Some("need_template"), Some("R1")));
    let mut world = world.at(2 * DAY).await;
    assert!(matches!(world.prepare(contact, "k", json!({ "text": "Hello" })).await, Outcome::Hold { .. }));
    assert_eq!(world.outbound().await.len(), 2, "the early one and the held one");
    let late = IncomingMessage { at: Some(START.plus_millis(2 * DAY)), ..message("wamid.2", "I am back") };
    world.receive([IncomingItem::Message(late)]).await;
    assert_eq!(world.tx.outbox().wakes.len(), 1, "the held step looks again at once");
    world.receive([text("wamid.3", "hello?")]).await;
    assert_eq!(world.tx.outbox().wakes.len(), 1, "while the window is open nothing is held for it");
    let prepared = world.prepared(contact, "k", json!({ "text": "Hello" })).await;
    assert_eq!(prepared["message"]["message_id"], json!(first.id), "the same row over all attempts");
    assert!(matches!(world.call_and_finish(contact, "k", &prepared).await, Outcome::Done { .. }));
    let row = world.outbound().await.into_iter().find(|row| row.id == first.id).unwrap();
    assert_eq!((row.status, row.verdict["verdict"].as_str()), (MessageStatus::Sent, Some("allow")));
    let conversation = world.conversations().await.remove(0);
    let items = onward_records::timeline::page(&mut world.tx, world.organisation, conversation.contact_id, None, 100).await.unwrap();
    assert_eq!(items.iter().filter(|item| item.text == "Hello").count(), 1, "one item for one message");
}

#[tokio::test]
async fn denied_is_failed_or_skipped_as_the_step_says() {
    let world = World::new().await;
    let mut world = world.at(0).await;
    let contact = world.writer().await;
    world.receive([text("wamid.stop", "STOP")]).await;
    world.events();
    let failed = world.prepare(contact, "f", json!({ "text": "Hello", "if_denied": "fail" })).await;
    let Outcome::Failed { error } = failed else { panic!("{failed:?}") };
    assert_eq!((error.code, error.details["code"].as_str(), error.details["rule"].as_str()), (ErrorCode::PolicyDenied, Some("opted_out"), Some("R5")));
    let marketing = json!({ "template": "sale", "category": "marketing" });
    for (key, input) in [("s", json!({ "text": "Hello", "if_denied": "skip" })), ("m", marketing)] {
        let outcome = world.send(contact, key, input).await;
        assert_eq!(outcome, Outcome::done(json!({ "message_id": null, "verdict": "deny" })));
    }
    assert!(world.outbound().await.is_empty());
    assert_eq!(world.calls(), 0, "a skipped message calls nobody");
    let held = world.prepare(contact, "h", json!({ "text": "Hello" })).await;
    assert!(matches!(held, Outcome::Hold { until: Some(_), .. }), "held by default");
    let after_crash = world
        .finish(contact, "s", &json!({ "do": "nothing", "output": { "message_id": null, "verdict": "deny" } }), Outcome::Unknown { error: error_unknown() })
        .await;
    assert_eq!(after_crash, Outcome::done(json!({ "message_id": null, "verdict": "deny" })), "a skip is known whatever crashed");
}

fn error_unknown() -> StepError {
    error(ErrorCode::OutcomeUnknown)
}

#[tokio::test]
async fn try_later_goes_back_to_queued_and_leaves_under_the_same_id() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    world.answer(SendOutcome::TryLater { after_ms: Some(3000), error: error(ErrorCode::RateLimited) });
    let outcome = world.send(contact, "k", json!({ "text": "Hello" })).await;
    assert_eq!(outcome, Outcome::Retry { after_ms: Some(3000), error: error(ErrorCode::RateLimited) });
    assert_eq!(world.only().await.status, MessageStatus::Queued);
    assert!(matches!(world.send(contact, "k", json!({ "text": "Hello" })).await, Outcome::Done { .. }));
    let ids: Vec<String> = world.line.sent.lock().unwrap().iter().map(|sent| sent.message_id.clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert_eq!(world.only().await.status, MessageStatus::Sent);
}

#[tokio::test]
async fn refused_is_failed_and_told() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let refusal = error(ErrorCode::Provider("whatsapp:131050".into()));
    world.answer(SendOutcome::Refused { error: refusal.clone() });
    assert_eq!(world.send(contact, "k", json!({ "text": "Hello" })).await, Outcome::Failed { error: refusal });
    let row = world.only().await;
    assert_eq!((row.status, row.error["code"].as_str()), (MessageStatus::Failed, Some("whatsapp:131050")));
    assert_eq!(world.kinds(), ["message.failed", "contact.unsubscribed"]);
    assert_eq!(world.contacts().await[0].opt_outs, ["whatsapp:marketing"]);
}

#[tokio::test]
async fn an_unknown_outcome_stays_unknown_until_a_status_tells() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    world.answer(SendOutcome::Unknown { error: error_unknown() });
    assert_eq!(world.send(contact, "k", json!({ "text": "Hello" })).await, Outcome::Unknown { error: error_unknown() });
    let row = world.only().await;
    assert_eq!(row.status, MessageStatus::Unknown);
    world.receive([status("wamid.out1", Some(&row.id.to_string()), DeliveryStatus::Delivered)]).await;
    assert_eq!(world.only().await.status, MessageStatus::Delivered);
    assert_eq!(world.kinds(), ["message.delivered"]);
}

#[tokio::test]
async fn a_status_that_overtakes_the_answer_settles_it() {
    for (reply, first, end, done) in [
        (Outcome::Unknown { error: error_unknown() }, DeliveryStatus::Sent, MessageStatus::Sent, true),
        (Outcome::Unknown { error: error_unknown() }, DeliveryStatus::Read, MessageStatus::Read, true),
        (Outcome::Unknown { error: error_unknown() }, DeliveryStatus::Failed, MessageStatus::Failed, false),
        (Outcome::Retry { after_ms: None, error: error(ErrorCode::Unavailable) }, DeliveryStatus::Delivered, MessageStatus::Delivered, true),
        (Outcome::Failed { error: error(ErrorCode::Declined) }, DeliveryStatus::Delivered, MessageStatus::Delivered, true),
        (Outcome::done(json!({ "external_id": "wamid.out1" })), DeliveryStatus::Delivered, MessageStatus::Delivered, true),
    ] {
        let mut world = World::new().await;
        let contact = world.writer().await;
        let prepared = world.prepared(contact, "k", json!({ "text": "Hello" })).await;
        let id = world.only().await.id.to_string();
        world.receive([status("wamid.out1", Some(&id), first)]).await;
        let outcome = world.finish(contact, "k", &prepared, reply.clone()).await;
        assert_eq!(matches!(outcome, Outcome::Done { .. }), done, "{reply:?} {first:?}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Failed { .. }), !done, "{reply:?} {first:?}");
        let row = world.only().await;
        assert_eq!((row.status, row.external_id.as_deref()), (end, Some("wamid.out1")), "{reply:?} {first:?}");
    }
}

#[tokio::test]
async fn statuses_that_came_without_our_id_are_found_by_the_answer() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let prepared = world.prepared(contact, "k", json!({ "text": "Hello" })).await;
    world.receive([status("wamid.out1", None, DeliveryStatus::Delivered), status("wamid.out1", None, DeliveryStatus::Sent)]).await;
    assert_eq!(world.only().await.status, MessageStatus::Sending);
    world.call_and_finish(contact, "k", &prepared).await;
    assert_eq!(world.only().await.status, MessageStatus::Delivered);
}

#[tokio::test]
async fn a_status_and_the_answer_that_names_its_message_may_come_to_two_servers() {
    for answer_first in [true, false] {
        let all = Servers::new().await;
        let (contact, conversation) = all.known().await;
        let id = MessageId(uuid::Uuid::from_u128(9));
        let sending = "INSERT INTO messages (organisation, id, conversation_id, contact_id, channel, connection_id, direction, kind, text, attachments, status,
                author_kind, at) VALUES ($1, $2, $3, $4, 'whatsapp', $5, 'outbound', 'text', 'Hello', '[]', 'sending', 'automation', 0)";
        let arguments = args![all.organisation, id, conversation, contact, all.receiver.id];
        all.both.before(START, async |tx| tx.execute(sending, arguments).await.unwrap()).await;
        let answer = async |tx: &mut Tx| rows::accepted(tx, all.organisation, all.receiver.id, id, Some("wamid.out1")).await.unwrap();
        let told = async |tx: &mut Tx| {
            let read = incoming(status("wamid.out1", None, DeliveryStatus::Read));
            receive(tx, all.organisation, &all.receiver, &[read]).await.unwrap();
        };
        if answer_first {
            all.both.at_once(START, answer, told).await;
        } else {
            all.both.at_once(START, told, answer).await;
        }
        let row = crate::messages::get(&mut all.both.one().reader(), all.organisation, id).await.unwrap().unwrap();
        assert_eq!((row.status, row.external_id.as_deref()), (MessageStatus::Read, Some("wamid.out1")), "{answer_first}");
    }
}

#[tokio::test]
async fn preparing_again_never_sends_again() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let input = json!({ "text": "Hello" });
    world.prepared(contact, "k", input.clone()).await;
    let again = world.prepare(contact, "k", input.clone()).await;
    assert!(matches!(&again, Outcome::Unknown { error } if error.code == ErrorCode::OutcomeUnknown), "{again:?}");
    let id = world.only().await.id.to_string();
    world.receive([status("wamid.out1", Some(&id), DeliveryStatus::Sent)]).await;
    let settled = world.prepared(contact, "k", input.clone()).await;
    assert_eq!(world.call_and_finish(contact, "k", &settled).await, Outcome::done(json!({ "message_id": id, "verdict": "allow" })));
    assert_eq!((world.calls(), world.outbound().await.len()), (0, 1));
    world.send(contact, "another key", input).await;
    assert_eq!((world.calls(), world.outbound().await.len()), (1, 2), "another step is another message");
}

#[tokio::test]
async fn a_person_may_try_an_unknown_one_again() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let prepared = world.prepared(contact, "k", json!({ "text": "Hello" })).await;
    world.finish(contact, "k", &prepared, Outcome::Unknown { error: error_unknown() }).await;
    assert!(matches!(world.send(contact, "k", json!({ "text": "Hello" })).await, Outcome::Done { .. }));
    assert_eq!(world.only().await.status, MessageStatus::Sent);
}

#[tokio::test]
async fn somebody_who_never_wrote_is_reached_by_phone_with_a_template() {
    let mut world = World::new().await;
    let contact = world.contact(ContactChange { phones: vec!["+919812345678".into()], language: Some("pt-BR".into()), ..ContactChange::default() }).await;
    let outcome = world.send(contact, "k", json!({ "template": "hello", "params": { "name": "Asha" } })).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    let sent = world.line.sent.lock().unwrap().remove(0);
    assert_eq!(sent.to, "919812345678");
    assert_eq!(
        sent.content,
        Content::Template { name: "hello".into(), language: "pt_BR".into(), params: vec![("name".into(), json!("Asha"))], header: None, buttons: Vec::new() }
    );
    assert_eq!(world.kinds(), ["conversation.opened"]);
    let answer = Sender { external_ids: vec!["919812345678".into()], ..Sender::default() };
    world.receive([IncomingItem::Message(IncomingMessage { sender: answer, ..message("wamid.a", "Yes") })]).await;
    assert_eq!(world.contacts().await.len(), 1, "the answer finds them");
    assert!(matches!(world.prepare(contact, "free", json!({ "text": "Hello" })).await, Outcome::Done { .. }), "and opens the window");
}

#[tokio::test]
async fn the_address_is_chosen_by_step_run_and_activity() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let second = connection(&mut world.tx, world.organisation, 2, "second", "222").await;
    let first = std::mem::replace(&mut world.receiver, second.clone());
    let mut world = world.at(10).await;
    let later = IncomingMessage { at: Some(START), ..message("wamid.s", "Hi there") };
    world.receive([IncomingItem::Message(later)]).await;
    let conversations = world.conversations().await;
    assert_eq!(conversations.len(), 2);
    let used = |prepared: Value| prepared["connection_id"].as_str().unwrap().to_owned();
    let active = world.prepared(contact, "a", json!({ "text": "x" })).await;
    assert_eq!(used(active), second.id.to_string(), "where they were last active");
    let named = world.prepared(contact, "b", json!({ "text": "x", "connection": "main" })).await;
    assert_eq!(used(named), first.id.to_string(), "what the step names");
    let by_id = world.prepared(contact, "c", json!({ "text": "x", "connection": first.id.to_string(), "channel": "whatsapp" })).await;
    assert_eq!(used(by_id), first.id.to_string());
    let of_first = conversations.iter().find(|conversation| conversation.connection_id == first.id).unwrap();
    let context = StepContext { conversation: Some(of_first.id.to_string()), ..world.context(Some(contact), "d") };
    let Outcome::Done { output } = world.node("message.send").prepare(&mut world.tx, &context, &json!({ "text": "x" })).await else { panic!() };
    assert_eq!(used(output), first.id.to_string(), "the run's conversation");
}

#[tokio::test]
async fn wrong_input_is_refused_before_anything_is_stored() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let nobody = world.contact(ContactChange { name: Some("Nobody".into()), ..ContactChange::default() }).await;
    for (who, input, code, says) in [
        (contact, json!({}), "invalid_input", "needs `text` or `template`"),
        (contact, json!({ "text": " ", "template": null }), "invalid_input", "needs `text` or `template`"),
        (contact, json!({ "text": "a", "template": "b" }), "invalid_input", "not both"),
        (contact, json!({ "text": "a", "params": { "x": 1 } }), "invalid_input", "params"),
        (contact, json!({ "template": "a", "buttons": [{ "title": "b" }] }), "invalid_input", "buttons"),
        (contact, json!({ "text": "a", "buttons": [{}] }), "invalid_input", "buttons/0"),
        (contact, json!({ "text": "a", "category": "spam" }), "invalid_input", "marketing, utility"),
        (contact, json!({ "text": "a", "if_denied": "explode" }), "invalid_input", "hold, skip, fail"),
        (contact, json!({ "text": "a", "channel": "pigeon" }), "invalid_input", "pigeon"),
        (contact, json!({ "text": "a", "connection": "nowhere" }), "not_found", "nowhere"),
        (contact, json!({ "text": "x".repeat(5000) }), "invalid_input", "too long"),
        (contact, json!({ "text": "a", "author": { "kind": "user", "id": "u" } }), "invalid_input", "send-message"),
        (contact, json!({ "text": "a", "contact": "c1" }), "not_found", "c1"),
        (nobody, json!({ "text": "a" }), "not_found", "no address"),
    ] {
        let outcome = world.prepare(who, "k", input.clone()).await;
        let Outcome::Failed { error } = outcome else { panic!("{input}: {outcome:?}") };
        assert_eq!(error.code.as_str(), code, "{input}: {error}");
        assert!(error.message.contains(says), "{input}: {error}");
    }
    assert!(world.outbound().await.is_empty());
    let node = world.node("message.send");
    let context = world.context(None, "k");
    let Outcome::Failed { error } = node.prepare(&mut world.tx, &context, &json!({ "text": "a" })).await else { panic!() };
    assert!(error.message.contains("no contact yet"), "{error}");
}

#[tokio::test]
async fn the_built_in_workflow_says_who_writes() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    world.receive([text("wamid.stop", "STOP")]).await;
    let context = StepContext { workflow: workflow::NAME.into(), ..world.context(Some(contact), "k") };
    let input = json!({ "text": "Sorry, done!", "author": { "kind": "user", "id": "u1" }, "if_denied": "fail" });
    let outcome = world.node("message.send").prepare(&mut world.tx, &context, &input).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "a person may answer who wrote again: {outcome:?}");
    assert_eq!(world.only().await.author, json!({ "kind": "user", "id": "u1" }));
}

#[tokio::test]
async fn nothing_is_sent_to_another_organisations_contact() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let other = onward_accounts::organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let context = StepContext { organisation: other, ..world.context(Some(contact), "k") };
    let outcome = world.node("message.send").prepare(&mut world.tx, &context, &json!({ "text": "x" })).await;
    assert!(matches!(&outcome, Outcome::Failed { error } if error.code == ErrorCode::NotFound), "{outcome:?}");
    let prepared = world.prepared(contact, "k", json!({ "text": "x" })).await;
    let node = world.node("message.send");
    node.finish(&mut world.tx, &context, &prepared, Outcome::done(json!({ "external_id": "wamid.z" }))).await;
    assert_eq!(world.only().await.status, MessageStatus::Sending, "and another organisation's step moves no row of ours");
}

#[tokio::test]
async fn a_connection_that_cannot_be_had_is_surely_not_sent() {
    struct Broken(ErrorCode);
    #[onward_core::async_trait]
    impl onward_core::ports::Credentials for Broken {
        async fn connection(&self, _: OrganisationId, _: Option<&str>, _: Option<&str>) -> Result<onward_core::ports::Connection, StepError> {
            Err(StepError::new(self.0.clone(), "broken"))
        }
    }
    let mut world = World::new().await;
    let contact = world.writer().await;
    for (key, code, retried) in [("a", ErrorCode::Unauthorized, false), ("b", ErrorCode::Unavailable, true)] {
        let prepared = world.prepared(contact, key, json!({ "text": "x" })).await;
        let context = StepContext { credentials: Arc::new(Broken(code)), ..world.context(Some(contact), key) };
        let reply = world.node("message.send").call(&context, &prepared).await;
        assert_eq!(matches!(reply, Outcome::Retry { .. }), retried);
        assert_eq!(matches!(reply, Outcome::Failed { .. }), !retried);
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_moved_address_is_not_written_to() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    let moved = IncomingItem::AddressChanged {
        sender: Sender { external_ids: vec!["972987654321".into()], ..Sender::default() },
        new_external_id: "972912345678".into(),
        dedupe_id: None,
    };
    world.receive([moved]).await;
    world.send(contact, "k", json!({ "text": "x" })).await;
    assert_eq!(world.line.sent.lock().unwrap()[0].to, "972912345678");
}

#[tokio::test]
async fn a_deleted_contact_is_written_to_no_more() {
    let mut world = World::new().await;
    let contact = world.writer().await;
    contacts::update(&mut world.tx, world.organisation, &Actor::System, contact, ContactPatch { fields: Some(Object::new()), ..ContactPatch::default() })
        .await
        .unwrap();
    contacts::delete(&mut world.tx, world.organisation, &Actor::System, contact).await.unwrap();
    assert!(matches!(world.prepare(contact, "k", json!({ "text": "x" })).await, Outcome::Failed { .. }));
}

#[test]
fn held_messages_are_looked_at_soon_and_often() {
    let now = START;
    for (age_ms, wait_ms) in [(0, 10_000), (60_000, 15_000), (600_000, 150_000), (DAY, 900_000)] {
        assert_eq!(ask_again_at(now.plus_millis(-age_ms), now), now.plus_millis(wait_ms));
    }
}

#[test]
fn the_descriptor_and_the_built_in_workflow_fit_together() {
    let descriptor = super::descriptor::descriptor();
    assert_eq!(descriptor.effect, Effect::AtMostOnce);
    let inputs = descriptor.input["properties"].as_object().unwrap();
    let with: Vec<&str> = workflow::SOURCE.lines().skip_while(|line| *line != "    with:").skip(1).filter_map(|line| line.strip_prefix("      ")).collect();
    assert!(with.len() > 8);
    for line in with {
        let name = line.split(':').next().unwrap();
        assert!(inputs.contains_key(name), "`{name}` is no input of message.send");
        assert!(workflow::SOURCE.contains(&format!("          {}: {{ type", if name == "contact" { "contact_id" } else { name })), "{name}");
    }
    assert!(descriptor.example.as_object().unwrap().keys().all(|key| inputs.contains_key(key)));
}
