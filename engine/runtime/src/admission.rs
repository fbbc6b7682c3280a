//! Letting starts in: what wants to start, and the run that it becomes.

use crate::{
    EngineError, StartRequest, StartedRun, batch::Batch, definitions::Current, engine::Engine, gates::Passage, intake::manual_envelope, live::Live,
    rollout::ByHand,
};
use onward_core::{
    Event, EventId, OrganisationId, RunId, Shard, Timestamp, Value, digest,
    history::Parent,
    limits,
    machine::{self, Admission, Gates, Happening, Start, State},
    ports::{RoutingNote, Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};

/// Where a start comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// An event that a trigger let in.
    Event { trigger: usize, event: Arc<Event> },
    /// A person or a program.
    Hand,
    /// A step of another run, with the id that the run gets.
    Run { run_id: RunId, parent: Parent },
}

/// A start that wants to be let in: a new one, or one that was held.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) current: Arc<Current>,
    pub(crate) origin: Origin,
    pub(crate) input: Value,
    /// The run's id where the workflow has no key.
    pub(crate) key: String,
    pub(crate) reads: BTreeMap<String, Value>,
    pub(crate) gates: Gates,
    pub(crate) depth: u16,
    pub(crate) run_id: RunId,
    /// Its number among the held starts; `None`: it was never held.
    pub(crate) held: Option<i64>,
    /// When it was first held, or now.
    pub(crate) since: Timestamp,
}

impl Candidate {
    pub(crate) fn organisation(&self) -> OrganisationId {
        self.current.organisation
    }
    pub(crate) fn workflow(&self) -> &str {
        &self.current.workflow.name
    }
    pub(crate) fn event_id(&self) -> Option<EventId> {
        match &self.origin {
            Origin::Event { event, .. } => Some(event.event_id),
            Origin::Hand | Origin::Run { .. } => None,
        }
    }
    /// What expressions see as `event`.
    pub(crate) fn envelope(&self, now: Timestamp) -> Value {
        match &self.origin {
            Origin::Event { event, .. } => event.envelope(),
            Origin::Hand | Origin::Run { .. } => manual_envelope(self.run_id, now, &self.input),
        }
    }
    pub(crate) fn trigger(&self) -> Option<usize> {
        match &self.origin {
            Origin::Event { trigger, .. } => Some(*trigger),
            Origin::Hand | Origin::Run { .. } => None,
        }
    }
    /// The step that waits for the run's end.
    pub(crate) fn parent(&self) -> Option<Parent> {
        match &self.origin {
            Origin::Run { parent, .. } => Some(parent.clone()),
            Origin::Event { .. } | Origin::Hand => None,
        }
    }
}

/// What a trigger, or a start by hand, asks for.
pub(crate) struct Request {
    pub(crate) current: Arc<Current>,
    pub(crate) origin: Origin,
    pub(crate) input: Value,
    pub(crate) key: Option<String>,
    pub(crate) reads: BTreeMap<String, Value>,
    pub(crate) gates: Gates,
    pub(crate) depth: u16,
    /// The run that it will be, where that was said.
    pub(crate) run_id: Option<RunId>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Started(RunId),
    Held {
        run_id: RunId,
        reason: String,
    },
    Refused(String),
    /// So many are held that this one is not even that.
    TooMany(String),
    /// The owner of its shard says what becomes of it.
    Elsewhere(RunId),
}

/// What becomes of a start by hand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ByHandStart {
    /// The run, or why there is none.
    Answered(Result<StartedRun, EngineError>),
    /// The owner of this shard must let it in; the run gets this id.
    Elsewhere { shard: Shard, run_id: RunId },
}

impl Verdict {
    /// The run that was started, or will be.
    pub(crate) fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Started(run_id) | Self::Held { run_id, .. } | Self::Elsewhere(run_id) => Some(*run_id),
            Self::Refused(_) | Self::TooMany(_) => None,
        }
    }
}

