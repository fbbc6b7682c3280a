//! Checkpoints: states of long runs, written down, so that their histories need not be read whole (SEMANTICS.md 19). Disposable.

use crate::runs;
use onward_core::{
    OrganisationId, RunId,
    ports::{Checkpoint, ResumedRun, StoreError},
};
use onward_database::{DatabaseError, Query, Rows, Tx, args};
use std::collections::HashMap;

/// Runs from their checkpoints of this revision on, or whole.
pub(crate) async fn resume<Q: Query>(db: &mut Q, ids: &[RunId], revision: u32) -> Result<Vec<Result<ResumedRun, (RunId, StoreError)>>, StoreError> {
    let mut checkpoints = of(db, ids, revision).await?;
    let loaded = runs::load_from(db, ids, |run| checkpoints.get(&run).map_or(0, |checkpoint| checkpoint.seq)).await?;
    Ok(loaded.into_iter().map(|run| run.map(|stored| ResumedRun { checkpoint: checkpoints.remove(&stored.row.id), stored })).collect())
}

async fn of<Q: Query>(db: &mut Q, ids: &[RunId], revision: u32) -> Result<HashMap<RunId, Checkpoint>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT c.* FROM {$1: id uuid} AS r JOIN checkpoints c ON c.run = r.id WHERE c.revision = $2";
    let rows = db.fetch_all(sql, args![Rows::of(ids), revision]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let run_id = row.get("run")?;
        let checkpoint = Checkpoint { organisation: row.get("organisation")?, run_id, seq: row.get("seq")?, revision, content: row.get("state")? };
        found.insert(run_id, checkpoint);
    }
    Ok(found)
}

/// Keeps them. Of a run of which something was erased none is kept: as long as it is in memory, it still knows what that was.
pub(crate) fn keep(tx: &mut Tx, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
    if checkpoints.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new();
    for Checkpoint { organisation, run_id, seq, revision, content } in checkpoints {
        rows.push(args![*run_id, *organisation, *seq as i64, *revision, content.as_str()]);
    }
    tx.leave(
        "INSERT INTO checkpoints (run, organisation, seq, revision, state) SELECT r.run, r.organisation, r.seq, r.revision, r.state
            FROM {$1: run uuid, organisation uuid, seq bigint, revision bigint, state text} AS r
            WHERE NOT EXISTS (SELECT 1 FROM payloads p WHERE p.run = r.run AND p.value IS NULL)
            ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, revision = excluded.revision, state = excluded.state
                WHERE checkpoints.organisation = excluded.organisation",
        args![rows],
    )?;
    Ok(())
}

/// Drops those of these runs.
pub(crate) fn remove(tx: &mut Tx, organisation: OrganisationId, runs: &[RunId]) -> Result<(), DatabaseError> {
    if !runs.is_empty() {
        let sql = "DELETE FROM checkpoints WHERE organisation = $1 AND run IN (SELECT run FROM {$2: run uuid} AS r)";
        tx.leave(sql, args![organisation, Rows::of(runs)])?;
    }
    Ok(())
}
