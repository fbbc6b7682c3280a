//! Whether an event starts a run, and with what.

use super::{Known, Need, turn::identifier};
use crate::{
    EventId, RunId, Timestamp, Value,
    definition::{TriggerKind, Workflow},
    digest,
    expression::{ExpressionError, RECORD_NAMES, RecordReads, Scope},
    limits,
    ports::RecordRef,
};
use std::{collections::BTreeMap, sync::Arc};

/// A start that was admitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The version.
    pub version: u32,
    /// What it is about; the run's id when the workflow has no `key`.
    pub key: String,
    /// The trigger's place; `None` for a start by hand.
    pub trigger: Option<usize>,
    /// The input.
    pub input: Value,
    /// The envelope.
    pub event: Value,
    /// Our id of the event.
    pub event_id: Option<EventId>,
    /// Seed of all chance in the run.
    pub seed: u64,
    /// Causes in a row that led here.
    pub depth: u16,
    /// Record fields that the trigger's expressions used.
    pub reads: BTreeMap<String, Value>,
}

impl Start {
    /// The key that a run without `key` has: its own id.
    pub fn key_or_id(key: Option<String>, run_id: RunId) -> String {
        key.unwrap_or_else(|| run_id.to_string())
    }
}

/// What a trigger says to an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// Its `if` is false.
    No,
    /// A run starts.
    Yes {
        /// Becomes `input`.
        input: Value,
        /// `None`: no `key` in the definition.
        key: Option<String>,
        /// Record fields that were used.
        reads: BTreeMap<String, Value>,
    },
    /// Something must be known first.
    Need(Need),
    /// `if`, `with` or `key` failed: concerns this trigger alone (SEMANTICS.md 9).
    Error(String),
}

/// What a start is asked about with, apart from what comes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Records that were read for it.
    pub known: &'a Known,
    /// Engine time.
    pub now: Timestamp,
    /// The organisation's zone: an IANA name.
    pub timezone: &'a str,
}

/// Asks one event trigger (by its place) about an event's envelope. Without `with`, the event's data is the input.
pub fn admit(workflow: &Workflow, trigger: usize, envelope: &Arc<Value>, asked: Asked<'_>) -> Admission {
    let Some(trigger) = workflow.triggers.get(trigger) else {
        return Admission::Error(format!("this version of {} has no trigger {trigger}", workflow.name));
    };
    let mut asking = Asking { workflow, envelope: Arc::clone(envelope), input: Arc::default(), asked, reads: BTreeMap::new() };
    let outcome = (|| {
        if let Some(condition) = &trigger.condition
            && !asking.ask(condition.records(), |scope| condition.test(scope)).map_err(|refusal| refusal.within("if"))?
        {
            return Err(Refusal::No);
        }
        asking.input = Arc::new(match &trigger.with {
            Some(template) => asking.ask(template.records(), |scope| template.render(scope)).map_err(|refusal| refusal.within("with"))?,
            None => envelope["data"].clone(),
        });
        asking.key()
    })();
    finish(outcome, asking)
}

/// A start by hand, API or call: the key for this input, after the `manual` trigger's schema was checked.
pub fn admit_input(workflow: &Workflow, input: &Value, asked: Asked<'_>) -> Admission {
    let schema = workflow.triggers.iter().find_map(|trigger| match &trigger.on {
        TriggerKind::Manual { input: Some(schema) } => Some(schema),
        _ => None,
    });
    if let Some(problem) = schema.and_then(|schema| first_schema_problem(schema, input)) {
        return Admission::Error(problem);
    }
    let envelope = serde_json::json!({ "specversion": "1.0", "source": "/manual", "type": "manual.started", "time": asked.now, "data": input });
    let mut asking = Asking { workflow, envelope: Arc::new(envelope), input: Arc::new(input.clone()), asked, reads: BTreeMap::new() };
    let outcome = asking.key();
    finish(outcome, asking)
}

fn finish(outcome: Result<Option<String>, Refusal>, asking: Asking<'_>) -> Admission {
    match outcome {
        Ok(key) => Admission::Yes { input: Arc::unwrap_or_clone(asking.input), key, reads: asking.reads },
        Err(Refusal::No) => Admission::No,
        Err(Refusal::Need(need)) => Admission::Need(need),
        Err(Refusal::Error(message)) => Admission::Error(message),
    }
}

struct Asking<'a> {
    workflow: &'a Workflow,
    envelope: Arc<Value>,
    input: Arc<Value>,
    asked: Asked<'a>,
    reads: BTreeMap<String, Value>,
}

enum Refusal {
    No,
    Need(Need),
    Error(String),
}

impl Refusal {
    fn within(self, part: &str) -> Self {
        match self {
            Self::Error(message) => Self::Error(format!("{part}: {message}")),
            other => other,
        }
    }
}

impl Asking<'_> {
    fn key(&mut self) -> Result<Option<String>, Refusal> {
        let Some(template) = &self.workflow.key else { return Ok(None) };
        let value = self.ask(template.records(), |scope| template.render(scope)).map_err(|refusal| refusal.within("key"))?;
        let key = match &value {
            Value::Bool(flag) => flag.to_string(),
            other => identifier(other).ok_or_else(|| Refusal::Error(format!("key: it is {other}; a key must be a text or a number, and not empty")))?,
        };
        // A long key is replaced by its hash (SEMANTICS.md 18).
        Ok(Some(if key.len() > limits::KEY_BYTES { format!("sha256:{}", digest::hex(key.as_bytes())) } else { key }))
    }

    fn ask<T>(&mut self, records: &[&'static str], evaluate: impl FnOnce(&Scope) -> Result<T, ExpressionError>) -> Result<T, Refusal> {
        let mut known = BTreeMap::new();
        let mut missing = Vec::new();
        for name in RECORD_NAMES.iter().filter(|name| records.contains(name)) {
            let field = format!("{name}_id");
            let id = if *name == "org" { Some(String::new()) } else { identifier(&self.envelope["data"][&field]).or_else(|| identifier(&self.input[&field])) };
            match (self.asked.known.records.get(*name), id) {
                (Some(value), _) => drop(known.insert((*name).to_owned(), value.clone())),
                (None, Some(id)) => missing.push(RecordRef { name: (*name).to_owned(), id }),
                (None, None) => drop(known.insert((*name).to_owned(), Value::Null)),
            }
        }
        if !missing.is_empty() {
            return Err(Refusal::Need(Need::Records(missing)));
        }
        let scope = Scope {
            event: Arc::clone(&self.envelope),
            input: Arc::clone(&self.input),
            now: self.asked.now,
            timezone: Some(Arc::from(self.asked.timezone)),
            records: Arc::new(RecordReads::live(known)),
            ..Scope::default()
        };
        let value = evaluate(&scope).map_err(|error| Refusal::Error(error.message))?;
        self.reads.extend(scope.records.take_used());
        Ok(value)
    }
}

/// The first thing about `input` that the schema does not allow, in one sentence.
fn first_schema_problem(schema: &Value, input: &Value) -> Option<String> {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => return Some(format!("the manual trigger's input schema is broken: {error}")),
    };
    let error = validator.iter_errors(input).next()?;
    Some(format!("input{}: {error}", error.instance_path()))
}
