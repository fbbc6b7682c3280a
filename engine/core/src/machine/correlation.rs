//! Correlation: equality on one to four literal paths, as a hash (SEMANTICS.md 10).

use crate::{OrganisationId, Value, digest, ports::Correlation};
use std::collections::BTreeMap;

/// The correlation of a wait whose values are rendered. `Err` names a path whose value is null, empty or no scalar: such a
/// wait never matches and its step fails with `invalid_input`.
pub fn correlation_of(organisation: OrganisationId, event: &str, values: &BTreeMap<String, Value>) -> Result<Correlation, String> {
    let mut paths = Vec::with_capacity(values.len());
    let mut texts = Vec::with_capacity(values.len());
    for (path, value) in values {
        let Some(text) = canonical(value) else {
            return Err(format!("match: {path} is {}, so nothing could ever match it", describe(value)));
        };
        paths.push(path.clone());
        texts.push(text);
    }
    Ok(hashed(organisation, event, paths, &texts))
}

/// The correlations under which an event can be found, given the shapes (sorted paths) that waits for its type use. A shape
/// with a null, missing or empty value in the event gives none.
pub fn correlations_of_event(organisation: OrganisationId, event: &str, data: &Value, shapes: &[Vec<String>]) -> Vec<Correlation> {
    shapes
        .iter()
        .filter_map(|paths| {
            let texts = paths.iter().map(|path| lookup(data, path).and_then(canonical)).collect::<Option<Vec<_>>>()?;
            Some(hashed(organisation, event, paths.clone(), &texts))
        })
        .collect()
}

/// Whether an event's data has these values: the index by hash finds candidates, this makes sure.
pub(super) fn matches(values: &BTreeMap<String, Value>, data: &Value) -> bool {
    values.iter().all(|(path, value)| {
        let expected = canonical(value);
        expected.is_some() && lookup(data, path).and_then(canonical) == expected
    })
}

fn hashed(organisation: OrganisationId, event: &str, paths: Vec<String>, texts: &[String]) -> Correlation {
    let mut parts: Vec<&[u8]> = vec![organisation.0.as_bytes(), event.as_bytes()];
    for (path, text) in paths.iter().zip(texts) {
        parts.push(path.as_bytes());
        parts.push(text.as_bytes());
    }
    let hash = digest::short(&parts);
    Correlation { event: event.to_owned(), paths, hash }
}

/// A scalar with its type: numbers by value, text never equal to a number. `None` for what never matches.
fn canonical(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(format!("b{flag}")),
        Value::String(text) if !text.is_empty() => Some(format!("s{text}")),
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                return Some(format!("n{whole}"));
            }
            if let Some(whole) = number.as_u64() {
                return Some(format!("n{whole}"));
            }
            let float = number.as_f64()?;
            // A float that is a whole number equals the integer, as long as floats can tell integers apart.
            if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 { Some(format!("n{}", float as i64)) } else { Some(format!("n{float:e}")) }
        }
        _ => None,
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::String(_) => "empty",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        _ => "no plain value",
    }
}

/// The value at a dotted path of literal names; a number names an item of a list.
fn lookup<'v>(data: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(data, |place, name| match place {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn organisation() -> OrganisationId {
        OrganisationId(uuid::Uuid::from_u128(7))
    }
    fn wait(values: Value) -> Result<Correlation, String> {
        correlation_of(organisation(), "order.created", &serde_json::from_value(values).unwrap())
    }

    #[test]
    fn an_event_is_found_by_each_shape_whose_values_it_has() {
        let shapes = vec![vec![], vec!["contact_id".to_owned()], vec!["contact_id".to_owned(), "order.total".to_owned()], vec!["missing".to_owned()]];
        let data = json!({ "contact_id": "c1", "order": { "total": 10 } });
        let found = correlations_of_event(organisation(), "order.created", &data, &shapes);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], wait(json!({})).unwrap());
        assert_eq!(found[1], wait(json!({ "contact_id": "c1" })).unwrap());
        assert_eq!(found[2], wait(json!({ "contact_id": "c1", "order.total": 10.0 })).unwrap(), "numbers compare by value");
    }

    #[test]
    fn text_never_equals_a_number_and_types_and_organisations_are_apart() {
        let text = wait(json!({ "id": "10" })).unwrap();
        assert_ne!(text, wait(json!({ "id": 10 })).unwrap());
        assert_ne!(
            text.hash,
            correlation_of(OrganisationId(uuid::Uuid::from_u128(8)), "order.created", &[("id".to_owned(), json!("10"))].into()).unwrap().hash
        );
        assert_ne!(wait(json!({ "id": true })).unwrap(), wait(json!({ "id": "true" })).unwrap());
    }

    #[test]
    fn what_could_never_match_is_refused_by_name() {
        for value in [json!(null), json!(""), json!([]), json!({})] {
            let error = wait(json!({ "contact_id": value })).unwrap_err();
            assert!(error.contains("contact_id"), "{error}");
        }
        assert!(correlations_of_event(organisation(), "order.created", &json!({ "a": "" }), &[vec!["a".into()]]).is_empty());
    }

    #[test]
    fn the_hash_never_changes() {
        let correlation = wait(json!({ "contact_id": "c1", "n": 3 })).unwrap();
        assert_eq!(hex::encode(correlation.hash), "7a6a36822efbd05ccb87aa2aa8212af0");
    }
}
