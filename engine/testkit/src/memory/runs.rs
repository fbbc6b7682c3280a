//! Writing transitions and reading histories.

use super::state::{Chunk, State};
use onward_core::{
    RunId,
    history::{self, Entry},
    ports::{Checkpoint, ResumedRun, RunRow, RunStatus, RunWrite, StoreError, StoredRun, Timer},
};
use std::{collections::BTreeMap, sync::Arc};

/// Reads a run's history out of the rows.
pub(super) fn history(rows: &Chunks, run: RunId) -> Result<Vec<Entry>, serde_json::Error> {
    let mut entries = Vec::new();
    for ((_, seq), chunk) in rows.range((run, 0)..=(run, u64::MAX)) {
        entries.extend(history::decode_chunk(*seq, chunk.at, &chunk.text)?);
    }
    Ok(entries)
}

/// Applies one transition.
pub(super) fn write(state: &mut State, write: &RunWrite) -> Result<(), StoreError> {
    let run = write.run_id;
    if let Some(first) = write.entries.first() {
        if state.history.get(&(run, first.seq)).is_some() {
            return Err(StoreError::HistoryConflict { run_id: run, seq: first.seq });
        }
        let text = history::encode_chunk(&write.entries).map_err(|error| StoreError::Failed(error.to_string()))?;
        state.history.put((run, first.seq), Chunk { at: first.at, text: text.into() });
    }
    if let Some(row) = &write.row {
        put_row(state, row);
    }
    for key in &write.timers_cleared {
        state.timers.remove(&(run, key.clone()));
    }
    for (key, due) in &write.timers_set {
        let timer = Timer { run_id: run, organisation: write.organisation, shard: write.shard, key: key.clone(), due: *due };
        state.timers.put((run, key.clone()), timer);
    }
    for target in &write.waits_closed {
        let from = (run, target.clone(), String::new());
        let closed: Vec<_> = state.waits.working().range(from..).take_while(|(key, _)| key.0 == run && key.1 == *target).map(|(key, _)| key.clone()).collect();
        for key in closed {
            if let Some(wait) = state.waits.remove(&key) {
                state.wait_index.remove(&(wait.organisation, wait.correlation.hash, key));
            }
        }
    }
    for wait in &write.waits_opened {
        let key = (run, wait.target.clone(), wait.which.clone());
        if let Some(before) = state.waits.get(&key).cloned() {
            state.wait_index.remove(&(before.organisation, before.correlation.hash, key.clone()));
        }
        state.wait_index.put((wait.organisation, wait.correlation.hash, key.clone()), ());
        state.waits.put(key, Arc::new(wait.clone()));
    }
    for id in &write.inbox_applied {
        remove_inbox(state, *id);
    }
    Ok(())
}

pub(super) fn remove_inbox(state: &mut State, id: i64) {
    state.inbox.remove(&id);
    if let Some(key) = state.inbox_causes.remove(&id) {
        state.inbox_keys.remove(&key);
    }
}

/// Stores a derived row and what follows from it.
pub(super) fn put_row(state: &mut State, row: &RunRow) {
    let before = state.runs.get(&row.id).cloned();
    if before.as_ref().is_some_and(|before| before.organisation != row.organisation) {
        return;
    }
    if let Some(before) = &before {
        state.live.remove(&(before.organisation, before.workflow.clone(), before.key.clone(), before.id));
    }
    let place = (row.organisation, row.workflow.clone(), row.key.clone(), row.id);
    if !row.status.is_final() && row.status != RunStatus::Held {
        state.live.put(place, ());
    }
    // A key that is the run's own id never comes again.
    if let (true, Some(ended_at)) = (row.status.is_final() && row.key != row.id.to_string(), row.ended_at) {
        let key = (row.organisation, row.workflow.clone(), row.key.clone());
        if state.last_ended.get(&key).is_none_or(|before| *before < ended_at) {
            state.last_ended.put(key, ended_at);
        }
    }
    // What a run began with does not change; what is held has not begun.
    let begun = before.filter(|before| before.status != RunStatus::Held);
    let (input, event_id) = begun.map_or_else(|| (row.input.clone(), row.event_id), |begun| (begun.input.clone(), begun.event_id));
    state.runs.put(row.id, Arc::new(RunRow { input, event_id, ..row.clone() }));
}

type Rows = BTreeMap<RunId, Arc<RunRow>>;
type Chunks = BTreeMap<(RunId, u64), Chunk>;

/// A run with its history, out of these rows.
pub(super) fn load(runs: &Rows, chunks: &Chunks, id: RunId) -> Option<Result<StoredRun, (RunId, StoreError)>> {
    let row = runs.get(&id)?;
    Some(match history(chunks, id) {
        Ok(entries) => Ok(StoredRun { row: RunRow::clone(row), entries }),
        Err(error) => Err((id, StoreError::Corrupt { what: format!("run {id}"), reason: error.to_string() })),
    })
}

/// A run from its checkpoint of this revision on, or whole.
pub(super) fn resume(
    (runs, chunks, checkpoints): (&Rows, &Chunks, &BTreeMap<RunId, Checkpoint>),
    id: RunId,
    revision: u32,
) -> Option<Result<ResumedRun, (RunId, StoreError)>> {
    let checkpoint = checkpoints.get(&id).filter(|checkpoint| checkpoint.revision == revision).cloned();
    let resumed = |mut stored: StoredRun| {
        if let Some(checkpoint) = &checkpoint {
            stored.entries.retain(|entry| entry.seq >= checkpoint.seq);
        }
        ResumedRun { stored, checkpoint }
    };
    Some(load(runs, chunks, id)?.map(resumed))
}
