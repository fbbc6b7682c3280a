//! What comes to two servers on one PostgreSQL at one time: nothing of it is lost, and nothing happens twice.

use super::{START, connection, incoming, text};
use crate::{
    ContactDesk, ConversationId,
    conversations::{self, Assignee},
    drafts, messages,
    receive::{Received, Receiver, receive},
};
use onward_accounts::{Actor, CrmError, organisations};
use onward_core::{
    OrganisationId, RunId,
    ports::{Asking, ContactQuestion, ContactQuestions as _, Transaction as _},
};
use onward_database::{Tx, args, testing::TwoServers};
use onward_records::{ContactChange, ContactId, contacts};
use serde_json::json;

pub(crate) struct Servers {
    pub(crate) both: TwoServers,
    pub(crate) organisation: OrganisationId,
    pub(crate) receiver: Receiver,
}

impl Servers {
    pub(crate) async fn new() -> Self {
        let both = TwoServers::new().await;
        let begun = async |tx: &mut Tx| {
            let organisation = organisations::ensure_default(tx).await.unwrap().id;
            (organisation, connection(tx, organisation, 1, "main", "106540352242922").await)
        };
        let (organisation, receiver) = both.before(START, begun).await;
        Self { both, organisation, receiver }
    }
    async fn receive(&self, tx: &mut Tx, id: &str, words: &str) -> Received {
        receive(tx, self.organisation, &self.receiver, &[incoming(text(id, words))]).await.unwrap()
    }
    /// Somebody wrote before: who, and their conversation.
    pub(crate) async fn known(&self) -> (ContactId, ConversationId) {
        self.both.before(START, async |tx| self.receive(tx, "wamid.0", "Hi").await).await;
        let mut reader = self.both.one().reader();
        let contact = contacts::list(&mut reader, self.organisation, &contacts::ContactFilter::default(), None, 10).await.unwrap().remove(0).id;
        let conversation = conversations::of_contact(&mut reader, self.organisation, contact).await.unwrap().remove(0).id;
        (contact, conversation)
    }
    /// How many contacts, open conversations and messages there are.
    async fn counts(&self) -> (usize, usize, usize) {
        let mut reader = self.both.one().reader();
        let people = contacts::list(&mut reader, self.organisation, &contacts::ContactFilter::default(), None, 10).await.unwrap();
        let (mut open, mut written) = (0, 0);
        for person in &people {
            for conversation in conversations::of_contact(&mut reader, self.organisation, person.id).await.unwrap() {
                open += usize::from(conversation.closed_at.is_none());
                written += messages::page(&mut reader, self.organisation, conversation.id, None, 10).await.unwrap().len();
            }
        }
        (people.len(), open, written)
    }
}

