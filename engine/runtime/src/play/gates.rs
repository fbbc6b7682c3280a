//! The gates that a start passes in the pretended world, in the engine's order and by the engine's rules (SEMANTICS.md 22 to
//! 24): its burst, the runs of its key, its concurrency limit, its rate limit. What a gate holds back waits in a queue.

use super::{Outside, Watch, World, world::Work};
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

/// What holds starts back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The runs of one key (`mode`).
    Mode,
    /// `limits.concurrency`.
    Concurrency,
    /// `limits.rate`.
    Rate,
    /// `limits.debounce`.
    Debounce,
}

impl Gate {
    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Concurrency => "limits.concurrency",
            Self::Rate => "limits.rate",
            Self::Debounce => "limits.debounce",
        }
    }

    /// The gate of a queue; in a play nothing is paused and nothing waits for a person.
    fn of(queue: &HeldQueue) -> Self {
        match queue {
            HeldQueue::Concurrency { .. } => Self::Concurrency,
            HeldQueue::Rate { .. } => Self::Rate,
            HeldQueue::Debounce { .. } => Self::Debounce,
            HeldQueue::Key { .. } | HeldQueue::Paused { .. } | HeldQueue::Person { .. } => Self::Mode,
        }
    }
}

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
    /// Which contact of a crowd it is about.
    pub(super) contact: u64,
    /// The gate before which it stands, and since when.
    pub(super) standing: Option<(Gate, Timestamp)>,
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
            contact: 0,
            standing: None,
        }
    }

    /// Its place among those that wait for the same: more urgent ones first, then those that came before.
    fn rank(&self) -> (u8, i64) {
        (self.gates.priority, self.held.unwrap_or(i64::MAX))
    }

    /// Its place in a queue. Runs of one key keep the order in which they came.
    fn place(&self, queue: &HeldQueue) -> (u8, i64) {
        if queue.by_priority() { self.rank() } else { (0, self.rank().1) }
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
            Passage::Wait(queue) => self.hold(candidate, &queue),
            Passage::Refuse(reason) => {
                if let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) {
                    self.refuse(candidate.contact, &workflow, reason.clone());
                }
                return Err(reason);
            }
        }
        Ok(())
    }

    fn hold(&mut self, mut candidate: Candidate, queue: &HeldQueue) {
        if candidate.held.is_none() {
            self.helds += 1;
            candidate.held = Some(self.helds);
        }
        if !matches!(queue, HeldQueue::Rate { .. }) {
            self.give_permit_back(candidate.permit.take());
        }
        let gate = Gate::of(queue);
        if candidate.standing.is_none_or(|(before, _)| before != gate) {
            self.leaves(&mut candidate, true);
            candidate.standing = Some((gate, self.now));
        }
        self.held.entry(queue.clone()).or_default().insert(candidate.place(queue), candidate);
    }

    /// A start leaves the gate before which it stands.
    pub(super) fn leaves(&mut self, candidate: &mut Candidate, through: bool) {
        if let Some((gate, since)) = candidate.standing.take() {
            self.watch.left(gate, self.now.millis_since(since), through);
        }
    }

    /// Starts that are held, by the gate before which they stand.
    pub(super) fn standing(&self) -> BTreeMap<Gate, u64> {
        let mut standing = BTreeMap::new();
        for (queue, waiting) in &self.held {
            *standing.entry(Gate::of(queue)).or_default() += waiting.len() as u64;
        }
        standing
    }

    /// Asks the head of a queue again, and those behind it, until one has to stay.
    pub(super) fn release(&mut self, queue: &HeldQueue) {
        let contact = self.contact;
        self.release_heads(queue);
        self.about(contact);
    }

    fn release_heads(&mut self, queue: &HeldQueue) {
        while let Some(mut candidate) = self.take_head(queue) {
            self.about(candidate.contact);
            if let (HeldQueue::Debounce { .. }, Some((_, end))) = (queue, candidate.burst)
                && end > self.now
            {
                self.turn_comes(queue, end);
                return self.hold(candidate, queue);
            }
            match self.pass(&mut candidate) {
                Passage::Start => self.begin(candidate),
                Passage::Wait(next) => {
                    let stays = next == *queue;
                    self.hold(candidate, &next);
                    if stays {
                        return;
                    }
                }
                Passage::Refuse(reason) => self.end_held(candidate, reason),
            }
        }
    }

    /// A held start that will not start any more; who waits for it is told.
    fn end_held(&mut self, mut candidate: Candidate, reason: String) {
        self.leaves(&mut candidate, false);
        self.give_permit_back(candidate.permit);
        let Some(workflow) = self.stage.workflows.get(candidate.workflow).map(Arc::clone) else { return };
        if let Some((run_id, parent)) = candidate.child {
            let error = StepError::new(ErrorCode::Conflict, format!("workflow {:?} was not started: {reason}", workflow.name));
            self.tell(run_id, parent, ChildOutcome::Failed { error });
        }
        self.refuse(candidate.contact, &workflow, reason);
    }

    fn take_head(&mut self, queue: &HeldQueue) -> Option<Candidate> {
        let waiting = self.held.get_mut(queue)?;
        let (_, candidate) = waiting.pop_first()?;
        if waiting.is_empty() {
            self.held.remove(queue);
        }
        Some(candidate)
    }

    /// Whether another start of this queue goes first.
    fn stands_behind(&self, candidate: &Candidate, queue: &HeldQueue) -> bool {
        self.held.get(queue).and_then(BTreeMap::first_key_value).is_some_and(|(first, _)| *first < candidate.rank())
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
            self.watch.asked(&queue);
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
            self.watch.asked(&queue);
            let taken = self.permits.get(key).copied().unwrap_or_default();
            if taken >= limit.max || self.stands_behind(candidate, &queue) {
                return Passage::Wait(queue);
            }
            self.permits.insert(key.clone(), taken + 1);
            candidate.permit = Some(key.clone());
        }
        if let (Some(limit), Some(key)) = (&workflow.limits.rate, &candidate.gates.rate) {
            let queue = HeldQueue::rate(key);
            self.watch.asked(&queue);
            let behind = self.stands_behind(candidate, &queue);
            match turn(limit, self.used.get(key).copied(), self.now) {
                Ok(until) if !behind => drop(self.used.insert(key.clone(), until)),
                next => {
                    self.turn_comes(&queue, next.err().unwrap_or(self.now));
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
        self.watch.asked(&queue);
        // A burst that ends at this very moment is over: it starts for itself.
        self.release(&queue);
        let mut since = self.now;
        if let Some(mut before) = self.take_head(&queue) {
            self.leaves(&mut before, false);
            since = before.burst.map_or(since, |(since, _)| since);
            candidate.held = before.held;
            self.refuse(before.contact, &workflow, "limits.debounce: a later event of the burst starts the run".into());
        }
        let quiet = self.now.plus_millis(debounce.wait_ms);
        let end = debounce.max_wait_ms.map_or(quiet, |max| quiet.min(since.plus_millis(max)));
        candidate.burst = Some((since, end));
        self.turn_comes(&queue, end);
        Some(queue)
    }

    /// Cancels the living runs of a key, for a newer start.
    fn replace(&mut self, state: &KeyState) {
        for old in &state.live {
            if let Some(run) = self.places.get(old).copied() {
                let happening = Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false };
                self.does(run, happening);
            }
        }
    }

    /// What is known of a key. A run whose start is still to be handed to the machine lives already.
    fn key_state(&self, index: usize, key: &str, queue: &HeldQueue) -> KeyState {
        let place = (index, key.to_owned());
        let living = self.living.get(&place).into_iter().flatten();
        let held = self.held.get(queue);
        KeyState {
            live: living.filter_map(|run| self.runs.get(*run)).map(|run| run.state.run_id).collect(),
            last_ended_at: self.ended.get(&place).copied(),
            oldest_held: held.and_then(|held| held.values().next()).and_then(|candidate| candidate.held),
            newest_held: held.and_then(|held| held.values().next_back()).and_then(|candidate| candidate.held),
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
        let place = |waiting: &BTreeMap<(u8, i64), Candidate>| waiting.iter().find(|(_, candidate)| is_it(candidate)).map(|(place, _)| *place);
        let (queue, place) = self.held.iter().find_map(|(queue, waiting)| Some((queue.clone(), place(waiting)?)))?;
        let waiting = self.held.get_mut(&queue)?;
        let mut candidate = waiting.remove(&place)?;
        if waiting.is_empty() {
            self.held.remove(&queue);
        }
        self.leaves(&mut candidate, false);
        Some(candidate)
    }
}
