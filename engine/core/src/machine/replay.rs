//! Replay: the same function over recorded outcomes. Touches no node, store, live record, clock or event
//! (SEMANTICS.md 20).

use super::{Context, Happening, Known, Need, RUN_TIMER, Reopening, SETTLE_TIMER, Start, State, decide, fold_all, leaf::Leaf, reopen::first_id};
use crate::{
    ErrorCode, Event, EventId, NewEvent, OrganisationId, RunId, Timestamp, Value,
    definition::Workflow,
    history::{Entry, Fact, StepPath},
    ports::{Outcome, RunStatus},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Where a re-execution leaves the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The history entry where it begins.
    pub seq: u64,
    /// The step.
    pub step: Option<String>,
    /// The recorded entry; null when the record has none there.
    pub was: Value,
    /// What the re-execution would record; null when nothing.
    pub would: Value,
}

/// A call that another definition would add or lack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallDifference {
    /// The step.
    pub step: String,
    /// The node.
    pub node: String,
    /// Its input.
    pub input: Value,
}

/// What a re-execution gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// No difference.
    pub same: bool,
    /// The first difference.
    pub differences: Vec<Difference>,
    /// Calls that would be made and were not.
    pub added: Vec<CallDifference>,
    /// Calls that were made and would not be.
    pub missing: Vec<CallDifference>,
    /// From this entry of the re-execution on, values are assumed (a node's example), not recorded.
    pub assumed_from: Option<u64>,
    /// The re-execution ends here: a value is neither recorded nor can be assumed.
    pub unknown: Option<String>,
    /// How the run has ended; none while it lives.
    #[serde(default)]
    pub status: Option<RunStatus>,
    /// How it would have ended; none where it would not, or where nobody can know.
    #[serde(default)]
    pub would_status: Option<RunStatus>,
}

/// The definitions that a history is of: one for each version that its run was on.
pub trait Versions {
    /// The definition of a version.
    fn version(&self, version: u32) -> Option<&Workflow>;
}

/// One definition, whatever its number: a run that was never moved.
impl Versions for Workflow {
    fn version(&self, _: u32) -> Option<&Workflow> {
        Some(self)
    }
}
impl Versions for Arc<Workflow> {
    fn version(&self, _: u32) -> Option<&Workflow> {
        Some(self)
    }
}
impl Versions for BTreeMap<u32, Arc<Workflow>> {
    fn version(&self, version: u32) -> Option<&Workflow> {
        self.get(&version).map(|workflow| &**workflow)
    }
}

/// The versions that a history is of, in their order.
pub fn versions_of(entries: &[Entry]) -> Vec<u32> {
    let versions = entries.iter().filter_map(|entry| match &entry.fact {
        Fact::RunStarted { version, .. } | Fact::Migrated { version, .. } => Some(*version),
        _ => None,
    });
    let mut all: Vec<u32> = Vec::new();
    for version in versions {
        if !all.contains(&version) {
            all.push(version);
        }
    }
    all
}

/// Re-executes a history on its own definitions, each part of it on the version that the run was on then (SEMANTICS.md 28); the
/// first difference ends it.
pub fn replay(versions: &(impl Versions + ?Sized), organisation: OrganisationId, run_id: RunId, entries: &[Entry]) -> Report {
    let first = versions_of(entries).first().copied().unwrap_or(0);
    let Some(workflow) = versions.version(first) else {
        return Report { unknown: Some(format!("version {first} is not there")), ..Report::default() };
    };
    let others = |version| versions.version(version);
    let mut player = Player::new(workflow, organisation, run_id, entries);
    player.versions = Some(&others);
    let difference = player.play();
    let status = ended_as(entries);
    Report { same: difference.is_none(), differences: difference.into_iter().collect(), status, would_status: status, ..Report::default() }
}

struct Player<'a> {
    workflow: &'a Workflow,
    /// The other versions that the run was on.
    versions: Option<&'a dyn Fn(u32) -> Option<&'a Workflow>>,
    organisation: OrganisationId,
    recorded: &'a [Entry],
    /// How many recorded entries the re-execution has reproduced.
    position: usize,
    state: State,
}

impl<'a> Player<'a> {
    fn new(workflow: &'a Workflow, organisation: OrganisationId, run_id: RunId, recorded: &'a [Entry]) -> Self {
        Self { workflow, versions: None, organisation, recorded, position: 0, state: State::new(first_id(run_id, recorded)) }
    }

