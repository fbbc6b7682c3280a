//! Where a run stands once it is taken up again (SEMANTICS.md 27). Evaluates nothing.
//!
//! A run that failed stands again where it stood just before the step that made it fail did so. That step failed the step
//! around it, perhaps much later (a `finally` ran first), and so on outward; what stood beside those steps went on meanwhile
//! and keeps what it has done. So the place is put together from the outside in: beside each step of that chain as it was when
//! that step failed, within it as it was before. What became of calls in flight is taken from what the history says of them
//! since; `finally` blocks that ran on the way out run again when their block ends again.

use super::{
    fold::{FoldError, child_ended, completed, fold},
    leaf::{Leaf, Phase},
    outcomes::rules_of,
    state::State,
    strand::{Standing, Trail, trail_of},
};
use crate::{
    ErrorCode, RunId, StepError, Timestamp,
    definition::Workflow,
    history::{ChildOutcome, Entry, Fact, Forked, StepPath},
    ports::{Effect, ScriptStanding},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// States as they were before certain entries.
pub(super) type Kept = BTreeMap<u64, State>;

/// Folds a whole history and keeps the states before `keep`.
pub(super) fn fold_keeping(workflow: &Workflow, run_id: RunId, entries: &[Entry], keep: &[u64]) -> Result<(State, Kept), FoldError> {
    let reopenings = entries.iter().enumerate().filter(|(_, entry)| matches!(entry.fact, Fact::Reopened { .. }));
    let mut wanted: BTreeSet<u64> = keep.iter().copied().collect();
    for (index, entry) in reopenings {
        if let Fact::Reopened { from, fork: None, .. } = entry.fact {
            wanted.extend(chain(&entries[..index], from).into_iter().map(|link| link.seq));
        }
    }
    let mut kept = Kept::new();
    let mut state = State::new(first_id(run_id, entries));
    let moved = begin_at_move(&mut state, entries)?;
    for (index, entry) in entries.iter().enumerate().skip(moved) {
        if wanted.contains(&entry.seq) {
            kept.insert(entry.seq, state.clone());
        }
        if let Fact::Reopened { from, fork, .. } = &entry.fact {
            let restored = match fork {
                Some(_) => copied(workflow, &state),
                None => restore(workflow, &kept, &entries[..index], *from),
            };
            state.restored = Some(Box::new(restored.map_err(|reason| FoldError { seq: entry.seq, kind: entry.fact.kind(), reason })?));
        }
        fold(workflow, &mut state, entry)?;
    }
    Ok((state, kept))
}

/// A run that came from another version carries its whole state in the entry that moved it last: what was before is of its version
/// (SEMANTICS.md 28). Gives the place of that entry, and lets the state stand before it.
fn begin_at_move(state: &mut State, entries: &[Entry]) -> Result<usize, FoldError> {
    let Some(moved) = entries.iter().rposition(|entry| matches!(entry.fact, Fact::Migrated { .. })) else { return Ok(0) };
    if let Some((entry, expected)) = entries[..moved].iter().zip(1..).find(|(entry, expected)| entry.seq != *expected) {
        return Err(FoldError { seq: entry.seq, kind: entry.fact.kind(), reason: format!("entry {expected} was expected") });
    }
    if let (Some(last), Fact::Migrated { state: carried, .. }) = (moved.checked_sub(1).and_then(|before| entries.get(before)), &entries[moved].fact) {
        (state.seq, state.at) = (last.seq, last.at);
        // A copy of a run may have moved, or a run that moved may have been copied.
        state.run_id = serde_json::from_value(carried["run_id"].clone()).unwrap_or(state.run_id);
    }
    Ok(moved)
}

/// The run that wrote the first entry: another one when this is a fork.
pub(super) fn first_id(run_id: RunId, entries: &[Entry]) -> RunId {
    entries.iter().find_map(|entry| if let Fact::Reopened { fork: Some(fork), .. } = &entry.fact { Some(fork.source) } else { None }).unwrap_or(run_id)
}

/// A step that failed with the error that ended the run.
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) step: StepPath,
}

