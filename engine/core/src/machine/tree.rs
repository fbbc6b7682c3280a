//! How the tree of strands changes: a step is occupied, left, failed or removed, and what has come to its end is settled.
//! Evaluates nothing; used by the fold alone, but for the beginning of passes.

use super::{
    fold::error_output,
    journal::SCRIPT_STEP,
    leaf::Leaf,
    state::{Cause, Ending, State},
    strand::{Attempt, Ended, Group, Member, Progress, Stage, Standing, Strand, Trail, View, block_of, place_of, trail_to},
};
use crate::{
    StepError, Timestamp, Value,
    definition::{Step, Verb, Workflow},
    history::StepPath,
    limits,
};
use std::sync::Arc;

/// The step of a path, the strand that stands at it, and the trail to that; an error when none does.
pub(super) fn locate<'w, 's>(workflow: &'w Workflow, root: &'s mut Strand, path: &str) -> Result<(&'w Step, &'s mut Strand, Trail), String> {
    let (_, place) = place_of(workflow, path)?;
    let trail = trail_to(place, path)?;
    let step = block_of(workflow, &trail).and_then(|block| block.steps.get(place.index)).ok_or_else(|| format!("this version has no step {path}"))?;
    match root.at_mut(&trail) {
        Some(strand) if strand.index == place.index => Ok((step, strand, trail)),
        _ => Err(format!("the run does not stand at step {path}")),
    }
}

/// Puts a step in progress.
pub(super) fn occupy(workflow: &Workflow, state: &mut State, path: &StepPath, leaf: Leaf) -> Result<(), String> {
    if workflow.script.is_some() {
        state.script.occupy(path, &leaf)?;
        state.leaves.insert(Arc::clone(path), leaf);
        return Ok(());
    }
    let (_, strand, _) = locate(workflow, &mut state.root, path)?;
    if !matches!(strand.standing, Standing::Free) {
        return Err(format!("step {path} is already in progress"));
    }
    strand.standing = Standing::Busy;
    state.leaves.insert(Arc::clone(path), leaf);
    Ok(())
}

/// Goes into a branch of `if`, `choose` or `split`; an empty one is left at once.
pub(super) fn enter(workflow: &Workflow, state: &mut State, path: &StepPath, branch: &str, output: Value) -> Result<(), String> {
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    let part = step.verb.part_named(branch).ok_or_else(|| format!("step {path} has no branch {branch}"))?;
    if !matches!(strand.standing, Standing::Free) {
        return Err(format!("step {path} is already in progress"));
    }
    let member = Member { part, pass: 0 };
    let mut group = Group::of(Progress::Branch);
    group.strands.insert(member, Strand::new(None));
    strand.standing = Standing::Inside(Box::new(group));
    let mut inner = trail.clone();
    inner.push((strand.index, member));
    put(state, &trail, step, output.into());
    settle(workflow, state, inner);
    Ok(())
}

/// Begins `parallel` with all its branches, or `try` with its steps.
pub(super) fn begin_parts(workflow: &Workflow, state: &mut State, trail: &Trail, step: &Step) {
    let outputs = state.root.view(trail).map(|view| Arc::clone(&view.outputs)).unwrap_or_default();
    let vars = state.root.variables(trail).map(Arc::clone);
    let Some(strand) = state.root.at_mut(trail) else { return };
    let index = strand.index;
    let group = if let Verb::Parallel { branches, .. } = &step.verb {
        let mut group = Group::of(Progress::Parallel(Vec::new()));
        for part in 0..branches.len() {
            let view = View { outputs: Arc::clone(&outputs), vars: vars.clone(), ..View::default() };
            group.strands.insert(Member { part, pass: 0 }, Strand::new(Some(view)));
        }
        group
    } else {
        let mut group = Group::of(Progress::Try(Box::new(Attempt { stage: Stage::Trying, error: None, caught: None })));
        group.strands.insert(Member { part: 0, pass: 0 }, Strand::new(None));
        group
    };
    let members: Vec<Member> = group.strands.keys().copied().collect();
    strand.standing = Standing::Inside(Box::new(group));
    for member in members {
        let mut inner = trail.clone();
        inner.push((index, member));
        settle(workflow, state, inner);
    }
}

