//! What people have on their desks: drafts, notifications, tags, and contacts that turn out to be one person.

use super::{World, connection, message, text};
use crate::{
    ConversationId, MessageId, NotificationId, consent,
    conversations::{self, ConversationFilter, ConversationStatus},
    drafts, merge, messages, notifications, workflow,
};
use onward_accounts::{
    Actor, CrmError, Role, UserId, organisations, teams,
    users::{self, NewUser},
};
use onward_connectors::incoming::{IncomingItem, Sender};
use onward_core::{
    ErrorCode, StepError, Value,
    ports::{Outcome, StepContext, Transaction as _},
};
use onward_records::{
    ContactChange, ContactId, IdentityKey, contacts,
    deals::{self, NewDeal},
    identities, segments, timeline,
};
use serde_json::json;

impl World {
    async fn node_done(&mut self, id: &str, contact: Option<ContactId>, input: Value) -> Value {
        let context = self.context(contact, "k");
        match self.node(id).apply(&mut self.tx, &context, &input).await {
            Outcome::Done { output } => output,
            other => panic!("{id}: {other:?}"),
        }
    }
    async fn node_failed(&mut self, id: &str, contact: Option<ContactId>, input: Value) -> StepError {
        let context = self.context(contact, "k");
        match self.node(id).apply(&mut self.tx, &context, &input).await {
            Outcome::Failed { error } => error,
            other => panic!("{id}: {other:?}"),
        }
    }
    async fn user(&mut self, email: &str, role: Role) -> UserId {
        let new = NewUser { email: email.into(), name: String::new(), password_hash: "hash".into(), role };
        users::create(&mut self.tx, self.organisation, &Actor::System, new).await.unwrap().id
    }
    /// Sends as composer and drafts do: by the built-in workflow.
    async fn send_as_person(&mut self, contact: ContactId, key: &str, input: Value) -> Outcome {
        let context = StepContext { workflow: workflow::NAME.into(), ..self.context(Some(contact), key) };
        self.node("message.send").prepare(&mut self.tx, &context, &input).await
    }
}

#[tokio::test]
async fn a_draft_becomes_the_message_of_its_id_and_leaves_once() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    world.events();
    let (organisation, contact) = (world.organisation, world.contacts().await[0].id);
    let conversation = world.conversations().await[0].id;
    let made = world.node_done("message.draft", Some(contact), json!({ "text": "Shall we talk?", "buttons": [{ "title": "Yes" }], "language": null })).await;
    let id: MessageId = made["message_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(made["conversation_id"], json!(conversation));
    assert!(world.kinds().is_empty(), "a draft is nothing that happened");
    assert!(world.messages().await.iter().all(|message| message.direction == "inbound"));
    let draft = drafts::get(&mut world.tx, organisation, id).await.unwrap().unwrap();
    assert_eq!((draft.to_value()["text"].as_str(), draft.to_value()["template"].clone()), (Some("Shall we talk?"), Value::Null));
    let better = json!({ "text": "Shall we talk on Monday?" }).as_object().unwrap().clone();
    drafts::update(&mut world.tx, organisation, id, better).await.unwrap();
    assert_eq!(drafts::of_conversation(&mut world.tx, organisation, conversation).await.unwrap().len(), 1);
    // Two people press the button.
    let input = json!({ "text": "Shall we talk on Monday?", "draft": id, "author": { "kind": "user", "id": "u1" }, "if_denied": "fail" });
    let first = world.send_as_person(contact, "first", input.clone()).await;
    assert!(matches!(first, Outcome::Done { .. }), "{first:?}");
    let second = world.send_as_person(contact, "second", input.clone()).await;
    assert!(matches!(&second, Outcome::Failed { error } if error.code == ErrorCode::Conflict), "{second:?}");
    let sent = messages::get(&mut world.tx, organisation, id).await.unwrap().unwrap();
    assert_eq!((sent.direction.as_str(), sent.author), ("outbound", json!({ "kind": "user", "id": "u1" })));
    assert!(drafts::get(&mut world.tx, organisation, id).await.unwrap().is_none());
    // Only the built-in workflow sends drafts.
    let context = world.context(Some(contact), "third");
    let refused = world.node("message.send").prepare(&mut world.tx, &context, &json!({ "text": "x", "draft": id })).await;
    assert!(matches!(&refused, Outcome::Failed { error } if error.code == ErrorCode::InvalidInput), "{refused:?}");
}

