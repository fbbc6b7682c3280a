//! Misbehaviour, on order.

use serde::{Deserialize, Serialize};

/// How the next calls are answered. The first behaviour in the queue that fits a call is used for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Which calls.
    pub target: Target,
    /// Only sends to this recipient.
    pub to: Option<String>,
    /// For how many calls; `null`: until it is removed. One when left out.
    pub times: Option<u32>,
    /// Waits before anything else.
    pub latency_ms: u64,
    /// Answers a Graph error with this code (for `http`: use `status`).
    pub fail: Option<i64>,
    /// Answers this HTTP status: with `fail` instead of its usual one, without it with a body that explains nothing.
    pub status: Option<u16>,
    /// Adds `Retry-After` with these seconds to a failure; alone it means "rate limit".
    pub retry_after: Option<u64>,
    /// Ends the connection without an answer.
    pub drop: Option<DropAt>,
    /// What becomes of an accepted message.
    pub statuses: Statuses,
    /// The code of `statuses: failed`.
    pub failed_code: Option<i64>,
}

impl Default for Behaviour {
    /// One call, as usual.
    fn default() -> Self {
        Self {
            target: Target::default(),
            to: None,
            times: Some(1),
            latency_ms: 0,
            fail: None,
            status: None,
            retry_after: None,
            drop: None,
            statuses: Statuses::default(),
            failed_code: None,
        }
    }
}

/// Which calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Sends over the Graph API.
    #[default]
    Messages,
    /// Calls of `/http/…`.
    Http,
}

/// When the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropAt {
    /// Before anything was done.
    Before,
    /// After the call took effect: the answer never arrives.
    After,
}

/// What becomes of an accepted message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statuses {
    /// `sent`, `delivered`, `read`.
    #[default]
    Normal,
    /// Nothing is heard of it.
    None,
    /// `sent`, `delivered`, and no more.
    Unread,
    /// `sent`, then `failed`.
    Failed,
    /// Each twice.
    Duplicate,
    /// `read`, `delivered`, `sent`.
    Reversed,
    /// All of them before the answer to the send.
    BeforeAnswer,
}

impl Statuses {
    /// The words, in the order in which they are posted.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Normal | Self::BeforeAnswer => &["sent", "delivered", "read"],
            Self::None => &[],
            Self::Unread => &["sent", "delivered"],
            Self::Failed => &["sent", "failed"],
            Self::Duplicate => &["sent", "sent", "delivered", "delivered", "read", "read"],
            Self::Reversed => &["read", "delivered", "sent"],
        }
    }
}
