//! The built binary, killed with `kill -9` at random moments under load.
//!
//! `ONWARD_KILLS` says how often (10 when unset), `ONWARD_SEED` from what the moments are made.

use super::harness::{Api, Home, Server, connect, pause, sandbox};
use onward_core::Value;
use onward_sandbox::{Behaviour, SandboxHandle, Target};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A transactional step, an external call, a sleep, an at-most-once message, and transactional steps that build on each other.
pub(super) const PIPELINE: &str = "name: pipeline
on:
  - event: load.order
steps:
  - id: begin
    do: crm.contact.note
    with: { text: \"begin {{ event.data.n }}\" }
  - id: call
    do: http.request
    with: { method: POST, url: \"{{ event.data.url }}\", body: { n: \"{{ event.data.n }}\" } }
    retry: { max_attempts: 50, initial: 50ms, factor: 1.5, max: 500ms }
  - delay: 100ms
  - id: tell
    do: message.send
    with: { text: \"order {{ event.data.n }}\" }
    on_error: continue
  - id: end
    do: crm.contact.note
    with: { text: \"end {{ event.data.n }}\" }
  - id: who
    do: crm.user.pick
    with: { team: sales }
  - id: deal
    do: crm.deal.create
    with: { title: \"deal {{ event.data.n }}\", owner: \"{{ steps.who.id }}\" }
  - id: task
    do: crm.task.create
    with: { title: \"task {{ event.data.n }}\", user: \"{{ steps.who.id }}\" }
  - stop: { output: { n: \"{{ event.data.n }}\" } }
";

/// Customers over whom the load is spread.
const CUSTOMERS: usize = 5;
/// Events for each kill.
const EVENTS_PER_KILL: u64 = 25;

pub(super) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Posts events until all are acknowledged, through every kill: what gets no answer is sent again, as the same event.
pub(super) async fn load(api: Api, url: String, contacts: Vec<String>, allowed: Arc<AtomicU64>, all: u64) -> BTreeMap<u64, String> {
    let mut acknowledged = BTreeMap::new();
    let mut next = 0;
    while next < all {
        if next >= allowed.load(Ordering::Acquire) {
            pause(5).await;
            continue;
        }
        let event = json!({
            "type": "load.order", "source": "load", "id": next.to_string(),
            "data": { "n": next, "url": url, "contact_id": contacts[next as usize % contacts.len()] },
        });
        match api.try_post("/api/v1/events", &event).await {
            Ok(answer) if answer.status == 202 => {
                let item = &answer.body["items"][0];
                let run = item["run_ids"].as_array().and_then(|ids| ids.first()).map(text).unwrap_or_default();
                acknowledged.insert(next, run);
                next += 1;
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{}", answer.text);
                pause(20).await;
            }
            Err(_) => pause(20).await,
        }
    }
    acknowledged
}

pub(super) async fn contacts(sandbox: &SandboxHandle, api: &Api) -> Vec<String> {
    let outside = Api::new(&sandbox.base_url(), "none");
    for customer in 0..CUSTOMERS {
        let message = json!({ "text": "Hi", "name": format!("Customer {customer}") });
        let answer = outside.post(&format!("/sandbox/customers/91981234567{customer}/messages"), &message).await.expect(200);
        assert_eq!(answer["delivered"], true, "{answer}");
    }
    let found = api.all("/api/v1/contacts").await;
    assert_eq!(found.len(), CUSTOMERS);
    found.iter().map(|contact| text(&contact["id"])).collect()
}

/// Three users who take turns.
pub(super) async fn team(api: &Api) {
    let mut members = Vec::new();
    for name in ["a", "b", "c"] {
        let user = json!({ "email": format!("{name}@example.com"), "password": "correct horse battery" });
        members.push(text(&api.post("/api/v1/users", &user).await.expect(201)["id"]));
    }
    api.post("/api/v1/teams", &json!({ "name": "sales", "members": members })).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_or_done_twice() {
    killed(Home::fresh(), number("ONWARD_KILLS", 10)).await;
}

/// Every second time it is PostgreSQL that is killed, with all its processes.
#[tokio::test(flavor = "multi_thread")]
async fn killed_on_postgres_nothing_is_lost_or_done_twice() {
    killed(Home::on_postgres(), number("ONWARD_KILLS", 10).div_ceil(3)).await;
}

async fn killed(home: Home, kills: u64) {
    let seed = number("ONWARD_SEED", 4_711);
    let mut chance = StdRng::seed_from_u64(seed);
    let sandbox = sandbox(seed).await;
    // Slow enough that a kill finds calls in flight.
    sandbox.order(Behaviour { target: Target::Http, latency_ms: 15, times: None, ..Behaviour::default() });
    sandbox.order(Behaviour { target: Target::Messages, latency_ms: 15, times: None, ..Behaviour::default() });
    let mut server = Server::start_with(&home, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    let api = server.api(&home).await;
    connect(&server, &api, &sandbox).await;
    api.publish("pipeline", PIPELINE).await;
    let contacts = contacts(&sandbox, &api).await;
    team(&api).await;

    let allowed = Arc::new(AtomicU64::new(0));
    let all = kills * EVENTS_PER_KILL;
    let url = format!("{}/http/orders", sandbox.base_url());
    let loading = tokio::spawn(load(api.clone(), url, contacts.clone(), Arc::clone(&allowed), all));
    let mut moments = Vec::new();
    for kill in 0..kills {
        allowed.fetch_add(EVENTS_PER_KILL, Ordering::AcqRel);
        let moment = chance.random_range(20..600);
        moments.push(moment);
        pause(moment).await;
        if let Some(postgres) = home.postgres().filter(|_| kill % 2 == 1) {
            postgres.crash().await;
            continue;
        }
        server.kill().await;
        server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    }
    let acknowledged = loading.await.unwrap();
    api.all_ended("pipeline").await;
    let judged = Judged::of(&api, &sandbox, &contacts).await;
    println!(
        "kill: seed {seed}, {kills} kills after {moments:?} ms, {} runs, {} external calls, {} sends, {} unknown outcomes",
        judged.runs.len(),
        judged.calls,
        judged.sends,
        judged.unknown
    );
    judged.nothing_is_missing(&acknowledged);
    assert!(server.stop().await.success());
}

/// What is left to look at.
pub(super) struct Judged {
    /// `n` → run id.
    pub(super) runs: BTreeMap<u64, String>,
    pub(super) calls: usize,
    pub(super) sends: usize,
    pub(super) unknown: usize,
}

impl Judged {
    pub(super) async fn of(api: &Api, sandbox: &SandboxHandle, contacts: &[String]) -> Self {
        let mut runs = BTreeMap::new();
        let mut unknown = 0;
        let mut told = BTreeSet::new();
        for run in api.all("/api/v1/runs?workflow=pipeline").await {
            assert_eq!(run["status"], "completed", "{run:#}");
            let (n, id) = (run["output"]["n"].as_u64().unwrap(), text(&run["id"]));
            assert_eq!(runs.insert(n, id.clone()), None, "event {n} started two runs");
            let history = api.history(&id).await;
            let of = |kind: &str, step: &str| history.iter().filter(|entry| entry["kind"] == kind && entry["step"] == step).cloned().collect::<Vec<_>>();
            for step in ["begin", "call", "end"] {
                assert_eq!(of("step_completed", step).len(), 1, "step {step} of run {id}: {history:#?}");
            }
            match (of("step_completed", "tell").as_slice(), of("step_failed", "tell").as_slice()) {
                ([done], []) => assert!(told.insert(text(&done["output"]["message_id"])), "one message for two runs"),
                ([], [failed]) => {
                    assert_eq!(failed["error"]["code"], "outcome_unknown", "{failed:#}");
                    unknown += 1;
                }
                _ => panic!("the message of run {id} did not end once: {history:#?}"),
            }
        }
        let calls = calls_are_repeated_only_with_their_key(sandbox);
        let sends = no_message_is_sent_twice(sandbox, &told);
        notes_stand_once(api, contacts, &runs).await;
        turns_are_taken_once(api, &runs).await;
        Self { runs, calls, sends, unknown }
    }

    pub(super) fn nothing_is_missing(&self, acknowledged: &BTreeMap<u64, String>) {
        for (n, run) in acknowledged {
            let found = self.runs.get(n).unwrap_or_else(|| panic!("event {n} was acknowledged and has no run"));
            // A repetition of an event whose acknowledgement was lost may not know the run any more.
            assert!(run.is_empty() || run == found, "event {n} was acknowledged with run {run}, and is {found}");
        }
        assert_eq!(self.runs.len(), acknowledged.len());
    }
}

fn calls_are_repeated_only_with_their_key(sandbox: &SandboxHandle) -> usize {
    let calls = sandbox.http_calls();
    let mut keys: BTreeMap<String, (String, Value)> = BTreeMap::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for call in &calls {
        let n = call.body["n"].to_string();
        let key = call.headers["idempotency-key"].clone();
        let first = keys.entry(n.clone()).or_insert_with(|| (key.clone(), call.body.clone()));
        assert_eq!(*first, (key.clone(), call.body.clone()), "a repeated call of event {n} is another call");
        assert_eq!(*owners.entry(key).or_insert_with(|| n.clone()), n, "two events share a key");
    }
    calls.len()
}

fn no_message_is_sent_twice(sandbox: &SandboxHandle, told: &BTreeSet<String>) -> usize {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for send in sandbox.sends() {
        *sent.entry(send.biz_opaque_callback_data.clone().unwrap_or_default()).or_default() += 1;
    }
    for (id, times) in &sent {
        assert_eq!(*times, 1, "message {id} was sent {times} times");
    }
    for id in told {
        assert!(sent.contains_key(id), "message {id} counts as sent and never was");
    }
    sent.len()
}

/// The transactional steps: each note is in the timeline once.
pub(super) async fn notes_stand_once(api: &Api, contacts: &[String], runs: &BTreeMap<u64, String>) {
    let mut notes: BTreeMap<String, usize> = BTreeMap::new();
    for contact in contacts {
        for item in api.all(&format!("/api/v1/contacts/{contact}/timeline")).await {
            if item["kind"] == "note" {
                *notes.entry(text(&item["text"])).or_default() += 1;
            }
        }
    }
    for n in runs.keys() {
        for word in ["begin", "end"] {
            assert_eq!(notes.get(&format!("{word} {n}")), Some(&1), "the note `{word} {n}`");
        }
    }
    assert_eq!(notes.len(), 2 * runs.len());
}

/// Each run has one deal and one task, of the same user, and nobody's turn was skipped or taken twice.
async fn turns_are_taken_once(api: &Api, runs: &BTreeMap<u64, String>) {
    let mut owners = BTreeMap::new();
    for deal in api.all("/api/v1/deals").await {
        assert_eq!(owners.insert(text(&deal["title"]).replace("deal ", ""), text(&deal["owner"])), None, "{deal:#} is there twice");
    }
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    let tasks = api.all("/api/v1/tasks").await;
    for task in &tasks {
        let user = text(&task["assigned_user"]);
        assert_eq!(owners.get(&text(&task["title"]).replace("task ", "")), Some(&user), "{task:#}");
        *turns.entry(user).or_default() += 1;
    }
    assert_eq!((owners.len(), tasks.len()), (runs.len(), runs.len()));
    let (most, fewest) = (turns.values().max().copied().unwrap_or_default(), turns.values().min().copied().unwrap_or_default());
    assert!(turns.len() == 3 && most - fewest <= 1, "{turns:?}");
}
