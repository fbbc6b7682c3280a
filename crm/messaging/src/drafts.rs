//! Drafts: messages that wait for a person to send them. A draft keeps its id: sent, it is the message of that id and no
//! draft any more, both in the transaction that stores the message. So a draft is sent at most once, whoever presses the
//! button, and however often.

use crate::{ConversationId, MessageId, conversations};
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{
    Object, OrganisationId, RunId, Timestamp, Value,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};
use onward_records::ContactId;

/// The members of a draft's content: those of `message.send` that say what is sent.
pub const CONTENT: [&str; 9] = ["text", "template", "params", "header", "button_params", "buttons", "language", "category", "reply_to"];
/// Bytes of a draft's content as JSON.
pub const CONTENT_BYTES: usize = 64 << 10;
/// Drafts of one conversation: they are listed whole.
pub const DRAFTS: u64 = 50;

/// A message that waits for a person to send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its id, and that of the message it becomes.
    pub id: MessageId,
    /// Where it would be sent.
    pub conversation_id: ConversationId,
    /// To whom.
    pub contact_id: ContactId,
    /// What: some of [`CONTENT`].
    pub content: Object,
    /// Who wrote it: kind and id.
    pub author: Value,
    /// The run that wrote it.
    pub run_id: Option<RunId>,
    /// Its step.
    pub step: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Draft {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        let mut shape = serde_json::json!({
            "id": self.id, "conversation_id": self.conversation_id, "contact_id": self.contact_id, "author": self.author, "run_id": self.run_id,
            "step": self.step, "created_at": self.created_at, "updated_at": self.updated_at,
        });
        for name in CONTENT {
            shape[name] = self.content.get(name).cloned().unwrap_or_default();
        }
        shape
    }
}

/// What is sent, without what says nothing.
///
/// # Errors
/// Without exactly one of `text` and `template`, or with too much of it.
pub fn content(mut given: Object) -> Result<Object, CrmError> {
    given.retain(|name, value| CONTENT.contains(&name.as_str()) && !value.is_null());
    let says = |name: &str| given.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    match (says("text"), says("template")) {
        (true, true) => return Err(CrmError::invalid("template", "a message has either `text` or `template`, not both")),
        (false, false) => return Err(CrmError::invalid("text", "a message needs `text` or `template`, and neither has a value")),
        _ => {}
    }
    let bytes = serde_json::to_vec(&given).map_or(usize::MAX, |json| json.len());
    if bytes > CONTENT_BYTES {
        return Err(CrmError::invalid("text", format!("a draft has at most {CONTENT_BYTES} bytes, this has {bytes}")));
    }
    Ok(given)
}

/// Stores a draft in a conversation.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, conversation: ConversationId, given: Object) -> Result<Draft, CrmError> {
    let given = content(given)?;
    let found = conversations::get(tx, organisation, conversation).await?.ok_or_else(|| CrmError::not_found("conversation", conversation))?;
    let row =
        tx.fetch_one("SELECT count(*) AS n FROM message_drafts WHERE organisation = $1 AND conversation_id = $2", args![organisation, conversation]).await?;
    if row.get::<u64>("n")? >= DRAFTS {
        return Err(CrmError::conflict(format!("the conversation has {DRAFTS} drafts already; send or discard some"), vec![conversation.to_string()]));
    }
    let now = tx.now();
    let author = actor.author();
    let (run_id, step) = actor.run().unzip();
    let draft = Draft {
        id: MessageId(tx.fresh_id()),
        conversation_id: conversation,
        contact_id: found.contact_id,
        content: given,
        author: author.to_value(),
        run_id,
        step: step.map(str::to_owned),
        created_at: now,
        updated_at: now,
    };
    tx.execute(
        "INSERT INTO message_drafts (organisation, id, conversation_id, contact_id, content, author_kind, author_id, run_id, step, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        args![
            organisation,
            draft.id,
            conversation,
            draft.contact_id,
            Value::Object(draft.content.clone()),
            author.kind.as_str(),
            author.id,
            draft.run_id,
            &draft.step,
            now
        ],
    )
    .await?;
    announce(tx, organisation, &draft, "draft.created");
    Ok(draft)
}

