//! The results of a loop over a long list, read from its history: the run itself keeps only how many there are.

use super::{
    FoldError, State, fold,
    strand::{Group, Progress, Strand, trail_of},
};
use crate::{
    RunId, Value,
    definition::Workflow,
    history::{Entry, Fact},
};

/// What each pass of a `for_each` gave, in the order of its list. `None`: no step of this path is a `for_each` that has ended.
///
/// # Errors
/// The history does not fold.
pub fn loop_results(workflow: &Workflow, run_id: RunId, entries: &[Entry], step: &str) -> Result<Option<Vec<Value>>, FoldError> {
    let ends = |entry: &Entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepCompleted { .. });
    let Some(end) = entries.iter().position(ends) else { return Ok(None) };
    let mut state = State::new(run_id);
    state.keeps_all_outputs = true;
    for entry in &entries[..end] {
        fold(workflow, &mut state, entry)?;
    }
    let Ok(trail) = trail_of(workflow, step) else { return Ok(None) };
    let Some(Group { progress: Progress::Loop(passes), .. }) = state.root.at(&trail).and_then(Strand::group) else { return Ok(None) };
    Ok(passes.items.is_some().then(|| passes.outputs.values().map(|output| Value::clone(output)).collect()))
}
