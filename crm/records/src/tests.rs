//! Records on a real database.

mod companies;
mod deals;
mod segments;
mod tasks;
mod two_servers;

use crate::{
    Contact, ContactChange, ContactId, ContactPatch, CrmError, IdentityKey,
    addresses::AddressKind,
    contacts,
    contacts::{ContactFilter, limits},
    identities, notes, tags, timeline,
};
use onward_accounts::{Actor, organisations, organisations::OrganisationChange};
use onward_core::{
    ConnectionId, ErrorCode, NewEvent, Object, OrganisationId, RunId, StepError, Timestamp, Value,
    ports::{Connection, Credentials, Effect, Outcome, RecordRef, Records as _, StepContext, Transaction as _},
};
use onward_database::{Database, Tx};
use serde_json::json;
use std::sync::Arc;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const WHATSAPP: ConnectionId = ConnectionId(uuid::Uuid::from_u128(1));

pub(crate) struct World {
    pub(crate) tx: Tx,
    _database: Database,
    pub(crate) organisation: OrganisationId,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = onward_database::testing::database().await;
        let mut tx = database.begin(START).await.unwrap();
        let organisation = organisations::ensure_default(&mut tx).await.unwrap().id;
        Self { tx, _database: database, organisation }
    }
    fn events(&mut self) -> Vec<NewEvent> {
        std::mem::take(&mut self.tx.outbox().events)
    }
    fn kinds(&mut self) -> Vec<String> {
        self.events().into_iter().map(|event| event.kind).collect()
    }
    async fn upsert(&mut self, change: ContactChange) -> Result<contacts::Upserted, CrmError> {
        contacts::upsert(&mut self.tx, self.organisation, &Actor::System, change).await
    }
    async fn contact(&mut self, change: ContactChange) -> Contact {
        let made = self.upsert(change).await.unwrap();
        assert!(made.created, "the test's contact is new");
        self.events();
        made.contact
    }
    async fn items(&mut self, contact: ContactId) -> Vec<(String, String)> {
        let page = timeline::page(&mut self.tx, self.organisation, contact, None, 100).await.unwrap();
        page.into_iter().map(|item| (item.kind, item.text)).collect()
    }
}

