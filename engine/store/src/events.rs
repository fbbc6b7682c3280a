//! Events: identity, bodies, routing notes, and the index by which waits find early ones.

use crate::{corrupt, to_json};
use onward_core::{
    Event, EventId, NewEvent, OrganisationId, RunId, Timestamp,
    limits::{DEDUPE_DAYS, EVENT_BYTES},
    ports::{Correlation, Inserted, RoutingNote, StoreError, Transaction as _},
};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::{BTreeMap, HashMap};

const DAY_MS: i64 = 86_400_000;

/// Identity of an event within the dedupe table.
type Key = (OrganisationId, [u8; 16]);

pub(crate) async fn insert(tx: &mut Tx, events: Vec<(NewEvent, Vec<Correlation>)>) -> Result<Vec<Inserted>, StoreError> {
    lock(tx, events.iter().flat_map(|(_, correlations)| correlations)).await?;
    let now = tx.now();
    let keys: Vec<Option<Key>> = events.iter().map(|(event, _)| event.dedupe_key().map(|key| (event.organisation, key))).collect();
    let ids: Vec<EventId> = events.iter().map(|_| EventId(tx.fresh_id())).collect();
    // Within the batch the first of a key wins; then the table has its say.
    let mut winners: BTreeMap<Key, EventId> = BTreeMap::new();
    for (key, id) in keys.iter().zip(&ids) {
        if let Some(key) = key {
            winners.entry(*key).or_insert(*id);
        }
    }
    claim_keys(tx, &mut winners, now).await?;

    let (mut bodies, mut large, mut correlated) = (Rows::new(), Rows::new(), Rows::new());
    let mut inserted = Vec::with_capacity(events.len());
    for (((body, correlations), key), event_id) in events.into_iter().zip(keys).zip(ids) {
        if let Some(winner) = key.and_then(|key| winners.get(&key))
            && *winner != event_id
        {
            inserted.push(Inserted::Duplicate(*winner));
            continue;
        }
        let data = to_json(&body.data)?;
        let inline = data.len() <= EVENT_BYTES;
        let mut row = args![body.organisation, event_id, now, &*body.kind, &*body.source, body.id.as_deref(), body.subject.as_deref()];
        row.push(body.time);
        row.push(body.cause);
        row.push(body.depth);
        row.push(inline.then_some(&*data));
        bodies.push(row);
        if !inline {
            large.push(args![body.organisation, event_id, data]);
        }
        for correlation in correlations {
            correlated.push(args![body.organisation, correlation.hash, now, event_id]);
        }
        inserted.push(Inserted::Stored(Event { event_id, taken_in_at: now, body }));
    }
    if !bodies.is_empty() {
        tx.leave(
            "INSERT INTO events (organisation, id, taken_in_at, type, source, external_id, subject, time, cause, depth, data)
                SELECT r.organisation, r.id, r.taken_in_at, r.type, r.source, r.external_id, r.subject, r.time, r.cause, r.depth, r.data
                FROM {$1: organisation uuid, id uuid, taken_in_at bigint, type text, source text, external_id text, subject text, time bigint,
                    cause uuid, depth bigint, data json} AS r",
            args![bodies],
        )?;
    }
    if !large.is_empty() {
        tx.leave(
            "INSERT INTO event_payloads (organisation, event, data) SELECT r.organisation, r.event, r.data FROM {$1: organisation uuid, event uuid, data json} AS r",
            args![large],
        )?;
    }
    if !correlated.is_empty() {
        tx.leave(
            "INSERT INTO event_correlations (organisation, hash, taken_in_at, event) SELECT r.organisation, r.hash, r.taken_in_at, r.event
                FROM {$1: organisation uuid, hash bytes, taken_in_at bigint, event uuid} AS r WHERE true ON CONFLICT DO NOTHING",
            args![correlated],
        )?;
    }
    Ok(inserted)
}

/// Stores the keys that are new or forgotten, and replaces the ids of the others by those of the events that came first.
async fn claim_keys(tx: &mut Tx, winners: &mut BTreeMap<Key, EventId>, now: Timestamp) -> Result<(), StoreError> {
    if winners.is_empty() {
        return Ok(());
    }
    let forgotten = now.plus_millis(-DEDUPE_DAYS * DAY_MS);
    let rows: Rows = winners.iter().map(|((organisation, key), event)| args![organisation, key, event, now]).collect();
    let claimed = tx
        .execute(
            "INSERT INTO event_keys (organisation, key, event, taken_in_at)
                SELECT r.organisation, r.key, r.event, r.taken_in_at FROM {$1: organisation uuid, key bytes, event uuid, taken_in_at bigint} AS r WHERE true
                ON CONFLICT (organisation, key) DO UPDATE SET event = excluded.event, taken_in_at = excluded.taken_in_at
                WHERE event_keys.taken_in_at <= $2",
            args![rows, forgotten],
        )
        .await?;
    if claimed == winners.len() as u64 {
        return Ok(());
    }
    let rows: Rows = winners.keys().map(|(organisation, key)| args![organisation, key]).collect();
    let stored = tx
        .fetch_all(
            "SELECT k.organisation, k.key, k.event FROM {$1: organisation uuid, key bytes} AS r
                JOIN event_keys k ON k.organisation = r.organisation AND k.key = r.key",
            args![rows],
        )
        .await?;
    for row in &stored {
        winners.insert((row.get("organisation")?, row.get("key")?), row.get("event")?);
    }
    Ok(())
}

