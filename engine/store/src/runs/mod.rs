//! Runs: their derived rows, and the loading of histories.

pub(crate) mod write;

use crate::{corrupt, leases, payloads, payloads::Known};
use onward_core::{
    OrganisationId, RunId, Value,
    history::{Entry, StepPath},
    ports::{KeyState, Lease, RunRow, RunStatus, StoreError, StoredRun, Transaction as _},
};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::HashMap;

/// Runs with their histories in three statements at most, in the order asked for.
pub(crate) async fn load<Q: Query>(db: &mut Q, ids: &[RunId]) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
    load_from(db, ids, |_| 0).await
}

/// The same, each with its entries from one of its own on.
pub(crate) async fn load_from<Q: Query>(
    db: &mut Q,
    ids: &[RunId],
    from: impl Fn(RunId) -> u64,
) -> Result<Vec<Result<StoredRun, (RunId, StoreError)>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db.fetch_all("SELECT runs.* FROM {$1: id uuid} AS r JOIN runs ON runs.id = r.id", args![Rows::of(ids)]).await?;
    let chunks = if ids.iter().all(|id| from(*id) == 0) {
        db.fetch_all("SELECT h.* FROM {$1: id uuid} AS r JOIN history h ON h.run = r.id ORDER BY h.run, h.seq", args![Rows::of(ids)]).await?
    } else {
        let wanted: Rows = ids.iter().map(|id| args![*id, from(*id) as i64]).collect();
        // A row holds one entry at least: the first that is wanted may be in one that begins before it.
        db.fetch_all(
            "SELECT h.* FROM {$1: id uuid, first bigint} AS r JOIN history h
                ON h.run = r.id AND h.seq >= coalesce((SELECT max(seq) FROM history WHERE run = r.id AND seq <= r.first), 0) ORDER BY h.run, h.seq",
            args![wanted],
        )
        .await?
    };
    let mut found: HashMap<RunId, (&Row, Vec<Chunk>)> = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(row.get("id")?, (row, Vec::new()));
    }
    for row in &chunks {
        let chunk = Chunk::read(row)?;
        if let Some((_, chunks)) = found.get_mut(&chunk.run) {
            chunks.push(chunk);
        }
    }
    let (mut referring, mut named) = (Vec::new(), Rows::new());
    for (id, (row, chunks)) in &found {
        if from(*id) > 0 {
            // Of a long history's end, what it names and no more.
            let texts = chunks.iter().map(|chunk| chunk.entries.clone()).chain([row.get("input")?, row.get::<Option<String>>("output")?.unwrap_or_default()]);
            for text in texts {
                payloads::named(&text).for_each(|digest| named.push(args![*id, digest]));
            }
        } else if chunks.iter().any(|chunk| payloads::may_refer(&chunk.entries)) || row_refers(row)? {
            referring.push(*id);
        }
    }
    let known = Known::load(db, referring).await?.and_named(db, named).await?;
    let mut loaded = Vec::with_capacity(found.len());
    for id in ids {
        if let Some((row, chunks)) = found.get(id) {
            let first = from(*id);
            let entries = || entries(chunks, &known).map(|entries| entries.into_iter().filter(|entry| entry.seq >= first).collect());
            let run = read(row, &known).and_then(|row| Ok(StoredRun { row, entries: entries()? }));
            loaded.push(run.map_err(|error| (*id, error)));
        }
    }
    Ok(loaded)
}

/// A row of `history`.
pub(crate) struct Chunk {
    run: RunId,
    seq: u64,
    at: onward_core::Timestamp,
    pub(crate) entries: String,
}

impl Chunk {
    pub(crate) fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { run: row.get("run")?, seq: row.get("seq")?, at: row.get("at")?, entries: row.get("entries")? })
    }
}

/// The entries of these rows, which are of one run and in order.
pub(crate) fn entries(chunks: &[Chunk], known: &Known) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for chunk in chunks {
        entries.extend(known.decode(chunk.run, chunk.seq, chunk.at, &chunk.entries)?);
    }
    Ok(entries)
}

/// Whether the row's own values may lie apart.
pub(crate) fn row_refers(row: &Row) -> Result<bool, DatabaseError> {
    Ok(payloads::may_refer(&row.get::<String>("input")?) || row.get::<Option<String>>("output")?.is_some_and(|output| payloads::may_refer(&output)))
}

