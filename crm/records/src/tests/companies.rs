//! Companies.

use super::{World, email};
use crate::{
    CompanyId, ContactChange, ContactPatch,
    companies::{self, CompanyChange, CompanyFilter, CompanyPatch},
    contacts::{self, ContactFilter},
};
use onward_accounts::{Actor, CrmError, audit, organisations};
use onward_core::ports::{RecordRef, Records as _};
use serde_json::{Value, json};

fn named(name: &str) -> CompanyChange {
    CompanyChange { name: Some(name.into()), ..CompanyChange::default() }
}
fn at(domain: &str) -> CompanyChange {
    CompanyChange { domain: Some(domain.into()), ..CompanyChange::default() }
}

impl World {
    async fn company(&mut self, change: CompanyChange) -> Result<companies::Upserted, CrmError> {
        companies::upsert(&mut self.tx, self.organisation, &Actor::System, change).await
    }
}

#[tokio::test]
async fn a_company_is_found_by_id_then_domain_then_name() {
    let mut world = World::new().await;
    let acme = world.company(CompanyChange { name: Some("Acme".into()), ..at("https://www.Acme.example/about?x=1") }).await.unwrap();
    assert!(acme.created);
    assert_eq!(acme.company.domain.as_deref(), Some("acme.example"));
    assert_eq!(world.kinds(), ["company.created"]);
    let id = acme.company.id;
    for (change, why) in [
        (CompanyChange { id: Some(id), ..CompanyChange::default() }, "id"),
        (at("ACME.example"), "domain in another form"),
        (at("someone@acme.example"), "an e-mail's domain"),
        (named(" acme "), "name in any case"),
        (CompanyChange { name: Some("Acme Limited".into()), ..at("acme.example") }, "the domain is stronger than the name"),
    ] {
        let found = world.company(change).await.unwrap();
        assert_eq!((found.company.id, found.created), (id, false), "{why}");
    }
    assert_eq!(world.kinds(), ["company.updated"], "only the new name was news");
    // The same name at another domain is another company.
    let other = world.company(CompanyChange { name: Some("Acme Limited".into()), ..at("acme.test") }).await.unwrap();
    assert!(other.created);
    let conflict = world.company(named("acme limited")).await.unwrap_err();
    assert!(matches!(&conflict, CrmError::Conflict { ids, .. } if ids.len() == 2), "{conflict:?}");
    // A company known by its name alone gets the domain.
    let bare = world.company(named("Globex")).await.unwrap().company.id;
    let found = world.company(CompanyChange { name: Some("Globex".into()), ..at("globex.example") }).await.unwrap();
    assert_eq!((found.company.id, found.company.domain.as_deref()), (bare, Some("globex.example")));
    assert_eq!(world.company(at("initech.example")).await.unwrap().company.name, "initech.example");
}

#[tokio::test]
async fn empty_values_replace_nothing_and_a_patch_clears() {
    let mut world = World::new().await;
    let full = CompanyChange { phone: Some("+4930901820".into()), address: Some("Street 1\nBerlin".into()), ..at("acme.example") };
    let id = world.company(full).await.unwrap().company.id;
    world.kinds();
    let nothing = CompanyChange {
        name: Some(" ".into()),
        phone: Some(String::new()),
        fields: json!({ "a": null, "b": "" }).as_object().unwrap().clone(),
        ..at("acme.example")
    };
    assert!(world.company(nothing).await.unwrap().changed.is_empty());
    assert!(world.kinds().is_empty());
    let patch = CompanyPatch {
        phone: Some(String::new()),
        domain: Some(String::new()),
        fields: Some(json!({ "size": 4 }).as_object().unwrap().clone()),
        ..CompanyPatch::default()
    };
    let changed = companies::update(&mut world.tx, world.organisation, &Actor::System, id, patch.clone()).await.unwrap();
    assert_eq!(changed.changed, ["domain", "phone", "fields.size"]);
    assert_eq!((changed.company.domain, changed.company.phone), (None, None));
    assert!(companies::update(&mut world.tx, world.organisation, &Actor::System, id, patch).await.unwrap().changed.is_empty());
    assert_eq!(world.kinds(), ["company.updated"]);
    world.company(at("globex.example")).await.unwrap();
    for (patch, field) in [
        (CompanyPatch { name: Some("  ".into()), ..CompanyPatch::default() }, "name"),
        (CompanyPatch { domain: Some("no domain".into()), ..CompanyPatch::default() }, "domain"),
        (CompanyPatch { phone: Some("12".into()), ..CompanyPatch::default() }, "phone"),
        (CompanyPatch { address: Some("x".repeat(2_000)), ..CompanyPatch::default() }, "address"),
    ] {
        let error = companies::update(&mut world.tx, world.organisation, &Actor::System, id, patch).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
    let taken = CompanyPatch { domain: Some("globex.example".into()), ..CompanyPatch::default() };
    assert!(matches!(companies::update(&mut world.tx, world.organisation, &Actor::System, id, taken).await, Err(CrmError::Conflict { .. })));
    let owner = CompanyPatch { owner: Some("nobody@example.com".into()), ..CompanyPatch::default() };
    assert!(matches!(companies::update(&mut world.tx, world.organisation, &Actor::System, id, owner).await, Err(CrmError::NotFound { .. })));
    assert!(matches!(world.company(CompanyChange::default()).await, Err(CrmError::Invalid { .. })));
}

#[tokio::test]
async fn contacts_work_at_companies_until_those_are_gone() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let company = world.company(named("Acme")).await.unwrap().company.id;
    let asha = world.contact(ContactChange { company: Some(company), ..email("a@acme.example") }).await;
    let ben = world.contact(email("b@acme.example")).await;
    assert_eq!(asha.company_id, Some(company));
    let patch = ContactPatch { company: Some(Some(company)), ..ContactPatch::default() };
    assert_eq!(contacts::update(&mut world.tx, organisation, &Actor::System, ben.id, patch).await.unwrap().changed, ["company"]);
    let filter = ContactFilter { company: Some(company), ..ContactFilter::default() };
    assert_eq!(contacts::list(&mut world.tx, organisation, &filter, None, 10).await.unwrap().len(), 2);
    let nowhere = ContactPatch { company: Some(Some(CompanyId(uuid::Uuid::nil()))), ..ContactPatch::default() };
    assert!(matches!(contacts::update(&mut world.tx, organisation, &Actor::System, ben.id, nowhere).await, Err(CrmError::NotFound { .. })));
    companies::delete(&mut world.tx, organisation, &Actor::System, company).await.unwrap();
    assert!(companies::get(&mut world.tx, organisation, company).await.unwrap().is_none());
    assert_eq!(contacts::get(&mut world.tx, organisation, asha.id).await.unwrap().unwrap().company_id, None);
}

