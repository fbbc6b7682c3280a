//! What comes of a crowd, folded into counts as it happens: memory does not grow with what happens, but for one length a run.

use super::{
    Answered, Gate, Previews, Refused, Watch,
    coverage::{branch_in, following},
    judge::key_of,
};
use crate::replay::is_message;
use onward_core::{
    NewEvent, Timestamp, Value,
    definition::{Step, Verb, Workflow},
    digest,
    history::{Entry, Fact, StepPath},
    machine::{InFlight, State},
    ports::{HeldQueue, Outcome, RunStatus},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Faults that are told.
const FAULTS: usize = 10;
/// Reasons of refused starts that are told apart.
const REASONS: usize = 100;

/// What came of all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// How many contacts.
    pub contacts: u64,
    /// Runs of the workflow.
    pub runs: u64,
    /// Starts that did not become runs, by reason.
    pub not_started: BTreeMap<String, u64>,
    /// Starts that are held at the end.
    pub held: u64,
    /// The contacts meet in a limit or a key, so that they were played in one world, and not each in its own.
    pub together: bool,
    /// What held starts back, and how long: `mode`, `limits.concurrency`, `limits.rate`, `limits.debounce`.
    pub delays: BTreeMap<String, Delays>,
    /// Runs by status at the end.
    pub statuses: BTreeMap<String, u64>,
    /// Runs that ended early, by event type.
    pub exits: BTreeMap<String, u64>,
    /// Failed runs by error code.
    pub errors: BTreeMap<String, u64>,
    /// By step, in file order.
    pub steps: Vec<StepCounts>,
    /// Calls by node, each attempt counted.
    pub calls: BTreeMap<String, u64>,
    /// Messages that would be sent, in all.
    pub messages: u64,
    /// Events that would be put on the bus, by type.
    pub emitted: BTreeMap<String, u64>,
    /// How long the runs that ended took.
    pub took: Option<Lengths>,
    /// Contacts whose play went round and round and was given up.
    pub given_up: u64,
    /// What went wrong with the machine itself; a bug.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// One step's counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StepCounts {
    /// The step.
    pub step: String,
    /// For people.
    pub title: String,
    /// Its line in the file.
    pub line: u32,
    /// Nesting, from 0.
    pub depth: usize,
    /// How often it began.
    pub entered: u64,
    /// How often its guard was false.
    pub skipped: u64,
    /// How often it failed for good.
    pub failed: u64,
    /// Messages that it would send.
    pub messages: u64,
    /// How often each branch, variant or outcome of a wait was taken; those never taken are 0.
    pub branches: BTreeMap<String, u64>,
}

/// Starts that one gate held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Delays {
    /// How many.
    pub held: u64,
    /// Of these, how many it let through.
    pub let_through: u64,
    /// How many did not start: a later one took their place, or what they waited for refused them.
    pub suppressed: u64,
    /// How many it holds still.
    pub still_held: u64,
    /// How long those waited that it let through.
    pub waited: Option<Lengths>,
}

/// Lengths of time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub shortest_ms: i64,
    /// Half of them are no longer.
    pub median_ms: i64,
    /// Nine of ten are no longer.
    pub p90_ms: i64,
    /// The longest.
    pub longest_ms: i64,
}

/// What a play leaves when it is over.
pub(super) struct Left {
    /// Starts that are held still, by what holds them.
    pub(super) standing: BTreeMap<Gate, u64>,
    pub(super) given_up: u64,
    pub(super) faults: Vec<String>,
}

/// Notices when two contacts that are played alone would have met: in a key, or in a limit.
#[derive(Default)]
pub(super) struct Meetings {
    met: AtomicBool,
    /// Who asked for what, in parts so that threads seldom wait for each other.
    asked: [Mutex<HashMap<u64, u64>>; 16],
}

