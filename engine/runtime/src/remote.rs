//! Requests that the owner of another shard answers: they go through its inbox, and whoever asked is told once the owner's commit is
//! confirmed (SEMANTICS.md 1).

use crate::{
    EngineError, MendedRun, MigrationRequest, Signal, StartRequest, StartedRun,
    admission::ByHandStart,
    batch::Batch,
    engine::{Engine, Queued},
    message::{Answer, Command, Item, Mending},
    turn::guard_after,
};
use onward_core::{
    OrganisationId, RunId, Shard, Timestamp, Value,
    machine::{Point, Repair},
    ports::{InboxMessage, RunStatus, Store, StoreError, Transaction as _, WriteError},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

/// Milliseconds for which an owner's answer is waited for: longer than a take-over takes.
const PATIENCE_MS: i64 = 30_000;
/// Milliseconds for which answers are kept.
const KEPT_MS: i64 = 86_400_000;

/// What is asked of an owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Ask {
    Cancel { by: String, reason: Option<String>, force: bool },
    Pause { by: String, reason: Option<String> },
    Resume { by: String },
    Answer { step: String, answer: Value, by: String },
    Start { workflow: String, input: Value, key: Option<String>, run_id: RunId },
    Retry { by: String, input: Option<Value>, not_done: bool },
    Skip { by: String, output: Value },
    Fork { by: String, after: Option<u64>, before: Option<String>, input: Option<Value>, version: Option<u32> },
    Signal { by: String, name: Option<String>, step: Option<String>, data: Value },
    Migrate { request: MigrationRequest, runs: Vec<RunId> },
}

impl Ask {
    pub(crate) fn of_command(command: &Command) -> Self {
        match command.clone() {
            Command::Cancel { by, reason, force } => Self::Cancel { by, reason, force },
            Command::Pause { by, reason } => Self::Pause { by, reason },
            Command::Resume { by } => Self::Resume { by },
            Command::Answer { step, answer, by } => Self::Answer { step: step.to_string(), answer, by },
        }
    }
    pub(crate) fn of_mending(mending: &Mending) -> Self {
        match mending.clone() {
            Mending::Repair { by, repair: Repair::Retry { input, not_done } } => Self::Retry { by, input, not_done },
            Mending::Repair { by, repair: Repair::Skip { output } } => Self::Skip { by, output },
            Mending::Fork { by, point, input, version } => {
                let (after, before) = match point {
                    Point::Here => (None, None),
                    Point::After(seq) => (Some(seq), None),
                    Point::Before(step) => (None, Some(step)),
                };
                Self::Fork { by, after, before, input, version }
            }
            Mending::Signal { by, signal: Signal { name, step, data } } => Self::Signal { by, name, step, data },
        }
    }
    /// What a run is told, or how it is mended.
    fn into_work(self) -> Work {
        match self {
            Self::Cancel { by, reason, force } => Work::Command(Command::Cancel { by, reason, force }),
            Self::Pause { by, reason } => Work::Command(Command::Pause { by, reason }),
            Self::Resume { by } => Work::Command(Command::Resume { by }),
            Self::Answer { step, answer, by } => Work::Command(Command::Answer { step: step.into(), answer, by }),
            Self::Retry { by, input, not_done } => Work::Mending(Mending::Repair { by, repair: Repair::Retry { input, not_done } }),
            Self::Skip { by, output } => Work::Mending(Mending::Repair { by, repair: Repair::Skip { output } }),
            Self::Fork { by, after, before, input, version } => {
                let point = after.map(Point::After).or(before.map(Point::Before)).unwrap_or_default();
                Work::Mending(Mending::Fork { by, point, input, version })
            }
            Self::Signal { by, name, step, data } => Work::Mending(Mending::Signal { by, signal: Signal { name, step, data } }),
            Self::Start { workflow, input, key, run_id } => Work::Start { workflow, input, key, run_id },
            Self::Migrate { request, runs } => Work::Migrate(request, runs),
        }
    }
}

enum Work {
    Command(Command),
    Mending(Mending),
    Start { workflow: String, input: Value, key: Option<String>, run_id: RunId },
    Migrate(MigrationRequest, Vec<RunId>),
}

