//! Checkpoints of long runs: written in the commit that they are of, used when the run is taken up again (SEMANTICS.md 19).

use crate::{
    Registry,
    advance::{entry_bytes, touches_personal},
    batch::Batch,
    engine::Engine,
    live::Live,
};
use onward_core::{
    OrganisationId, RunId,
    definition::Workflow,
    history::{Entry, Fact},
    machine::{self, FoldError, State, Unfit},
    ports::{Checkpoint, ResumedRun, Store, StoreError, StoredRun, Transaction},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What was last written down of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept {
    /// The last entry in it; 0: nothing was.
    seq: u64,
    /// Its own bytes.
    bytes: usize,
    /// Bytes of the history up to it.
    history_bytes: usize,
}

/// What a checkpoint holds besides the state: what only the whole history would tell.
#[derive(Serialize)]
struct Written<'a> {
    history_bytes: usize,
    personal: bool,
    state: &'a State,
}
#[derive(Deserialize)]
struct Read {
    history_bytes: usize,
    personal: bool,
    state: State,
}

/// A run as it is taken up.
pub(crate) struct Resumed {
    pub(crate) state: State,
    /// About how many bytes its history has.
    pub(crate) history_bytes: usize,
    pub(crate) personal: bool,
    pub(crate) kept: Kept,
}

impl<S: Store> Engine<S> {
    /// Checkpoints of the runs that came far since their last one, in the transaction that writes their entries. Nothing that
    /// fails here but the store itself touches the run: a state that cannot be written down is folded again.
    pub(crate) fn checkpoints(&mut self, batch: &Batch<S::Tx>) -> Vec<Checkpoint> {
        let (every, cost) = (self.shared.limits.checkpoint_every, self.shared.limits.checkpoint_cost);
        let mut checkpoints = Vec::new();
        for (run_id, entries) in batch.writing() {
            let going_on = |live: &&mut Live| live.state.seq >= every && !live.state.status.is_final();
            let Some(live) = self.runs.get_mut(run_id).filter(going_on) else { continue };
            // Behind these, an older one is of no use.
            let anew = entries.iter().any(|entry| matches!(entry.fact, Fact::Reopened { .. } | Fact::Migrated { .. }));
            let grown = live.history_bytes.saturating_sub(live.kept.history_bytes);
            if !anew && (live.state.seq < live.kept.seq + every || grown.saturating_mul(cost) < live.kept.bytes) {
                continue;
            }
            checkpoints.extend(checkpoint(live));
        }
        checkpoints
    }

    /// The long runs that end in this transaction, by organisation: nobody takes those up where they stood.
    pub(crate) fn outlived_checkpoints(&self, batch: &Batch<S::Tx>) -> BTreeMap<OrganisationId, Vec<RunId>> {
        let mut outlived: BTreeMap<OrganisationId, Vec<RunId>> = BTreeMap::new();
        for (run_id, _) in batch.writing() {
            let ended = |live: &&Live| live.state.status.is_final() && live.state.seq >= self.shared.limits.checkpoint_every;
            if let Some(live) = self.runs.get(run_id).filter(ended) {
                outlived.entry(live.organisation).or_default().push(run_id);
            }
        }
        outlived
    }

    /// The state of a run that is taken up: from its checkpoint where that fits, else from its first entry. The inner error says
    /// why there is none.
    pub(crate) async fn state_of(&mut self, tx: &mut S::Tx, workflow: &Workflow, run: &ResumedRun) -> Result<Result<Resumed, String>, StoreError> {
        let run_id = run.stored.row.id;
        match (resumed(workflow, run, &self.shared.nodes), &run.checkpoint) {
            (resumed, None) => return Ok(resumed),
            (Ok(resumed), Some(_)) => return Ok(Ok(resumed)),
            (Err(reason), Some(checkpoint)) => {
                metrics::counter!("onward_checkpoints_total", "use" => "unfit").increment(1);
                tracing::warn!(run = %run_id, seq = checkpoint.seq, reason, "a checkpoint does not fit; the whole history is read");
            }
        }
        let store = Arc::clone(&self.shared.store);
        Ok(match store.load_runs(tx, &[run_id]).await?.pop() {
            Some(Ok(whole)) => from_the_beginning(workflow, &whole, &self.shared.nodes),
            Some(Err((_, error))) => Err(error.to_string()),
            None => Err("it is gone".into()),
        })
    }
}

