//! Nodes: what a `do` step runs. A node's effect is its type (DESIGN.md, "A node's effect is its type").

use super::{Credentials, Transaction};
use crate::{ErrorCode, EventId, OrganisationId, RunId, StepError, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a node's work does to the world; decides how often it may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Computes; evaluated inline and recorded with the next durable commit.
    Pure,
    /// Writes through the transaction that records the step: exactly once.
    Transactional,
    /// Calls the outside with a constant idempotency key: at least once.
    External,
    /// Calls the outside where nobody deduplicates: never twice.
    AtMostOnce,
}

impl Effect {
    /// Whether it reaches beyond our own database.
    pub fn is_outside(self) -> bool {
        matches!(self, Self::External | Self::AtMostOnce)
    }
}

/// What people and programs must know of a node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeDescriptor {
    /// `crm.contact.upsert`.
    pub id: String,
    /// For people.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// The palette's group: `CRM`, `Messaging`, `Engine` ….
    pub category: String,
    /// What its work does to the world.
    pub effect: Effect,
    /// JSON Schema 2020-12 of the input; `additionalProperties: false` unless it really is open.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// An input that works.
    pub example: Value,
    /// An output as it may look; stands in for the node in simulations without a mock.
    pub example_output: Value,
    /// Hints for the form: order, widgets.
    pub ui: Value,
    /// The connector it belongs to.
    pub connector: Option<String>,
    /// Input and output hold personal data: they lie apart from the history's entries (SEMANTICS.md 17).
    pub personal: bool,
    /// Returns an object with an `id` that becomes the run's record of this name (`contact` …) if it has none
    /// (SEMANTICS.md 36).
    pub binds: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done {
        /// The step's output.
        output: Value,
    },
    /// Try again, not before `after_ms` from now when the other side said so; then no attempt is spent.
    Retry {
        /// `Retry-After`, in milliseconds.
        after_ms: Option<i64>,
        /// Why.
        error: StepError,
    },
    /// Not now; no attempt is spent.
    Hold {
        /// Until when; `None`: until something changes.
        until: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// It failed. `Retry-able` codes are tried again by the step's policy.
    Failed {
        /// Why.
        error: StepError,
    },
    /// Nobody can know whether it happened: becomes `outcome_unknown` for at-most-once nodes, a retry with the same key
    /// for external ones.
    Unknown {
        /// What is known.
        error: StepError,
    },
}

impl Outcome {
    /// Done with this output.
    pub fn done(output: Value) -> Self {
        Self::Done { output }
    }
    /// One word for it, for logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Retry { .. } => "retry",
            Self::Hold { .. } => "hold",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
    /// Failed with this code.
    pub fn failed(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Failed { error: StepError::new(code, message) }
    }
}

impl From<StepError> for Outcome {
    fn from(error: StepError) -> Self {
        Self::Failed { error }
    }
}

/// What asking the other side about an unknown outcome gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Reconciled {
    /// It happened; this is its reply.
    Done(Outcome),
    /// It did not: it may be called.
    NotDone,
    /// Still unknown.
    Unknown,
}

/// What a node may know of the step it works for.
#[derive(Clone)]
pub struct StepContext {
    /// Whose run.
    pub organisation: OrganisationId,
    /// The run.
    pub run_id: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The step's path.
    pub step: Arc<str>,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Constant over all attempts of a generation (SEMANTICS.md 15); 32 hex digits.
    pub idempotency_key: String,
    /// The event that started the run.
    pub event_id: Option<EventId>,
    /// Engine time when the attempt started.
    pub now: Timestamp,
    /// The run's contact, when it has one.
    pub contact: Option<String>,
    /// The run's company, when it has one.
    pub company: Option<String>,
    /// The run's deal, when it has one.
    pub deal: Option<String>,
    /// The run's conversation, when it has one.
    pub conversation: Option<String>,
    /// How many causes led here; what the node emits is one deeper.
    pub depth: u16,
    /// Connections and their secrets.
    pub credentials: Arc<dyn Credentials>,
}

/// A node. `T` is the store's transaction. Only the methods of its effect are called; the others keep their default,
/// which fails with `internal`.
#[crate::async_trait]
pub trait Node<T: Transaction>: Send + Sync {
    /// What people and programs must know of it.
    fn descriptor(&self) -> &NodeDescriptor;

    /// `pure`: computes.
    fn eval(&self, _input: &Value) -> Outcome {
        missing(self.descriptor(), "eval")
    }

    /// `transactional`: works through the transaction that records the step. Re-runnable, SQL only, small
    /// (SEMANTICS.md 7). On anything but `Done` its writes are rolled back.
    async fn apply(&self, _tx: &mut T, _ctx: &StepContext, _input: &Value) -> Outcome {
        missing(self.descriptor(), "apply")
    }

    /// Whether [`Node::prepare`] is to be called, and [`Node::finish`] with every end.
    fn prepares(&self) -> bool {
        false
    }

    /// `external`, `at_most_once`: committed with `step_scheduled`, before the call. `Done` carries what `call` gets; any
    /// other outcome ends the attempt without a call. `Hold` keeps what was written (a held message stays visible, and the
    /// next attempt finds it); on any other outcome but `Done` the writes are rolled back.
    async fn prepare(&self, _tx: &mut T, _ctx: &StepContext, input: &Value) -> Outcome {
        Outcome::done(input.clone())
    }

    /// `external`, `at_most_once`: the effect itself, without a transaction. Gets the input, or what `prepare` made of it.
    async fn call(&self, _ctx: &StepContext, _prepared: &Value) -> Outcome {
        missing(self.descriptor(), "call")
    }

    /// Committed with the step's end; sees every outcome of `call`, `Unknown` included, and may change it (a status that
    /// overtook the answer turns `Unknown` into `Done`).
    async fn finish(&self, _tx: &mut T, _ctx: &StepContext, _prepared: &Value, reply: Outcome) -> Outcome {
        reply
    }

    /// Whether [`Node::reconcile`] can tell what became of a call.
    fn reconciles(&self) -> bool {
        false
    }

    /// After a crash: asks the other side whether the call happened.
    async fn reconcile(&self, _ctx: &StepContext, _prepared: &Value) -> Reconciled {
        Reconciled::Unknown
    }

    /// For simulation: what it would give, without any effect.
    fn preview(&self, _input: &Value) -> Value {
        self.descriptor().example_output.clone()
    }
}

fn missing(descriptor: &NodeDescriptor, method: &str) -> Outcome {
    Outcome::failed(ErrorCode::Internal, format!("node {} has effect {:?} but no `{method}`; report this as a bug", descriptor.id, descriptor.effect))
}