/// Replaces what a draft says.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, id: MessageId, given: Object) -> Result<Draft, CrmError> {
    let given = content(given)?;
    let mut draft = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("draft", id))?;
    if draft.content == given {
        return Ok(draft);
    }
    draft.content = given;
    draft.updated_at = tx.now();
    let written = tx
        .execute(
            "UPDATE message_drafts SET content = $3, updated_at = $4 WHERE organisation = $1 AND id = $2",
            args![organisation, id, Value::Object(draft.content.clone()), draft.updated_at],
        )
        .await?;
    if written == 0 {
        return Err(CrmError::not_found("draft", id));
    }
    announce(tx, organisation, &draft, "draft.updated");
    Ok(draft)
}

/// Throws a draft away.
pub async fn discard(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: MessageId) -> Result<(), CrmError> {
    let draft = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("draft", id))?;
    if !remove(tx, organisation, id).await? {
        return Err(CrmError::not_found("draft", id));
    }
    // That it was thrown away, not what it said: the words are a person's.
    let deed = audit::Deed { action: "draft.discarded", subject: "draft", subject_id: id.to_string(), before: Value::Null, after: Value::Null };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    announce(tx, organisation, &draft, "draft.discarded");
    Ok(())
}

/// Whether it was there: of two who take one at two servers one has it.
async fn remove(tx: &mut Tx, organisation: OrganisationId, id: MessageId) -> Result<bool, DatabaseError> {
    Ok(tx.execute("DELETE FROM message_drafts WHERE organisation = $1 AND id = $2", args![organisation, id]).await? > 0)
}

/// A draft becomes the message of its id, in this transaction.
///
/// # Errors
/// [`CrmError::Conflict`] when it is no draft any more: it was sent or discarded.
pub(crate) async fn take(tx: &mut Tx, organisation: OrganisationId, id: MessageId) -> Result<(), CrmError> {
    let gone = || CrmError::conflict("this draft was sent or discarded already", vec![id.to_string()]);
    let draft = get(tx, organisation, id).await?.ok_or_else(gone)?;
    if !remove(tx, organisation, id).await? {
        return Err(gone());
    }
    announce(tx, organisation, &draft, "draft.sent");
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, contact_id, content, author_kind, author_id, run_id, step, created_at, updated_at FROM message_drafts WHERE organisation = $1 AND ",
            $rest
        )
    };
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: MessageId) -> Result<Option<Draft>, DatabaseError> {
    let row = db.fetch_optional(select!("id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// The drafts of a conversation, the newest first.
pub async fn of_conversation(db: &mut impl Query, organisation: OrganisationId, conversation: ConversationId) -> Result<Vec<Draft>, DatabaseError> {
    let rows = db.fetch_all(select!("conversation_id = $2 ORDER BY id DESC"), args![organisation, conversation]).await?;
    rows.iter().map(from_row).collect()
}

fn announce(tx: &mut Tx, organisation: OrganisationId, draft: &Draft, event: &'static str) {
    tx.announce(Change {
        organisation,
        topic: "draft".into(),
        id: draft.id.to_string(),
        data: serde_json::json!({ "event": event, "conversation_id": draft.conversation_id, "contact_id": draft.contact_id }),
    });
}

fn from_row(row: &Row) -> Result<Draft, DatabaseError> {
    let content: Value = row.get("content")?;
    Ok(Draft {
        id: row.get("id")?,
        conversation_id: row.get("conversation_id")?,
        contact_id: row.get("contact_id")?,
        content: if let Value::Object(content) = content { content } else { Object::new() },
        author: serde_json::json!({ "kind": row.get::<String>("author_kind")?, "id": row.get::<Option<String>>("author_id")? }),
        run_id: row.get("run_id")?,
        step: row.get("step")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
