//! `crm.task.create`, `complete` and `get`.

use super::{id_of, of_run};
use crate::{
    TaskId,
    tasks::{self, Assignee, NewTask},
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described, RecordNode,
        input::Input,
        schema::{self, record, text},
    },
};
use onward_core::{
    Value,
    ports::{Node, StepContext},
};
use onward_database::Tx;
use serde_json::json;
use std::sync::Arc;

pub(super) fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    let described = |id, title, description, input, example, done| Described {
        id,
        title,
        description,
        category: "CRM",
        input,
        example,
        output: (task_schema(), example_task(done)),
        order: &["task", "title", "text", "due", "user", "team", "contact", "deal"],
        binds: None,
    };
    let named = schema::input(&json!({ "task": { "type": ["string", "object"], "description": "A task's id, or the task" } }), &["task"]);
    let example = json!({ "task": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b70" });
    vec![
        RecordNode::of(
            described(
                "crm.task.create",
                "Create a task",
                "Asks a user, a team or anybody to do something.",
                schema::input(
                    &json!({
                        "title": { "type": "string", "description": "What is to be done" }, "text": text("More about it"),
                        "due": text("By when: 2026-01-31T09:30:00Z, or from now on: 2d"), "user": schema::user(),
                        "team": text("A team's name"), "contact": super::contacts::contact(),
                        "deal": record("A deal's id, or the deal; by default the run's")
                    }),
                    &["title"],
                ),
                json!({ "title": "Call back", "due": "2h", "team": "sales" }),
                false,
            ),
            |tx, ctx, input| Box::pin(create(tx, ctx, input)),
        ),
        RecordNode::of(
            described("crm.task.complete", "Complete a task", "Notes that a task is done.", named.clone(), example.clone(), true),
            |tx, ctx, input| Box::pin(complete(tx, ctx, input)),
        ),
        RecordNode::of(
            described("crm.task.get", "Read a task", "The task as it is now. Fails with not_found when there is none.", named, example, false),
            |tx, ctx, input| Box::pin(get(tx, ctx, input)),
        ),
    ]
}

async fn create(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    use onward_core::ports::Transaction as _;
    let new = NewTask {
        title: input.text("title")?.unwrap_or_default(),
        text: input.text("text")?.unwrap_or_default(),
        due_at: input.moment("due", tx.now())?,
        assignee: Assignee { user: input.id("user")?, team: input.text("team")? },
        contact: id_of(&input, "contact", "contact")?.or(of_run(ctx.contact.as_deref())),
        deal: id_of(&input, "deal", "deal")?.or(of_run(ctx.deal.as_deref())),
    };
    Ok(tasks::create(tx, ctx.organisation, &Actor::of_step(ctx), new).await?.to_value())
}

async fn complete(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id = task_of(&input)?;
    Ok(tasks::complete(tx, ctx.organisation, &Actor::of_step(ctx), id).await?.to_value())
}

async fn get(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id = task_of(&input)?;
    Ok(tasks::get(tx, ctx.organisation, id).await?.ok_or_else(|| CrmError::not_found("task", id))?.to_value())
}

fn task_of(input: &Input<'_>) -> Result<TaskId, CrmError> {
    id_of(input, "task", "task")?.ok_or_else(|| CrmError::invalid("task", "name the task by its id"))
}

fn task_schema() -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "title": { "type": "string" }, "text": { "type": "string" }, "status": { "enum": ["open", "done"] },
            "author": { "type": "object" }, "created_at": { "type": "string" }, "updated_at": { "type": "string" }
        },
        "required": ["id", "title", "status", "due_at", "assigned_user", "assigned_team", "contact_id", "deal_id"]
    });
    for name in ["due_at", "assigned_user", "assigned_team", "contact_id", "deal_id", "run_id", "step", "completed_at", "overdue_at"] {
        schema["properties"][name] = json!({ "type": ["string", "null"] });
    }
    schema
}

fn example_task(done: bool) -> Value {
    let at = "2026-11-20T09:00:00.000Z";
    json!({
        "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b70", "title": "Call back", "text": "", "status": if done { "done" } else { "open" },
        "due_at": "2026-11-20T11:00:00.000Z", "assigned_user": null, "assigned_team": "sales", "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c",
        "deal_id": null, "author": { "kind": "automation", "id": "welcome" }, "run_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b71", "step": "call",
        "completed_at": if done { at.into() } else { Value::Null }, "overdue_at": null, "created_at": at, "updated_at": at
    })
}
