//! What the tests of this room share: a real database, a connection, a channel that answers as it is told.

mod desk;
pub(crate) mod two_servers;

use crate::{
    Channels, CrmRecords,
    consent::{self, Statement},
    conversations::{self, Assignee, Conversation, ConversationFilter, ConversationStatus, Parties},
    messages::{self, Message},
    receive::{Received, Receiver, receive},
};
use onward_accounts::{
    Actor, CrmError, Role, organisations,
    users::{self, NewUser},
};
use onward_connectors::{
    channel::{Channel, Content, OutgoingMessage, SendOutcome},
    incoming::{DeliveryStatus, Incoming, IncomingItem, IncomingMessage, IncomingStatus, Sender},
};
use onward_core::{
    ConnectionId, ErrorCode, NewEvent, Object, OrganisationId, RunId, StepError, Timestamp, Value,
    ports::{Connection, Credentials, Effect, Node, Outcome, RecordRef, Records as _, StepContext, Transaction as _},
};
use onward_database::{Database, Tx, args};
use onward_records::{Contact, ContactChange, ContactId, contacts};
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1000;

pub(crate) struct World {
    database: Database,
    pub(crate) tx: Tx,
    pub(crate) organisation: OrganisationId,
    pub(crate) receiver: Receiver,
    pub(crate) line: Arc<FakeChannel>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = onward_database::testing::database().await;
        let mut tx = database.begin(START).await.unwrap();
        let organisation = organisations::ensure_default(&mut tx).await.unwrap().id;
        let receiver = connection(&mut tx, organisation, 1, "main", "106540352242922").await;
        Self { database, tx, organisation, receiver, line: Arc::default() }
    }
    /// Commits and goes on at another time.
    pub(crate) async fn at(self, millis: i64) -> Self {
        self.tx.commit().await.unwrap();
        let tx = self.database.begin(START.plus_millis(millis)).await.unwrap();
        Self { tx, ..self }
    }
    pub(crate) async fn receive(&mut self, items: impl IntoIterator<Item = IncomingItem>) -> Received {
        let items: Vec<Incoming> = items.into_iter().map(incoming).collect();
        let receiver = self.receiver.clone();
        receive(&mut self.tx, self.organisation, &receiver, &items).await.unwrap()
    }
    pub(crate) fn events(&mut self) -> Vec<NewEvent> {
        std::mem::take(&mut self.tx.outbox().events)
    }
    pub(crate) fn kinds(&mut self) -> Vec<String> {
        self.events().into_iter().map(|event| event.kind).collect()
    }
    pub(crate) async fn contacts(&mut self) -> Vec<Contact> {
        contacts::list(&mut self.tx, self.organisation, &contacts::ContactFilter::default(), None, 100).await.unwrap()
    }
    pub(crate) async fn conversations(&mut self) -> Vec<Conversation> {
        conversations::list(&mut self.tx, self.organisation, &ConversationFilter::default(), None, 100).await.unwrap()
    }
    /// Every message, oldest first.
    pub(crate) async fn messages(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        for conversation in self.conversations().await {
            all.extend(messages::page(&mut self.tx, self.organisation, conversation.id, None, 100).await.unwrap());
        }
        all.sort_by_key(|message| message.id);
        all
    }
    pub(crate) async fn contact(&mut self, change: ContactChange) -> ContactId {
        let id = contacts::upsert(&mut self.tx, self.organisation, &Actor::System, change).await.unwrap().contact.id;
        self.events();
        id
    }
    pub(crate) fn context(&self, contact: Option<ContactId>, key: &str) -> StepContext {
        StepContext {
            organisation: self.organisation,
            run_id: RunId(uuid::Uuid::from_u128(5)),
            workflow: "welcome".into(),
            step: "greet".into(),
            attempt: 1,
            idempotency_key: key.to_owned(),
            event_id: None,
            now: self.tx.now(),
            contact: contact.map(|id| id.to_string()),
            company: None,
            deal: None,
            conversation: None,
            depth: 0,
            credentials: Arc::new(AnyCredentials),
        }
    }
    pub(crate) fn node(&self, id: &str) -> Arc<dyn Node<Tx>> {
        let line: Arc<dyn Channel> = Arc::clone(&self.line) as Arc<dyn Channel>;
        crate::nodes(Channels::new([line])).into_iter().find(|node| node.descriptor().id == id).unwrap()
    }
}

