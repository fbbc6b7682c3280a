//! Whether an answer fits its question.

use crate::Value;

/// What a question without a form may be answered with.
pub const VERDICTS: [&str; 2] = ["approve", "reject"];

/// Checks an answer against the question's form; without a form it is `approve` or `reject`. The error names the place and
/// the remedy.
pub fn check_answer(question: &Value, answer: &Value) -> Result<(), String> {
    let form = &question["form"];
    if form.is_null() {
        let fits = answer.as_str().is_some_and(|answer| VERDICTS.contains(&answer));
        return if fits { Ok(()) } else { Err(format!("the answer must be one of {}, not {answer}", VERDICTS.join(", "))) };
    }
    let validator = jsonschema::validator_for(form).map_err(|error| format!("the question's form is no JSON Schema any more: {error}"))?;
    match validator.iter_errors(answer).next() {
        Some(error) => Err(format!("answer{}: {error}", error.instance_path())),
        None => Ok(()),
    }
}

/// The one thing that a form asks for, where one text can answer it: its name (`None`: the answer itself is it) and its schema.
pub fn single_field(form: &Value) -> Option<(Option<&str>, &Value)> {
    let is = |schema: &Value, kinds: &[&str]| schema["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) || schema["properties"].is_object();
    let (name, schema) = if is(form, &["object"]) {
        let properties = form["properties"].as_object()?;
        let required: Vec<&str> = form["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let name = match required.as_slice() {
            [name] => *name,
            [] if properties.len() == 1 => properties.keys().next()?,
            _ => return None,
        };
        let (name, schema) = properties.get_key_value(name)?;
        (Some(name.as_str()), schema)
    } else {
        (None, form)
    };
    (!is(schema, &["object", "array"])).then_some((name, schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_fits_its_form_or_is_a_verdict() {
        let open = json!({ "form": null });
        assert!(check_answer(&open, &json!("approve")).is_ok());
        assert!(check_answer(&open, &json!("maybe")).unwrap_err().contains("approve, reject"));
        let form = json!({ "form": { "type": "object", "properties": { "rating": { "type": "integer", "maximum": 5 } }, "required": ["rating"] } });
        assert!(check_answer(&form, &json!({ "rating": 4 })).is_ok());
        assert!(check_answer(&form, &json!({ "rating": 9 })).unwrap_err().starts_with("answer/rating: "));
    }

    #[test]
    fn a_form_that_asks_for_one_thing() {
        let slot = json!({ "enum": ["10:00", "11:00"] });
        for (form, expected) in [
            (json!({ "properties": { "slot": slot } }), Some((Some("slot"), &slot))),
            (json!({ "type": "object", "properties": { "slot": slot, "note": {} }, "required": ["slot"] }), Some((Some("slot"), &slot))),
            (slot.clone(), Some((None, &slot))),
            (json!({ "type": "object", "properties": { "slot": slot, "note": {} } }), None),
            (json!({ "type": "object", "properties": { "a": {}, "b": {} }, "required": ["a", "b"] }), None),
            (json!({ "type": "object", "properties": { "a": { "type": "object" } } }), None),
            (json!({ "type": "array" }), None),
            (json!({ "type": "object" }), None),
        ] {
            assert_eq!(single_field(&form), expected, "{form}");
        }
    }
}
