//! Messages as they are stored and shown.

use crate::{ConversationId, MessageId};
use onward_connectors::incoming::DeliveryStatus;
use onward_core::{ConnectionId, OrganisationId, RunId, Timestamp, Value};
use onward_database::{DatabaseError, Query, Row, args};
use onward_records::ContactId;

/// Characters of a message that lists and timelines show.
pub const SHORT_CHARACTERS: usize = 200;

/// The kinds of a message (DESIGN.md); anything else is `unsupported`.
pub const KINDS: &[&str] =
    &["text", "image", "audio", "video", "document", "location", "contacts", "interactive", "template", "reaction", "sticker", "unsupported"];

/// How far a message is.
///
/// ```text
/// held ⇄ queued → sending → unknown
///     \     \         \        \
///      +-----+---------+--------+→ sent → failed
///                                     \→ delivered → read     (a status never goes back; `failed` replaces nothing-or-sent)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It came in.
    Received,
    /// It waits for its next attempt.
    Queued,
    /// The policy holds it.
    Held,
    /// The provider is being called.
    Sending,
    /// The provider took it.
    Sent,
    /// It reached the device.
    Delivered,
    /// It was read.
    Read,
    /// It will not arrive.
    Failed,
    /// Nobody knows whether the provider took it.
    Unknown,
}

impl MessageStatus {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
    /// Reads what [`MessageStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Received, Self::Queued, Self::Held, Self::Sending, Self::Sent, Self::Delivered, Self::Read, Self::Failed, Self::Unknown]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// The order in which statuses replace each other, whatever order they come in: a higher one replaces a lower one. `failed`
/// stands between `sent` and `delivered`: it replaces nothing or `sent`, and what was delivered did not fail.
pub fn rank(status: DeliveryStatus) -> i64 {
    match status {
        DeliveryStatus::Sent => 1,
        DeliveryStatus::Failed => 2,
        DeliveryStatus::Delivered => 3,
        DeliveryStatus::Read => 4,
    }
}

/// A provider's status as ours.
pub fn of_delivery(status: DeliveryStatus) -> MessageStatus {
    match status {
        DeliveryStatus::Sent => MessageStatus::Sent,
        DeliveryStatus::Delivered => MessageStatus::Delivered,
        DeliveryStatus::Read => MessageStatus::Read,
        DeliveryStatus::Failed => MessageStatus::Failed,
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Whose.
    pub contact_id: ContactId,
    /// On which channel.
    pub channel: String,
    /// On which account.
    pub connection_id: ConnectionId,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// What a person reads.
    pub text: String,
    /// Media and structured parts.
    pub attachments: Value,
    /// The provider's id.
    pub external_id: Option<String>,
    /// The button or list row that was chosen.
    pub reply_id: Option<String>,
    /// The provider's id of the message it answers.
    pub context_id: Option<String>,
    /// How far it is.
    pub status: MessageStatus,
    /// Why it failed.
    pub error: Value,
    /// What the policy decided, whole.
    pub verdict: Value,
    /// Who wrote it: `{ kind, id }`.
    pub author: Value,
    /// When it was written, as the provider says; ours for what we send.
    pub at: Timestamp,
    /// The run that sent it.
    pub run_id: Option<RunId>,
    /// Its step.
    pub step: Option<String>,
    /// When its author changed it.
    pub edited_at: Option<Timestamp>,
    /// When its author took it back.
    pub revoked_at: Option<Timestamp>,
}

impl Message {
    /// The one JSON shape (DESIGN.md). `verdict` is the policy's word; `verdict_details` has its rule and reason.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "conversation_id": self.conversation_id, "contact_id": self.contact_id, "channel": self.channel,
            "connection_id": self.connection_id, "direction": self.direction, "kind": self.kind, "text": self.text, "attachments": self.attachments,
            "external_id": self.external_id, "reply_id": self.reply_id, "context_id": self.context_id, "status": self.status, "error": self.error,
            "verdict": self.verdict["verdict"], "verdict_details": self.verdict, "author": self.author, "at": self.at,
            "run_id": self.run_id, "step": self.step, "edited_at": self.edited_at, "revoked_at": self.revoked_at,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, contact_id, channel, connection_id, direction, kind, text, attachments, external_id, reply_id, context_id,
                    status, error, verdict, author_kind, author_id, at, run_id, step, edited_at, revoked_at FROM messages ",
            $rest
        )
    };
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: MessageId) -> Result<Option<Message>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE organisation = $1 AND id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// The message of a step, by its idempotency key.
pub(crate) async fn by_send_key(db: &mut impl Query, organisation: OrganisationId, key: &str) -> Result<Option<Message>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE organisation = $1 AND send_key = $2"), args![organisation, key]).await?;
    row.as_ref().map(from_row).transpose()
}

/// A page of a conversation, the newest first; `before` is the last id of the page before.
pub async fn page(
    db: &mut impl Query,
    organisation: OrganisationId,
    conversation: ConversationId,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Message>, DatabaseError> {
    let rows = db
        .fetch_all(
            select!("WHERE organisation = $1 AND conversation_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"),
            args![organisation, conversation, before.map_or(uuid::Uuid::max(), |id| id.0), limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// What lists and timelines show of a message.
pub fn short(kind: &str, text: &str) -> String {
    if text.trim().is_empty() { format!("[{kind}]") } else { text.chars().take(SHORT_CHARACTERS).collect() }
}

fn from_row(row: &Row) -> Result<Message, DatabaseError> {
    let status: String = row.get("status")?;
    Ok(Message {
        id: row.get("id")?,
        conversation_id: row.get("conversation_id")?,
        contact_id: row.get("contact_id")?,
        channel: row.get("channel")?,
        connection_id: row.get("connection_id")?,
        direction: row.get("direction")?,
        kind: row.get("kind")?,
        text: row.get("text")?,
        attachments: row.get("attachments")?,
        external_id: row.get("external_id")?,
        reply_id: row.get("reply_id")?,
        context_id: row.get("context_id")?,
        status: MessageStatus::parse(&status)
            .ok_or_else(|| DatabaseError::Column { column: "status".into(), reason: format!("`{status}` is no status of a message") })?,
        error: row.get("error")?,
        verdict: row.get("verdict")?,
        author: serde_json::json!({ "kind": row.get::<String>("author_kind")?, "id": row.get::<Option<String>>("author_id")? }),
        at: row.get("at")?,
        run_id: row.get("run_id")?,
        step: row.get("step")?,
        edited_at: row.get("edited_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}
