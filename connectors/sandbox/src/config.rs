//! What the sandbox plays.

use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A business number and its app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The number's id.
    pub phone_number_id: String,
    /// The token that calls must carry.
    pub access_token: String,
    /// Signs the webhooks.
    pub app_secret: String,
    /// Asked for when the webhook address is verified.
    pub verify_token: String,
    /// Where messages and statuses are posted; nowhere when absent.
    #[serde(default)]
    pub webhook_url: Option<String>,
    /// The id of the business account.
    #[serde(default = "default_waba_id")]
    pub waba_id: String,
    /// The number as people see it.
    #[serde(default = "default_display_phone_number")]
    pub display_phone_number: String,
}

fn default_waba_id() -> String {
    "100000000000001".to_owned()
}
fn default_display_phone_number() -> String {
    "15550100000".to_owned()
}

impl Account {
    /// A number without a webhook address.
    pub fn new(phone_number_id: impl Into<String>, access_token: impl Into<String>, app_secret: impl Into<String>, verify_token: impl Into<String>) -> Self {
        Self {
            phone_number_id: phone_number_id.into(),
            access_token: access_token.into(),
            app_secret: app_secret.into(),
            verify_token: verify_token.into(),
            webhook_url: None,
            waba_id: default_waba_id(),
            display_phone_number: default_display_phone_number(),
        }
    }
    /// Posts to this address.
    #[must_use]
    pub fn with_webhook(mut self, url: impl Into<String>) -> Self {
        self.webhook_url = Some(url.into());
        self
    }
}

/// How a sandbox starts.
#[derive(Clone)]
pub struct Config {
    /// The first number.
    pub account: Account,
    /// What its ids are made from. Two sandboxes with one seed give the same ids: a server that remembers the first takes
    /// the second one's messages for repetitions, so give each start a seed of its own unless it is a test.
    pub seed: u64,
    /// Refuses free-form messages to customers who have not written in the last 24 hours (131047).
    pub enforce_window: bool,
    /// Between an accepted send and each of its statuses.
    pub status_interval: Duration,
    /// Before a webhook that was not answered 200 is posted the second time; doubled each time.
    pub first_retry: Duration,
    /// How often a webhook is posted at the most.
    pub attempts: u32,
    /// Unix seconds now; for the timestamps of messages and for the window.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Config {
    /// A sandbox with one number: quick, without a window, on the system's clock.
    pub fn new(account: Account, seed: u64) -> Self {
        Self {
            account,
            seed,
            enforce_window: false,
            status_interval: Duration::ZERO,
            first_retry: Duration::from_millis(500),
            attempts: 10,
            now: Arc::new(system_seconds),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is the outside world: its messages carry the wall clock's time; tests hand in their own")]
fn system_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
