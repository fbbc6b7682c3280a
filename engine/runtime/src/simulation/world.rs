//! One simulated world: a store that survives, engines that come and go.

use super::nodes::{Ledger, nodes};
use crate::{Duty, Engine, EngineConfig, EngineHandle, EngineLimits, Registry, config::Plant, debug_nodes, definitions::Definitions};
use onward_core::{
    ErrorCode, NodeId, OrganisationId, RunId, StepError, Timestamp, Value, async_trait,
    ports::{
        BoundlessDisk, Clock, Connection, Credentials, Executor, Ids as _, NoInventory, NobodyAsked, NodeRole, Processes, RecordRef, Records, SegmentMember,
        Segments, Transaction as _, UnknownProcesses,
    },
};
use onward_testkit::{
    Faults, FaultyStore, MemoryStore, MemoryTx, Simulation,
    simulation::{SimulatedMachine, SimulatedProcess, SkewedClock},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

pub(super) type Handle = EngineHandle<FaultyStore<MemoryStore>>;

/// The only record: an organisation, in Kolkata unless it moves.
pub(super) struct Headquarters(pub(super) Mutex<&'static str>);

#[async_trait]
impl Records<MemoryTx> for Headquarters {
    async fn read(&self, tx: &mut MemoryTx, _organisation: OrganisationId, record: &RecordRef) -> Result<Option<Value>, StepError> {
        let zone = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((record.name == "org").then(|| serde_json::json!({ "name": organisation_name(tx.now()), "timezone": zone })))
    }
}

/// No connections.
pub(super) struct Nothing;

/// A live record that is never the same twice: what was rendered from it must not be rendered again.
pub(super) fn organisation_name(now: Timestamp) -> String {
    format!("Test at {now}")
}

/// Contacts of the segment `everybody`; every third lives in New York.
pub(super) const EVERYBODY: usize = 450;

#[async_trait]
impl Segments<MemoryTx> for Nothing {
    async fn members(
        &self,
        _tx: &mut MemoryTx,
        _organisation: OrganisationId,
        segment: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SegmentMember>, StepError> {
        if segment != "everybody" {
            return Err(StepError::new(ErrorCode::NotFound, "there is no such segment"));
        }
        let member = |number: usize| SegmentMember { contact: format!("c{number:04}"), timezone: number.is_multiple_of(3).then(|| "America/New_York".into()) };
        Ok((0..EVERYBODY).map(member).filter(|member| after.is_none_or(|after| member.contact.as_str() > after)).take(limit).collect())
    }
}

#[async_trait]
impl Credentials for Nothing {
    async fn connection(&self, _organisation: OrganisationId, _connector: Option<&str>, _name: Option<&str>) -> Result<Connection, StepError> {
        Err(StepError::new(ErrorCode::NotFound, "there are no connections here"))
    }
}

/// A world of one seed.
pub(super) struct World {
    pub(super) simulation: Simulation,
    pub(super) store: Arc<FaultyStore<MemoryStore>>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) organisation: OrganisationId,
    pub(super) headquarters: Arc<Headquarters>,
    pub(super) limits: EngineLimits,
    /// Engines take what another one left behind, expired or not.
    pub(super) take_all: bool,
    /// On so many machines nodes run, of which each sees which processes were killed on it; none: nobody sees that.
    pub(super) machines: u64,
    /// Somebody sets the database's clock now and then.
    pub(super) clock_is_set: bool,
    /// Programs for the checks, compiled once.
    pub(super) definitions: Definitions,
    checked: Mutex<BTreeMap<RunId, usize>>,
}

impl World {
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let simulation = Simulation::new(seed);
        let memory = MemoryStore::new(simulation.ids.clone());
        let store = FaultyStore::new(memory, Arc::clone(&simulation.clock), Arc::clone(&simulation.executor));
        // Small pages and long leases: many seams, few idle wake-ups in weeks of virtual time.
        let limits = EngineLimits {
            batch_items: 1 + simulation.executor.random_below(12) as usize,
            step_share: 4,
            calls: 1 + simulation.executor.random_below(6) as usize,
            steps_per_turn: 1 + simulation.executor.random_below(4) as usize,
            timer_page: 1 + simulation.executor.random_below(5) as usize,
            timer_read_ahead: 3 + simulation.executor.random_below(20) as usize,
            timer_horizon_ms: 3_600_000 * (1 + simulation.executor.random_below(24) as i64),
            recovery_page: 1 + simulation.executor.random_below(10) as usize,
            resting_runs: simulation.executor.random_below(10) as usize,
            checkpoint_every: 2 + seed % 9,
            checkpoint_cost: 1_000,
            lease_ms: 43_200_000,
            plant,
            ..EngineLimits::default()
        };
        let organisation = OrganisationId(simulation.ids.fresh(simulation.clock.now()));
        Self {
            store: Arc::new(store),
            ledger: Arc::default(),
            organisation,
            limits,
            // Three of four worlds are shared by several nodes.
            take_all: true,
            machines: 0,
            clock_is_set: false,
            headquarters: Arc::new(Headquarters(Mutex::new("Asia/Kolkata"))),
            simulation,
            definitions: Definitions::default(),
            checked: Mutex::default(),
        }
    }

    /// Whether a history is longer than when this was last asked: only then is it checked as a whole again.
    pub(super) fn has_grown(&self, run: RunId, entries: usize) -> bool {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(run, entries) != Some(entries)
    }

    /// The latest moment that any clock of engine time has shown.
    pub(super) fn latest(&self) -> Timestamp {
        let now = self.simulation.clock.now();
        if self.take_all { now } else { now.plus_millis(self.store.stepped_ms()) }
    }

    pub(super) fn chance(&self, thousandths: u64) -> bool {
        self.simulation.executor.random_below(1_000) < thousandths
    }
    pub(super) fn below(&self, end: u64) -> u64 {
        self.simulation.executor.random_below(end)
    }

    pub(super) fn registry(&self) -> Registry<MemoryTx> {
        let all = nodes(&self.simulation, &self.ledger).into_iter().chain(debug_nodes());
        Registry::new(all, []).expect("no node stands twice")
    }

    /// A process starts on the store.
    pub(super) fn start(&self) -> Handle {
        self.start_for(Duty::Server)
    }

    pub(super) fn start_for(&self, duty: Duty) -> Handle {
        let clock = self.simulation.clock.clone();
        self.start_on(clock, self.simulation.executor.clone(), Arc::new(UnknownProcesses), NodeRole::All, duty)
    }

    /// A process of its own, with a clock of its own where there are several.
    pub(super) fn start_process(&self, process: &SimulatedProcess, role: NodeRole) -> (Handle, SkewedClock) {
        let ahead_ms = if self.take_all { 0 } else { self.below(7_200_000) as i64 - 3_600_000 };
        let clock = SkewedClock::new(self.simulation.clock.clone(), ahead_ms);
        let executor = self.simulation.executor.clone();
        let processes: Arc<dyn Processes> = match self.machines {
            0 => Arc::new(UnknownProcesses),
            machines => Arc::new(SimulatedMachine::new(executor, self.below(machines), process)),
        };
        (self.start_on(Arc::new(clock.clone()), Arc::new(process.clone()), processes, role, Duty::Server), clock)
    }

    fn start_on(&self, clock: Arc<dyn Clock>, executor: Arc<dyn Executor>, processes: Arc<dyn Processes>, role: NodeRole, duty: Duty) -> Handle {
        let node_id = NodeId(self.simulation.ids.fresh(self.simulation.clock.now()));
        Engine::start(EngineConfig {
            store: Arc::new(self.store.of_node(node_id)),
            clock,
            ids: self.simulation.ids.clone(),
            executor,
            nodes: self.registry(),
            records: Arc::clone(&self.headquarters) as _,
            segments: Arc::new(Nothing),
            credentials: Arc::new(Nothing),
            questions: Arc::new(NobodyAsked),
            inventory: Arc::new(NoInventory),
            disk: Arc::new(BoundlessDisk),
            node_id,
            role,
            about: String::new(),
            processes,
            take_all: self.take_all,
            duty,
            limits: self.limits.clone(),
        })
    }

    /// Faults of a strength that the seed chooses: some worlds are quiet.
    pub(super) fn let_it_rain(&self) {
        let faults = match self.below(4) {
            0 => Faults::default(),
            1 => Faults::SOME,
            2 => Faults { commit_unknown: 80, ..Faults::SOME },
            _ => Faults { commit_fails: 60, write_fails: 20, contended: 30, ..Faults::SOME },
        };
        self.store.set(faults);
    }
}