#[tokio::test]
async fn a_draft_that_may_not_leave_stays_a_draft() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi"), text("wamid.2", "STOP")]).await;
    let (organisation, contact) = (world.organisation, world.contacts().await[0].id);
    let made = world.node_done("message.draft", Some(contact), json!({ "text": "Offer!" })).await;
    let id: MessageId = made["message_id"].as_str().unwrap().parse().unwrap();
    world.tx.savepoint().await.unwrap();
    let outcome = world.send_as_person(contact, "k", json!({ "text": "Offer!", "category": "marketing", "draft": id, "if_denied": "fail" })).await;
    assert!(matches!(&outcome, Outcome::Failed { error } if error.code == ErrorCode::PolicyDenied), "{outcome:?}");
    world.tx.rollback_to().await.unwrap();
    assert!(drafts::get(&mut world.tx, organisation, id).await.unwrap().is_some());
    drafts::discard(&mut world.tx, organisation, &Actor::System, id).await.unwrap();
    let gone =
        world.send_as_person(contact, "k2", json!({ "text": "Offer!", "draft": id, "if_denied": "fail", "author": { "kind": "user", "id": "u" } })).await;
    assert!(matches!(&gone, Outcome::Failed { error } if error.code == ErrorCode::Conflict), "{gone:?}");
    for (input, code) in [
        (json!({}), "invalid_input"),
        (json!({ "text": "a", "template": "b" }), "invalid_input"),
        (json!({ "text": "x".repeat(70_000) }), "invalid_input"),
        (json!({ "text": "a", "conversation": "c1" }), "not_found"),
        (json!({ "text": "a", "channel": "pigeon" }), "invalid_input"),
    ] {
        assert_eq!(
            world.node_failed("message.draft", Some(contact), input.clone()).await.code.as_str(),
            code,
            "{}",
            &input.to_string()[..40.min(input.to_string().len())]
        );
    }
    for _ in 0..drafts::DRAFTS {
        world.node_done("message.draft", Some(contact), json!({ "text": "again" })).await;
    }
    assert_eq!(world.node_failed("message.draft", Some(contact), json!({ "text": "one too many" })).await.code.as_str(), "conflict");
    crate::erase::erase_contact(&mut world.tx, organisation, contact).await.unwrap();
    let conversation = world.conversations().await[0].id;
    assert!(drafts::of_conversation(&mut world.tx, organisation, conversation).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_conversation_is_opened_where_a_message_would_go() {
    let mut world = World::new().await;
    let contact = world.contact(ContactChange { phones: vec!["+919812345678".into()], ..ContactChange::default() }).await;
    let opened = world.node_done("crm.conversation.open", Some(contact), json!({})).await;
    assert_eq!((&opened["channel"], &opened["status"], &opened["tags"]), (&json!("whatsapp"), &json!("open"), &json!([])));
    assert_eq!(world.kinds(), ["conversation.opened"]);
    let again = world.node_done("crm.conversation.open", Some(contact), json!({ "channel": "whatsapp", "connection": "main" })).await;
    assert_eq!(again["id"], opened["id"]);
    assert!(world.kinds().is_empty());
    assert_eq!(world.node("crm.conversation.open").descriptor().binds.as_deref(), Some("conversation"));
    assert_eq!(world.node_failed("crm.conversation.open", Some(contact), json!({ "connection": "none" })).await.code.as_str(), "not_found");
    let nowhere = world.contact(ContactChange { name: Some("Ben".into()), ..ContactChange::default() }).await;
    assert_eq!(world.node_failed("crm.conversation.open", Some(nowhere), json!({})).await.code.as_str(), "not_found");
}

#[tokio::test]
async fn conversations_are_tagged_and_found_by_tag() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    world.events();
    let (organisation, contact) = (world.organisation, world.contacts().await[0].id);
    let tagged = world.node_done("crm.conversation.tag", Some(contact), json!({ "tags": ["complaint", " new "], "tag": "vip" })).await;
    assert_eq!(tagged["tags"], json!(["complaint", "new", "vip"]));
    let changed = world.node_done("crm.conversation.tag", Some(contact), json!({ "tags": ["vip"], "remove": ["new", "never"] })).await;
    assert_eq!(changed["tags"], json!(["complaint", "vip"]));
    world.node_done("crm.conversation.tag", Some(contact), json!({ "tags": ["vip"], "remove": ["never"] })).await;
    let events = world.events();
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["conversation.tagged", "conversation.tagged"]);
    assert_eq!((&events[1].data["added"], &events[1].data["removed"]), (&json!([]), &json!(["new"])));
    for (tag, found) in [("vip", 1), ("new", 0)] {
        let filter = ConversationFilter { tag: Some(tag.into()), ..ConversationFilter::default() };
        assert_eq!(conversations::list(&mut world.tx, organisation, &filter, None, 10).await.unwrap().len(), found, "{tag}");
    }
    assert_eq!(world.node_failed("crm.conversation.tag", Some(contact), json!({})).await.code.as_str(), "invalid_input");
    let many: Vec<String> = (0..60).map(|n| format!("t{n}")).collect();
    assert_eq!(world.node_failed("crm.conversation.tag", Some(contact), json!({ "tags": many })).await.code.as_str(), "invalid_input");
}

