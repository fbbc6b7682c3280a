//! Tasks.

use super::{START, World, email};
use crate::{
    deals::{self, NewDeal},
    tasks::{self, Assignee, NewTask, TaskFilter, TaskPatch},
};
use onward_accounts::{
    Actor, CrmError, Role, organisations,
    users::{self, NewUser},
};
use onward_core::ports::Transaction as _;
use serde_json::{Value, json};

fn titled(title: &str) -> NewTask {
    NewTask { title: title.into(), ..NewTask::default() }
}

impl World {
    async fn task(&mut self, new: NewTask) -> tasks::Task {
        let made = tasks::create(&mut self.tx, self.organisation, &Actor::System, new).await.unwrap();
        self.events();
        made
    }
}

#[tokio::test]
async fn a_task_is_made_given_done_and_opened_again() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let new = NewUser { email: "meera@example.com".into(), name: "Meera".into(), password_hash: "hash".into(), role: Role::Agent };
    let meera = users::create(&mut world.tx, organisation, &Actor::System, new).await.unwrap().id;
    let contact = world.contact(email("a@example.com")).await.id;
    let deal = deals::create(&mut world.tx, organisation, &Actor::System, NewDeal { title: Some("D".into()), contact: Some(contact), ..NewDeal::default() })
        .await
        .unwrap()
        .id;
    world.events();
    let assignee = Assignee { user: Some("MEERA@example.com".into()), team: None };
    let task = tasks::create(&mut world.tx, organisation, &Actor::System, NewTask { deal: Some(deal), assignee, ..titled(" Call  back ") }).await.unwrap();
    assert_eq!((task.title.as_str(), task.assigned_user, task.contact_id), ("Call back", Some(meera), Some(contact)));
    let team = TaskPatch { assignee: Some(Assignee { user: None, team: Some("sales".into()) }), ..TaskPatch::default() };
    let given = tasks::update(&mut world.tx, organisation, &Actor::System, task.id, team.clone()).await.unwrap();
    assert_eq!((given.assigned_user, given.assigned_team.as_deref()), (None, Some("sales")));
    tasks::update(&mut world.tx, organisation, &Actor::System, task.id, team).await.unwrap();
    let done = tasks::complete(&mut world.tx, organisation, &Actor::System, task.id).await.unwrap();
    assert_eq!((done.done, done.completed_at), (true, Some(START)));
    tasks::complete(&mut world.tx, organisation, &Actor::System, task.id).await.unwrap();
    tasks::reopen(&mut world.tx, organisation, &Actor::System, task.id).await.unwrap();
    tasks::reopen(&mut world.tx, organisation, &Actor::System, task.id).await.unwrap();
    assert_eq!(world.kinds(), ["task.created", "task.updated", "task.completed", "task.updated"]);
    let items = world.items(contact).await;
    let lines: Vec<&str> = items.iter().filter(|(kind, _)| kind == "task").map(|(_, text)| text.as_str()).collect();
    assert_eq!(lines, ["Task open again: Call back", "Task done: Call back", "Task: Call back"]);
    assert_eq!(tasks::open_by_user(&mut world.tx, organisation, &[meera]).await.unwrap().get(&meera), None);
    deals::delete(&mut world.tx, organisation, &Actor::System, deal).await.unwrap();
    assert_eq!(tasks::get(&mut world.tx, organisation, task.id).await.unwrap().unwrap().deal_id, None);
    for (new, field) in [
        (titled(" "), "title"),
        (titled(&"x".repeat(400)), "title"),
        (NewTask { text: "x".repeat(20_000), ..titled("x") }, "text"),
        (NewTask { assignee: Assignee { user: Some("a".into()), team: Some("b".into()) }, ..titled("x") }, "team"),
    ] {
        let error = tasks::create(&mut world.tx, organisation, &Actor::System, new).await.unwrap_err();
        assert!(matches!(&error, CrmError::Invalid { field: found, .. } if found == field), "{error:?}");
    }
}

#[tokio::test]
async fn overdue_is_told_once_for_each_due_time() {
    let database = onward_database::testing::database().await;
    let mut tx = database.begin(START).await.unwrap();
    let organisation = organisations::ensure_default(&mut tx).await.unwrap().id;
    let other = organisations::create(&mut tx, &Actor::System, "other", "Other").await.unwrap().id;
    let due = |millis| NewTask { due_at: Some(START.plus_millis(millis)), ..titled("Call") };
    let first = tasks::create(&mut tx, organisation, &Actor::System, due(1_000)).await.unwrap().id;
    let done = tasks::create(&mut tx, organisation, &Actor::System, due(1_000)).await.unwrap().id;
    tasks::create(&mut tx, organisation, &Actor::System, due(5_000)).await.unwrap();
    tasks::create(&mut tx, organisation, &Actor::System, titled("whenever")).await.unwrap();
    tasks::create(&mut tx, other, &Actor::System, due(1_000)).await.unwrap();
    tasks::complete(&mut tx, organisation, &Actor::System, done).await.unwrap();
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 10).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let mut tx = database.begin(START.plus_millis(1_000)).await.unwrap();
    assert_eq!(tasks::next_due(&mut tx, organisation).await.unwrap(), Some(START.plus_millis(1_000)));
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 10).await.unwrap(), 1);
    assert_eq!(tasks::next_due(&mut tx, organisation).await.unwrap(), Some(START.plus_millis(5_000)), "who was told of is not waited for");
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 10).await.unwrap(), 0);
    let events = std::mem::take(&mut tx.outbox().events);
    assert_eq!((events.len(), events[0].kind.as_str(), &events[0].data["task_id"]), (1, "task.overdue", &json!(first)));
    assert!(tasks::get(&mut tx, organisation, first).await.unwrap().unwrap().overdue_at.is_some());
    // Another due time can be missed anew.
    let later = TaskPatch { due_at: Some(Some(START.plus_millis(2_000))), ..TaskPatch::default() };
    tasks::update(&mut tx, organisation, &Actor::System, first, later).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = database.begin(START.plus_millis(10_000)).await.unwrap();
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 1).await.unwrap(), 1, "in pieces");
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 10).await.unwrap(), 1);
    assert_eq!(tasks::note_overdue(&mut tx, organisation, 10).await.unwrap(), 0);
    assert_eq!(tasks::next_due(&mut tx, organisation).await.unwrap(), None);
}