fn phone(text: &str) -> ContactChange {
    ContactChange { phones: vec![text.into()], ..ContactChange::default() }
}
fn email(text: &str) -> ContactChange {
    ContactChange { emails: vec![text.into()], ..ContactChange::default() }
}
fn key(external_id: &str) -> IdentityKey {
    IdentityKey { channel: "whatsapp".into(), connection_id: WHATSAPP, external_id: external_id.into() }
}
fn identity(external_id: &str) -> ContactChange {
    ContactChange { identities: vec![key(external_id)], ..ContactChange::default() }
}
fn conflicting(error: CrmError) -> Vec<String> {
    match error {
        CrmError::Conflict { mut ids, .. } => {
            ids.sort();
            ids
        }
        other => panic!("{other:?}"),
    }
}
fn sorted(ids: &[ContactId]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn upsert_matches_by_id_then_identity_then_an_address_that_one_contact_has() {
    let mut world = World::new().await;
    let a = world.contact(ContactChange { phones: vec!["+919812345678".into()], emails: vec!["a@example.com".into()], ..identity("US.1") }).await.id;
    let b = world.contact(phone("+4915112345678")).await.id;
    let shared = "family@example.com";
    for id in [a, b] {
        world.upsert(ContactChange { id: Some(id), ..email(shared) }).await.unwrap();
    }
    for (change, expected, why) in [
        (ContactChange { id: Some(b), ..phone("+919812345678") }, b, "an id is stronger than an address of somebody else"),
        (identity("US.1"), a, "identity"),
        (ContactChange { phones: vec!["+4915112345678".into()], ..identity("US.1") }, a, "an identity is stronger than an address"),
        (phone("+91 98123 45678"), a, "phone in another form, shared by now"),
        (email("A@Example.COM"), a, "e-mail in another case"),
        (ContactChange { phones: vec!["+4915112345678".into()], ..ContactChange::default() }, b, "phone"),
    ] {
        // The first case has given `b` the phone of `a`: from then on the phone alone is a conflict.
        let result = world.upsert(change.clone()).await;
        if change == phone("+91 98123 45678") || change.phones == ["+4915112345678"] && change.identities.is_empty() {
            assert_eq!(conflicting(result.unwrap_err()), sorted(&[a, b]), "{why}");
        } else {
            assert_eq!(result.unwrap().contact.id, expected, "{why}");
        }
    }
    assert_eq!(conflicting(world.upsert(email(shared)).await.unwrap_err()), sorted(&[a, b]));
    let both = ContactChange { phones: vec!["+15550001111".into()], emails: vec![shared.into()], ..ContactChange::default() };
    assert_eq!(conflicting(world.upsert(both).await.unwrap_err()), sorted(&[a, b]));
    let fresh = world.upsert(email("new@example.com")).await.unwrap();
    assert!(fresh.created && fresh.contact.id != a && fresh.contact.id != b);
}

#[tokio::test]
async fn two_addresses_of_two_contacts_are_a_conflict_even_when_each_is_unique() {
    let mut world = World::new().await;
    let a = world.contact(phone("+919812345678")).await.id;
    let b = world.contact(email("b@example.com")).await.id;
    let both = ContactChange { phones: vec!["+919812345678".into()], emails: vec!["b@example.com".into()], ..ContactChange::default() };
    assert_eq!(conflicting(world.upsert(both).await.unwrap_err()), sorted(&[a, b]));
    assert!(world.kinds().is_empty(), "a refused upsert emits nothing");
}

#[tokio::test]
async fn identities_of_two_contacts_and_foreign_identities_are_conflicts() {
    let mut world = World::new().await;
    let a = world.contact(identity("US.1")).await.id;
    let b = world.contact(identity("972987654321")).await.id;
    let both = ContactChange { identities: vec![key("US.1"), key("972987654321")], ..ContactChange::default() };
    assert_eq!(conflicting(world.upsert(both).await.unwrap_err()), sorted(&[a, b]));
    let foreign = ContactChange { id: Some(b), ..identity("US.1") };
    assert_eq!(conflicting(world.upsert(foreign).await.unwrap_err()), sorted(&[a, b]));
    let unknown = ContactChange { id: Some(ContactId(uuid::Uuid::from_u128(9))), ..ContactChange::default() };
    assert!(matches!(world.upsert(unknown).await, Err(CrmError::NotFound { what: "contact", .. })));
}

#[tokio::test]
async fn a_change_that_changes_nothing_emits_nothing_and_empty_values_replace_nothing() {
    let mut world = World::new().await;
    let known = ContactChange {
        name: Some("Asha Rao".into()),
        tags: vec!["new".into()],
        fields: Object::from_iter([("plan".to_owned(), json!("pro"))]),
        timezone: Some("Asia/Kolkata".into()),
        ..phone("+919812345678")
    };
    let contact = world.contact(known.clone()).await;
    let before = world.items(contact.id).await;
    world.tx.outbox().changes.clear();
    let empty = ContactChange {
        name: Some("  ".into()),
        first_name: Some(String::new()),
        emails: vec![String::new()],
        tags: vec![" ".into()],
        fields: Object::from_iter([("plan".to_owned(), json!("")), ("plan2".to_owned(), Value::Null)]),
        timezone: Some(String::new()),
        language: Some(" ".into()),
        ..phone("+91 98123-45678")
    };
    for change in [known, empty, phone("+919812345678")] {
        let again = world.upsert(change).await.unwrap();
        assert_eq!((again.created, again.changed.len(), &again.contact), (false, 0, &contact));
    }
    assert!(world.kinds().is_empty() && world.tx.outbox().changes.is_empty());
    assert_eq!(world.items(contact.id).await, before);
}

#[tokio::test]
async fn what_is_new_is_merged_and_told() {
    let mut world = World::new().await;
    let contact = world.contact(ContactChange { name: Some("Asha".into()), tags: vec!["a".into()], ..phone("+919812345678") }).await;
    let change = ContactChange {
        name: Some("Asha Rao".into()),
        emails: vec!["asha@example.com".into()],
        tags: vec!["b".into(), "a".into()],
        fields: Object::from_iter([("plan".to_owned(), json!("pro"))]),
        language: Some("en".into()),
        identities: vec![key("US.1")],
        ..phone("+919812345678")
    };
    let merged = world.upsert(change).await.unwrap();
    assert_eq!(merged.changed, ["name", "emails", "tags", "identities", "language", "fields.plan"]);
    assert_eq!((merged.contact.phones.len(), merged.contact.tags.clone()), (1, vec!["a".to_owned(), "b".to_owned()]));
    let stored = contacts::get(&mut world.tx, world.organisation, contact.id).await.unwrap().unwrap();
    assert_eq!(stored, merged.contact, "what is returned is what is stored");
    let events = world.events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].data["changed"][0].as_str()), ("contact.updated", Some("name")));
    assert_eq!(events[0].data["contact_id"], contact.id.to_string());
    let items = world.items(contact.id).await;
    assert_eq!(
        items[..2],
        [("field".to_owned(), "Changed: name, emails, identities, language, fields.plan".to_owned()), ("tag".to_owned(), "Tagged: b".to_owned())]
    );
    assert_eq!(items.last().unwrap().1, "Contact created");
    let json = stored.to_value();
    assert_eq!(json["identities"][0]["external_id"], "US.1");
    assert_eq!((json["first_name"].as_str(), json["last_name"].as_str(), json["email"].as_str()), (Some("Asha"), None, Some("asha@example.com")));
}

