//! Expressions: Jinja text, bare Jinja conditions, `JSONLogic`. Pure, bounded in work and output.

mod condition;
mod convert;
mod environment;
mod follow;
mod json_logic;
mod lookup;
pub(crate) mod moment;
mod program;
pub mod suggest;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod tokens;

pub use condition::{Condition, Expression};
pub use template::{Located, Template};

use crate::{Object, Timestamp, Value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// The live records that expressions may name; read when needed, and only the fields used are recorded.
pub const RECORD_NAMES: [&str; 5] = ["contact", "company", "deal", "conversation", "org"];

/// What an expression sees. Cheap to make: everything is shared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The `CloudEvents` envelope of the start.
    pub event: Arc<Value>,
    /// The start's input.
    pub input: Arc<Value>,
    /// Run variables.
    pub vars: Arc<Object>,
    /// Outputs by step id. A step of the file that is not in here is `null`.
    pub steps: Arc<BTreeMap<Arc<str>, Arc<Value>>>,
    /// `run`: id, workflow, version, key, `started_at`.
    pub run: Arc<Value>,
    /// The run's logical time.
    pub now: Timestamp,
    /// The arriving event, in a wait's, exit's or goal's `if`.
    pub incoming: Option<Arc<Value>>,
    /// `error` inside `catch`.
    pub error: Option<Arc<Value>>,
    /// `item`, `loop` and names given by `as`, innermost last.
    pub locals: Vec<(Arc<str>, Arc<Value>)>,
    /// Live records, and which of their fields were used.
    pub records: Arc<RecordReads>,
    /// The organisation's time zone, for `format` and `time` without one.
    pub timezone: Option<Arc<str>>,
}

/// Live records as read for one expression, and the fields that it used.
#[derive(Debug, Default)]
pub struct RecordReads {
    /// By name (`contact` …); `Value::Null` when the run has none.
    pub known: BTreeMap<String, Value>,
    /// Only recorded fields are known (a replay): reading another one is noted in `missed`.
    pub recorded_only: bool,
    used: Mutex<BTreeMap<String, Value>>,
    missed: Mutex<Vec<String>>,
}

impl RecordReads {
    /// Records as just read.
    pub fn live(known: BTreeMap<String, Value>) -> Self {
        Self { known, ..Self::default() }
    }
    /// Fields as a history recorded them (`contact.first_name` to value).
    pub fn recorded(values: &BTreeMap<String, Value>) -> Self {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for (path, value) in values {
            let mut names = path.split('.');
            let Some(root) = names.next() else { continue };
            let mut place = known.entry(root.to_owned()).or_insert(Value::Null);
            for name in names {
                if !place.is_object() {
                    *place = Value::Object(Object::new());
                }
                let Value::Object(object) = place else { break };
                place = object.entry(name.to_owned()).or_insert(Value::Null);
            }
            *place = value.clone();
        }
        Self { known, recorded_only: true, ..Self::default() }
    }
    /// Notes that an expression used a field.
    pub fn note_used(&self, path: String, value: Value) {
        if let Ok(mut used) = self.used.lock() {
            used.insert(path, value);
        }
    }
    /// Notes that an expression asked for a field that the history does not hold.
    pub fn note_missed(&self, path: String) {
        if let Ok(mut missed) = self.missed.lock() {
            missed.push(path);
        }
    }
    /// The fields used since the last call.
    pub fn take_used(&self) -> BTreeMap<String, Value> {
        self.used.lock().map(|mut used| std::mem::take(&mut *used)).unwrap_or_default()
    }
    /// The fields missed since the last call.
    pub fn take_missed(&self) -> Vec<String> {
        self.missed.lock().map(|mut missed| std::mem::take(&mut *missed)).unwrap_or_default()
    }
}

/// Why an expression could not be compiled or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// One sentence that names the path or the mistake.
    pub message: String,
    /// The offending text, as far as it is known.
    pub text: Option<String>,
    /// From 1, within the expression's text.
    pub line: Option<u32>,
}

macro_rules! names {
    ($name:ident) => {
        impl $name {
            /// The live records that it names ([`RECORD_NAMES`]); they must be in the scope before it is evaluated.
            pub fn records(&self) -> &[&'static str] {
                self.named.records()
            }
            /// The steps that it names (`steps.ID`).
            pub fn steps(&self) -> &[String] {
                &self.named.references.steps
            }
            /// The names of the scope that it begins from (`event`, `steps` …), whether they exist or not.
            pub fn roots(&self) -> &[String] {
                &self.named.references.roots
            }
            /// The literal paths that it names, name by name.
            pub fn paths(&self) -> &[Vec<String>] {
                &self.named.references.paths
            }
        }
    };
}
names!(Template);
names!(Expression);
names!(Condition);
