//! One transaction under way: what it will write, and what follows once it is committed.

use crate::{
    calls::PlannedCall,
    held_counts::HeldChanges,
    live::Live,
    meters::Tally,
    release::Looking,
    traces::{self, Traced},
};
use indexmap::IndexMap;
use onward_core::{
    EventId, NewEvent, OrganisationId, RunId, Shard, Timestamp, Value,
    history::Entry,
    machine::{Happening, State},
    ports::{Change, Correlation, HeldQueue, OpenWait, Outcome, Pause, RolloutState, RoutingNote, RunRow, RunStatus, RunWrite, ShardSet},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tracing::Span;

/// Something to be done to a run within the transaction.
#[derive(Debug)]
pub(crate) enum Work {
    /// Hand it to the machine.
    Happen { run_id: RunId, happening: Happening },
    /// A call ended: `finish`, then the machine.
    Ended { key: crate::calls::CallKey, outcome: Outcome },
    /// Run a step that was just scheduled, unless it was cancelled meanwhile.
    Run { run_id: RunId, call: Box<onward_core::machine::InFlight> },
    /// Start the run that a step asks for.
    StartChild(Box<crate::children::Child>),
    /// Cancel a run that a step started, held or living.
    CancelChild { parent: RunId, run_id: RunId },
    /// Take it up where it stands.
    TakeUp { run_id: RunId },
    /// Let go what may leave this queue of held starts.
    Release { organisation: OrganisationId, queue: HeldQueue },
}

/// An event to be taken in within the transaction.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) event: NewEvent,
    /// The message and its place in it that is to be told, when someone outside handed it in.
    pub(crate) told: Option<(usize, usize)>,
    /// The trigger that it is meant for.
    pub(crate) addressee: Option<crate::definitions::Addressee>,
    /// The request that brought it, where somebody traces that.
    pub(crate) request: Span,
}

/// What one run will write.
#[derive(Debug)]
struct Pending {
    organisation: OrganisationId,
    shard: Shard,
    entries: Vec<Entry>,
    personal: bool,
    row: bool,
    status_before: Option<RunStatus>,
    timers: BTreeMap<String, Option<Timestamp>>,
    waits_opened: Vec<OpenWait>,
    waits_closed: BTreeSet<String>,
    /// Entries were handed to the store.
    written: bool,
}

/// Runs of one key, as this transaction changes them before they are written.
#[derive(Debug, Default)]
pub(crate) struct KeyChange {
    pub(crate) started: Vec<RunId>,
    pub(crate) ended: Vec<(RunId, Timestamp)>,
}

/// What the routing table says of a workflow after the commit; `None`: it takes no starts.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) organisation: OrganisationId,
    pub(crate) workflow: String,
    pub(crate) standing: Option<crate::definitions::Standing>,
}

/// A timer as a confirmed commit left it.
pub(crate) type TimerChange = (OrganisationId, RunId, Shard, String, Option<Timestamp>);

/// A type of events and the paths that waits for it compare.
pub(crate) type Shape = (OrganisationId, String, Vec<String>);

