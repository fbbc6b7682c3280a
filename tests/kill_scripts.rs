//! The built binary, killed with `kill -9` at random moments while runs of a script are in flight: every run finds its history
//! again and goes on where it stood; nothing is lost, nothing is done twice, and every replay is the same.
//!
//! `ONWARD_KILLS` says how often (10 when unset), `ONWARD_SEED` from what the moments are made.

use super::{
    harness::{Api, Home, Server, pause, sandbox},
    kill::{number, text},
};
use onward_core::Value;
use onward_sandbox::{Behaviour, SandboxHandle, Target};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Transactional steps, calls to the outside, sleeps and waits, one after the other and side by side; more calls than a script needs to
/// keep its thread.
const SCRIPT: &str = r#"
//! name: counted
//! on: [{ event: load.script }]
//! retry: { max_attempts: 50, initial: 50ms, factor: 1.5, max: 500ms }
let n = event.data.n;
for i in 0..9 { step("crm.score.add", #{ points: 1 }); }
let reply = step("call", "http.request", #{ method: "POST", url: event.data.url, body: #{ n: n, call: "first" } });
sleep("100ms");
let both = parallel([
    || {
        for i in 0..5 { step(`left_${i}`, "crm.score.add", #{ points: 1 }); }
        random(1, 1000)
    },
    || {
        step("right", "http.request", #{ method: "POST", url: event.data.url, body: #{ n: n, call: "second" } }).status
    },
]);
emit("script.halfway", #{ n: n });
let heard = wait_for("script.halfway", #{ n: n }, "1h");
for i in 0..9 { step("crm.score.add", #{ points: 1 }); }
#{ n: n, status: reply.status, chance: both[0], other: both[1], heard: heard != () }
"#;

/// Points that one run adds to its contact's score.
const POINTS: u64 = 23;
/// Runs begun before each kill.
const RUNS_PER_KILL: u64 = 5;

/// Posts an event until it is acknowledged, through every kill.
async fn send(api: &Api, event: &Value) {
    loop {
        match api.try_post("/api/v1/events", event).await {
            Ok(answer) if answer.status == 202 => return,
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text),
            Err(_) => {}
        }
        pause(20).await;
    }
}

/// A call is made again only under its key, with the same body, and no two calls share one.
fn calls_have_one_key(sandbox: &SandboxHandle, runs: u64) -> usize {
    let calls = sandbox.http_calls();
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for call in &calls {
        keys.entry(call.body.to_string()).or_default().insert(call.headers["idempotency-key"].clone());
    }
    assert_eq!(keys.len() as u64, 2 * runs, "each run makes two calls");
    assert!(keys.values().all(|keys| keys.len() == 1), "a repeated call is another call: {keys:#?}");
    assert_eq!(keys.values().flatten().collect::<BTreeSet<_>>().len(), keys.len(), "two calls share a key");
    calls.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_killed_at_random_moments_lose_nothing_and_do_nothing_twice() {
    let (kills, seed) = (number("ONWARD_KILLS", 10), number("ONWARD_SEED", 4_711));
    let mut chance = StdRng::seed_from_u64(seed);
    let home = Home::fresh();
    let sandbox = sandbox(seed).await;
    // Slow enough that a kill finds calls in flight.
    sandbox.order(Behaviour { target: Target::Http, latency_ms: 15, times: None, ..Behaviour::default() });
    let mut server = Server::start_with(&home, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    let api = server.api(&home).await;
    api.publish("counted", SCRIPT).await;
    let contact = text(&api.post("/api/v1/contacts", &json!({ "name": "Counted" })).await.expect(201)["id"]);
    let url = format!("{}/http/orders", sandbox.base_url());
    let all = kills * RUNS_PER_KILL;
    let mut sent = 0;
    for _ in 0..kills {
        for _ in 0..RUNS_PER_KILL {
            let data = json!({ "n": sent, "url": url, "contact_id": contact });
            send(&api, &json!({ "type": "load.script", "source": "load", "id": sent.to_string(), "data": data })).await;
            sent += 1;
        }
        pause(chance.random_range(0..400)).await;
        server.kill().await;
        server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    }
    api.all_ended("counted").await;
    let runs = api.all("/api/v1/runs?workflow=counted").await;
    let mut found = BTreeSet::new();
    for run in &runs {
        assert_eq!(run["status"], "completed", "{run:#}");
        let output = &run["output"];
        assert_eq!((&output["heard"], &output["status"], &output["other"]), (&json!(true), &json!(200), &json!(200)), "{run:#}");
        assert!(found.insert(output["n"].as_u64().unwrap()), "an event started two runs: {run:#}");
    }
    assert_eq!(found.len() as u64, all, "each event that was acknowledged has its run");
    assert_eq!(api.get(&format!("/api/v1/contacts/{contact}")).await["score"], POINTS * all, "no step is lost or done twice");
    let made = calls_have_one_key(&sandbox, all);
    home.write("counted.rhai", SCRIPT);
    let last = all.to_string();
    let replayed = home.onward(&["replay", "--workflow", "counted", "--last", &last, "--against", "counted.rhai", "--json"]).await.good().json();
    let replayed = replayed["runs"].as_array().unwrap();
    assert_eq!(replayed.len() as u64, all);
    assert!(replayed.iter().all(|run| run["same"] == true), "{replayed:#?}");
    println!("kill: seed {seed}, {kills} kills, {all} runs of a script, {made} external calls");
    assert!(server.stop().await.success());
}