impl Meetings {
    /// Whether any did.
    pub(super) fn happened(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    fn note(&self, queue: &HeldQueue, contact: u64) {
        let (name, key) = queue.parts();
        let hash = digest::short(&[queue.kind().as_bytes(), name.as_bytes(), key.as_bytes()]);
        let hash = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
        let Some(part) = self.asked.get((hash % 16) as usize) else { return };
        let first = *part.lock().unwrap_or_else(PoisonError::into_inner).entry(hash).or_insert(contact);
        if first != contact {
            self.met.store(true, Ordering::Relaxed);
        }
    }
}

/// What is known of the workflow before anything is played.
pub(super) struct Known {
    workflow: Arc<Workflow>,
    /// Places of the steps in the counts.
    steps: HashMap<Arc<str>, usize>,
    blank: Vec<StepCounts>,
    messages: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(workflow: &Arc<Workflow>, previews: &dyn Previews) -> Self {
        let mut blank = Vec::new();
        let mut steps = HashMap::new();
        for line in &workflow.outline {
            steps.insert(Arc::clone(&line.key), blank.len());
            blank.push(StepCounts {
                step: line.key.to_string(),
                title: line.title.clone(),
                line: line.position.line,
                depth: line.depth,
                ..StepCounts::default()
            });
        }
        workflow.steps.each_step(&mut |step| {
            if let Some(counts) = steps.get(&step.key).and_then(|index: &usize| blank.get_mut(*index)) {
                counts.branches = super::coverage::outcomes(&step.verb, step.timeout.is_some()).into_iter().map(|branch| (branch, 0)).collect();
            }
        });
        let messages = previews.node_ids().into_iter().filter(|node| is_message(previews, node)).map(str::to_owned).collect();
        Self { workflow: Arc::clone(workflow), steps, blank, messages }
    }
}

/// The last step of a run, and the branch that it took.
type LastStep = Option<(StepPath, Option<String>)>;

/// Counts as they grow; one a thread.
pub(super) struct Tally<'k> {
    known: &'k Known,
    /// Where contacts that meet are noticed.
    meetings: Option<&'k Meetings>,
    /// The contact that is played, where each is played alone.
    contact: u64,
    counts: Counts,
    calls: HashMap<Arc<str>, u64>,
    lengths: Vec<i64>,
    /// How long starts stood before each gate that let them through.
    waited: BTreeMap<Gate, Vec<i64>>,
    /// Starts that came before each gate and were not let through.
    suppressed: BTreeMap<Gate, u64>,
    /// Why the first start of each contact was refused.
    refused: BTreeMap<u64, String>,
    /// Contacts of which a start became a run.
    started: BTreeSet<u64>,
    /// The runs of the workflow that have not ended.
    open: HashMap<usize, LastStep>,
}

impl<'k> Tally<'k> {
    pub(super) fn new(known: &'k Known) -> Self {
        Self {
            known,
            counts: Counts { steps: known.blank.clone(), ..Counts::default() },
            meetings: None,
            contact: 0,
            calls: HashMap::new(),
            lengths: Vec::new(),
            waited: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            refused: BTreeMap::new(),
            started: BTreeSet::new(),
            open: HashMap::new(),
        }
    }

    /// Tells where the contacts meet that are played alone.
    pub(super) fn noting(mut self, meetings: &'k Meetings) -> Self {
        self.meetings = Some(meetings);
        self
    }

    /// The next contact is played.
    pub(super) fn next_contact(&mut self, number: u64) {
        self.contact = number;
    }

    fn step(&mut self, path: &str) -> Option<&mut StepCounts> {
        let index = self.known.steps.get(key_of(path))?;
        self.counts.steps.get_mut(*index)
    }