#[tokio::test]
async fn bad_input_names_its_place() {
    let mut world = World::new().await;
    for (change, field) in [
        (ContactChange { phones: vec!["+919812345678".into(), "12".into()], ..ContactChange::default() }, "phones/1"),
        (email("nobody"), "emails/0"),
        (ContactChange { tags: vec!["x".repeat(65)], ..ContactChange::default() }, "tags"),
        (ContactChange { name: Some("x".repeat(limits::NAME_CHARACTERS + 1)), ..ContactChange::default() }, "name"),
        (ContactChange { timezone: Some("Mars".into()), ..ContactChange::default() }, "timezone"),
        (ContactChange { language: Some("no language".into()), ..ContactChange::default() }, "language"),
        (ContactChange { fields: Object::from_iter([("x".to_owned(), json!("y".repeat(crate::fields::FIELDS_BYTES)))]), ..ContactChange::default() }, "fields"),
        (ContactChange { emails: (0..=limits::ADDRESSES).map(|n| format!("a{n}@example.com")).collect(), ..ContactChange::default() }, "emails"),
    ] {
        let error = world.upsert(change).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{field}: {error:?}");
    }
    assert!(world.kinds().is_empty());
    assert!(contacts::list(&mut world.tx, world.organisation, &ContactFilter::default(), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn phones_without_a_country_are_of_the_organisations() {
    let mut world = World::new().await;
    assert!(matches!(world.upsert(phone("98123 45678")).await, Err(CrmError::Invalid { .. })));
    let change = OrganisationChange { country: Some(Some("IN".into())), ..OrganisationChange::default() };
    organisations::update(&mut world.tx, &Actor::System, world.organisation, change).await.unwrap();
    assert_eq!(world.upsert(phone("98123 45678")).await.unwrap().contact.phones, ["+919812345678"]);
}

#[tokio::test]
async fn update_replaces_clears_and_is_silent_when_nothing_changes() {
    let mut world = World::new().await;
    let contact = world
        .contact(ContactChange {
            name: Some("Asha Rao".into()),
            tags: vec!["a".into(), "b".into()],
            fields: Object::from_iter([("plan".to_owned(), json!("pro")), ("size".to_owned(), json!(3))]),
            ..phone("+919812345678")
        })
        .await;
    let patch = ContactPatch {
        name: Some(String::new()),
        phones: Some(vec!["+4915112345678".into(), "+919812345678".into()]),
        tags: Some(vec!["b".into(), "c".into()]),
        fields: Some(Object::from_iter([("plan".to_owned(), Value::Null), ("city".to_owned(), json!("Pune"))])),
        timezone: Some(Some("Asia/Kolkata".into())),
        score: Some(5),
        ..ContactPatch::default()
    };
    let updated = contacts::update(&mut world.tx, world.organisation, &Actor::System, contact.id, patch.clone()).await.unwrap();
    assert_eq!(updated.changed, ["name", "phones", "tags", "timezone", "score", "fields.city", "fields.plan"]);
    let stored = contacts::get(&mut world.tx, world.organisation, contact.id).await.unwrap().unwrap();
    assert_eq!(stored, updated.contact);
    assert_eq!((stored.phones[0].as_str(), stored.tags.join(","), stored.fields.len()), ("+4915112345678", "b,c".to_owned(), 2));
    assert_eq!(world.kinds(), ["contact.updated"]);
    contacts::update(&mut world.tx, world.organisation, &Actor::System, contact.id, patch).await.unwrap();
    assert!(world.kinds().is_empty());
    assert_eq!(contacts::find_by_address(&mut world.tx, world.organisation, AddressKind::Phone, "+4915112345678").await.unwrap(), [contact.id]);
}

#[tokio::test]
async fn tags_and_notes() {
    let mut world = World::new().await;
    let (organisation, actor) = (world.organisation, Actor::System);
    let contact = world.contact(phone("+919812345678")).await.id;
    let tagged = tags::add(&mut world.tx, organisation, &actor, contact, &["vip".into(), " vip ".into(), "Vip".into()]).await.unwrap();
    assert_eq!(tagged.tags, ["Vip", "vip"]);
    assert_eq!(world.kinds(), ["contact.updated"]);
    tags::add(&mut world.tx, organisation, &actor, contact, &["vip".into()]).await.unwrap();
    tags::remove(&mut world.tx, organisation, &actor, contact, &["unknown".into()]).await.unwrap();
    assert!(world.kinds().is_empty());
    assert_eq!(tags::remove(&mut world.tx, organisation, &actor, contact, &["vip".into()]).await.unwrap().tags, ["Vip"]);
    notes::add(&mut world.tx, organisation, &actor, contact, " Asked for prices. ").await.unwrap();
    let items = world.items(contact).await;
    assert_eq!(items[0], ("note".to_owned(), "Asked for prices.".to_owned()));
    assert_eq!(items.len(), 4);
    assert!(notes::add(&mut world.tx, organisation, &actor, contact, " ").await.is_err());
    assert!(notes::add(&mut world.tx, organisation, &actor, ContactId(uuid::Uuid::nil()), "x").await.is_err());
}

#[tokio::test]
async fn lists_filter_and_page() {
    let mut world = World::new().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        let change = ContactChange {
            name: Some(format!("Person 10{number}%")),
            emails: vec![format!("p{number}@example.com")],
            tags: vec![tag.into()],
            ..phone(&format!("+91981234567{number}"))
        };
        ids.push(world.contact(change).await.id);
    }
    let organisation = world.organisation;
    let tx = &mut world.tx;
    let filter = |name: &str, value: &str| {
        let mut filter = ContactFilter::default();
        let value = Some(value.to_owned());
        match name {
            "q" => filter.q = value,
            "email" => filter.email = value,
            "phone" => filter.phone = value,
            _ => filter.tag = value,
        }
        filter
    };
    for (filter, expected) in [
        (ContactFilter::default(), vec![4, 3, 2, 1, 0]),
        (filter("q", "PERSON 103"), vec![3]),
        (filter("q", "p2@"), vec![2]),
        (filter("q", "4567"), vec![4, 3, 2, 1, 0]),
        (filter("q", "0%"), vec![0]),
        (filter("q", "_"), vec![]),
        (filter("email", "P1@Example.com"), vec![1]),
        (filter("phone", "+919812345674"), vec![4]),
        (filter("tag", "even"), vec![4, 2, 0]),
        (ContactFilter { email: Some("p1@example.com".into()), ..filter("tag", "even") }, vec![]),
        (ContactFilter { phone: Some("+919812345672".into()), ..filter("tag", "even") }, vec![2]),
    ] {
        let found: Vec<ContactId> = contacts::list(tx, organisation, &filter, None, 100).await.unwrap().iter().map(|contact| contact.id).collect();
        let expected: Vec<ContactId> = expected.into_iter().map(|at: usize| ids[at]).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = contacts::list(tx, organisation, &ContactFilter::default(), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|contact| contact.id));
    }
    ids.reverse();
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn removal_takes_the_persons_data_and_leaves_the_id() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let contact = world.contact(ContactChange { name: Some("Asha".into()), tags: vec!["a".into()], ..identity("US.1") }).await.id;
    contacts::delete(&mut world.tx, organisation, &Actor::System, contact).await.unwrap();
    assert!(contacts::get(&mut world.tx, organisation, contact).await.unwrap().is_none());
    assert!(world.items(contact).await.is_empty());
    assert!(identities::owners(&mut world.tx, organisation, &[key("US.1")]).await.unwrap().is_empty());
    assert!(contacts::list(&mut world.tx, organisation, &ContactFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(contacts::delete(&mut world.tx, organisation, &Actor::System, contact).await.is_err());
    assert!(contacts::update(&mut world.tx, organisation, &Actor::System, contact, ContactPatch::default()).await.is_err());
    assert!(world.upsert(identity("US.1")).await.unwrap().created, "the same sender is a new person");
}

#[tokio::test]
async fn a_changed_address_is_a_new_identity_of_the_same_contact() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let contact = world.contact(ContactChange { identities: vec![key("US.1"), key("972987654321")], ..ContactChange::default() }).await.id;
    let moved = identities::replace(&mut world.tx, organisation, &[key("972987654321")], &key("972912345678")).await.unwrap();
    assert_eq!(moved, Some(contact));
    let stored = contacts::get(&mut world.tx, organisation, contact).await.unwrap().unwrap();
    let live: Vec<&str> = stored.identities.iter().filter(|identity| !identity.replaced).map(|identity| identity.key.external_id.as_str()).collect();
    assert!(live.contains(&"US.1") && live.contains(&"972912345678") && !live.contains(&"972987654321"), "{live:?}");
    assert_eq!(identities::replace(&mut world.tx, organisation, &[key("nobody")], &key("x")).await.unwrap(), None);
}

#[tokio::test]
async fn a_sender_is_never_refused() {
    let mut world = World::new().await;
    let (organisation, actor) = (world.organisation, Actor::Connector { connector: "whatsapp".into() });
    let a = world.contact(ContactChange { name: Some("Asha Rao".into()), ..phone("+972987654321") }).await.id;
    let known = ContactChange { name: Some("~asha~".into()), phones: vec!["+972987654321".into()], ..identity("972987654321") };
    let found = contacts::create_for_sender(&mut world.tx, organisation, &actor, known.clone()).await.unwrap();
    assert_eq!((found.contact.id, found.contact.name.as_str()), (a, "Asha Rao"), "matched by phone, and a profile's name replaces none");
    let b = world.contact(ContactChange { emails: vec!["b@example.com".into()], ..ContactChange::default() }).await.id;
    world.upsert(ContactChange { id: Some(b), ..phone("+972987654321") }).await.unwrap();
    let ambiguous = ContactChange { identities: vec![key("US.2")], ..known };
    let own = contacts::create_for_sender(&mut world.tx, organisation, &actor, ambiguous).await.unwrap();
    assert!(own.created && own.contact.identities[0].key.external_id == "US.2");
    let strange = ContactChange { name: Some("\u{7}x".repeat(500)), emails: vec!["no mail".into()], phones: vec!["+1".into()], ..identity("US.3") };
    assert!(contacts::create_for_sender(&mut world.tx, organisation, &actor, strange).await.unwrap().created);
}

#[tokio::test]
async fn no_organisation_sees_anothers_contacts() {
    let mut world = World::new().await;
    let contact = world.contact(ContactChange { tags: vec!["a".into()], emails: vec!["a@example.com".into()], ..identity("US.1") }).await;
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let (tx, actor) = (&mut world.tx, Actor::System);
    assert!(contacts::get(tx, other, contact.id).await.unwrap().is_none());
    assert!(!contacts::exists(tx, other, contact.id).await.unwrap());
    assert!(contacts::list(tx, other, &ContactFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(contacts::list(tx, other, &ContactFilter { tag: Some("a".into()), ..ContactFilter::default() }, None, 10).await.unwrap().is_empty());
    assert!(contacts::find_by_address(tx, other, AddressKind::Email, "a@example.com").await.unwrap().is_empty());
    assert!(identities::owners(tx, other, &[key("US.1")]).await.unwrap().is_empty());
    assert!(timeline::page(tx, other, contact.id, None, 10).await.unwrap().is_empty());
    assert!(contacts::update(tx, other, &actor, contact.id, ContactPatch { score: Some(1), ..ContactPatch::default() }).await.is_err());
    assert!(tags::add(tx, other, &actor, contact.id, &["x".into()]).await.is_err());
    assert!(notes::add(tx, other, &actor, contact.id, "x").await.is_err());
    assert!(contacts::delete(tx, other, &actor, contact.id).await.is_err());
    assert!(contacts::set_opt_out(tx, other, contact.id, "whatsapp", "all", true).await.is_err());
    let twin = contacts::upsert(tx, other, &actor, ContactChange { emails: vec!["a@example.com".into()], ..identity("US.1") }).await.unwrap();
    assert!(twin.created && twin.contact.id != contact.id);
    let record = RecordRef { name: "contact".into(), id: contact.id.to_string() };
    assert!(crate::LiveRecords.read(tx, other, &record).await.unwrap().is_none());
    assert_eq!(contacts::get(tx, world.organisation, contact.id).await.unwrap().unwrap().tags, ["a"]);
}

#[tokio::test]
async fn live_records_are_the_one_shape() {
    let mut world = World::new().await;
    let contact = world.contact(phone("+919812345678")).await;
    let read = |name: &str, id: &str| RecordRef { name: name.into(), id: id.into() };
    let records = crate::LiveRecords;
    let value = records.read(&mut world.tx, world.organisation, &read("contact", &contact.id.to_string())).await.unwrap().unwrap();
    assert_eq!(value, contact.to_value());
    assert!(records.read(&mut world.tx, world.organisation, &read("contact", "c1")).await.unwrap().is_none());
    let org = records.read(&mut world.tx, world.organisation, &read("org", "")).await.unwrap().unwrap();
    assert_eq!((org["name"].as_str(), org["timezone"].as_str()), (Some("default"), Some("UTC")));
    for (name, id) in [("deal", "x"), ("company", "x"), ("conversation", "x"), ("deal", "00000000-0000-0000-0000-000000000009")] {
        assert!(records.read(&mut world.tx, world.organisation, &read(name, id)).await.unwrap().is_none());
    }
}

struct NoCredentials;
#[onward_core::async_trait]
impl Credentials for NoCredentials {
    async fn connection(&self, _: OrganisationId, _: Option<&str>, _: Option<&str>) -> Result<Connection, StepError> {
        Err(StepError::new(ErrorCode::Unauthorized, "none in this test"))
    }
}

fn context(organisation: OrganisationId, contact: Option<ContactId>) -> StepContext {
    StepContext {
        organisation,
        run_id: RunId(uuid::Uuid::from_u128(5)),
        workflow: "welcome".into(),
        step: "lead".into(),
        attempt: 1,
        idempotency_key: "k".into(),
        event_id: None,
        now: START,
        contact: contact.map(|id| id.to_string()),
        company: None,
        deal: None,
        conversation: None,
        depth: 0,
        credentials: Arc::new(NoCredentials),
    }
}

impl World {
    async fn node(&mut self, id: &str, contact: Option<ContactId>, input: Value) -> Outcome {
        let node = crate::nodes().into_iter().find(|node| node.descriptor().id == id).unwrap();
        node.apply(&mut self.tx, &context(self.organisation, contact), &input).await
    }
    async fn done(&mut self, id: &str, contact: Option<ContactId>, input: Value) -> Value {
        match self.node(id, contact, input).await {
            Outcome::Done { output } => output,
            other => panic!("{id}: {other:?}"),
        }
    }
    async fn failed(&mut self, id: &str, contact: Option<ContactId>, input: Value) -> StepError {
        match self.node(id, contact, input).await {
            Outcome::Failed { error } => error,
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn nodes_do_what_their_record_functions_do() {
    let mut world = World::new().await;
    let made = world.done("crm.contact.upsert", None, json!({ "phone": "+919812345678", "name": "Asha Rao", "tags": ["new"], "email": null })).await;
    let id: ContactId = made["id"].as_str().unwrap().parse().unwrap();
    let event = world.events().pop().unwrap();
    assert_eq!((event.kind.as_str(), event.depth, event.cause.is_some()), ("contact.created", 1, true));
    assert_eq!(event.data["author"], json!({ "kind": "automation", "id": "welcome" }));
    assert_eq!(world.done("crm.contact.get", Some(id), json!({})).await, made);
    assert_eq!(world.done("crm.contact.get", None, json!({ "id": id.to_string() })).await, made);
    assert_eq!(world.done("crm.contact.get", None, json!({ "contact": made.clone() })).await, made);
    assert_eq!(world.done("crm.contact.find", None, json!({ "phone": "+91 98123 45678" })).await, made);
    assert_eq!(world.done("crm.contact.find", None, json!({ "email": "nobody@example.com" })).await, Value::Null);
    let tagged = world.done("crm.contact.tag", Some(id), json!({ "tags": "vip" })).await;
    assert_eq!(tagged["tags"], json!(["new", "vip"]));
    assert_eq!(world.done("crm.contact.untag", Some(id), json!({ "tag": "new" })).await["tags"], json!(["vip"]));
    let updated = world.done("crm.contact.update", Some(id), json!({ "email": "asha@example.com", "fields": { "plan": "pro" } })).await;
    assert_eq!(
        (updated["email"].as_str(), updated["fields"]["plan"].as_str(), updated["phone"].as_str()),
        (Some("asha@example.com"), Some("pro"), Some("+919812345678"))
    );
    let note = world.done("crm.contact.note", Some(id), json!({ "text": "Asked for prices." })).await;
    assert!(note["note_id"].is_string());
    let page = timeline::page(&mut world.tx, world.organisation, id, None, 1).await.unwrap();
    assert_eq!((page[0].run_id, page[0].step.as_deref()), (Some(RunId(uuid::Uuid::from_u128(5))), Some("lead")));
}

#[tokio::test]
async fn an_upsert_of_another_person_leaves_the_runs_contact_alone() {
    let mut world = World::new().await;
    let id = world.contact(ContactChange { name: Some("Asha".into()), ..phone("+919812345678") }).await.id;
    let other = world.done("crm.contact.upsert", Some(id), json!({ "phone": "+4915112345678", "name": "Ben" })).await;
    assert_ne!(other["id"], id.to_string());
    let own = world.done("crm.contact.upsert", Some(id), json!({ "fields": { "plan": "pro" } })).await;
    assert_eq!((own["id"].as_str(), own["name"].as_str()), (Some(id.to_string().as_str()), Some("Asha")));
}

#[tokio::test]
async fn nodes_refuse_with_codes_and_places() {
    let mut world = World::new().await;
    let a = world.contact(email("a@example.com")).await.id;
    let b = world.contact(phone("+919812345678")).await.id;
    for id in [a, b] {
        tags::add(&mut world.tx, world.organisation, &Actor::System, id, &["both".into()]).await.unwrap();
    }
    for (node, input, code, says) in [
        ("crm.contact.get", json!({}), "invalid_input", "no contact yet"),
        ("crm.contact.get", json!({ "id": "c1" }), "not_found", "c1"),
        ("crm.contact.get", json!({ "id": "00000000-0000-0000-0000-000000000009" }), "not_found", "contact"),
        ("crm.contact.get", json!([1]), "invalid_input", "an object"),
        ("crm.contact.get", json!({ "contact": [] }), "invalid_input", "`contact` must be a text"),
        ("crm.contact.get", json!({ "contact": {} }), "invalid_input", "without an `id`"),
        ("crm.contact.upsert", json!({ "phone": "12" }), "invalid_input", "phones/0"),
        ("crm.contact.upsert", json!({ "name": ["x"] }), "invalid_input", "`name` must be a text, this is a list"),
        ("crm.contact.upsert", json!({ "email": "a@example.com", "phone": "+919812345678" }), "conflict", "merge"),
        ("crm.contact.upsert", json!({ "identity": { "channel": "whatsapp" } }), "invalid_input", "identity/connection_id"),
        ("crm.contact.find", json!({}), "invalid_input", "whom"),
        ("crm.contact.find", json!({ "tag": "both" }), "conflict", "2 contacts"),
        ("crm.contact.note", json!({ "contact": "00000000-0000-0000-0000-000000000009" }), "invalid_input", "text"),
        ("crm.contact.tag", json!({ "contact": a.to_string() }), "invalid_input", "at least one tag"),
    ] {
        let error = world.failed(node, None, input.clone()).await;
        assert_eq!(error.code.as_str(), code, "{node} {input}: {error}");
        assert!(error.message.contains(says), "{node} {input}: {error}");
    }
    let conflict = world.failed("crm.contact.upsert", None, json!({ "email": "a@example.com", "phone": "+919812345678" })).await;
    assert_eq!(conflict.details["ids"].as_array().unwrap().len(), 2);
}

#[test]
fn descriptors_are_whole() {
    let nodes = crate::nodes();
    let ids: Vec<&str> = nodes.iter().map(|node| node.descriptor().id.as_str()).collect();
    for (room, names) in [
        ("contact", &["upsert", "get", "find", "update", "tag", "untag", "note"][..]),
        ("score", &["set", "add"]),
        ("company", &["upsert", "get", "find", "update"]),
        ("deal", &["create", "get", "find", "update", "move", "win", "lose"]),
        ("task", &["create", "complete", "get"]),
        ("segment", &["contains", "add", "remove"]),
    ] {
        for name in names {
            let id = format!("crm.{room}.{name}");
            assert!(ids.contains(&id.as_str()), "{id}");
        }
    }
    for node in &nodes {
        let descriptor = node.descriptor();
        assert_eq!((descriptor.effect, descriptor.personal), (Effect::Transactional, true));
        assert_eq!(descriptor.input["additionalProperties"], false, "{}", descriptor.id);
        let properties = descriptor.input["properties"].as_object().unwrap();
        assert!(descriptor.example.as_object().unwrap().keys().all(|key| properties.contains_key(key)), "{}", descriptor.id);
        let required = descriptor.output["required"].as_array().unwrap();
        assert!(required.iter().all(|name| descriptor.example_output.get(name.as_str().unwrap()).is_some()), "{}", descriptor.id);
        let parts: Vec<&str> = descriptor.id.split('.').collect();
        let binds = ["contact", "company", "deal"].contains(&parts[1]) && ["upsert", "create", "get", "find"].contains(&parts[2]);
        assert_eq!(descriptor.binds.as_deref(), binds.then_some(parts[1]), "{}", descriptor.id);
    }
}
