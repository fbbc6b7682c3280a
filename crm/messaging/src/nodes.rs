//! The nodes of this room: `message.send`, `crm.conversation.assign`, `crm.conversation.close`.

use crate::{
    Channels, ConversationId,
    conversations::{self, Assignee, ConversationStatus},
    send::SendNode,
};
use onward_accounts::{Actor, CrmError, nodes::input::Input};
use onward_core::{
    StepError, Value,
    ports::{Effect, Node, NodeDescriptor, Outcome, StepContext},
};
use onward_database::Tx;
use onward_records::nodes::contact_of;
use serde_json::json;
use std::sync::Arc;

/// Every node of this room.
pub fn nodes(channels: Channels) -> Vec<Arc<dyn Node<Tx>>> {
    vec![
        Arc::new(SendNode::new(channels)),
        Arc::new(ConversationNode { descriptor: descriptor(Work::Assign), work: Work::Assign }),
        Arc::new(ConversationNode { descriptor: descriptor(Work::Close), work: Work::Close }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Assign,
    Close,
}

struct ConversationNode {
    descriptor: NodeDescriptor,
    work: Work,
}

#[onward_core::async_trait]
impl Node<Tx> for ConversationNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn apply(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        match self.work(tx, ctx, input).await {
            Ok(output) => Outcome::done(output),
            Err(error) => StepError::from(error).into(),
        }
    }
}

impl ConversationNode {
    async fn work(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Result<Value, CrmError> {
        let input = Input::new(input)?;
        let actor = Actor::of_step(ctx);
        let id = conversation_of(tx, ctx, &input).await?;
        let conversation = match self.work {
            Work::Assign => {
                let to = match (input.id("user")?, input.text("team")?) {
                    (Some(_), Some(_)) => return Err(CrmError::invalid("team", "name either `user` or `team`, not both")),
                    (None, None) => return Err(CrmError::invalid("user", "name a `user` or a `team`")),
                    (Some(user), None) => Assignee::user(tx, ctx.organisation, &user).await?,
                    (None, Some(team)) => Assignee::team(&team)?,
                };
                conversations::assign(tx, ctx.organisation, &actor, id, to).await?
            }
            Work::Close => conversations::close(tx, ctx.organisation, &actor, id).await?,
        };
        Ok(conversation.to_value())
    }
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
    let contact = contact_of(input, ctx)?;
    let all = conversations::of_contact(tx, ctx.organisation, contact).await?;
    let found = all.iter().find(|conversation| conversation.status == ConversationStatus::Open).or(all.first());
    found.map(|conversation| conversation.id).ok_or_else(|| CrmError::not_found("conversation", format!("with the contact {contact}")))
}

fn descriptor(work: Work) -> NodeDescriptor {
    let mut properties = json!({
        "contact": { "type": ["string", "object", "null"], "description": "A contact's id, or the contact; by default the run's" },
        "conversation": { "type": ["string", "object", "null"], "description": "A conversation's id; by default the run's, else the contact's open one" }
    });
    let (name, title, description, example) = match work {
        Work::Assign => {
            properties["user"] = json!({ "type": ["string", "object", "null"], "x-names": "user", "description": "A user's id or e-mail" });
            properties["team"] = json!({ "type": ["string", "null"], "description": "A team's name" });
            ("assign", "Assign a conversation", "Gives the conversation to a user or a team.", json!({ "team": "sales" }))
        }
        Work::Close => ("close", "Close a conversation", "Closes the conversation; the contact's next message opens another.", json!({})),
    };
    NodeDescriptor {
        id: format!("crm.conversation.{name}"),
        title: title.to_owned(),
        description: description.to_owned(),
        category: "CRM".to_owned(),
        effect: Effect::Transactional,
        input: json!({ "type": "object", "properties": properties, "additionalProperties": false }),
        output: json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" }, "contact_id": { "type": "string" }, "channel": { "type": "string" }, "connection_id": { "type": "string" },
                "status": { "enum": ["open", "closed"] }, "assigned_user": { "type": ["string", "null"] }, "assigned_team": { "type": ["string", "null"] }
            },
            "required": ["id", "contact_id", "status"]
        }),
        example,
        example_output: json!({
            "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2f", "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c", "contact_name": "Asha Rao",
            "channel": "whatsapp", "connection_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b30", "status": if work == Work::Close { "closed" } else { "open" },
            "assigned_user": null, "assigned_team": "sales", "unread": 0, "last_inbound_at": null, "last_outbound_at": null,
            "last_message_at": "2026-11-20T09:00:00.000Z", "last_text": "", "opened_at": "2026-11-20T09:00:00.000Z", "closed_at": null
        }),
        ui: json!({ "order": ["user", "team", "conversation", "contact"] }),
        connector: None,
        personal: true,
        binds: None,
    }
}
