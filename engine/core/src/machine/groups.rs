//! Steps with steps inside: when a `parallel` joins, what comes after a pass of a loop, where a `try` goes on, and how what is
//! not needed any more is wound up.

use super::{
    Action,
    leaf::{Leaf, UNDO},
    outcomes::rules_of,
    strand::{Ended, Group, Member, Passes, Progress, Stage, Standing, Strand, Trail, block_of, is_in_finally, path_in, trail_of},
    turn::{Stop, Turn},
};
use crate::{
    ErrorCode, Object, StepError, Value,
    definition::{ForEach, Join, Repeat, Step, Verb},
    expression::Condition,
    history::{Fact, StepPath, Undoing},
    limits,
};
use std::sync::Arc;

/// What came of trying to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    /// Something was recorded.
    Moved,
    /// Something is waited for.
    Rests,
    /// There is nothing left to do.
    Closed,
}

/// What a group does next of itself.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Enough branches have ended well.
    Join,
    /// It fails.
    Fail(StepError),
    /// A `for_each` begins another pass.
    Pass,
    /// A `repeat` tests whether there is another pass.
    Test,
    /// Every item is through.
    Finish,
    /// The steps of a `try` have failed.
    Catch(StepError),
    /// A `try` runs its `finally`.
    Finally,
    /// A `try` ends.
    EndTry(Option<StepError>),
}

/// What a group does next; `None`: its strands go on.
pub(super) fn next(step: &Step, group: &Group) -> Option<Next> {
    match (&group.progress, &step.verb) {
        (Progress::Parallel(ended), Verb::Parallel { branches, join }) => {
            let needed = match join {
                Join::All => branches.len(),
                Join::First(count) => *count,
            };
            let well = ended.iter().filter(|(_, ended)| matches!(ended, Ended::Well(_))).count();
            if well >= needed {
                return Some(Next::Join);
            }
            let spare = branches.len() - needed;
            ended.iter().filter_map(|(_, ended)| if let Ended::Badly(error) = ended { Some(error) } else { None }).nth(spare).cloned().map(Next::Fail)
        }
        (Progress::Loop(passes), verb) => {
            if let Some(error) = &passes.error {
                return Some(Next::Fail(error.clone()));
            }
            match (passes.length(), verb) {
                (Some(length), _) if passes.ended >= length => Some(Next::Finish),
                (Some(length), Verb::ForEach(for_each)) if passes.begun < length && group.strands.len() < for_each.max_parallel => Some(Next::Pass),
                (None, _) if group.strands.is_empty() => Some(Next::Test),
                _ => None,
            }
        }
        (Progress::Try(attempt), verb) => match attempt.stage {
            Stage::Trying | Stage::Catching | Stage::Finally => None,
            Stage::Failed => attempt.error.clone().map(Next::Catch),
            Stage::Ended if verb.finally().is_some() => Some(Next::Finally),
            Stage::Ended | Stage::Over => Some(Next::EndTry(attempt.error.clone())),
        },
        (Progress::Branch | Progress::Parallel(_), _) => None,
    }
}

impl Turn<'_, '_> {
    /// Does what a group does next.
    pub(super) fn take(&mut self, step: &Step, trail: &Trail, next: Next) -> Motion {
        let path = path_in(&step.key, trail);
        if matches!(next, Next::Join | Next::Fail(_)) {
            let motion = self.close(trail, step);
            if motion != Motion::Closed {
                return motion;
            }
        }
        let taken = match next {
            Next::Test => self.test_passes(step, &path, trail),
            next => {
                self.take_now(step, trail, &path, next);
                Ok(())
            }
        };
        match taken {
            Ok(()) => Motion::Moved,
            Err(Stop::Need) => Motion::Rests,
            Err(Stop::Failed(error)) => {
                self.fail_step(&path, error);
                Motion::Moved
            }
        }
    }