pub(crate) fn note(tx: &mut Tx, notes: &[(OrganisationId, EventId, RoutingNote)]) -> Result<(), StoreError> {
    if notes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new();
    for (place, (organisation, event, note)) in (0_i64..).zip(notes) {
        let (kind, run) = match note {
            RoutingNote::Started { run_id, .. } => ("started", Some(*run_id)),
            RoutingNote::TriggerError { .. } => ("trigger_error", None),
            RoutingNote::Suppressed { .. } => ("suppressed", None),
            RoutingNote::Held { .. } => ("held", None),
            RoutingNote::Delivered { run_id, .. } => ("delivered", Some(*run_id)),
        };
        rows.push(args![place, organisation, event, kind, run, to_json(note)?]);
    }
    tx.leave(
        // That the event is its organisation's is looked at by whoever reads: it may be stored by this very statement.
        "INSERT INTO event_notes (organisation, event, kind, run, note) SELECT r.organisation, r.event, r.kind, r.run, r.note
            FROM {$1: place bigint, organisation uuid, event uuid, kind text, run uuid, note json} AS r ORDER BY r.place",
        args![rows],
    )?;
    Ok(())
}

pub(crate) async fn by_ids<Q: Query>(db: &mut Q, organisation: OrganisationId, ids: &[EventId]) -> Result<Vec<Event>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db
        .fetch_all(
            // The list first: without statistics the planner would walk all events of the organisation past it.
            "SELECT e.*, coalesce(e.data, p.data) AS body FROM {$2: id uuid} AS r CROSS JOIN events e
                LEFT JOIN event_payloads p ON p.organisation = e.organisation AND p.event = e.id
                WHERE e.organisation = $1 AND e.id = r.id",
            args![organisation, Rows::of(ids)],
        )
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let event = event(row)?;
        found.insert(event.event_id, event);
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

pub(crate) async fn runs_of(tx: &mut Tx, organisation: OrganisationId, event: EventId) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT n.run FROM events e JOIN event_notes n ON n.organisation = e.organisation AND n.event = e.id
        WHERE e.organisation = $1 AND e.id = $2 AND n.kind = 'started' ORDER BY n.id";
    let rows = tx.fetch_all(sql, args![organisation, event]).await?;
    Ok(rows.iter().map(|row| row.get("run")).collect::<Result<_, _>>()?)
}

/// No wake-up is lost: storing an event and opening a wait lock the buckets that they touch, so that the second to commit sees
/// the first (SEMANTICS.md 3).
async fn lock<'c>(tx: &mut Tx, correlations: impl IntoIterator<Item = &'c Correlation>) -> Result<(), StoreError> {
    tx.lock(correlations.into_iter().map(|correlation| correlation.hash).collect()).await?;
    Ok(())
}

pub(crate) async fn early(
    tx: &mut Tx,
    organisation: OrganisationId,
    correlation: &Correlation,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    lock(tx, [correlation]).await?;
    let rows = tx
        .fetch_all(
            "SELECT e.*, coalesce(e.data, p.data) AS body FROM event_correlations c JOIN events e ON e.organisation = c.organisation AND e.id = c.event
                LEFT JOIN event_payloads p ON p.organisation = e.organisation AND p.event = e.id
                WHERE c.organisation = $1 AND c.hash = $2 AND c.taken_in_at >= $3 ORDER BY c.taken_in_at, c.event LIMIT $4",
            args![organisation, correlation.hash, since, limit as i64],
        )
        .await?;
    rows.iter().map(event).collect()
}

/// Reads a row of `events` with its data as `body`.
pub(crate) fn event(row: &Row) -> Result<Event, StoreError> {
    let event_id: EventId = row.get("id")?;
    let read = |row: &Row| -> Result<Event, DatabaseError> {
        Ok(Event {
            event_id,
            taken_in_at: row.get("taken_in_at")?,
            body: NewEvent {
                organisation: row.get("organisation")?,
                kind: row.get("type")?,
                source: row.get("source")?,
                id: row.get("external_id")?,
                subject: row.get("subject")?,
                time: row.get("time")?,
                data: row.get("body")?,
                cause: row.get("cause")?,
                depth: row.get("depth")?,
            },
        })
    };
    read(row).map_err(|error| corrupt(format!("event {event_id}"), error))
}
