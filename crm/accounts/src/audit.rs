//! The audit log: who changed what and when. Written by the very function that makes the change, in its transaction.

use crate::Actor;
use onward_core::{OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Tx, args};
use uuid::Uuid;

/// One change of something that administrators answer for.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id; rises with time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor::to_value`] gives it.
    pub actor: Value,
    /// `user.created` …
    pub action: String,
    /// The kind of record.
    pub subject: String,
    /// Its id.
    pub subject_id: String,
    /// The fields that changed, as they were; never a secret.
    pub before: Value,
    /// The fields that changed, as they are.
    pub after: Value,
}

impl Entry {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "at": self.at, "actor": self.actor, "action": self.action,
            "subject": { "kind": self.subject, "id": self.subject_id }, "before": self.before, "after": self.after,
        })
    }
}

/// What was done, to what.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// `user.created` …
    pub action: &'a str,
    /// The kind of record.
    pub subject: &'a str,
    /// Its id.
    pub subject_id: String,
    /// The fields that change, as they were; `Null` for something new.
    pub before: Value,
    /// The fields that change, as they are; `Null` for something removed.
    pub after: Value,
}

/// Writes an entry.
pub async fn record(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, deed: Deed<'_>) -> Result<(), DatabaseError> {
    let id = tx.fresh_id();
    let now = tx.now();
    tx.execute(
        "INSERT INTO audit_log (organisation, id, at, actor, action, subject, subject_id, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![organisation, id, now, actor.to_value(), deed.action, deed.subject, deed.subject_id, deed.before, deed.after],
    )
    .await?;
    Ok(())
}

/// Writes an entry when a person or their program did it. What runs do with contacts, deals and the like is in their
/// histories already.
pub async fn record_by_person(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, deed: Deed<'_>) -> Result<(), DatabaseError> {
    match actor {
        Actor::User { .. } | Actor::Token { .. } | Actor::System => record(tx, organisation, actor, deed).await,
        Actor::Automation { .. } | Actor::Contact { .. } | Actor::Connector { .. } => Ok(()),
    }
}

/// A page, newest first; of one record when `subject` (kind, id) is given.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    subject: Option<(&str, &str)>,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Entry>, DatabaseError> {
    let before = before.unwrap_or(Uuid::max());
    let rows = if let Some((kind, id)) = subject {
        let sql = "SELECT id, at, actor, action, subject, subject_id, before, after FROM audit_log
                   WHERE organisation = $1 AND subject = $2 AND subject_id = $3 AND id < $4 ORDER BY id DESC LIMIT $5";
        db.fetch_all(sql, args![organisation, kind, id, before, limit]).await?
    } else {
        let sql = "SELECT id, at, actor, action, subject, subject_id, before, after FROM audit_log
                   WHERE organisation = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
        db.fetch_all(sql, args![organisation, before, limit]).await?
    };
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Entry, DatabaseError> {
    Ok(Entry {
        id: row.get("id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        subject_id: row.get("subject_id")?,
        before: row.get("before")?,
        after: row.get("after")?,
    })
}
