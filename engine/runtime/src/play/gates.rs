//! The gates that a start passes in the pretended world, in the engine's order and by the engine's rules (SEMANTICS.md 22 to
//! 24): its burst, the runs of its key, its concurrency limit, its rate limit. What a gate holds back waits in a queue.

use super::{
    Outside, Watch, World,
    world::{Coming, Work},
};
use crate::{
    admission::bounded_key,
    gates::{Meeting, meet, turn},
};
use onward_core::{
    ErrorCode, Event, RunId, StepError, Timestamp, Value,
    definition::{Mode, Reentry},
    history::{ChildOutcome, Parent},
    machine::{Gates, Happening, LimitKey},
    ports::{HeldQueue, KeyState},
};
use std::{collections::BTreeMap, sync::Arc};

/// A start that wants to be let in: a new one, or one that is held.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Which workflow of the stage.
    pub(super) workflow: usize,
    /// The trigger and its event; `None`: by hand.
    pub(super) origin: Option<(usize, Arc<Event>)>,
    /// The id of a run that another one starts, and who waits for it.
    pub(super) child: Option<(RunId, Parent)>,
    pub(super) input: Value,
    /// `None`: the workflow has no key.
    pub(super) key: Option<String>,
    pub(super) reads: BTreeMap<String, Value>,
    pub(super) gates: Gates,
    pub(super) depth: u16,
    /// The permit that it has of a concurrency limit.
    pub(super) permit: Option<LimitKey>,
    /// Its number among the held starts; `None`: it was never held.
    pub(super) held: Option<i64>,
    /// When its burst began, and when that is over.
    pub(super) burst: Option<(Timestamp, Timestamp)>,
}

impl Candidate {
    /// A start by hand that nothing holds back.
    pub(super) fn new(workflow: usize, input: Value) -> Self {
        Self {
            workflow,
            origin: None,
            child: None,
            input,
            key: None,
            reads: BTreeMap::new(),
            gates: Gates::OPEN,
            depth: 0,
            permit: None,
            held: None,
            burst: None,
        }
    }

    /// Its place among those that wait for the same: more urgent ones first, then those that came before.
    fn rank(&self) -> (u8, i64) {
        (self.gates.priority, self.held.unwrap_or(i64::MAX))
    }
}

