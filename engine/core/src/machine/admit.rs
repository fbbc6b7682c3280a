//! Whether an event starts a run, and with what.

use super::{Known, Need, turn::identifier};
use crate::{
    EventId, RunId, Timestamp, Value,
    definition::{LimitScope, TriggerKind, Workflow},
    digest,
    expression::{ExpressionError, RECORD_NAMES, RecordReads, Scope, Template},
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
    /// The run that waits for this one's end.
    pub parent: Option<crate::history::Parent>,
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
        /// Which limits it must pass, and how urgently it wants to.
        gates: Gates,
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

/// Which limits a start must pass, as its event and input say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    /// 1 goes first, 10 last.
    pub priority: u8,
    /// The concurrency limit, when there is one.
    pub concurrency: Option<LimitKey>,
    /// The rate limit, when there is one.
    pub rate: Option<LimitKey>,
}

impl Gates {
    /// Of a start that no limit concerns.
    pub const OPEN: Self = Self { priority: PRIORITY, concurrency: None, rate: None };
}

/// What one limit counts together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitKey {
    /// `workflow:NAME`, or `shared:NAME`.
    pub name: String,
    /// The value that it is counted apart for; empty for all together.
    pub key: String,
}

/// Of starts that say nothing.
const PRIORITY: u8 = 5;
/// The last.
const PRIORITY_LAST: u8 = 10;

/// A priority as an author or an expression gives it: a whole number from 1 to 10, or its text.
pub fn priority_of(value: &Value) -> Option<u8> {
    let number = value.as_u64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64));
    let number = number.or_else(|| value.as_str()?.trim().parse().ok())?;
    u8::try_from(number).ok().filter(|number| (1..=PRIORITY_LAST).contains(number))
}

/// The gates of a start that was admitted before, as this version has them: it may be another one than then.
pub fn gates_of(workflow: &Workflow, envelope: &Value, input: &Value, key: Option<&str>, asked: Asked<'_>) -> Admission {
    let mut asking = Asking { workflow, envelope: Arc::new(envelope.clone()), input: Arc::new(input.clone()), asked, reads: BTreeMap::new() };
    let outcome = asking.gates(key).map(|gates| (key.map(str::to_owned), gates));
    finish(outcome, asking)
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
        asking.key_and_gates(Some(&trigger.on))
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
    let outcome = asking.key_and_gates(None);
    finish(outcome, asking)
}

fn finish(outcome: Result<(Option<String>, Gates), Refusal>, asking: Asking<'_>) -> Admission {
    match outcome {
        Ok((key, gates)) => Admission::Yes { input: Arc::unwrap_or_clone(asking.input), key, reads: asking.reads, gates },
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
    fn key_and_gates(&mut self, on: Option<&TriggerKind>) -> Result<(Option<String>, Gates), Refusal> {
        let workflow = self.workflow;
        let each = on.map_or(Ok(None), |on| self.each(on))?;
        let key = match &workflow.key {
            Some(template) => Some(self.key(template, "key")?),
            None => each,
        };
        let gates = self.gates(key.as_deref())?;
        Ok((key, gates))
    }

    /// With `each`, a run is about its contact.
    fn each(&self, on: &TriggerKind) -> Result<Option<String>, Refusal> {
        let TriggerKind::Schedule(schedule) = on else { return Ok(None) };
        let Some(segment) = &schedule.each else { return Ok(None) };
        let contact = identifier(&self.envelope["data"]["contact_id"]);
        let missing = || Refusal::Error(format!("each: the segment \"{segment}\" does not exist; create it, or name another one"));
        contact.ok_or_else(missing).map(Some)
    }

    fn key(&mut self, template: &Template, part: &str) -> Result<String, Refusal> {
        let value = self.ask(template.records(), |scope| template.render(scope)).map_err(|refusal| refusal.within(part))?;
        let key = match &value {
            Value::Bool(flag) => flag.to_string(),
            other => identifier(other).ok_or_else(|| Refusal::Error(format!("{part}: it is {other}; a key must be a text or a number, and not empty")))?,
        };
        // A long key is replaced by its hash (SEMANTICS.md 18).
        Ok(if key.len() > limits::KEY_BYTES { format!("sha256:{}", digest::hex(key.as_bytes())) } else { key })
    }

    /// What the limits ask. Which record fields they used is no part of the run: they decide when it starts, not what it does.
    fn gates(&mut self, key: Option<&str>) -> Result<Gates, Refusal> {
        let workflow = self.workflow;
        let reads = self.reads.clone();
        let priority = match &workflow.priority {
            Some(template) => {
                let value = self.ask(template.records(), |scope| template.render(scope)).map_err(|refusal| refusal.within("priority"))?;
                let wrong = || Refusal::Error(format!("priority: it is {value}; it must be a whole number from 1 (first) to {PRIORITY_LAST} (last)"));
                priority_of(&value).ok_or_else(wrong)?
            }
            None => PRIORITY,
        };
        let concurrency = match &workflow.limits.concurrency {
            Some(limit) => Some(self.limit_key(&limit.scope, key, "limits.concurrency.key")?),
            None => None,
        };
        let rate = match &workflow.limits.rate {
            Some(limit) => Some(self.limit_key(&limit.scope, key, "limits.rate.key")?),
            None => None,
        };
        self.reads = reads;
        Ok(Gates { priority, concurrency, rate })
    }

    fn limit_key(&mut self, scope: &LimitScope, key: Option<&str>, part: &str) -> Result<LimitKey, Refusal> {
        let name = scope.shared.as_ref().map_or_else(|| format!("workflow:{}", self.workflow.name), |shared| format!("shared:{shared}"));
        let key = match &scope.key {
            Some(template) => self.key(template, part)?,
            None if scope.shared.is_some() => String::new(),
            None => key.unwrap_or_default().to_owned(),
        };
        Ok(LimitKey { name, key })
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
