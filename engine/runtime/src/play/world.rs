//! The pretended world: virtual time, runs, what they wait for, and what is to come.

use super::{
    Stage,
    gates::{Candidate, Gate},
    listening::Correlated,
};
use onward_core::{
    Event, EventId, NewEvent, RunId, Timestamp, Value,
    history::{Entry, OpenMatch, StepPath},
    machine::{Happening, InFlight, LimitKey, State},
    ports::{HeldQueue, Outcome, RecordRef, SegmentMember},
    schedule::Firing,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

/// What the outside says to the runs of a play.
pub trait Outside {
    /// What comes next is about this contact of a crowd.
    fn about(&mut self, _contact: u64) {}
    /// Which contact of a crowd has this id.
    fn contact(&self, _id: &str) -> Option<u64> {
        None
    }
    /// What a call comes to.
    fn call(&mut self, stage: &Stage, call: &InFlight, now: Timestamp) -> Answered;
    /// A live record; `Null` when there is none.
    fn record(&mut self, record: &RecordRef) -> Value;
    /// The variant that a split must choose; `None` leaves it to its weights.
    fn variant(&mut self, step: &str) -> Option<String>;
    /// Whether a called workflow comes to what this says, instead of being played.
    fn mocks(&self, step: &str, workflow: &str) -> bool;
    /// A wait opened: what comes because of it, and after how many milliseconds.
    fn waited(&mut self, stage: &Stage, step: &str, waits: &BTreeMap<String, OpenMatch>) -> Vec<(i64, NewEvent)>;
    /// Who is in a segment; `None`: there is none of that name.
    fn members(&self, segment: &str) -> Option<Vec<SegmentMember>>;
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its outcome.
    pub outcome: Outcome,
    /// How long it takes, in milliseconds.
    pub takes_ms: i64,
}

/// Why a start did not become a run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// Of which workflow.
    pub workflow: String,
    /// Why.
    pub reason: String,
}

/// Who is told what happens; every method may be left out.
pub trait Watch {
    /// A start of a contact became a run of the workflow with this number.
    fn started(&mut self, _run: usize, _workflow: usize, _contact: u64) {}
    /// A start asks what this queue is for: what other starts with the same one meet in.
    fn asked(&mut self, _queue: &HeldQueue) {}
    /// A start leaves a gate after so many milliseconds: it was let through, or not.
    fn left(&mut self, _gate: Gate, _waited_ms: i64, _through: bool) {}
    /// A run was recorded further.
    fn recorded(&mut self, _run: usize, _entries: &[Entry]) {}
    /// A call is made, and comes to this.
    fn called(&mut self, _run: usize, _at: Timestamp, _call: &InFlight, _answered: &Answered) {}
    /// A run put an event on the bus.
    fn emitted(&mut self, _run: usize, _event: &NewEvent) {}
    /// A start of a contact was refused.
    fn refused(&mut self, _contact: u64, _refused: &Refused) {}
    /// A run has ended.
    fn ended(&mut self, _run: usize, _state: &State) {}
}

/// A run in the play.
#[derive(Debug)]
pub(super) struct Played {
    /// Which workflow of the stage.
    pub(super) workflow: usize,
    pub(super) state: State,
    pub(super) timers: BTreeMap<String, Timestamp>,
    /// Its whole history, when the stage keeps them.
    pub(super) history: Vec<Entry>,
    /// Its permit of a concurrency limit, until it ends.
    pub(super) permit: Option<LimitKey>,
    /// Which contact of a crowd it is about.
    pub(super) contact: u64,
    /// It has ended, and where histories are not kept its state is no longer there.
    pub(super) gone: bool,
}

/// Something to be done now.
#[derive(Debug)]
pub(super) enum Work {
    Happen {
        run: usize,
        happening: Box<Happening>,
    },
    /// An event, the schedule (workflow, trigger) that it is for, and the contact that it comes from.
    Event(Arc<Event>, Option<(usize, usize)>, u64),
    Release(HeldQueue),
}

/// Something that comes at a moment.
#[derive(Debug)]
pub(super) enum Coming {
    Timer {
        run: usize,
        key: String,
    },
    Ended {
        run: usize,
        step: StepPath,
        attempt: u32,
        outcome: Outcome,
    },
    /// An event, and the contact that it comes from.
    Event(Box<NewEvent>, u64),
    /// A schedule of the workflow with this number falls due.
    Fired {
        workflow: usize,
        trigger: usize,
        firing: Firing,
    },
    /// The first start of a queue may have its turn.
    Turn(HeldQueue),
}

#[derive(Debug)]
pub(super) struct Due {
    at: Timestamp,
    /// What comes from outside at a timer's own moment comes before it (SEMANTICS.md 12).
    timer: bool,
    order: u64,
    pub(super) what: Coming,
}

