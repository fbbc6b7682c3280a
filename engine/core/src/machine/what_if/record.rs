//! What a record tells of the world: outcomes, events, requests, fields of records, timers.

use super::super::{
    Happening, InFlight, REMINDED, RUN_TIMER, SETTLE_TIMER,
    replay::{event_of, outcome_of, signal_of},
    script::DIVERGED,
};
use crate::{
    Event, Timestamp, Value, digest,
    history::{ChildOutcome, Entry, Fact, StepPath},
    ports::Outcome,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A call of a node: its step's path, the node, and the digest of its input.
pub(super) type CallKey = (String, String, String);

/// A recorded run, and what is left of what it tells.
#[derive(Default)]
pub(super) struct Record {
    pub(super) entries: Vec<Entry>,
    /// By call, in order.
    pub(super) outcomes: BTreeMap<CallKey, VecDeque<(Moment, Outcome)>>,
    /// Events and requests from outside, in order.
    pub(super) outside: VecDeque<(Moment, Outside)>,
    /// Attempts of each call that the record knows, less those that were answered.
    pub(super) open: BTreeMap<CallKey, usize>,
    /// When the record's timers took effect, by key.
    pub(super) fired: BTreeMap<String, VecDeque<Moment>>,
    /// Timers that the record knows to have been set, by key and due time.
    pub(super) set: BTreeSet<(String, Timestamp)>,
    /// Fields of live records, as they were read.
    pub(super) values: BTreeMap<String, Value>,
    /// What was read after the run was taken up again, by that entry's place.
    later_values: BTreeMap<usize, BTreeMap<String, Value>>,
    /// Where copies begin.
    pub(super) forks: Vec<usize>,
}

/// A place in the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
}

/// What came to the run.
pub(super) enum Outside {
    Event(Arc<Event>),
    Request(Box<Happening>),
    /// The run that this step waits for ended.
    Child(StepPath, ChildOutcome),
    /// The entry at this place took the run up again.
    Reopened(usize),
}

