//! What-if: a recorded run on another definition (SEMANTICS.md 20). As long as it decides the same, the record tells what
//! happens next. From there on, recorded outcomes are reused by (step path, occurrence, node, input digest); recorded events
//! and requests come again at their times; what the record cannot tell is assumed and marked, or ends the report.

use super::{
    CallDifference, Context, Difference, EXIT_TARGET, Happening, Known, Moved, Need, RUN_TIMER, Report, SETTLE_TIMER, State, decide,
    leaf::Leaf,
    reopen::first_id,
    replay::{ended_as, event_of, happening_of, outcome_of, same, shown, start_of, timezone_of, waiting},
    script::DIVERGED,
};
use crate::{
    Event, OrganisationId, RunId, Timestamp, Value,
    definition::Workflow,
    digest,
    history::{ChildOutcome, Entry, Fact, StepPath},
    ports::Outcome,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// More turns than any run of a finite workflow takes between two recorded moments.
const TURNS_MAX: usize = 100_000;

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

/// Re-executes a history on another definition. `example` gives a node's example output, for calls that the record does not
/// know.
pub fn replay_against(workflow: &Workflow, organisation: OrganisationId, run_id: RunId, entries: &[Entry], example: &dyn Fn(&str) -> Option<Value>) -> Report {
    let Some(start) = entries.first().and_then(|first| start_of(first, entries.get(1))) else {
        return Report { unknown: Some("the history does not begin with run_started".into()), ..Report::default() };
    };
    if entries.iter().any(|entry| matches!(entry.fact, Fact::Migrated { how: Moved::Restarted, .. })) {
        return Report { unknown: Some("the run began again on another version; look at it by itself".into()), ..Report::default() };
    }
    let unmoved = without_moves(entries);
    let entries = unmoved.as_slice();
    let mut what_if = WhatIf::new(workflow, organisation, run_id, entries);
    what_if.turn(Happening::Started(start));
    for _ in 0..TURNS_MAX {
        if what_if.has_caught_up() {
            break;
        }
        if let Some(happening) = what_if.recorded_next() {
            what_if.turn(happening);
            continue;
        }
        match what_if.next() {
            Next::Happening(happening) => what_if.turn(happening),
            Next::Call(call) => {
                let happening = what_if.answer(&call, example);
                match happening {
                    Some(happening) => what_if.turn(happening),
                    None => break,
                }
            }
            Next::End => break,
        }
    }
    what_if.report()
}

struct WhatIf<'a> {
    workflow: &'a Workflow,
    organisation: OrganisationId,
    recorded: &'a [Entry],
    timezone: String,
    state: State,
    made: Vec<Entry>,
    now: Timestamp,
    outcomes: BTreeMap<(String, String, String), VecDeque<(Moment, Outcome)>>,
    /// Events and requests from outside, in order.
    outside: VecDeque<(Moment, Outside)>,
    /// Attempts of each call that the record knows, less those that were answered.
    open: BTreeMap<(String, String, String), usize>,
    /// When the record's timers took effect, by key.
    fired: BTreeMap<String, VecDeque<Moment>>,
    /// Timers that the record knows to have been set, by key and due time.
    set: BTreeSet<(String, Timestamp)>,
    values: BTreeMap<String, Value>,
    /// What was read after the run was taken up again, by that entry's place.
    later_values: BTreeMap<usize, BTreeMap<String, Value>>,
    assumed_from: Option<u64>,
    unknown: Option<String>,
    /// What was decided so far stands in the record too, and nothing else does: the record tells what happens next.
    in_step: bool,
    /// How much of the record was taken in while in step.
    taken: usize,
    /// Where copies begin.
    forks: Vec<usize>,
}

/// A place in the record.
#[derive(Clone, Copy, Debug)]
struct Moment {
    seq: u64,
    at: Timestamp,
}

enum Outside {
    Event(Arc<Event>),
    Request(Box<Happening>),
    /// The run that this step waits for ended.
    Child(StepPath, ChildOutcome),
    /// The entry at this place took the run up again.
    Reopened(usize),
}

enum Next {
    Happening(Happening),
    Call(super::InFlight),
    End,
}