#[tokio::test]
async fn users_teams_and_roles_are_told_and_read_for_themselves() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let (a, b) = (world.user("a@example.com", Role::Agent).await, world.user("b@example.com", Role::Agent).await);
    let boss = world.user("boss@example.com", Role::Admin).await;
    let off = world.user("off@example.com", Role::Agent).await;
    users::update(&mut world.tx, organisation, &Actor::System, off, None, None, Some(false)).await.unwrap();
    teams::create(&mut world.tx, organisation, &Actor::System, "sales", &[a.to_string(), boss.to_string(), off.to_string()]).await.unwrap();
    let contact = world.contact(ContactChange { name: Some("Asha".into()), ..ContactChange::default() }).await;
    world.tx.outbox().changes.clear();
    for (input, expected) in [
        (json!({ "user": "A@example.com", "title": " A  lead " }), vec![a]),
        (json!({ "team": "sales", "title": "Meeting", "text": "at nine" }), vec![a, boss]),
        (json!({ "role": "agent", "title": "News", "deal": { "id": "d1" } }), vec![a, b]),
    ] {
        let output = world.node_done("notify.user", Some(contact), input.clone()).await;
        let told: Vec<UserId> = output["notified"].as_array().unwrap().iter().map(|one| one["user_id"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(told, expected, "{input}");
    }
    let changes = std::mem::take(&mut world.tx.outbox().changes);
    assert!(changes.iter().all(|change| change.topic == notifications::TOPIC && change.data["user_id"].is_string()) && changes.len() == 5);
    let of_a = notifications::list(&mut world.tx, organisation, a, false, None, 10).await.unwrap();
    let titles: Vec<&str> = of_a.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles, ["News", "Meeting", "A lead"]);
    assert_eq!((&of_a[0].subject, &of_a[2].subject), (&json!({ "kind": "deal", "id": "d1" }), &json!({ "kind": "contact", "id": contact })));
    assert_eq!((of_a[0].run_id.is_some(), of_a[0].step.as_deref()), (true, Some("greet")));
    let page = notifications::list(&mut world.tx, organisation, a, false, Some(of_a[0].id), 1).await.unwrap();
    assert_eq!(page[0].id, of_a[1].id);
    let read = notifications::mark_read(&mut world.tx, organisation, a, of_a[1].id).await.unwrap();
    assert!(read.read_at.is_some());
    assert_eq!(notifications::mark_read(&mut world.tx, organisation, a, of_a[1].id).await.unwrap(), read);
    assert_eq!(notifications::list(&mut world.tx, organisation, a, true, None, 10).await.unwrap().len(), 2);
    assert!(matches!(notifications::mark_read(&mut world.tx, organisation, b, of_a[1].id).await, Err(CrmError::NotFound { .. })), "another's is not there");
    assert_eq!(notifications::mark_all_read(&mut world.tx, organisation, a).await.unwrap(), 2);
    assert_eq!(notifications::mark_all_read(&mut world.tx, organisation, a).await.unwrap(), 0);
    assert_eq!(notifications::list(&mut world.tx, organisation, b, true, None, 10).await.unwrap().len(), 1);
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    assert!(notifications::list(&mut world.tx, other, a, false, None, 10).await.unwrap().is_empty());
    assert!(notifications::mark_read(&mut world.tx, other, a, of_a[0].id).await.is_err());
    for (input, code) in [
        (json!({ "title": "x" }), "invalid_input"),
        (json!({ "title": "x", "user": "a@example.com", "role": "agent" }), "invalid_input"),
        (json!({ "title": "x", "role": "boss" }), "invalid_input"),
        (json!({ "title": " ", "role": "agent" }), "invalid_input"),
        (json!({ "title": "x", "text": "y".repeat(3_000), "role": "agent" }), "invalid_input"),
        (json!({ "title": "x", "user": "nobody@example.com" }), "not_found"),
        (json!({ "title": "x", "user": "off@example.com" }), "conflict"),
        (json!({ "title": "x", "team": "none" }), "not_found"),
    ] {
        assert_eq!(world.node_failed("notify.user", None, input).await.code.as_str(), code);
    }
    let missing = NotificationId(uuid::Uuid::nil());
    assert!(notifications::mark_read(&mut world.tx, organisation, a, missing).await.is_err());
}

