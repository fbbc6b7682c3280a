//! What one play leaves: calls, events, refusals.

use super::{Answered, Refused, Watch};
use onward_core::{NewEvent, Timestamp, Value, machine::InFlight, ports::Outcome};
use serde::Serialize;
use std::sync::Arc;

/// A call that was made in a play.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Which run, from 1, in order of start.
    pub run: usize,
    /// When.
    pub at: Timestamp,
    /// The step's path.
    pub step: Arc<str>,
    /// The node.
    pub node: Arc<str>,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Constant over the attempts.
    pub idempotency_key: String,
    /// The rendered input.
    pub input: Arc<Value>,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// An event that a run put on the bus.
#[derive(Clone, Debug, Serialize)]
pub struct Emitted {
    /// Which run, from 1.
    pub run: usize,
    /// When.
    pub at: Option<Timestamp>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data.
    pub data: Value,
}

/// Keeps everything that happens.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Calls, in order.
    pub calls: Vec<Call>,
    /// Events put on the bus, in order.
    pub emitted: Vec<Emitted>,
    /// Starts that did not become runs.
    pub refused: Vec<Refused>,
}

impl Watch for Recorder {
    fn called(&mut self, run: usize, at: Timestamp, call: &InFlight, answered: &Answered) {
        self.calls.push(Call {
            run: run + 1,
            at,
            step: Arc::clone(&call.step),
            node: Arc::clone(&call.node),
            attempt: call.attempt,
            idempotency_key: call.idempotency_key(),
            input: Arc::clone(&call.input),
            outcome: answered.outcome.clone(),
        });
    }
    fn emitted(&mut self, run: usize, event: &NewEvent) {
        self.emitted.push(Emitted { run: run + 1, at: event.time, kind: event.kind.clone(), data: event.data.clone() });
    }
    fn refused(&mut self, _contact: u64, refused: &Refused) {
        self.refused.push(refused.clone());
    }
}