impl<S: Store> Engine<S> {
    /// Lets a start in, holds it, or refuses it; an event shows which.
    pub(crate) async fn request_start(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, request: Request) -> Result<Verdict, StoreError> {
        let (organisation, workflow) = (request.current.organisation, request.current.workflow.name.as_str());
        let bounded = request.key.as_deref().map(bounded_key);
        let known = request.run_id.or(match &request.origin {
            Origin::Run { run_id, .. } => Some(*run_id),
            Origin::Event { .. } | Origin::Hand => None,
        });
        let bursts = self.is_in_company() && request.current.workflow.limits.debounce.is_some() && matches!(request.origin, Origin::Event { .. });
        let (run_id, shard) = self.place_start(tx, (organisation, workflow, bounded.as_deref()), known, bursts);
        let key = bounded.unwrap_or_else(|| run_id.to_string());
        let Request { current, origin, input, reads, gates, depth, .. } = request;
        let candidate = Candidate { current, origin, input, key, reads, gates, depth, run_id, held: None, since: batch.now };
        let (organisation, workflow, key) = (candidate.organisation(), candidate.workflow().to_owned(), candidate.key.clone());
        let event_id = candidate.event_id();
        if !self.leases.own(shard) && self.is_in_company() {
            self.announce_start(tx, batch, candidate, shard).await?;
            let reason = "it is on its way to the node that owns its shard".to_owned();
            batch.notes.extend(event_id.map(|event_id| (organisation, event_id, RoutingNote::Held { workflow, key, reason })));
            return Ok(Verdict::Elsewhere(run_id));
        }
        let (verdict, note) = match self.pass(tx, batch, &candidate).await? {
            Passage::Start => {
                self.begin_run(batch, candidate);
                (Verdict::Started(run_id), RoutingNote::Started { run_id, workflow })
            }
            Passage::Refuse(reason) => (Verdict::Refused(reason.clone()), RoutingNote::Suppressed { workflow, key, reason }),
            Passage::Wait(wait) => {
                if let Some(reason) = self.too_many_held(tx, batch, organisation, &workflow, &key).await?
                    && event_id.is_none()
                {
                    return Ok(Verdict::TooMany(reason));
                }
                let reason = wait.reason.clone();
                let run_id = self.hold(tx, batch, candidate, wait).await?;
                (Verdict::Held { run_id, reason: reason.clone() }, RoutingNote::Held { workflow, key, reason })
            }
        };
        batch.notes.extend(event_id.map(|event_id| (organisation, event_id, note)));
        Ok(verdict)
    }

    /// A start by hand: its input is checked, and the answer says what became of it. The outer error: another node must let it in.
    pub(crate) async fn start_by_hand(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        asked: &StartRequest,
        run_id: Option<RunId>,
    ) -> Result<ByHandStart, StoreError> {
        let refused = |why: EngineError| Ok(ByHandStart::Answered(Err(why)));
        let start = ByHand { input: &asked.input, key: asked.key.as_deref(), run_id };
        let Some((current, admission)) = self.admit_input(tx, batch, asked.organisation, &asked.workflow, start).await? else {
            return refused(EngineError::NotFound { what: format!("a published version of workflow {:?}", asked.workflow) });
        };
        let (input, key, reads, gates) = match admission {
            Admission::Yes { input, key, reads, gates } => (input, key, reads, gates),
            Admission::Error(message) => return refused(EngineError::InvalidInput(message)),
            Admission::No | Admission::Need(_) => {
                return refused(EngineError::InvalidInput(format!("workflow {:?} does not start with this input", asked.workflow)));
            }
        };
        let key = asked.key.clone().or(key);
        if key.as_deref() == Some("") {
            return refused(EngineError::InvalidInput("the key is empty; leave it out, or name what the run is about".into()));
        }
        let bounded = key.as_deref().map(bounded_key);
        let run_id = if self.is_in_company() {
            let (run_id, shard) = self.place_start(tx, (asked.organisation, &asked.workflow, bounded.as_deref()), run_id, false);
            if !self.leases.own(shard) {
                return Ok(ByHandStart::Elsewhere { shard, run_id });
            }
            Some(run_id)
        } else {
            run_id
        };
        let gates =
            if asked.key.is_some() { self.gates_again(tx, batch, &current, &Origin::Hand, &input, key.as_deref()).await?.unwrap_or(gates) } else { gates };
        let request = Request { current, origin: Origin::Hand, input, key, reads, gates, depth: 0, run_id };
        Ok(ByHandStart::Answered(match self.request_start(tx, batch, request).await? {
            Verdict::Started(run_id) | Verdict::Elsewhere(run_id) => Ok(StartedRun { run_id, held: None }),
            Verdict::Held { run_id, reason } => Ok(StartedRun { run_id, held: Some(reason) }),
            Verdict::Refused(reason) => Err(EngineError::Conflict(format!("the start was refused: {reason}"))),
            Verdict::TooMany(reason) => Err(EngineError::TooMany(reason)),
        }))
    }