#[tokio::test]
async fn two_contacts_become_one_with_everything_that_was_theirs() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let actor = Actor::System;
    // One wrote on two accounts, and is known twice.
    let second = connection(&mut world.tx, organisation, 2, "second", "222").await;
    let (first_line, second_line) = (world.receiver.clone(), second.clone());
    world.receive([text("wamid.1", "Hi")]).await;
    let survivor = world.contacts().await[0].id;
    world.receiver = second;
    let mut same = message("wamid.2", "Hello");
    same.sender = Sender { external_ids: vec!["US.9".into()], name: Some("Other".into()), ..Sender::default() };
    world.receive([IncomingItem::Message(same)]).await;
    let other = world.contacts().await.iter().map(|contact| contact.id).find(|id| *id != survivor).unwrap();
    // Both have an open conversation on the first account.
    let key = IdentityKey { channel: "whatsapp".into(), connection_id: first_line.id, external_id: "US.8".into() };
    identities::attach(&mut world.tx, organisation, other, &[key], None).await.unwrap();
    world.receiver = first_line;
    let mut more = message("wamid.3", "Me again");
    more.sender = Sender { external_ids: vec!["US.8".into()], ..Sender::default() };
    world.receive([IncomingItem::Message(more), text("wamid.4", "and me")]).await;
    let change = ContactChange {
        id: Some(other),
        emails: vec!["other@example.com".into()],
        tags: vec!["lead".into()],
        fields: json!({ "plan": "pro", "city": "Pune" }).as_object().unwrap().clone(),
        language: Some("de".into()),
        ..ContactChange::default()
    };
    contacts::upsert(&mut world.tx, organisation, &actor, change).await.unwrap();
    let kept = ContactChange { id: Some(survivor), fields: json!({ "plan": "free" }).as_object().unwrap().clone(), ..ContactChange::default() };
    contacts::upsert(&mut world.tx, organisation, &actor, kept).await.unwrap();
    let refusal = consent::Statement { channel: "whatsapp", category: "marketing", granted: false, at: super::START, source: "test", text: "no more" };
    consent::record(&mut world.tx, organisation, &actor, other, &refusal).await.unwrap();
    let deal = deals::create(&mut world.tx, organisation, &actor, NewDeal { contact: Some(other), ..NewDeal::default() }).await.unwrap().id;
    let segment = segments::create(&mut world.tx, organisation, &actor, "vip", "").await.unwrap();
    segments::add(&mut world.tx, organisation, &actor, &segment, &[other, survivor]).await.unwrap();
    let messages_before = world.messages().await.len();
    let items = async |world: &mut World| timeline::page(&mut world.tx, organisation, survivor, None, 100).await.unwrap().len();
    let before = items(&mut world).await;
    world.events();

    let output = world.node_done("crm.contact.merge", Some(survivor), json!({ "other": other })).await;
    assert_eq!(output["id"], json!(survivor));
    assert_eq!(
        (&output["fields"], &output["tags"], &output["email"]),
        (&json!({ "plan": "free", "city": "Pune" }), &json!(["lead"]), &json!("other@example.com"))
    );
    assert_eq!((&output["name"], &output["language"], &output["opt_outs"]), (&json!("Test Name"), &json!("de"), &json!(["whatsapp:marketing"])));
    assert_eq!(output["identities"].as_array().unwrap().len(), 4);
    assert_eq!(world.kinds(), ["conversation.closed", "contact.updated", "contact.merged"]);
    assert!(items(&mut world).await > before);
    assert_eq!(deals::get(&mut world.tx, organisation, deal).await.unwrap().unwrap().contact_id, Some(survivor));
    assert_eq!(segments::members(&mut world.tx, organisation, segment.id, None, 10).await.unwrap().len(), 1);
    let all = world.conversations().await;
    assert!(all.iter().all(|conversation| conversation.contact_id == survivor) && all.len() == 3);
    let open: Vec<_> = all.iter().filter(|conversation| conversation.status == ConversationStatus::Open).collect();
    assert_eq!(open.len(), 2, "one on each account");
    let moved = world.messages().await;
    assert!(moved.len() == messages_before && moved.iter().all(|message| message.contact_id == survivor));
    assert_eq!(consent::of_contact(&mut world.tx, organisation, survivor).await.unwrap().len(), 1);

    // The old id means the survivor wherever somebody still has it.
    let found = contacts::get(&mut world.tx, organisation, other).await.unwrap().unwrap();
    assert_eq!(found.id, survivor);
    assert_eq!(world.node_done("crm.conversation.close", Some(other), json!({})).await["contact_id"], json!(survivor));
    let context = world.context(Some(other), "s");
    let sent = world.node("message.send").prepare(&mut world.tx, &context, &json!({ "text": "Hello" })).await;
    assert!(matches!(sent, Outcome::Done { .. }), "{sent:?}");
    // And their next message is the survivor's.
    world.receiver = second_line;
    let mut next = message("wamid.5", "Still me");
    next.sender = Sender { external_ids: vec!["US.9".into()], ..Sender::default() };
    world.receive([IncomingItem::Message(next)]).await;
    assert_eq!(world.contacts().await.len(), 1);
    // A chain of merges ends at the last.
    let third = world.contact(ContactChange { emails: vec!["third@example.com".into()], ..ContactChange::default() }).await;
    merge::contacts(&mut world.tx, organisation, &actor, third, survivor).await.unwrap();
    assert_eq!(contacts::get(&mut world.tx, organisation, other).await.unwrap().unwrap().id, third);
}

