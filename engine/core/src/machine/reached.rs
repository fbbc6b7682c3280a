//! Where the script of a recorded run has been: it is run once more against what is recorded.

use super::{FoldError, fold::fold_all, script::start_of, state::State};
use crate::{
    RunId,
    definition::Workflow,
    history::Entry,
    ports::{Answer, DurableCall, Journal, ScriptBudget, ScriptStanding},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The line and column, from 1, of each call of a durable function that the script of a run has come to; none where the workflow
/// is no script.
///
/// # Errors
/// The history does not fold.
pub fn sites_reached(workflow: &Workflow, run_id: RunId, entries: &[Entry]) -> Result<BTreeSet<(u32, u32)>, FoldError> {
    let Some(script) = &workflow.script else { return Ok(BTreeSet::new()) };
    let state: State = fold_all(workflow, run_id, entries)?;
    let noting = Arc::new(Noting { calls: Arc::clone(&state.script.calls) as Arc<dyn Journal>, sites: Mutex::default() });
    let journal = Arc::clone(&noting) as Arc<dyn Journal>;
    // However far it comes is how far the run has come.
    drop(script.program.advance(&start_of(&state), journal, &mut ScriptStanding::default(), &ScriptBudget::unlimited()));
    let sites = std::mem::take(&mut *noting.sites.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(sites)
}

/// The journal of a run, and where its script calls.
struct Noting {
    calls: Arc<dyn Journal>,
    sites: Mutex<BTreeSet<(u32, u32)>>,
}

impl Journal for Noting {
    fn answer(&self, key: &str, call: &DurableCall) -> Answer {
        self.calls.answer(key, call)
    }

    fn reached(&self, line: u32, column: u32) {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner).insert((line, column));
    }
}
