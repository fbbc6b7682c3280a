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
}