#[tokio::test]
async fn nodes_make_tasks_for_the_runs_contact() {
    let mut world = World::new().await;
    let contact = world.contact(email("a@example.com")).await.id;
    let made = world.done("crm.task.create", Some(contact), json!({ "title": "Call", "due": "2h", "team": "sales", "user": null })).await;
    assert_eq!((&made["contact_id"], &made["assigned_team"]), (&json!(contact), &json!("sales")));
    assert_eq!(made["due_at"], json!(START.plus_millis(7_200_000)));
    assert_eq!((&made["step"], &made["author"]["id"]), (&json!("lead"), &json!("welcome")));
    assert_eq!(world.done("crm.task.get", None, json!({ "task": made["id"] })).await, made);
    let done = world.done("crm.task.complete", None, json!({ "task": made.clone() })).await;
    assert_eq!(done["status"], "done");
    for (node, input, code) in [
        ("crm.task.create", json!({}), "invalid_input"),
        ("crm.task.create", json!({ "title": "x", "due": "soon" }), "invalid_input"),
        ("crm.task.create", json!({ "title": "x", "user": "nobody@example.com" }), "not_found"),
        ("crm.task.create", json!({ "title": "x", "contact": uuid::Uuid::nil() }), "not_found"),
        ("crm.task.create", json!({ "title": "x", "deal": uuid::Uuid::nil() }), "not_found"),
        ("crm.task.complete", json!({ "task": "t1" }), "not_found"),
        ("crm.task.complete", json!({ "task": null }), "invalid_input"),
        ("crm.task.get", json!({ "task": uuid::Uuid::nil() }), "not_found"),
    ] {
        assert_eq!(world.failed(node, None, input.clone()).await.code.as_str(), code, "{node} {input}");
    }
    assert_eq!(world.done("crm.task.create", None, json!({ "title": "x", "due": "2026-12-24T10:00:00Z" })).await["contact_id"], Value::Null);
}

#[tokio::test]
async fn lists_are_filtered_and_no_organisation_sees_anothers() {
    let mut world = World::new().await;
    let organisation = world.organisation;
    let contact = world.contact(email("a@example.com")).await.id;
    let about = world.task(NewTask { contact: Some(contact), due_at: Some(START), ..titled("about") }).await.id;
    let sales = world.task(NewTask { assignee: Assignee { user: None, team: Some("sales".into()) }, ..titled("sales") }).await.id;
    let done = world.task(titled("done")).await.id;
    tasks::complete(&mut world.tx, organisation, &Actor::System, done).await.unwrap();
    let list = async |world: &mut World, filter: TaskFilter| {
        let found = tasks::list(&mut world.tx, organisation, &filter, None, 10).await.unwrap();
        found.iter().map(|task| task.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut world, TaskFilter::default()).await, [done, sales, about]);
    assert_eq!(list(&mut world, TaskFilter { done: Some(false), ..TaskFilter::default() }).await, [sales, about]);
    assert_eq!(list(&mut world, TaskFilter { contact: Some(contact), ..TaskFilter::default() }).await, [about]);
    assert_eq!(list(&mut world, TaskFilter { assigned_team: Some("sales".into()), ..TaskFilter::default() }).await, [sales]);
    assert_eq!(list(&mut world, TaskFilter { due_before: Some(START.plus_millis(1)), ..TaskFilter::default() }).await, [about]);
    let other = organisations::create(&mut world.tx, &Actor::System, "other", "Other").await.unwrap().id;
    let (tx, actor) = (&mut world.tx, Actor::System);
    assert!(tasks::get(tx, other, about).await.unwrap().is_none());
    assert!(tasks::list(tx, other, &TaskFilter::default(), None, 10).await.unwrap().is_empty());
    assert!(tasks::complete(tx, other, &actor, about).await.is_err());
    assert!(tasks::update(tx, other, &actor, about, TaskPatch::default()).await.is_err());
    assert!(tasks::delete(tx, other, &actor, about).await.is_err());
    assert!(tasks::create(tx, other, &actor, NewTask { contact: Some(contact), ..titled("x") }).await.is_err());
    assert_eq!(tasks::note_overdue(tx, other, 10).await.unwrap(), 0);
    tasks::delete(tx, organisation, &actor, about).await.unwrap();
    assert!(tasks::get(tx, organisation, about).await.unwrap().is_none());
}
