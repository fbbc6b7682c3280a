//! A store that fails as databases do, by a seed or on demand.

mod notices;
mod store;

use crate::{
    ownership::Ownership,
    simulation::{SimulatedClock, SimulatedExecutor},
};
use onward_core::{
    NodeId, Timestamp,
    ports::{Clock as _, Lease, StoreError},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Surely not stored.
    Failed,
    /// Not stored, because the disk is full.
    DiskFull,
    /// The connection is lost; it is stored.
    UnknownStored,
    /// The connection is lost; it is not stored.
    UnknownLost,
    /// It takes this many milliseconds, then is stored.
    Slow(i64),
}

/// What goes wrong how often, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// `begin` fails.
    pub begin_fails: u64,
    /// A write within a transaction fails.
    pub write_fails: u64,
    /// A part of a transaction that is under a savepoint meets what another node holds.
    pub contended: u64,
    /// A commit fails, surely not stored.
    pub commit_fails: u64,
    /// A commit's outcome is unknown; every other time it is stored.
    pub commit_unknown: u64,
    /// A commit takes up to [`Faults::slowest_ms`].
    pub commit_slow: u64,
    /// The slowest commit, in milliseconds.
    pub slowest_ms: i64,
    /// A notice to another node is lost; as often one comes twice, late, or after the next one.
    pub notices: u64,
    /// Leases, the generation, or that no inbox waits, are checked with the commit, and not when that is asked for.
    pub late_checks: u64,
}

impl Faults {
    /// Some of everything that happens to one node alone, too.
    pub const SOME: Self = Self {
        begin_fails: 5,
        write_fails: 5,
        contended: 0,
        commit_fails: 10,
        commit_unknown: 10,
        commit_slow: 50,
        slowest_ms: 3_000,
        notices: 100,
        late_checks: 500,
    };
}

/// A store around another one, which it lets down now and then. Chance comes from the executor's seed.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    clock: Arc<SimulatedClock>,
    executor: Arc<SimulatedExecutor>,
    plan: Arc<Mutex<Plan>>,
    /// Whose it is, where that is known.
    node: Option<NodeId>,
}

#[derive(Debug, Default)]
struct Plan {
    faults: Faults,
    next_commits: VecDeque<Option<CommitFault>>,
    next_begin_fails: bool,
    /// So many parts under savepoints go well, and the one after them meets what another node holds.
    next_contention: Option<u32>,
    /// The next commit takes this many milliseconds, however it ends.
    next_commit_takes: Option<i64>,
    /// What is checked with the commit.
    late_check: Option<Vec<Lease>>,
    late_generation: Option<i64>,
    late_inbox: Option<Vec<Lease>>,
    /// The next `begin` takes this many milliseconds; and whose that was.
    next_begin_takes: Option<i64>,
    /// No notice arrives.
    loses_notices: bool,
    /// Leases run by the store's own clock, whatever the nodes' clocks show.
    keeps_time: bool,
    /// By how much the store's clock was set forward, or back, and by how much in all.
    ahead_ms: i64,
    stepped_ms: i64,
    ownership: Ownership,
    /// Runs that were read without a transaction.
    read_ahead: usize,
    timers_cleared: usize,
    /// How many transactions began at one moment, the latest.
    began: (Timestamp, u32),
}