/// What the gates say to a start.
enum Passage {
    Start,
    Wait(HeldQueue),
    Refuse(String),
}

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Asks every gate: `Err` says why it will not start.
    pub(super) fn let_in(&mut self, mut candidate: Candidate) -> Result<(), String> {
        candidate.key = candidate.key.as_deref().map(bounded_key);
        match self.pass(&mut candidate) {
            Passage::Start => self.begin(candidate),
            Passage::Wait(queue) => self.hold(candidate, queue),
            Passage::Refuse(reason) => {
                if let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) {
                    self.refuse(&workflow, reason.clone());
                }
                return Err(reason);
            }
        }
        Ok(())
    }

    fn hold(&mut self, mut candidate: Candidate, queue: HeldQueue) {
        if candidate.held.is_none() {
            self.helds += 1;
            candidate.held = Some(self.helds);
        }
        if !matches!(queue, HeldQueue::Rate { .. }) {
            self.give_permit_back(candidate.permit.take());
        }
        self.held.entry(queue).or_default().push(candidate);
    }

    /// Asks the head of a queue again, and those behind it, until one has to stay.
    pub(super) fn release(&mut self, queue: &HeldQueue) {
        while let Some(mut candidate) = self.take_head(queue) {
            if matches!(queue, HeldQueue::Debounce { .. }) && candidate.burst.is_some_and(|(_, end)| end > self.now) {
                return self.hold(candidate, queue.clone());
            }
            match self.pass(&mut candidate) {
                Passage::Start => self.begin(candidate),
                Passage::Wait(next) => {
                    let stays = next == *queue;
                    self.hold(candidate, next);
                    if stays {
                        return;
                    }
                }
                Passage::Refuse(reason) => self.end_held(candidate, reason),
            }
        }
    }

    /// A held start that will not start any more; who waits for it is told.
    fn end_held(&mut self, candidate: Candidate, reason: String) {
        self.give_permit_back(candidate.permit);
        let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) else { return };
        if let Some((run_id, parent)) = candidate.child {
            let error = StepError::new(ErrorCode::Conflict, format!("workflow {:?} was not started: {reason}", workflow.name));
            self.tell(run_id, parent, ChildOutcome::Failed { error });
        }
        self.refuse(&workflow, reason);
    }

    /// The start of a queue that goes first. Runs of one key keep the order in which they came.
    fn head(&self, queue: &HeldQueue) -> Option<usize> {
        let in_order = matches!(queue, HeldQueue::Key { .. });
        let rank = |candidate: &Candidate| if in_order { (0, candidate.rank().1) } else { candidate.rank() };
        self.held.get(queue)?.iter().enumerate().min_by_key(|(_, candidate)| rank(candidate)).map(|(place, _)| place)
    }

    fn take_head(&mut self, queue: &HeldQueue) -> Option<Candidate> {
        let place = self.head(queue)?;
        let waiting = self.held.get_mut(queue)?;
        let candidate = waiting.remove(place);
        if waiting.is_empty() {
            self.held.remove(queue);
        }
        Some(candidate)
    }

    /// Whether another start of this queue goes first.
    fn stands_behind(&self, candidate: &Candidate, queue: &HeldQueue) -> bool {
        let first = self.head(queue).and_then(|place| self.held.get(queue)?.get(place));
        first.is_some_and(|first| first.rank() < candidate.rank())
    }

    fn pass(&mut self, candidate: &mut Candidate) -> Passage {
        let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) else { return Passage::Start };
        if let Some(queue) = self.burst(candidate) {
            return Passage::Wait(queue);
        }
        if let Some(key) = candidate.key.clone()
            && (workflow.mode != Mode::Parallel || workflow.reentry != Reentry::Always)
        {
            let queue = HeldQueue::Key { workflow: workflow.name.clone(), key: key.clone() };
            let state = self.key_state(candidate.workflow, &key, &queue);
            match meet(workflow.mode, &workflow.reentry, &state, candidate.held, self.now) {
                Meeting::Go => {}
                Meeting::Refuse(reason) => return Passage::Refuse(reason),
                Meeting::Hold(_) => return Passage::Wait(queue),
                Meeting::Replace(_) => {
                    self.replace(&state);
                    return Passage::Wait(queue);
                }
            }
        }
        if let (Some(limit), Some(key), None) = (&workflow.limits.concurrency, &candidate.gates.concurrency, &candidate.permit) {
            let queue = HeldQueue::concurrency(key);
            let taken = self.permits.get(key).copied().unwrap_or_default();
            if taken >= limit.max || self.stands_behind(candidate, &queue) {
                return Passage::Wait(queue);
            }
            self.permits.insert(key.clone(), taken + 1);
            candidate.permit = Some(key.clone());
        }
        if let (Some(limit), Some(key)) = (&workflow.limits.rate, &candidate.gates.rate) {
            let queue = HeldQueue::rate(key);
            let behind = self.stands_behind(candidate, &queue);
            match turn(limit, self.used.get(key).copied(), self.now) {
                Ok(until) if !behind => drop(self.used.insert(key.clone(), until)),
                next => {
                    self.comes_at(next.err().unwrap_or(self.now), Coming::Turn(queue.clone()));
                    return Passage::Wait(queue);
                }
            }
        }
        Passage::Start
    }

    /// An event of a workflow with `debounce` waits for the end of its burst, and takes the place of the one before it.
    fn burst(&mut self, candidate: &mut Candidate) -> Option<HeldQueue> {
        let workflow = self.stage.workflows.get(candidate.workflow).map(Arc::clone)?;
        let debounce = workflow.limits.debounce.filter(|_| candidate.held.is_none() && candidate.origin.is_some())?;
        let queue = HeldQueue::Debounce { workflow: workflow.name.clone(), key: candidate.key.clone().filter(|_| workflow.key.is_some()).unwrap_or_default() };
        // A burst that ends at this very moment is over: it starts for itself.
        self.release(&queue);
        let mut since = self.now;
        if let Some(before) = self.take_head(&queue) {
            since = before.burst.map_or(since, |(since, _)| since);
            candidate.held = before.held;
            self.refuse(&workflow, "limits.debounce: a later event of the burst starts the run".into());
        }
        let quiet = self.now.plus_millis(debounce.wait_ms);
        let end = debounce.max_wait_ms.map_or(quiet, |max| quiet.min(since.plus_millis(max)));
        candidate.burst = Some((since, end));
        self.comes_at(end, Coming::Turn(queue.clone()));
        Some(queue)
    }

    /// Cancels the living runs of a key, for a newer start.
    fn replace(&mut self, state: &KeyState) {
        for old in &state.live {
            if let Some(run) = self.runs.iter().position(|played| played.state.run_id == *old) {
                let happening = Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false };
                self.does(run, happening);
            }
        }
    }

    /// What is known of a key. A run whose start is still to be handed to the machine lives already.
    fn key_state(&self, index: usize, key: &str, queue: &HeldQueue) -> KeyState {
        let starting = self.work.iter().filter_map(|work| match work {
            Work::Happen { run, happening } => match (&**happening, self.runs.get(*run)) {
                (Happening::Started(start), Some(run)) if start.key == key && run.workflow == index => Some(run.state.run_id),
                _ => None,
            },
            _ => None,
        });
        let alive = self
            .runs
            .iter()
            .filter(|run| run.workflow == index && run.state.seq > 0 && !run.state.status.is_final() && *run.state.key == *key)
            .map(|run| run.state.run_id);
        let held = || self.held.get(queue).into_iter().flatten().filter_map(|candidate| candidate.held);
        KeyState {
            live: alive.chain(starting).collect(),
            last_ended_at: self.ended.get(&(index, key.to_owned())).copied(),
            oldest_held: held().min(),
            newest_held: held().max(),
        }
    }

    /// A permit is free again: whoever waits for it has a turn.
    pub(super) fn give_permit_back(&mut self, permit: Option<LimitKey>) {
        let Some(key) = permit else { return };
        if let Some(taken) = self.permits.get_mut(&key) {
            *taken = taken.saturating_sub(1);
        }
        self.work.push_back(Work::Release(HeldQueue::concurrency(&key)));
    }

    /// Takes the start of a run that another one asked for out of its queue.
    pub(super) fn take_held_child(&mut self, child: RunId) -> Option<Candidate> {
        let is_it = |candidate: &Candidate| candidate.child.as_ref().is_some_and(|(run_id, _)| *run_id == child);
        let (queue, place) = self.held.iter().find_map(|(queue, waiting)| Some((queue.clone(), waiting.iter().position(is_it)?)))?;
        let waiting = self.held.get_mut(&queue)?;
        let candidate = waiting.remove(place);
        if waiting.is_empty() {
            self.held.remove(&queue);
        }
        Some(candidate)
    }
}