/// One transaction under way.
pub(crate) struct Batch<T: onward_core::ports::Transaction> {
    pub(crate) now: Timestamp,
    pub(crate) work: VecDeque<Work>,
    pub(crate) arriving: Vec<Arriving>,
    pub(crate) ingested: BTreeMap<(usize, usize), crate::Ingested>,
    pub(crate) calls: Vec<PlannedCall<T>>,
    pub(crate) abandoned: Vec<(RunId, Arc<str>)>,
    /// Calls whose outcome this transaction records.
    pub(crate) settled: Vec<crate::calls::CallKey>,
    pub(crate) changes: Vec<Change>,
    /// What is announced of it once it is committed; `None`: nobody watched.
    pub(crate) announced: Option<Vec<Change>>,
    pub(crate) take_up: Vec<RunId>,
    /// More inbox rows wait than this transaction took.
    pub(crate) more_inbox: bool,
    /// Pauses that begin, or end.
    pub(crate) pause_changes: Vec<(Pause, bool)>,
    /// A workflow goes on, and its runs with it.
    pub(crate) resume_runs: bool,
    /// A page of paused runs was looked at, and the last of it when more follow.
    pub(crate) resumed_page: bool,
    pub(crate) resumed_until: Option<RunId>,
    /// Queues of held starts that may have somebody to let go.
    pub(crate) ready: Vec<(OrganisationId, HeldQueue)>,
    /// Queues that have their next turn then.
    pub(crate) alarms: Vec<(OrganisationId, HeldQueue, Timestamp)>,
    /// Ends of bursts that were noted.
    pub(crate) burst_ends: Vec<Timestamp>,
    /// How far queues were looked at.
    pub(crate) looked_at: Option<(OrganisationId, HeldQueue)>,
    /// More queues are to be looked at than this transaction did.
    pub(crate) look_further: Vec<Looking>,
    /// What held starts weighed that were asked again, beyond their number.
    pub(crate) spent: BTreeMap<OrganisationId, usize>,
    held_changes: HeldChanges,
    /// Runs that ended and may hold a permit, which is not given back yet.
    pub(crate) ended: Vec<RunId>,
    /// Runs whose questions to contacts changed; they are told of before any event is taken in.
    pub(crate) asking: BTreeSet<RunId>,
    /// Runs of shards that are not ours, and where they live.
    pub(crate) foreign: BTreeMap<RunId, (OrganisationId, Shard)>,
    /// Shards of others for which this transaction wrote inbox rows.
    pub(crate) woken: ShardSet,
    /// Requests of other nodes that are answered at the end.
    pub(crate) requests: Vec<(uuid::Uuid, RunId, crate::message::Answer)>,
    /// How many of them are answered.
    pub(crate) replies_given: usize,
    /// Answers of other nodes to what was asked here.
    pub(crate) replied: Vec<(uuid::Uuid, crate::message::Answer)>,
    /// The generation that this transaction made.
    pub(crate) generation: Option<i64>,
    pub(crate) quarantined: BTreeMap<RunId, (OrganisationId, String)>,
    pub(crate) shapes_added: Vec<Shape>,
    pub(crate) notes: Vec<(OrganisationId, EventId, RoutingNote)>,
    pub(crate) keys: BTreeMap<(OrganisationId, String, String), KeyChange>,
    pub(crate) zones: BTreeMap<OrganisationId, Arc<str>>,
    /// Organisations whose settings it changes.
    pub(crate) settings_changed: BTreeSet<OrganisationId>,
    /// The routing table after the commit.
    pub(crate) published: Vec<Published>,
    /// Versions on trial that change, or are on trial no more.
    pub(crate) rollouts: BTreeMap<(OrganisationId, String), Option<RolloutState>>,
    /// Runs of versions on trial that ended, not counted yet.
    pub(crate) ended_on_trial: Vec<crate::rollout::EndedRun>,
    /// Where the schedules of workflows stand after the commit; none while a workflow is paused.
    pub(crate) schedules: BTreeMap<(OrganisationId, String), Vec<onward_core::ports::ScheduleRow>>,
    /// Runs that somebody takes up again: even those that the engine paused.
    pub(crate) resumed: BTreeSet<RunId>,
    /// Runs that never began: held, or ended before they did.
    pub(crate) unbegun: BTreeMap<RunId, (OrganisationId, RunStatus)>,
    /// Runs that could not be loaded, and why.
    pub(crate) unreadable: BTreeMap<RunId, String>,
    /// Timers that were handed to their runs.
    pub(crate) timers_due: Vec<onward_core::ports::Timer>,
    /// Timers as they stand once this transaction is committed.
    pub(crate) timer_changes: Vec<TimerChange>,
    /// Timers found stale: gone from memory and table without an entry.
    stale_timers: Vec<(RunId, OrganisationId, Shard, String)>,
    /// Every run that is not in memory as the store has it any more.
    pub(crate) touched: BTreeSet<RunId>,
    /// Steps done in this transaction by run: bounds long chains.
    pub(crate) chain: BTreeMap<RunId, usize>,
    /// For the counters.
    pub(crate) tally: Tally,
    /// What is told to whoever traces; `None`: nobody does.
    pub(crate) traced: Option<Vec<Traced>>,
    /// The request whose message is handled now.
    pub(crate) request: Span,
    writes: IndexMap<RunId, Pending>,
    opened: BTreeMap<Correlation, Vec<OpenWait>>,
}

