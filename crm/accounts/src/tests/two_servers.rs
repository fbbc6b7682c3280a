//! What two servers on one PostgreSQL do to accounts at one time.

use super::START;
use crate::{
    Actor, CrmError, Role,
    organisations::{self, OrganisationChange},
    users::{self, NewUser},
};
use onward_database::{Tx, testing::TwoServers};

fn admin(email: &str) -> NewUser {
    NewUser { email: email.to_owned(), name: String::new(), password_hash: "hash".to_owned(), role: Role::Admin }
}

#[tokio::test]
async fn there_is_one_organisation_and_one_first_user() {
    let servers = TwoServers::new().await;
    let starts = async |tx: &mut Tx| organisations::ensure_default(tx).await.unwrap().id;
    let (one, other) = servers.at_once(START, starts, starts).await;
    assert_eq!(one, other);
    let first = async |tx: &mut Tx, email| users::create_first(tx, one, admin(email)).await.unwrap().is_some();
    let made = servers.at_once(START, async |tx| first(tx, "a@example.com").await, async |tx| first(tx, "b@example.com").await).await;
    assert_eq!(made, (true, false));
}

#[tokio::test]
async fn settings_of_both_are_kept() {
    let servers = TwoServers::new().await;
    let id = servers.before(START, async |tx| organisations::ensure_default(tx).await.unwrap().id).await;
    let change = async |tx: &mut Tx, change| organisations::update(tx, &Actor::System, id, change).await.unwrap();
    let zone = OrganisationChange { timezone: Some("Asia/Kolkata".into()), ..OrganisationChange::default() };
    let language = OrganisationChange { language: Some("fr".into()), ..OrganisationChange::default() };
    let (_, after) = servers.at_once(START, async |tx| change(tx, zone).await, async |tx| change(tx, language).await).await;
    assert_eq!((after.timezone.as_str(), after.language.as_str()), ("Asia/Kolkata", "fr"));
}

#[tokio::test]
async fn of_two_admins_who_demote_each_other_one_stays() {
    let servers = TwoServers::new().await;
    let made = async |tx: &mut Tx| {
        let organisation = organisations::ensure_default(tx).await.unwrap().id;
        let one = users::create(tx, organisation, &Actor::System, admin("a@example.com")).await.unwrap().id;
        (organisation, one, users::create(tx, organisation, &Actor::System, admin("b@example.com")).await.unwrap().id)
    };
    let (organisation, one, other) = servers.before(START, made).await;
    let demote = async |tx: &mut Tx, user| users::update(tx, organisation, &Actor::System, user, None, Some(Role::Agent), None).await;
    let (first, second) = servers.at_once(START, async |tx| demote(tx, one).await, async |tx| demote(tx, other).await).await;
    assert!(first.is_ok() && matches!(second, Err(CrmError::Conflict { .. })), "{second:?}");
}
