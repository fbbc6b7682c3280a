//! `crm.conversation.open` and `message.draft`: they choose an address as `message.send` does, and send nothing.

use crate::{
    Channels, ConversationId, conversations, drafts,
    send::{Wanted, choose},
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described,
        input::Input,
        schema::{self, naming, record, text},
    },
};
use onward_core::{
    Object, StepError, Value,
    ports::{Node, NodeDescriptor, Outcome, StepContext},
};
use onward_database::Tx;
use onward_records::{contacts, nodes::contact_of};
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Open,
    Draft,
}

pub(super) struct AddressNode {
    descriptor: NodeDescriptor,
    channels: Channels,
    work: Work,
}

impl AddressNode {
    pub(super) fn new(work: Work, channels: Channels) -> Self {
        let descriptor = match work {
            Work::Open => open(),
            Work::Draft => draft(),
        };
        Self { descriptor, channels, work }
    }

    async fn work(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Result<Value, StepError> {
        let input = Input::new(input)?;
        match self.work {
            Work::Open => {
                let id = self.open_conversation(tx, ctx, &input).await?;
                let found = conversations::get(tx, ctx.organisation, id).await?.ok_or_else(|| CrmError::not_found("conversation", id))?;
                Ok(found.to_value())
            }
            Work::Draft => {
                let mut content = Object::new();
                for name in drafts::CONTENT {
                    if let Some(value) = input.value(name) {
                        content.insert(name.to_owned(), value.clone());
                    }
                }
                let content = drafts::content(content)?;
                let id = match input.id("conversation")? {
                    Some(text) => onward_core::ids::parse(&text).ok_or_else(|| CrmError::not_found("conversation", text))?,
                    None => self.open_conversation(tx, ctx, &input).await?,
                };
                let draft = drafts::create(tx, ctx.organisation, &Actor::of_step(ctx), id, content).await?;
                Ok(json!({ "message_id": draft.id, "conversation_id": id }))
            }
        }
    }

    /// The open conversation where a message would go; opened when there is none.
    async fn open_conversation(&self, tx: &mut Tx, ctx: &StepContext, input: &Input<'_>) -> Result<ConversationId, StepError> {
        let id = contact_of(input, ctx)?;
        let contact = contacts::get(tx, ctx.organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
        let (channel, connection) = (input.text("channel")?, input.text("connection")?);
        let wanted = Wanted { channel: channel.as_deref(), connection: connection.as_deref() };
        let address = choose(tx, ctx, &self.channels, &contact, wanted).await?;
        match address.conversation {
            Some(open) => Ok(open),
            None => Ok(conversations::open(tx, ctx.organisation, &Actor::of_step(ctx), address.parties(contact.id)).await?),
        }
    }
}

#[onward_core::async_trait]
impl Node<Tx> for AddressNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn apply(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        match self.work(tx, ctx, input).await {
            Ok(output) => Outcome::done(output),
            Err(error) => error.into(),
        }
    }
}

fn whereabouts() -> Value {
    json!({
        "contact": record("A contact's id, or the contact; by default the run's"),
        "channel": text("whatsapp …; by default where the contact was last active"),
        "connection": naming("connection", text("A connection's name or id"))
    })
}

fn open() -> NodeDescriptor {
    Described {
        id: "crm.conversation.open",
        title: "Open a conversation",
        description: "The contact's open conversation on a channel account, opened where there is none. Nothing is sent.",
        category: "CRM",
        input: schema::input(&whereabouts(), &[]),
        example: json!({ "channel": "whatsapp" }),
        output: super::conversations::output(),
        order: &["contact", "channel", "connection"],
        binds: Some("conversation"),
    }
    .transactional()
}

fn draft() -> NodeDescriptor {
    let mut properties = whereabouts();
    for (name, schema) in [
        ("conversation", record("A conversation's id; by default the contact's open one")),
        ("text", text("Free text; either this or `template`")),
        ("template", naming("template", text("The name of an approved template"))),
        ("params", json!({ "type": ["object", "array", "null"], "description": "The template's values, by name or in order" })),
        ("header", json!({ "type": ["object", "array", "string", "number", "null"], "description": "The template's header" })),
        ("button_params", json!({ "type": ["array", "null"], "description": "What the template's buttons carry, in their order" })),
        ("buttons", json!({ "type": ["array", "null"], "items": { "type": "object" }, "description": "Choices below a text: { id, title }" })),
        ("language", text("The template's language (en_US)")),
        ("category", text("What the message is for")),
        ("reply_to", text("The provider's id of the message that this one answers")),
    ] {
        properties[name] = schema;
    }
    Described {
        id: "message.draft",
        title: "Draft a message",
        description: "Writes a message for a person to look at, change and send. Sent, it is the message of the same id.",
        category: "Messaging",
        input: schema::input(&properties, &[]),
        example: json!({ "text": "Hello! Shall we talk on Monday?" }),
        output: (
            json!({
                "type": "object",
                "properties": { "message_id": { "type": "string" }, "conversation_id": { "type": "string" } },
                "required": ["message_id", "conversation_id"]
            }),
            json!({ "message_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2e", "conversation_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2f" }),
        ),
        order: &["contact", "text", "template", "params", "buttons", "channel", "connection", "conversation"],
        binds: None,
    }
    .transactional()
}