/// The step that made the run fail and the steps around it that it failed, from the inside out. `from` is the first one's
/// entry.
pub(super) fn chain(entries: &[Entry], from: u64) -> Vec<Link> {
    let since = entries.iter().filter(|entry| entry.seq >= from);
    let Some(Fact::RunFailed { error }) = entries.last().map(|entry| &entry.fact) else { return Vec::new() };
    let links = since.filter(|entry| entry.seq == from || failed_with(entry, error));
    // A script's own failure has no place.
    let links = links.filter(|entry| entry.step.as_ref().is_some_and(|step| !step.starts_with('$')));
    links.filter_map(|entry| Some(Link { seq: entry.seq, step: Arc::clone(entry.step.as_ref()?) })).collect()
}

/// Whether an entry says that its step failed with this error and that the run did not go on from it.
pub(super) fn failed_with(entry: &Entry, with: &StepError) -> bool {
    matches!(&entry.fact, Fact::StepFailed { error, continued: false } if error == with)
}

/// Where the run stands again. `entries` end with the run's failure; `kept` has the states before its chain.
pub(super) fn restore(workflow: &Workflow, kept: &Kept, entries: &[Entry], from: u64) -> Result<State, String> {
    let before = |seq: u64| kept.get(&seq).ok_or_else(|| format!("entry {seq} did not make the run fail"));
    let chain = chain(entries, from);
    let failed = chain.first().map(|link| Arc::clone(&link.step)).ok_or_else(|| format!("entry {from} did not make the run fail"))?;
    let mut state = before(from)?.clone();
    for link in chain.iter().skip(1) {
        let mut around = before(link.seq)?.clone();
        graft(workflow, &mut around, &state, &trail_of(workflow, &link.step)?)?;
        state = around;
    }
    let since = entries.iter().filter(|entry| entry.seq > from);
    let Some(Fact::RunFailed { error }) = entries.last().map(|entry| &entry.fact) else {
        return Err("only a run that failed can be taken up again".into());
    };
    // Steps that were cancelled on the way out stand again; nobody listens for them as cancelled ones any more.
    state.detached.clear();
    settle_calls(workflow, &mut state, &failed, error, since)?;
    // What is known stays known, and what was done for the whole run stays done.
    for entry in entries {
        if let Fact::Bound { record, id } = &entry.fact {
            state.bindings.entry(record.clone()).or_insert_with(|| id.clone());
        }
    }
    state.undo.clear();
    // Its script may stand behind what is taken back.
    state.script.standing = ScriptStanding::default();
    Ok(state)
}

/// Where the copy of a run stands that has come this far: its calls are made again, its children and questions are its own.
pub(super) fn copied(workflow: &Workflow, state: &State) -> Result<State, String> {
    let mut state = state.clone();
    let open: Vec<StepPath> = state.leaves.keys().cloned().collect();
    for path in open {
        match state.leaves.get_mut(&path) {
            Some(Leaf::Node(progress)) if progress.phase == Phase::InFlight => progress.phase = Phase::Again { renew: true },
            Some(Leaf::Child { .. } | Leaf::Ask { .. }) => begin_anew(workflow, &mut state, &path)?,
            _ => {}
        }
    }
    state.detached.clear();
    Ok(state)
}

/// Puts the strand at the end of the trail in place of the same strand of another state, with all that is in progress in it.
fn graft(workflow: &Workflow, around: &mut State, within: &State, trail: &Trail) -> Result<(), String> {
    let strand = within.root.at(trail).ok_or("the run did not stand there")?.clone();
    *around.root.at_mut(trail).ok_or("the run did not stand there")? = strand;
    let is_within = |path: &StepPath| trail_of(workflow, path).is_ok_and(|leaf| leaf.starts_with(trail));
    around.leaves.retain(|path, _| !is_within(path));
    around.leaves.extend(within.leaves.iter().filter(|(path, _)| is_within(path)).map(|(path, leaf)| (Arc::clone(path), leaf.clone())));
    Ok(())
}