pub(crate) async fn connection(tx: &mut Tx, organisation: OrganisationId, number: u128, name: &str, account: &str) -> Receiver {
    let id = ConnectionId(uuid::Uuid::from_u128(number));
    tx.execute(
        "INSERT INTO connections (organisation, id, connector, name, account, config, secret_names, revision, health, created_at, updated_at)
         VALUES ($1, $2, 'whatsapp', $3, $4, $5, '[]', 1, 'unknown', 0, 0)",
        args![organisation, id, name, account, json!({ "phone_number_id": account })],
    )
    .await
    .unwrap();
    Receiver { id, connector: "whatsapp".into(), account: Some(account.into()) }
}

pub(crate) fn incoming(item: IncomingItem) -> Incoming {
    Incoming { account: None, item, raw: json!({ "whole": true }) }
}

pub(crate) fn sender() -> Sender {
    Sender {
        external_ids: vec!["US.1".into(), "972987654321".into()],
        phone: Some("+972987654321".into()),
        name: Some("Test Name".into()),
        ..Sender::default()
    }
}

pub(crate) fn message(external_id: &str, text: &str) -> IncomingMessage {
    IncomingMessage {
        external_id: external_id.into(),
        outbound: false,
        sender: sender(),
        kind: "text".into(),
        text: Some(text.into()),
        reply_id: None,
        context_id: None,
        attachments: vec![],
        change: None,
        at: Some(START.plus_millis(-1000)),
    }
}

pub(crate) fn text(external_id: &str, text: &str) -> IncomingItem {
    IncomingItem::Message(message(external_id, text))
}

pub(crate) fn status(external_id: &str, message_id: Option<&str>, status: DeliveryStatus) -> IncomingItem {
    IncomingItem::Status(IncomingStatus {
        external_id: external_id.into(),
        message_id: message_id.map(str::to_owned),
        status,
        error: None,
        recipient: Some("972987654321".into()),
        at: Some(START),
    })
}

struct AnyCredentials;
#[onward_core::async_trait]
impl Credentials for AnyCredentials {
    async fn connection(&self, _: OrganisationId, connector: Option<&str>, name: Option<&str>) -> Result<Connection, StepError> {
        let id = name.and_then(onward_core::ids::parse).ok_or_else(|| StepError::new(ErrorCode::NotFound, "no such connection"))?;
        Ok(Connection { id, connector: connector.unwrap_or_default().into(), name: "main".into(), config: Object::new(), secrets: Arc::new(BTreeMap::new()) })
    }
}

/// A channel that answers as it is told, and remembers what it was asked to send.
#[derive(Default)]
pub(crate) struct FakeChannel {
    pub(crate) answers: Mutex<VecDeque<SendOutcome>>,
    pub(crate) sent: Mutex<Vec<OutgoingMessage>>,
}

#[onward_core::async_trait]
impl Channel for FakeChannel {
    fn connector(&self) -> &'static str {
        "whatsapp"
    }
    fn check(&self, message: &OutgoingMessage) -> Result<(), StepError> {
        let text = serde_json::to_string(&message.content).unwrap();
        let too_many = match &message.content {
            Content::Buttons { buttons, .. } => buttons.len() > 3,
            Content::List { rows, .. } => rows.len() > 10,
            Content::Text { .. } | Content::Template { .. } => false,
        };
        if text.len() > 4096 || too_many { Err(StepError::new(ErrorCode::InvalidInput, "too long")) } else { Ok(()) }
    }
    async fn send(&self, _: &Connection, message: &OutgoingMessage) -> SendOutcome {
        let mut sent = self.sent.lock().unwrap();
        sent.push(message.clone());
        let usual = SendOutcome::Accepted { external_id: format!("wamid.out{}", sent.len()) };
        self.answers.lock().unwrap().pop_front().unwrap_or(usual)
    }
}

