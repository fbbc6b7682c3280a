//! The loop: commits what is ready, starts the calls that follow, and looks after its leases.

use crate::{
    Duty, EngineConfig, EngineHandle, EngineLimits, Registry,
    ahead::Ahead,
    batch::Shape,
    calls::{self, Calls},
    changes::Watchers,
    definitions::Definitions,
    gather::Incoming,
    held_counts::HeldCounts,
    herald::Herald,
    leases::Leases,
    live::Runs,
    load::Load,
    message::Item,
    meters::Meters,
    nodes::{Rung, Sharing},
    pauses::Pauses,
    ready::Ready,
    remote::Pending,
    rollout::Rollouts,
    schedules::Schedules,
    time::EngineTime,
    timers::Timers,
};
use onward_core::{
    ErrorCode, NodeId, OrganisationId, RunId, StepError, Timestamp,
    ports::{
        Clock, ContactQuestions, Credentials, Disk, Executor, Ids, Inventory, Lease, NodeRole, NoticeKind, Outcome, Processes, Records, Segments, ShardSet,
        Store,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::sync::{mpsc, watch};

/// Milliseconds until a call that was given back at a stop is due: longer than the rest of most stops takes, so that it does
/// not come again in this process.
const AFTER_STOP_MS: i64 = 1_000;

/// Milliseconds until a call that was left to another node is due.
const AFTER_HAND_OVER_MS: i64 = 100;

/// What the loop and its handles share.
pub(crate) struct Shared<S: Store> {
    pub(crate) store: Arc<S>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The same clock, with what it is made of.
    pub(crate) time: EngineTime,
    pub(crate) rung: Rung,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) nodes: Registry<S::Tx>,
    pub(crate) records: Arc<dyn Records<S::Tx>>,
    pub(crate) segments: Arc<dyn Segments<S::Tx>>,
    pub(crate) questions: Arc<dyn ContactQuestions<S::Tx>>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) inventory: Arc<dyn Inventory>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) node_id: NodeId,
    pub(crate) take_all: bool,
    pub(crate) role: NodeRole,
    pub(crate) about: String,
    pub(crate) processes: Arc<dyn Processes>,
    pub(crate) duty: Duty,
    pub(crate) limits: EngineLimits,
    pub(crate) definitions: Definitions,
    pub(crate) load: Load,
    pub(crate) watchers: Watchers,
    pub(crate) phase: watch::Sender<Phase>,
    /// Wakes the loop when something other than a message changed.
    pub(crate) nudge: tokio::sync::Notify,
}

/// How far the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It reads definitions and takes its shards.
    Starting,
    /// Requests are accepted; runs may still be recovering.
    Ready,
    /// The loop has ended.
    Stopped,
}

/// Where messages come in.
pub(crate) struct Lanes<S: Store> {
    pub(crate) outcomes: mpsc::UnboundedSender<Item<S::Tx>>,
    pub(crate) normal: mpsc::UnboundedSender<Item<S::Tx>>,
    pub(crate) low: mpsc::UnboundedSender<Item<S::Tx>>,
}

impl<S: Store> Clone for Lanes<S> {
    fn clone(&self) -> Self {
        Self { outcomes: self.outcomes.clone(), normal: self.normal.clone(), low: self.low.clone() }
    }
}

/// Where the taking up of running runs stands; pages are by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The next page is the first.
    Begins,
    /// The next page comes after this run.
    After(RunId),
    /// All are taken up.
    Done,
}

/// A message of our own that failed and is tried again.
pub(crate) struct Delayed<S: Store> {
    pub(crate) due: Timestamp,
    pub(crate) failures: u32,
    pub(crate) item: Item<S::Tx>,
}

/// A message on its way through the loop, with the number of times that it failed.
pub(crate) struct Queued<S: Store> {
    pub(crate) item: Item<S::Tx>,
    pub(crate) failures: u32,
}

impl<S: Store> Queued<S> {
    /// What failed before is tried alone, so that it cannot take others with it.
    pub(crate) fn is_alone(&self) -> bool {
        self.failures > 0 || self.item.is_alone()
    }
}

