//! A contact's timeline: one item for each thing that happened.

use crate::{ContactId, TimelineId};
use onward_accounts::Actor;
use onward_core::{OrganisationId, RunId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Tx, args};
use uuid::Uuid;

/// Characters of an item's text; the whole of it is in the record it is about.
pub const TEXT_CHARACTERS: usize = 500;
/// Characters of a note, which has no other record.
pub const NOTE_CHARACTERS: usize = 10_000;

/// What kind of thing happened (DESIGN.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A message, in or out.
    Message,
    /// Someone wrote something down.
    Note,
    /// A field changed.
    Field,
    /// Tags came or went.
    Tag,
    /// A deal changed.
    Deal,
    /// A task changed.
    Task,
    /// They agreed or refused.
    Consent,
    /// A run began or ended.
    Run,
    /// Anything else.
    Event,
}

impl ItemKind {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Note => "note",
            Self::Field => "field",
            Self::Tag => "tag",
            Self::Deal => "deal",
            Self::Task => "task",
            Self::Consent => "consent",
            Self::Run => "run",
            Self::Event => "event",
        }
    }
}

/// An item as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id; rises with intake.
    pub id: TimelineId,
    /// When it happened.
    pub at: Timestamp,
    /// `message`, `note` …
    pub kind: String,
    /// For people.
    pub text: String,
    /// Who did it: kind and id.
    pub author: Value,
    /// The run that did it.
    pub run_id: Option<RunId>,
    /// Its step.
    pub step: Option<String>,
    /// The record it is about.
    pub subject_id: Option<Uuid>,
}

impl Item {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "at": self.at, "kind": self.kind, "text": self.text, "author": self.author,
            "run_id": self.run_id, "step": self.step, "subject_id": self.subject_id,
        })
    }
}

/// Adds an item that happened now.
pub fn add(
    tx: &mut Tx,
    organisation: OrganisationId,
    contact: ContactId,
    actor: &Actor,
    kind: ItemKind,
    text: &str,
    subject: Option<Uuid>,
) -> Result<TimelineId, DatabaseError> {
    let id = TimelineId(tx.fresh_id());
    let now = tx.now();
    let author = actor.author();
    let (run_id, step) = actor.run().unzip();
    let longest = if kind == ItemKind::Note { NOTE_CHARACTERS } else { TEXT_CHARACTERS };
    let short: String = text.chars().take(longest).collect();
    tx.leave(
        "INSERT INTO timeline (organisation, contact_id, id, at, kind, text, author_kind, author_id, run_id, step, subject_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![organisation, contact, id, now, kind.as_str(), short, author.kind.as_str(), author.id, run_id, step, subject],
    )?;
    Ok(id)
}

/// A page, newest first.
pub async fn page(
    db: &mut impl Query,
    organisation: OrganisationId,
    contact: ContactId,
    before: Option<TimelineId>,
    limit: u32,
) -> Result<Vec<Item>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT id, at, kind, text, author_kind, author_id, run_id, step, subject_id FROM timeline
             WHERE organisation = $1 AND contact_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
            args![organisation, contact, before.map_or(Uuid::max(), |id| id.0), limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Item, DatabaseError> {
    Ok(Item {
        id: row.get("id")?,
        at: row.get("at")?,
        kind: row.get("kind")?,
        text: row.get("text")?,
        author: serde_json::json!({ "kind": row.get::<String>("author_kind")?, "id": row.get::<Option<String>>("author_id")? }),
        run_id: row.get("run_id")?,
        step: row.get("step")?,
        subject_id: row.get("subject_id")?,
    })
}