impl<'a> WhatIf<'a> {
    fn new(workflow: &'a Workflow, organisation: OrganisationId, run_id: RunId, recorded: &'a [Entry]) -> Self {
        let mut this = Self {
            workflow,
            organisation,
            recorded,
            timezone: timezone_of(recorded),
            state: State::new(first_id(run_id, recorded)),
            made: Vec::new(),
            now: recorded.first().map_or(Timestamp::MIN, |entry| entry.at),
            outcomes: BTreeMap::new(),
            outside: VecDeque::new(),
            open: BTreeMap::new(),
            fired: BTreeMap::new(),
            set: BTreeSet::new(),
            values: BTreeMap::new(),
            later_values: BTreeMap::new(),
            assumed_from: None,
            unknown: None,
            in_step: true,
            taken: 0,
            forks: Vec::new(),
        };
        this.read_record();
        this
    }

    /// What the record tells of the world: outcomes, events, requests, fields of records.
    fn read_record(&mut self) {
        let mut calls: BTreeMap<String, (String, String, String)> = BTreeMap::new();
        let mut children = BTreeSet::new();
        // What may have begun the end of the run.
        let (mut asked_to_end, mut failed_since): (Option<Timestamp>, Option<Timestamp>) = (None, None);
        let mut taken_up_at = None;
        for (index, entry) in self.recorded.iter().enumerate() {
            let moment = Moment { seq: entry.seq, at: entry.at };
            let step = entry.step.as_deref().map(str::to_owned);
            let timer = match &entry.fact {
                Fact::RunStarted { deadline, .. } | Fact::WaitOpened { deadline, .. } | Fact::AskOpened { deadline, .. } => *deadline,
                Fact::RetryScheduled { due, .. } | Fact::TimerSet { due } => Some(*due),
                Fact::Held { until, .. } => *until,
                _ => None,
            };
            if let Some(due) = timer {
                self.set.insert((step.clone().unwrap_or_else(|| RUN_TIMER.to_owned()), due));
            }
            match &entry.fact {
                Fact::Reopened { fork, .. } => {
                    self.forks.extend(fork.is_some().then_some(index));
                    (asked_to_end, failed_since) = (None, None);
                    taken_up_at = Some(index);
                    self.outside.push_back((moment, Outside::Reopened(index)));
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
                    *self.open.entry(key.clone()).or_default() += 1;
                    calls.insert(step, key);
                }
                (Fact::StepScheduled { input: None, .. }, Some(step)) => {
                    if let Some(key) = calls.get(&step) {
                        *self.open.entry(key.clone()).or_default() += 1;
                    }
                    self.fired.entry(step).or_default().push_back(moment);
                }
                (Fact::TimerFired { .. } | Fact::WaitTimedOut { .. }, Some(step)) => self.fired.entry(step).or_default().push_back(moment),
                (Fact::TimerFired { .. }, None) => self.fired.entry(RUN_TIMER.to_owned()).or_default().push_back(moment),
                // Time to settle was over; a join or a cancel ends at once what it ends.
                (Fact::StepCancelled { .. }, _) if ending.is_some_and(|at| entry.at >= at.plus_millis(crate::limits::SETTLE_MS)) => {
                    self.fired.entry(SETTLE_TIMER.to_owned()).or_default().push_back(moment);
                }
                (Fact::EventConsumed { event_id }, _) => {
                    if let Some(Fact::WaitResolved { event, taken_in_at, .. }) = self.recorded.get(index + 1).map(|entry| &entry.fact) {
                        self.outside.push_back((moment, Outside::Event(Arc::new(event_of(event, *event_id, *taken_in_at)))));
                    }
                }
                (Fact::Exited { exit, event, taken_in_at }, _) => {
                    self.outside.push_back((moment, Outside::Event(Arc::new(event_of(event, exit.event_id, *taken_in_at)))));
                }
                (Fact::CancelRequested { by, reason, force }, _) => {
                    self.outside.push_back((moment, Outside::Request(Box::new(Happening::Cancel { by: by.clone(), reason: reason.clone(), force: *force }))));
                }
                (Fact::WaitResolved { by: Some(_), .. }, _) => {
                    self.outside.extend(super::replay::signal_of(entry).map(|signal| (moment, Outside::Request(Box::new(signal)))));
                }
                // The engine's own pauses are decisions of that run, not something that came to it.
                (Fact::Paused { by, reason }, _) if !is_of_engine(by) => {
                    self.outside.push_back((moment, Outside::Request(Box::new(Happening::Pause { by: by.clone(), reason: reason.clone() }))));
                }
                (Fact::Resumed { by }, _) => self.outside.push_back((moment, Outside::Request(Box::new(Happening::Resume { by: by.clone() })))),
                (Fact::ChildEnded { outcome, .. }, Some(step)) => {
                    if !matches!(outcome, ChildOutcome::Continued { .. }) {
                        children.remove(&step);
                    }
                    self.outside.push_back((moment, Outside::Child(step.into(), outcome.clone())));
                }
                (Fact::AskAnswered { answer, by }, Some(step)) => {
                    let happening = Happening::Answered { step: step.into(), answer: answer.clone(), by: by.clone() };
                    self.outside.push_back((moment, Outside::Request(Box::new(happening))));
                }
                (Fact::ChildStarted { .. }, Some(step)) => drop(children.insert(step)),
                (Fact::StepFailed { error, .. }, Some(step)) if children.remove(&step) => {
                    let refused = Happening::ChildRefused { step: step.into(), error: error.clone() };
                    self.outside.push_back((moment, Outside::Request(Box::new(refused))));
                }
                (Fact::EventEmitted { event, .. }, Some(step)) if event == super::REMINDED => self.fired.entry(step).or_default().push_back(moment),
                (Fact::ValueRead { values }, _) => {
                    let read = taken_up_at.map_or(&mut self.values, |index| self.later_values.entry(index).or_default());
                    read.extend(values.clone());
                }
                _ => {}
            }
            if let (Some(outcome), Some(step)) = (outcome_of(entry), &entry.step)
                && let Some(key) = calls.get(&**step)
            {
                self.outcomes.entry(key.clone()).or_default().push_back((moment, outcome));
            }
        }
    }

