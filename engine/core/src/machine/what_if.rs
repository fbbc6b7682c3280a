//! What-if: a recorded run on another definition (SEMANTICS.md 20). As long as it decides the same, the record tells what
//! happens next. From there on, recorded outcomes are reused by (step path, occurrence, node, input digest); recorded events
//! and requests come again at their times; what the record cannot tell is assumed and marked, or ends the report.

use super::{
    Context, EXIT_TARGET, Happening, Known, Moved, Need, Report, SETTLE_TIMER, Start, State, decide,
    leaf::Leaf,
    reopen::first_id,
    replay::{happening_of, same, start_of, timezone_of, waiting},
};
use crate::{
    OrganisationId, RunId, Timestamp, Value,
    definition::Workflow,
    history::{Entry, Fact},
    ports::Outcome,
};
use std::{collections::VecDeque, sync::Arc};

mod record;
mod report;

use record::{Moment, Outside, Record, call_key, is_of_engine};

/// More turns than any run of a finite workflow takes between two recorded moments.
const TURNS_MAX: usize = 100_000;

/// Re-executes a history on another definition. `example` gives a node's example output, for calls that the record does not
/// know.
pub fn replay_against(workflow: &Workflow, organisation: OrganisationId, run_id: RunId, entries: &[Entry], example: &dyn Fn(&str) -> Option<Value>) -> Report {
    let Some(start) = entries.first().and_then(|first| start_of(first, entries.get(1))) else {
        return Report { unknown: Some("the history does not begin with run_started".into()), ..Report::default() };
    };
    if entries.iter().any(|entry| matches!(entry.fact, Fact::Migrated { how: Moved::Restarted, .. })) {
        return Report { unknown: Some("the run began again on another version; look at it by itself".into()), ..Report::default() };
    }
    played(workflow, organisation, run_id, entries, start, example).report()
}

/// The whole re-execution.
pub(super) fn played<'w>(
    workflow: &'w Workflow,
    organisation: OrganisationId,
    run_id: RunId,
    entries: &[Entry],
    start: Start,
    example: &dyn Fn(&str) -> Option<Value>,
) -> WhatIf<'w> {
    let mut what_if = WhatIf::new(workflow, organisation, run_id, Record::of(entries));
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
    what_if
}

/// A re-execution under way.
pub(super) struct WhatIf<'a> {
    workflow: &'a Workflow,
    organisation: OrganisationId,
    record: Record,
    timezone: String,
    state: State,
    /// What it decided so far.
    pub(super) made: Vec<Entry>,
    now: Timestamp,
    assumed_from: Option<u64>,
    unknown: Option<String>,
    /// What was decided so far stands in the record too, and nothing else does: the record tells what happens next.
    in_step: bool,
    /// How much of the record was taken in while in step.
    taken: usize,
}

enum Next {
    Happening(Happening),
    Call(super::InFlight),
    End,
}