#[tokio::test]
async fn nodes_and_people_use_the_same_functions() {
    let mut world = World::new().await;
    let made = world.done("crm.company.upsert", None, json!({ "name": "Acme", "domain": "acme.example", "phone": null, "fields": { "size": 4 } })).await;
    let id: CompanyId = made["id"].as_str().unwrap().parse().unwrap();
    for input in [json!({ "id": made["id"] }), json!({ "company": made.clone() })] {
        assert_eq!(world.done("crm.company.get", None, input).await, made);
    }
    assert_eq!(world.done("crm.company.find", None, json!({ "domain": "www.acme.example" })).await, made);
    assert_eq!(world.done("crm.company.find", None, json!({ "q": "acm" })).await, made);
    assert_eq!(world.done("crm.company.find", None, json!({ "name": "Nobody" })).await, Value::Null);
    let updated = world.done("crm.company.update", None, json!({ "company": made["id"], "domain": null, "name": "Acme Ltd" })).await;
    assert_eq!((&updated["name"], &updated["domain"]), (&json!("Acme Ltd"), &Value::Null));
    let worker = world.done("crm.contact.upsert", None, json!({ "email": "a@acme.example", "company": made.clone() })).await;
    assert_eq!(worker["company_id"], made["id"]);
    for (node, input, code) in [
        ("crm.company.get", json!({}), "invalid_input"),
        ("crm.company.get", json!({ "id": "c1" }), "not_found"),
        ("crm.company.find", json!({}), "invalid_input"),
        ("crm.company.upsert", json!({}), "invalid_input"),
        ("crm.company.upsert", json!({ "domain": "no domain" }), "invalid_input"),
        ("crm.contact.upsert", json!({ "email": "b@acme.example", "company": uuid::Uuid::nil() }), "not_found"),
    ] {
        assert_eq!(world.failed(node, None, input.clone()).await.code.as_str(), code, "{node} {input}");
    }
    let record = RecordRef { name: "company".into(), id: id.to_string() };
    assert_eq!(crate::LiveRecords.read(&mut world.tx, world.organisation, &record).await.unwrap().unwrap(), updated);
    // What an automation does is in its history; what a person does is in the audit log.
    let log = |entries: Vec<audit::Entry>| entries.len();
    let subject = id.to_string();
    assert_eq!(log(audit::list(&mut world.tx, world.organisation, Some(("company", &subject)), None, 10).await.unwrap()), 0);
    companies::update(&mut world.tx, world.organisation, &Actor::System, id, CompanyPatch { name: Some("A".into()), ..CompanyPatch::default() }).await.unwrap();
    assert_eq!(log(audit::list(&mut world.tx, world.organisation, Some(("company", &subject)), None, 10).await.unwrap()), 1);
}

#[tokio::test]
async fn no_organisation_sees_anothers_companies() {
    let mut world = World::new().await;
    let company = world.company(CompanyChange { name: Some("Acme".into()), ..at("acme.example") }).await.unwrap().company.id;
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let (tx, actor) = (&mut world.tx, Actor::System);
    assert!(companies::get(tx, other, company).await.unwrap().is_none());
    assert!(companies::list(tx, other, &CompanyFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(companies::matching(tx, other, Some("acme.example"), Some("Acme")).await.unwrap().is_empty());
    assert!(companies::update(tx, other, &actor, company, CompanyPatch::default()).await.is_err());
    assert!(companies::delete(tx, other, &actor, company).await.is_err());
    let twin = companies::upsert(tx, other, &actor, at("acme.example")).await.unwrap();
    assert!(twin.created && twin.company.id != company);
    let foreign = ContactChange { company: Some(company), ..email("x@example.com") };
    assert!(matches!(contacts::upsert(tx, other, &actor, foreign).await, Err(CrmError::NotFound { .. })));
}