    fn turn(&mut self, mut happening: Happening) {
        let mut known = Known { recorded_only: true, ..Known::default() };
        loop {
            let context = Context { organisation: self.organisation, now: self.now, known: &known, timezone: &self.timezone };
            let mut decision = decide(self.workflow, &mut self.state, happening, &context);
            let before = self.made.len();
            self.made.append(&mut decision.entries);
            if self.cut_at_fork() {
                return;
            }
            let recorded = self.recorded.get(before..).unwrap_or_default();
            let made = &self.made[before..];
            self.in_step &=
                made.len() <= recorded.len() && made.iter().zip(recorded).all(|(would, was)| same_decision(was, would) && same_deadline(was, would));
            let Some(need) = decision.need else { return };
            match need {
                Need::Records(asked) => {
                    if let Some(Fact::ValueRead { values }) = self.recorded.get(self.made.len()).map(|entry| &entry.fact)
                        && self.in_step
                    {
                        self.values.extend(values.clone());
                    }
                    let reads = crate::expression::RecordReads::recorded(&self.values);
                    for record in asked {
                        let value = reads.known.get(&record.name).cloned().unwrap_or_else(|| Value::Object(crate::Object::new()));
                        known.records.insert(record.name, value);
                    }
                }
                Need::Variant { step, by: _, proposal } => {
                    let recorded = self.recorded.iter().find_map(|entry| match &entry.fact {
                        Fact::VariantChosen { variant, sticky, .. } if entry.step.as_ref() == Some(&step) => Some((variant.clone(), *sticky)),
                        _ => None,
                    });
                    known.variants.insert(step, recorded.unwrap_or((proposal, false)));
                }
            }
            happening = Happening::Continue;
        }
    }

    /// Whether the run stands just where its record ends: nobody knows what came after.
    fn has_caught_up(&self) -> bool {
        self.in_step && self.made.len() == self.recorded.len()
    }

    /// What happens next by the record, for a run that has decided all that it tells so far and nothing else.
    fn recorded_next(&mut self) -> Option<Happening> {
        if !self.in_step {
            return None;
        }
        let index = self.made.len();
        let told = self.recorded.get(index..).unwrap_or_default();
        let happening = match told.first().map(|next| &next.fact) {
            None => None,
            // The engine's own pauses are decisions of that run, not something that came to it.
            Some(Fact::Paused { by, .. }) if is_of_engine(by) => None,
            Some(Fact::Reopened { .. }) => {
                self.read_on(index);
                super::Reopening::recorded(self.workflow, self.state.run_id, self.recorded, index).map(|how| Happening::Reopen(Box::new(how)))
            }
            Some(_) => happening_of(told, &self.state),
        };
        // What is read for a decision stands before what it is about.
        let told_by = told.iter().position(|entry| !matches!(entry.fact, Fact::ValueRead { .. })).map_or(index, |reads| index + reads);
        // One that decided nothing would be told again and again.
        if happening.is_none() || index < self.taken {
            self.in_step = false;
            self.leave_record();
            return None;
        }
        self.taken = told_by + 1;
        self.now = self.recorded.get(index).map_or(self.now, |next| self.now.max(next.at));
        happening
    }

