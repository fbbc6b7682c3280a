//! Records that two servers on one PostgreSQL make or change at one time: nothing of it is lost, and nothing happens twice.

use super::{START, email, identity};
use crate::{
    Contact, ContactChange, ContactPatch, CrmError,
    companies::{self, CompanyChange, CompanyPatch},
    contacts::{self, ScoreChange},
    deals::{self, NewDeal},
    pipelines, tags,
    tasks::{self, NewTask},
};
use onward_accounts::{Actor, organisations};
use onward_core::{
    Object, OrganisationId,
    ports::{BoxFuture, Transaction as _},
};
use onward_database::{Tx, testing::TwoServers};
use serde_json::{Value, json};

async fn servers() -> (TwoServers, OrganisationId) {
    let servers = TwoServers::new().await;
    let organisation = servers.before(START, async |tx| organisations::ensure_default(tx).await.unwrap().id).await;
    (servers, organisation)
}

async fn upsert(tx: &mut Tx, organisation: OrganisationId, change: ContactChange) -> contacts::Upserted {
    contacts::upsert(tx, organisation, &Actor::System, change).await.unwrap()
}

fn fields(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

fn kinds(tx: &mut Tx) -> Vec<String> {
    std::mem::take(&mut tx.outbox().events).into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn somebody_new_is_one_contact() {
    let (servers, organisation) = servers().await;
    for same in [email("a@example.com"), identity("US.1"), ContactChange { phones: vec!["+972501234567".into()], ..ContactChange::default() }] {
        let (first, second) = (ContactChange { tags: vec!["first".into()], ..same.clone() }, ContactChange { tags: vec!["second".into()], ..same });
        let (made, found) = servers.at_once(START, async |tx| upsert(tx, organisation, first).await, async |tx| upsert(tx, organisation, second).await).await;
        assert!(made.created && !found.created);
        assert_eq!((found.contact.id, found.contact.tags), (made.contact.id, vec!["first".to_owned(), "second".to_owned()]));
    }
}

/// Every way in which a contact is changed.
#[tokio::test]
async fn a_contact_keeps_what_both_changed() {
    type Change = for<'t> fn(&'t mut Tx, OrganisationId, crate::ContactId) -> BoxFuture<'t, ()>;
    type IsThere = fn(&Contact) -> bool;
    let changes: [(&str, Change, IsThere); 7] = [
        (
            "a score",
            |tx, organisation, id| Box::pin(async move { drop(contacts::set_score(tx, organisation, &Actor::System, id, ScoreChange::By(5)).await.unwrap()) }),
            |contact| contact.score == 5,
        ),
        (
            "a field that is known",
            |tx, organisation, id| {
                Box::pin(async move {
                    upsert(tx, organisation, ContactChange { id: Some(id), fields: fields(&json!({ "plan": "gold" })), ..ContactChange::default() }).await;
                })
            },
            |contact| contact.fields["plan"] == "gold",
        ),
        (
            "a field that is set",
            |tx, organisation, id| {
                Box::pin(async move {
                    let patch = ContactPatch { fields: Some(fields(&json!({ "city": "Pune" }))), ..ContactPatch::default() };
                    contacts::update(tx, organisation, &Actor::System, id, patch).await.unwrap();
                })
            },
            |contact| contact.fields["city"] == "Pune",
        ),
        (
            "a refusal",
            |tx, organisation, id| Box::pin(async move { drop(contacts::set_opt_out(tx, organisation, id, "whatsapp", "all", true).await.unwrap().unwrap()) }),
            |contact| contact.opt_outs == ["whatsapp:all"],
        ),
        (
            "a tag",
            |tx, organisation, id| Box::pin(async move { drop(tags::add(tx, organisation, &Actor::System, id, &["vip".into()]).await.unwrap()) }),
            |contact| contact.tags.contains(&"vip".to_owned()),
        ),
        (
            "a tag less",
            |tx, organisation, id| Box::pin(async move { drop(tags::remove(tx, organisation, &Actor::System, id, &["old".into()]).await.unwrap()) }),
            |contact| !contact.tags.contains(&"old".to_owned()),
        ),
        (
            "another contact, merged into it",
            |tx, organisation, id| {
                Box::pin(async move {
                    let other = upsert(tx, organisation, email(&format!("{id}@example.com"))).await.contact.id;
                    contacts::merge(tx, organisation, &Actor::System, id, other).await.unwrap();
                })
            },
            |contact| contact.emails == [format!("{}@example.com", contact.id)],
        ),
    ];
    let (servers, organisation) = servers().await;
    for (first, one, one_is_there) in &changes {
        for (second, other, other_is_there) in &changes {
            if first == second {
                continue;
            }
            let id = servers
                .before(START, async |tx| {
                    let fields = fields(&json!({ "plan": "none", "city": "none" }));
                    upsert(tx, organisation, ContactChange { fields, tags: vec!["old".into()], ..ContactChange::default() }).await.contact.id
                })
                .await;
            servers.at_once(START, async |tx| one(tx, organisation, id).await, async |tx| other(tx, organisation, id).await).await;
            let after = contacts::get(&mut servers.one().reader(), organisation, id).await.unwrap().unwrap();
            assert!(one_is_there(&after) && other_is_there(&after), "{first} and {second}: {after:?}");
        }
    }
}

#[tokio::test]
async fn points_add_up() {
    let (servers, organisation) = servers().await;
    let id = servers.before(START, async |tx| upsert(tx, organisation, email("a@example.com")).await.contact.id).await;
    let by = async |tx: &mut Tx, points| contacts::set_score(tx, organisation, &Actor::System, id, ScoreChange::By(points)).await.unwrap().score;
    assert_eq!(servers.at_once(START, async |tx| by(tx, 5).await, async |tx| by(tx, 7).await).await, (5, 12));
}

#[tokio::test]
async fn whoever_is_removed_meanwhile_is_not_there() {
    let (servers, organisation) = servers().await;
    let id = servers.before(START, async |tx| upsert(tx, organisation, email("a@example.com")).await.contact.id).await;
    let ((), second) = servers
        .at_once(
            START,
            async |tx| contacts::delete(tx, organisation, &Actor::System, id).await.unwrap(),
            async |tx| tags::add(tx, organisation, &Actor::System, id, &["vip".into()]).await,
        )
        .await;
    assert!(matches!(second, Err(CrmError::NotFound { .. })), "{second:?}");
}

#[tokio::test]
async fn a_company_is_made_once_and_keeps_what_both_changed() {
    let (servers, organisation) = servers().await;
    let named = |name: &str, fields_of: &Value| CompanyChange { name: Some(name.into()), fields: fields(fields_of), ..CompanyChange::default() };
    let (first, second) = (named("Acme", &json!({ "size": 5 })), named("ACME", &json!({ "city": "Pune" })));
    let (made, found) = servers
        .at_once(
            START,
            async |tx| companies::upsert(tx, organisation, &Actor::System, first).await.unwrap(),
            async |tx| companies::upsert(tx, organisation, &Actor::System, second).await.unwrap(),
        )
        .await;
    assert!(made.created && !found.created);
    assert_eq!((found.company.id, found.company.fields), (made.company.id, fields(&json!({ "size": 5, "city": "Pune" }))));
    let id = made.company.id;
    let patched = async |tx: &mut Tx, patch: CompanyPatch| companies::update(tx, organisation, &Actor::System, id, patch).await.unwrap().company;
    let phone = CompanyPatch { phone: Some("+972501234567".into()), ..CompanyPatch::default() };
    let address = CompanyPatch { address: Some("Main Street 1".into()), ..CompanyPatch::default() };
    let (_, after) = servers.at_once(START, async |tx| patched(tx, phone).await, async |tx| patched(tx, address).await).await;
    assert_eq!((after.phone.as_deref(), after.address.as_str()), (Some("+972501234567"), "Main Street 1"));
}

#[tokio::test]
async fn there_is_one_default_pipeline() {
    let (servers, organisation) = servers().await;
    let needs = async |tx: &mut Tx| pipelines::ensure_default(tx, organisation).await.unwrap().id;
    let (one, other) = servers.at_once(START, needs, needs).await;
    assert_eq!(one, other);
}

#[tokio::test]
async fn a_deal_is_won_once_and_moves_once() {
    let (servers, organisation) = servers().await;
    let new = NewDeal { title: Some("Trial".into()), ..NewDeal::default() };
    let id = servers.before(START, async |tx| deals::create(tx, organisation, &Actor::System, new).await.unwrap().id).await;
    let stage = deals::get(&mut servers.one().reader(), organisation, id).await.unwrap().unwrap().stage;
    let pipelines = pipelines::list(&mut servers.one().reader(), organisation).await.unwrap();
    let next = pipelines[0].stages.iter().find(|one| one.name != stage).unwrap().name.as_str();
    let moves = async |tx: &mut Tx| {
        deals::move_to(tx, organisation, &Actor::System, id, None, next).await.unwrap();
        kinds(tx)
    };
    assert_eq!(servers.at_once(START, moves, moves).await, (vec!["deal.stage_changed".to_owned()], vec![]));
    let wins = async |tx: &mut Tx| {
        deals::close(tx, organisation, &Actor::System, id, true, None).await.unwrap();
        kinds(tx)
    };
    assert_eq!(servers.at_once(START, wins, wins).await, (vec!["deal.won".to_owned()], vec![]));
}

#[tokio::test]
async fn a_task_is_done_once_and_overdue_once() {
    let (servers, organisation) = servers().await;
    let new = NewTask { title: "Call".into(), due_at: Some(START), ..NewTask::default() };
    let id = servers.before(START, async |tx| tasks::create(tx, organisation, &Actor::System, new).await.unwrap().id).await;
    let looks = async |tx: &mut Tx| (tasks::note_overdue(tx, organisation, 10).await.unwrap(), kinds(tx).len());
    assert_eq!(servers.at_once(START, looks, looks).await, ((1, 1), (0, 0)));
    let completes = async |tx: &mut Tx| {
        tasks::complete(tx, organisation, &Actor::System, id).await.unwrap();
        kinds(tx)
    };
    assert_eq!(servers.at_once(START, completes, completes).await, (vec!["task.completed".to_owned()], vec![]));
}
