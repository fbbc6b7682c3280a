//! Pipelines and deals.

use super::{START, World, context, email};
use crate::{
    ContactChange, DealId,
    companies::{self, CompanyChange},
    deals::{self, DealFilter, DealPatch, DealStatus, NewDeal},
    pipelines::{self, NewStage, PipelinePatch},
};
use onward_accounts::{Actor, CrmError, audit, organisations};
use onward_core::{
    Object,
    ports::{Outcome, RecordRef, Records as _, StepContext},
};
use serde_json::{Value, json};

fn stage(name: &str) -> NewStage {
    NewStage { name: name.into(), ..NewStage::default() }
}

impl World {
    async fn deal(&mut self, new: NewDeal) -> deals::Deal {
        let made = deals::create(&mut self.tx, self.organisation, &Actor::System, new).await.unwrap();
        self.events();
        made
    }
}

fn titled(title: &str) -> NewDeal {
    NewDeal { title: Some(title.into()), ..NewDeal::default() }
}

#[tokio::test]
async fn the_first_pipeline_is_the_default_and_is_made_when_it_is_needed() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    assert!(pipelines::list(&mut world.tx, organisation).await.unwrap().is_empty());
    let first = pipelines::ensure_default(&mut world.tx, organisation).await.unwrap();
    assert_eq!(pipelines::ensure_default(&mut world.tx, organisation).await.unwrap(), first);
    assert!(first.is_default && first.stages.len() == 4);
    let coaching = pipelines::create(&mut world.tx, organisation, &Actor::System, "Coaching", vec![stage("Asked"), stage("Trial")]).await.unwrap();
    assert!(!coaching.is_default);
    let patch = PipelinePatch { is_default: true, ..PipelinePatch::default() };
    pipelines::update(&mut world.tx, organisation, &Actor::System, coaching.id, patch.clone()).await.unwrap();
    let all = pipelines::list(&mut world.tx, organisation).await.unwrap();
    assert_eq!(all.iter().map(|pipeline| (pipeline.name.as_str(), pipeline.is_default)).collect::<Vec<_>>(), [("Coaching", true), ("Sales", false)]);
    let log = audit::list(&mut world.tx, organisation, Some(("pipeline", &coaching.id.to_string())), None, 10).await.unwrap();
    pipelines::update(&mut world.tx, organisation, &Actor::System, coaching.id, patch).await.unwrap();
    assert_eq!(audit::list(&mut world.tx, organisation, Some(("pipeline", &coaching.id.to_string())), None, 10).await.unwrap(), log, "no change, no trace");
    assert!(matches!(pipelines::delete(&mut world.tx, organisation, &Actor::System, coaching.id).await, Err(CrmError::Conflict { .. })));
    pipelines::delete(&mut world.tx, organisation, &Actor::System, first.id).await.unwrap();
    assert_eq!(pipelines::find(&mut world.tx, organisation, "Coaching").await.unwrap().id, coaching.id);
}

#[tokio::test]
async fn stages_keep_their_ids_and_none_with_deals_goes() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let made = pipelines::create(&mut world.tx, organisation, &Actor::System, "P", vec![stage("A"), stage("B"), stage("C")]).await.unwrap();
    let deal = world.deal(NewDeal { stage: Some("b".into()), ..titled("x") }).await;
    let [a, b, c] = [&made.stages[0], &made.stages[1], &made.stages[2]].map(|stage| stage.id);
    let keep = |id, name: &str| NewStage { id: Some(id), name: name.into(), probability: Some(50) };
    let swapped = PipelinePatch { stages: Some(vec![keep(b, "A"), keep(a, "B"), stage("New")]), ..PipelinePatch::default() };
    let changed = pipelines::update(&mut world.tx, organisation, &Actor::System, made.id, swapped).await.unwrap();
    assert_eq!((changed.stages[0].id, changed.stages[1].id), (b, a));
    assert!(changed.stages.iter().all(|stage| stage.id != c));
    assert_eq!(deals::get(&mut world.tx, organisation, deal.id).await.unwrap().unwrap().stage, "A", "the stage's new name");
    let without = PipelinePatch { stages: Some(vec![keep(a, "B")]), ..PipelinePatch::default() };
    assert!(matches!(pipelines::update(&mut world.tx, organisation, &Actor::System, made.id, without).await, Err(CrmError::Conflict { .. })));
    for (stages, field) in [
        (vec![], "stages"),
        (vec![stage("x"), stage(" X ")], "stages/1/name"),
        (vec![stage("")], "stages/0/name"),
        (vec![NewStage { probability: Some(101), ..stage("x") }], "stages/0/probability"),
        (vec![keep(c, "gone")], "stages/0/id"),
    ] {
        let patch = PipelinePatch { stages: Some(stages), ..PipelinePatch::default() };
        let error = pipelines::update(&mut world.tx, organisation, &Actor::System, made.id, patch).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
    assert!(matches!(pipelines::create(&mut world.tx, organisation, &Actor::System, "P", vec![stage("x")]).await, Err(CrmError::Conflict { .. })));
}

