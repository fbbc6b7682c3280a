//! The outside of a crowd: what each of its contacts says, and who they all are.

use super::{
    Answered, Outside, Previews, Stage,
    scripted::{Scripted, chosen, put},
};
use onward_core::{
    NewEvent, Object, Timestamp, Value,
    definition::testing::Scenario,
    history::OpenMatch,
    machine::InFlight,
    ports::{RecordRef, SegmentMember},
};
use std::collections::BTreeMap;

/// Fields of an event or input in which people differ: each synthetic contact has its own.
const IDENTITY: [&str; 8] = ["contact_id", "conversation_id", "phone", "mobile", "from", "email", "external_id", "customer"];
/// What the id of a contact begins with.
const CONTACT: &str = "contact-";

/// Where the contacts of a crowd come from.
#[derive(Clone, Copy)]
pub(super) struct Contacts<'s> {
    pub(super) stage: &'s Stage,
    pub(super) scenario: &'s Scenario,
    pub(super) previews: &'s dyn Previews,
}

impl<'s> Contacts<'s> {
    /// What one contact says.
    pub(super) fn outside(self, number: u64) -> Scripted<'s> {
        let mut outside = Scripted::new(&self.scenario.setting, self.previews).with_answers(&self.scenario.answers).for_contact(number, id(number));
        if !self.scenario.vary_contact.is_empty() {
            let mut record = Value::Object(Object::new());
            for (path, shares) in &self.scenario.vary_contact {
                put(&mut record, path, self.varied(number, path, shares));
            }
            outside.change_records(&[("contact".to_owned(), record)].into_iter().collect());
        }
        outside
    }

    /// An event's data, or an input, with the contact's own values.
    pub(super) fn personal(self, number: u64, data: &Value) -> Value {
        let mut data = data.clone();
        for (path, shares) in &self.scenario.vary_data {
            put(&mut data, path, self.varied(number, path, shares));
        }
        identify(&mut data, number);
        data
    }

    fn varied(self, number: u64, path: &str, shares: &[(Value, f64)]) -> Value {
        let chance = self.stage.fraction(&[b"vary", &number.to_be_bytes(), path.as_bytes()]);
        chosen(shares.iter().map(|(value, share)| (*share, value)), chance).cloned().unwrap_or_default()
    }
}

fn id(number: u64) -> String {
    format!("{CONTACT}{number}")
}

/// Gives a contact its own values of the fields that name a person.
fn identify(data: &mut Value, number: u64) {
    let Some(fields) = data.as_object_mut() else { return };
    for name in IDENTITY {
        let Some(value) = fields.get_mut(name).filter(|value| value.is_string()) else { continue };
        *value = match name {
            "phone" | "mobile" | "from" => format!("+1555{number:07}").into(),
            "email" => format!("{}@example.com", id(number)).into(),
            "contact_id" => id(number).into(),
            other => format!("{other}-{number}").into(),
        };
    }
}

/// All contacts of a crowd in one world; whoever something is about says what comes of it.
pub(super) struct Everybody<'s> {
    all: Vec<Scripted<'s>>,
    at: usize,
}

impl<'s> Everybody<'s> {
    pub(super) fn new(contacts: Contacts<'s>, number: u64) -> Self {
        Self { all: (0..number.max(1)).map(|number| contacts.outside(number)).collect(), at: 0 }
    }

    fn one(&mut self) -> &mut Scripted<'s> {
        &mut self.all[self.at]
    }
}

impl Outside for Everybody<'_> {
    fn about(&mut self, contact: u64) {
        self.at = usize::try_from(contact).unwrap_or_default().min(self.all.len() - 1);
    }
    fn contact(&self, id: &str) -> Option<u64> {
        id.strip_prefix(CONTACT)?.parse().ok()
    }
    fn call(&mut self, stage: &Stage, call: &InFlight, now: Timestamp) -> Answered {
        self.one().call(stage, call, now)
    }
    fn record(&mut self, record: &RecordRef) -> Value {
        self.one().record(record)
    }
    fn variant(&mut self, step: &str) -> Option<String> {
        self.one().variant(step)
    }
    fn mocks(&self, step: &str, workflow: &str) -> bool {
        self.all[self.at].mocks(step, workflow)
    }
    fn waited(&mut self, stage: &Stage, step: &str, waits: &BTreeMap<String, OpenMatch>) -> Vec<(i64, NewEvent)> {
        self.one().waited(stage, step, waits)
    }
    fn members(&self, segment: &str) -> Option<Vec<SegmentMember>> {
        Some(self.all.iter().filter_map(|one| one.members(segment)).flatten().collect())
    }
}
