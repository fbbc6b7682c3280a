//! The bus events that messaging emits, and the facts that they share.

use crate::{ConversationId, MessageId};
use onward_accounts::Author;
use onward_connectors::incoming::DeliveryStatus;
use onward_core::{ConnectionId, Object, Timestamp, Value};
use onward_records::ContactId;

/// Who says so, on events that no provider caused.
pub const SOURCE: &str = "onward/messaging";

/// The types that this room emits, for the catalogue. Connectors' own (`CONNECTOR.raw`, `template.status_changed`) pass
/// through it too.
pub fn event_types() -> Vec<&'static str> {
    vec![
        "message.received",
        "message.sent",
        "message.delivered",
        "message.read",
        "message.failed",
        "message.edited",
        "message.revoked",
        "conversation.opened",
        "conversation.assigned",
        "conversation.tagged",
        "conversation.closed",
        "contact.unsubscribed",
        crate::questions::BRING,
        "template.status_changed",
        "whatsapp.raw",
    ]
}

/// The `source` of events that a connection delivered: with the provider's id it is their identity (promise 2).
pub fn source(connector: &str, connection: ConnectionId) -> String {
    format!("{connector}/{connection}")
}

/// The type of the event of a status.
pub fn of_status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Sent => "message.sent",
        DeliveryStatus::Delivered => "message.delivered",
        DeliveryStatus::Read => "message.read",
        DeliveryStatus::Failed => "message.failed",
    }
}

/// The facts that every event about a conversation carries; what is unknown is `null`.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Whom it is about.
    pub contact: Option<ContactId>,
    /// In which conversation.
    pub conversation: Option<ConversationId>,
    /// Which message.
    pub message: Option<MessageId>,
    /// On which channel.
    pub channel: &'a str,
    /// On which account.
    pub connection: ConnectionId,
    /// Who caused it.
    pub author: Author,
    /// When it happened.
    pub at: Timestamp,
}

impl Facts<'_> {
    /// As the event's data, to be added to.
    pub fn to_object(&self) -> Object {
        let mut data = Object::new();
        data.insert("contact_id".into(), text(self.contact));
        data.insert("conversation_id".into(), text(self.conversation));
        if self.message.is_some() {
            data.insert("message_id".into(), text(self.message));
        }
        data.insert("channel".into(), self.channel.into());
        data.insert("connection_id".into(), self.connection.to_string().into());
        data.insert("author".into(), self.author.to_value());
        data.insert("at".into(), self.at.to_string().into());
        data
    }
}

fn text(id: Option<impl ToString>) -> Value {
    id.map_or(Value::Null, |id| id.to_string().into())
}
