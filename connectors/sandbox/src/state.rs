//! What the sandbox remembers.

use crate::{
    behaviour::{Behaviour, Target},
    config::{Account, Config},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::watch, task::JoinSet};

/// A send that was accepted: what a customer could see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AcceptedSend {
    /// From 1.
    pub number: usize,
    /// The id that the answer gave.
    pub id: String,
    /// Which number sent it.
    pub phone_number_id: String,
    /// To whom.
    pub to: String,
    /// `text`, `interactive`, `template` …
    pub kind: String,
    /// What the caller wants back with every status.
    pub biz_opaque_callback_data: Option<String>,
    /// The whole request.
    pub body: Value,
    /// Unix seconds.
    pub at: i64,
    /// The statuses that were posted so far.
    pub statuses: Vec<String>,
}

/// A call of `/http/…`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpCall {
    /// From 1.
    pub number: usize,
    /// The method.
    pub method: String,
    /// Path and query, `/http` left out.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The value when the body is JSON, else its text.
    pub body: Value,
    /// The status that was answered; `null` when the connection was dropped.
    pub answered: Option<u16>,
}

/// How much of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Sends that were accepted, answered or not.
    pub accepted: u64,
    /// Sends that were answered with an error.
    pub refused: u64,
    /// Connections that were ended without an answer.
    pub dropped: u64,
    /// Webhooks that were answered 200.
    pub webhooks_delivered: u64,
    /// Posts of webhooks that were answered otherwise, or not at all.
    pub webhooks_failed: u64,
    /// Webhooks that were given up.
    pub webhooks_given_up: u64,
    /// Calls of `/http/…`.
    pub http_calls: u64,
}

/// A line of a conversation, as the customer's phone shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    /// `customer` or `business`.
    pub(crate) from: &'static str,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) buttons: Vec<Value>,
    pub(crate) at: i64,
}

/// A customer of one number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customer {
    pub(crate) lines: Vec<Line>,
    /// Unix seconds of their last message: the 24-hour window.
    pub(crate) wrote_at: Option<i64>,
}

pub(crate) struct Inner {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) behaviours: VecDeque<Behaviour>,
    pub(crate) sends: Vec<AcceptedSend>,
    pub(crate) http_calls: Vec<HttpCall>,
    pub(crate) customers: HashMap<String, Customer>,
    pub(crate) counters: Counters,
    random: StdRng,
}

impl Inner {
    /// A number that nobody has had yet.
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        format!("{prefix}{:016X}{:016X}", self.random.next_u64(), self.random.next_u64())
    }

    /// The behaviour for a call; used up by one.
    pub(crate) fn behaviour(&mut self, target: Target, to: Option<&str>) -> Behaviour {
        let fits =
            |behaviour: &Behaviour| behaviour.target == target && behaviour.times != Some(0) && (behaviour.to.is_none() || behaviour.to.as_deref() == to);
        let Some(index) = self.behaviours.iter().position(fits) else { return Behaviour::default() };
        let found = self.behaviours[index].clone();
        if let Some(left) = self.behaviours[index].times {
            if left <= 1 {
                self.behaviours.remove(index);
            } else {
                self.behaviours[index].times = Some(left - 1);
            }
        }
        found
    }
}

/// Shared by all requests.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    /// What goes on after an answer: statuses, repeated webhooks. Ends with the sandbox.
    tasks: Mutex<JoinSet<()>>,
    pub(crate) client: reqwest::Client,
    pub(crate) config: Config,
}

impl Shared {
    pub(crate) fn new(config: Config, client: reqwest::Client) -> Arc<Self> {
        let inner = Inner {
            accounts: BTreeMap::from([(config.account.phone_number_id.clone(), config.account.clone())]),
            behaviours: VecDeque::new(),
            sends: Vec::new(),
            http_calls: Vec::new(),
            customers: HashMap::new(),
            counters: Counters::default(),
            random: StdRng::seed_from_u64(config.seed),
        };
        Arc::new(Self { inner: Mutex::new(inner), changes: watch::Sender::new(0), tasks: Mutex::new(JoinSet::new()), client, config })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with this beside everything else, until the sandbox stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all that was spawned.
    pub(crate) fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Changes something and wakes those who wait for it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let result = change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Waits until `ready` gives something.
    pub(crate) async fn wait_for<R>(&self, mut ready: impl FnMut(&Inner) -> Option<R>) -> R {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(result) = ready(&self.lock()) {
                return result;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.config.now)()
    }
}

/// Waits, as a slow provider does.
#[expect(clippy::disallowed_methods, reason = "latency is what the sandbox is asked to imitate")]
pub(crate) async fn pause(duration: std::time::Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
