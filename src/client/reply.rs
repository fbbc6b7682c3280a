//! What the API answered.

use crate::cli::Failure;
use http::StatusCode;
use onward_core::Value;
use std::fmt::Write as _;

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The document of a good answer; nothing at all is `null`. A bad answer becomes a failure that says what the server
    /// said.
    pub(crate) fn document(self) -> Result<Value, Failure> {
        if !self.status.is_success() {
            return Err(self.failure());
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| Failure::because("the server's answer is not JSON", &error))
    }

    /// The problem document of a bad answer.
    pub(crate) fn problem(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok().filter(Value::is_object)
    }

    /// As a failure: the sentence of the problem document, and a line for each place in the input.
    pub(crate) fn failure(&self) -> Failure {
        let Some(problem) = self.problem() else {
            return Failure::new(format!("the server answered {}", self.status));
        };
        let text = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut message = text("detail").or(text("title")).map_or_else(|| format!("the server answered {}", self.status), str::to_owned);
        for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
            // Writing into a text never fails.
            let _ = write!(message, "\n  {} {}", if field("pointer").is_empty() { "/" } else { field("pointer") }, field("detail"));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => message.push_str("\n  give a token that is valid: --token or ONWARD_TOKEN (make one with `onward token add NAME`)"),
            StatusCode::FORBIDDEN => message.push_str("\n  the token's role does not allow this; make one with `onward token add NAME --role admin`"),
            _ => {}
        }
        Failure::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status: StatusCode::from_u16(status).unwrap(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn problems_are_told_with_every_place() {
        let problem =
            r#"{"title":"Invalid","detail":"the event is invalid","errors":[{"pointer":"/type","detail":"is missing"},{"pointer":"","detail":"is empty"}]}"#;
        assert_eq!(reply(422, problem).document(), Err(Failure::Failed("the event is invalid\n  /type is missing\n  / is empty".into())));
        assert_eq!(reply(502, "<html>").document(), Err(Failure::Failed("the server answered 502 Bad Gateway".into())));
        assert!(matches!(reply(401, r#"{"title":"Unauthorized"}"#).document(), Err(Failure::Failed(text)) if text.contains("onward token add")));
    }

    #[test]
    fn good_answers_are_documents() {
        assert_eq!(reply(204, "").document(), Ok(Value::Null));
        assert_eq!(reply(200, "[1]").document(), Ok(serde_json::json!([1])));
        assert!(matches!(reply(200, "hello").document(), Err(Failure::Failed(text)) if text.contains("not JSON")));
    }
}