    /// What needs nothing to be evaluated.
    fn take_now(&mut self, step: &Step, trail: &Trail, path: &StepPath, next: Next) {
        match next {
            Next::Join => {
                let output = self.joined(step, trail);
                self.complete_step(path, output);
            }
            Next::Fail(error) | Next::EndTry(Some(error)) => self.fail_step(path, error),
            Next::Pass => super::tree::begin_pass(self.workflow, self.state, trail),
            Next::Finish => {
                let output = self.outputs(trail, path);
                self.complete_step(path, output);
            }
            Next::Catch(error) => self.catch(step, path, error),
            Next::Finally => self.record(Some(path), Fact::BranchTaken { branch: "finally".to_owned() }),
            Next::EndTry(None) => {
                let output = self.caught(trail);
                self.complete_step(path, output);
            }
            Next::Test => {}
        }
    }

    /// Ends a step that runs no node.
    pub(super) fn complete_step(&mut self, path: &StepPath, output: Value) {
        self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated: false, undo: None });
    }

    fn group(&self, trail: &Trail) -> Option<&Group> {
        self.state.root.at(trail).and_then(Strand::group)
    }

    /// The outputs of a `parallel`: by branch, that of its last step; of a branch that failed its error, of one that was not
    /// needed `null`.
    fn joined(&self, step: &Step, trail: &Trail) -> Value {
        let (Verb::Parallel { branches, .. }, Some(Group { progress: Progress::Parallel(ended), .. })) = (&step.verb, self.group(trail)) else {
            return Value::Null;
        };
        let mut outputs = Object::new();
        for (part, (name, block)) in branches.iter().enumerate() {
            let output = match ended.iter().find(|(ended, _)| *ended == part).map(|(_, ended)| ended) {
                Some(Ended::Well(view)) => {
                    block.steps.last().and_then(|last| view.outputs.get(&last.key)).map(|output| Value::clone(output)).unwrap_or_default()
                }
                Some(Ended::Badly(error)) => super::fold::error_output(error),
                None => Value::Null,
            };
            outputs.insert(name.clone(), output);
        }
        Value::Object(outputs)
    }

    /// The outputs of a `for_each`: a list, or for a long one how many there are and where to find them.
    fn outputs(&self, trail: &Trail, path: &StepPath) -> Value {
        let Some(Group { progress: Progress::Loop(passes), .. }) = self.group(trail) else { return Value::Null };
        if passes.ended as usize <= limits::LOOP_OUTPUTS {
            return passes.outputs.values().map(|output| Value::clone(output)).collect();
        }
        let reference = format!("/api/v1/runs/{}/results?step={path}", self.state.run_id);

        serde_json::json!({ "count": passes.ended, "failed": passes.failed, "results_ref": reference })
    }

    fn caught(&self, trail: &Trail) -> Value {
        match self.group(trail) {
            Some(Group { progress: Progress::Try(attempt), .. }) => match &attempt.caught {
                Some(error) => super::fold::error_output(error),
                None => serde_json::json!({ "error": null }),
            },
            _ => Value::Null,
        }
    }

    /// The first clause that takes the error; without one the `try` fails, after its `finally`.
    fn catch(&mut self, step: &Step, path: &StepPath, error: StepError) {
        let Verb::Try { catch, finally, .. } = &step.verb else { return };
        if let Some(clause) = catch.iter().position(|clause| clause.takes(&error.code)) {
            self.record(Some(path), Fact::BranchTaken { branch: format!("catch:{}", clause + 1) });
        } else if finally.is_some() {
            self.record(Some(path), Fact::BranchTaken { branch: "finally".to_owned() });
        } else {
            self.fail_step(path, error);
        }
    }

    /// Begins a loop over a list.
    pub(super) fn begin_for_each(&mut self, path: &StepPath, for_each: &ForEach) -> Result<(), Stop> {
        let value = self.render(&for_each.items, path)?;
        let Value::Array(items) = value else {
            let kind = match &value {
                Value::Null => "null",
                Value::Object(_) => "a map",
                Value::String(_) => "a text",
                _ => "no list",
            };
            return Err(Stop::Failed(StepError::new(ErrorCode::InvalidInput, format!("for_each: it must be given a list, and this is {kind}"))));
        };
        if items.len() > limits::LOOP_ITEMS {
            let message = format!("for_each: the list has {} items; {} are the most", items.len(), limits::LOOP_ITEMS);
            return Err(Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)));
        }
        if items.is_empty() {
            self.complete_step(path, Value::Array(items));
        } else {
            self.record(Some(path), Fact::IterationStarted { index: 1, items: Some(Value::Array(items)), times: None });
        }
        Ok(())
    }

    /// Begins a `repeat`, unless it has no pass at all.
    pub(super) fn begin_repeat(&mut self, path: &StepPath, repeat: &Repeat) -> Result<(), Stop> {
        let times = match &repeat.times {
            Some(template) => {
                let value = self.render(template, path)?;
                let whole = value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                Some(whole.filter(|times| *times <= limits::LOOP_PASSES).ok_or_else(|| {
                    let message = format!("repeat: `times` is {value}; it must be a whole number up to {}", limits::LOOP_PASSES);
                    Stop::Failed(StepError::new(ErrorCode::InvalidInput, message))
                })?)
            }
            None => None,
        };
        let first = Passes { times, ..Passes::default() };
        self.next_pass(repeat, path, &first)
    }

    fn test_passes(&mut self, step: &Step, path: &StepPath, trail: &Trail) -> Result<(), Stop> {
        let (Verb::Repeat(repeat), Some(Group { progress: Progress::Loop(passes), .. })) = (&step.verb, self.group(trail)) else { return Ok(()) };
        let passes = Passes::clone(passes);
        self.next_pass(repeat, path, &passes)
    }

    /// Another pass, or the end.
    fn next_pass(&mut self, repeat: &Repeat, path: &StepPath, passes: &Passes) -> Result<(), Stop> {
        let ended = passes.ended;
        let over = passes.times.is_some_and(|times| ended >= times)
            || (ended > 0 && self.holds_after(repeat.until.as_ref(), path, passes, false)?)
            || !self.holds_after(repeat.condition.as_ref(), path, passes, true)?;
        if over {
            self.complete_step(path, serde_json::json!({ "iterations": ended }));
        } else if ended >= repeat.max {
            let message = format!("repeat: {} passes are over and it would go on; raise `max` if that is meant", repeat.max);
            return Err(Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)));
        } else {
            let times = passes.times.filter(|_| ended == 0);
            self.record(Some(path), Fact::IterationStarted { index: ended + 1, items: None, times });
        }
        Ok(())
    }

    /// Whether a condition of a `repeat` holds, seen from within its last pass.
    fn holds_after(&mut self, condition: Option<&Condition>, path: &StepPath, passes: &Passes, otherwise: bool) -> Result<bool, Stop> {
        let Some(condition) = condition else { return Ok(otherwise) };
        let mut scope = self.scope(condition.records(), None, Some(path))?;
        if let Some(view) = &passes.last {
            scope.steps = Arc::clone(&view.outputs);
        }
        scope.locals.extend(passes.locals(passes.ended.max(1), None));
        let holds = condition.test(&scope)?;
        self.note_reads(Some(path), &scope);
        Ok(holds)
    }

    /// Winds up everything inside the step at which the strand stands: what waits is cancelled, a call in flight is not
    /// waited for, each `finally` runs, innermost first.
    fn close(&mut self, trail: &Trail, step: &Step) -> Motion {
        let Some(index) = self.state.root.at(trail).map(|strand| strand.index) else { return Motion::Closed };
        let depth = trail.len();
        let inside: Vec<StepPath> = self
            .state
            .leaves
            .keys()
            .filter(|path| !path.starts_with(UNDO))
            .filter(|path| {
                trail_of(self.workflow, path)
                    .is_ok_and(|leaf| leaf.len() > depth && leaf.starts_with(trail) && leaf[depth].0 == index && !is_in_finally(self.workflow, &leaf, depth))
            })
            .cloned()
            .collect();
        debug_assert!(!step.verb.is_branch(), "a branch is never wound up alone");
        if !inside.is_empty() {
            for path in inside {
                if self.cancel_leaf(&path).is_err() {
                    return Motion::Rests;
                }
            }
            return Motion::Moved;
        }
        self.run_finally(trail, Some(index))
    }

    /// Runs each `finally` that is due below a strand, innermost first.
    pub(super) fn run_finally(&mut self, trail: &Trail, index: Option<usize>) -> Motion {
        let mut tries = Vec::new();
        if let Some(strand) = self.state.root.at(trail).filter(|strand| index.is_none_or(|index| strand.index == index)) {
            gather_tries(strand, &mut trail.clone(), &mut tries);
        }
        tries.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        for (at, stage) in tries {
            let Some(step) = self.state.root.at(&at).and_then(|strand| block_of(self.workflow, &at)?.steps.get(strand.index)) else { continue };
            let Some(part) = step.verb.finally() else { continue };
            let path = path_in(&step.key, &at);
            match stage {
                Stage::Finally => {
                    let mut inner = at.clone();
                    inner.push((self.state.root.at(&at).map_or(0, |strand| strand.index), Member { part, pass: 0 }));
                    return if self.work(&inner) { Motion::Moved } else { Motion::Rests };
                }
                Stage::Over => self.record(Some(&path), Fact::StepCancelled { undo: None }),
                _ => self.record(Some(&path), Fact::BranchTaken { branch: "finally".to_owned() }),
            }
            return Motion::Moved;
        }
        Motion::Closed
    }

    /// Cancels a step in progress.
    pub(super) fn cancel_leaf(&mut self, path: &StepPath) -> Result<(), Stop> {
        let in_flight = self.state.leaves.get(path).is_some_and(Leaf::is_in_flight);
        let undo = if in_flight { self.undoing(path, &Value::Null)? } else { None };
        match self.state.leaves.get(path) {
            Some(Leaf::Node(progress)) if in_flight => {
                let listens = self.state.ending.is_none() && rules_of(self.workflow, path, &progress.node).is_some_and(|rules| rules.effect.is_outside());
                debug_assert!(progress.attempt > 0, "attempts count from 1");
                if !listens {
                    self.act(Action::Abandon { step: Arc::clone(path) });
                }
            }
            Some(Leaf::Wait { .. }) => {
                self.act(Action::ClearTimer { key: path.to_string() });
                self.act(Action::CloseWait { target: path.to_string() });
            }
            Some(Leaf::Child { run_id, waits: true, .. }) => {
                let run_id = *run_id;
                self.act(Action::CancelChild { run_id });
            }
            Some(Leaf::Child { .. }) | None => {}
            Some(Leaf::Node(_) | Leaf::Sleep { .. } | Leaf::Ask { .. }) => self.act(Action::ClearTimer { key: path.to_string() }),
        }
        self.record(Some(path), Fact::StepCancelled { undo });
        Ok(())
    }

    /// The input of a step's compensation, when it has one, with this as the step's output.
    pub(super) fn undoing(&mut self, path: &StepPath, output: &Value) -> Result<Option<Undoing>, Stop> {
        let Some(step) = self.workflow.step(path) else { return Ok(None) };
        let Verb::Do { compensate: Some(compensation), .. } = &step.verb else { return Ok(None) };
        let mut scope = self.scope(compensation.with.records(), None, Some(path))?;
        Arc::make_mut(&mut scope.steps).insert(Arc::clone(&step.key), Arc::new(output.clone()));
        Ok(Some(match compensation.with.render(&scope) {
            Ok(input) => {
                self.note_reads(Some(path), &scope);
                Undoing::Input { input }
            }
            Err(error) => Undoing::Error { error: StepError::new(ErrorCode::InvalidInput, error.message) },
        }))
    }
}

/// Every `try` below the strand, with the trail to the strand that stands at it.
fn gather_tries(strand: &Strand, trail: &mut Trail, found: &mut Vec<(Trail, Stage)>) {
    let Standing::Inside(group) = &strand.standing else { return };
    if let Progress::Try(attempt) = &group.progress {
        found.push((trail.clone(), attempt.stage));
    }
    for (member, inner) in &group.strands {
        trail.push((strand.index, *member));
        gather_tries(inner, trail, found);
        trail.pop();
    }
}
