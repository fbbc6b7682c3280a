//! What-if: a recorded run on another definition (SEMANTICS.md 20). Recorded outcomes are reused by (step path, occurrence,
//! node, input digest); recorded events and requests come again at their times; what the record cannot tell is assumed and
//! marked, or ends the report.

use super::{
    CallDifference, Context, Difference, EXIT_TARGET, Happening, Known, Need, Report, State, decide,
    replay::{event_of, next_due, outcome_of, same, shown, start_of, timezone_of, waiting},
};
use crate::{
    Event, OrganisationId, RunId, Timestamp, Value,
    definition::Workflow,
    digest,
    history::{Entry, Fact},
    ports::Outcome,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// More turns than any run of a finite workflow takes between two recorded moments.
const TURNS_MAX: usize = 100_000;

/// Re-executes a history on another definition. `example` gives a node's example output, for calls that the record does not
/// know.
pub fn replay_against(workflow: &Workflow, organisation: OrganisationId, run_id: RunId, entries: &[Entry], example: &dyn Fn(&str) -> Option<Value>) -> Report {
    let Some(start) = entries.first().and_then(|first| start_of(first, entries.get(1))) else {
        return Report { unknown: Some("the history does not begin with run_started".into()), ..Report::default() };
    };
    let mut what_if = WhatIf::new(workflow, organisation, run_id, entries);
    what_if.turn(Happening::Started(start));
    for _ in 0..TURNS_MAX {
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
    outcomes: BTreeMap<(String, String, String), VecDeque<Outcome>>,
    /// Events and requests from outside, by time.
    outside: VecDeque<(Timestamp, Outside)>,
    values: BTreeMap<String, Value>,
    assumed_from: Option<u64>,
    unknown: Option<String>,
}

enum Outside {
    Event(Arc<Event>),
    Request(Happening),
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
            state: State::new(run_id),
            made: Vec::new(),
            now: recorded.first().map_or(Timestamp::MIN, |entry| entry.at),
            outcomes: BTreeMap::new(),
            outside: VecDeque::new(),
            values: BTreeMap::new(),
            assumed_from: None,
            unknown: None,
        };
        this.read_record();
        this
    }

    /// What the record tells of the world: outcomes, events, requests, fields of records.
    fn read_record(&mut self) {
        let mut calls: BTreeMap<String, (String, String, String)> = BTreeMap::new();
        let mut outside = Vec::new();
        for (index, entry) in self.recorded.iter().enumerate() {
            match &entry.fact {
                Fact::StepScheduled { node, input: Some(input), .. } => {
                    if let Some(step) = &entry.step {
                        calls.insert(step.to_string(), call_key(step, node, input));
                    }
                }
                Fact::EventConsumed { event_id } => {
                    if let Some(Fact::WaitResolved { event, taken_in_at, .. }) = self.recorded.get(index + 1).map(|entry| &entry.fact) {
                        outside.push((*taken_in_at, Outside::Event(Arc::new(event_of(event, *event_id, *taken_in_at)))));
                    }
                }
                Fact::Exited { exit, event, taken_in_at } => outside.push((*taken_in_at, Outside::Event(Arc::new(event_of(event, exit.event_id, *taken_in_at))))),
                Fact::CancelRequested { by, reason, force } => {
                    outside.push((entry.at, Outside::Request(Happening::Cancel { by: by.clone(), reason: reason.clone(), force: *force })));
                }
                Fact::ValueRead { values } => self.values.extend(values.clone()),
                _ => {}
            }
            if let (Some(outcome), Some(step)) = (outcome_of(entry), &entry.step)
                && let Some(key) = calls.get(&**step)
            {
                self.outcomes.entry(key.clone()).or_default().push_back(outcome);
            }
        }
        outside.sort_by_key(|(at, _)| *at);
        self.outside = outside.into();
    }

    fn turn(&mut self, mut happening: Happening) {
        let mut known = Known { recorded_only: true, ..Known::default() };
        loop {
            let context = Context { organisation: self.organisation, now: self.now, known: &known, timezone: &self.timezone };
            let mut decision = decide(self.workflow, &mut self.state, happening, &context);
            self.made.append(&mut decision.entries);
            let Some(need) = decision.need else { return };
            match need {
                Need::Records(asked) => {
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

    /// What happens next to the resting run: a call's end, an event or a request of the record, or its own timer.
    fn next(&mut self) -> Next {
        if self.state.status.is_final() || self.unknown.is_some() {
            return Next::End;
        }
        if let Some(call) = self.state.in_flight().into_iter().next() {
            return Next::Call(call);
        }
        let due = next_due(&self.state);
        let outside_first = match (self.outside.front(), &due) {
            (Some((at, _)), Some((_, due))) => at <= due,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if outside_first && let Some((at, outside)) = self.outside.pop_front() {
            return self.from_outside(at, outside);
        }
        // Beyond the end of a record that is not finished, nobody knows what else came in.
        let finished = self.recorded.last().is_some_and(|entry| matches!(entry.fact, Fact::RunCompleted { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. }));
        let horizon = self.recorded.last().map_or(Timestamp::MIN, |entry| entry.at);
        match due {
            Some((key, due)) if finished || due <= horizon => {
                self.now = self.now.max(due);
                Next::Happening(Happening::Due { key })
            }
            Some(_) => Next::End,
            None => {
                if finished {
                    self.unknown = Some("it would wait for an event, and the record does not tell whether one came".into());
                }
                Next::End
            }
        }
    }

    fn from_outside(&mut self, at: Timestamp, outside: Outside) -> Next {
        self.now = self.now.max(at);
        match outside {
            Outside::Request(happening) => Next::Happening(happening),
            Outside::Event(event) => {
                if let Some((path, waits, _)) = waiting(&self.state)
                    && let Some((which, _)) = waits.iter().find(|(_, wait)| wait.event == event.body.kind && super::correlation::matches(&wait.values, &event.body.data))
                {
                    return Next::Happening(Happening::Event { target: path.to_string(), which: which.clone(), event });
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
        let outcome = match self.outcomes.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(outcome) => outcome,
            None if self.still_open(call) => return None,
            None => match example(&call.node) {
                Some(output) => {
                    self.assumed_from.get_or_insert(self.made.last().map_or(1, |entry| entry.seq));
                    Outcome::done(output)
                }
                None => {
                    self.unknown = Some(format!("step {}: the record knows no such call of {}, and the node has no example", call.step, call.node));
                    return None;
                }
            },
        };
        Some(Happening::StepEnded { step: Arc::clone(&call.step), attempt: call.attempt, outcome })
    }

    /// Whether the record ends with this very call under way.
    fn still_open(&self, call: &super::InFlight) -> bool {
        matches!(self.recorded.last(), Some(Entry { step: Some(step), fact: Fact::StepScheduled { node, .. }, .. }) if *step == call.step && **node == *call.node)
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
            unknown: self.unknown,
        }
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

fn call_key(step: &str, node: &str, input: &Value) -> (String, String, String) {
    (step.to_owned(), node.to_owned(), digest::hex(input.to_string().as_bytes()))
}

fn calls(entries: &[Entry]) -> Vec<CallDifference> {
    entries
        .iter()
        .filter_map(|entry| match (&entry.fact, &entry.step) {
            (Fact::StepScheduled { node, input: Some(input), .. }, Some(step)) => Some(CallDifference { step: step.to_string(), node: node.clone(), input: input.clone() }),
            _ => None,
        })
        .collect()
}

/// The calls of `these` that `those` lack, counting repetitions.
fn without(these: &[CallDifference], those: &[CallDifference]) -> Vec<CallDifference> {
    let mut left: Vec<&CallDifference> = those.iter().collect();
    these
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