    /// A run, as the play left it; those of other workflows are not counted.
    pub(super) fn run(&mut self, number: usize, state: &State) {
        let Some(last) = self.open.remove(&number) else { return };
        self.counts.runs += 1;
        *self.counts.statuses.entry(state.status.as_str().to_owned()).or_default() += 1;
        if let Some(exit) = &state.exit {
            *self.counts.exits.entry(exit.clone()).or_default() += 1;
        }
        if let Some(error) = &state.error {
            *self.counts.errors.entry(error.code.as_str().to_owned()).or_default() += 1;
        }
        if state.status.is_final() {
            self.lengths.push(state.at.millis_since(state.started_at));
            self.stopped(last, state);
        }
    }

    /// A `stop` leaves no entry of its own: it is what comes after the last step of a run that ended.
    fn stopped(&mut self, last: LastStep, state: &State) {
        if state.exit.is_some() || state.status == RunStatus::Cancelled {
            return;
        }
        let Some((path, branch)) = last else { return };
        let next = following(&self.known.workflow.steps, key_of(&path), branch.as_deref(), None);
        if let Some(Step { key, verb: Verb::Stop { .. }, .. }) = next
            && let Some(step) = self.step(key)
        {
            step.entered += 1;
        }
    }

    /// A world is played to its end.
    pub(super) fn left(&mut self, left: Left) {
        self.open.clear();
        // A start that was refused while a run of the contact lives is that run's matter: an answer, say.
        let started = std::mem::take(&mut self.started);
        for (_, reason) in std::mem::take(&mut self.refused).into_iter().filter(|(contact, _)| !started.contains(contact)) {
            if self.counts.not_started.len() < REASONS || self.counts.not_started.contains_key(&reason) {
                one_more(&mut self.counts.not_started, &reason);
            }
        }
        self.counts.given_up += left.given_up;
        for (gate, held) in left.standing {
            self.counts.held += held;
            self.counts.delays.entry(gate.as_str().to_owned()).or_default().still_held += held;
        }
        for fault in left.faults {
            self.fault(fault);
        }
    }

