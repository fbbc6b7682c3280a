//! An outside that does as a file says: mocks, records, connections, variants; nodes without a mock give their preview.

use super::{Answered, Outside, Previews, Stage};
use onward_core::{
    ErrorCode, NewEvent, Object, StepError, Timestamp, Value,
    definition::testing::{Answer, EventDraft, Mock, Reply, ReplyKind, Setting, merge},
    history::OpenMatch,
    machine::InFlight,
    ports::{Outcome, RecordRef, SegmentMember},
};
use std::collections::BTreeMap;

/// Does as a file says.
pub(super) struct Scripted<'s> {
    setting: &'s Setting,
    answers: &'s [(onward_core::definition::testing::Placed<String>, Vec<Answer>)],
    previews: &'s dyn Previews,
    /// How often each mock was asked.
    asked: Vec<usize>,
    records: Object,
    /// The synthetic contact: its number and id.
    contact: Option<(u64, String)>,
}

impl<'s> Scripted<'s> {
    pub(super) fn new(setting: &'s Setting, previews: &'s dyn Previews) -> Self {
        Self { setting, answers: &[], previews, asked: vec![0; setting.mocks.len()], records: setting.records.clone(), contact: None }
    }

    /// People who wait for nothing longer than a file says.
    pub(super) fn with_answers(mut self, answers: &'s [(onward_core::definition::testing::Placed<String>, Vec<Answer>)]) -> Self {
        self.answers = answers;
        self
    }

    /// One of a crowd: whatever binds the contact gives this one's id.
    pub(super) fn for_contact(mut self, number: u64, id: String) -> Self {
        self.contact = Some((number, id));
        self
    }

    /// Fields of live records change.
    pub(super) fn change_records(&mut self, fields: &Object) {
        for (name, fields) in fields {
            merge(self.records.entry(name.clone()).or_insert(Value::Null), fields);
        }
    }

    fn number(&self) -> u64 {
        self.contact.as_ref().map_or(0, |(number, _)| *number)
    }

    /// The mock for a call: its step's, else its node's.
    fn mock(&mut self, call: &InFlight) -> Option<&'s Reply> {
        let step = call.step.split('#').next().unwrap_or_default();
        let named = |name: &str| self.setting.mocks.iter().position(|mock| mock.target.value == name);
        let index = named(step).or_else(|| named(&call.node))?;
        let mock: &'s Mock = self.setting.mocks.get(index)?;
        let asked = self.asked.get_mut(index)?;
        let reply = mock.replies.get(*asked).or(mock.replies.last());
        *asked += 1;
        reply
    }

    fn reply(&self, stage: &Stage, reply: &Reply, call: &InFlight, now: Timestamp) -> Answered {
        let says = |message: String| StepError::new(ErrorCode::RateLimited, message);
        let outcome = match &reply.kind {
            ReplyKind::Output(value) => Outcome::done(value.clone()),
            ReplyKind::Error(error) => Outcome::Failed { error: error.clone() },
            ReplyKind::RetryAfter(after_ms) => {
                Outcome::Retry { after_ms: Some(*after_ms), error: says(format!("the mock asks to come again after {after_ms} ms")) }
            }
            ReplyKind::Unknown => Outcome::Unknown { error: StepError::new(ErrorCode::Unavailable, "the mock leaves it open whether it happened") },
            ReplyKind::Hold { for_ms, reason } => Outcome::Hold { until: for_ms.map(|for_ms| now.plus_millis(for_ms)), reason: reason.clone() },
            ReplyKind::OneOf(replies) => {
                let chance = stage.fraction(&[b"reply", &self.number().to_be_bytes(), call.step.as_bytes(), &call.attempt.to_be_bytes()]);
                return match chosen(replies.iter().map(|(share, reply)| (*share, reply)), chance) {
                    Some(chosen) => {
                        let answered = self.reply(stage, chosen, call, now);
                        Answered { takes_ms: answered.takes_ms.max(reply.takes_ms), ..answered }
                    }
                    None => Answered { outcome: Outcome::done(Value::Null), takes_ms: reply.takes_ms },
                };
            }
        };
        Answered { outcome, takes_ms: reply.takes_ms }
    }

    /// A connection that the file does not have.
    fn missing_connection(&self, input: &Value) -> Option<Outcome> {
        let there = self.setting.connections.as_ref()?;
        let named = input.get("connection").and_then(Value::as_str)?;
        let known = there.iter().any(|name| name == named);
        (!known).then(|| Outcome::failed(ErrorCode::NotFound, format!("there is no connection {named:?}; `connections` of the test has {}", there.join(", "))))
    }
}

