//! `notify.user`: tells users of ours.

use crate::notifications::{self, Notice, Recipients};
use onward_accounts::{
    Actor, CrmError, Role,
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

pub(super) fn node() -> Arc<dyn Node<Tx>> {
    let described = Described {
        id: "notify.user",
        title: "Notify a user",
        description: "Tells a user, a team or a role of ours; they see it in the app at once and until they have read it.",
        category: "Messaging",
        input: schema::input(
            &json!({
                "user": schema::user(), "team": text("Everybody of a team, by its name or id"),
                "role": { "enum": ["admin", "agent", null], "description": "Everybody of a role" },
                "title": { "type": "string", "description": "In one line" }, "text": text("More about it"),
                "task": record("The task to open"), "deal": record("The deal to open"), "conversation": record("The conversation to open"),
                "contact": record("The contact to open; by default the run's")
            }),
            &["title"],
        ),
        example: json!({ "role": "admin", "title": "A lead waits for an answer" }),
        output: (
            json!({
                "type": "object",
                "properties": {
                    "notified": {
                        "type": "array",
                        "items": { "type": "object", "properties": { "user_id": { "type": "string" }, "notification_id": { "type": "string" } } }
                    }
                },
                "required": ["notified"]
            }),
            json!({ "notified": [{ "user_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b40", "notification_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b90" }] }),
        ),
        order: &["user", "team", "role", "title", "text", "task", "deal", "conversation", "contact"],
        binds: None,
    };
    RecordNode::of(described, |tx, ctx, input| Box::pin(notify(tx, ctx, input)))
}

async fn notify(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let to = match (input.id("user")?, input.id("team")?, input.text("role")?) {
        (Some(user), None, None) => Recipients::User(user),
        (None, Some(team), None) => Recipients::Team(team),
        (None, None, Some(role)) => {
            Recipients::Role(Role::parse(&role).ok_or_else(|| CrmError::invalid("role", format!("`{role}` is no role; it is admin or agent")))?)
        }
        (None, None, None) => return Err(CrmError::invalid("user", "name a `user`, a `team` or a `role`")),
        _ => return Err(CrmError::invalid("user", "name one of `user`, `team` and `role`, not several")),
    };
    let mut subject = None;
    for kind in ["task", "deal", "conversation", "contact"] {
        if subject.is_none() {
            subject = input.id(kind)?.map(|id| (kind, id));
        }
    }
    let subject = subject.or_else(|| ctx.contact.clone().map(|id| ("contact", id)));
    let notice = Notice { title: input.text("title")?.unwrap_or_default(), text: input.text("text")?.unwrap_or_default(), subject };
    let told = notifications::notify(tx, ctx.organisation, &Actor::of_step(ctx), &to, &notice).await?;
    let told: Vec<Value> = told.into_iter().map(|(user, id)| json!({ "user_id": user, "notification_id": id })).collect();
    Ok(json!({ "notified": told }))
}