    pub(super) fn fault(&mut self, fault: String) {
        if self.counts.faults.len() < FAULTS {
            self.counts.faults.push(fault);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        let counts = other.counts;
        self.counts.runs += counts.runs;
        self.counts.held += counts.held;
        self.counts.messages += counts.messages;
        self.counts.given_up += counts.given_up;
        for (into, from) in [
            (&mut self.counts.not_started, counts.not_started),
            (&mut self.counts.statuses, counts.statuses),
            (&mut self.counts.exits, counts.exits),
            (&mut self.counts.errors, counts.errors),
            (&mut self.counts.emitted, counts.emitted),
        ] {
            add(into, from);
        }
        for (into, from) in self.counts.steps.iter_mut().zip(counts.steps) {
            into.entered += from.entered;
            into.skipped += from.skipped;
            into.failed += from.failed;
            into.messages += from.messages;
            add(&mut into.branches, from.branches);
        }
        for (node, calls) in other.calls {
            *self.calls.entry(node).or_default() += calls;
        }
        self.lengths.extend(other.lengths);
        for (gate, delays) in counts.delays {
            self.counts.delays.entry(gate).or_default().still_held += delays.still_held;
        }
        for (gate, waited) in other.waited {
            self.waited.entry(gate).or_default().extend(waited);
        }
        for (gate, suppressed) in other.suppressed {
            *self.suppressed.entry(gate).or_default() += suppressed;
        }
        for fault in counts.faults {
            self.fault(fault);
        }
    }

    pub(super) fn counts(mut self, contacts: u64, together: bool) -> Counts {
        self.counts.together = together;
        self.counts.contacts = contacts;
        self.counts.calls = self.calls.into_iter().map(|(node, calls)| (node.to_string(), calls)).collect();
        self.counts.took = lengths(self.lengths);
        for (gate, suppressed) in self.suppressed {
            self.counts.delays.entry(gate.as_str().to_owned()).or_default().suppressed = suppressed;
        }
        for (gate, waited) in self.waited {
            let delays = self.counts.delays.entry(gate.as_str().to_owned()).or_default();
            (delays.let_through, delays.waited) = (waited.len() as u64, lengths(waited));
        }
        for delays in self.counts.delays.values_mut() {
            delays.held = delays.let_through + delays.suppressed + delays.still_held;
        }
        self.counts.faults.sort();
        self.counts
    }
}

fn lengths(mut all: Vec<i64>) -> Option<Lengths> {
    all.sort_unstable();
    let at = |share: f64| all.get(((all.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied();
    Some(Lengths { shortest_ms: at(0.0)?, median_ms: at(0.5)?, p90_ms: at(0.9)?, longest_ms: at(1.0)? })
}

fn add(into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (name, count) in from {
        *into.entry(name).or_default() += count;
    }
}

fn one_more(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

impl Watch for &mut Tally<'_> {
    fn started(&mut self, run: usize, workflow: usize, contact: u64) {
        self.started.insert(contact);
        if workflow == 0 {
            self.open.insert(run, None);
        }
    }

    fn asked(&mut self, queue: &HeldQueue) {
        if let Some(meetings) = self.meetings {
            meetings.note(queue, self.contact);
        }
    }

    fn left(&mut self, gate: Gate, waited_ms: i64, through: bool) {
        if through {
            self.waited.entry(gate).or_default().push(waited_ms);
        } else {
            *self.suppressed.entry(gate).or_default() += 1;
        }
    }

    fn recorded(&mut self, run: usize, entries: &[Entry]) {
        // What is counted by step is the workflow's own.
        let Some(last) = self.open.get_mut(&run) else { return };
        if let Some((path, fact)) = entries.iter().rev().find_map(|entry| Some((entry.step.as_ref()?, &entry.fact))) {
            *last = Some((Arc::clone(path), branch_in(fact).map(str::to_owned)));
        }
        for entry in entries {
            let Some(path) = entry.step.as_deref() else { continue };
            let Some(step) = self.step(path) else { continue };
            match &entry.fact {
                Fact::StepScheduled { attempt: 1, input: Some(_), .. }
                | Fact::TimerSet { .. }
                | Fact::WaitOpened { .. }
                | Fact::VarsSet { .. }
                | Fact::EventEmitted { .. }
                | Fact::ChildStarted { .. }
                | Fact::AskOpened { .. } => step.entered += 1,
                Fact::BranchTaken { branch } => {
                    step.entered += 1;
                    one_more(&mut step.branches, branch);
                }
                Fact::VariantChosen { variant, .. } => {
                    step.entered += 1;
                    one_more(&mut step.branches, variant);
                }
                Fact::WaitResolved { which, .. } => one_more(&mut step.branches, which),
                Fact::WaitTimedOut { .. } => one_more(&mut step.branches, super::coverage::TIMED_OUT),
                Fact::StepSkipped { .. } => step.skipped += 1,
                Fact::StepFailed { .. } => step.failed += 1,
                _ => {}
            }
        }
    }

    fn called(&mut self, run: usize, _at: Timestamp, call: &InFlight, answered: &Answered) {
        match self.calls.get_mut(&call.node) {
            Some(calls) => *calls += 1,
            None => drop(self.calls.insert(Arc::clone(&call.node), 1)),
        }
        let sent = matches!(&answered.outcome, Outcome::Done { output } if output.get("message_id") != Some(&Value::Null));
        if sent && self.known.messages.contains(&*call.node) {
            self.counts.messages += 1;
            if self.open.contains_key(&run)
                && let Some(step) = self.step(&call.step)
            {
                step.messages += 1;
            }
        }
    }

    fn emitted(&mut self, _run: usize, event: &NewEvent) {
        one_more(&mut self.counts.emitted, &event.kind);
    }

    fn refused(&mut self, contact: u64, refused: &Refused) {
        self.refused.entry(contact).or_insert_with(|| refused.reason.clone());
    }

    fn ended(&mut self, run: usize, state: &State) {
        self.run(run, state);
    }
}
