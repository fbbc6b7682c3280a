//! Why a step failed: codes that `retry.on` and `catch.on` name, sorted by who must act.

use crate::{Object, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// The code of a failed step (LANGUAGE.md, "Mistakes").
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
            /// A provider's own code, written `CONNECTOR:CODE`.
            Provider(String),
        }
        impl ErrorCode {
            /// Every code that is not a provider's.
            pub const KNOWN: &'static [&'static str] = &[$($text),+];
            /// The code as written in definitions and histories.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Provider(code) => code,
                }
            }
            /// Reads a code; anything unknown is taken as a provider's.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Provider(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// An attempt took longer than its `timeout`, or the run longer than its own.
    Timeout = "timeout",
    /// The provider asks to slow down.
    RateLimited = "rate_limited",
    /// The other side cannot be reached or is broken for now.
    Unavailable = "unavailable",
    /// The credential is missing, wrong or expired.
    Unauthorized = "unauthorized",
    /// The credential is right and the action is not allowed.
    Forbidden = "forbidden",
    /// What was asked for does not exist.
    NotFound = "not_found",
    /// Several candidates, or a state that does not permit the action.
    Conflict = "conflict",
    /// The input is wrong; repeating it cannot help.
    InvalidInput = "invalid_input",
    /// The messaging policy forbids the message.
    PolicyDenied = "policy_denied",
    /// A person or a bank said no.
    Declined = "declined",
    /// An at-most-once effect may or may not have happened.
    OutcomeUnknown = "outcome_unknown",
    /// The run was cancelled.
    Cancelled = "cancelled",
    /// Our own mistake.
    Internal = "internal",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::parse(&text))
    }
}

/// A step's failure, as recorded in history and shown to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct StepError {
    /// What kind of failure.
    pub code: ErrorCode,
    /// One sentence for a person: what happened and what to do.
    pub message: String,
    /// The step that failed, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Facts: expected, got, which.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl StepError {
    /// A failure without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), step: None, details: Value::Null }
    }
    /// Adds facts.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
    /// Names the step.
    #[must_use]
    pub fn at_step(mut self, step: impl Into<String>) -> Self {
        self.step = Some(step.into());
        self
    }
    /// As the value that `error` and `steps.ID.error` show.
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        object.insert("code".into(), self.code.as_str().into());
        object.insert("message".into(), self.message.clone().into());
        if let Some(step) = &self.step {
            object.insert("step".into(), step.clone().into());
        }
        if !self.details.is_null() {
            object.insert("details".into(), self.details.clone());
        }
        Value::Object(object)
    }
}