/// What became of the calls and children that were on their way is taken over; what did not come to an end is begun again.
fn settle_calls<'e>(
    workflow: &Workflow,
    state: &mut State,
    failed: &StepPath,
    error: &StepError,
    since: impl Iterator<Item = &'e Entry>,
) -> Result<(), String> {
    let mut surely_not = BTreeSet::new();
    for entry in since {
        let Some(path) = entry.step.as_ref().filter(|path| *path != failed) else { continue };
        match (&entry.fact, state.leaves.get(path)) {
            (Fact::StepCompleted { output, .. }, Some(leaf)) if leaf.is_in_flight() => completed(workflow, state, entry, output, None)?,
            (Fact::StepFailed { error, .. }, Some(Leaf::Node(progress)))
                if progress.phase == Phase::InFlight && !may_have_happened(workflow, path, &progress.node, &error.code) =>
            {
                surely_not.insert(Arc::clone(path));
            }
            (
                Fact::ChildEnded { run_id, outcome: outcome @ (ChildOutcome::Completed { .. } | ChildOutcome::Continued { .. }) },
                Some(Leaf::Child { run_id: child, .. }),
            ) if child == run_id => {
                child_ended(workflow, state, path, *run_id, outcome)?;
            }
            _ => {}
        }
    }
    let open: Vec<StepPath> = state.leaves.keys().cloned().collect();
    for path in open {
        match state.leaves.get_mut(&path) {
            Some(Leaf::Node(progress)) if progress.phase == Phase::InFlight => {
                let happened = || may_have_happened(workflow, &path, &progress.node, &error.code);
                let renew = if path == *failed { !happened() } else { surely_not.contains(&path) };
                progress.phase = Phase::Again { renew };
            }
            Some(Leaf::Child { .. }) => begin_anew(workflow, state, &path)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether a call that failed so may have had its effect all the same: then it keeps its idempotency key (SEMANTICS.md 15).
fn may_have_happened(workflow: &Workflow, path: &str, node: &str, code: &ErrorCode) -> bool {
    match rules_of(workflow, path, node).map(|rules| rules.effect) {
        Some(Effect::External) => {
            matches!(code, ErrorCode::OutcomeUnknown | ErrorCode::Timeout | ErrorCode::Unavailable | ErrorCode::RateLimited | ErrorCode::Internal)
        }
        Some(Effect::AtMostOnce) => *code == ErrorCode::OutcomeUnknown,
        Some(Effect::Pure | Effect::Transactional) | None => false,
    }
}

/// A step in progress has not begun.
fn begin_anew(workflow: &Workflow, state: &mut State, path: &StepPath) -> Result<(), String> {
    state.leaves.remove(path);
    let strand = state.root.at_mut(&trail_of(workflow, path)?).ok_or_else(|| format!("the run did not stand at step {path}"))?;
    strand.standing = Standing::Free;
    Ok(())
}

/// The fold of `reopened`: the run stands where [`State::restored`] says.
pub(super) fn reopened(state: &mut State, at: Timestamp, fork: Option<&Forked>) -> Result<(), String> {
    let restored = *state.restored.take().ok_or("nobody said where the run stands again")?;
    let ended = std::mem::replace(state, restored);
    // The time in which nobody worked on the run does not count against the run's own time-out.
    let idle = at.millis_since(ended.at);
    state.deadline = state.deadline.map(|deadline| deadline.plus_millis(idle));
    state.reopens = ended.reopens + 1;
    state.emitted = ended.emitted;
    for (key, listened) in ended.listened {
        state.listened.insert(key, listened);
    }
    state.paused = None;
    state.opening = super::state::Opening::Done;
    // Whoever waited for the end was told of it, or never waited for this run.
    state.parent = None;
    if let Some(fork) = fork {
        state.run_id = fork.run_id;
        if let Some(facts) = Arc::make_mut(&mut state.facts).as_object_mut() {
            facts.insert("id".into(), serde_json::json!(fork.run_id));
        }
    }
    Ok(())
}
