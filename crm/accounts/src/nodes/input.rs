//! Reading a step's input: absent, `null` and (for texts) empty are the same; a wrong type is refused by its place.

use onward_accounts::CrmError;
use onward_core::{Object, Value};

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
