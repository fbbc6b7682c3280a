//! The machine, driven by hand: rows of happenings and what must come of them.

#![expect(clippy::needless_pass_by_value, reason = "rows of literals read best by value")]

mod admits;
mod ends;
mod goals;
mod groups;
mod migrates;
mod properties;
mod reopens;
mod replays;
mod steps;
mod waits;

use super::*;
use crate::{
    Event, EventId, NewEvent, OrganisationId, RunId, StepError, Timestamp, Value,
    definition::{Catalogue, Workflow, compile},
    history::{Entry, StepPath},
    ports::{
        Effect, Interrupted, NodeDescriptor, Origin, Outcome, RunStatus, ScriptBudget, ScriptProblem, ScriptProgram, ScriptReference, ScriptStep, Scripts,
    },
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Three nodes: an external one, a transactional one that binds the contact, an at-most-once one.
pub(super) struct Nodes(Vec<NodeDescriptor>);

impl Default for Nodes {
    fn default() -> Self {
        let node = |id: &str, effect, binds: Option<&str>| NodeDescriptor {
            id: id.into(),
            title: id.into(),
            description: id.into(),
            category: "Test".into(),
            effect,
            input: json!({ "type": "object" }),
            output: json!({}),
            example: json!({}),
            example_output: json!({ "example": true }),
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: binds.map(str::to_owned),
        };
        Self(vec![
            node("test.call", Effect::External, None),
            node("test.contact", Effect::Transactional, Some("contact")),
            node("test.send", Effect::AtMostOnce, None),
        ])
    }
}

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        self.0.iter().find(|node| node.id == id)
    }
    fn node_ids(&self) -> Vec<&str> {
        self.0.iter().map(|node| node.id.as_str()).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        vec!["message.received", "contact.unsubscribed", "start"]
    }
    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(&Echo)
    }
}

/// Scripts that give their own text, but for `fail`.
#[derive(Debug)]
struct Echo;

#[derive(Debug)]
struct EchoStep(String);

impl Scripts for Echo {
    fn compile_step(&self, source: &str, _: Origin, _: &[&str]) -> Result<Arc<dyn ScriptStep>, Vec<ScriptProblem>> {
        Ok(Arc::new(EchoStep(source.to_owned())))
    }
    fn compile_program(&self, _: &str) -> Result<Arc<dyn ScriptProgram>, Vec<ScriptProblem>> {
        Err(Vec::new())
    }
}

impl ScriptStep for EchoStep {
    fn references(&self) -> &[ScriptReference] {
        &[]
    }
    fn evaluate(&self, scope: &crate::expression::Scope, _: &ScriptBudget) -> Result<Result<Value, StepError>, Interrupted> {
        let fails = self.0 == "fail";
        Ok(if fails { Err(StepError::new(crate::ErrorCode::InvalidInput, "line 1")) } else { Ok(json!({ "text": self.0, "input": *scope.input })) })
    }
}

pub(super) fn workflow(source: &str) -> Workflow {
    let compiled = compile(source, &Nodes::default());
    compiled.workflow.unwrap_or_else(|| panic!("{:#?}", compiled.problems))
}

pub(super) fn organisation() -> OrganisationId {
    OrganisationId(uuid::Uuid::from_u128(1))
}

pub(super) const START: i64 = 1_800_000_000_000;

/// A run driven by hand.
pub(super) struct Play {
    pub(super) workflow: Workflow,
    /// The files of the versions that it was on, by number.
    versions: BTreeMap<u32, Arc<Workflow>>,
    pub(super) state: State,
    pub(super) history: Vec<Entry>,
    pub(super) actions: Vec<Action>,
    pub(super) now: i64,
    pub(super) records: BTreeMap<String, Value>,
    pub(super) stored_variant: Option<String>,
    /// The run's states as they were committed, by their last entry.
    states: BTreeMap<u64, State>,
    events: u128,
}

impl Play {
    pub(super) fn new(source: &str) -> Self {
        Self {
            workflow: workflow(source),
            versions: BTreeMap::from([(1, Arc::new(workflow(source)))]),
            state: State::new(RunId(uuid::Uuid::from_u128(42))),
            history: Vec::new(),
            actions: Vec::new(),
            now: START,
            records: BTreeMap::new(),
            stored_variant: None,
            states: BTreeMap::new(),
            events: 100,
        }
    }

