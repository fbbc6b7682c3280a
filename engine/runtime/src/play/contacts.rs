//! A crowd of synthetic contacts, each played in a world of its own and folded into counts as soon as it ends: memory does
//! not grow with their number, but for one length a run.

use super::{
    Answered, Previews, Refused, Stage, Watch, World,
    coverage::{branch_in, following},
    judge::key_of,
    scripted::{Scripted, chosen, drafted, put},
    timeline::settle,
};
use crate::replay::is_message;
use onward_core::{
    NewEvent, Object, Timestamp, Value,
    definition::{
        Span, Step, Verb, Workflow,
        testing::{Begin, EventDraft, Scenario},
    },
    history::{Entry, Fact, StepPath},
    machine::{InFlight, State},
    ports::{Outcome, RunStatus},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Fields of an event or input in which people differ: each synthetic contact has its own.
const IDENTITY: [&str; 8] = ["contact_id", "conversation_id", "phone", "mobile", "from", "email", "external_id", "customer"];
/// Faults that are told.
const FAULTS: usize = 10;
/// Reasons of refused starts that are told apart.
const REASONS: usize = 100;

/// What is simulated.
pub struct Crowd<'s> {
    /// The workflows; the first one is what is simulated. Zone and start of the scenario are put over it.
    pub stage: Stage,
    /// What starts each contact's run; fields that name a person get the contact's own values.
    pub begin: Begin,
    /// What the outside says, and how contacts differ.
    pub scenario: &'s Scenario,
    /// How long each is watched; `None`: until nothing moves any more.
    pub watched_for: Option<Span>,
    /// What nodes without a mock give.
    pub previews: &'s dyn Previews,
    /// How many.
    pub contacts: u64,
    /// Threads that share the work; the result does not depend on it.
    pub threads: usize,
}

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

/// Simulates a crowd.
pub fn contacts(crowd: &Crowd<'_>) -> Counts {
    let mut stage = crowd.stage.clone();
    stage.keep_histories = false;
    settle(&mut stage, crowd.scenario);
    let Some(workflow) = stage.workflows.first().map(Arc::clone) else { return Counts::default() };
    let known = Known::of(&workflow, crowd.previews);
    let threads = crowd.threads.clamp(1, 64) as u64;
    let tallies: Vec<Tally<'_>> = std::thread::scope(|scope| {
        let (stage, known) = (&stage, &known);
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mut tally = Tally::new(known);
                    let mut number = worker;
                    while number < crowd.contacts {
                        one(crowd, stage, number, &mut tally);
                        number += threads;
                    }
                    tally
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let mut all = Tally::new(&known);
    for tally in tallies {
        all.merge(tally);
    }
    all.counts(crowd.contacts)
}

/// Plays one contact.
fn one(crowd: &Crowd<'_>, stage: &Stage, number: u64, tally: &mut Tally<'_>) {
    let scenario = crowd.scenario;
    let id = format!("contact-{number}");
    let mut outside = Scripted::new(&scenario.setting, crowd.previews).with_answers(&scenario.answers).for_contact(number, id.clone());
    let varied = |path: &str, shares: &[(Value, f64)]| {
        chosen(shares.iter().map(|(value, share)| (*share, value)), stage.fraction(&[b"vary", &number.to_be_bytes(), path.as_bytes()])).cloned()
    };
    if !scenario.vary_contact.is_empty() {
        let mut record = Value::Object(Object::new());
        for (path, shares) in &scenario.vary_contact {
            put(&mut record, path, varied(path, shares).unwrap_or_default());
        }
        outside.change_records(&[("contact".to_owned(), record)].into_iter().collect());
    }
    let personal = |data: &Value| {
        let mut data = data.clone();
        for (path, shares) in &scenario.vary_data {
            put(&mut data, path, varied(path, shares).unwrap_or_default());
        }
        identify(&mut data, number, &id);
        data
    };
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(stage, outside, &mut *tally);
        match &crowd.begin {
            Begin::Event(event) => world.take_in(drafted(&EventDraft { data: personal(&event.data), ..event.clone() })),
            Begin::Input(input) => world.start_by_hand(&personal(input)),
        }
        world.play_out(crowd.watched_for.as_ref().map(|span| span.add_to(stage.starts_at, &stage.timezone)));
        let left = Left { runs: world.runs(), held: world.held() as u64, given_up: world.is_given_up(), faults: std::mem::take(&mut world.faults) };
        for (number, run) in world.runs.iter().enumerate().filter(|(_, run)| run.workflow == 0) {
            world.watch.run(number, &run.state);
        }
        left
    }));
    match played {
        Ok(left) => tally.left(left),
        Err(_) => tally.fault(format!("the play of {id} panicked")),
    }
}

/// Gives a contact its own values of the fields that name a person.
fn identify(data: &mut Value, number: u64, id: &str) {
    let Some(fields) = data.as_object_mut() else { return };
    for name in IDENTITY {
        let Some(value) = fields.get_mut(name).filter(|value| value.is_string()) else { continue };
        *value = match name {
            "phone" | "mobile" | "from" => format!("+1555{number:07}").into(),
            "email" => format!("{id}@example.com").into(),
            "contact_id" => id.into(),
            other => format!("{other}-{number}").into(),
        };
    }
}