#[tokio::test]
async fn a_deal_goes_through_its_pipeline_and_tells_of_it_once() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let actor = Actor::System;
    let company =
        companies::upsert(&mut world.tx, organisation, &actor, CompanyChange { name: Some("Acme".into()), ..CompanyChange::default() }).await.unwrap();
    let contact = world.contact(ContactChange { company: Some(company.company.id), ..email("a@acme.example") }).await.id;
    let new =
        NewDeal { contact: Some(contact), amount: Some(50_000), currency: Some("eur".into()), expected_close: Some("2026-12-24".into()), ..NewDeal::default() };
    let deal = deals::create(&mut world.tx, organisation, &actor, new).await.unwrap();
    assert_eq!((deal.title.as_str(), deal.stage.as_str(), deal.company_id), ("Acme", "New", Some(company.company.id)));
    assert_eq!((deal.amount, deal.currency.as_deref(), deal.status), (Some(50_000), Some("EUR"), DealStatus::Open));
    let events = world.events();
    assert_eq!(events[0].kind, "deal.created");
    assert_eq!((&events[0].data["contact_id"], &events[0].data["amount"]), (&json!(contact), &json!(50_000)));
    let id = deal.id;
    let moved = deals::move_to(&mut world.tx, organisation, &actor, id, None, "qualified").await.unwrap();
    let again = deals::move_to(&mut world.tx, organisation, &actor, id, None, &moved.stage_id.to_string()).await.unwrap();
    assert_eq!((moved.stage.as_str(), &again), ("Qualified", &moved));
    let events = world.events();
    assert_eq!(events.len(), 1, "that it stands there already is no news");
    assert_eq!((events[0].kind.as_str(), &events[0].data["from_stage"], &events[0].data["stage"]), ("deal.stage_changed", &json!("New"), &json!("Qualified")));
    let won = deals::close(&mut world.tx, organisation, &actor, id, true, Some("ignored")).await.unwrap();
    assert_eq!((won.status, won.closed_at, won.lost_reason.clone()), (DealStatus::Won, Some(START), None));
    assert_eq!(deals::close(&mut world.tx, organisation, &actor, id, true, None).await.unwrap(), won);
    assert_eq!(world.kinds(), ["deal.won"]);
    assert!(matches!(deals::close(&mut world.tx, organisation, &actor, id, false, None).await, Err(CrmError::Conflict { .. })));
    assert!(matches!(deals::move_to(&mut world.tx, organisation, &actor, id, None, "New").await, Err(CrmError::Conflict { .. })));
    deals::reopen(&mut world.tx, organisation, &actor, id).await.unwrap();
    deals::reopen(&mut world.tx, organisation, &actor, id).await.unwrap();
    let lost = deals::close(&mut world.tx, organisation, &actor, id, false, Some(" no budget ")).await.unwrap();
    assert_eq!(lost.lost_reason.as_deref(), Some("no budget"));
    assert_eq!(world.kinds(), ["deal.reopened", "deal.lost"]);
    let items = world.items(contact).await;
    let lines: Vec<&str> = items.iter().filter(|(kind, _)| kind == "deal").map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        lines,
        ["Deal lost: Acme (no budget)", "Deal reopened: Acme", "Deal won: Acme", "Deal Acme moved from New to Qualified", "Deal created: Acme (New)"]
    );
    deals::delete(&mut world.tx, organisation, &actor, id).await.unwrap();
    assert!(deals::get(&mut world.tx, organisation, id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_patch_sets_clears_and_refuses() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let id = world.deal(titled("Website")).await.id;
    let set = DealPatch {
        amount: Some(Some(100)),
        currency: Some("EUR".into()),
        expected_close: Some("2026-12-24".into()),
        fields: Some(Object::from_iter([("source".to_owned(), json!("fair"))])),
        ..DealPatch::default()
    };
    deals::update(&mut world.tx, organisation, &Actor::System, id, set.clone()).await.unwrap();
    deals::update(&mut world.tx, organisation, &Actor::System, id, set).await.unwrap();
    let events = world.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data["changed"], json!(["amount", "currency", "expected_close", "fields.source"]));
    let clear = DealPatch { amount: Some(None), currency: Some(String::new()), expected_close: Some(String::new()), ..DealPatch::default() };
    let cleared = deals::update(&mut world.tx, organisation, &Actor::System, id, clear).await.unwrap();
    assert_eq!((cleared.amount, cleared.currency, cleared.expected_close), (None, None, None));
    let nobody = Some(Some(crate::ContactId(uuid::Uuid::nil())));
    for (patch, what) in [
        (DealPatch { title: Some(" ".into()), ..DealPatch::default() }, "title"),
        (DealPatch { amount: Some(Some(5)), ..DealPatch::default() }, "currency"),
        (DealPatch { amount: Some(Some(-5)), currency: Some("EUR".into()), ..DealPatch::default() }, "amount"),
        (DealPatch { currency: Some("euro".into()), ..DealPatch::default() }, "currency"),
        (DealPatch { expected_close: Some("soon".into()), ..DealPatch::default() }, "expected_close"),
        (DealPatch { contact: nobody, ..DealPatch::default() }, "contact"),
        (DealPatch { company: Some(Some(crate::CompanyId(uuid::Uuid::nil()))), ..DealPatch::default() }, "company"),
        (DealPatch { owner: Some("nobody@example.com".into()), ..DealPatch::default() }, "user"),
    ] {
        match deals::update(&mut world.tx, organisation, &Actor::System, id, patch).await.unwrap_err() {
            CrmError::Invalid { field, .. } => assert_eq!(field, what),
            CrmError::NotFound { what: found, .. } => assert_eq!(found, what),
            other => panic!("{other:?}"),
        }
    }
    assert!(world.events().len() == 1, "only what was cleared was news");
    for (new, field) in [(titled(""), "title"), (NewDeal { stage: Some("Nowhere".into()), ..titled("x") }, "stage")] {
        let error = deals::create(&mut world.tx, organisation, &Actor::System, new).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let contact = world.contact(email("a@example.com")).await.id;
    let mut ids = Vec::new();
    for n in 0..5 {
        let new =
            NewDeal { contact: (n % 2 == 0).then_some(contact), stage: Some(if n < 2 { "New" } else { "Proposal" }.into()), ..titled(&format!("Deal {n}")) };
        ids.push(world.deal(new).await.id);
    }
    let list = async |world: &mut World, filter: DealFilter, before| {
        let found = deals::list(&mut world.tx, organisation, &filter, before, 10).await.unwrap();
        found.iter().map(|deal| ids.iter().position(|id| *id == deal.id).unwrap()).collect::<Vec<_>>()
    };
    let pipeline = pipelines::ensure_default(&mut world.tx, organisation).await.unwrap();
    let new = pipeline.stage("New").unwrap().id;
    assert_eq!(list(&mut world, DealFilter::default(), None).await, [4, 3, 2, 1, 0]);
    assert_eq!(list(&mut world, DealFilter::default(), Some(ids[2])).await, [1, 0]);
    assert_eq!(list(&mut world, DealFilter { contact: Some(contact), ..DealFilter::default() }, None).await, [4, 2, 0]);
    assert_eq!(list(&mut world, DealFilter { pipeline: Some(pipeline.id), stage: Some(new), ..DealFilter::default() }, None).await, [1, 0]);
    assert_eq!(list(&mut world, DealFilter { q: Some("DEAL 3".into()), ..DealFilter::default() }, None).await, [3]);
    deals::close(&mut world.tx, organisation, &Actor::System, ids[4], true, None).await.unwrap();
    assert_eq!(list(&mut world, DealFilter { status: Some(DealStatus::Won), ..DealFilter::default() }, None).await, [4]);
    assert_eq!(list(&mut world, DealFilter { status: Some(DealStatus::Open), contact: Some(contact), ..DealFilter::default() }, None).await, [2, 0]);
}

#[tokio::test]
async fn nodes_work_on_the_runs_deal() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let contact = world.contact(email("a@example.com")).await.id;
    let made = world.done("crm.deal.create", Some(contact), json!({ "title": "Website", "amount": "50000", "currency": "EUR" })).await;
    assert_eq!((&made["contact_id"], &made["amount"]), (&json!(contact), &json!(50_000)));
    let event = world.events().pop().unwrap();
    assert_eq!((event.depth, &event.data["author"]), (1, &json!({ "kind": "automation", "id": "welcome" })));
    let of_run = StepContext { deal: Some(made["id"].as_str().unwrap().to_owned()), ..context(organisation, Some(contact)) };
    let run = async |world: &mut World, id: &str, input: Value| -> Value {
        let node = crate::nodes().into_iter().find(|node| node.descriptor().id == id).unwrap();
        match node.apply(&mut world.tx, &of_run, &input).await {
            Outcome::Done { output } => output,
            other => panic!("{id}: {other:?}"),
        }
    };
    assert_eq!(run(&mut world, "crm.deal.get", json!({})).await, made);
    assert_eq!(run(&mut world, "crm.deal.find", json!({})).await, made);
    assert_eq!(run(&mut world, "crm.deal.find", json!({ "status": "won" })).await, Value::Null);
    assert_eq!(run(&mut world, "crm.deal.find", json!({ "stage": "new", "q": "web" })).await, made);
    assert_eq!(run(&mut world, "crm.deal.move", json!({ "stage": "Proposal" })).await["stage"], "Proposal");
    assert_eq!(run(&mut world, "crm.deal.update", json!({ "amount": null, "fields": { "a": 1 } })).await["amount"], Value::Null);
    assert_eq!(run(&mut world, "crm.deal.lose", json!({ "reason": "too dear" })).await["lost_reason"], "too dear");
    let record = RecordRef { name: "deal".into(), id: made["id"].as_str().unwrap().into() };
    assert_eq!(crate::LiveRecords.read(&mut world.tx, organisation, &record).await.unwrap().unwrap()["status"], "lost");
    for (node, input, code) in [
        ("crm.deal.get", json!({}), "invalid_input"),
        ("crm.deal.get", json!({ "id": "d1" }), "not_found"),
        ("crm.deal.find", json!({}), "invalid_input"),
        ("crm.deal.find", json!({ "q": "x", "status": "maybe" }), "invalid_input"),
        ("crm.deal.find", json!({ "q": "x", "pipeline": "none" }), "not_found"),
        ("crm.deal.create", json!({ "title": "x", "amount": 1.5 }), "invalid_input"),
        ("crm.deal.move", json!({ "deal": made["id"], "stage": "Nowhere" }), "invalid_input"),
        ("crm.deal.win", json!({ "deal": made["id"] }), "conflict"),
    ] {
        assert_eq!(world.failed(node, None, input.clone()).await.code.as_str(), code, "{node} {input}");
    }
}