    /// From here on the record is only a source of what may happen: what was taken from it is not told again.
    fn leave_record(&mut self) {
        let Some(last) = self.taken.checked_sub(1).and_then(|last| self.recorded.get(last)).map(|entry| entry.seq) else { return };
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

    /// What happens next to the resting run: a call's end, an event or a request of the record, or its own timer. In the
    /// order of the record where it knows both, else by time.
    fn next(&mut self) -> Next {
        if self.unknown.is_some() {
            return Next::End;
        }
        if self.state.status.is_final() {
            return self.next_of_ended();
        }
        if let Some(step) = self.state.leaves.iter().find_map(|(path, leaf)| matches!(leaf, Leaf::Child { waits: false, .. }).then(|| Arc::clone(path))) {
            return Next::Happening(Happening::ChildStarted { step });
        }
        let mut call = None;
        let mut outcome: Option<Moment> = None;
        for open in self.state.in_flight() {
            let recorded = self.outcomes.get(&call_key(&open.step, &open.node, &open.input)).and_then(VecDeque::front).map(|(moment, _)| *moment);
            match recorded {
                None if !self.is_unanswered(&open) => return Next::Call(open),
                Some(moment) if outcome.is_none_or(|earlier| moment.seq < earlier.seq) => (call, outcome) = (Some(open), Some(moment)),
                None if call.is_none() => call = Some(open),
                _ => {}
            }
        }
        let due = if self.state.paused.is_none() { self.next_timer() } else { None };
        let fired = due.as_ref().and_then(|(key, _)| self.fired.get(key)?.front()).copied();
        // Before which moment of the record the timer comes.
        let timer_before = |moment: Moment, taken_in_at: Timestamp| match (&due, fired) {
            (Some(_), Some(fired)) => fired.seq < moment.seq,
            // A timer that the record set and that did not take effect there before this did not do so here.
            (Some((key, due)), None) => key != SETTLE_TIMER && *due < taken_in_at && !self.set.contains(&(key.clone(), *due)),
            (None, _) => false,
        };
        let outside = self.outside.front().map(|(moment, outside)| {
            let counted = match outside {
                Outside::Event(event) => event.taken_in_at,
                Outside::Request(_) | Outside::Child(..) | Outside::Reopened(_) => moment.at,
            };
            (*moment, counted)
        });
        match (outcome, outside) {
            (Some(outcome), outside) if outside.is_none_or(|(outside, _)| outcome.seq < outside.seq) && !timer_before(outcome, outcome.at) => {
                call.map_or(Next::End, Next::Call)
            }
            (_, Some((moment, counted))) if !timer_before(moment, counted) => match self.outside.pop_front() {
                Some((moment, outside)) => self.taken_from_outside(moment.at, outside),
                None => Next::End,
            },
            _ => self.timer(due, fired, call.is_some()),
        }
    }

    /// The timer that takes effect next: the first of those that the record knows to have fired, else the first that is due.
    fn next_timer(&self) -> Option<(String, Timestamp)> {
        let timers = self.state.timers();
        let fired = timers.iter().filter_map(|timer| Some((self.fired.get(&timer.0)?.front()?.seq, timer))).min_by_key(|(seq, _)| *seq);
        if let Some((_, timer)) = fired {
            return Some(timer.clone());
        }
        // Time to settle that nobody needed takes no effect.
        let own = timers.iter().filter(|(key, _)| key != SETTLE_TIMER).min_by_key(|(_, due)| *due);
        own.or(timers.first()).cloned()
    }

    fn timer(&mut self, due: Option<(String, Timestamp)>, fired: Option<Moment>, calling: bool) -> Next {
        // Beyond the end of a record that is not finished, nobody knows what else came in.
        let finished = self.recorded.last().is_some_and(ends);
        let horizon = self.recorded.last().map_or(Timestamp::MIN, |entry| entry.at);
        match due {
            // One that the record set too, and that took no effect before its end, has not done so yet.
            Some((key, due)) if fired.is_some() || finished || (due <= horizon && !self.set.contains(&(key.clone(), due))) => {
                self.fired.get_mut(&key).and_then(VecDeque::pop_front);
                self.now = self.now.max(due).max(fired.map_or(due, |fired| fired.at));
                Next::Happening(Happening::Due { key })
            }
            Some(_) => Next::End,
            None => {
                if finished && !calling && self.state.paused.is_none() {
                    self.unknown = Some("it would wait for an event, and the record does not tell whether one came".into());
                }
                Next::End
            }
        }
    }

    /// What happens next to a run that has ended: it is taken up again where the record says so and there is something to
    /// repair.
    fn next_of_ended(&mut self) -> Next {
        while let Some((moment, outside)) = self.outside.pop_front() {
            let Outside::Reopened(index) = outside else { continue };
            self.read_on(index);
            let Some((by, repair)) = super::repair::recorded(self.recorded, index) else { continue };
            if let Ok(reopening) = super::repair(self.workflow, self.state.run_id, &self.made, by, repair) {
                self.now = self.now.max(moment.at);
                return Next::Happening(Happening::Reopen(Box::new(reopening)));
            }
        }
        Next::End
    }

    /// From here on, expressions see what was read after the run was taken up again.
    fn read_on(&mut self, index: usize) {
        let later = self.later_values.split_off(&(index + 1));
        for values in std::mem::replace(&mut self.later_values, later).into_values() {
            self.values.extend(values);
        }
    }

    /// The run that was copied may have gone on in the same decision; its copy goes on for itself, where nothing differs
    /// before. Whether it is so here.
    fn cut_at_fork(&mut self) -> bool {
        let Some(index) = self.forks.iter().copied().find(|fork| *fork >= self.taken) else { return false };
        let copied = |made: &[Entry]| made.iter().zip(self.recorded).all(|(would, was)| same_decision(was, would));
        if self.made.len() < index || !self.made.get(..index).is_some_and(copied) {
            return false;
        }
        match super::fold_all(self.workflow, self.state.run_id, &self.made[..index]) {
            Ok(state) => self.state = state,
            Err(error) => self.unknown = Some(error.to_string()),
        }
        self.made.truncate(index);
        self.in_step = true;
        true
    }

    /// A copy goes on from here; a repair finds nothing to repair.
    fn reopened(&mut self, index: usize) -> Happening {
        self.read_on(index);
        let Some(Fact::Reopened { fork: Some(forked), .. }) = self.recorded.get(index).map(|entry| &entry.fact) else { return Happening::Continue };
        let recorded = super::repair::recorded(self.recorded, index);
        let step = self.recorded.get(index).and_then(|entry| entry.step.clone());
        let reopening = recorded.and_then(|(by, repair)| super::Reopening::fork(self.workflow, &self.state, by, forked.clone(), step, repair));
        reopening.map_or(Happening::Continue, |reopening| Happening::Reopen(Box::new(reopening)))
    }

    fn taken_from_outside(&mut self, at: Timestamp, outside: Outside) -> Next {
        self.now = self.now.max(at);
        match outside {
            Outside::Reopened(index) => Next::Happening(self.reopened(index)),
            Outside::Request(happening) => Next::Happening(*happening),
            Outside::Child(step, outcome) => match self.state.leaves.get(&step) {
                Some(Leaf::Child { run_id, .. }) => Next::Happening(Happening::ChildEnded { step, run_id: *run_id, outcome }),
                _ => Next::Happening(Happening::Continue),
            },
            Outside::Event(event) => {
                let found = waiting(&self.state).find_map(|(path, waits)| {
                    let fits = |wait: &crate::history::OpenMatch| wait.event == event.body.kind && super::correlation::matches(&wait.values, &event.body.data);
                    waits.iter().find(|(_, wait)| fits(wait)).map(|(which, _)| (path.to_string(), which.clone()))
                });
                if let Some((target, which)) = found {
                    return Next::Happening(Happening::Event { target, which, event });
                }
                let exit = self.workflow.exit_on.iter().position(|exit| exit.rule.event == event.body.kind);
                let target = format!("{EXIT_TARGET}{}", exit.unwrap_or(usize::MAX));
                Next::Happening(Happening::Event { target, which: "event".into(), event })
            }
        }
    }

    /// The recorded outcome of a call, or an assumed one.
    fn answer(&mut self, call: &super::InFlight, example: &dyn Fn(&str) -> Option<Value>) -> Option<Happening> {
        let key = call_key(&call.step, &call.node, &call.input);
        let outcome = if let Some((moment, outcome)) = self.outcomes.get_mut(&key).and_then(VecDeque::pop_front) {
            self.now = self.now.max(moment.at);
            if let Some(open) = self.open.get_mut(&key) {
                *open = open.saturating_sub(1);
            }
            outcome
        } else if let Some(output) = example(&call.node) {
            self.assumed_from.get_or_insert(self.made.last().map_or(1, |entry| entry.seq));
            Outcome::done(output)
        } else {
            self.unknown = Some(format!("step {}: the record knows no such call of {}, and the node has no example", call.step, call.node));
            return None;
        };
        Some(Happening::StepEnded { step: Arc::clone(&call.step), attempt: call.attempt, outcome })
    }

    /// Whether the record knows this call and no outcome of it: it was left behind, or the record ends before it.
    fn is_unanswered(&self, call: &super::InFlight) -> bool {
        self.open.get(&call_key(&call.step, &call.node, &call.input)).is_some_and(|open| *open > 0)
    }

    fn report(self) -> Report {
        let difference = (0..self.recorded.len().max(self.made.len())).find_map(|index| {
            let (was, would) = (self.recorded.get(index), self.made.get(index));
            match (was, would) {
                (Some(was), Some(would)) if same_decision(was, would) => None,
                // The record simply has not come further than this.
                (None, Some(_)) if !self.recorded.last().is_some_and(ends) => None,
                _ => Some(Difference {
                    seq: was.or(would).map_or(0, |entry| entry.seq),
                    step: would.or(was).and_then(|entry| entry.step.as_deref().map(str::to_owned)),
                    was: was.map(shown).unwrap_or_default(),
                    would: would.map(shown).unwrap_or_default(),
                }),
            }
        });
        let (was, would) = (calls(self.recorded), calls(&self.made));
        let added = without(&would, &was);
        let missing = without(&was, &would);
        Report {
            same: difference.is_none() && added.is_empty() && missing.is_empty() && self.unknown.is_none(),
            differences: difference.into_iter().collect(),
            added,
            missing,
            assumed_from: self.assumed_from,
            status: ended_as(self.recorded),
            would_status: ended_as(&self.made).filter(|_| self.unknown.is_none()),
            unknown: self.unknown,
        }
    }
}

/// Whether a pause is the engine's own.
fn is_of_engine(by: &str) -> bool {
    by == "engine" || by == DIVERGED
}

fn ends(entry: &Entry) -> bool {
    matches!(entry.fact, Fact::RunCompleted { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. })
}

/// As [`same`], but another version's number and time-out do not count as a decision.
fn same_decision(was: &Entry, would: &Entry) -> bool {
    match (&was.fact, &would.fact) {
        (Fact::RunStarted { .. }, Fact::RunStarted { .. }) => true,
        _ => same(was, would),
    }
}

/// A run that may take longer or shorter falls out of step without deciding anything.
fn same_deadline(was: &Entry, would: &Entry) -> bool {
    match (&was.fact, &would.fact) {
        (Fact::RunStarted { deadline, .. }, Fact::RunStarted { deadline: other, .. }) => deadline == other,
        _ => true,
    }
}

fn call_key(step: &str, node: &str, input: &Value) -> (String, String, String) {
    (step.to_owned(), node.to_owned(), digest::hex(input.to_string().as_bytes()))
}

fn calls(entries: &[Entry]) -> Vec<CallDifference> {
    entries
        .iter()
        .filter_map(|entry| match (&entry.fact, &entry.step) {
            (Fact::StepScheduled { node, input: Some(input), .. }, Some(step)) => {
                Some(CallDifference { step: step.to_string(), node: node.clone(), input: Value::clone(input) })
            }
            _ => None,
        })
        .collect()
}

/// The calls that `lacking` lacks, counting repetitions.
fn without(calls: &[CallDifference], lacking: &[CallDifference]) -> Vec<CallDifference> {
    let mut left: Vec<&CallDifference> = lacking.iter().collect();
    calls
        .iter()
        .filter(|call| match left.iter().position(|other| other == call) {
            Some(index) => {
                left.swap_remove(index);
                false
            }
            None => true,
        })
        .cloned()
        .collect()
}
