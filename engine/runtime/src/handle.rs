//! The engine's face to the rooms above.

use crate::{
    BrokenVersion, Current, Duty, EngineError, ForkRequest, Guard, Ingested, MendedRun, Overload, Registry, Signal, StartRequest, StartedRun,
    definitions::Addressee,
    engine::{Lanes, Phase, Shared},
    message::{Command, Item, Mending, event_bytes},
    schedules::fired_event,
    traces,
};
use onward_core::{
    NewEvent, NodeId, OrganisationId, RunId, Timestamp, Value,
    definition::Workflow,
    limits,
    machine::Repair,
    ports::{Body, BoxFuture, Change, Lane, Pause, RunStatus, Store, StoredRun, WriteError, Writer},
};
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot};

/// How the loop fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// New work is taken in.
    pub accepting: bool,
    /// How long the transaction under way has been, in milliseconds; 0 while there is none.
    pub commit_lag_ms: i64,
    /// Shards that this node owns.
    pub shards: usize,
    /// Milliseconds until its leases end, unless it prolongs them before.
    pub lease_left_ms: i64,
}

/// Talks to the loop. Cheap to clone; every answer is given after the commit that it speaks of.
pub struct EngineHandle<S: Store> {
    pub(crate) shared: Arc<Shared<S>>,
    lanes: Lanes<S>,
}

impl<S: Store> Clone for EngineHandle<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), lanes: self.lanes.clone() }
    }
}

/// The loop is gone, or went away with the message.
const STOPPED: WriteError = WriteError::Unavailable { retry_after_ms: 1_000 };