    fn play(&mut self) -> Option<Difference> {
        let Some(start) = self.recorded.first().and_then(|first| start_of(first, self.recorded.get(1))) else {
            return Some(Difference { seq: 1, step: None, was: self.recorded.first().map(shown).unwrap_or_default(), would: Value::from("run_started") });
        };
        let mut happening = Happening::Started(start);
        loop {
            if let Some(difference) = self.decide_and_compare(happening) {
                return Some(difference);
            }
            let next = self.recorded.get(self.position)?;
            if let Fact::Migrated { version, .. } = &next.fact
                && let Some(workflow) = self.versions.and_then(|versions| versions(*version))
            {
                self.workflow = workflow;
            }
            match self.following(next) {
                Some(following) => happening = following,
                None => return Some(Difference { seq: next.seq, step: next.step.as_deref().map(str::to_owned), was: shown(next), would: Value::Null }),
            }
        }
    }

    /// The happening that the next recorded entry tells of.
    fn following(&self, next: &Entry) -> Option<Happening> {
        if let Fact::Reopened { .. } = next.fact {
            let reopening = Reopening::recorded(self.workflow, self.state.run_id, self.recorded, self.position)?;
            return Some(Happening::Reopen(Box::new(reopening)));
        }
        happening_of(&self.recorded[self.position..], &self.state)
    }

    /// Decides on one happening, meeting its needs from the record, and compares what comes out.
    fn decide_and_compare(&mut self, mut happening: Happening) -> Option<Difference> {
        let mut known = Known { recorded_only: true, ..Known::default() };
        let timezone = timezone_of(self.recorded);
        let before = self.position;
        loop {
            let now = self.recorded.get(self.position).or(self.recorded.last()).map_or(Timestamp::MIN, |entry| entry.at);
            let context = Context { organisation: self.organisation, now, known: &known, timezone: &timezone };
            let decision = decide(self.workflow, &mut self.state, happening, &context);
            for entry in &decision.entries {
                let recorded = self.recorded.get(self.position);
                match recorded {
                    Some(recorded) if same(recorded, entry) => {
                        self.take_prepared(recorded);
                        self.position += 1;
                    }
                    Some(Entry { fact: Fact::Reopened { fork: Some(_), .. }, .. }) => return self.cut_back(),
                    _ => {
                        let would = shown(entry);
                        let step = entry.step.as_deref().map(str::to_owned);
                        return Some(Difference {
                            seq: recorded.map_or(entry.seq, |entry| entry.seq),
                            step,
                            was: recorded.map(shown).unwrap_or_default(),
                            would,
                        });
                    }
                }
            }
            match decision.need {
                None => break,
                Some(need) => known = self.meet(need, known),
            }
            happening = Happening::Continue;
        }
        // A happening that changes nothing here, though the record says that it did.
        (self.position == before && self.position < self.recorded.len()).then(|| {
            let was = &self.recorded[self.position];
            Difference { seq: was.seq, step: was.step.as_deref().map(str::to_owned), was: shown(was), would: Value::Null }
        })
    }

    /// The run that was copied went on from here in the same decision; its copy did not.
    fn cut_back(&mut self) -> Option<Difference> {
        match fold_all(self.workflow, self.state.run_id, &self.recorded[..self.position]) {
            Ok(state) => {
                self.state = state;
                None
            }
            Err(error) => {
                let was = &self.recorded[self.position];
                Some(Difference { seq: error.seq, step: None, was: shown(was), would: Value::from(error.to_string()) })
            }
        }
    }

    /// What `prepare` gave is the runtime's, not the machine's: taken over from the record.
    fn take_prepared(&mut self, recorded: &Entry) {
        if let (Fact::StepScheduled { prepared: Some(prepared), .. }, Some(step)) = (&recorded.fact, &recorded.step) {
            self.state.record_prepared(&mut [], step, Arc::clone(prepared));
        }
    }

    fn meet(&self, need: Need, mut known: Known) -> Known {
        match need {
            Need::Records(asked) => {
                // What the record says was read next is what the expression at hand used; none: it used no field.
                let values = match self.recorded.get(self.position).map(|entry| &entry.fact) {
                    Some(Fact::ValueRead { values }) => values.clone(),
                    _ => BTreeMap::new(),
                };
                let reads = crate::expression::RecordReads::recorded(&values);
                for record in asked {
                    let value = reads.known.get(&record.name).cloned().unwrap_or_else(|| Value::Object(crate::Object::new()));
                    known.records.insert(record.name, value);
                }
            }
            Need::Variant { step, by: _, proposal } => {
                let recorded = self.recorded[self.position..].iter().find(|entry| entry.step.as_ref() == Some(&step));
                let answer = match recorded.map(|entry| &entry.fact) {
                    Some(Fact::VariantChosen { variant, sticky, .. }) => (variant.clone(), *sticky),
                    _ => (proposal, false),
                };
                known.variants.insert(step, answer);
            }
        }
        known
    }
}