    /// Started by an event of type `start` with this data.
    pub(super) fn started(source: &str, data: Value) -> Self {
        let mut play = Self::new(source);
        play.start(json!({ "type": "start", "data": data }));
        play
    }

    pub(super) fn start(&mut self, event: Value) {
        let start = Start {
            version: 1,
            key: "k".into(),
            trigger: Some(0),
            input: event["data"].clone(),
            event,
            event_id: Some(EventId(uuid::Uuid::from_u128(99))),
            seed: 5,
            depth: 0,
            parent: None,
            reads: BTreeMap::new(),
        };
        self.happen(Happening::Started(start));
    }

    /// Hands a happening in, meets needs, gathers what came of it. Returns the kinds of the new entries.
    pub(super) fn happen(&mut self, happening: Happening) -> Vec<&'static str> {
        let mut known = Known::default();
        let mut happening = happening;
        let before = self.history.len();
        loop {
            let context = Context { organisation: organisation(), now: Timestamp::from_millis(self.now), known: &known, timezone: "UTC" };
            let decision = decide(&self.workflow, &mut self.state, happening, &context);
            self.history.extend(decision.entries);
            self.actions.extend(decision.actions);
            match decision.need {
                None => break,
                Some(Need::Records(asked)) => {
                    for record in asked {
                        let value = self.records.get(&record.name).cloned().unwrap_or_default();
                        known.records.insert(record.name, value);
                    }
                }
                Some(Need::Variant { step, proposal, .. }) => {
                    let stored = self.stored_variant.clone();
                    let sticky = stored.is_some();
                    known.variants.insert(step, (stored.unwrap_or(proposal), sticky));
                }
            }
            happening = Happening::Continue;
        }
        self.states.insert(self.state.seq, self.state.clone());
        self.history[before..].iter().map(|entry| entry.fact.kind()).collect()
    }

    /// Moves the run to this file, as the version that the state is of.
    pub(super) fn moves(&mut self, source: &str, how: Moved, state: State) -> Vec<&'static str> {
        self.workflow = workflow(source);
        self.versions.insert(state.version, Arc::new(workflow(source)));
        self.happen(Happening::Migrate(Box::new(Migration { version: state.version, how, by: "admin".into(), state })))
    }
    pub(super) fn ends(&mut self, outcome: Outcome) -> Vec<&'static str> {
        let call = self.state.in_flight().pop().expect("a call in flight");
        self.happen(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome })
    }
    pub(super) fn done(&mut self, output: Value) -> Vec<&'static str> {
        self.ends(Outcome::done(output))
    }
    pub(super) fn fails(&mut self, code: &str) -> Vec<&'static str> {
        self.ends(Outcome::Failed { error: StepError::new(crate::ErrorCode::parse(code), "it failed") })
    }
    pub(super) fn due(&mut self, key: &str) -> Vec<&'static str> {
        self.happen(Happening::Due { key: key.into() })
    }
    pub(super) fn after(&mut self, millis: i64) -> &mut Self {
        self.now += millis;
        self
    }
    pub(super) fn new_event(&mut self, kind: &str, data: Value) -> Arc<Event> {
        self.events += 1;
        Arc::new(Event {
            event_id: EventId(uuid::Uuid::from_u128(self.events)),
            taken_in_at: Timestamp::from_millis(self.now),
            body: NewEvent::new(organisation(), kind, "/test", data),
        })
    }
    pub(super) fn event(&mut self, target: &str, kind: &str, data: Value) -> Vec<&'static str> {
        let event = self.new_event(kind, data);
        self.happen(Happening::Event { target: target.into(), which: "event".into(), event })
    }
    pub(super) fn cancel(&mut self, force: bool) -> Vec<&'static str> {
        self.happen(Happening::Cancel { by: "admin".into(), reason: None, force })
    }
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.history.iter().map(|entry| entry.fact.kind()).collect()
    }
    pub(super) fn output(&self, step: &str) -> Value {
        self.state.output_of(step).map(|value| Value::clone(value)).unwrap_or_default()
    }
    pub(super) fn call(&self) -> InFlight {
        self.state.in_flight().pop().expect("a call in flight")
    }

    /// What must hold of every run at every moment.
    pub(super) fn check(&self) {
        for (index, entry) in self.history.iter().enumerate() {
            assert_eq!(entry.seq, index as u64 + 1);
            assert!(index == 0 || entry.at >= self.history[index - 1].at);
        }
        if self.history.is_empty() {
            return;
        }
        let folded = fold_all(&self.workflow, self.state.run_id, &self.history).expect("the history folds");
        let shard = crate::Shard(0);
        assert_eq!(folded.row(organisation(), shard), self.state.row(organisation(), shard));
        assert_eq!(folded.timers(), self.state.timers());
        assert_eq!(format!("{:?}", folded.in_flight()), format!("{:?}", self.state.in_flight()));
        assert_eq!(format!("{:?}", folded.root), format!("{:?}", self.state.root));
        assert_eq!(format!("{:?}", folded.undo), format!("{:?}", self.state.undo));
        assert_eq!(folded.exits_open, self.state.exits_open);
        self.check_checkpoints(&folded);
        let stored: Vec<Entry> = serde_json::from_str(&serde_json::to_string(&self.history).unwrap()).unwrap();
        assert_eq!(stored, self.history, "entries survive being written down");
        let report = replay(&self.versions, organisation(), self.state.run_id, &self.history);
        assert!(report.same, "{report:#?}\n{}", self.told());
        if self.history.iter().any(|entry| matches!(entry.fact, crate::history::Fact::Migrated { .. })) {
            return;
        }
        let what_if = replay_against(&self.workflow, organisation(), self.state.run_id, &self.history, &|_| None);
        assert!(what_if.differences.is_empty() && what_if.added.is_empty() && what_if.missing.is_empty(), "{what_if:#?}\n{}", self.told());
    }

    /// From a checkpoint at any entry the fold comes to the same state as from the first entry, or says that it cannot.
    fn check_checkpoints(&self, folded: &State) {
        assert_eq!(written(&self.state, &self.workflow), written(folded, &self.workflow), "what is written down is what the history says\n{}", self.told());
        let looks_back = |entry: &Entry| matches!(entry.fact, crate::history::Fact::Reopened { .. } | crate::history::Fact::Migrated { .. });
        let last = self.history.iter().rposition(looks_back).unwrap_or(0);
        // Also within a transition, where nobody could keep one.
        let mut between = (last == 0).then(|| State::new(self.state.run_id));
        for place in 0..self.history.len() {
            if let Some(state) = &mut between {
                fold(&self.workflow, state, &self.history[place]).expect("the history folds");
            }
            let kept = match self.states.get(&self.history[place].seq).or(between.as_ref()) {
                Some(state) if state.version == self.state.version && state.run_id == self.state.run_id => State::clone(state),
                _ => continue,
            };
            let kept: State = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).expect("a state survives being written down");
            match fold_from(&self.workflow, self.state.run_id, self.state.version, kept, &self.history[place..]) {
                Ok(again) => assert_eq!(written(&again, &self.workflow), written(folded, &self.workflow), "from entry {}\n{}", place + 1, self.told()),
                Err(unfit) => assert!(place < last && matches!(unfit, Unfit::LooksBack { .. }), "entry {}: {unfit}\n{}", place + 1, self.told()),
            }
        }
    }

    /// The history, a line an entry.
    fn told(&self) -> String {
        let line = |entry: &Entry| format!("{} +{} {} {}", entry.seq, entry.at.as_millis() - START, entry.fact.kind(), entry.step.as_deref().unwrap_or("-"));
        self.history.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// What a checkpoint of this state holds. Whether a script has seen everything is no part of it.
fn written(state: &State, workflow: &Workflow) -> Value {
    let mut state = state.clone();
    state.script.stale = workflow.script.is_some();
    serde_json::to_value(&state).unwrap()
}

/// A workflow of these steps, started by `start`.
pub(super) fn steps(text: &str) -> String {
    format!("name: test\non:\n  - event: start\nsteps:\n{text}")
}

pub(super) fn path(text: &str) -> StepPath {
    text.into()
}

pub(super) fn completed(play: &Play) {
    assert_eq!(play.state.status, RunStatus::Completed, "{:#?}", play.history);
    play.check();
}