impl<'a> WhatIf<'a> {
    fn new(workflow: &'a Workflow, organisation: OrganisationId, run_id: RunId, record: Record) -> Self {
        Self {
            workflow,
            organisation,
            timezone: timezone_of(&record.entries),
            state: State::new(first_id(run_id, &record.entries)),
            made: Vec::new(),
            now: record.entries.first().map_or(Timestamp::MIN, |entry| entry.at),
            record,
            assumed_from: None,
            unknown: None,
            in_step: true,
            taken: 0,
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
            let recorded = self.record.entries.get(before..).unwrap_or_default();
            let made = &self.made[before..];
            let same = made.len() <= recorded.len() && made.iter().zip(recorded).all(|(would, was)| same_decision(was, would) && same_deadline(was, would));
            if !same {
                self.fall_out_of_step();
            }
            let Some(need) = decision.need else { return };
            match need {
                Need::Records(asked) => {
                    if let Some(Fact::ValueRead { values }) = self.record.entries.get(self.made.len()).map(|entry| &entry.fact)
                        && self.in_step
                    {
                        self.record.values.extend(values.clone());
                    }
                    let reads = crate::expression::RecordReads::recorded(&self.record.values);
                    for record in asked {
                        let value = reads.known.get(&record.name).cloned().unwrap_or_else(|| Value::Object(crate::Object::new()));
                        known.records.insert(record.name, value);
                    }
                }
                Need::Variant { step, by: _, proposal } => {
                    let recorded = self.record.entries.iter().find_map(|entry| match &entry.fact {
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
        self.in_step && self.made.len() == self.record.entries.len()
    }

    /// What happens next by the record, for a run that has decided all that it tells so far and nothing else.
    fn recorded_next(&mut self) -> Option<Happening> {
        if !self.in_step {
            return None;
        }
        let index = self.made.len();
        if matches!(self.record.entries.get(index).map(|next| &next.fact), Some(Fact::Reopened { .. })) {
            self.record.read_on(index);
        }
        let told = self.record.entries.get(index..).unwrap_or_default();
        let happening = match told.first().map(|next| &next.fact) {
            None => None,
            // The engine's own pauses are decisions of that run, not something that came to it.
            Some(Fact::Paused { by, .. }) if is_of_engine(by) => None,
            Some(Fact::Reopened { .. }) => {
                super::Reopening::recorded(self.workflow, self.state.run_id, &self.record.entries, index).map(|how| Happening::Reopen(Box::new(how)))
            }
            Some(_) => happening_of(told, &self.state),
        };
        // What is read for a decision stands before what it is about.
        let told_by = told.iter().position(|entry| !matches!(entry.fact, Fact::ValueRead { .. })).map_or(index, |reads| index + reads);
        // One that decided nothing would be told again and again.
        if happening.is_none() || index < self.taken {
            self.fall_out_of_step();
            return None;
        }
        self.taken = told_by + 1;
        self.now = self.record.entries.get(index).map_or(self.now, |next| self.now.max(next.at));
        happening
    }

    /// From here on the record only says what may happen.
    fn fall_out_of_step(&mut self) {
        if std::mem::take(&mut self.in_step) {
            self.record.forget(self.taken);
        }
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
            let recorded = self.record.outcomes.get(&call_key(&open.step, &open.node, &open.input)).and_then(VecDeque::front).map(|(moment, _)| *moment);
            match recorded {
                None if !self.record.is_unanswered(&open) => return Next::Call(open),
                Some(moment) if outcome.is_none_or(|earlier| moment.seq < earlier.seq) => (call, outcome) = (Some(open), Some(moment)),
                None if call.is_none() => call = Some(open),
                _ => {}
            }
        }
        let due = if self.state.paused.is_none() { self.next_timer() } else { None };
        let fired = due.as_ref().and_then(|(key, _)| self.record.fired.get(key)?.front()).copied();
        // Before which moment of the record the timer comes.
        let timer_before = |moment: Moment, taken_in_at: Timestamp| match (&due, fired) {
            (Some(_), Some(fired)) => fired.seq < moment.seq,
            // A timer that the record set and that did not take effect there before this did not do so here.
            (Some((key, due)), None) => key != SETTLE_TIMER && *due < taken_in_at && !self.record.set.contains(&(key.clone(), *due)),
            (None, _) => false,
        };
        let outside = self.record.outside.front().map(|(moment, outside)| {
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
            (_, Some((moment, counted))) if !timer_before(moment, counted) => match self.record.outside.pop_front() {
                Some((moment, outside)) => self.taken_from_outside(moment.at, outside),
                None => Next::End,
            },
            _ => self.timer(due, fired, call.is_some()),
        }
    }

    /// The timer that takes effect next: the first of those that the record knows to have fired, else the first that is due.
    fn next_timer(&self) -> Option<(String, Timestamp)> {
        let timers = self.state.timers();
        let fired = timers.iter().filter_map(|timer| Some((self.record.fired.get(&timer.0)?.front()?.seq, timer))).min_by_key(|(seq, _)| *seq);
        if let Some((_, timer)) = fired {
            return Some(timer.clone());
        }
        // Time to settle that nobody needed takes no effect.
        let own = timers.iter().filter(|(key, _)| key != SETTLE_TIMER).min_by_key(|(_, due)| *due);
        own.or(timers.first()).cloned()
    }

    fn timer(&mut self, due: Option<(String, Timestamp)>, fired: Option<Moment>, calling: bool) -> Next {
        // Beyond the end of a record that is not finished, nobody knows what else came in.
        let finished = self.record.entries.last().is_some_and(ends);
        let horizon = self.record.entries.last().map_or(Timestamp::MIN, |entry| entry.at);
        match due {
            // One that the record set too, and that took no effect before its end, has not done so yet.
            Some((key, due)) if fired.is_some() || finished || (due <= horizon && !self.record.set.contains(&(key.clone(), due))) => {
                self.record.fired.get_mut(&key).and_then(VecDeque::pop_front);
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
        while let Some((moment, outside)) = self.record.outside.pop_front() {
            let Outside::Reopened(index) = outside else { continue };
            self.record.read_on(index);
            let Some((by, repair)) = super::repair::recorded(&self.record.entries, index) else { continue };
            if let Ok(reopening) = super::repair(self.workflow, self.state.run_id, &self.made, by, repair) {
                self.now = self.now.max(moment.at);
                return Next::Happening(Happening::Reopen(Box::new(reopening)));
            }
        }
        Next::End
    }

    /// The run that was copied may have gone on in the same decision; its copy goes on for itself, where nothing differs
    /// before. Whether it is so here.
    fn cut_at_fork(&mut self) -> bool {
        let Some(index) = self.record.forks.iter().copied().find(|fork| *fork >= self.taken) else { return false };
        let copied = |made: &[Entry]| made.iter().zip(&self.record.entries).all(|(would, was)| same_decision(was, would));
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
        self.record.read_on(index);
        let Some(Fact::Reopened { fork: Some(forked), .. }) = self.record.entries.get(index).map(|entry| &entry.fact) else { return Happening::Continue };
        let recorded = super::repair::recorded(&self.record.entries, index);
        let step = self.record.entries.get(index).and_then(|entry| entry.step.clone());
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
        let outcome = if let Some((moment, outcome)) = self.record.outcomes.get_mut(&key).and_then(VecDeque::pop_front) {
            self.now = self.now.max(moment.at);
            if let Some(open) = self.record.open.get_mut(&key) {
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