/// Goes on in a `try` with a clause of `catch`, or with `finally`.
pub(super) fn go_on_with(workflow: &Workflow, state: &mut State, trail: &Trail, step: &Step, part: usize) {
    let Some(strand) = state.root.at_mut(trail) else { return };
    let index = strand.index;
    let Some(group) = strand.group_mut() else { return };
    let Progress::Try(attempt) = &mut group.progress else { return };
    let member = Member { part, pass: 0 };
    if step.verb.finally() == Some(part) {
        attempt.stage = Stage::Finally;
    } else {
        attempt.stage = Stage::Catching;
        attempt.caught = attempt.error.take();
    }
    group.strands.clear();
    group.strands.insert(member, Strand::new(None));
    let mut inner = trail.clone();
    inner.push((index, member));
    settle(workflow, state, inner);
}

/// Ends a step with its output; branches that end with it are left too.
pub(super) fn leave(workflow: &Workflow, state: &mut State, path: &StepPath, output: impl Into<Arc<Value>>) -> Result<(), String> {
    let output = output.into();
    if workflow.script.is_some() {
        state.leaves.remove(path);
        state.scope_bytes += state.script.settle(path, Ok(output), state.at)?;
        return Ok(());
    }
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    strand.standing = Standing::Free;
    strand.index += 1;
    state.leaves.remove(path);
    put(state, &trail, step, output);
    settle(workflow, state, trail);
    Ok(())
}

fn put(state: &mut State, trail: &Trail, step: &Step, output: Arc<Value>) {
    let Some(view) = state.root.view_mut(trail) else { return };
    let before = view.bytes;
    view.put(&step.key, output);
    let grown = view.bytes - before;
    state.scope_bytes += grown;
}

/// Ends the strand at the end of the trail when it has no more steps, and those around it that end with it.
pub(super) fn settle(workflow: &Workflow, state: &mut State, mut trail: Trail) {
    loop {
        let Some(block) = block_of(workflow, &trail) else { return };
        let most = most_outputs(state);
        let Some(strand) = state.root.at(&trail) else { return };
        if !matches!(strand.standing, Standing::Free) || strand.index < block.steps.len() {
            return;
        }
        let Some((_, member)) = trail.pop() else { return };
        let Some(around) = state.root.at_mut(&trail) else { return };
        let Some(group) = around.group_mut() else { return };
        let Some(ended) = group.strands.remove(&member) else { return };
        match &mut group.progress {
            Progress::Branch => {
                around.standing = Standing::Free;
                around.index += 1;
            }
            Progress::Parallel(all) => {
                all.push((member.part, Ended::Well(ended.view.unwrap_or_default())));
                return;
            }
            Progress::Loop(passes) => {
                passes.ended += 1;
                let Some(view) = ended.view else { return };
                if let Some(length) = passes.length() {
                    let last = block.steps.last().and_then(|step| view.outputs.get(&step.key));
                    if length <= most {
                        passes.outputs.insert(member.pass, last.map(Arc::clone).unwrap_or_default());
                    }
                    state.scope_bytes = state.scope_bytes.saturating_sub(view.bytes);
                } else {
                    let before = passes.last.replace(view).map_or(0, |view| view.bytes);
                    state.scope_bytes = state.scope_bytes.saturating_sub(before);
                }
                return;
            }
            Progress::Try(attempt) => {
                attempt.stage = if attempt.stage == Stage::Finally { Stage::Over } else { Stage::Ended };
                return;
            }
        }
    }
}

/// How long a list may be so that the outputs of its passes are kept.
fn most_outputs(state: &State) -> u64 {
    if state.keeps_all_outputs { u64::MAX } else { limits::LOOP_OUTPUTS as u64 }
}