/// Whether two entries say the same, apart from their time, and from what the runtime adds to them.
pub(super) fn same(recorded: &Entry, made: &Entry) -> bool {
    if recorded.step != made.step {
        return false;
    }
    match (&recorded.fact, &made.fact) {
        (
            Fact::StepScheduled { node, attempt, generation, input, timeout_ms, .. },
            Fact::StepScheduled { node: made_node, attempt: made_attempt, generation: made_generation, input: made_input, timeout_ms: made_timeout_ms, .. },
        ) => {
            (node, attempt, generation, timeout_ms) == (made_node, made_attempt, made_generation, made_timeout_ms)
                && same_value_or_erased(input.as_deref(), made_input.as_deref())
        }
        (Fact::StepCompleted { output, .. }, Fact::StepCompleted { output: made_output, .. }) => output == made_output,
        (was, made) => was == made,
    }
}

/// An erased payload compares equal to anything: replay of such a run compares decisions only (SEMANTICS.md 17).
fn same_value_or_erased(was: Option<&Value>, made: Option<&Value>) -> bool {
    was == made || was.is_some_and(|was| was.get("$erased").is_some())
}

/// How a history ends; none where it goes on.
pub(super) fn ended_as(entries: &[Entry]) -> Option<RunStatus> {
    match entries.last()?.fact {
        Fact::RunCompleted { .. } => Some(RunStatus::Completed),
        Fact::RunFailed { .. } => Some(RunStatus::Failed),
        Fact::RunCancelled { .. } => Some(RunStatus::Cancelled),
        _ => None,
    }
}

/// An entry without its time, for people.
pub(super) fn shown(entry: &Entry) -> Value {
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("at");
        object.shift_remove("seq");
    }
    value
}

pub(super) fn timezone_of(recorded: &[Entry]) -> String {
    match recorded.first().map(|entry| &entry.fact) {
        Some(Fact::RunStarted { timezone, .. }) => timezone.clone(),
        _ => "UTC".into(),
    }
}

/// The start that a history tells of.
pub(super) fn start_of(first: &Entry, second: Option<&Entry>) -> Option<Start> {
    let Fact::RunStarted { version, key, trigger, input, event, event_id, seed, depth, parent, .. } = &first.fact else { return None };
    let reads = match second {
        Some(Entry { step: None, fact: Fact::ValueRead { values }, .. }) if trigger.is_some() => values.clone(),
        _ => BTreeMap::new(),
    };
    Some(Start {
        version: *version,
        key: key.clone(),
        trigger: *trigger,
        input: Value::clone(input),
        event: Value::clone(event),
        event_id: *event_id,
        seed: *seed,
        depth: *depth,
        parent: parent.clone(),
        reads,
    })
}

