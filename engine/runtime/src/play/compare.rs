//! Comparing values, and saying in few words where they differ.

use onward_core::Value;

/// Differences that are told of one comparison.
const TOLD: usize = 5;
/// Letters of a value that are shown.
const LETTERS: usize = 160;

/// How what was expected is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole value.
    Whole,
    /// Of maps, the fields that are named.
    Named,
}

/// The places where two values differ, in words; none when they are the same. Numbers compare by value.
pub(super) fn differences(expected: &Value, got: &Value, scope: Scope) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, got, scope, "", &mut found);
    if found.len() > TOLD {
        let more = found.len() - TOLD;
        found.truncate(TOLD);
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(expected: &Value, got: &Value, scope: Scope, path: &str, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match got.get(name) {
                    Some(got) => compare(value, got, scope, &path, found),
                    None => found.push(format!("{path}: expected {}, but there is none{}", shown(value), near(name, got.keys()))),
                }
            }
            if scope == Scope::Whole {
                for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    found.push(format!("{path}: not expected, but it is {}", shown(value)));
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                compare(expected, got, scope, &format!("{path}[{index}]"), found);
            }
        }
        (expected, got) if equal(expected, got) => {}
        (expected, got) => {
            let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
            found.push(format!("{place}expected {}, got {}", shown(expected), shown(got)));
        }
    }
}

fn equal(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() < f64::EPSILON),
        _ => expected == got,
    }
}

fn near<'k>(name: &str, known: impl Iterator<Item = &'k String>) -> String {
    let known: Vec<&String> = known.collect();
    let same = known.iter().find(|other| other.eq_ignore_ascii_case(name) || other.replace('-', "_") == name);
    match same {
        Some(other) => format!(" (there is {other})"),
        None if known.is_empty() || known.len() > 8 => String::new(),
        None => format!(" (there are {})", known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// A value for messages, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LETTERS {
        return text;
    }
    let cut: String = text.chars().take(LETTERS).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_name_the_path() {
        let got = json!({ "team": "support", "n": 1.0, "list": [1, { "a": 2 }], "more": true });
        assert_eq!(differences(&json!({ "n": 1, "list": [1, { "a": 2.0 }] }), &got, Scope::Named), Vec::<String>::new());
        assert_eq!(differences(&json!({ "team": "sales" }), &got, Scope::Named), ["team: expected \"sales\", got \"support\""]);
        assert_eq!(differences(&json!({ "list": [1, { "a": 3 }] }), &got, Scope::Named), ["list[1].a: expected 3, got 2"]);
        assert_eq!(differences(&json!({ "Team": "x" }), &got, Scope::Named), ["Team: expected \"x\", but there is none (there is team)"]);
        let whole = differences(&json!({ "team": "support", "n": 1, "list": [1, { "a": 2 }] }), &got, Scope::Whole);
        assert_eq!(whole, ["more: not expected, but it is true"]);
        assert_eq!(differences(&json!(1), &json!("1"), Scope::Whole), ["expected 1, got \"1\""]);
    }

    #[test]
    fn many_and_long_differences_are_cut() {
        let expected: Value = (0..9).map(|n| (n.to_string(), json!("x".repeat(500)))).collect::<onward_core::Object>().into();
        let told = differences(&expected, &json!({}), Scope::Named);
        assert_eq!(told.len(), 6);
        assert_eq!(told[5], "and 4 more");
        assert!(told[0].len() < 300);
    }
}