/// The engine: owner of the runs and of the write transaction.
pub struct Engine<S: Store> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) runs: Runs,
    pub(crate) ahead: Ahead,
    pub(crate) timers: Timers,
    pub(crate) schedules: Schedules,
    pub(crate) calls: Calls<S::Tx>,
    pub(crate) leases: Leases,
    /// The paths under which events must be found, by organisation and type.
    pub(crate) shapes: BTreeMap<(OrganisationId, String), BTreeSet<Vec<String>>>,
    /// Messages of our own, to be handled before any other.
    pub(crate) own: VecDeque<Queued<S>>,
    pub(crate) delayed: Vec<Delayed<S>>,
    /// A message that must commit alone and waits for its turn.
    pub(crate) held_back: Option<Item<S::Tx>>,
    pub(crate) incoming: Incoming<S>,
    pub(crate) outcomes: mpsc::UnboundedSender<Item<S::Tx>>,
    pub(crate) recovery: Recovery,
    /// The shards whose running runs are being taken up.
    pub(crate) recovering: Vec<Lease>,
    pub(crate) sharing: Sharing,
    /// The generation of what is in memory of definitions and pauses; below nothing when that is doubtful.
    pub(crate) generation: i64,
    /// What this node asked others, and waits for.
    pub(crate) asked: Pending<S>,
    pub(crate) replies_given: u32,
    /// Queues of held starts and whose turn it is.
    pub(crate) ready: Ready,
    pub(crate) held_counts: HeldCounts,
    pub(crate) herald: Herald<S::Tx>,
    /// When the next burst ends, as far as is known.
    pub(crate) next_burst_end: Option<Timestamp>,
    /// Starts may be held: without any, no run's end looks for one.
    pub(crate) starts_are_held: bool,
    /// Permits may be out: without any, no run's end gives one back.
    pub(crate) permits_are_out: bool,
    pub(crate) pauses: Pauses,
    /// The time zones of organisations as of this generation. Only where nodes share a store: without a generation nobody tells of a change.
    pub(crate) zones: BTreeMap<OrganisationId, Arc<str>>,
    pub(crate) rollouts: Rollouts,
    /// Inbox rows may wait in the store.
    pub(crate) inbox_waits: bool,
    /// For a planted mistake: the greatest number seen.
    #[cfg(test)]
    pub(crate) inbox_seen: i64,
    /// When a failing store is tried again.
    pub(crate) back_off_until: Timestamp,
    pub(crate) beat_again_at: Timestamp,
    pub(crate) commit_failures: u32,
    pub(crate) stop_at: Option<Timestamp>,
    pub(crate) meters: Meters,
}

impl<S: Store> Engine<S> {
    /// Starts the loop on the executor. The handle works at once; what it is told before [`EngineHandle::ready`] waits.
    pub fn start(config: EngineConfig<S>) -> EngineHandle<S> {
        let (outcomes, outcomes_in) = mpsc::unbounded_channel();
        let (normal, normal_in) = mpsc::unbounded_channel();
        let (low, low_in) = mpsc::unbounded_channel();
        let time = EngineTime::new(config.clock);
        let shared = Arc::new(Shared {
            store: config.store,
            clock: Arc::new(time.clone()),
            time,
            rung: Rung::default(),
            ids: config.ids,
            executor: config.executor,
            nodes: config.nodes,
            records: config.records,
            segments: config.segments,
            questions: config.questions,
            credentials: config.credentials,
            inventory: config.inventory,
            disk: config.disk,
            node_id: config.node_id,
            take_all: config.take_all,
            role: config.role,
            about: config.about,
            processes: config.processes,
            duty: config.duty,
            definitions: Definitions::default(),
            load: Load::default(),
            watchers: Watchers::new(config.limits.changes),
            phase: watch::channel(Phase::Starting).0,
            nudge: tokio::sync::Notify::new(),
            limits: config.limits,
        });
        let engine = Self {
            runs: Runs::default(),
            ahead: Ahead::new(),
            timers: Timers::new(),
            schedules: Schedules::default(),
            calls: Calls::new(shared.limits.calls),
            leases: Leases::new(shared.limits.lease_ms),
            shapes: BTreeMap::new(),
            own: VecDeque::new(),
            delayed: Vec::new(),
            held_back: None,
            incoming: Incoming { outcomes: outcomes_in, normal: normal_in, low: low_in },
            outcomes: outcomes.clone(),
            recovery: Recovery::Done,
            recovering: Vec::new(),
            sharing: Sharing::new(),
            generation: 0,
            asked: BTreeMap::new(),
            replies_given: 0,
            ready: Ready::default(),
            held_counts: HeldCounts::default(),
            herald: Herald::start(&shared),
            next_burst_end: None,
            starts_are_held: true,
            permits_are_out: true,
            pauses: Pauses::default(),
            zones: BTreeMap::new(),
            rollouts: Rollouts::default(),
            inbox_waits: shared.duty == Duty::Server,
            #[cfg(test)]
            inbox_seen: 0,
            back_off_until: Timestamp::MIN,
            beat_again_at: Timestamp::MIN,
            commit_failures: 0,
            stop_at: None,
            meters: Meters::new(),
            shared: Arc::clone(&shared),
        };
        shared.executor.spawn_apart(Box::pin(engine.run()));
        EngineHandle::new(shared, Lanes { outcomes, normal, low })
    }

