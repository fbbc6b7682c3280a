//! Segments: named sets of contacts. A static one holds whoever was put in.

use crate::{ContactId, SegmentId, contacts, events, text};
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{
    OrganisationId, StepError, Timestamp, Value,
    ports::{SegmentMember, Segments, Transaction},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// Characters of a name.
pub const NAME_CHARACTERS: usize = 100;
/// Characters of a description.
pub const DESCRIPTION_CHARACTERS: usize = 1_000;
/// Contacts put in or taken out at once: each is an event.
pub const MEMBERS_AT_ONCE: usize = 500;

/// A named set of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// What workflows say; unique in the organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `static`.
    pub kind: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or description last changed.
    pub updated_at: Timestamp,
}

impl Segment {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "name": self.name, "description": self.description, "kind": self.kind,
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// Makes an empty static segment.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, name: &str, description: &str) -> Result<Segment, CrmError> {
    let now = tx.now();
    let segment = Segment {
        id: SegmentId(tx.fresh_id()),
        name: text::title("name", name, NAME_CHARACTERS)?,
        description: text::paragraph("description", description, DESCRIPTION_CHARACTERS)?,
        kind: "static".to_owned(),
        created_at: now,
        updated_at: now,
    };
    let written = tx
        .attempt(
            "INSERT INTO segments (organisation, id, name, description, kind, created_at, updated_at) VALUES ($1, $2, $3, $4, 'static', $5, $5)",
            args![organisation, segment.id, &segment.name, &segment.description, now],
        )
        .await;
    written.map_err(|error| name_taken(error, &segment.name))?;
    let deed =
        audit::Deed { action: "segment.created", subject: "segment", subject_id: segment.id.to_string(), before: Value::Null, after: segment.to_value() };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(segment)
}

/// Changes name or description; `None` leaves it. A change that changes nothing writes nothing.
pub async fn update(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    id: SegmentId,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<Segment, CrmError> {
    tx.lock(vec![*id.0.as_bytes()]).await?;
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("segment", id))?;
    let mut after = before.clone();
    if let Some(name) = name {
        after.name = text::title("name", name, NAME_CHARACTERS)?;
    }
    if let Some(description) = description {
        after.description = text::paragraph("description", description, DESCRIPTION_CHARACTERS)?;
    }
    if after == before {
        return Ok(before);
    }
    after.updated_at = tx.now();
    let written = tx
        .attempt(
            "UPDATE segments SET name = $3, description = $4, updated_at = $5 WHERE organisation = $1 AND id = $2",
            args![organisation, id, &after.name, &after.description, after.updated_at],
        )
        .await;
    written.map_err(|error| name_taken(error, &after.name))?;
    let deed = audit::Deed { action: "segment.updated", subject: "segment", subject_id: id.to_string(), before: before.to_value(), after: after.to_value() };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(after)
}

/// Removes a segment. Its contacts stay; nobody is told that they left.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: SegmentId) -> Result<(), CrmError> {
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("segment", id))?;
    tx.execute("DELETE FROM segment_members WHERE organisation = $1 AND segment_id = $2", args![organisation, id]).await?;
    tx.execute("DELETE FROM segments WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "segment.deleted", subject: "segment", subject_id: id.to_string(), before: before.to_value(), after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(())
}

/// Puts contacts in. Emits `segment.entered` for each who was not in; how many those are.
pub async fn add(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, segment: &Segment, members: &[ContactId]) -> Result<usize, CrmError> {
    let known = known(tx, organisation, members).await?;
    let mut entered = 0;
    let now = tx.now();
    for contact in known {
        let new = tx
            .execute(
                "INSERT INTO segment_members (organisation, segment_id, contact_id, added_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (organisation, segment_id, contact_id) DO NOTHING",
                args![organisation, segment.id, contact.id, now],
            )
            .await?;
        if new > 0 {
            events::emit_segment(tx, organisation, actor, "segment.entered", &contact, segment);
            entered += 1;
        }
    }
    Ok(entered)
}

/// Takes contacts out; those not in are no error. Emits `segment.left` for each who was in; how many those are.
pub async fn remove(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, segment: &Segment, members: &[ContactId]) -> Result<usize, CrmError> {
    let known = known(tx, organisation, members).await?;
    let mut left = 0;
    for contact in known {
        let gone = tx
            .execute("DELETE FROM segment_members WHERE organisation = $1 AND segment_id = $2 AND contact_id = $3", args![organisation, segment.id, contact.id])
            .await?;
        if gone > 0 {
            events::emit_segment(tx, organisation, actor, "segment.left", &contact, segment);
            left += 1;
        }
    }
    Ok(left)
}

