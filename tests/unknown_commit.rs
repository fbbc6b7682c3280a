//! The outcome of a COMMIT on the real SQLite file is not known (SEMANTICS.md 5): nobody is told that it worked, every run of
//! it is loaded again, and what is repeated afterwards takes effect once, whether it was stored or not.

use super::harness::eventually;
use onward_core::{
    NewEvent, NodeId, OrganisationId, RunId, StepError, Value, async_trait,
    ports::{
        BoundlessDisk, Clock as _, Connection, Credentials, Effect, Ids as _, NoInventory, NobodyAsked, Node, NodeDescriptor, Outcome, RecordRef, Records,
        RunStatus, StepContext, WriteError,
    },
};
use onward_database::{Database, SystemClock, SystemIds, Tx};
use onward_runtime::{Duty, Engine, EngineConfig, EngineError, EngineHandle, EngineLimits, Ingested, Registry, TokioExecutor};
use onward_store::SqlStore;
use onward_testkit::{FaultyStore, Simulation, faults::CommitFault};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

type Store = FaultyStore<SqlStore>;

/// An outside that counts how often it is called, and lets the test plan what becomes of the commits from then on.
struct Outside {
    descriptor: NodeDescriptor,
    store: Arc<Store>,
    calls: Arc<AtomicUsize>,
    /// What the commit that records the call's outcome does.
    fault: Option<CommitFault>,
}

#[async_trait]
impl Node<Tx> for Outside {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }
    async fn call(&self, _ctx: &StepContext, prepared: &Value) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.store.script(self.fault.map(Some));
        Outcome::done(prepared.clone())
    }
}

/// No records and no connections.
struct Nothing;

#[async_trait]
impl Records<Tx> for Nothing {
    async fn read(&self, _tx: &mut Tx, _organisation: OrganisationId, _record: &RecordRef) -> Result<Option<Value>, StepError> {
        Ok(None)
    }
}
#[async_trait]
impl Credentials for Nothing {
    async fn connection(&self, _organisation: OrganisationId, _connector: Option<&str>, _name: Option<&str>) -> Result<Connection, StepError> {
        Err(StepError::new(onward_core::ErrorCode::NotFound, "there is none"))
    }
}

