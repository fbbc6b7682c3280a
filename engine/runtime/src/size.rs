//! How large a value is, near enough to bound queues and histories by, and cheap.

use onward_core::Value;

/// About how many bytes the value takes as JSON.
pub(crate) fn of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| of(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + 4 + of(field)).sum::<usize>() + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn is_near_the_length_of_the_text() {
        for value in [json!(null), json!({"a": ["x".repeat(1000), 1, true]}), json!([[], {}, "text"])] {
            let text = value.to_string().len();
            assert!(of(&value) + 16 >= text && of(&value) <= 2 * text + 32, "{value}: {} for {text}", of(&value));
        }
    }
}