async fn known(tx: &mut Tx, organisation: OrganisationId, members: &[ContactId]) -> Result<Vec<contacts::Contact>, CrmError> {
    if members.len() > MEMBERS_AT_ONCE {
        return Err(CrmError::invalid("contacts", format!("at most {MEMBERS_AT_ONCE} contacts at once")));
    }
    let found = contacts::get_many(tx, organisation, members).await?;
    match members.iter().find(|id| found.iter().all(|contact| contact.id != **id)) {
        Some(missing) => Err(CrmError::not_found("contact", missing)),
        None => Ok(found),
    }
}

/// Whether a contact is in a segment.
pub async fn contains(db: &mut impl Query, organisation: OrganisationId, segment: SegmentId, contact: ContactId) -> Result<bool, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT 1 AS one FROM segment_members WHERE organisation = $1 AND segment_id = $2 AND contact_id = $3",
            args![organisation, segment, contact],
        )
        .await?;
    Ok(row.is_some())
}

/// A page of a segment's contacts in order of their ids; `after` is the last of the page before.
pub async fn members(
    db: &mut impl Query,
    organisation: OrganisationId,
    segment: SegmentId,
    after: Option<ContactId>,
    limit: u32,
) -> Result<Vec<contacts::Contact>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT contact_id FROM segment_members WHERE organisation = $1 AND segment_id = $2 AND contact_id > $3 ORDER BY contact_id LIMIT $4",
            args![organisation, segment, after.map_or(uuid::Uuid::nil(), |id| id.0), limit],
        )
        .await?;
    let ids = rows.iter().map(|row| row.get("contact_id")).collect::<Result<Vec<ContactId>, _>>()?;
    contacts::get_many(db, organisation, &ids).await
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: SegmentId) -> Result<Option<Segment>, DatabaseError> {
    let row = db
        .fetch_optional("SELECT id, name, description, kind, created_at, updated_at FROM segments WHERE organisation = $1 AND id = $2", args![organisation, id])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// By name or id, as workflows say it.
pub async fn find(db: &mut impl Query, organisation: OrganisationId, name_or_id: &str) -> Result<Segment, CrmError> {
    let found = if let Some(id) = onward_core::ids::parse::<SegmentId>(name_or_id) {
        get(db, organisation, id).await?
    } else {
        let row = db
            .fetch_optional(
                "SELECT id, name, description, kind, created_at, updated_at FROM segments WHERE organisation = $1 AND name = $2",
                args![organisation, name_or_id.trim()],
            )
            .await?;
        row.as_ref().map(from_row).transpose()?
    };
    found.ok_or_else(|| CrmError::not_found("segment", name_or_id))
}

/// A page, newest first; `before` is the last id of the page before.
pub async fn list(db: &mut impl Query, organisation: OrganisationId, before: Option<SegmentId>, limit: u32) -> Result<Vec<Segment>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT id, name, description, kind, created_at, updated_at FROM segments WHERE organisation = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
            args![organisation, before.map_or(uuid::Uuid::max(), |id| id.0), limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Segments as the engine asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredSegments;

#[onward_core::async_trait]
impl Segments<Tx> for StoredSegments {
    async fn members(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        segment: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SegmentMember>, StepError> {
        let segment = find(tx, organisation, segment).await?;
        let after = after.and_then(onward_core::ids::parse::<ContactId>).map_or(uuid::Uuid::nil(), |id| id.0);
        let rows = tx
            .fetch_all(
                "SELECT m.contact_id, c.timezone FROM segment_members AS m JOIN contacts AS c ON c.organisation = m.organisation AND c.id = m.contact_id
                 WHERE m.organisation = $1 AND m.segment_id = $2 AND m.contact_id > $3 AND c.deleted_at IS NULL ORDER BY m.contact_id LIMIT $4",
                args![organisation, segment.id, after, i64::try_from(limit).unwrap_or(i64::MAX)],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(SegmentMember { contact: row.get::<ContactId>("contact_id")?.to_string(), timezone: row.get("timezone")? }))
            .collect::<Result<_, DatabaseError>>()
            .map_err(StepError::from)
    }
}

fn from_row(row: &Row) -> Result<Segment, DatabaseError> {
    Ok(Segment {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        kind: row.get("kind")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn name_taken(error: DatabaseError, name: &str) -> CrmError {
    if error.is_unique_violation_of("segments") {
        return CrmError::conflict(format!("there is already a segment `{name}`"), vec![]);
    }
    error.into()
}