/// The happening that the next recorded entries tell of, for a run that rests in this state.
pub(super) fn happening_of(next: &[Entry], state: &State) -> Option<Happening> {
    // What was read for a decision stands before it.
    let at = next.iter().position(|entry| !matches!(entry.fact, Fact::ValueRead { .. }))?;
    let (entry, after) = (&next[at], next.get(at + 1));
    let step = || entry.step.clone();
    let leaf = || state.leaves.get(entry.step.as_ref()?);
    Some(match (&entry.fact, leaf()) {
        (Fact::StepCompleted { .. }, Some(Leaf::Child { .. })) => Happening::ChildStarted { step: step()? },
        (Fact::StepFailed { error, .. }, Some(Leaf::Child { .. })) => Happening::ChildRefused { step: step()?, error: error.clone() },
        (Fact::StepCompleted { .. } | Fact::StepFailed { .. } | Fact::RetryScheduled { .. } | Fact::Held { .. }, _) => {
            let step = step()?;
            let attempt = state.in_flight().iter().find(|call| call.step == step).map(|call| call.attempt)?;
            Happening::StepEnded { step, attempt, outcome: outcome_of(entry)? }
        }
        // What let a step go on that was held for longer was no timer.
        (Fact::StepScheduled { .. }, Some(leaf)) if leaf.due().is_none_or(|due| due > entry.at) => Happening::Woken { step: step()? },
        (Fact::StepScheduled { .. } | Fact::WaitTimedOut { .. }, _) | (Fact::EventEmitted { .. }, Some(Leaf::Ask { .. })) => {
            Happening::Due { key: step()?.to_string() }
        }
        (Fact::TimerFired { .. }, _) => Happening::Due { key: step().map_or_else(|| RUN_TIMER.to_owned(), |step| step.to_string()) },
        (Fact::StepCancelled { .. }, _) => Happening::Due { key: SETTLE_TIMER.to_owned() },
        (Fact::EventConsumed { event_id }, _) => {
            let Some(Fact::WaitResolved { which, event, taken_in_at, .. }) = after.map(|entry| &entry.fact) else { return None };
            Happening::Event { target: step()?.to_string(), which: which.clone(), event: Arc::new(event_of(event, *event_id, *taken_in_at)) }
        }
        (Fact::WaitResolved { .. }, _) => signal_of(entry)?,
        (Fact::Exited { exit, event, taken_in_at }, _) => {
            let target = format!("{}{}", super::EXIT_TARGET, exit.rule);
            Happening::Event { target, which: "event".into(), event: Arc::new(event_of(event, exit.event_id, *taken_in_at)) }
        }
        (Fact::ChildEnded { run_id, outcome }, _) => Happening::ChildEnded { step: step()?, run_id: *run_id, outcome: outcome.clone() },
        (Fact::AskAnswered { answer, by }, _) => Happening::Answered { step: step()?, answer: answer.clone(), by: by.clone() },
        (Fact::CancelRequested { by, reason, force }, _) => Happening::Cancel { by: by.clone(), reason: reason.clone(), force: *force },
        (Fact::Paused { by, reason }, _) => Happening::Pause { by: by.clone(), reason: reason.clone() },
        (Fact::Resumed { by }, _) => Happening::Resume { by: by.clone() },
        (Fact::Migrated { version, how, by, state: carried, .. }, _) => {
            let state = super::migrate::read(carried, state, *version).ok()?;
            Happening::Migrate(Box::new(super::Migration { version: *version, how: *how, by: by.clone(), state }))
        }
        _ => return None,
    })
}

/// The signal that an entry tells of.
pub(super) fn signal_of(entry: &Entry) -> Option<Happening> {
    let (Some(step), Fact::WaitResolved { which, event, taken_in_at, by: Some(by) }) = (&entry.step, &entry.fact) else { return None };
    let event_id = event["id"].as_str().and_then(|id| id.parse().ok()).map_or(EventId(uuid::Uuid::nil()), EventId);
    Some(Happening::Signal { step: Arc::clone(step), which: which.clone(), event: Arc::new(event_of(event, event_id, *taken_in_at)), by: by.clone() })
}

/// The outcome that an entry tells of.
pub(super) fn outcome_of(entry: &Entry) -> Option<Outcome> {
    Some(match &entry.fact {
        Fact::StepCompleted { output, .. } => Outcome::done(Value::clone(output)),
        Fact::StepFailed { error, .. } => {
            let mut error = error.clone();
            error.step = None;
            if error.code == ErrorCode::OutcomeUnknown { Outcome::Unknown { error } } else { Outcome::Failed { error } }
        }
        Fact::RetryScheduled { due, error, free, .. } => Outcome::Retry { after_ms: free.then(|| due.millis_since(entry.at)), error: error.clone() },
        Fact::Held { until, reason } => Outcome::Hold { until: *until, reason: reason.clone() },
        _ => return None,
    })
}

/// The event that an envelope shows.
pub(super) fn event_of(envelope: &Value, event_id: EventId, taken_in_at: Timestamp) -> Event {
    let text = |name: &str| envelope[name].as_str().map(str::to_owned);
    Event {
        event_id,
        taken_in_at,
        body: NewEvent {
            organisation: OrganisationId(uuid::Uuid::nil()),
            kind: text("type").unwrap_or_default(),
            source: text("source").unwrap_or_default(),
            id: text("id"),
            subject: text("subject"),
            time: envelope["time"].as_str().and_then(|time| time.parse().ok()),
            data: envelope["data"].clone(),
            cause: None,
            depth: 0,
        },
    }
}

/// The steps that wait for events.
pub(super) fn waiting(state: &State) -> impl Iterator<Item = (&StepPath, &BTreeMap<String, crate::history::OpenMatch>)> {
    state.leaves.iter().filter_map(|(path, leaf)| match leaf {
        Leaf::Wait { waits, .. } => Some((path, waits)),
        _ => None,
    })
}