impl<T: onward_core::ports::Transaction> Batch<T> {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            work: VecDeque::new(),
            arriving: Vec::new(),
            ingested: BTreeMap::new(),
            calls: Vec::new(),
            abandoned: Vec::new(),
            settled: Vec::new(),
            changes: Vec::new(),
            announced: None,
            take_up: Vec::new(),
            more_inbox: false,
            pause_changes: Vec::new(),
            resume_runs: false,
            resumed_page: false,
            resumed_until: None,
            ready: Vec::new(),
            alarms: Vec::new(),
            burst_ends: Vec::new(),
            looked_at: None,
            look_further: Vec::new(),
            spent: BTreeMap::new(),
            held_changes: BTreeMap::new(),
            ended: Vec::new(),
            asking: BTreeSet::new(),
            foreign: BTreeMap::new(),
            woken: ShardSet::EMPTY,
            requests: Vec::new(),
            replies_given: 0,
            replied: Vec::new(),
            generation: None,
            quarantined: BTreeMap::new(),
            shapes_added: Vec::new(),
            notes: Vec::new(),
            keys: BTreeMap::new(),
            zones: BTreeMap::new(),
            settings_changed: BTreeSet::new(),
            published: Vec::new(),
            rollouts: BTreeMap::new(),
            ended_on_trial: Vec::new(),
            schedules: BTreeMap::new(),
            resumed: BTreeSet::new(),
            unbegun: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            timers_due: Vec::new(),
            timer_changes: Vec::new(),
            stale_timers: Vec::new(),
            touched: BTreeSet::new(),
            chain: BTreeMap::new(),
            tally: Tally::default(),
            traced: traces::are_on().then(Vec::new),
            request: Span::none(),
            writes: IndexMap::new(),
            opened: BTreeMap::new(),
        }
    }

    /// Whether nothing but runs, their timers and calls, and what waits for its turn, is otherwise in memory once it is committed.
    pub(crate) fn changes_only_runs(&self) -> bool {
        self.generation.is_none()
            && self.settings_changed.is_empty()
            && self.published.is_empty()
            && self.rollouts.is_empty()
            && self.pause_changes.is_empty()
            && !self.resume_runs
            && !self.resumed_page
            && self.held_changes.is_empty()
            && self.schedules.is_empty()
            && self.quarantined.is_empty()
            && self.replied.is_empty()
            && self.requests.is_empty()
            && self.foreign.is_empty()
            && self.abandoned.is_empty()
    }

    pub(crate) fn happen(&mut self, run_id: RunId, happening: Happening) {
        self.work.push_back(Work::Happen { run_id, happening });
    }

    fn pending(&mut self, live: &Live) -> &mut Pending {
        self.touched.insert(live.state.run_id);
        self.writes.entry(live.state.run_id).or_insert_with(|| Pending {
            organisation: live.organisation,
            shard: live.shard,
            entries: Vec::new(),
            personal: false,
            row: false,
            status_before: None,
            timers: BTreeMap::new(),
            waits_opened: Vec::new(),
            waits_closed: BTreeSet::new(),
            written: false,
        })
    }

    /// Adds what the machine recorded. `status_before` is the run's status before that decision.
    pub(crate) fn record(&mut self, live: &Live, entries: Vec<Entry>, status_before: Option<RunStatus>, row: bool, personal: bool) {
        let pending = self.pending(live);
        if pending.entries.is_empty() {
            pending.status_before = status_before;
        }
        pending.entries.extend(entries);
        pending.row |= row;
        pending.personal |= personal;
    }

    /// The entries of a run that are about to be written.
    pub(crate) fn entries_of(&mut self, run_id: RunId) -> &mut [Entry] {
        self.writes.get_mut(&run_id).map_or(&mut [], |pending| pending.entries.as_mut_slice())
    }

    pub(crate) fn set_timer(&mut self, live: &Live, key: String, due: Timestamp) {
        self.pending(live).timers.insert(key, Some(due));
    }
    pub(crate) fn clear_timer(&mut self, live: &Live, key: String) {
        self.pending(live).timers.insert(key, None);
    }
    /// A timer whose run does not know it, or not now: its row goes, and no entry says so.
    pub(crate) fn drop_stale_timer(&mut self, run_id: RunId, organisation: OrganisationId, shard: Shard, key: String) {
        self.stale_timers.push((run_id, organisation, shard, key));
    }

    pub(crate) fn open_wait(&mut self, live: &Live, wait: OpenWait) {
        self.opened.entry(wait.correlation.clone()).or_default().push(wait.clone());
        let pending = self.pending(live);
        // Opened again after a pause: the row from before gives way.
        pending.waits_opened.retain(|open| open.target != wait.target || open.which != wait.which);
        pending.waits_opened.push(wait);
    }
    pub(crate) fn close_wait(&mut self, live: &Live, target: String) {
        let run_id = live.state.run_id;
        for waits in self.opened.values_mut() {
            waits.retain(|wait| wait.run_id != run_id || wait.target != target);
        }
        let pending = self.pending(live);
        pending.waits_opened.retain(|wait| wait.target != target);
        pending.waits_closed.insert(target);
    }
    /// Waits that this transaction opens and that are found under these correlations.
    pub(crate) fn opened_here(&self, correlations: &[Correlation]) -> Vec<OpenWait> {
        correlations.iter().filter_map(|correlation| self.opened.get(correlation)).flatten().cloned().collect()
    }

    /// Notes that more, or fewer, starts of a key are held.
    pub(crate) fn held_change(&mut self, organisation: OrganisationId, workflow: &str, key: &str, change: i64) {
        *self.held_changes.entry((organisation, workflow.to_owned(), key.to_owned())).or_default() += change;
    }
    /// By how many this transaction changed what an organisation, or one of its keys, has held.
    pub(crate) fn held_in(&self, organisation: OrganisationId, of: Option<(&str, &str)>) -> i64 {
        let concerned = self.held_changes.iter().filter(|((whose, workflow, key), _)| {
            *whose == organisation && of.is_none_or(|(wanted_workflow, wanted_key)| workflow == wanted_workflow && key == wanted_key)
        });
        concerned.map(|(_, change)| change).sum()
    }
    pub(crate) fn held_changes(&self) -> &HeldChanges {
        &self.held_changes
    }

    pub(crate) fn key_change(&mut self, organisation: OrganisationId, workflow: &str, key: &str) -> &mut KeyChange {
        self.keys.entry((organisation, workflow.to_owned(), key.to_owned())).or_default()
    }

    /// Takes out what is written of every run, all in one statement for each table. `live` finds a run in memory.
    pub(crate) fn run_writes<'l>(&mut self, live: impl Fn(RunId) -> Option<&'l Live>) -> (Vec<RunWrite>, Vec<TimerChange>) {
        let mut writes = Vec::with_capacity(self.writes.len());
        let mut timers = Vec::new();
        for (run_id, pending) in &mut self.writes {
            let (organisation, shard, personal) = (pending.organisation, pending.shard, pending.personal);
            let mut chunks: Vec<Vec<Entry>> = Vec::new();
            pending.written = !pending.entries.is_empty();
            for entry in std::mem::take(&mut pending.entries) {
                match chunks.last_mut() {
                    Some(chunk) if chunk.last().is_some_and(|last| last.at == entry.at) => chunk.push(entry),
                    _ => chunks.push(vec![entry]),
                }
            }
            let last = chunks.pop().unwrap_or_default();
            let empty = |entries| RunWrite {
                organisation,
                run_id: *run_id,
                shard,
                entries,
                personal,
                row: None,
                timers_set: Vec::new(),
                timers_cleared: Vec::new(),
                waits_opened: Vec::new(),
                waits_closed: Vec::new(),
                inbox_applied: Vec::new(),
            };
            writes.extend(chunks.into_iter().map(empty));
            let mut write = empty(last);
            if pending.row {
                write.row = live(*run_id).map(|live| derived_row(&live.state, organisation, shard));
            }
            for (key, due) in &pending.timers {
                timers.push((organisation, *run_id, shard, key.clone(), *due));
                match due {
                    Some(due) => write.timers_set.push((key.clone(), *due)),
                    None => write.timers_cleared.push(key.clone()),
                }
            }
            write.waits_opened = std::mem::take(&mut pending.waits_opened);
            write.waits_closed = pending.waits_closed.iter().cloned().collect();
            writes.push(write);
        }
        for (run_id, organisation, shard, key) in &self.stale_timers {
            if self.writes.get(run_id).is_some_and(|pending| pending.timers.contains_key(key)) {
                continue;
            }
            timers.push((*organisation, *run_id, *shard, key.clone(), None));
            writes.push(RunWrite {
                organisation: *organisation,
                run_id: *run_id,
                shard: *shard,
                entries: Vec::new(),
                personal: false,
                row: None,
                timers_set: Vec::new(),
                timers_cleared: vec![key.clone()],
                waits_opened: Vec::new(),
                waits_closed: Vec::new(),
                inbox_applied: Vec::new(),
            });
        }
        (writes, timers)
    }

    /// How many runs it is about to write.
    pub(crate) fn runs_to_write(&self) -> usize {
        self.writes.len()
    }

    /// The runs that this transaction is about to write entries of, and those.
    pub(crate) fn writing(&self) -> impl Iterator<Item = (RunId, &[Entry])> {
        self.writes.iter().filter(|(_, pending)| !pending.entries.is_empty()).map(|(run_id, pending)| (*run_id, pending.entries.as_slice()))
    }

    /// The runs that this transaction wrote entries of, with the status that each had before it.
    pub(crate) fn written(&self) -> impl Iterator<Item = (RunId, Option<RunStatus>)> {
        self.writes.iter().filter(|(_, pending)| pending.written).map(|(run_id, pending)| (*run_id, pending.status_before))
    }
}

/// The derived row. A run at work waits for nothing: which step it is in changes with every commit, and is in its history.
pub(crate) fn derived_row(state: &State, organisation: OrganisationId, shard: Shard) -> RunRow {
    let mut row = state.row(organisation, shard);
    if row.status == RunStatus::Running {
        row.waiting_on = Value::Null;
    }
    row
}
