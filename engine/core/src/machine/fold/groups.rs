//! The fold of what becomes of steps with steps inside.

use super::{
    super::{
        state::{State, weight},
        strand::{Ended, Group, Passes, Progress, Standing, View},
        tree::{begin_parts, begin_pass, enter, go_on_with, locate},
    },
    path_of,
};
use crate::{
    Value,
    definition::{Verb, Workflow},
    history::{Entry, StepPath},
};
use std::sync::Arc;

pub(super) fn branch_taken(workflow: &Workflow, state: &mut State, path: &StepPath, branch: &str) -> Result<(), String> {
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    match (&step.verb, &strand.standing) {
        (Verb::Parallel { .. } | Verb::Try { .. }, Standing::Free) => {
            begin_parts(workflow, state, &trail, step);
            Ok(())
        }
        (Verb::Try { .. }, Standing::Inside(_)) => {
            let part = step.verb.part_named(branch).ok_or_else(|| format!("step {path} has no branch {branch}"))?;
            go_on_with(workflow, state, &trail, step, part);
            Ok(())
        }
        _ => {
            let taken = branch.parse::<u64>().map_or_else(|_| Value::from(branch), Value::from);
            enter(workflow, state, path, branch, serde_json::json!({ "taken": taken }))
        }
    }
}

pub(super) fn pass_begun(workflow: &Workflow, state: &mut State, path: &StepPath, index: u64, items: Option<&Value>, times: Option<u64>) -> Result<(), String> {
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    match (&step.verb, &strand.standing) {
        (Verb::ForEach(_), Standing::Free) => {
            let items = items.and_then(Value::as_array).ok_or_else(|| format!("the list of the loop of step {path} is gone"))?;
            let passes = Passes { items: Some(Arc::new(items.iter().cloned().map(Arc::new).collect())), ..Passes::default() };
            strand.standing = Standing::Inside(Box::new(Group::of(Progress::Loop(Box::new(passes)))));
            state.scope_bytes += items.iter().map(weight).sum::<usize>();
            Ok(())
        }
        (Verb::Repeat(_), Standing::Free) if index == 1 => {
            let passes = Passes { times, ..Passes::default() };
            strand.standing = Standing::Inside(Box::new(Group::of(Progress::Loop(Box::new(passes)))));
            begin_pass(workflow, state, &trail);
            Ok(())
        }
        (Verb::Repeat(_), Standing::Inside(group)) if matches!(&group.progress, Progress::Loop(passes) if passes.begun + 1 == index && passes.ended + 1 == index) =>
        {
            begin_pass(workflow, state, &trail);
            Ok(())
        }
        _ => Err(format!("pass {index} of step {path} cannot begin now")),
    }
}

/// A step with steps inside ends: what its branches saw becomes what the strand around sees.
pub(super) fn joined(workflow: &Workflow, state: &mut State, entry: &Entry) -> Result<(), String> {
    let path = path_of(entry)?;
    let (step, strand, trail) = locate(workflow, &mut state.root, path)?;
    if matches!(step.verb, Verb::Do { .. } | Verb::Delay(_) | Verb::WaitFor { .. } | Verb::Ask(_) | Verb::Call { .. }) {
        return Err(format!("step {path} has no attempt in flight"));
    }
    let Some(Group { progress: Progress::Parallel(ended), .. }) = strand.group_mut() else { return Ok(()) };
    let mut views: Vec<(usize, View)> = std::mem::take(ended)
        .into_iter()
        .filter_map(|(part, ended)| match ended {
            Ended::Well(view) => Some((part, *view)),
            Ended::Badly(_) => None,
        })
        .collect();
    views.sort_by_key(|(part, _)| *part);
    for (part, view) in views {
        let keys: Vec<Arc<str>> = match step.verb.part(part) {
            Some(block) => block.steps.iter().flat_map(keys_seen).collect(),
            None => Vec::new(),
        };
        if let Some(around) = state.root.view_mut(&trail) {
            let outputs = Arc::make_mut(&mut around.outputs);
            outputs.extend(keys.into_iter().filter_map(|key| Some((Arc::clone(&key), Arc::clone(view.outputs.get(&key)?)))));
            around.bytes += view.bytes;
        }
        let (Some(vars), Some(around)) = (&view.vars, state.root.variables_mut(&trail)) else { continue };
        let into = Arc::make_mut(around.vars.get_or_insert_default());
        for name in &view.set {
            into.insert(name.clone(), vars.get(name).cloned().unwrap_or_default());
            if !trail.is_empty() {
                around.set.insert(name.clone());
            }
        }
    }
    Ok(())
}

/// The steps whose outputs are seen where this step stands: itself and those of its branches, not those of its loops.
fn keys_seen(step: &crate::definition::Step) -> Vec<Arc<str>> {
    let mut keys = vec![Arc::clone(&step.key)];
    if !step.verb.is_loop() {
        keys.extend(step.verb.blocks().into_iter().flat_map(|block| &block.steps).flat_map(keys_seen));
    }
    keys
}