impl Record {
    /// Reads a history, without the moves of its run to other versions.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut this = Self { entries: without_moves(entries), ..Self::default() };
        let entries = std::mem::take(&mut this.entries);
        let mut calls: BTreeMap<String, (String, String, String)> = BTreeMap::new();
        let mut children = BTreeSet::new();
        // What may have begun the end of the run.
        let (mut asked_to_end, mut failed_since): (Option<Timestamp>, Option<Timestamp>) = (None, None);
        let mut taken_up_at = None;
        for (index, entry) in entries.iter().enumerate() {
            let moment = Moment { seq: entry.seq, at: entry.at };
            let step = entry.step.as_deref().map(str::to_owned);
            let timer = match &entry.fact {
                Fact::RunStarted { deadline, .. } | Fact::WaitOpened { deadline, .. } | Fact::AskOpened { deadline, .. } => *deadline,
                Fact::RetryScheduled { due, .. } | Fact::TimerSet { due } => Some(*due),
                Fact::Held { until, .. } => *until,
                _ => None,
            };
            if let Some(due) = timer {
                this.set.insert((step.clone().unwrap_or_else(|| RUN_TIMER.to_owned()), due));
            }
            match &entry.fact {
                Fact::Reopened { fork, .. } => {
                    this.forks.extend(fork.is_some().then_some(index));
                    (asked_to_end, failed_since) = (None, None);
                    taken_up_at = Some(index);
                    this.outside.push_back((moment, Outside::Reopened(index)));
                }
                Fact::CancelRequested { .. } | Fact::Exited { .. } => drop(asked_to_end.get_or_insert(entry.at)),
                Fact::TimerFired { .. } if entry.step.is_none() => drop(asked_to_end.get_or_insert(entry.at)),
                Fact::StepFailed { continued: false, .. } => drop(failed_since.get_or_insert(entry.at)),
                // A run that goes on to something new was not ended by what failed before.
                Fact::StepScheduled { attempt: 1, .. } | Fact::TimerSet { .. } | Fact::IterationStarted { .. } => failed_since = None,
                _ => {}
            }
            let ending = asked_to_end.or(failed_since);
            match (&entry.fact, step) {
                (Fact::StepScheduled { node, input: Some(input), .. }, Some(step)) => {
                    let key = call_key(&step, node, input);
                    *this.open.entry(key.clone()).or_default() += 1;
                    calls.insert(step, key);
                }
                (Fact::StepScheduled { input: None, .. }, Some(step)) => {
                    if let Some(key) = calls.get(&step) {
                        *this.open.entry(key.clone()).or_default() += 1;
                    }
                    this.fired.entry(step).or_default().push_back(moment);
                }
                (Fact::TimerFired { .. } | Fact::WaitTimedOut { .. }, Some(step)) => this.fired.entry(step).or_default().push_back(moment),
                (Fact::TimerFired { .. }, None) => this.fired.entry(RUN_TIMER.to_owned()).or_default().push_back(moment),
                // Time to settle was over; a join or a cancel ends at once what it ends.
                (Fact::StepCancelled { .. }, _) if ending.is_some_and(|at| entry.at >= at.plus_millis(crate::limits::SETTLE_MS)) => {
                    this.fired.entry(SETTLE_TIMER.to_owned()).or_default().push_back(moment);
                }
                (Fact::EventConsumed { event_id }, _) => {
                    if let Some(Fact::WaitResolved { event, taken_in_at, .. }) = entries.get(index + 1).map(|entry| &entry.fact) {
                        this.outside.push_back((moment, Outside::Event(Arc::new(event_of(event, *event_id, *taken_in_at)))));
                    }
                }
                (Fact::Exited { exit, event, taken_in_at }, _) => {
                    this.outside.push_back((moment, Outside::Event(Arc::new(event_of(event, exit.event_id, *taken_in_at)))));
                }
                (Fact::CancelRequested { by, reason, force }, _) => {
                    this.outside.push_back((moment, Outside::Request(Box::new(Happening::Cancel { by: by.clone(), reason: reason.clone(), force: *force }))));
                }
                (Fact::WaitResolved { by: Some(_), .. }, _) => {
                    this.outside.extend(signal_of(entry).map(|signal| (moment, Outside::Request(Box::new(signal)))));
                }
                // The engine's own pauses are decisions of that run, not something that came to it.
                (Fact::Paused { by, reason }, _) if !is_of_engine(by) => {
                    this.outside.push_back((moment, Outside::Request(Box::new(Happening::Pause { by: by.clone(), reason: reason.clone() }))));
                }
                (Fact::Resumed { by }, _) => this.outside.push_back((moment, Outside::Request(Box::new(Happening::Resume { by: by.clone() })))),
                (Fact::ChildEnded { outcome, .. }, Some(step)) => {
                    if !matches!(outcome, ChildOutcome::Continued { .. }) {
                        children.remove(&step);
                    }
                    this.outside.push_back((moment, Outside::Child(step.into(), outcome.clone())));
                }
                (Fact::AskAnswered { answer, by }, Some(step)) => {
                    let happening = Happening::Answered { step: step.into(), answer: answer.clone(), by: by.clone() };
                    this.outside.push_back((moment, Outside::Request(Box::new(happening))));
                }
                (Fact::ChildStarted { .. }, Some(step)) => drop(children.insert(step)),
                (Fact::StepFailed { error, .. }, Some(step)) if children.remove(&step) => {
                    let refused = Happening::ChildRefused { step: step.into(), error: error.clone() };
                    this.outside.push_back((moment, Outside::Request(Box::new(refused))));
                }
                (Fact::EventEmitted { event, .. }, Some(step)) if event == REMINDED => this.fired.entry(step).or_default().push_back(moment),
                (Fact::ValueRead { values }, _) => {
                    let read = taken_up_at.map_or(&mut this.values, |index| this.later_values.entry(index).or_default());
                    read.extend(values.clone());
                }
                _ => {}
            }
            if let (Some(outcome), Some(step)) = (outcome_of(entry), &entry.step)
                && let Some(key) = calls.get(&**step)
            {
                this.outcomes.entry(key.clone()).or_default().push_back((moment, outcome));
            }
        }
        this.entries = entries;
        this
    }

    /// From here on it is only a source of what may happen: what the first `taken` entries tell is not told again.
    pub(super) fn forget(&mut self, taken: usize) {
        let Some(last) = taken.checked_sub(1).and_then(|last| self.entries.get(last)).map(|entry| entry.seq) else { return };
        let is_taken = |moment: &Moment| moment.seq <= last;
        for (key, outcomes) in &mut self.outcomes {
            let before = outcomes.len();
            outcomes.retain(|(moment, _)| !is_taken(moment));
            if let Some(open) = self.open.get_mut(key) {
                *open = open.saturating_sub(before - outcomes.len());
            }
        }
        for moments in self.fired.values_mut() {
            moments.retain(|moment| !is_taken(moment));
        }
        self.outside.retain(|(moment, _)| !is_taken(moment));
    }

    /// From here on, expressions see what was read after the run was taken up again.
    pub(super) fn read_on(&mut self, index: usize) {
        let later = self.later_values.split_off(&(index + 1));
        for values in std::mem::replace(&mut self.later_values, later).into_values() {
            self.values.extend(values);
        }
    }

    /// Whether it knows this call and no outcome of it: it was left behind, or the record ends before it.
    pub(super) fn is_unanswered(&self, call: &InFlight) -> bool {
        self.open.get(&call_key(&call.step, &call.node, &call.input)).is_some_and(|open| *open > 0)
    }
}

/// A history without the moves of its run to other versions, and the exits that those opened again.
fn without_moves(entries: &[Entry]) -> Vec<Entry> {
    let mut moved = false;
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        moved = matches!(entry.fact, Fact::Migrated { .. }) || moved && entry.step.is_none() && matches!(entry.fact, Fact::WaitOpened { .. });
        if !moved {
            kept.push(entry.clone());
        }
    }
    kept
}

/// Whether a pause is the engine's own.
pub(super) fn is_of_engine(by: &str) -> bool {
    by == "engine" || by == DIVERGED
}

pub(super) fn call_key(step: &str, node: &str, input: &Value) -> CallKey {
    (step.to_owned(), node.to_owned(), digest::hex(input.to_string().as_bytes()))
}