    async fn run(mut self) {
        self.listen();
        self.take_over().await;
        self.shared.phase.send_replace(Phase::Ready);
        loop {
            if self.shared.load.is_stopping() && self.is_drained() {
                break;
            }
            self.answer_the_bell();
            self.maintain_leases().await;
            self.read_ahead().await;
            self.start_calls();
            let items = self.gather();
            if items.is_empty() {
                self.wait().await;
            } else {
                self.look_ahead();
                self.commit_together(items).await;
            }
        }
        self.herald.finish().await;
        match self.shared.store.leave(self.shared.node_id, self.now()).await {
            Ok(()) if self.is_in_company() => self.ring(NoticeKind::Leases, ShardSet::ALL).await,
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the leases could not be given back; they run out by themselves"),
        }
        self.shared.phase.send_replace(Phase::Stopped);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Whether a stopping engine may end: nothing waits, and calls in flight had their time.
    fn is_drained(&mut self) -> bool {
        let now = self.now();
        let stop_at = *self.stop_at.get_or_insert(now.plus_millis(self.shared.limits.shutdown_ms));
        let idle = self.nothing_waits() && self.asked.is_empty() && self.calls.none_waits();
        (idle && self.calls.running() == 0) || now >= stop_at
    }

    /// Starts as many calls as there are places for, unless the lease is about to end.
    pub(crate) fn start_calls(&mut self) {
        if self.shared.load.is_stopping() {
            return self.give_calls_back();
        }
        if self.shared.duty == Duty::Command || !calls::may_start(self.shared.time.own(), self.leases.until()) {
            return;
        }
        let mut begun = Vec::new();
        while let Some(call) = self.calls.next() {
            if self.gives_back(&call) || self.gives_to_successor(&call) {
                continue;
            }
            let seconds = self.meters.seconds_of(&call.node.descriptor().id);
            // With others under way their outcomes come soon, and share a commit.
            let here = self.calls.running() == 1 && self.calls.none_waits() && self.nothing_waits();
            begun.extend(calls::start(call, seconds, &self.shared.clock, self.outcomes.clone(), here));
        }
        self.shared.executor.spawn_all(begun);
        self.measure();
    }

    /// A call that was committed as scheduled and that this stopping process will not make: recorded as to be tried again
    /// without an attempt spent, so that the next start neither doubts nor repeats it.
    fn give_calls_back(&mut self) {
        while let Some(call) = self.calls.next() {
            if call.reconcile {
                // Whether an earlier process made it is as unknown as before: the next start asks again.
                self.calls.ended();
                continue;
            }
            let error = StepError::new(ErrorCode::Unavailable, "the server stopped before the call; it is made after the next start");
            let outcome = Outcome::Retry { after_ms: Some(AFTER_STOP_MS), error };
            // The receiver is our own.
            drop(self.outcomes.send(Item::Outcome { key: call.key, outcome }));
        }
    }

    /// A call of a shard that another node is about to get is left to it, without an attempt spent.
    fn gives_to_successor(&mut self, call: &calls::PlannedCall<S::Tx>) -> bool {
        if !self.is_leaving(call.key.run_id) {
            return false;
        }
        if call.reconcile {
            self.calls.ended();
            self.calls.settle(&call.key);
        } else {
            let error = StepError::new(ErrorCode::Unavailable, "another node takes the run over before the call; it is made there");
            let outcome = Outcome::Retry { after_ms: Some(AFTER_HAND_OVER_MS), error };
            // The receiver is our own.
            drop(self.outcomes.send(Item::Outcome { key: call.key.clone(), outcome }));
        }
        true
    }

    /// Tells how much waits.
    pub(crate) fn measure(&self) {
        let meters = &self.meters;
        meters.runs_in_memory.set(self.runs.len() as f64);
        meters.timers_in_memory.set(self.timers.len() as f64);
        meters.queue_bytes.set(self.shared.load.queued_bytes() as f64);
        meters.calls_running.set(self.calls.running() as f64);
        let waiting = [
            self.own.len() + self.delayed.len(),
            self.incoming.outcomes.len(),
            self.incoming.normal.len() + usize::from(self.held_back.is_some()),
            self.incoming.low.len(),
            self.calls.waiting(),
            self.ready.len(),
        ];
        for (gauge, waiting) in meters.queues.iter().zip(waiting) {
            gauge.set(waiting as f64);
        }
    }

    /// Adds paths under which events must be found. Returns those that were not known.
    pub(crate) fn learn_shapes(&mut self, shapes: impl IntoIterator<Item = Shape>) -> Vec<Shape> {
        shapes.into_iter().filter(|(organisation, event, paths)| self.shapes.entry((*organisation, event.clone())).or_default().insert(paths.clone())).collect()
    }
    /// Takes back what [`Engine::learn_shapes`] added, when its commit was not confirmed.
    pub(crate) fn unlearn_shapes(&mut self, shapes: &[Shape]) {
        for (organisation, event, paths) in shapes {
            if let Some(known) = self.shapes.get_mut(&(*organisation, event.clone())) {
                known.remove(paths);
            }
        }
    }
}