impl Due {
    fn rank(&self) -> (Timestamp, bool, u64) {
        (self.at, self.timer, self.order)
    }
}
impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The world of one play.
#[derive(Debug)]
pub struct World<'c, O, W> {
    pub(super) stage: &'c Stage,
    /// What the outside says.
    pub outside: O,
    /// Who is told.
    pub watch: W,
    pub(super) now: Timestamp,
    pub(super) runs: Vec<Played>,
    /// Places of the runs, by id.
    pub(super) places: HashMap<RunId, usize>,
    /// The runs of each workflow's keys that have not ended.
    pub(super) living: HashMap<(usize, String), Vec<usize>>,
    /// Contacts in this world: one, or a whole crowd.
    crowd: u64,
    /// The contact that what happens is about.
    pub(super) contact: u64,
    pub(super) coming: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(super) correlated: Correlated,
    pub(super) seen: BTreeSet<[u8; 16]>,
    pub(super) work: VecDeque<Work>,
    /// What waits in each queue, by priority and number.
    pub(super) held: BTreeMap<HeldQueue, BTreeMap<(u8, i64), Candidate>>,
    /// When a queue is looked at next, where time releases its starts.
    pub(super) turns_at: BTreeMap<HeldQueue, Timestamp>,
    /// How many starts were ever held.
    pub(super) helds: i64,
    /// Permits that are taken.
    pub(super) permits: BTreeMap<LimitKey, u32>,
    /// Until when the starts of a rate count, in microseconds.
    pub(super) used: BTreeMap<LimitKey, i64>,
    pub(super) ended: BTreeMap<(usize, String), Timestamp>,
    pub(super) variants: BTreeMap<(usize, String, String), String>,
    /// Turns of the machine, by contact.
    turns: Vec<u64>,
    /// Contacts that were given up.
    given_up: u64,
    pub(super) trial: super::harden::Trial,
    /// What went wrong with the machine itself, never with the workflow.
    pub(super) faults: Vec<String>,
}

impl<'c, O: Outside, W: Watch> World<'c, O, W> {
    /// A world before anything happened.
    pub fn new(stage: &'c Stage, outside: O, watch: W) -> Self {
        Self {
            stage,
            outside,
            watch,
            now: stage.starts_at,
            runs: Vec::new(),
            places: HashMap::new(),
            living: HashMap::new(),
            crowd: 1,
            contact: 0,
            coming: BinaryHeap::new(),
            order: 0,
            correlated: Correlated::default(),
            seen: BTreeSet::new(),
            work: VecDeque::new(),
            held: BTreeMap::new(),
            turns_at: BTreeMap::new(),
            helds: 0,
            permits: BTreeMap::new(),
            used: BTreeMap::new(),
            ended: BTreeMap::new(),
            variants: BTreeMap::new(),
            turns: Vec::new(),
            given_up: 0,
            trial: super::harden::Trial::default(),
            faults: Vec::new(),
        }
    }

    /// So many contacts live in this world.
    #[must_use]
    pub fn with_crowd(mut self, contacts: u64) -> Self {
        self.crowd = contacts.max(1);
        self
    }

    /// What comes next is about this contact.
    pub fn about(&mut self, contact: u64) {
        self.contact = contact;
        self.outside.about(contact);
    }

    /// The moment that it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }
    /// How many runs were started.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }
    /// A run's state, in order of start.
    pub fn state(&self, run: usize) -> Option<&State> {
        self.runs.get(run).map(|run| &run.state)
    }
    /// Which workflow of the stage a run is of.
    pub fn workflow_of(&self, run: usize) -> Option<usize> {
        self.runs.get(run).map(|run| run.workflow)
    }
    /// A run's history so far, when the stage keeps histories.
    pub fn history(&self, run: usize) -> &[Entry] {
        self.runs.get(run).map_or(&[], |run| &run.history)
    }
    /// How many starts are held.
    pub fn held(&self) -> usize {
        self.held.values().map(BTreeMap::len).sum()
    }
    /// What went wrong with the machine itself. Not empty: report it as a bug.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
    /// Whether the play was given up: it went round and round, for every contact in it.
    pub fn is_given_up(&self) -> bool {
        self.given_up >= self.crowd
    }
    /// How many contacts were given up.
    pub fn contacts_given_up(&self) -> u64 {
        self.given_up
    }

    /// Counts a turn of the contact at hand; `false`: it has had all that it gets.
    pub(super) fn takes_turn(&mut self) -> bool {
        let place = usize::try_from(self.contact).unwrap_or(usize::MAX - 1);
        if self.turns.len() <= place {
            self.turns.resize(place + 1, 0);
        }
        let Some(turns) = self.turns.get_mut(place) else { return false };
        if *turns >= self.stage.turns {
            return false;
        }
        *turns += 1;
        self.given_up += u64::from(*turns == self.stage.turns);
        true
    }