/// The state of a run from its checkpoint, if there is one, else from its first entry.
pub(crate) fn resumed<T: Transaction>(workflow: &Workflow, run: &ResumedRun, nodes: &Registry<T>) -> Result<Resumed, String> {
    let Some(checkpoint) = &run.checkpoint else { return from_the_beginning(workflow, &run.stored, nodes) };
    let resumed = from_checkpoint(workflow, &run.stored, checkpoint, nodes)?;
    metrics::counter!("onward_checkpoints_total", "use" => "used").increment(1);
    Ok(resumed)
}

/// Writes a run's state down.
fn checkpoint(live: &mut Live) -> Option<Checkpoint> {
    let written = Written { history_bytes: live.history_bytes, personal: live.personal, state: &live.state };
    let content = serde_json::to_string(&written).ok()?;
    live.kept = Kept { seq: live.state.seq, bytes: content.len(), history_bytes: live.history_bytes };
    metrics::counter!("onward_checkpoints_total", "use" => "written").increment(1);
    let revision = machine::checkpoint_revision();
    Some(Checkpoint { organisation: live.organisation, run_id: live.state.run_id, seq: live.state.seq, revision, content })
}

pub(crate) fn from_checkpoint<T: Transaction>(
    workflow: &Workflow,
    stored: &StoredRun,
    checkpoint: &Checkpoint,
    nodes: &Registry<T>,
) -> Result<Resumed, String> {
    let row = &stored.row;
    if checkpoint.organisation != row.organisation {
        return Err("it is of another organisation".into());
    }
    let Read { history_bytes, personal, state } =
        serde_json::from_str(&checkpoint.content).map_err(|error| Unfit::Unreadable(error.to_string()).to_string())?;
    if state.seq != checkpoint.seq {
        return Err(format!("its state is that of entry {}", state.seq));
    }
    let behind = stored.entries.get(1..).unwrap_or_default();
    let kept = Kept { seq: checkpoint.seq, bytes: checkpoint.content.len(), history_bytes };
    let state = guarded(|| machine::fold_from(workflow, row.id, row.version, state, &stored.entries))?;
    let history_bytes = history_bytes.saturating_add(bytes_of(behind));
    Ok(Resumed { personal: personal || is_personal(&state, behind, nodes), state, history_bytes, kept })
}

fn from_the_beginning<T: Transaction>(workflow: &Workflow, stored: &StoredRun, nodes: &Registry<T>) -> Result<Resumed, String> {
    let state = guarded(|| machine::fold_all(workflow, stored.row.id, &stored.entries).map_err(|error: FoldError| Unfit::Fold(error)))?;
    let personal = is_personal(&state, &stored.entries, nodes);
    Ok(Resumed { state, history_bytes: bytes_of(&stored.entries), personal, kept: Kept::default() })
}

fn is_personal<T: Transaction>(state: &State, entries: &[Entry], nodes: &Registry<T>) -> bool {
    state.bindings.contains_key("contact") || touches_personal(entries, nodes)
}

fn bytes_of(entries: &[Entry]) -> usize {
    entries.iter().map(entry_bytes).sum()
}

fn guarded(fold: impl FnOnce() -> Result<State, Unfit>) -> Result<State, String> {
    match catch_unwind(AssertUnwindSafe(fold)) {
        Ok(folded) => folded.map_err(|unfit| unfit.to_string()),
        Err(_) => Err("reading its history panicked; report this as a bug".into()),
    }
}