const WORKFLOW: &str = "name: once
on: [{ event: go }]
steps:
  - { id: outside, do: test.outside, with: { n: 1 } }
  - stop: { output: \"{{ steps.outside.n }}\" }
";

struct World {
    engine: EngineHandle<Store>,
    store: Arc<Store>,
    database: Database,
    organisation: OrganisationId,
    calls: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl World {
    /// An engine on a file of its own, whose outside has this effect and plants this fault.
    async fn start(effect: Effect, fault: Option<CommitFault>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, ids) = (Arc::new(SystemClock::new()), Arc::new(SystemIds::new()));
        let database = Database::open(&format!("sqlite://{}", folder.path().join("onward.db").display()), ids.clone()).await.unwrap();
        let simulation = Simulation::new(1);
        let store = Arc::new(FaultyStore::new(SqlStore::new(database.clone()), simulation.clock, simulation.executor));
        let calls: Arc<AtomicUsize> = Arc::default();
        let descriptor = NodeDescriptor {
            id: "test.outside".into(),
            title: "Outside".into(),
            description: "Counts its calls.".into(),
            category: "Test".into(),
            effect,
            input: json!({ "type": "object" }),
            output: json!({}),
            example: json!({}),
            example_output: json!({}),
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: None,
        };
        let outside: Arc<dyn Node<Tx>> = Arc::new(Outside { descriptor, store: Arc::clone(&store), calls: Arc::clone(&calls), fault });
        let engine = Engine::start(EngineConfig {
            store: Arc::clone(&store),
            clock: clock.clone(),
            ids: ids.clone(),
            executor: Arc::new(TokioExecutor::new(tokio::runtime::Handle::current())),
            nodes: Registry::new([outside], []).unwrap(),
            records: Arc::new(Nothing),
            segments: Arc::new(onward_records::StoredSegments),
            credentials: Arc::new(Nothing),
            questions: Arc::new(NobodyAsked),
            inventory: Arc::new(NoInventory),
            disk: Arc::new(BoundlessDisk),
            node_id: NodeId(ids.fresh(clock.now())),
            role: onward_core::ports::NodeRole::All,
            about: String::new(),
            processes: Arc::new(onward_core::ports::UnknownProcesses),
            take_all: true,
            duty: Duty::Server,
            limits: EngineLimits::default(),
        });
        engine.ready().await;
        let organisation = OrganisationId(ids.fresh(clock.now()));
        engine.publish(organisation, None, WORKFLOW).await.unwrap();
        // Commits with or after whatever the engine had to do for itself: from here on it commits only what it is told.
        engine.ingest(vec![NewEvent::new(organisation, "nothing", "test", json!({}))]).await.unwrap();
        Self { engine, store, database, organisation, calls, _folder: folder }
    }

    async fn ingest(&self) -> Result<Ingested, EngineError> {
        let event = NewEvent::new(self.organisation, "go", "test", json!({})).with_id("1");
        Ok(self.engine.ingest(vec![event]).await?.remove(0))
    }

    /// Sends the event until the server takes it, as its sender would.
    async fn insist(&self) -> Ingested {
        loop {
            match self.ingest().await {
                Ok(ingested) => return ingested,
                Err(EngineError::Write(WriteError::Unavailable { .. })) => self.engine_recovers().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Passes when commits work again: one of the engine's own, which it tries by itself.
    async fn engine_recovers(&self) {
        eventually("commits work again", async || self.engine.is_ready().then_some(())).await;
    }

    /// The run's status and the kinds of its entries once it has ended. Asked for, not listened for: what a commit of unknown
    /// outcome changed is announced to nobody.
    async fn ended(&self, run: RunId) -> (RunStatus, Vec<&'static str>) {
        eventually("the run ends", async || {
            let run = self.engine.histories(self.organisation, vec![run]).await.ok()?.pop()?;
            run.row.status.is_final().then(|| (run.row.status, run.entries.iter().map(|entry| entry.fact.kind()).collect()))
        })
        .await
    }

    async fn stop(self) {
        self.engine.shutdown().await;
        self.database.close().await;
    }
}

const STORY: [&str; 5] = ["run_started", "step_scheduled", "step_completed", "step_completed", "run_completed"];

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_commit_is_unknown_starts_one_run() {
    for (fault, stored) in [(CommitFault::UnknownStored, true), (CommitFault::UnknownLost, false)] {
        let world = World::start(Effect::AtMostOnce, None).await;
        world.store.script([Some(fault)]);
        let told = world.ingest().await;
        assert!(matches!(told, Err(EngineError::Write(WriteError::OutcomeUnknown))), "{fault:?}: {told:?}");
        let again = world.insist().await;
        assert_eq!(again.duplicate, stored, "{fault:?}");
        let (status, story) = world.ended(again.run_ids[0]).await;
        assert_eq!((status, story.as_slice()), (RunStatus::Completed, STORY.as_slice()), "{fault:?}");
        assert_eq!(world.calls.load(Ordering::SeqCst), 1, "{fault:?}: a call that was surely not made is made, and once");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_whose_commit_is_unknown_is_recorded_once_and_its_call_is_not_repeated() {
    for fault in [CommitFault::UnknownStored, CommitFault::UnknownLost] {
        for effect in [Effect::External, Effect::AtMostOnce] {
            let world = World::start(effect, Some(fault)).await;
            let told = world.insist().await;
            let (status, story) = world.ended(told.run_ids[0]).await;
            assert_eq!((status, story.as_slice()), (RunStatus::Completed, STORY.as_slice()), "{fault:?}, {effect:?}");
            assert_eq!(world.calls.load(Ordering::SeqCst), 1, "{fault:?}, {effect:?}");
            world.stop().await;
        }
    }
}
