//! Teams, whose turn it is, and who is online.

use super::{START, World};
use crate::{
    Actor, CrmError, Role, UserId, audit,
    nodes::Workload,
    organisations, presence,
    teams::{self, Team},
    users,
};
use onward_core::{
    ErrorCode, OrganisationId, RunId, StepError, Timestamp, Value,
    ports::{Connection, Credentials, Outcome, StepContext, Transaction as _},
};
use onward_database::{DatabaseError, Tx, testing::TwoServers};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

struct NoCredentials;
#[onward_core::async_trait]
impl Credentials for NoCredentials {
    async fn connection(&self, _: OrganisationId, _: Option<&str>, _: Option<&str>) -> Result<Connection, StepError> {
        Err(StepError::new(ErrorCode::Unauthorized, "none in this test"))
    }
}

struct Busy(BTreeMap<UserId, u64>);
#[onward_core::async_trait]
impl Workload for Busy {
    async fn of(&self, _: &mut Tx, _: OrganisationId, users: &[UserId]) -> Result<BTreeMap<UserId, u64>, DatabaseError> {
        Ok(self.0.iter().filter(|(user, _)| users.contains(user)).map(|(user, open)| (*user, *open)).collect())
    }
}

fn context(organisation: OrganisationId) -> StepContext {
    StepContext {
        organisation,
        run_id: RunId(uuid::Uuid::from_u128(5)),
        workflow: "assign".into(),
        step: "who".into(),
        attempt: 1,
        idempotency_key: "k".into(),
        event_id: None,
        now: Timestamp::from_millis(0),
        contact: None,
        company: None,
        deal: None,
        conversation: None,
        depth: 0,
        credentials: Arc::new(NoCredentials),
    }
}

async fn attempt(tx: &mut Tx, organisation: OrganisationId, busy: &[(UserId, u64)], input: Value) -> Outcome {
    let nodes = crate::nodes(Arc::new(Busy(busy.iter().copied().collect())));
    nodes[0].apply(tx, &context(organisation), &input).await
}