impl<S: Store> EngineHandle<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, lanes: Lanes<S>) -> Self {
        Self { shared, lanes }
    }

    /// Queues a message, if there is room.
    fn send(&self, lane: Lane, item: Item<S::Tx>) -> Result<(), WriteError> {
        let bytes = item.bytes();
        self.shared.load.admit(bytes, self.shared.clock.now(), &self.shared.limits)?;
        let sender = match lane {
            Lane::Normal => &self.lanes.normal,
            Lane::Low => &self.lanes.low,
        };
        sender.send(item).map_err(|_| {
            self.shared.load.taken(bytes);
            STOPPED
        })
    }

    pub(crate) async fn ask<R>(&self, item: impl FnOnce(oneshot::Sender<Result<R, EngineError>>) -> Item<S::Tx>) -> Result<R, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(Lane::Normal, item(reply))?;
        // A message that was taken and never answered went down with the loop: its commit may have happened.
        answer.await.unwrap_or(Err(EngineError::OUTCOME_UNKNOWN))
    }

    /// Takes events in: stored, routed and answered after one commit.
    pub async fn ingest(&self, events: Vec<NewEvent>) -> Result<Vec<Ingested>, EngineError> {
        self.ingest_guarded(events, None).await
    }
    /// Takes events in, with work around it in the same transaction.
    pub async fn ingest_guarded(&self, events: Vec<NewEvent>, guard: Option<Guard<S::Tx>>) -> Result<Vec<Ingested>, EngineError> {
        events.iter().try_for_each(check_event)?;
        self.refuse_when_low()?;
        self.ask(|reply| Item::Ingest { events, addressee: None, guard, request: traces::request(), reply }).await
    }
    /// The trigger that listens at a path: the version and the trigger's place.
    pub fn webhook(&self, organisation: OrganisationId, path: &str) -> Option<(Arc<Current>, usize)> {
        self.shared.definitions.snapshot().webhook(organisation, path).cloned()
    }
    /// Takes in what was delivered at a path: besides what its type finds, it starts the trigger that listens there.
    pub async fn deliver(&self, path: &str, event: NewEvent) -> Result<Ingested, EngineError> {
        check_event(&event)?;
        self.refuse_when_low()?;
        let addressee = Some(Addressee::Webhook { path: path.to_owned() });
        let ingested = self.ask(|reply| Item::Ingest { events: vec![event], addressee, guard: None, request: traces::request(), reply }).await?;
        ingested.into_iter().next().ok_or_else(|| WriteError::Database("a delivery was stored and not answered".into()).into())
    }
    /// Fires due times of a schedule that are past, as they would have fired then: one that did fires no more.
    pub async fn backfill(&self, organisation: OrganisationId, workflow: &str, trigger: usize, due: &[Timestamp]) -> Result<Vec<Ingested>, EngineError> {
        if due.len() > limits::BACKFILL_TIMES {
            return Err(EngineError::TooMany(format!("a backfill has {} due times at the most; this one has {}", limits::BACKFILL_TIMES, due.len())));
        }
        let events = due.iter().map(|due| fired_event(organisation, workflow, trigger, *due, None)).collect();
        let addressee = Some(Addressee::Trigger { workflow: workflow.to_owned(), trigger });
        self.refuse_when_low()?;
        self.ask(|reply| Item::Ingest { events, addressee, guard: None, request: traces::request(), reply }).await
    }
    fn refuse_when_low(&self) -> Result<(), EngineError> {
        self.disk_low().map_or(Ok(()), |low| Err(WriteError::Unavailable { retry_after_ms: low.retry_after_ms() }.into()))
    }
    /// Starts a run by hand.
    pub async fn start_run(&self, request: StartRequest) -> Result<StartedRun, EngineError> {
        self.start_run_guarded(request, None).await
    }
    /// Starts a run by hand, with work around it in the same transaction.
    pub async fn start_run_guarded(&self, request: StartRequest, guard: Option<Guard<S::Tx>>) -> Result<StartedRun, EngineError> {
        self.refuse_when_low()?;
        self.ask(|reply| Item::Start { request, guard, reply }).await
    }
    /// Asks a run to end. Its status afterwards; it may still be settling.
    pub async fn cancel(&self, organisation: OrganisationId, run_id: RunId, by: &str, reason: Option<String>, force: bool) -> Result<RunStatus, EngineError> {
        self.control(organisation, run_id, Command::Cancel { by: by.to_owned(), reason, force }).await
    }
    /// The same, with work in its transaction. A run that has ended already is refused, and nothing is noted of it.
    pub async fn cancel_guarded(
        &self,
        organisation: OrganisationId,
        run_id: RunId,
        by: &str,
        reason: Option<String>,
        guard: Guard<S::Tx>,
    ) -> Result<RunStatus, EngineError> {
        let command = Command::Cancel { by: by.to_owned(), reason, force: false };
        self.ask(|reply| Item::Control { organisation, run_id, command, guard: Some(guard), reply }).await
    }
    /// Holds a run; what falls due meanwhile is applied at its resume.
    pub async fn pause(&self, organisation: OrganisationId, run_id: RunId, by: &str, reason: Option<String>) -> Result<RunStatus, EngineError> {
        self.control(organisation, run_id, Command::Pause { by: by.to_owned(), reason }).await
    }
    /// Lets a run go on.
    pub async fn resume(&self, organisation: OrganisationId, run_id: RunId, by: &str) -> Result<RunStatus, EngineError> {
        self.control(organisation, run_id, Command::Resume { by: by.to_owned() }).await
    }
    /// Answers the question that a step asks. The answer must fit its form; who may give it is the caller's to check.
    pub async fn answer(&self, organisation: OrganisationId, run_id: RunId, step: &str, answer: Value, by: &str) -> Result<RunStatus, EngineError> {
        self.control(organisation, run_id, Command::Answer { step: step.into(), answer, by: by.to_owned() }).await
    }
    /// Takes a run up again after it failed, with work around it in the same transaction.
    pub async fn repair(
        &self,
        organisation: OrganisationId,
        run_id: RunId,
        by: &str,
        repair: Repair,
        guard: Option<Guard<S::Tx>>,
    ) -> Result<MendedRun, EngineError> {
        self.mend(organisation, run_id, Mending::Repair { by: by.to_owned(), repair }, guard).await
    }
    /// Goes on with a copy of a run, under another id; on another version where that decides the same up to there.
    pub async fn fork(
        &self,
        organisation: OrganisationId,
        run_id: RunId,
        by: &str,
        asked: ForkRequest,
        guard: Option<Guard<S::Tx>>,
    ) -> Result<MendedRun, EngineError> {
        self.refuse_when_low()?;
        let ForkRequest { point, input, version } = asked;
        self.mend(organisation, run_id, Mending::Fork { by: by.to_owned(), point, input, version }, guard).await
    }
    /// Hands a run an event for one of its open waits, past `match` and `if`, or an answer to an open question.
    pub async fn signal(
        &self,
        organisation: OrganisationId,
        run_id: RunId,
        by: &str,
        signal: Signal,
        guard: Option<Guard<S::Tx>>,
    ) -> Result<MendedRun, EngineError> {
        self.mend(organisation, run_id, Mending::Signal { by: by.to_owned(), signal }, guard).await
    }
    async fn mend(&self, organisation: OrganisationId, run_id: RunId, mending: Mending, guard: Option<Guard<S::Tx>>) -> Result<MendedRun, EngineError> {
        self.ask(|reply| Item::Mend { organisation, run_id, mending, guard, reply }).await
    }
    async fn control(&self, organisation: OrganisationId, run_id: RunId, command: Command) -> Result<RunStatus, EngineError> {
        self.ask(|reply| Item::Control { organisation, run_id, command, guard: None, reply }).await
    }

    /// Makes an older version current (a rollback), or none: then the workflow takes no new starts.
    pub async fn set_current(&self, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), EngineError> {
        let workflow = workflow.to_owned();
        self.ask(|reply| Item::SetCurrent { organisation, workflow, version, reply }).await
    }

    /// Holds a workflow's new starts, or lets them go; its runs go on.
    pub async fn set_workflow_paused(&self, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<(), EngineError> {
        let workflow = workflow.to_owned();
        self.ask(|reply| Item::SetPaused { organisation, workflow, paused, reply }).await
    }

    /// Pauses what `pause` names, or lets it go on; whether that changed anything. What is paused is held, never skipped
    /// (SEMANTICS.md 29).
    pub async fn set_pause(&self, pause: Pause, on: bool) -> Result<bool, EngineError> {
        self.set_pause_guarded(pause, on, None).await
    }
    /// The same, with work in its transaction; `after` is done where it changes anything.
    pub async fn set_pause_guarded(&self, pause: Pause, on: bool, guard: Option<Guard<S::Tx>>) -> Result<bool, EngineError> {
        self.ask(|reply| Item::SetPause { pause, on, guard, reply }).await
    }

    /// The program of a version, compiled once.
    pub async fn definition(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Arc<Workflow>, EngineError> {
        if let Some(known) = self.shared.definitions.known(organisation, workflow, version) {
            return Ok(known);
        }
        let published = self.shared.store.version(organisation, workflow, version).await.map_err(|error| WriteError::Database(error.to_string()))?;
        let published = published.ok_or_else(|| EngineError::NotFound { what: format!("version {version} of workflow {workflow:?}") })?;
        self.shared.definitions.compiled(&published, &self.shared.nodes).map_err(EngineError::Conflict)
    }
    /// The version that takes new starts.
    pub fn current(&self, organisation: OrganisationId, workflow: &str) -> Option<Arc<Current>> {
        self.shared.definitions.snapshot().current(organisation, workflow).cloned()
    }
    /// All versions of an organisation that take new starts, by name.
    pub fn current_workflows(&self, organisation: OrganisationId) -> Vec<Arc<Current>> {
        self.shared.definitions.snapshot().all().filter(|current| current.organisation == organisation).cloned().collect()
    }
    /// Current versions that do not compile any more, for `doctor`.
    pub fn broken_versions(&self) -> Vec<BrokenVersion> {
        self.shared.definitions.broken()
    }
    /// Runs with their histories, for replay; missing ones are left out.
    pub async fn histories(&self, organisation: OrganisationId, runs: Vec<RunId>) -> Result<Vec<StoredRun>, EngineError> {
        self.ask(|reply| Item::Load { organisation, runs, reply }).await
    }

    /// What `do` steps can run.
    pub fn nodes(&self) -> &Registry<S::Tx> {
        &self.shared.nodes
    }
    /// The store, for reading.
    pub fn store(&self) -> &Arc<S> {
        &self.shared.store
    }
    /// Whose work this engine does.
    pub fn duty(&self) -> Duty {
        self.shared.duty
    }
    /// Which node this is.
    pub fn node_id(&self) -> NodeId {
        self.shared.node_id
    }
    /// Engine time.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
    /// Changes as they are committed. A watcher that falls behind is told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.watchers.watch()
    }
    /// Of these only what this node itself commits while other nodes live, for whoever hands it on to them.
    pub fn subscribe_to_own(&self) -> broadcast::Receiver<Change> {
        self.shared.watchers.watch_own()
    }
    /// Tells the watchers of this node what another one changed.
    pub fn tell_watchers(&self, change: Change) {
        self.shared.watchers.tell(change);
    }

    /// Whether requests are accepted: definitions are read and shards are taken; runs may still be recovering.
    pub fn is_ready(&self) -> bool {
        *self.shared.phase.borrow() == Phase::Ready && !self.shared.load.is_failing()
    }
    /// Why new work would be refused now: asked before a body is read (SEMANTICS.md 32).
    pub fn overloaded(&self) -> Option<Overload> {
        if !self.is_ready() {
            return Some(Overload::Busy { retry_after_ms: 1_000 });
        }
        match self.shared.load.admit(0, self.shared.clock.now(), &self.shared.limits) {
            Err(WriteError::Unavailable { retry_after_ms }) => Some(Overload::Busy { retry_after_ms }),
            _ => self.disk_low(),
        }
    }
    /// Whether too little of the disk is left to take new work in.
    pub fn disk_low(&self) -> Option<Overload> {
        let bytes_left = self.shared.disk.bytes_left()?;
        (bytes_left < limits::DISK_RESERVE_BYTES).then_some(Overload::DiskLow { bytes_left })
    }
    /// How the loop fares at this moment.
    pub fn vitals(&self) -> Vitals {
        let now = self.shared.clock.now();
        let (shards, until) = self.shared.load.lease();
        Vitals {
            accepting: self.overloaded().is_none(),
            commit_lag_ms: self.shared.load.lag_ms(now),
            shards,
            lease_left_ms: if shards == 0 { 0 } else { until.millis_since(now).max(0) },
        }
    }
    /// Waits until requests are accepted.
    pub async fn ready(&self) {
        let mut phase = self.shared.phase.subscribe();
        drop(phase.wait_for(|phase| *phase >= Phase::Ready).await);
    }
    /// Takes nothing in any more, lets calls in flight end, gives the shards back; completes when the loop has ended.
    pub async fn shutdown(&self) {
        self.shared.load.stop();
        self.shared.nudge.notify_one();
        let mut phase = self.shared.phase.subscribe();
        drop(phase.wait_for(|phase| *phase == Phase::Stopped).await);
    }
}

/// Whether an event can be stored at all.
fn check_event(event: &NewEvent) -> Result<(), EngineError> {
    let valid = !event.kind.is_empty() && event.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
    if !valid {
        return Err(EngineError::InvalidInput(format!("{:?} is no event type; use lower-case letters, digits, dots, dashes and underscores", event.kind)));
    }
    if event_bytes(event) > limits::EVENT_BYTES_MAX {
        return Err(EngineError::TooMany(format!("an event may have {} bytes; this one has more", limits::EVENT_BYTES_MAX)));
    }
    Ok(())
}

impl<S: Store> Writer<S::Tx> for EngineHandle<S> {
    fn submit(&self, lane: Lane, body: Body<S::Tx>) -> BoxFuture<'static, Result<(), WriteError>> {
        let (reply, answer) = oneshot::channel();
        let queued = self.send(lane, Item::Write { body, request: traces::request(), reply });
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or(Err(WriteError::OutcomeUnknown))
        })
    }
}
