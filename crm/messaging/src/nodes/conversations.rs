//! `crm.conversation.assign`, `tag` and `close`.

use crate::{
    ConversationId,
    conversations::{self, Assignee, ConversationStatus},
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described, RecordNode,
        input::Input,
        schema::{self, record, text, texts},
    },
};
use onward_core::{
    Value,
    ports::{Node, StepContext},
};
use onward_database::Tx;
use onward_records::{contacts, nodes::contact_of};
use serde_json::json;
use std::sync::Arc;

pub(super) fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    let described = |id, title, description, more: &[(&str, Value)], example| {
        let mut properties = json!({
            "contact": record("A contact's id, or the contact; by default the run's"),
            "conversation": record("A conversation's id; by default the run's, else the contact's open one")
        });
        for (name, schema) in more {
            properties[*name] = schema.clone();
        }
        Described {
            id,
            title,
            description,
            category: "CRM",
            input: schema::input(&properties, &[]),
            example,
            output: output(),
            order: &["user", "team", "tags", "remove", "conversation", "contact"],
            binds: None,
        }
    };
    vec![
        RecordNode::of(
            described(
                "crm.conversation.assign",
                "Assign a conversation",
                "Gives the conversation to a user or a team.",
                &[("user", schema::user()), ("team", text("A team's name"))],
                json!({ "team": "sales" }),
            ),
            |tx, ctx, input| Box::pin(assign(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.conversation.tag",
                "Tag a conversation",
                "Adds tags to the conversation and takes others away.",
                &[("tags", texts("Tags to add")), ("tag", text("One tag to add")), ("remove", texts("Tags to take away; those not there are no error"))],
                json!({ "tags": ["complaint"] }),
            ),
            |tx, ctx, input| Box::pin(tag(tx, ctx, input)),
        ),
        RecordNode::of(
            described("crm.conversation.close", "Close a conversation", "Closes the conversation; the contact's next message opens another.", &[], json!({})),
            |tx, ctx, input| Box::pin(close(tx, ctx, input)),
        ),
    ]
}

async fn assign(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id = conversation_of(tx, ctx, &input).await?;
    let to = match (input.id("user")?, input.text("team")?) {
        (Some(_), Some(_)) => return Err(CrmError::invalid("team", "name either `user` or `team`, not both")),
        (None, None) => return Err(CrmError::invalid("user", "name a `user` or a `team`")),
        (Some(user), None) => Assignee::user(tx, ctx.organisation, &user).await?,
        (None, Some(team)) => Assignee::team(&team)?,
    };
    Ok(conversations::assign(tx, ctx.organisation, &Actor::of_step(ctx), id, to).await?.to_value())
}

async fn tag(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id = conversation_of(tx, ctx, &input).await?;
    let add = input.one_or_more("tag", "tags")?;
    let remove = input.texts("remove")?.unwrap_or_default();
    if add.is_empty() && remove.is_empty() {
        return Err(CrmError::invalid("tags", "name at least one tag"));
    }
    Ok(conversations::tag(tx, ctx.organisation, &Actor::of_step(ctx), id, &add, &remove).await?.to_value())
}

async fn close(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id = conversation_of(tx, ctx, &input).await?;
    Ok(conversations::close(tx, ctx.organisation, &Actor::of_step(ctx), id).await?.to_value())
}

/// The conversation that an input names; else the run's; else the contact's open one that was last active, else their last.
async fn conversation_of(tx: &mut Tx, ctx: &StepContext, input: &Input<'_>) -> Result<ConversationId, CrmError> {
    if let Some(text) = input.id("conversation")? {
        return onward_core::ids::parse(&text).ok_or_else(|| CrmError::not_found("conversation", text));
    }
    if !input.has("contact")
        && let Some(id) = ctx.conversation.as_deref().and_then(onward_core::ids::parse)
    {
        return Ok(id);
    }
    let contact = contacts::resolve(tx, ctx.organisation, contact_of(input, ctx)?).await?;
    let all = conversations::of_contact(tx, ctx.organisation, contact).await?;
    let found = all.iter().find(|conversation| conversation.status == ConversationStatus::Open).or(all.first());
    found.map(|conversation| conversation.id).ok_or_else(|| CrmError::not_found("conversation", format!("with the contact {contact}")))
}

/// The JSON Schema of a conversation, and an example of it.
pub(super) fn output() -> (Value, Value) {
    (
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" }, "contact_id": { "type": "string" }, "channel": { "type": "string" }, "connection_id": { "type": "string" },
                "status": { "enum": ["open", "closed"] }, "assigned_user": { "type": ["string", "null"] }, "assigned_team": { "type": ["string", "null"] },
                "tags": { "type": "array", "items": { "type": "string" } }
            },
            "required": ["id", "contact_id", "status", "tags"]
        }),
        json!({
            "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2f", "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c", "contact_name": "Asha Rao",
            "channel": "whatsapp", "connection_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b30", "status": "open",
            "assigned_user": null, "assigned_team": "sales", "tags": ["complaint"], "unread": 0, "last_inbound_at": null, "last_outbound_at": null,
            "last_message_at": "2026-11-20T09:00:00.000Z", "last_text": "", "opened_at": "2026-11-20T09:00:00.000Z", "closed_at": null
        }),
    )
}
