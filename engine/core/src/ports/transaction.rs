//! The transaction that record functions take.

use crate::{NewEvent, OrganisationId, RunId, Timestamp, Value};
use serde::Serialize;
use std::{borrow::Cow, sync::Arc};

/// Something that changed, for those who watch (`/ws`). Sent after the commit, never before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Whose.
    #[serde(skip)]
    pub organisation: OrganisationId,
    /// `run`, `contact`, `message`, `conversation`, `event` ….
    pub topic: Cow<'static, str>,
    /// The record's id.
    pub id: String,
    /// What a screen needs to update without asking again; small.
    pub data: Value,
}

impl Change {
    /// The topic under which a watcher is told that it missed some changes, of whatever organisation: it looks at everything again.
    pub const RESYNC: &str = "resync";

    /// Some changes were missed.
    pub fn resync() -> Self {
        Self { organisation: OrganisationId(uuid::Uuid::nil()), topic: Self::RESYNC.into(), id: String::new(), data: Value::Null }
    }
}

/// What a transaction has to say to the outside once it is committed, and to the engine before that.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Events to be stored and routed within this transaction.
    pub events: Vec<NewEvent>,
    /// Changes to be announced after the commit.
    pub changes: Vec<Change>,
    /// Steps that are to look again at what they are held for, within this transaction.
    pub wakes: Vec<Wake>,
    /// Answers to questions that runs ask, to be given within this transaction.
    pub answers: Vec<GivenAnswer>,
    /// Organisations whose settings were changed: what nodes keep of those in memory is old with the commit.
    pub settings_changed: Vec<OrganisationId>,
}

/// A step that may go on. One too many is harmless: the step looks, and is held again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Its run.
    pub run_id: RunId,
    /// Its path.
    pub step: Arc<str>,
}

/// An answer to a question of a run. Whoever gives it has checked that it fits; where the question is not open any more, or the
/// run is paused, it changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenAnswer {
    /// The run.
    pub run_id: RunId,
    /// The step that asks.
    pub step: Arc<str>,
    /// What fits the question's form.
    pub answer: Value,
    /// Who gives it.
    pub by: String,
}

/// A write transaction, as every room sees it. SQL itself is the adapter's own (`onward_database::Tx`).
pub trait Transaction: Send + 'static {
    /// Engine time of this transaction; the same throughout one body.
    fn now(&self) -> Timestamp;
    /// Its turn to write came only now: what had to wait for other writers is of this moment, and not of the one at which it began
    /// to wait.
    fn has_its_turn_at(&mut self, now: Timestamp);
    /// A new id; never make one elsewhere.
    fn fresh_id(&mut self) -> uuid::Uuid;
    /// What was emitted and announced so far and not yet taken.
    fn outbox(&mut self) -> &mut Outbox;
    /// Stores and routes an event in this very transaction (SEMANTICS.md 7).
    fn emit(&mut self, event: NewEvent) {
        self.outbox().events.push(event);
    }
    /// Lets a held step look again.
    fn wake(&mut self, run_id: RunId, step: impl Into<Arc<str>>) {
        let step = step.into();
        self.outbox().wakes.push(Wake { run_id, step });
    }
    /// Answers a question of a run in this very transaction.
    fn answer(&mut self, answer: GivenAnswer) {
        self.outbox().answers.push(answer);
    }
    /// Tells those who watch, after the commit.
    fn announce(&mut self, change: Change) {
        self.outbox().changes.push(change);
    }
}