fn kinds(tx: &mut Tx) -> Vec<String> {
    std::mem::take(&mut tx.outbox().events).into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn somebody_new_is_one_contact_with_one_conversation() {
    for (second, became, written) in
        [("wamid.2", Received { messages: 1, ..Received::default() }, 2), ("wamid.1", Received { duplicates: 1, ..Received::default() }, 1)]
    {
        let all = Servers::new().await;
        let (_, received) = all.both.at_once(START, async |tx| all.receive(tx, "wamid.1", "Hi").await, async |tx| all.receive(tx, second, "Hi").await).await;
        assert_eq!((received, all.counts().await), (became, (1, 1, written)), "{second}");
    }
}

/// Whose number two contacts have, so that the sender becomes a third.
#[tokio::test]
async fn somebody_new_whom_nobody_can_tell_from_others_is_one_contact() {
    let all = Servers::new().await;
    let shared = async |tx: &mut Tx| {
        let phones = vec!["+972987654321".to_owned()];
        let first = contacts::upsert(tx, all.organisation, &Actor::System, ContactChange { phones: phones.clone(), ..ContactChange::default() }).await.unwrap();
        let email = ContactChange { emails: vec!["b@example.com".into()], ..ContactChange::default() };
        let id = contacts::upsert(tx, all.organisation, &Actor::System, email).await.unwrap().contact.id;
        let change = ContactChange { id: Some(id), phones, ..ContactChange::default() };
        contacts::upsert(tx, all.organisation, &Actor::System, change).await.unwrap();
        assert_ne!(first.contact.id, id);
    };
    all.both.before(START, shared).await;
    let one = async |tx: &mut Tx, id| all.receive(tx, id, "Hi").await;
    all.both.at_once(START, async |tx| one(tx, "wamid.1").await, async |tx| one(tx, "wamid.2").await).await;
    assert_eq!(all.counts().await, (3, 1, 2));
}

#[tokio::test]
async fn a_conversation_is_opened_once() {
    let all = Servers::new().await;
    let (_, conversation) = all.known().await;
    all.both.before(START, async |tx| conversations::close(tx, all.organisation, &Actor::System, conversation).await.unwrap()).await;
    let one = async |tx: &mut Tx, id| {
        all.receive(tx, id, "Again").await;
        kinds(tx)
    };
    let (first, second) = all.both.at_once(START, async |tx| one(tx, "wamid.1").await, async |tx| one(tx, "wamid.2").await).await;
    assert_eq!(
        (first.as_slice(), second.as_slice()),
        (["conversation.opened", "message.received"].map(str::to_owned).as_slice(), ["message.received".to_owned()].as_slice())
    );
    assert_eq!(all.counts().await, (1, 1, 3));
}

#[tokio::test]
async fn a_conversation_is_assigned_tagged_and_closed_once() {
    let all = Servers::new().await;
    let (_, id) = all.known().await;
    let organisation = all.organisation;
    let assigns = async |tx: &mut Tx| {
        conversations::assign(tx, organisation, &Actor::System, id, Assignee::team("sales").unwrap()).await.unwrap();
        kinds(tx)
    };
    assert_eq!(all.both.at_once(START, assigns, assigns).await, (vec!["conversation.assigned".to_owned()], vec![]));
    let tags = async |tx: &mut Tx| {
        conversations::tag(tx, organisation, &Actor::System, id, &["vip".into()], &[]).await.unwrap();
        kinds(tx)
    };
    assert_eq!(all.both.at_once(START, tags, tags).await, (vec!["conversation.tagged".to_owned()], vec![]));
    let closes = async |tx: &mut Tx| {
        conversations::close(tx, organisation, &Actor::System, id).await.unwrap();
        kinds(tx)
    };
    assert_eq!(all.both.at_once(START, closes, closes).await, (vec!["conversation.closed".to_owned()], vec![]));
}

#[tokio::test]
async fn a_draft_is_taken_once() {
    let all = Servers::new().await;
    let (_, conversation) = all.known().await;
    let content = json!({ "text": "Shall we talk?" }).as_object().unwrap().clone();
    let id = all.both.before(START, async |tx| drafts::create(tx, all.organisation, &Actor::System, conversation, content).await.unwrap().id).await;
    let takes = async |tx: &mut Tx| drafts::take(tx, all.organisation, id).await;
    let (first, second) = all.both.at_once(START, takes, takes).await;
    assert!(first.is_ok() && matches!(&second, Err(CrmError::Conflict { .. })), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_question_is_answered_once() {
    let all = Servers::new().await;
    let (contact, _) = all.known().await;
    let run_id = RunId(uuid::Uuid::from_u128(77));
    let question = json!({ "title": "How many?", "form": { "properties": { "n": { "type": "integer" } } }, "values": null });
    let asking = Asking {
        organisation: all.organisation,
        run_id,
        workflow: "booking".into(),
        conversation: None,
        paused: false,
        open: vec![ContactQuestion { step: "many".into(), contact: contact.to_string(), question, until: None }],
    };
    let asked = async |tx: &mut Tx| {
        ContactDesk.changed(tx, &asking).await.unwrap();
        let sent = "UPDATE contact_questions SET sent_at = $2, connection_id = $3 WHERE organisation = $1";
        tx.execute(sent, args![all.organisation, START, all.receiver.id]).await.unwrap();
    };
    all.both.before(START, asked).await;
    let answers = async |tx: &mut Tx, id, words| {
        all.receive(tx, id, words).await;
        tx.outbox().answers.len()
    };
    let given = all.both.at_once(START, async |tx| answers(tx, "wamid.1", "3").await, async |tx| answers(tx, "wamid.2", "4").await).await;
    assert_eq!(given, (1, 0));
}