impl Outside for Scripted<'_> {
    fn call(&mut self, stage: &Stage, call: &InFlight, now: Timestamp) -> Answered {
        if let Some(outcome) = self.missing_connection(&call.input) {
            return Answered { outcome, takes_ms: 0 };
        }
        let mut answered = match self.mock(call) {
            Some(reply) => self.reply(stage, reply, call, now),
            None => Answered {
                outcome: self
                    .previews
                    .preview(&call.node, &call.input)
                    .unwrap_or_else(|| Outcome::failed(ErrorCode::Internal, format!("this build has no node {}", call.node))),
                takes_ms: 0,
            },
        };
        if let (Some((_, id)), Outcome::Done { output: Value::Object(output) }) = (&self.contact, &mut answered.outcome)
            && self.previews.node(&call.node).is_some_and(|node| node.binds.as_deref() == Some("contact"))
        {
            output.insert("id".into(), id.as_str().into());
        }
        answered
    }

    fn record(&mut self, record: &RecordRef) -> Value {
        match self.records.get(&record.name) {
            Some(Value::Object(fields)) => {
                let mut fields = fields.clone();
                if !record.id.is_empty() {
                    fields.entry("id").or_insert_with(|| record.id.as_str().into());
                }
                Value::Object(fields)
            }
            Some(other) => other.clone(),
            None if record.id.is_empty() => serde_json::json!({ "name": "Test" }),
            None => serde_json::json!({ "id": record.id }),
        }
    }

    fn variant(&mut self, step: &str) -> Option<String> {
        self.setting.variants.iter().find(|(name, _)| name.value == step).map(|(_, variant)| variant.value.clone())
    }

    fn mocks(&self, step: &str, workflow: &str) -> bool {
        let key = step.split('#').next().unwrap_or_default();
        self.setting.mocks.iter().any(|mock| mock.target.value == key || mock.target.value == workflow)
    }

    fn members(&self, segment: &str) -> Option<Vec<SegmentMember>> {
        // The segment of a crowd is the crowd; this is one of it.
        if let Some((_, id)) = &self.contact {
            let timezone = self.records.get("contact").and_then(|contact| contact.get("timezone")).and_then(Value::as_str);
            return Some(vec![SegmentMember { contact: id.clone(), timezone: timezone.map(str::to_owned) }]);
        }
        self.setting.segments.iter().find(|(name, _)| name.value == segment).map(|(_, members)| members.clone())
    }

    fn waited(&mut self, stage: &Stage, step: &str, waits: &BTreeMap<String, OpenMatch>) -> Vec<(i64, NewEvent)> {
        let key = step.split('#').next().unwrap_or_default();
        let Some((_, answers)) = self.answers.iter().find(|(name, _)| name.value == key) else { return Vec::new() };
        let number = self.number().to_be_bytes();
        let mut left = stage.fraction(&[b"answer", &number, step.as_bytes()]) * 100.0;
        for (index, answer) in answers.iter().enumerate() {
            left -= answer.share;
            if left < 0.0 {
                let wanted = waits.values().find(|wait| answer.event.kind.is_empty() || wait.event == answer.event.kind).or(waits.values().next());
                let span = (answer.until_ms - answer.after_ms) as f64;
                let after_ms = answer.after_ms + (stage.fraction(&[b"moment", &number, step.as_bytes(), &index.to_be_bytes()]) * span) as i64;
                return vec![(after_ms, answering(&answer.event, wanted))];
            }
        }
        Vec::new()
    }
}

/// The event of an answer: of the type that is waited for, with what the wait matches on.
fn answering(draft: &EventDraft, wanted: Option<&OpenMatch>) -> NewEvent {
    let mut event = drafted(draft);
    if let Some(wanted) = wanted {
        if event.kind.is_empty() {
            event.kind.clone_from(&wanted.event);
        }
        for (path, value) in &wanted.values {
            put(&mut event.data, path, value.clone());
        }
    }
    event
}

/// The event that a file writes.
pub(super) fn drafted(draft: &EventDraft) -> NewEvent {
    let mut event = NewEvent::new(Stage::organisation(), draft.kind.clone(), draft.source.clone().unwrap_or_else(|| "/test".into()), draft.data.clone());
    event.id.clone_from(&draft.id);
    event.subject.clone_from(&draft.subject);
    event.time = draft.time;
    event
}

/// Puts a value at a dotted path of names.
pub(super) fn put(data: &mut Value, path: &str, value: Value) {
    let mut place = data;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Object::new());
        }
        let Value::Object(fields) = place else { return };
        place = fields.entry(name.to_owned()).or_insert(Value::Null);
    }
    *place = value;
}

/// The one at this chance (0 to 1), by share.
pub(super) fn chosen<T>(shares: impl IntoIterator<Item = (f64, T)> + Clone, chance: f64) -> Option<T> {
    let total: f64 = shares.clone().into_iter().map(|(share, _)| share).sum();
    let mut left = chance * total;
    let mut last = None;
    for (share, item) in shares {
        left -= share;
        if left < 0.0 {
            return Some(item);
        }
        last = Some(item);
    }
    last
}