/// An answer on its way back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Done(Value),
    NotFound(String),
    InvalidInput(String),
    Conflict(String),
    TooMany(String),
    Failed(String),
}

impl Told {
    fn of<R: Serialize>(result: Result<R, EngineError>) -> Self {
        match result {
            Ok(done) => Self::Done(serde_json::to_value(done).unwrap_or_default()),
            Err(EngineError::NotFound { what }) => Self::NotFound(what),
            Err(EngineError::InvalidInput(reason)) => Self::InvalidInput(reason),
            Err(EngineError::Conflict(reason)) => Self::Conflict(reason),
            Err(EngineError::TooMany(reason)) => Self::TooMany(reason),
            Err(error @ (EngineError::Invalid { .. } | EngineError::Write(_))) => Self::Failed(error.to_string()),
        }
    }
    fn result<R: DeserializeOwned>(self) -> Result<R, EngineError> {
        match self {
            Self::Done(done) => {
                serde_json::from_value(done).map_err(|error| WriteError::Database(format!("another node's answer cannot be read: {error}")).into())
            }
            Self::NotFound(what) => Err(EngineError::NotFound { what }),
            Self::InvalidInput(reason) => Err(EngineError::InvalidInput(reason)),
            Self::Conflict(reason) => Err(EngineError::Conflict(reason)),
            Self::TooMany(reason) => Err(EngineError::TooMany(reason)),
            Self::Failed(reason) => Err(WriteError::Database(reason).into()),
        }
    }
}

/// A request that waits for its owner's answer.
pub(crate) struct Asked<S: Store> {
    pub(crate) item: Item<S::Tx>,
    since: Timestamp,
}

/// What this node asked others.
pub(crate) type Pending<S> = BTreeMap<Uuid, Asked<S>>;

impl<S: Store> Engine<S> {
    /// Asks the owner of a shard, in this transaction.
    pub(crate) async fn ask_owner(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        shard: Shard,
        run_id: RunId,
        ask: &Ask,
    ) -> Result<Answer, StoreError> {
        let request = tx.fresh_id();
        let ask = serde_json::to_value(ask).map_err(|error| StoreError::Failed(format!("a request to another node cannot be written: {error}")))?;
        let message = InboxMessage::Request { request, ask };
        self.address(tx, batch, organisation, shard, Some(run_id), &request.to_string(), &message).await?;
        Ok(Answer::Asked(request))
    }

    /// A message that was passed on waits for its answer.
    pub(crate) fn await_reply(&mut self, request: Uuid, item: Item<S::Tx>) {
        self.asked.insert(request, Asked { item, since: self.shared.time.own() });
    }

    /// Looks for answers, when any are waited for; whoever has waited for too long is told that nobody knows.
    pub(crate) fn look_for_replies(&mut self) {
        let before = self.shared.time.own().plus_millis(-PATIENCE_MS);
        let late: Vec<Uuid> = self.asked.iter().filter(|(_, asked)| asked.since < before).map(|(request, _)| *request).collect();
        for request in late {
            if let Some(asked) = self.asked.remove(&request) {
                asked.item.refuse(WriteError::OutcomeUnknown);
            }
        }
        if !self.asked.is_empty() && !self.own.iter().any(|queued| matches!(queued.item, Item::Replies)) {
            self.own.push_back(Queued { item: Item::Replies, failures: 0 });
        }
    }