#[tokio::test]
async fn a_merge_that_cannot_be_changes_nothing() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let a = world.contact(ContactChange { emails: vec!["a@example.com".into()], ..ContactChange::default() }).await;
    let b = world.contact(ContactChange { emails: vec!["b@example.com".into()], ..ContactChange::default() }).await;
    let nobody = uuid::Uuid::nil().to_string();
    for (input, code, says) in [
        (json!({}), "invalid_input", "other"),
        (json!({ "other": a }), "invalid_input", "itself"),
        (json!({ "other": nobody.clone() }), "not_found", nobody.as_str()),
        (json!({ "other": "c1" }), "not_found", "c1"),
        (json!({ "contact": nobody.clone(), "other": a }), "not_found", nobody.as_str()),
    ] {
        let error = world.node_failed("crm.contact.merge", Some(a), input.clone()).await;
        assert_eq!((error.code.as_str(), error.message.contains(says)), (code, true), "{input}: {error}");
    }
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    assert!(merge::contacts(&mut world.tx, other, &Actor::System, a, b).await.is_err());
    assert!(world.events().is_empty());
    assert_eq!(world.contacts().await.len(), 2);
    merge::contacts(&mut world.tx, organisation, &Actor::System, a, b).await.unwrap();
    assert!(merge::contacts(&mut world.tx, organisation, &Actor::System, a, b).await.is_err(), "it has gone up already");
    // Erasing by the old id erases nobody.
    assert!(contacts::delete(&mut world.tx, organisation, &Actor::System, b).await.is_err());
}

#[tokio::test]
async fn no_organisation_sees_anothers_drafts() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    let contact = world.contacts().await[0].id;
    let made = world.node_done("message.draft", Some(contact), json!({ "text": "x" })).await;
    let (id, conversation): (MessageId, ConversationId) =
        (made["message_id"].as_str().unwrap().parse().unwrap(), made["conversation_id"].as_str().unwrap().parse().unwrap());
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let content = || json!({ "text": "y" }).as_object().unwrap().clone();
    let tx = &mut world.tx;
    assert!(drafts::get(tx, other, id).await.unwrap().is_none());
    assert!(drafts::of_conversation(tx, other, conversation).await.unwrap().is_empty());
    assert!(drafts::update(tx, other, id, content()).await.is_err());
    assert!(drafts::discard(tx, other, &Actor::System, id).await.is_err());
    assert!(drafts::create(tx, other, &Actor::System, conversation, content()).await.is_err());
    assert!(conversations::tag(tx, other, &Actor::System, conversation, &["x".into()], &[]).await.is_err());
}
