//! Reading a step's input: absent, `null` and (for texts) empty are the same; a wrong type is refused by its place.

use crate::CrmError;
use onward_core::{Object, Timestamp, Value, definition::Span};

/// An object whose members are asked for by name.
#[derive(Clone, Copy, Debug)]
pub struct Input<'v> {
    members: &'v Object,
    /// Where it stands, for messages; empty at the top.
    place: &'v str,
}

impl<'v> Input<'v> {
    /// A step's whole input.
    pub fn new(value: &'v Value) -> Result<Self, CrmError> {
        match value {
            Value::Object(members) => Ok(Self { members, place: "" }),
            other => Err(CrmError::invalid("", format!("the input must be an object, this is {}", kind(other)))),
        }
    }
    /// An object within another.
    pub fn within(members: &'v Object, place: &'v str) -> Self {
        Self { members, place }
    }
    /// Whether the member is there at all, `null` included.
    pub fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }
    /// The member, unless absent or `null`.
    pub fn value(&self, key: &str) -> Option<&'v Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }
    fn refuse(&self, key: &str, wanted: &str, found: &Value) -> CrmError {
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}/{key}", self.place) };
        CrmError::invalid(place, format!("`{key}` must be {wanted}, this is {}", kind(found)))
    }
    /// A text; numbers are taken as written, since phones and order numbers often come so.
    pub fn text(&self, key: &str) -> Result<Option<String>, CrmError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.refuse(key, "a text", other)),
        }
    }
    /// The id of a record, given as text or as the record itself.
    pub fn id(&self, key: &str) -> Result<Option<String>, CrmError> {
        match self.value(key) {
            Some(Value::Object(record)) => match record.get("id") {
                Some(Value::String(id)) => Ok(Some(id.clone())),
                _ => Err(CrmError::invalid(key, format!("`{key}` is an object without an `id`"))),
            },
            _ => self.text(key),
        }
    }
    /// A list of texts; one text is a list of one.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<String>>, CrmError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(list)) => {
                let mut out = Vec::with_capacity(list.len());
                for value in list {
                    match value {
                        Value::Null => {}
                        Value::String(text) => out.push(text.clone()),
                        Value::Number(number) => out.push(number.to_string()),
                        other => return Err(self.refuse(key, "a list of texts", other)),
                    }
                }
                Ok(Some(out))
            }
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(other) => Err(self.refuse(key, "a list of texts", other)),
        }
    }
    /// `phone: X` and `phones: [X, …]` together, the single one first; empty texts left out.
    pub fn one_or_more(&self, one: &str, many: &str) -> Result<Vec<String>, CrmError> {
        let mut out: Vec<String> = self.text(one)?.into_iter().collect();
        out.extend(self.texts(many)?.unwrap_or_default().into_iter().filter(|text| !text.trim().is_empty()));
        Ok(out)
    }
    /// A whole number, also as text.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, CrmError> {
        let read = |text: &str| text.trim().parse::<i64>().ok();
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(value) => {
                let whole = match value {
                    // 500.0 is a whole number that some language has counted with.
                    Value::Number(number) => {
                        number.as_i64().or_else(|| number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15).map(|float| float as i64))
                    }
                    Value::String(text) => read(text),
                    _ => None,
                };
                whole.map(Some).ok_or_else(|| self.refuse(key, "a whole number", value))
            }
        }
    }
    /// True or false.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, CrmError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.refuse(key, "true or false", other)),
        }
    }
    /// A moment: RFC 3339, or a duration from `now` on (`2h`, `3d`).
    pub fn moment(&self, key: &str, now: Timestamp) -> Result<Option<Timestamp>, CrmError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if let Ok(moment) = text.trim().parse::<Timestamp>() {
            return Ok(Some(moment));
        }
        match Span::parse(&text) {
            Ok(span) => Ok(Some(span.add_to(now, "UTC"))),
            Err(_) => Err(CrmError::invalid(key, format!("`{key}` is a time like 2026-01-31T09:30:00Z or a duration like 2d; this is `{text}`"))),
        }
    }
    /// An object.
    pub fn object(&self, key: &str) -> Result<Option<&'v Object>, CrmError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(self.refuse(key, "an object", other)),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
