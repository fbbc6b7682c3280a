//! Connections on a real database.

use super::*;
use crate::{
    Connectors,
    http::{AllowPrivate, HttpClient},
};
use onward_core::{
    ConnectionId, ErrorCode, Object, OrganisationId, Timestamp, Value,
    ports::{Credentials as _, Transaction as _},
};
use onward_database::{Database, Query as _, Tx, args, testing::TwoServers};
use serde_json::json;
use uuid::Uuid;

struct World {
    database: Database,
    connectors: Connectors,
    vault: Vault,
    organisation: OrganisationId,
    other: OrganisationId,
}

async fn world() -> World {
    World {
        database: onward_database::testing::database().await,
        connectors: Connectors::standard(&HttpClient::new(AllowPrivate::None).unwrap()),
        vault: Vault::new(MasterKey::new([1; 32])),
        organisation: Uuid::from_u128(1).into(),
        other: Uuid::from_u128(2).into(),
    }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn whatsapp(name: &str) -> NewConnection {
    NewConnection {
        connector: "whatsapp".into(),
        name: name.into(),
        config: object(json!({ "phone_number_id": "111", "base_url": "https://graph.example" })),
        secrets: object(json!({ "access_token": "EAAG-token", "app_secret": "app-secret" })),
    }
}

impl World {
    async fn begin(&self) -> Tx {
        self.database.begin(Timestamp::from_millis(1_000)).await.unwrap()
    }
    async fn add(&self, new: &NewConnection) -> Result<StoredConnection, ConnectionError> {
        let mut tx = self.begin().await;
        let added = add(&mut tx, &self.connectors, &self.vault, self.organisation, new).await?;
        tx.commit().await.unwrap();
        Ok(added)
    }
    async fn change(&self, id: ConnectionId, change: &ConnectionChange) -> Result<Option<StoredConnection>, ConnectionError> {
        let mut tx = self.begin().await;
        let changed = update(&mut tx, &self.connectors, &self.vault, self.organisation, id, change).await?;
        tx.commit().await.unwrap();
        Ok(changed)
    }
    fn credentials(&self) -> StoredCredentials {
        StoredCredentials::new(self.database.reader(), self.vault.clone())
    }
    async fn problems(&self, new: &NewConnection) -> Vec<String> {
        match self.add(new).await {
            Err(ConnectionError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_is_stored_shown_without_its_secrets_and_opened_with_them() {
    let world = world().await;
    let added = world.add(&whatsapp("main")).await.unwrap();
    let shown = added.to_json("https://crm.example/");
    assert_eq!(shown["webhook_url"], format!("https://crm.example/hooks/whatsapp/{}", added.id));
    assert_eq!(shown["secrets_set"], json!(["access_token", "app_secret"]));
    assert_eq!(shown["health"]["status"], "unknown");
    assert!(!shown.to_string().contains("EAAG-token"));
    let mut reader = world.database.reader();
    assert_eq!(find(&mut reader, world.organisation, "main").await.unwrap(), Some(added.clone()));
    assert_eq!(find(&mut reader, world.organisation, &added.id.to_string()).await.unwrap(), Some(added.clone()));
    let opened = world.credentials().connection(world.organisation, Some("whatsapp"), Some("main")).await.unwrap();
    assert_eq!(opened.secrets["access_token"].expose(), "EAAG-token");
    assert_eq!(opened.config["phone_number_id"], "111");
    assert!(!format!("{:?}", opened.secrets).contains("EAAG"));
    // At rest nothing of them can be read.
    let row = reader.fetch_one("SELECT secrets, config FROM connections WHERE id = $1", args![added.id]).await.unwrap();
    let sealed: Vec<u8> = row.get("secrets").unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("EAAG-token"));
}

#[tokio::test]
async fn every_mistake_is_named_with_the_nearest_right_name() {
    let world = world().await;
    let mut new = whatsapp("Main Number");
    new.config = object(json!({ "phone_numberid": "1", "base_url": "ftp://x", "access_token": "EAAG-misplaced", "user_id_field": "reciepient" }));
    new.secrets = object(json!({ "app_secert": "x", "access_token": "", "verify_token": ["a"], "waba_id": "1" }));
    let problems = world.problems(&new).await;
    let expected = [
        "/name: \"Main Number\" is no name: use lower-case letters, digits and hyphens, at most 100",
        "/config/phone_numberid: whatsapp has no config \"phone_numberid\"; did you mean \"phone_number_id\"?",
        "/config/base_url: must be a whole http or https address",
        "/config/access_token: whatsapp has no config \"access_token\"; it is one of the secrets",
        "/config/user_id_field: must be one of recipient, to; did you mean \"recipient\"?",
        "/config/phone_number_id: is missing: The id of the business number, from WhatsApp > API Setup; not the number itself.",
        "/secrets/app_secert: whatsapp has no secrets \"app_secert\"; did you mean \"app_secret\"?",
        "/secrets/access_token: must not be empty",
        "/secrets/verify_token: must be text",
        "/secrets/waba_id: whatsapp has no secrets \"waba_id\"; it belongs to config",
    ];
    assert_eq!(problems, expected);
    let unknown = NewConnection { connector: "whatsap".into(), ..whatsapp("a") };
    assert_eq!(world.problems(&unknown).await, ["/connector: there is no connector \"whatsap\"; did you mean \"whatsapp\"?"]);
}

#[tokio::test]
async fn ids_given_as_numbers_are_kept_as_text() {
    let world = world().await;
    let mut new = whatsapp("main");
    new.config.insert("phone_number_id".into(), json!(1_122_334_455_667_u64));
    let added = world.add(&new).await.unwrap();
    assert_eq!(added.config["phone_number_id"], "1122334455667");
    let mut reader = world.database.reader();
    assert_eq!(find_by_account(&mut reader, world.organisation, "whatsapp", "1122334455667").await.unwrap().unwrap().id, added.id);
    assert_eq!(find_by_account(&mut reader, world.organisation, "http", "1122334455667").await.unwrap(), None);
    assert_eq!(find_by_account(&mut reader, world.other, "whatsapp", "1122334455667").await.unwrap(), None);
}

#[tokio::test]
async fn names_are_unique_in_an_organisation_only() {
    let world = world().await;
    world.add(&whatsapp("main")).await.unwrap();
    assert_eq!(world.add(&whatsapp("main")).await.unwrap_err(), ConnectionError::NameTaken("main".into()));
    let mut tx = world.begin().await;
    add(&mut tx, &world.connectors, &world.vault, world.other, &whatsapp("main")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn secrets_are_replaced_one_by_one_and_never_lost() {
    let world = world().await;
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    let credentials = world.credentials();
    let opened = async || credentials.connection(world.organisation, None, Some("main")).await.unwrap();
    assert_eq!(opened().await.secrets["access_token"].expose(), "EAAG-token");
    let change =
        ConnectionChange { secrets: object(json!({ "access_token": "new-token", "verify_token": "v", "app_secret": null })), ..ConnectionChange::default() };
    let changed = world.change(id, &change).await.unwrap().unwrap();
    assert_eq!((changed.revision, changed.secret_names.as_slice()), (2, ["access_token".to_owned(), "verify_token".to_owned()].as_slice()));
    let now = opened().await;
    assert_eq!(now.secrets["access_token"].expose(), "new-token", "the cache knows of the change");
    assert!(!now.secrets.contains_key("app_secret"));
    let changed = world
        .change(id, &ConnectionChange { config: Some(object(json!({ "phone_number_id": "222" }))), ..ConnectionChange::default() })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((changed.account.as_deref(), changed.revision), (Some("222"), 3));
    assert_eq!(opened().await.secrets["access_token"].expose(), "new-token");
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let world = world().await;
    let added = world.add(&whatsapp("main")).await.unwrap();
    let mut tx = world.begin().await;
    let same = ConnectionChange { name: Some("main".into()), config: Some(added.config.clone()), ..ConnectionChange::default() };
    let changed = update(&mut tx, &world.connectors, &world.vault, world.organisation, added.id, &same).await.unwrap().unwrap();
    assert_eq!(changed, added);
    assert!(tx.outbox().changes.is_empty());
    let stale = ConnectionChange { name: Some("other".into()), if_revision: Some(7), ..ConnectionChange::default() };
    let refused = update(&mut tx, &world.connectors, &world.vault, world.organisation, added.id, &stale).await.unwrap_err();
    assert_eq!(refused, ConnectionError::Changed { expected: 7, actual: 1 });
}

#[tokio::test]
async fn of_two_who_change_one_revision_at_two_servers_the_second_is_told() {
    let servers = TwoServers::new().await;
    let world = World { database: servers.one().clone(), ..world().await };
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    let rename = async |tx: &mut Tx, name: &str| {
        let change = ConnectionChange { name: Some(name.into()), if_revision: Some(1), ..ConnectionChange::default() };
        update(tx, &world.connectors, &world.vault, world.organisation, id, &change).await
    };
    let now = Timestamp::from_millis(1_000);
    let (first, second) = servers.at_once(now, async |tx| rename(tx, "one").await, async |tx| rename(tx, "other").await).await;
    assert_eq!((first.unwrap().unwrap().revision, second.unwrap_err()), (2, ConnectionError::Changed { expected: 1, actual: 2 }));
    let fails = async |tx: &mut Tx| {
        record_health(tx, world.organisation, id, HealthState::Unhealthy, Some("no")).await.unwrap();
        tx.outbox().events.len()
    };
    assert_eq!(servers.at_once(now, fails, fails).await, (1, 0));
}

#[tokio::test]
async fn another_key_is_named_and_replacing_every_secret_is_the_remedy() {
    let mut world = world().await;
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    world.vault = Vault::new(MasterKey::new([2; 32]));
    let error = world.credentials().connection(world.organisation, None, Some("main")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unauthorized);
    assert!(error.message.contains("ONWARD_SECRET_KEY"), "{}", error.message);
    let one = ConnectionChange { secrets: object(json!({ "access_token": "a" })), ..ConnectionChange::default() };
    assert_eq!(world.change(id, &one).await.unwrap_err(), ConnectionError::Seal(SealError::OtherKey));
    let all = ConnectionChange { secrets: object(json!({ "access_token": "a", "app_secret": "b" })), ..ConnectionChange::default() };
    world.change(id, &all).await.unwrap();
    assert_eq!(world.credentials().connection(world.organisation, None, Some("main")).await.unwrap().secrets["app_secret"].expose(), "b");
}

#[tokio::test]
async fn other_organisations_see_and_touch_nothing() {
    let world = world().await;
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    let mut tx = world.begin().await;
    let rename = ConnectionChange { name: Some("mine".into()), ..ConnectionChange::default() };
    assert_eq!(update(&mut tx, &world.connectors, &world.vault, world.other, id, &rename).await.unwrap(), None);
    assert_eq!(delete(&mut tx, world.other, id).await.unwrap(), None);
    assert_eq!(record_health(&mut tx, world.other, id, HealthState::Unhealthy, None).await.unwrap(), None);
    assert_eq!(find(&mut tx, world.other, &id.to_string()).await.unwrap(), None);
    assert!(list(&mut tx, world.other, None, 10).await.unwrap().is_empty());
    tx.rollback().await;
    let error = world.credentials().connection(world.other, Some("whatsapp"), None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(world.credentials().by_id(world.other, id).await.unwrap().is_none());
}

#[tokio::test]
async fn credentials_say_which_connection_is_meant() {
    let world = world().await;
    let credentials = world.credentials();
    let ask = async |connector: Option<&'static str>, name: Option<&'static str>| credentials.connection(world.organisation, connector, name).await;
    assert_eq!(ask(Some("whatsapp"), None).await.unwrap_err().code, ErrorCode::NotFound);
    world.add(&whatsapp("main")).await.unwrap();
    assert_eq!(ask(Some("whatsapp"), None).await.unwrap().name, "main");
    let wrong = ask(Some("http"), Some("main")).await.unwrap_err();
    assert_eq!((wrong.code, wrong.message.as_str()), (ErrorCode::InvalidInput, "the connection \"main\" is of whatsapp, not of http"));
    assert!(ask(None, Some("mian")).await.unwrap_err().message.contains("did you mean \"main\"?"));
    world.add(&whatsapp("second")).await.unwrap();
    let several = ask(Some("whatsapp"), None).await.unwrap_err();
    assert_eq!(several.code, ErrorCode::Conflict);
    assert!(several.message.contains("main, second"), "{}", several.message);
}

#[tokio::test]
async fn a_webhook_address_finds_its_connection_until_it_is_deleted() {
    let world = world().await;
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    let credentials = world.credentials();
    assert!(credentials.remembered("whatsapp", id).is_none(), "nobody has asked yet");
    let found = credentials.for_webhook("whatsapp", id).await.unwrap().unwrap();
    assert_eq!((found.organisation, found.connection.secrets["app_secret"].expose()), (world.organisation, "app-secret"));
    assert!(credentials.for_webhook("http", id).await.unwrap().is_none());
    let remembered = credentials.remembered("whatsapp", id).unwrap();
    assert_eq!((remembered.organisation, remembered.revision), (world.organisation, found.revision));
    assert!(credentials.remembered("http", id).is_none());
    let mut tx = world.begin().await;
    assert!(is_current(&mut tx, world.organisation, id, found.revision).await.unwrap());
    assert!(!is_current(&mut tx, world.organisation, id, found.revision + 1).await.unwrap());
    assert_eq!(delete(&mut tx, world.organisation, id).await.unwrap().unwrap().id, id);
    tx.commit().await.unwrap();
    assert!(credentials.for_webhook("whatsapp", id).await.unwrap().is_none(), "nothing kept outlives the row");
    assert!(!is_current(&mut world.database.reader(), world.organisation, id, found.revision).await.unwrap());
}

#[tokio::test]
async fn only_a_connection_that_stops_working_raises_an_event() {
    let world = world().await;
    let id = world.add(&whatsapp("main")).await.unwrap().id;
    let mut tx = world.begin().await;
    for (state, events) in
        [(HealthState::Healthy, 0), (HealthState::Unhealthy, 1), (HealthState::Unhealthy, 1), (HealthState::Healthy, 1), (HealthState::Unhealthy, 2)]
    {
        let connection = record_health(&mut tx, world.organisation, id, state, Some("the token has expired")).await.unwrap().unwrap();
        assert_eq!((connection.health.state, connection.revision), (state, 1));
        assert_eq!(tx.outbox().events.len(), events);
    }
    let event = &tx.outbox().events[0];
    assert_eq!((event.kind.as_str(), &event.data["name"]), ("connection.unhealthy", &json!("main")));
    assert_eq!(find(&mut tx, world.organisation, "main").await.unwrap().unwrap().health.message.as_deref(), Some("the token has expired"));
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let world = world().await;
    for name in ["a", "b", "c"] {
        world.add(&whatsapp(name)).await.unwrap();
    }
    let mut reader = world.database.reader();
    let first = list(&mut reader, world.organisation, None, 2).await.unwrap();
    let rest = list(&mut reader, world.organisation, first.last().map(|last| last.id), 2).await.unwrap();
    let mut names: Vec<String> = first.iter().chain(&rest).map(|connection| connection.name.clone()).collect();
    names.sort();
    assert_eq!((first.len(), names), (2, vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
}

#[test]
fn names_are_lower_case_digits_and_hyphens() {
    for (name, right) in [("main", true), ("a-1", true), ("-", true), ("", false), ("Main", false), ("a b", false), ("é", false), (&*"x".repeat(101), false)] {
        assert_eq!(is_name(name), right, "{name}");
    }
}
