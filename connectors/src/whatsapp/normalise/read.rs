//! Reads members leniently: an id may be text or a number, a time too, and whatever is missing is missing.

use onward_core::{Timestamp, Value};

/// Text, or a number as text; not empty.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Unix seconds, as text or as a number.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::String(text) => text.trim().parse::<i64>().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    seconds.filter(|seconds| *seconds > 0).and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis)
}

/// A WhatsApp id as a phone number in E.164, when it is one.
pub(super) fn phone(wa_id: &str) -> Option<String> {
    let digits = wa_id.strip_prefix('+').unwrap_or(wa_id);
    let right = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    right.then(|| format!("+{digits}"))
}

/// The members of a list, or nothing.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
