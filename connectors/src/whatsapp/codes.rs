//! Meta's error codes: what each means and what to do. Decided on the code alone, never on text, subcode or HTTP status.
//! Source: the error table of the Cloud API's contract page; codes that it does not name are recalled from Meta's reference.

use crate::http::scrub;
use onward_core::{ErrorCode, StepError, Value, ports::Connection};
use serde_json::json;

/// What an error code means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to do with the message.
    pub act: Act,
    /// Our code.
    pub code: ErrorCode,
    /// For people: what happened and what to do.
    pub meaning: &'static str,
}

/// What to do with a message that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Final.
    Refuse,
    /// Try again, after this many milliseconds when the table says so, else with the step's own back-off.
    Later(Option<i64>),
}

/// One message to one user in about six seconds: how long a pair that was written to too often rests.
const PAIR_REST_MS: i64 = 6_000;

/// What a code means; `None` for one that nobody has told us about.
pub fn verdict(code: i64) -> Option<Verdict> {
    use Act::{Later, Refuse};
    let own = || ErrorCode::Provider(format!("{}:{code}", super::ID));
    let (act, code, meaning) = match code {
        0 | 190 => (Refuse, ErrorCode::Unauthorized, "the access token is wrong or has expired; reconnect the connection"),
        3 | 10 | 200..=299 | 131_005 => (Refuse, ErrorCode::Forbidden, "the access token does not permit this; give its system user the permission"),
        4 | 80007 | 130_429 | 133_016 => (Later(None), ErrorCode::RateLimited, "Meta's rate limit is reached"),
        131_048 => (Refuse, own(), "Meta's spam limit for this number is reached; pause the campaign and look at the number's quality"),
        131_056 => (Later(Some(PAIR_REST_MS)), ErrorCode::RateLimited, "too many messages to this recipient in a short time"),
        131_047 => (Refuse, ErrorCode::PolicyDenied, "more than 24 hours have passed since the customer last wrote; send a template"),
        131_026 => (Refuse, own(), "the message cannot be delivered to this number: it may not be on WhatsApp"),
        131_049 | 130_472 => (Refuse, own(), "Meta holds marketing messages to this customer back for now; it may be tried again after a day"),
        131_050 => (Refuse, ErrorCode::PolicyDenied, "the customer has stopped marketing messages"),
        131_051 => (Refuse, ErrorCode::InvalidInput, "the message type is not supported"),
        131_052 | 131_053 => (Later(None), ErrorCode::Unavailable, "Meta could not fetch the media"),
        132_000 | 132_001 | 132_005 | 132_007 | 132_012 => {
            (Refuse, ErrorCode::InvalidInput, "the template does not fit: look at its name, language, parameters and approval")
        }
        132_015 | 132_016 => (Refuse, own(), "the template is paused or disabled for its quality; use another"),
        1 | 2 | 131_000 | 131_016 => (Later(None), ErrorCode::Unavailable, "Meta has trouble"),
        368 | 131_031 => (Refuse, ErrorCode::Forbidden, "the WhatsApp account is restricted; look at the account in Meta's business manager"),
        33 | 100 | 131_008 | 131_009 | 131_021 => (Refuse, ErrorCode::InvalidInput, "Meta does not accept the request"),
        _ => return None,
    };
    Some(Verdict { act, code, meaning })
}

/// The error of a Graph answer, `{ error: { code, message, … } }`, sorted; `None` when the answer is none.
pub(super) fn graph_error(answer: &Value, connection: Option<&Connection>) -> Option<(Option<Act>, StepError)> {
    let error = answer.get("error")?;
    let number = code_of(error)?;
    let said = error["error_data"]["details"].as_str().or(error["message"].as_str()).unwrap_or_default();
    // Meta repeats a malformed access token in its message.
    let said = scrub(said, connection);
    let known = verdict(number);
    let (code, meaning) = match &known {
        Some(verdict) => (verdict.code.clone(), verdict.meaning),
        None => (ErrorCode::Provider(format!("{}:{number}", super::ID)), "Meta refused the message"),
    };
    let details = json!({ "provider_code": number.to_string(), "provider_message": said, "trace": error["fbtrace_id"] });
    Some((known.map(|verdict| verdict.act), StepError::new(code, format!("{meaning} ({number})")).with_details(details)))
}

/// The code of an error object; some come as text.
pub(super) fn code_of(error: &Value) -> Option<i64> {
    match &error["code"] {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