    /// What the limits of this version ask of a start that was admitted before. The inner error says why that cannot be told.
    pub(crate) async fn gates_again(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        current: &Current,
        origin: &Origin,
        input: &Value,
        key: Option<&str>,
    ) -> Result<Result<Gates, String>, StoreError> {
        let workflow = &current.workflow;
        if workflow.limits.concurrency.is_none() && workflow.limits.rate.is_none() && workflow.priority.is_none() {
            return Ok(Ok(Gates::OPEN));
        }
        let envelope = match origin {
            Origin::Event { event, .. } => event.envelope(),
            Origin::Hand | Origin::Run { .. } => manual_envelope(RunId(uuid::Uuid::nil()), batch.now, input),
        };
        let admission = self.admit(tx, batch, current.organisation, |asked| machine::gates_of(workflow, &envelope, input, key, asked)).await?;
        Ok(match admission {
            Admission::Yes { gates, .. } => Ok(gates),
            Admission::Error(message) => Err(message),
            Admission::No | Admission::Need(_) => Err("its limits cannot be told".into()),
        })
    }

    /// Puts a new run into memory and hands it its start.
    pub(crate) fn begin_run(&mut self, batch: &mut Batch<S::Tx>, candidate: Candidate) {
        let organisation = candidate.organisation();
        let event_id = candidate.event_id();
        let trigger = candidate.trigger();
        let event = candidate.envelope(batch.now);
        let parent = candidate.parent();
        let Candidate { current, input, key, reads, depth, run_id, held, .. } = candidate;
        let workflow = Arc::clone(&current.workflow);
        let shard = Shard::of(organisation, &workflow.name, &key);
        // One that was held may have been given a permit by an earlier version.
        let may_hold_permit = held.is_some() || workflow.limits.concurrency.is_some();
        batch.key_change(organisation, &workflow.name, &key).started.push(run_id);
        batch.touched.insert(run_id);
        let start = Start { version: current.version, key, trigger, input, event, event_id, seed: self.shared.ids.seed(), depth, parent, reads };
        batch.tally.started += 1;
        self.runs.insert(Live::new(organisation, shard, workflow, State::new(run_id), 0).that_may_hold_permit(may_hold_permit));
        batch.happen(run_id, Happening::Started(start));
    }
}

/// A key as it is stored: a long one is replaced by its hash (SEMANTICS.md 18).
pub(crate) fn bounded_key(key: &str) -> String {
    if key.len() > limits::KEY_BYTES { format!("sha256:{}", digest::hex(key.as_bytes())) } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_hashed() {
        assert_eq!(bounded_key("+919812345678"), "+919812345678");
        let long = bounded_key(&"k".repeat(limits::KEY_BYTES + 1));
        assert!(long.starts_with("sha256:") && long.len() < limits::KEY_BYTES);
    }
}