/// Reads a row of `runs`.
pub(crate) fn read(row: &Row, known: &Known) -> Result<RunRow, StoreError> {
    let id: RunId = row.get("id")?;
    let what = || format!("run {id}");
    let mut input: Value = row.get("input").map_err(|error| corrupt(what(), error))?;
    let mut output: Value = row.get("output").map_err(|error| corrupt(what(), error))?;
    known.restore(id, &mut input)?;
    known.restore(id, &mut output)?;
    let status: String = row.get("status")?;
    let error: Option<String> = row.get("error")?;
    Ok(RunRow {
        id,
        organisation: row.get("organisation")?,
        shard: row.get("shard")?,
        workflow: row.get("workflow")?,
        version: row.get("version")?,
        key: row.get("key")?,
        status: RunStatus::parse(&status).ok_or_else(|| corrupt(what(), format!("the status `{status}` is unknown")))?,
        contact: row.get("contact")?,
        input,
        output,
        error: error.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| corrupt(what(), error))?,
        exit: row.get("exit")?,
        waiting_on: row.get("waiting_on").map_err(|error| corrupt(what(), error))?,
        questions: row.get("questions").map_err(|error| corrupt(what(), error))?,
        event_id: row.get("event")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        last_seq: row.get("last_seq")?,
        depth: row.get("depth")?,
    })
}

pub(crate) async fn running<Q: Query>(db: &mut Q, leases: &[Lease], after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT id FROM runs WHERE status = 'running' AND shard IN (SELECT shard FROM {$1: shard bigint} AS owned) AND ($2 IS NULL OR id > $2)
                ORDER BY id LIMIT $3",
            args![leases::shards(leases), after, limit as i64],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?)
}

/// Runs of a workflow that wait or are paused, of the first version and not of the second, where those are given.
pub(crate) async fn on_versions<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    workflow: &str,
    (on, not_on): (Option<u32>, Option<u32>),
    after: Option<RunId>,
    limit: usize,
) -> Result<Vec<RunId>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT id FROM runs WHERE organisation = $1 AND workflow = $2 AND status IN ('waiting', 'paused') AND ($3 IS NULL OR version = $3)
                AND ($4 IS NULL OR version <> $4) AND ($5 IS NULL OR id > $5) ORDER BY id LIMIT $6",
            args![organisation, workflow, on, not_on, after, limit as i64],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?)
}

pub(crate) async fn quarantine(tx: &mut Tx, organisation: OrganisationId, run: RunId, reason: &str) -> Result<(), StoreError> {
    let waiting_on = serde_json::json!({ "paused": { "by": "engine", "reason": reason } });
    tx.execute("UPDATE runs SET status = 'paused', waiting_on = $3 WHERE organisation = $1 AND id = $2", args![organisation, run, waiting_on]).await?;
    Ok(())
}

pub(crate) async fn key_state(tx: &mut Tx, organisation: OrganisationId, workflow: &str, key: &str) -> Result<KeyState, StoreError> {
    let live = tx
        .fetch_all(
            "SELECT id FROM runs WHERE organisation = $1 AND workflow = $2 AND key = $3 AND status IN ('running', 'waiting', 'paused') ORDER BY id",
            args![organisation, workflow, key],
        )
        .await?;
    let rest = tx
        .fetch_one(
            "SELECT (SELECT last_ended_at FROM run_keys WHERE organisation = $1 AND workflow = $2 AND key = $3) AS last_ended_at,
                (SELECT id FROM held_starts WHERE organisation = $1 AND workflow = $2 AND key = $3 AND queue NOT IN ('debounce', 'person')
                    ORDER BY id LIMIT 1) AS oldest_held,
                (SELECT id FROM held_starts WHERE organisation = $1 AND workflow = $2 AND key = $3 AND queue NOT IN ('debounce', 'person')
                    ORDER BY id DESC LIMIT 1) AS newest_held",
            args![organisation, workflow, key],
        )
        .await?;
    Ok(KeyState {
        live: live.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?,
        last_ended_at: rest.get("last_ended_at")?,
        oldest_held: rest.get("oldest_held")?,
        newest_held: rest.get("newest_held")?,
    })
}

pub(crate) async fn assign_variant(
    tx: &mut Tx,
    organisation: OrganisationId,
    workflow: &str,
    step: &StepPath,
    by: &str,
    proposal: &str,
) -> Result<(String, bool), StoreError> {
    let now = tx.now();
    let stored = tx
        .execute(
            "INSERT INTO variants (organisation, workflow, step, by, variant, assigned_at) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (organisation, workflow, step, by) DO NOTHING",
            args![organisation, workflow, &**step, by, proposal, now],
        )
        .await?;
    if stored == 1 {
        return Ok((proposal.to_owned(), false));
    }
    let row = tx
        .fetch_one(
            "SELECT variant FROM variants WHERE organisation = $1 AND workflow = $2 AND step = $3 AND by = $4",
            args![organisation, workflow, &**step, by],
        )
        .await?;
    Ok((row.get("variant")?, true))
}