#[tokio::test]
async fn no_organisation_sees_anothers_deals() {
    let mut world = World::new().await;
    let deal = world.deal(titled("Website")).await;
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let (tx, actor) = (&mut world.tx, Actor::System);
    assert!(deals::get(tx, other, deal.id).await.unwrap().is_none());
    assert!(deals::list(tx, other, &DealFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(pipelines::get(tx, other, deal.pipeline_id).await.unwrap().is_none());
    assert!(pipelines::list(tx, other).await.unwrap().is_empty());
    assert!(pipelines::find(tx, other, "Sales").await.is_err());
    assert!(pipelines::delete(tx, other, &actor, deal.pipeline_id).await.is_err());
    assert!(pipelines::update(tx, other, &actor, deal.pipeline_id, PipelinePatch::default()).await.is_err());
    assert!(deals::update(tx, other, &actor, deal.id, DealPatch { title: Some("x".into()), ..DealPatch::default() }).await.is_err());
    assert!(deals::move_to(tx, other, &actor, deal.id, None, "Proposal").await.is_err());
    assert!(deals::close(tx, other, &actor, deal.id, true, None).await.is_err());
    assert!(deals::reopen(tx, other, &actor, deal.id).await.is_err());
    assert!(deals::delete(tx, other, &actor, deal.id).await.is_err());
    assert!(deals::create(tx, other, &actor, NewDeal { pipeline: Some(deal.pipeline_id.to_string()), ..titled("x") }).await.is_err());
    let missing = DealId(uuid::Uuid::nil());
    assert!(deals::get(tx, world.organisation, missing).await.unwrap().is_none());
    assert_eq!(deals::get(&mut world.tx, world.organisation, deal.id).await.unwrap().unwrap(), deal);
}
