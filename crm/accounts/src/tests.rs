//! Accounts on a real database.

mod teams;
mod two_servers;

use crate::{
    Action, Actor, CrmError, Role, SecretSource, SystemSecrets, audit, organisations,
    organisations::{Organisation, OrganisationChange},
    sessions, throttle, tokens,
    users::{self, NewUser, User},
};
use onward_core::{NewEvent, RunId, StepError, Timestamp, Value};
use onward_database::{Database, Query as _, Tx, args};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct World {
    database: Database,
    organisation: Organisation,
}

impl World {
    async fn new() -> Self {
        let database = onward_database::testing::database().await;
        let mut tx = database.begin(START).await.unwrap();
        let organisation = organisations::ensure_default(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        Self { database, organisation }
    }
    async fn at(&self, millis: i64) -> Tx {
        self.database.begin(START.plus_millis(millis)).await.unwrap()
    }
    async fn user(&self, tx: &mut Tx, email: &str, role: Role) -> User {
        let new = NewUser { email: email.to_owned(), name: String::new(), password_hash: "hash".to_owned(), role };
        users::create(tx, self.organisation.id, &Actor::System, new).await.unwrap()
    }
}

#[tokio::test]
async fn a_fresh_database_has_one_organisation_and_gets_no_second() {
    let world = World::new().await;
    let mut tx = world.at(0).await;
    let again = organisations::ensure_default(&mut tx).await.unwrap();
    assert_eq!(again, world.organisation);
    assert_eq!((again.name.as_str(), again.timezone.as_str()), ("default", "UTC"));
    assert_eq!(organisations::list(&mut tx).await.unwrap().len(), 1);
    assert_eq!(organisations::by_name(&mut tx, "default").await.unwrap(), Some(again.clone()));
    assert!(matches!(organisations::create(&mut tx, &Actor::System, "default", "Again").await, Err(CrmError::Conflict { .. })));
    for name in ["", "Upper", "with space", &"x".repeat(64)] {
        assert!(matches!(organisations::create(&mut tx, &Actor::System, name, "x").await, Err(CrmError::Invalid { .. })), "{name}");
    }
}

#[tokio::test]
async fn settings_are_checked_and_a_change_of_nothing_leaves_no_trace() {
    let world = World::new().await;
    let id = world.organisation.id;
    let mut tx = world.at(0).await;
    let before = audit::list(&mut tx, id, None, None, 100).await.unwrap().len();
    organisations::update(&mut tx, &Actor::System, id, OrganisationChange { timezone: Some("UTC".into()), ..OrganisationChange::default() }).await.unwrap();
    assert_eq!(audit::list(&mut tx, id, None, None, 100).await.unwrap().len(), before);
    for (change, field) in [
        (OrganisationChange { timezone: Some("Mars/Olympus".into()), ..OrganisationChange::default() }, "timezone"),
        (OrganisationChange { country: Some(Some("Germany".into())), ..OrganisationChange::default() }, "country"),
        (OrganisationChange { business_hours: Some(Value::Null), ..OrganisationChange::default() }, "business_hours"),
    ] {
        let error = organisations::update(&mut tx, &Actor::System, id, change).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
    let change = OrganisationChange { timezone: Some("Asia/Kolkata".into()), country: Some(Some("IN".into())), ..OrganisationChange::default() };
    organisations::update(&mut tx, &Actor::System, id, change).await.unwrap();
    let stored = organisations::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((stored.timezone.as_str(), stored.country.as_deref()), ("Asia/Kolkata", Some("IN")));
    let log = audit::list(&mut tx, id, Some(("organisation", &id.to_string())), None, 1).await.unwrap();
    assert_eq!((log[0].before["timezone"].as_str(), log[0].after["timezone"].as_str()), (Some("UTC"), Some("Asia/Kolkata")));
}

#[tokio::test]
async fn users_are_unique_by_email_in_any_case() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let user = world.user(&mut tx, " Asha@Example.com ", Role::Admin).await;
    assert_eq!((user.email.as_str(), user.name.as_str()), ("asha@example.com", "asha"));
    let again = NewUser { email: "ASHA@example.COM".into(), name: "x".into(), password_hash: "h".into(), role: Role::Agent };
    assert!(matches!(users::create(&mut tx, organisation, &Actor::System, again).await, Err(CrmError::Conflict { .. })));
    assert_eq!(users::by_email(&mut tx, organisation, "asha@EXAMPLE.com").await.unwrap().unwrap().id, user.id);
    assert!(users::credentials(&mut tx, organisation, "nobody@example.com").await.unwrap().is_none());
    for email in ["", "asha", "asha@", "@x.com", "a b@x.com", "a@x", "a@b@c.com", "<a@x.com>"] {
        assert!(users::normalise_email(email).is_err(), "{email}");
    }
    let json = user.to_value();
    assert!(json.get("password_hash").is_none() && json["role"] == "admin");
}

#[tokio::test]
async fn the_last_admin_stays_and_inactive_users_are_out() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let admin = world.user(&mut tx, "a@example.com", Role::Admin).await;
    let agent = world.user(&mut tx, "b@example.com", Role::Agent).await;
    for (role, active) in [(Some(Role::Agent), None), (None, Some(false))] {
        let refused = users::update(&mut tx, organisation, &Actor::System, admin.id, None, role, active).await;
        assert!(matches!(refused, Err(CrmError::Conflict { .. })));
    }
    let session = sessions::begin(&mut tx, &agent, &SystemSecrets).await.unwrap();
    users::update(&mut tx, organisation, &Actor::System, agent.id, None, None, Some(false)).await.unwrap();
    assert!(users::credentials(&mut tx, organisation, "b@example.com").await.unwrap().is_none());
    assert!(sessions::find(&mut tx, &session.token, START).await.unwrap().is_none());
}