    /// Goes on to a moment, whatever is to happen on the way; what comes from outside at that moment comes before the
    /// timers of that moment.
    pub fn play_until(&mut self, moment: Timestamp) {
        self.settle();
        while !self.is_given_up() && self.coming.peek().is_some_and(|Reverse(due)| due.rank() < (moment, true, 0)) {
            self.next();
        }
        self.now = self.now.max(moment);
    }

    /// Goes on until nothing is to come any more, or until the horizon, timers of that moment included.
    pub fn play_out(&mut self, horizon: Option<Timestamp>) {
        self.settle();
        while !self.is_given_up() && self.coming.peek().is_some_and(|Reverse(due)| horizon.is_none_or(|horizon| due.at <= horizon)) {
            self.next();
        }
        if let Some(horizon) = horizon {
            self.now = self.now.max(horizon);
        }
    }

    /// Hands a happening to a run, at once.
    pub fn happen(&mut self, run: usize, happening: Happening) {
        self.does(run, happening);
        self.settle();
    }

    /// Takes an event in, at once.
    pub fn take_in(&mut self, event: NewEvent) {
        self.arrive(event, None);
        self.settle();
    }

    /// To be done now, after what is to be done already.
    pub(super) fn does(&mut self, run: usize, happening: Happening) {
        self.work.push_back(Work::Happen { run, happening: Box::new(happening) });
    }

    /// To be done now, before what is to be done already.
    pub(super) fn does_first(&mut self, run: usize, happening: Happening) {
        self.work.push_front(Work::Happen { run, happening: Box::new(happening) });
    }

    pub(super) fn comes(&mut self, after_ms: i64, what: Coming) {
        let at = self.now.plus_millis(after_ms.max(0));
        self.comes_at(at, what);
    }

    pub(super) fn comes_at(&mut self, at: Timestamp, what: Coming) {
        self.order += 1;
        let timer = matches!(what, Coming::Timer { .. } | Coming::Turn(_));
        self.coming.push(Reverse(Due { at, timer, order: self.order, what }));
    }

    /// A queue has its turn at a moment, unless it has one before that anyway.
    pub(super) fn turn_comes(&mut self, queue: &HeldQueue, at: Timestamp) {
        let at = at.max(self.now);
        if self.turns_at.get(queue).is_some_and(|before| *before <= at) {
            return;
        }
        self.turns_at.insert(queue.clone(), at);
        self.comes_at(at, Coming::Turn(queue.clone()));
    }

    fn next(&mut self) {
        let Some(Reverse(due)) = self.coming.pop() else { return };
        match due.what {
            Coming::Timer { run, key } => {
                // One that was moved or dropped since is no timer any more.
                if self.runs.get(run).and_then(|run| run.timers.get(&key)) != Some(&due.at) {
                    return;
                }
                self.now = self.now.max(due.at);
                self.does(run, Happening::Due { key });
            }
            Coming::Ended { run, step, attempt, outcome } => {
                self.now = self.now.max(due.at);
                self.does(run, Happening::StepEnded { step, attempt, outcome });
            }
            Coming::Event(event, contact) => {
                self.now = self.now.max(due.at);
                self.about(contact);
                self.arrive(*event, None);
            }
            Coming::Fired { workflow, trigger, firing } => {
                self.now = self.now.max(due.at);
                self.fired(workflow, trigger, &firing);
            }
            // One that an earlier one has taken the place of is none any more.
            Coming::Turn(queue) if self.turns_at.get(&queue) != Some(&due.at) => return,
            Coming::Turn(queue) => {
                self.turns_at.remove(&queue);
                if !self.held.contains_key(&queue) {
                    return;
                }
                self.now = self.now.max(due.at);
                self.work.push_back(Work::Release(queue));
            }
        }
        self.settle();
    }

    /// Does what is to be done now.
    pub(super) fn settle(&mut self) {
        while let Some(work) = self.work.pop_front() {
            if self.is_given_up() {
                self.work.clear();
                return;
            }
            match work {
                Work::Happen { run, happening } => self.turn(run, *happening),
                Work::Event(event, meant, contact) => {
                    self.about(contact);
                    self.route(&event, meant);
                }
                Work::Release(queue) => self.release(&queue),
            }
        }
    }

    /// An event comes to be; a repeated one has no effect (SEMANTICS.md 8).
    pub(super) fn arrive(&mut self, body: NewEvent, meant: Option<(usize, usize)>) {
        if let Some(key) = body.dedupe_key()
            && !self.seen.insert(key)
        {
            return;
        }
        let event_id = EventId(self.stage.id(1, self.correlated.events()));
        let event = Arc::new(Event { event_id, taken_in_at: self.now, body });
        self.correlated.take_in(&event);
        self.work.push_back(Work::Event(event, meant, self.contact));
    }
}