    /// Takes the answers that are there; what belongs around the effect is done in this transaction.
    pub(crate) async fn take_replies(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let asked: Vec<Uuid> = self.asked.keys().copied().collect();
        for (request, told) in store.replies(tx, &asked).await? {
            let Some(asked) = self.asked.get_mut(&request) else { continue };
            let told: Told = serde_json::from_value(told).unwrap_or_else(|error| Told::Failed(format!("another node's answer cannot be read: {error}")));
            let answer = match &mut asked.item {
                Item::Control { guard, .. } => {
                    let status = told.result::<RunStatus>();
                    if let Ok(status) = &status {
                        guard_after(tx, guard.as_mut(), status).await?;
                    }
                    Answer::Control(status)
                }
                Item::Mend { guard, .. } => {
                    let mended = told.result::<MendedRun>();
                    if let Ok(mended) = &mended {
                        guard_after(tx, guard.as_mut(), mended).await?;
                    }
                    Answer::Mend(mended)
                }
                Item::Start { guard, .. } => {
                    let started = told.result::<StartedRun>();
                    if let Ok(started) = &started {
                        guard_after(tx, guard.as_mut(), started).await?;
                    }
                    Answer::Start(started)
                }
                Item::MigrateOf { guard, .. } => {
                    let moved = told.result::<u64>();
                    if let Ok(moved @ 1..) = &moved {
                        guard_after(tx, guard.as_mut(), moved).await?;
                    }
                    Answer::MigrateOf(moved)
                }
                _ => continue,
            };
            batch.replied.push((request, answer));
        }
        Ok(())
    }

    /// Does what another node asks for. It is answered once all that follows from it within this transaction is done.
    pub(crate) async fn answer_request(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        request: Uuid,
        ask: Value,
    ) -> Result<(), StoreError> {
        let ask: Ask = match serde_json::from_value(ask) {
            Ok(ask) => ask,
            Err(error) => {
                let told = Told::Failed(format!("the request cannot be read by this version: {error}"));
                return self.tell(tx, batch, request, told).await;
            }
        };
        let answer = match ask.into_work() {
            Work::Command(command) => {
                if matches!(command, Command::Resume { .. }) {
                    batch.resumed.insert(run_id);
                }
                self.load(tx, batch, &[run_id]).await?;
                Answer::Control(match self.control_held(tx, batch, organisation, run_id, &command).await? {
                    Some(answer) => answer,
                    None => self.control(batch, organisation, run_id, &command),
                })
            }
            Work::Mending(mending) => {
                self.load(tx, batch, &[run_id]).await?;
                Answer::Mend(self.mend(tx, batch, organisation, run_id, &mending).await?)
            }
            // The request says whose; whoever may write into an inbox has said so of this one.
            Work::Migrate(request, runs) => Answer::MigrateOf(self.plan_and_migrate(tx, batch, &MigrationRequest { organisation, ..request }, &runs).await?),
            Work::Start { workflow, input, key, run_id } => {
                let asked = StartRequest { organisation, workflow, input, key };
                match self.start_by_hand(tx, batch, &asked, Some(run_id)).await? {
                    ByHandStart::Answered(result) => Answer::Start(result),
                    // Its key is another one here: what it is made of changed meanwhile.
                    ByHandStart::Elsewhere { .. } => Answer::Start(Err(EngineError::Conflict("the run's key changed while it was started; try again".into()))),
                }
            }
        };
        batch.requests.push((request, run_id, answer));
        Ok(())
    }

    /// Answers the requests of other nodes, as everything stands now.
    pub(crate) async fn tell_requests(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        for (request, run_id, answer) in std::mem::take(&mut batch.requests) {
            let status = |run_id: RunId| self.runs.get(run_id).filter(|live| live.state.seq > 0).map(|live| live.state.status);
            let told = match answer {
                Answer::Control(result) => Told::of(result.map(|before| status(run_id).unwrap_or(before))),
                Answer::Mend(result) => Told::of(result.map(|mended| MendedRun { status: status(mended.run_id).unwrap_or(mended.status), ..mended })),
                Answer::Start(result) => Told::of(result),
                Answer::MigrateOf(result) => Told::of(result),
                _ => continue,
            };
            self.tell(tx, batch, request, told).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, request: Uuid, told: Told) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let told = serde_json::to_value(told).unwrap_or_default();
        store.keep_reply(tx, request, &told).await?;
        batch.replies_given += 1;
        // Whoever gives answers sweeps up old ones, now and then.
        self.replies_given = self.replies_given.wrapping_add(1);
        if self.replies_given.is_multiple_of(256) {
            store.forget_replies(tx, batch.now.plus_millis(-KEPT_MS)).await?;
        }
        Ok(())
    }
}