impl<S> FaultyStore<S> {
    /// Without faults until some are set.
    pub fn new(inner: S, clock: Arc<SimulatedClock>, executor: Arc<SimulatedExecutor>) -> Self {
        Self { inner, clock, executor, plan: Arc::default(), node: None }
    }
    /// From now on, this much goes wrong.
    pub fn set(&self, faults: Faults) {
        self.plan(|plan| plan.faults = faults);
    }
    /// From now on nothing goes wrong, not even what was still to come. A `begin` that takes its time already takes it.
    pub fn calm(&self) {
        self.plan(|plan| {
            plan.faults = Faults::default();
            plan.next_commits.clear();
            plan.next_begin_fails = false;
            plan.next_contention = None;
            plan.next_begin_takes = None;
            plan.next_commit_takes = None;
        });
    }
    /// What the commits after this do, one by one, before chance has its say; `None` is a good one.
    pub fn script(&self, commits: impl IntoIterator<Item = Option<CommitFault>>) {
        self.plan(|plan| plan.next_commits.extend(commits));
    }
    /// The next commit takes this many milliseconds, however it ends.
    pub fn delay_next_commit(&self, millis: i64) {
        self.plan(|plan| plan.next_commit_takes = Some(millis));
    }
    /// Leases run by the store's own clock, as on a database server, whatever the nodes' clocks show.
    pub fn keep_time(&self) {
        self.plan(|plan| plan.keeps_time = true);
    }
    /// Somebody sets the store's clock forward, or back.
    pub fn step_clock(&self, millis: i64) {
        self.plan(|plan| {
            plan.ahead_ms += millis;
            plan.stepped_ms += millis.abs();
        });
    }
    /// What the store's clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.plan(|plan| plan.ahead_ms))
    }
    /// By how much the store's clock was set in all, there and back: so far two of its readings may be from the truth.
    pub fn stepped_ms(&self) -> i64 {
        self.plan(|plan| plan.stepped_ms)
    }
    /// The same store, as this node uses it: whether it owns what it writes to is watched from now on.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> Self
    where
        S: Clone,
    {
        Self { node: Some(node), ..self.clone() }
    }
    /// The first thing that broke the rules of ownership, if any did.
    pub fn broken_ownership(&self) -> Option<String> {
        self.plan(|plan| plan.ownership.broken.clone())
    }
    /// The next `begin` takes this many milliseconds, as one that waits for a connection does.
    pub fn delay_next_begin(&self, millis: i64) {
        self.plan(|plan| plan.next_begin_takes = Some(millis));
    }
    /// How many runs were read without a transaction.
    pub fn read_ahead(&self) -> usize {
        self.plan(|plan| plan.read_ahead)
    }
    /// How many timers were told to go, those of transactions that were undone included.
    pub fn timers_cleared(&self) -> usize {
        self.plan(|plan| plan.timers_cleared)
    }
    /// From now on no notice arrives, or again as many as the faults let through.
    pub fn lose_notices(&self, all: bool) {
        self.plan(|plan| plan.loses_notices = all);
    }
    /// After so many more parts that are kept, one meets what another node holds.
    pub fn contend_after(&self, parts: u32) {
        self.plan(|plan| plan.next_contention = Some(parts));
    }
    /// The next `begin` fails.
    pub fn fail_next_begin(&self) {
        self.plan(|plan| plan.next_begin_fails = true);
    }
    /// The store that never fails.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan<R>(&self, work: impl FnOnce(&mut Plan) -> R) -> R {
        work(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn happens(&self, thousandths: u64) -> bool {
        thousandths > 0 && self.executor.random_below(1_000) < thousandths
    }
    fn commit_fault(&self) -> Option<CommitFault> {
        if let Some(scripted) = self.plan(|plan| plan.next_commits.pop_front()) {
            return scripted;
        }
        let faults = self.plan(|plan| plan.faults);
        if self.happens(faults.commit_fails) {
            Some(CommitFault::Failed)
        } else if self.happens(faults.commit_unknown) {
            Some(if self.happens(500) { CommitFault::UnknownStored } else { CommitFault::UnknownLost })
        } else if self.happens(faults.commit_slow) {
            Some(CommitFault::Slow(self.executor.random_below(u64::try_from(faults.slowest_ms).unwrap_or(0)) as i64))
        } else {
            None
        }
    }
    /// How long a commit takes that ends otherwise than well: as often as not it fails at once.
    fn commit_takes(&self, fault: Option<CommitFault>) -> i64 {
        if let Some(scripted) = self.plan(|plan| plan.next_commit_takes.take()) {
            return scripted;
        }
        let slowest = self.plan(|plan| plan.faults.slowest_ms);
        let fails = !matches!(fault, None | Some(CommitFault::Slow(_)));
        if fails && self.happens(500) { self.executor.random_below(u64::try_from(slowest).unwrap_or(0)) as i64 } else { 0 }
    }
    /// A write, whose outcome somebody waits for, meets what another node holds.
    fn maybe_contended(&self) -> Result<(), StoreError> {
        let (thousandths, scripted) = self.plan(|plan| {
            let scripted = plan.next_contention == Some(0);
            plan.next_contention = plan.next_contention.and_then(|parts| parts.checked_sub(1));
            (plan.faults.contended, scripted)
        });
        if scripted || self.happens(thousandths) { Err(StoreError::Contended) } else { Ok(()) }
    }
    fn maybe_fail_write(&self) -> Result<(), StoreError> {
        let thousandths = self.plan(|plan| plan.faults.write_fails);
        if self.happens(thousandths) { Err(StoreError::Failed("a planted fault of a write".into())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, Simulation};
    use onward_core::{
        OrganisationId,
        ports::{CommitError, Ids as _, Store as _},
    };

    /// Publishes a workflow and commits; how that ended, and whether it is there.
    async fn publish(store: &FaultyStore<MemoryStore>, organisation: OrganisationId, name: &str) -> (Result<(), CommitError>, bool) {
        let mut tx = store.begin(Timestamp::default()).await.expect("begin works");
        store.publish(&mut tx, organisation, name, "steps: []", "digest", 1).await.expect("publish works");
        let end = store.commit(tx).await;
        (end, store.version(organisation, name, 1).await.expect("reading works").is_some())
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let world = Simulation::new(1);
        let store = FaultyStore::new(MemoryStore::new(world.ids.clone()), Arc::clone(&world.clock), Arc::clone(&world.executor));
        let organisation = OrganisationId(world.ids.fresh(Timestamp::default()));
        let began = world.clock.now();
        store.script([
            None,
            Some(CommitFault::Failed),
            Some(CommitFault::DiskFull),
            Some(CommitFault::UnknownStored),
            Some(CommitFault::UnknownLost),
            Some(CommitFault::Slow(700)),
        ]);
        world.executor.block_on(async {
            assert_eq!(publish(&store, organisation, "a").await, (Ok(()), true));
            assert!(matches!(publish(&store, organisation, "b").await, (Err(CommitError::Failed(StoreError::Failed(_))), false)));
            assert!(matches!(publish(&store, organisation, "c").await, (Err(CommitError::Failed(StoreError::DiskFull)), false)));
            assert!(matches!(publish(&store, organisation, "d").await, (Err(CommitError::Unknown(_)), true)));
            assert!(matches!(publish(&store, organisation, "e").await, (Err(CommitError::Unknown(_)), false)));
            assert_eq!(publish(&store, organisation, "f").await, (Ok(()), true));
            store.fail_next_begin();
            assert!(store.begin(Timestamp::default()).await.is_err());
            assert!(store.begin(Timestamp::default()).await.is_ok());
            store.script([Some(CommitFault::Failed)]);
            store.fail_next_begin();
            store.delay_next_begin(900);
            store.calm();
            assert_eq!(publish(&store, organisation, "g").await, (Ok(()), true));
        });
        assert_eq!(world.clock.now().millis_since(began), 700);
    }
}