#[tokio::test]
async fn sessions_slide_end_and_are_stored_as_hashes() {
    let world = World::new().await;
    let mut tx = world.at(0).await;
    let user = world.user(&mut tx, "a@example.com", Role::Admin).await;
    let session = sessions::begin(&mut tx, &user, &SystemSecrets).await.unwrap();
    let stored: Vec<u8> = tx.fetch_one("SELECT token_hash FROM sessions", args![]).await.unwrap().get("token_hash").unwrap();
    assert!(!stored.windows(4).any(|part| session.token.as_bytes().windows(4).any(|own| own == part)));
    tx.commit().await.unwrap();

    let mut reader = world.database.reader();
    let found = |millis: i64| START.plus_millis(millis);
    let fresh = sessions::find(&mut reader, &session.token, found(1)).await.unwrap().unwrap();
    assert_eq!((fresh.user.id, fresh.wants_touch), (user.id, false));
    assert!(sessions::find(&mut reader, &session.token, found(sessions::SLIDE_MS)).await.unwrap().unwrap().wants_touch);
    assert!(sessions::find(&mut reader, &session.token, found(sessions::IDLE_MS - 1)).await.unwrap().is_some());
    assert!(sessions::find(&mut reader, &session.token, found(sessions::IDLE_MS)).await.unwrap().is_none());
    assert!(sessions::find(&mut reader, "another", found(1)).await.unwrap().is_none());

    // Use moves the end, but never past the longest.
    let mut moment = 0;
    while moment + sessions::IDLE_MS < sessions::LONGEST_MS {
        moment += sessions::IDLE_MS - 1;
        let mut tx = world.at(moment).await;
        sessions::touch(&mut tx, &session.token).await.unwrap();
        tx.commit().await.unwrap();
        assert!(sessions::find(&mut reader, &session.token, found(moment)).await.unwrap().is_some());
    }
    assert!(sessions::find(&mut reader, &session.token, found(sessions::LONGEST_MS)).await.unwrap().is_none());
    let last = sessions::find(&mut reader, &session.token, found(sessions::LONGEST_MS - 1)).await.unwrap().unwrap();
    assert!(!last.wants_touch, "a session that cannot be moved further is not written at every request");

    let mut tx = world.at(1).await;
    sessions::end(&mut tx, &session.token).await.unwrap();
    assert!(sessions::find(&mut tx, &session.token, found(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let world = World::new().await;
    let mut tx = world.at(0).await;
    let user = world.user(&mut tx, "a@example.com", Role::Admin).await;
    let one = sessions::begin(&mut tx, &user, &SystemSecrets).await.unwrap();
    let two = sessions::begin(&mut tx, &user, &SystemSecrets).await.unwrap();
    users::set_password(&mut tx, user.organisation, &user.actor(), user.id, "new").await.unwrap();
    for token in [one.token, two.token] {
        assert!(sessions::find(&mut tx, &token, START).await.unwrap().is_none());
    }
    assert_eq!(users::credentials(&mut tx, user.organisation, "a@example.com").await.unwrap().unwrap().1, "new");
    let log = audit::list(&mut tx, user.organisation, Some(("user", &user.id.to_string())), None, 10).await.unwrap();
    assert!(log.iter().all(|entry| !entry.to_value().to_string().contains("new\"")), "no secret in the log");
}

#[test]
fn csrf_tokens_belong_to_their_session() {
    let token = sessions::csrf_token("one");
    assert!(sessions::csrf_is_right("one", &token));
    assert!(!sessions::csrf_is_right("two", &token));
    assert!(!sessions::csrf_is_right("one", ""));
    assert!(!sessions::csrf_is_right("one", &token[1..]));
}

#[tokio::test]
async fn tokens_are_found_until_revoked_and_used_to_the_hour() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let (token, text) = tokens::create(&mut tx, organisation, &Actor::System, "deploy", Role::Agent, &SystemSecrets).await.unwrap();
    assert!(text.starts_with("onw_") && text.len() == 47 && text.starts_with(&token.hint) && token.hint.len() == 8);
    assert!(matches!(tokens::create(&mut tx, organisation, &Actor::System, "deploy", Role::Agent, &SystemSecrets).await, Err(CrmError::Conflict { .. })));
    let found = live_token(&mut tx, &text).await.unwrap();
    assert_eq!((found.id, found.role, found.organisation), (token.id, Role::Agent, organisation));
    assert!(tokens::hash_of(&text[4..]).is_none());
    assert!(live_token(&mut tx, &format!("{text}x")).await.is_none());
    assert!(found.wants_touch(START));
    tokens::touch(&mut tx, organisation, token.id).await.unwrap();
    let used = live_token(&mut tx, &text).await.unwrap();
    assert_eq!(used.last_used_at.unwrap().as_millis() % tokens::USED_GRAIN_MS, 0);
    assert!(!used.wants_touch(START));
    tokens::revoke(&mut tx, organisation, &Actor::System, token.id).await.unwrap();
    assert!(live_token(&mut tx, &text).await.is_none());
    assert!(matches!(tokens::revoke(&mut tx, organisation, &Actor::System, token.id).await, Err(CrmError::NotFound { .. })));
    let (again, other) = tokens::create(&mut tx, organisation, &Actor::System, "deploy", Role::Agent, &SystemSecrets).await.unwrap();
    assert_eq!(tokens::list(&mut tx, organisation).await.unwrap().len(), 2);
    let asked: Vec<_> = [&text, &other, &other].into_iter().filter_map(|text| tokens::hash_of(text)).collect();
    let found = tokens::find(&mut tx, &asked).await.unwrap();
    assert_eq!(found.into_iter().map(|(hash, token)| (hash, token.id)).collect::<Vec<_>>(), [(asked[1], again.id)]);
    assert!(tokens::find(&mut tx, &[]).await.unwrap().is_empty());
}

async fn live_token(tx: &mut Tx, text: &str) -> Option<tokens::ApiToken> {
    let hash = tokens::hash_of(text)?;
    tokens::find(tx, &[hash]).await.unwrap().remove(&hash)
}

#[tokio::test]
async fn guesses_slow_down_and_are_forgotten() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let wait = |db: Tx, email: &'static str, address: &'static str, millis: i64| async move {
        let mut db = db;
        throttle::must_wait(&mut db, organisation, email, address, START.plus_millis(millis)).await.unwrap()
    };
    for _ in 0..throttle::FREE_FOR_EMAIL {
        assert_eq!(wait(world.at(0).await, "A@x.com", "1.2.3.4", 0).await.map(|left| left > 1_000), None);
        let mut tx = world.at(0).await;
        throttle::note_failure(&mut tx, organisation, "a@X.com", "1.2.3.4").await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(wait(world.at(0).await, "a@x.com", "1.2.3.4", 0).await, Some(1_000));
    assert_eq!(wait(world.at(0).await, "a@x.com", "9.9.9.9", 999).await, Some(1), "whichever address guesses");
    assert_eq!(wait(world.at(0).await, "a@x.com", "1.2.3.4", 1_000).await, None);
    assert_eq!(wait(world.at(0).await, "other@x.com", "1.2.3.4", 0).await, None, "an office shares an address");
    let mut tx = world.at(0).await;
    throttle::forget(&mut tx, organisation, "a@x.com").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wait(world.at(0).await, "a@x.com", "9.9.9.9", 0).await, None);
    assert_eq!(throttle::wait_ms(throttle::FREE_FOR_EMAIL + 3, throttle::FREE_FOR_EMAIL), 8_000);
    assert_eq!(throttle::wait_ms(u32::MAX, throttle::FREE_FOR_EMAIL), throttle::LONGEST_WAIT_MS);
}

#[tokio::test]
async fn no_organisation_sees_anothers_accounts() {
    let world = World::new().await;
    let mut tx = world.at(0).await;
    let other = organisations::create(&mut tx, &Actor::System, "other", "Other").await.unwrap().id;
    let user = world.user(&mut tx, "a@example.com", Role::Admin).await;
    let (token, _) = tokens::create(&mut tx, world.organisation.id, &Actor::System, "t", Role::Admin, &SystemSecrets).await.unwrap();
    assert!(users::get(&mut tx, other, user.id).await.unwrap().is_none());
    assert!(users::by_email(&mut tx, other, "a@example.com").await.unwrap().is_none());
    assert!(users::list(&mut tx, other).await.unwrap().is_empty());
    assert!(users::update(&mut tx, other, &Actor::System, user.id, Some("x".into()), None, None).await.is_err());
    assert!(users::set_password(&mut tx, other, &Actor::System, user.id, "x").await.is_err());
    assert!(tokens::list(&mut tx, other).await.unwrap().is_empty());
    assert!(tokens::revoke(&mut tx, other, &Actor::System, token.id).await.is_err());
    assert_eq!(audit::list(&mut tx, other, None, None, 10).await.unwrap().len(), 1, "only its own creation");
    world.user(&mut tx, "b@example.com", Role::Agent).await;
    let same = NewUser { email: "a@example.com".into(), name: "A".into(), password_hash: "h".into(), role: Role::Admin };
    users::create(&mut tx, other, &Actor::System, same).await.unwrap();
}

#[test]
fn agents_work_with_people_and_admins_do_everything() {
    for action in Action::ALL {
        assert!(Role::Admin.allows(action));
    }
    let allowed: Vec<Action> = Action::ALL.into_iter().filter(|action| Role::Agent.allows(*action)).collect();
    assert_eq!(allowed, [Action::ReadRecords, Action::WriteRecords, Action::ReadEngine, Action::StartRuns, Action::ReadConnections]);
    assert_eq!(Role::parse("admin"), Some(Role::Admin));
    assert_eq!(Role::parse("root"), None);
}

#[test]
fn events_of_a_step_carry_their_cause_one_deeper() {
    let run_id = RunId(uuid::Uuid::from_u128(7));
    let actor = Actor::Automation { workflow: "w".into(), run_id, step: "s".into(), depth: 3 };
    let event = NewEvent::new(onward_core::OrganisationId(uuid::Uuid::nil()), "x", "y", Value::Null);
    let stamped = actor.stamp(event.clone());
    assert_eq!((stamped.cause, stamped.depth), (Some(run_id), 4));
    assert_eq!(Actor::System.stamp(event).depth, 0);
    assert_eq!(actor.author().to_value(), serde_json::json!({ "kind": "automation", "id": "w" }));
}

#[test]
fn errors_become_step_errors_with_their_facts() {
    let error = StepError::from(CrmError::conflict("two", vec!["a".into(), "b".into()]));
    assert_eq!((error.code.as_str(), &error.details["ids"]), ("conflict", &serde_json::json!(["a", "b"])));
    assert_eq!(StepError::from(CrmError::invalid("phone", "wrong")).code.as_str(), "invalid_input");
    assert_eq!(StepError::from(CrmError::not_found("contact", 1)).code.as_str(), "not_found");
}

/// A source that gives what it is told; the real one must not repeat itself.
struct Fixed;
impl SecretSource for Fixed {
    fn bytes(&self) -> [u8; 32] {
        [7; 32]
    }
}

#[test]
fn secrets_come_from_their_source() {
    assert_eq!(crate::secret::fresh(&Fixed, "onw_"), crate::secret::fresh(&Fixed, "onw_"));
    assert_ne!(SystemSecrets.bytes(), SystemSecrets.bytes());
}