#[tokio::test]
async fn conversations_are_assigned_and_closed_once() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    let organisation = world.organisation;
    let conversation = world.conversations().await.remove(0);
    let contact = conversation.contact_id;
    let new = NewUser { email: "a@example.com".into(), name: "A".into(), password_hash: "h".into(), role: Role::Agent };
    let user = users::create(&mut world.tx, organisation, &Actor::System, new).await.unwrap();
    world.events();
    let assign = world.node("crm.conversation.assign");
    let close = world.node("crm.conversation.close");
    assert_eq!((assign.descriptor().effect, close.descriptor().effect), (Effect::Transactional, Effect::Transactional));
    let context = world.context(Some(contact), "k");
    for (input, user_id, team) in [
        (json!({ "team": "sales" }), Value::Null, json!("sales")),
        (json!({ "user": "A@example.com" }), json!(user.id.to_string()), Value::Null),
        (json!({ "user": user.id.to_string(), "conversation": conversation.id.to_string() }), json!(user.id.to_string()), Value::Null),
    ] {
        let Outcome::Done { output } = assign.apply(&mut world.tx, &context, &input).await else { panic!("{input}") };
        assert_eq!((&output["assigned_user"], &output["assigned_team"]), (&user_id, &team));
    }
    let events = world.events();
    assert_eq!(events.len(), 2, "assigning to the same user again says nothing");
    assert_eq!((events[0].kind.as_str(), &events[0].data["team"], events[0].depth), ("conversation.assigned", &json!("sales"), 1));
    for (input, code) in [
        (json!({}), "invalid_input"),
        (json!({ "team": "a", "user": "b" }), "invalid_input"),
        (json!({ "user": "nobody@example.com" }), "not_found"),
        (json!({ "team": "a", "conversation": "x" }), "not_found"),
    ] {
        let Outcome::Failed { error } = assign.apply(&mut world.tx, &context, &input).await else { panic!("{input}") };
        assert_eq!(error.code.as_str(), code, "{input}");
    }
    for _ in 0..2 {
        let Outcome::Done { output } = close.apply(&mut world.tx, &context, &json!({})).await else { panic!() };
        assert_eq!((output["status"].as_str(), output["unread"].as_i64()), (Some("closed"), Some(0)));
    }
    assert_eq!(world.kinds(), ["conversation.closed"]);
    world.receive([text("wamid.2", "Again")]).await;
    assert_eq!(world.kinds(), ["conversation.opened", "message.received"]);
    assert_eq!(world.conversations().await.len(), 2);
}