async fn pick(tx: &mut Tx, organisation: OrganisationId, busy: &[(UserId, u64)], input: Value) -> UserId {
    match attempt(tx, organisation, busy, input).await {
        Outcome::Done { output } => output["id"].as_str().unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn refused(tx: &mut Tx, organisation: OrganisationId, input: Value) -> StepError {
    match attempt(tx, organisation, &[], input).await {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

/// Three agents and their team.
async fn sales(world: &World, tx: &mut Tx) -> (Team, [UserId; 3]) {
    let mut ids = [UserId(uuid::Uuid::nil()); 3];
    for (id, email) in ids.iter_mut().zip(["a@example.com", "b@example.com", "c@example.com"]) {
        *id = world.user(tx, email, Role::Agent).await.id;
    }
    let members = ["A@example.com".to_owned(), "b@example.com".to_owned(), ids[2].to_string(), "a@example.com".to_owned()];
    let team = teams::create(tx, world.organisation.id, &Actor::System, " sales ", &members).await.unwrap();
    (team, ids)
}

#[tokio::test]
async fn a_team_is_made_of_users_and_found_by_name_or_id() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let (team, ids) = sales(&world, &mut tx).await;
    assert_eq!((team.name.as_str(), team.members.as_slice()), ("sales", ids.as_slice()));
    assert_eq!(teams::named(&mut tx, organisation, "sales").await.unwrap(), team);
    assert_eq!(teams::named(&mut tx, organisation, &team.id.to_string()).await.unwrap(), team);
    assert!(matches!(teams::named(&mut tx, organisation, "Sales").await, Err(CrmError::NotFound { .. })));
    assert!(matches!(teams::create(&mut tx, organisation, &Actor::System, "sales", &[]).await, Err(CrmError::Conflict { .. })));
    for (name, members, field) in [("", vec![], "name"), ("x", vec!["a@example.com".to_owned(), "nobody@example.com".to_owned()], "members/1")] {
        let error = teams::create(&mut tx, organisation, &Actor::System, name, &members).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
    let log = |tx: Tx| async move {
        let mut tx = tx;
        let entries = audit::list(&mut tx, organisation, Some(("team", &team.id.to_string())), None, 10).await.unwrap();
        (tx, entries.len())
    };
    let all: Vec<String> = ids.iter().map(ToString::to_string).collect();
    teams::set_members(&mut tx, organisation, &Actor::System, team.id, &all).await.unwrap();
    let (mut tx, entries) = log(tx).await;
    assert_eq!(entries, 1, "the same members are no change");
    let fewer = teams::set_members(&mut tx, organisation, &Actor::System, team.id, &all[1..]).await.unwrap();
    assert_eq!(fewer.members, ids[1..]);
    assert_eq!(teams::list(&mut tx, organisation).await.unwrap(), [fewer]);
    teams::delete(&mut tx, organisation, &Actor::System, team.id).await.unwrap();
    assert!(teams::get(&mut tx, organisation, team.id).await.unwrap().is_none());
    assert!(users::get(&mut tx, organisation, ids[0]).await.unwrap().is_some());
}

#[tokio::test]
async fn turns_go_round_and_a_pick_that_is_undone_takes_none() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let (team, [a, b, c]) = sales(&world, &mut tx).await;
    let input = || json!({ "team": "sales" });
    let mut picked = Vec::new();
    for _ in 0..4 {
        picked.push(pick(&mut tx, organisation, &[], input()).await);
    }
    assert_eq!(picked, [a, b, c, a]);
    tx.savepoint().await.unwrap();
    assert_eq!(pick(&mut tx, organisation, &[], input()).await, b);
    tx.rollback_to().await.unwrap();
    assert_eq!(pick(&mut tx, organisation, &[], input()).await, b);
    // A new member is next, once; one who may not sign in is passed over.
    let d = world.user(&mut tx, "d@example.com", Role::Agent).await.id;
    let members: Vec<String> = [a, b, c, d].iter().map(ToString::to_string).collect();
    teams::set_members(&mut tx, organisation, &Actor::System, team.id, &members).await.unwrap();
    users::update(&mut tx, organisation, &Actor::System, a, None, None, Some(false)).await.unwrap();
    let mut picked = Vec::new();
    for _ in 0..6 {
        picked.push(pick(&mut tx, organisation, &[], input()).await);
    }
    assert_eq!(picked, [c, d, b, c, d, b]);
}

#[tokio::test]
async fn two_servers_that_pick_at_one_time_give_no_turn_twice() {
    let servers = TwoServers::new().await;
    let mut tx = servers.one().begin(START).await.unwrap();
    let organisation = organisations::ensure_default(&mut tx).await.unwrap();
    let world = World { database: servers.one().clone(), organisation };
    let id = world.organisation.id;
    let (_, [a, b, _]) = sales(&world, &mut tx).await;
    tx.commit().await.unwrap();
    let one = async |tx: &mut Tx| pick(tx, id, &[], json!({ "team": "sales" })).await;
    assert_eq!(servers.at_once(START, one, one).await, (a, b));
}

#[tokio::test]
async fn the_least_busy_is_picked_and_turns_break_ties() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let (_, [a, b, c]) = sales(&world, &mut tx).await;
    let input = || json!({ "team": "sales", "by": "least_busy" });
    assert_eq!(pick(&mut tx, organisation, &[(a, 2), (b, 1), (c, 5)], input()).await, b);
    assert_eq!(pick(&mut tx, organisation, &[(a, 1), (b, 1), (c, 5)], input()).await, a);
    assert_eq!(pick(&mut tx, organisation, &[(a, 1), (b, 1), (c, 1)], input()).await, c);
    assert_eq!(pick(&mut tx, organisation, &[(a, 1)], input()).await, b);
}

#[tokio::test]
async fn who_is_online_is_known_for_a_while() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    let (_, [a, b, _]) = sales(&world, &mut tx).await;
    let input = || json!({ "team": "sales", "online": true });
    let error = refused(&mut tx, organisation, input()).await;
    assert_eq!((error.code.as_str(), error.message.contains("online")), ("unavailable", true), "{error}");
    tx.outbox().changes.clear();
    presence::seen(&mut tx, organisation, b).await.unwrap();
    presence::seen(&mut tx, organisation, b).await.unwrap();
    let told: Vec<_> = std::mem::take(&mut tx.outbox().changes);
    assert_eq!(told.len(), 1, "that they are still there is no news");
    assert_eq!((&*told[0].topic, told[0].id.as_str(), &told[0].data), ("presence", b.to_string().as_str(), &json!({ "online": true })));
    assert_eq!([pick(&mut tx, organisation, &[], input()).await, pick(&mut tx, organisation, &[], input()).await], [b, b]);
    tx.commit().await.unwrap();
    let mut later = world.at(presence::ONLINE_MS).await;
    let now = later.now();
    assert_eq!(presence::list(&mut later, organisation, now).await.unwrap().len(), 1);
    assert!(presence::list(&mut later, organisation, now.plus_millis(1)).await.unwrap().is_empty());
    presence::seen(&mut later, organisation, a).await.unwrap();
    presence::gone(&mut later, organisation, b).await.unwrap();
    presence::gone(&mut later, organisation, b).await.unwrap();
    assert_eq!(later.outbox().changes.len(), 2);
    assert_eq!(pick(&mut later, organisation, &[], input()).await, a);
    // Who may not sign in any more is not online either.
    users::update(&mut later, organisation, &Actor::System, a, None, None, Some(false)).await.unwrap();
    assert!(presence::list(&mut later, organisation, now).await.unwrap().is_empty());
    presence::seen(&mut later, organisation, UserId(uuid::Uuid::from_u128(9))).await.unwrap();
    assert!(presence::list(&mut later, organisation, now).await.unwrap().is_empty());
}

#[tokio::test]
async fn picks_are_refused_with_codes_and_places() {
    let world = World::new().await;
    let organisation = world.organisation.id;
    let mut tx = world.at(0).await;
    teams::create(&mut tx, organisation, &Actor::System, "empty", &[]).await.unwrap();
    for (input, code, says) in [
        (json!({}), "invalid_input", "team"),
        (json!({ "team": "none" }), "not_found", "none"),
        (json!({ "team": "empty" }), "conflict", "no active member"),
        (json!({ "team": "empty", "by": "luck" }), "invalid_input", "round_robin"),
        (json!({ "team": "empty", "online": "yes" }), "invalid_input", "true or false"),
    ] {
        let error = refused(&mut tx, organisation, input.clone()).await;
        assert_eq!((error.code.as_str(), error.message.contains(says)), (code, true), "{input}: {error}");
    }
}

#[tokio::test]
async fn no_organisation_sees_anothers_teams() {
    let world = World::new().await;
    let mut tx = world.at(0).await;
    let (team, [a, ..]) = sales(&world, &mut tx).await;
    presence::seen(&mut tx, world.organisation.id, a).await.unwrap();
    let other = crate::organisations::create(&mut tx, &Actor::System, "other", "Other").await.unwrap().id;
    let now = tx.now();
    assert!(teams::get(&mut tx, other, team.id).await.unwrap().is_none());
    assert!(teams::list(&mut tx, other).await.unwrap().is_empty());
    assert!(presence::list(&mut tx, other, now).await.unwrap().is_empty());
    for name in ["sales".to_owned(), team.id.to_string()] {
        assert_eq!(refused(&mut tx, other, json!({ "team": name })).await.code.as_str(), "not_found");
    }
    assert!(teams::set_members(&mut tx, other, &Actor::System, team.id, &[]).await.is_err());
    assert!(teams::delete(&mut tx, other, &Actor::System, team.id).await.is_err());
    assert!(teams::create(&mut tx, other, &Actor::System, "theirs", &[a.to_string()]).await.is_err());
    presence::gone(&mut tx, other, a).await.unwrap();
    presence::seen(&mut tx, other, a).await.unwrap();
    assert_eq!(presence::list(&mut tx, world.organisation.id, now).await.unwrap().len(), 1);
    assert!(presence::list(&mut tx, other, now).await.unwrap().is_empty());
}