struct Left {
    runs: usize,
    held: u64,
    given_up: bool,
    faults: Vec<String>,
}

/// What is known of the workflow before anything is played.
struct Known {
    workflow: Arc<Workflow>,
    /// Places of the steps in the counts.
    steps: HashMap<Arc<str>, usize>,
    blank: Vec<StepCounts>,
    messages: BTreeSet<String>,
}

impl Known {
    fn of(workflow: &Arc<Workflow>, previews: &dyn Previews) -> Self {
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

/// Counts as they grow; one a thread.
struct Tally<'k> {
    known: &'k Known,
    counts: Counts,
    calls: HashMap<Arc<str>, u64>,
    lengths: Vec<i64>,
    /// Of the contact at hand: why starts were refused.
    refused: Vec<String>,
    /// Of the contact at hand: the last step of each run, and the branch that it took.
    last: Vec<(usize, StepPath, Option<String>)>,
}

impl<'k> Tally<'k> {
    fn new(known: &'k Known) -> Self {
        Self {
            known,
            counts: Counts { steps: known.blank.clone(), ..Counts::default() },
            calls: HashMap::new(),
            lengths: Vec::new(),
            refused: Vec::new(),
            last: Vec::new(),
        }
    }

    fn step(&mut self, path: &str) -> Option<&mut StepCounts> {
        let index = self.known.steps.get(key_of(path))?;
        self.counts.steps.get_mut(*index)
    }

    /// A run of the workflow, as the play left it.
    fn run(&mut self, number: usize, state: &State) {
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
            self.stopped(number, state);
        }
    }

    /// A `stop` leaves no entry of its own: it is what comes after the last step of a run that ended.
    fn stopped(&mut self, number: usize, state: &State) {
        if state.exit.is_some() || state.status == RunStatus::Cancelled {
            return;
        }
        let Some((_, path, branch)) = self.last.iter().find(|(run, _, _)| *run == number) else { return };
        let next = following(&self.known.workflow.steps, key_of(path), branch.as_deref(), None);
        if let Some(Step { key, verb: Verb::Stop { .. }, .. }) = next
            && let Some(step) = self.step(key)
        {
            step.entered += 1;
        }
    }

    /// The play of one contact is over.
    fn left(&mut self, left: Left) {
        // A start that was refused while a run of the contact lives is that run's matter: an answer, say.
        let refused = std::mem::take(&mut self.refused);
        if left.runs == 0
            && let Some(reason) = refused.first()
            && (self.counts.not_started.len() < REASONS || self.counts.not_started.contains_key(reason))
        {
            one_more(&mut self.counts.not_started, reason);
        }
        self.last.clear();
        self.counts.held += left.held;
        self.counts.given_up += u64::from(left.given_up);
        for fault in left.faults {
            self.fault(fault);
        }
    }

    fn fault(&mut self, fault: String) {
        if self.counts.faults.len() < FAULTS {
            self.counts.faults.push(fault);
        }
    }

    fn merge(&mut self, other: Self) {
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
        for fault in counts.faults {
            self.fault(fault);
        }
    }

    fn counts(mut self, contacts: u64) -> Counts {
        self.counts.contacts = contacts;
        self.counts.calls = self.calls.into_iter().map(|(node, calls)| (node.to_string(), calls)).collect();
        self.lengths.sort_unstable();
        let at = |share: f64| self.lengths.get(((self.lengths.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or_default();
        if !self.lengths.is_empty() {
            self.counts.took = Some(Lengths { shortest_ms: at(0.0), median_ms: at(0.5), p90_ms: at(0.9), longest_ms: at(1.0) });
        }
        self.counts.faults.sort();
        self.counts
    }
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
    fn recorded(&mut self, run: usize, entries: &[Entry]) {
        if let Some((path, fact)) = entries.iter().rev().find_map(|entry| Some((entry.step.as_ref()?, &entry.fact))) {
            self.last.retain(|(other, _, _)| *other != run);
            self.last.push((run, Arc::clone(path), branch_in(fact).map(str::to_owned)));
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

    fn called(&mut self, _run: usize, _at: Timestamp, call: &InFlight, answered: &Answered) {
        match self.calls.get_mut(&call.node) {
            Some(calls) => *calls += 1,
            None => drop(self.calls.insert(Arc::clone(&call.node), 1)),
        }
        let sent = matches!(&answered.outcome, Outcome::Done { output } if output.get("message_id") != Some(&Value::Null));
        if sent && self.known.messages.contains(&*call.node) {
            self.counts.messages += 1;
            if let Some(step) = self.step(&call.step) {
                step.messages += 1;
            }
        }
    }

    fn emitted(&mut self, _run: usize, event: &NewEvent) {
        one_more(&mut self.counts.emitted, &event.kind);
    }

    fn refused(&mut self, refused: &Refused) {
        if self.refused.is_empty() {
            self.refused.push(refused.reason.clone());
        }
    }
}
