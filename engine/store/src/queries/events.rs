//! Stored events with what routing noted on them.

use crate::{corrupt, events};
use onward_core::{
    Event, EventId, OrganisationId,
    ports::{RoutingNote, StoreError},
};
use onward_database::{Query, Row, Rows, args};
use std::collections::HashMap;
use uuid::Uuid;

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this type.
    pub kind: Option<String>,
    /// Of this source.
    pub source: Option<String>,
}

/// An event and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NotedEvent {
    /// The event.
    pub event: Event,
    /// What routing noted, in order.
    pub notes: Vec<RoutingNote>,
}

macro_rules! list {
    ($leading:literal) => {
        concat!(
            "SELECT e.*, coalesce(e.data, p.data) AS body FROM events e LEFT JOIN event_payloads p ON p.organisation = e.organisation AND p.event = e.id
                WHERE e.organisation = $1 AND ",
            $leading,
            " AND ($2 IS NULL OR e.type = $2) AND ($3 IS NULL OR e.source = $3) AND e.id < $4 ORDER BY e.id DESC LIMIT $5"
        )
    };
}

/// Events, newest first, at most `limit`, older than `before`.
pub async fn list_events<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    filter: &EventFilter,
    limit: usize,
    before: Option<EventId>,
) -> Result<Vec<NotedEvent>, StoreError> {
    let sql = if filter.kind.is_some() { list!("e.type = $2") } else { list!("true") };
    let before = before.map_or(Uuid::max(), |id| id.0);
    let rows = db.fetch_all(sql, args![organisation, filter.kind.as_deref(), filter.source.as_deref(), before, limit as i64]).await?;
    with_notes(db, organisation, &rows).await
}

/// One event.
pub async fn event<Q: Query>(db: &mut Q, organisation: OrganisationId, id: EventId) -> Result<Option<NotedEvent>, StoreError> {
    let row = db
        .fetch_optional(
            "SELECT e.*, coalesce(e.data, p.data) AS body FROM events e LEFT JOIN event_payloads p ON p.organisation = e.organisation AND p.event = e.id
                WHERE e.organisation = $1 AND e.id = $2",
            args![organisation, id],
        )
        .await?;
    Ok(with_notes(db, organisation, row.as_slice()).await?.pop())
}

async fn with_notes<Q: Query>(db: &mut Q, organisation: OrganisationId, rows: &[Row]) -> Result<Vec<NotedEvent>, StoreError> {
    let found = rows.iter().map(events::event).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let stored = db
        .fetch_all(
            "SELECT n.event, n.note FROM {$2: event uuid} AS r JOIN event_notes n ON n.organisation = $1 AND n.event = r.event ORDER BY n.id",
            args![organisation, Rows::of(found.iter().map(|event| event.event_id))],
        )
        .await?;
    let mut notes: HashMap<EventId, Vec<RoutingNote>> = HashMap::new();
    for row in &stored {
        let event: EventId = row.get("event")?;
        let note = serde_json::from_str(&row.get::<String>("note")?).map_err(|error| corrupt(format!("a note on event {event}"), error))?;
        notes.entry(event).or_default().push(note);
    }
    Ok(found.into_iter().map(|event| NotedEvent { notes: notes.remove(&event.event_id).unwrap_or_default(), event }).collect())
}