#[tokio::test]
async fn conversations_filter_page_and_stay_in_their_organisation() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "Hi")]).await;
    let mut second = message("wamid.2", "Hello");
    second.sender = Sender { external_ids: vec!["US.2".into()], ..Sender::default() };
    world.receive([IncomingItem::Message(second)]).await;
    let organisation = world.organisation;
    let all = world.conversations().await;
    let (newest, oldest) = (all[0].clone(), all[1].clone());
    assert!(newest.id > oldest.id);
    let tx = &mut world.tx;
    conversations::assign(tx, organisation, &Actor::System, oldest.id, Assignee::Team("sales".into())).await.unwrap();
    conversations::close(tx, organisation, &Actor::System, newest.id).await.unwrap();
    for (filter, expected) in [
        (ConversationFilter { status: Some(ConversationStatus::Open), ..ConversationFilter::default() }, vec![oldest.id]),
        (ConversationFilter { assigned_team: Some("sales".into()), ..ConversationFilter::default() }, vec![oldest.id]),
        (ConversationFilter { contact: Some(newest.contact_id), ..ConversationFilter::default() }, vec![newest.id]),
        (ConversationFilter { assigned_user: Some(onward_accounts::UserId(uuid::Uuid::nil())), ..ConversationFilter::default() }, vec![]),
    ] {
        let found: Vec<_> = conversations::list(tx, organisation, &filter, None, 10).await.unwrap().iter().map(|found| found.id).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let page = conversations::list(tx, organisation, &ConversationFilter::default(), Some(newest.id), 1).await.unwrap();
    assert_eq!(page[0].id, oldest.id);
    conversations::mark_read(tx, organisation, oldest.id).await.unwrap();
    assert_eq!(conversations::get(tx, organisation, oldest.id).await.unwrap().unwrap().unread, 0);

    let other = organisations::create(tx, &Actor::System, "other", "Other").await.unwrap().id;
    let stored = messages::page(tx, organisation, oldest.id, None, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert!(conversations::list(tx, other, &ConversationFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(conversations::get(tx, other, oldest.id).await.unwrap().is_none());
    assert!(messages::page(tx, other, oldest.id, None, 10).await.unwrap().is_empty());
    assert!(messages::get(tx, other, stored[0].id).await.unwrap().is_none());
    assert!(conversations::close(tx, other, &Actor::System, oldest.id).await.is_err());
    assert!(conversations::assign(tx, other, &Actor::System, oldest.id, Assignee::Nobody).await.is_err());
    let record = RecordRef { name: "conversation".into(), id: oldest.id.to_string() };
    assert!(CrmRecords::default().read(tx, other, &record).await.unwrap().is_none());
    let own = CrmRecords::default().read(tx, organisation, &record).await.unwrap().unwrap();
    assert_eq!((own["assigned_team"].as_str(), own["contact_name"].as_str()), (Some("sales"), Some("Test Name")));
    let twin = Receiver { id: ConnectionId(uuid::Uuid::from_u128(77)), ..world.receiver.clone() };
    receive(&mut world.tx, other, &twin, &[incoming(text("wamid.1", "Hi"))]).await.unwrap();
    assert_eq!(conversations::list(&mut world.tx, other, &ConversationFilter::default(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_latest_word_on_consent_counts_whatever_order_it_comes_in() {
    let mut world = World::new().await;
    let contact = world.contact(ContactChange { name: Some("Asha".into()), ..ContactChange::default() }).await;
    let organisation = world.organisation;
    let said = |granted: bool, seconds: i64| Statement {
        channel: "whatsapp",
        category: "marketing",
        granted,
        at: START.plus_millis(seconds * 1000),
        source: "test",
        text: "words",
    };
    for (statement, news) in
        [(said(true, 1), false), (said(false, 5), true), (said(false, 6), false), (said(true, 3), false), (said(false, 6), false), (said(true, 9), true)]
    {
        let recorded = consent::record(&mut world.tx, organisation, &Actor::System, contact, &statement).await.unwrap();
        assert_eq!(recorded, news, "{statement:?}");
    }
    assert_eq!(world.kinds(), ["contact.unsubscribed", "contact.updated"]);
    assert_eq!(world.contacts().await[0].opt_outs, Vec::<String>::new());
    assert_eq!(consent::of_contact(&mut world.tx, organisation, contact).await.unwrap().len(), 5, "the proof of each is kept");
    let unknown = consent::record(&mut world.tx, organisation, &Actor::System, ContactId(uuid::Uuid::nil()), &said(false, 1)).await;
    assert!(matches!(unknown, Err(CrmError::NotFound { .. } | CrmError::Database(_))));
}

#[tokio::test]
async fn erasing_takes_the_words() {
    let mut world = World::new().await;
    world.receive([text("wamid.1", "my secret")]).await;
    let contact = world.contacts().await[0].id;
    crate::erase::erase_contact(&mut world.tx, world.organisation, contact).await.unwrap();
    let rows = world.messages().await;
    assert_eq!((rows.len(), rows[0].text.as_str()), (1, ""));
    assert_eq!(world.conversations().await[0].last_text, "");
}

#[test]
fn one_open_conversation_is_a_rule_of_the_table() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut world = World::new().await;
        let contact = world.contact(ContactChange { name: Some("Asha".into()), ..ContactChange::default() }).await;
        let parties = Parties { contact, channel: "whatsapp", connection: world.receiver.id };
        let open = conversations::open(&mut world.tx, world.organisation, &Actor::System, parties).await.unwrap();
        assert_eq!(conversations::open(&mut world.tx, world.organisation, &Actor::System, parties).await.unwrap(), open);
        let again = conversations::begin(&mut world.tx, world.organisation, &Actor::System, parties);
        assert!(again.is_err() || world.tx.commit().await.is_err());
    });
}
