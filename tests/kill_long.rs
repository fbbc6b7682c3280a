//! The built binary, killed with `kill -9` at random moments while long runs are under way: they are taken up from their
//! checkpoints, again and again, and come to the end that one history without a break comes to.
//!
//! `ONWARD_KILLS` says how often (10 when unset), `ONWARD_SEED` from what the moments are made.

use super::{
    harness::{Api, Home, Server, eventually, pause},
    kill::{number, text},
};
use onward_core::Value;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

/// Passes of the loop: each is a step and its commit's part, so that the history has some thousands of entries.
const PASSES: u64 = 1_000;

/// Adds up in the contact, and in the run beside it: at the end both must say the same.
const LONG: &str = "name: long
on:
  - event: load.long
vars: { sum: 0 }
steps:
  - id: each
    repeat:
      times: 1000
      max: 1000
      steps:
        - { id: count, do: crm.score.add, with: { points: 1 } }
        - { id: note, set: { sum: \"{{ vars.sum + 1 }}\" } }
  - stop: { output: { sum: \"{{ vars.sum }}\", score: \"{{ contact.score }}\" } }
";

/// How many checkpoints this process has used, or written.
async fn checkpoints(api: &Api, word: &str) -> u64 {
    let told = api.ask("/metrics").await.text;
    let line = told.lines().find(|line| line.starts_with("onward_checkpoints_total") && line.contains(word));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

async fn start(api: &Api, number: u64) -> (String, String) {
    let contact = text(&api.post("/api/v1/contacts", &json!({ "name": format!("Long {number}") })).await.expect(201)["id"]);
    let event = json!({ "type": "load.long", "source": "load", "id": number.to_string(), "data": { "contact_id": contact } });
    let answer = api.post("/api/v1/events", &event).await.expect(202);
    (text(&answer["items"][0]["run_ids"][0]), contact)
}

#[tokio::test(flavor = "multi_thread")]
async fn long_runs_go_on_from_their_checkpoints_however_often_they_are_killed() {
    let (kills, seed) = (number("ONWARD_KILLS", 10), number("ONWARD_SEED", 4_711));
    let mut chance = StdRng::seed_from_u64(seed);
    let home = Home::fresh();
    let mut server = Server::start_with(&home, "127.0.0.1:0", &[]).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    let api = server.api(&home).await;
    api.publish("long", LONG).await;
    let mut started = Vec::new();
    let (mut used, mut killed) = (0, 0);
    while killed < kills {
        // Always some of them are under way.
        started.push(start(&api, killed).await);
        eventually("a checkpoint is written", || async { (checkpoints(&api, "written").await > 0).then_some(()) }).await;
        pause(chance.random_range(0..200)).await;
        used += checkpoints(&api, "\"used\"").await;
        server.kill().await;
        killed += 1;
        server = Server::start_with(&home, &address, &[]).await;
    }
    for (run, contact) in &started {
        let ended = api.run_in(run, "completed").await;
        assert_eq!(ended["output"], json!({ "sum": PASSES, "score": PASSES }), "{ended:#}");
        assert_eq!(api.get(&format!("/api/v1/contacts/{contact}")).await["score"], PASSES, "no pass is lost or done twice");
    }
    used += checkpoints(&api, "\"used\"").await;
    assert!(used > 0, "no run was taken up from a checkpoint");
    assert_eq!(checkpoints(&api, "unfit").await, 0);
    let (run, _) = started.last().unwrap();
    let replayed: Value = home.onward(&["replay", run, "--json"]).await.good().json();
    assert_eq!(replayed["runs"][0]["same"], true, "{replayed:#}");
    println!("kill: seed {seed}, {kills} kills, {} long runs, {used} checkpoints used", started.len());
    assert!(server.stop().await.success());
}
