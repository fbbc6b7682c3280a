//! Test files (`NAME.test.yaml`) and scenarios (what a simulation assumes), read with positions.
//!
//! Here they are only read; `onward_runtime::play` plays them. [`TestFile::parse`] knows the file's shape;
//! [`TestFile::check`] compares its names with the workflow and the nodes.

mod check;
mod expect;
mod mocks;
mod reader;
mod scenario;
mod schema;
mod test_file;
#[cfg(test)]
mod tests;

pub use expect::{Expect, ExpectedCall, ExpectedEvent, Times};
pub use mocks::{Mock, Reply, ReplyKind};
pub use scenario::{Answer, Scenario, Shares};
pub use schema::schema;
pub use test_file::{Case, Delivery, Later, LaterKind, Opening, TestFile};

use super::{Position, Problem};
use crate::{Object, Timestamp, Value, ports::SegmentMember};

/// A value and where it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub position: Position,
}

/// What reading a file gave.
#[derive(Debug)]
pub struct Read<T> {
    /// What was read, unless a problem is an error.
    pub value: Option<T>,
    /// In file order.
    pub problems: Vec<Problem>,
}

/// What starts a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// An event.
    Event(EventDraft),
    /// By hand, with this input.
    Input(Value),
}

/// An event as a file writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventDraft {
    /// Its type.
    pub kind: String,
    /// Who says so; `/test` when left out.
    pub source: Option<String>,
    /// The sender's id.
    pub id: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, as the sender says.
    pub time: Option<Timestamp>,
    /// The facts.
    pub data: Value,
}

impl EventDraft {
    /// Reads an event from JSON: `{ type, data?, source?, id?, subject?, time? }`. `Err` says in a sentence what is wrong.
    pub fn from_value(document: &Value) -> Result<Self, String> {
        let fields = document.as_object().ok_or("it must be a JSON object")?;
        if let Some(name) = fields.keys().find(|name| !reader::EVENT_KEYS.contains(&name.as_str()) && *name != "specversion") {
            let near = crate::expression::suggest::nearest(name, reader::EVENT_KEYS);
            let did = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            return Err(format!("it has no field \"{name}\"{did}"));
        }
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{name}` must be a text")),
        };
        let kind = text("type")?.ok_or("it needs a `type`, such as message.received")?;
        if !super::workflow::is_event_type(&kind) {
            return Err(format!("the type {kind:?} may hold small letters, digits, `_`, `.` and `-` only"));
        }
        let time = match text("time")? {
            Some(time) => Some(time.parse().map_err(|_| format!("`time` must be a time such as 2026-01-05T09:00:00Z, not {time:?}"))?),
            None => None,
        };
        let data = fields.get("data").filter(|data| !data.is_null()).cloned().unwrap_or_else(|| Value::Object(Object::new()));
        Ok(Self { kind, source: text("source")?, id: text("id")?, subject: text("subject")?, time, data })
    }
}

/// The world around the runs: what a case, or a whole file, takes as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setting {
    /// When it begins.
    pub now: Option<Timestamp>,
    /// The organisation's zone, an IANA name.
    pub timezone: Option<String>,
    /// Fields of live records, by the record's name.
    pub records: Object,
    /// The connections that there are; `None`: any.
    pub connections: Option<Vec<String>>,
    /// Who is in which segment, for schedules with `each`.
    pub segments: Vec<(Placed<String>, Vec<SegmentMember>)>,
    /// What nodes give.
    pub mocks: Vec<Mock>,
    /// Variants that splits choose, by step.
    pub variants: Vec<(Placed<String>, Placed<String>)>,
}

impl Setting {
    /// This setting with another one, more special, put over it.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let mut records = self.records.clone();
        for (name, fields) in &over.records {
            merge(records.entry(name.clone()).or_insert(Value::Null), fields);
        }
        let mut mocks: Vec<Mock> = self.mocks.iter().filter(|mock| !over.mocks.iter().any(|other| other.target.value == mock.target.value)).cloned().collect();
        mocks.extend(over.mocks.iter().cloned());
        let mut segments: Vec<_> =
            self.segments.iter().filter(|(name, _)| !over.segments.iter().any(|(other, _)| other.value == name.value)).cloned().collect();
        segments.extend(over.segments.iter().cloned());
        let mut variants: Vec<_> =
            self.variants.iter().filter(|(step, _)| !over.variants.iter().any(|(other, _)| other.value == step.value)).cloned().collect();
        variants.extend(over.variants.iter().cloned());
        Self {
            now: over.now.or(self.now),
            timezone: over.timezone.clone().or_else(|| self.timezone.clone()),
            records,
            connections: over.connections.clone().or_else(|| self.connections.clone()),
            segments,
            mocks,
            variants,
        }
    }
}

/// Puts fields over fields; anything else takes the place of what was there.
pub fn merge(into: &mut Value, over: &Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            for (name, value) in over {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, over) => *into = over.clone(),
    }
}
