//! Segments and scores.

use super::{World, email};
use crate::{
    ContactId, ContactPatch, StoredSegments, contacts,
    segments::{self, Segment},
};
use onward_accounts::{Actor, CrmError, organisations};
use onward_core::{OrganisationId, ports::Segments as _};
use serde_json::json;

async fn vip(world: &mut World) -> Segment {
    segments::create(&mut world.tx, world.organisation, &Actor::System, " vip ", "those who matter").await.unwrap()
}

#[tokio::test]
async fn contacts_enter_and_leave_and_each_is_told_once() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let segment = vip(&mut world).await;
    let (a, b) = (world.contact(email("a@example.com")).await.id, world.contact(email("b@example.com")).await.id);
    assert_eq!(segments::add(&mut world.tx, organisation, &Actor::System, &segment, &[a, b, a]).await.unwrap(), 2);
    assert_eq!(segments::add(&mut world.tx, organisation, &Actor::System, &segment, &[b]).await.unwrap(), 0);
    assert_eq!(segments::remove(&mut world.tx, organisation, &Actor::System, &segment, &[a]).await.unwrap(), 1);
    assert_eq!(segments::remove(&mut world.tx, organisation, &Actor::System, &segment, &[a]).await.unwrap(), 0);
    let events = world.events();
    let told: Vec<(&str, &serde_json::Value)> = events.iter().map(|event| (event.kind.as_str(), &event.data["contact_id"])).collect();
    assert_eq!(told, [("segment.entered", &json!(a)), ("segment.entered", &json!(b)), ("segment.left", &json!(a))]);
    assert_eq!(events[0].data["segment"], "vip");
    assert!(!segments::contains(&mut world.tx, organisation, segment.id, a).await.unwrap());
    assert!(segments::contains(&mut world.tx, organisation, segment.id, b).await.unwrap());
    let nobody = ContactId(uuid::Uuid::nil());
    assert!(matches!(segments::add(&mut world.tx, organisation, &Actor::System, &segment, &[nobody]).await, Err(CrmError::NotFound { .. })));
    // Who is erased is in no segment.
    contacts::delete(&mut world.tx, organisation, &Actor::System, b).await.unwrap();
    assert!(segments::members(&mut world.tx, organisation, segment.id, None, 10).await.unwrap().is_empty());
    segments::delete(&mut world.tx, organisation, &Actor::System, segment.id).await.unwrap();
    assert!(matches!(segments::find(&mut world.tx, organisation, "vip").await, Err(CrmError::NotFound { .. })));
}

#[tokio::test]
async fn the_engine_walks_a_segment_in_pages_and_sees_each_member_once() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let segment = vip(&mut world).await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(world.contact(email(&format!("c{n}@example.com"))).await.id);
    }
    let zone = ContactPatch { timezone: Some(Some("Asia/Kolkata".into())), ..ContactPatch::default() };
    contacts::update(&mut world.tx, organisation, &Actor::System, ids[3], zone).await.unwrap();
    segments::add(&mut world.tx, organisation, &Actor::System, &segment, &ids).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = StoredSegments.members(&mut world.tx, organisation, "vip", after.as_deref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.contact.clone());
        seen.extend(page);
    }
    assert_eq!(seen.iter().map(|member| member.contact.clone()).collect::<Vec<_>>(), ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(seen[3].timezone.as_deref(), Some("Asia/Kolkata"));
    assert_eq!(seen[0].timezone, None);
    let by_id = StoredSegments.members(&mut world.tx, organisation, &segment.id.to_string(), None, 100).await.unwrap();
    assert_eq!(by_id.len(), 7);
    let missing = StoredSegments.members(&mut world.tx, organisation, "none", None, 3).await.unwrap_err();
    assert_eq!(missing.code.as_str(), "not_found");
    let other = OrganisationId(uuid::Uuid::from_u128(9));
    assert!(StoredSegments.members(&mut world.tx, other, "vip", None, 3).await.is_err());
}

#[tokio::test]
async fn names_are_unique_and_a_change_of_nothing_writes_nothing() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let segment = vip(&mut world).await;
    assert_eq!((segment.name.as_str(), segments::find(&mut world.tx, organisation, "vip").await.unwrap().id), ("vip", segment.id));
    assert!(matches!(segments::create(&mut world.tx, organisation, &Actor::System, "vip", "").await, Err(CrmError::Conflict { .. })));
    let same = segments::update(&mut world.tx, organisation, &Actor::System, segment.id, Some("vip"), None).await.unwrap();
    assert_eq!(same, segment);
    let changed = segments::update(&mut world.tx, organisation, &Actor::System, segment.id, Some("best"), Some("")).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.description.as_str()), ("best", ""));
    assert!(segments::create(&mut world.tx, organisation, &Actor::System, " ", "").await.is_err());
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    assert!(segments::get(&mut world.tx, other, segment.id).await.unwrap().is_none());
    assert!(segments::list(&mut world.tx, other, None, 10).await.unwrap().is_empty());
    assert!(segments::update(&mut world.tx, other, &Actor::System, segment.id, Some("x"), None).await.is_err());
    assert!(segments::delete(&mut world.tx, other, &Actor::System, segment.id).await.is_err());
    segments::create(&mut world.tx, other, &Actor::System, "best", "").await.unwrap();
}

#[tokio::test]
async fn nodes_ask_and_change_membership_and_scores() {
    let mut world = World::new().await;
    let segment = vip(&mut world).await;
    let contact = world.contact(email("a@example.com")).await.id;
    let input = || json!({ "segment": "vip" });
    for (node, field, expected) in [
        ("crm.segment.contains", "contains", false),
        ("crm.segment.add", "changed", true),
        ("crm.segment.add", "changed", false),
        ("crm.segment.contains", "contains", true),
        ("crm.segment.remove", "changed", true),
        ("crm.segment.remove", "changed", false),
    ] {
        let output = world.done(node, Some(contact), input()).await;
        assert_eq!((&output[field], &output["segment_id"]), (&json!(expected), &json!(segment.id)), "{node}");
    }
    assert_eq!(world.failed("crm.segment.add", Some(contact), json!({ "segment": "none" })).await.code.as_str(), "not_found");
    assert_eq!(world.failed("crm.segment.add", None, input()).await.code.as_str(), "invalid_input");
    world.events();
    assert_eq!(world.done("crm.score.set", Some(contact), json!({ "score": 40 })).await["score"], 40);
    assert_eq!(world.done("crm.score.add", Some(contact), json!({ "points": "-15" })).await["score"], 25);
    assert_eq!(world.done("crm.score.add", Some(contact), json!({ "points": 0 })).await["score"], 25);
    let events = world.events();
    assert_eq!(events.iter().map(|event| &event.data["changed"]).collect::<Vec<_>>(), [&json!(["score"]), &json!(["score"])]);
    for input in [json!({}), json!({ "points": 1.5 }), json!({ "points": i64::MAX }), json!({ "points": i64::MIN })] {
        assert_eq!(world.failed("crm.score.add", Some(contact), input.clone()).await.code.as_str(), "invalid_input", "{input}");
    }
}
