//! What all rooms of these files share: reading maps key by key, with positions.

use super::{EventDraft, Mock, Placed, Setting};
use crate::{
    Object, Timestamp, Value,
    definition::{
        Span, fields,
        problems::{Place, Problems},
        tree::{Key, Tree},
        workflow::is_event_type,
    },
    expression::{RECORD_NAMES, moment},
    ports::SegmentMember,
};

/// Keys of a [`Setting`].
pub(super) const SETTING_KEYS: [&str; 7] = ["now", "timezone", "records", "connections", "segments", "mock", "variant"];
/// Keys of an event.
pub(super) const EVENT_KEYS: [&str; 6] = ["type", "source", "id", "subject", "time", "data"];

/// Reads one file.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Problems,
}

impl Reader {
    /// A map whose keys are all known.
    pub(super) fn map<'t>(&mut self, tree: &'t Tree, name: &str, known: &[&str], what: &str) -> Option<&'t [(Key, Tree)]> {
        let entries = fields::map(&mut self.problems, tree, name)?;
        fields::refuse_unknown(&mut self.problems, entries, known, what);
        Some(entries)
    }

    pub(super) fn text(&mut self, tree: &Tree, name: &str) -> Option<String> {
        fields::text(&mut self.problems, tree, name).map(str::to_owned)
    }

    pub(super) fn placed_text(&mut self, tree: &Tree, name: &str) -> Option<Placed<String>> {
        self.text(tree, name).map(|value| placed(value, tree))
    }

    pub(super) fn texts(&mut self, tree: &Tree, name: &str) -> Vec<Placed<String>> {
        let Some(items) = fields::list(&mut self.problems, tree, name) else { return Vec::new() };
        items.iter().filter_map(|item| self.placed_text(item, name)).collect()
    }

    pub(super) fn span(&mut self, tree: &Tree, name: &str) -> Option<Span> {
        fields::span(&mut self.problems, tree, name)
    }

    pub(super) fn object(&mut self, tree: &Tree, name: &str) -> Option<Object> {
        fields::map(&mut self.problems, tree, name)?;
        match tree.to_value() {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(super) fn whole(&mut self, tree: &Tree, name: &str) -> Option<u64> {
        let number = fields::number(&mut self.problems, tree, name, 0.0, 1e9)?;
        if number.fract() != 0.0 {
            fields::wrong_type(&mut self.problems, tree, name, "a whole number");
            return None;
        }
        Some(number as u64)
    }

    pub(super) fn moment(&mut self, tree: &Tree, name: &str) -> Option<Timestamp> {
        let text = self.text(tree, name)?;
        let moment = text.parse().ok();
        if moment.is_none() {
            self.problems.error(&tree.place, "bad_time", format!("`{name}` must be a time such as 2026-01-05T09:00:00Z, not {text:?}"));
        }
        moment
    }

    pub(super) fn zone(&mut self, tree: &Tree, name: &str) -> Option<String> {
        let text = self.text(tree, name)?;
        match moment::zone(&text) {
            Ok(_) => Some(text),
            Err(message) => {
                self.problems.error(&tree.place, "bad_timezone", message);
                None
            }
        }
    }

    pub(super) fn event(&mut self, tree: &Tree, name: &str) -> Option<EventDraft> {
        self.map(tree, name, &EVENT_KEYS, "an event")?;
        let Some(kind_tree) = tree.get("type") else {
            self.problems.error(&tree.place, "missing_field", "an event needs a `type`, such as message.received".into());
            return None;
        };
        let mut event = self.event_facts(tree)?;
        event.kind = self.event_type(kind_tree, "type")?;
        Some(event)
    }

    /// An event, all but its type.
    pub(super) fn event_facts(&mut self, tree: &Tree) -> Option<EventDraft> {
        let mut text = |name: &str| tree.get(name).and_then(|tree| self.text(tree, name));
        let (source, id, subject) = (text("source"), text("id"), text("subject"));
        let time = tree.get("time").and_then(|tree| self.moment(tree, "time"));
        let data = match tree.get("data") {
            Some(data) => Value::Object(self.object(data, "data")?),
            None => Value::Object(Object::new()),
        };
        Some(EventDraft { kind: String::new(), source, id, subject, time, data })
    }

    pub(super) fn event_type(&mut self, tree: &Tree, name: &str) -> Option<String> {
        let text = self.text(tree, name)?;
        if !is_event_type(&text) {
            self.problems.error(&tree.place, "bad_event_type", format!("the event type \"{text}\" may hold small letters, digits, `_`, `.` and `-` only"));
            return None;
        }
        Some(text)
    }

    /// The part of a map that is a [`Setting`].
    pub(super) fn setting(&mut self, tree: &Tree) -> Setting {
        let now = tree.get("now").and_then(|tree| self.moment(tree, "now"));
        let timezone = tree.get("timezone").and_then(|tree| self.zone(tree, "timezone"));
        let records = tree.get("records").map(|tree| self.records(tree)).unwrap_or_default();
        let connections =
            tree.get("connections").map(|tree| self.texts(tree, "connections")).map(|names| names.into_iter().map(|name| name.value).collect::<Vec<_>>());
        let mocks = tree.get("mock").map(|tree| self.mocks(tree)).unwrap_or_default();
        let variants = tree.get("variant").map(|tree| self.variants(tree)).unwrap_or_default();
        let segments = tree.get("segments").map(|tree| self.segments(tree)).unwrap_or_default();
        Setting { now, timezone, records, connections, segments, mocks, variants }
    }

    pub(super) fn records(&mut self, tree: &Tree) -> Object {
        let Some(entries) = fields::map(&mut self.problems, tree, "records") else { return Object::new() };
        fields::refuse_unknown(&mut self.problems, entries, &RECORD_NAMES, "`records`");
        let mut records = Object::new();
        for (key, value) in entries {
            if value.is_null() {
                records.insert(key.text.clone(), Value::Null);
            } else if let Some(object) = self.object(value, &key.text) {
                records.insert(key.text.clone(), Value::Object(object));
            }
        }
        records
    }

    /// `NAME: [ID, { id, timezone }]`.
    fn segments(&mut self, tree: &Tree) -> Vec<(Placed<String>, Vec<SegmentMember>)> {
        let Some(entries) = fields::map(&mut self.problems, tree, "segments") else { return Vec::new() };
        let mut segments = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Some(items) = fields::list(&mut self.problems, value, &key.text) else { continue };
            let members = items.iter().filter_map(|item| self.member(item)).collect();
            segments.push((Placed { value: key.text.clone(), position: key.place.clone() }, members));
        }
        segments
    }

    fn member(&mut self, tree: &Tree) -> Option<SegmentMember> {
        if tree.text().is_some() {
            return self.text(tree, "a contact").map(|contact| SegmentMember { contact, timezone: None });
        }
        self.map(tree, "a contact", &["id", "timezone"], "a contact of a segment")?;
        let Some(id) = tree.get("id") else {
            self.problems.error(&tree.place, "missing_field", "a contact of a segment needs its `id`".into());
            return None;
        };
        let contact = self.text(id, "id")?;
        let timezone = match tree.get("timezone") {
            Some(tree) => Some(self.zone(tree, "timezone")?),
            None => None,
        };
        Some(SegmentMember { contact, timezone })
    }

    fn mocks(&mut self, tree: &Tree) -> Vec<Mock> {
        let Some(entries) = fields::map(&mut self.problems, tree, "mock") else { return Vec::new() };
        entries.iter().filter_map(|(key, value)| self.mock(key, value)).collect()
    }

    fn variants(&mut self, tree: &Tree) -> Vec<(Placed<String>, Placed<String>)> {
        let Some(entries) = fields::map(&mut self.problems, tree, "variant") else { return Vec::new() };
        entries
            .iter()
            .filter_map(|(key, value)| {
                let name = self.placed_text(value, &key.text)?;
                Some((Placed { value: key.text.clone(), position: key.place.clone() }, name))
            })
            .collect()
    }

    /// Shares of a distribution, each a positive number.
    pub(super) fn share(&mut self, tree: &Tree, place: &Place) -> Option<f64> {
        let Some(share) = tree.get("share") else {
            self.problems.error(place, "missing_field", "each entry needs a `share`, such as 40 (of 100)".into());
            return None;
        };
        fields::number(&mut self.problems, share, "share", 0.0, 1e6)
    }
}

pub(super) fn placed<T>(value: T, tree: &Tree) -> Placed<T> {
    Placed { value, position: tree.place.clone() }
}
