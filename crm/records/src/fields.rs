//! Custom fields: whatever an organisation keeps about contacts, companies and deals.

use onward_accounts::CrmError;
use onward_core::{Object, Value};

/// Bytes of all custom fields of one record as JSON.
pub const FIELDS_BYTES: usize = 64 << 10;
/// Characters of a field's name.
pub const NAME_CHARACTERS: usize = 100;

/// A value that says nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Whether they may be stored.
pub(crate) fn check(fields: &Object) -> Result<(), CrmError> {
    if fields.keys().any(|key| key.is_empty() || key.chars().count() > NAME_CHARACTERS) {
        return Err(CrmError::invalid("fields", format!("a field's name has 1 to {NAME_CHARACTERS} characters")));
    }
    let bytes = serde_json::to_vec(fields).map_or(usize::MAX, |json| json.len());
    if bytes > FIELDS_BYTES {
        return Err(CrmError::invalid("fields", format!("the fields of a record have at most {FIELDS_BYTES} bytes as JSON, these have {bytes}")));
    }
    Ok(())
}

/// Sets fields by name; `null` removes one.
pub(crate) fn set(fields: &mut Object, given: Option<Object>) {
    for (key, value) in given.into_iter().flatten() {
        if value.is_null() {
            fields.shift_remove(&key);
        } else {
            fields.insert(key, value);
        }
    }
}

/// The fields that differ, as `fields.NAME`, sorted.
pub(crate) fn changed(before: &Object, after: &Object) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).collect();
    names.sort();
    names.into_iter().filter(|key| before.get(*key) != after.get(*key)).map(|key| format!("fields.{key}")).collect()
}

/// What a row's JSON column holds.
pub(crate) fn of_row(value: Value) -> Object {
    if let Value::Object(fields) = value { fields } else { Object::new() }
}