/// Fails a step: its strand ends badly, and so do those around it up to one that can do something about it. What becomes of a
/// failed call is its script's to say.
pub(super) fn fail(workflow: &Workflow, state: &mut State, path: &StepPath, error: &StepError, at: Timestamp) -> Result<(), String> {
    if workflow.script.is_some() {
        if &**path == SCRIPT_STEP {
            state.ending.get_or_insert_with(|| Ending { cause: Cause::Failed(error.clone()), at });
            return Ok(());
        }
        state.leaves.remove(path);
        state.script.settle(path, Err(error), at)?;
        return Ok(());
    }
    let (_, strand, mut trail) = locate(workflow, &mut state.root, path)?;
    strand.standing = Standing::Free;
    state.leaves.remove(path);
    let most = most_outputs(state);
    loop {
        let Some((index, member)) = trail.pop() else {
            state.ending.get_or_insert_with(|| Ending { cause: Cause::Failed(error.clone()), at });
            return Ok(());
        };
        let step = block_of(workflow, &trail).and_then(|block| block.steps.get(index)).ok_or_else(|| format!("this version has no step around {path}"))?;
        let around = state.root.at_mut(&trail).ok_or_else(|| format!("the run does not stand at step {path}"))?;
        let Some(group) = around.group_mut() else { return Err(format!("step {} has no steps in progress", step.key)) };
        let ended = group.strands.remove(&member);
        match &mut group.progress {
            Progress::Branch => {
                around.standing = Standing::Free;
                if step.continue_on_error {
                    around.index += 1;
                    put(state, &trail, step, error_output(error).into());
                    settle(workflow, state, trail);
                    return Ok(());
                }
            }
            Progress::Parallel(all) => {
                all.push((member.part, Ended::Badly(error.clone())));
                return Ok(());
            }
            Progress::Loop(passes) => {
                passes.ended += 1;
                let bytes = ended.and_then(|strand| strand.view).map_or(0, |view| view.bytes);
                state.scope_bytes = state.scope_bytes.saturating_sub(bytes);
                if matches!(&step.verb, Verb::ForEach(for_each) if for_each.continue_on_item_error) {
                    passes.failed += 1;
                    if passes.length().is_some_and(|length| length <= most) {
                        passes.outputs.insert(member.pass, Arc::new(error_output(error)));
                    }
                } else {
                    passes.error.get_or_insert_with(|| error.clone());
                }
                return Ok(());
            }
            Progress::Try(attempt) => {
                attempt.stage = match attempt.stage {
                    Stage::Trying => Stage::Failed,
                    Stage::Finally => Stage::Over,
                    _ => Stage::Ended,
                };
                attempt.error = Some(error.clone());
                return Ok(());
            }
        }
    }
}

/// Takes a cancelled step away, with the strand that stood at it: nothing of it goes on.
pub(super) fn remove(workflow: &Workflow, state: &mut State, path: &StepPath) -> Result<(), String> {
    if workflow.script.is_some() {
        return Ok(());
    }
    let (_, strand, mut trail) = locate(workflow, &mut state.root, path)?;
    strand.standing = Standing::Free;
    while let Some((_, member)) = trail.pop() {
        let around = state.root.at_mut(&trail).ok_or_else(|| format!("the run does not stand at step {path}"))?;
        let Some(group) = around.group_mut() else { break };
        group.strands.remove(&member);
        if !matches!(group.progress, Progress::Branch) {
            break;
        }
        around.standing = Standing::Free;
    }
    Ok(())
}

/// Begins the passes of loops that a trail goes through and that have not begun.
pub(super) fn begin_missing_passes(workflow: &Workflow, state: &mut State, trail: &Trail) {
    for (depth, (index, member)) in trail.iter().enumerate() {
        if member.pass == 0 {
            continue;
        }
        let Some(before) = trail.get(..depth) else { return };
        let next = state.root.at(before).filter(|strand| strand.index == *index).and_then(Strand::group).and_then(|group| match &group.progress {
            Progress::Loop(passes) if passes.items.is_some() && !group.strands.contains_key(member) => Some(passes.begun + 1),
            _ => None,
        });
        if next == Some(member.pass) {
            begin_pass(workflow, state, before);
        }
    }
}

/// Begins the next pass of the loop at which the strand at the end of the trail stands.
pub(super) fn begin_pass(workflow: &Workflow, state: &mut State, trail: &[(usize, Member)]) {
    let outputs = state.root.view(trail).map(|view| Arc::clone(&view.outputs)).unwrap_or_default();
    let Some(strand) = state.root.at_mut(trail) else { return };
    let index = strand.index;
    let item_name = match block_of(workflow, trail).and_then(|block| block.steps.get(index)).map(|step| &step.verb) {
        Some(Verb::ForEach(for_each)) => Some(&for_each.name),
        _ => None,
    };
    let Some(group) = strand.group_mut() else { return };
    let Progress::Loop(passes) = &mut group.progress else { return };
    passes.begun += 1;
    let pass = passes.begun;
    if let Some(view) = passes.last.take() {
        state.scope_bytes = state.scope_bytes.saturating_sub(view.bytes);
    }
    let view = View { outputs, locals: passes.locals(pass, item_name), ..View::default() };
    let member = Member { part: 0, pass };
    group.strands.insert(member, Strand::new(Some(view)));
    let mut inner = trail.to_vec();
    inner.push((index, member));
    settle(workflow, state, inner);
}
