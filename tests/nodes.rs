//! Several servers on one PostgreSQL.

use super::harness::{Api, Home, Server, eventually};
use onward_core::ports::Clock as _;
use onward_database::{Database, SystemClock, SystemIds, args};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

const NAP: &str = "name: nap
on:
  - event: load.order
key: \"{{ event.data.n }}\"
steps:
  - id: begin
    do: debug.echo
    with: { n: \"{{ event.data.n }}\" }
  - delay: 2s
  - stop: { output: { n: \"{{ event.data.n }}\" } }
";

/// Milliseconds within which a dead server's shards must be taken (DESIGN.md, command line).
const TAKE_OVER_MS: i64 = 5_000;
const EVENTS: usize = 40;
const VISITS: usize = 200;

async fn send(api: &Api, from: usize) {
    for n in from..from + EVENTS {
        let event = json!({ "type": "load.order", "source": "load", "id": n.to_string(), "data": { "n": n } });
        // While a dead server's shards are being taken, somebody may have to ask again.
        eventually("the event is taken in", || async {
            let answer = api.post("/api/v1/events", &event).await;
            (answer.status == 202).then_some(())
        })
        .await;
    }
}

async fn outputs(api: &Api) -> Option<Vec<u64>> {
    let runs = api.all("/api/v1/runs?workflow=nap").await;
    let ended: Vec<u64> = runs.iter().filter(|run| run["status"] == "completed").filter_map(|run| run["output"]["n"].as_u64()).collect();
    (ended.len() == runs.len()).then_some(ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_share_the_work_and_the_dead_ones_is_taken_over() {
    let home = Home::on_postgres();
    // At one time, on a database without a table.
    let (first, second) = tokio::join!(Server::start(&home), Server::start(&home));
    // A command beside them owns nothing, and is heard.
    let api = second.api(&home).await;
    let of_first = Api::new(&first.url(), api.token());
    api.publish("nap", NAP).await;
    // As if each ran on a machine of its own, where nobody can tell that it was killed.
    let database = database(&home).await;
    let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
    tx.execute("UPDATE nodes SET process = ''", args![]).await.unwrap();
    tx.commit().await.unwrap();
    // Published on one, started on the other.
    send(&of_first, 0).await;
    send(&api, EVENTS).await;
    first.kill().await;
    let clock = SystemClock::new();
    let killed = clock.now();
    send(&api, 2 * EVENTS).await;
    let ended = eventually("every run ends", || async { outputs(&api).await.filter(|ended| ended.len() == 3 * EVENTS) }).await;
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), (0..3 * EVENTS as u64).collect(), "each event has one run");
    // Naps of the dead one were due 2 s after they began at the latest.
    let took = clock.now().millis_since(killed);
    println!("nodes: everything had ended {took} ms after the kill (take-over within {TAKE_OVER_MS} ms, then naps of 2 s)");
    assert!(!second.log().contains("panicked"), "{}", second.log());
}

async fn database(home: &Home) -> Database {
    Database::open(home.postgres().unwrap().url(), Arc::new(SystemIds::new())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_that_is_started_again_goes_on_at_once() {
    let home = Home::on_postgres();
    let killed = Server::start(&home).await;
    let api = killed.api(&home).await;
    api.publish("nap", NAP).await;
    send(&api, 0).await;
    killed.kill().await;
    // Whoever waits for these leases to end waits for an hour.
    let database = database(&home).await;
    let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
    tx.execute("UPDATE leases SET expires_at = expires_at + 3600000", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let again = Server::start(&home).await;
    let api = again.api(&home).await;
    let ended = eventually("every run ends", || async { outputs(&api).await.filter(|ended| ended.len() == EVENTS) }).await;
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), (0..EVENTS as u64).collect(), "each event has one run");
    assert!(again.stop().await.success());
}

const VISIT: &str = "name: visit
on:
  - event: shop.visit
steps:
  - do: crm.contact.upsert
    with: { email: \"visitor{{ event.data.n % 5 }}@example.com\" }
  - do: crm.score.add
    with: { points: 1 }
  - delay: 10ms
  - do: crm.score.add
    with: { points: 1 }
";

/// Runs of both servers make and change the same few contacts.
#[tokio::test(flavor = "multi_thread")]
async fn people_whom_several_servers_hear_of_are_made_once_and_keep_every_point() {
    let home = Home::on_postgres();
    let (first, second) = tokio::join!(Server::start(&home), Server::start(&home));
    let api = second.api(&home).await;
    api.publish("visit", VISIT).await;
    let apis = [Api::new(&first.url(), api.token()), api.clone()];
    let visits: Vec<_> = (0..VISITS)
        .map(|n| {
            let api = apis[n % 2].clone();
            tokio::spawn(async move {
                let visit = json!({ "type": "shop.visit", "source": "shop", "id": n.to_string(), "data": { "n": n } });
                // A busy machine may be told to ask again.
                eventually("the visit is taken in", || async { (api.post("/api/v1/events", &visit).await.status == 202).then_some(()) }).await;
            })
        })
        .collect();
    for visit in visits {
        visit.await.unwrap();
    }
    let clock = SystemClock::new();
    let begun = clock.now();
    eventually("every run ends", || async {
        let runs = api.all("/api/v1/runs").await;
        (runs.len() == VISITS && runs.iter().all(|run| run["status"] == "completed")).then_some(())
    })
    .await;
    println!("nodes: {VISITS} visits of 5 people had ended {} ms after the last was taken in", clock.now().millis_since(begun));
    let people = api.all("/api/v1/contacts").await;
    assert_eq!(people.len(), 5, "{people:?}");
    for person in &people {
        assert_eq!(person["score"], 2 * VISITS / 5, "{person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing_and_a_server_without_shards_takes_events_in() {
    let home = Home::on_postgres();
    let worker = Server::start_with(&home, "127.0.0.1:0", &["--role", "worker"]).await;
    let door = Server::start_with(&home, "127.0.0.1:0", &["--role", "api"]).await;
    let api = door.api(&home).await;
    api.publish("nap", NAP).await;
    send(&api, 0).await;
    // Another comes and takes its share, then the first goes, in order.
    let other = Server::start_with(&home, "127.0.0.1:0", &["--role", "worker"]).await;
    eventually("the newcomer has its share", || async { other.log().contains("shards taken").then_some(()) }).await;
    send(&api, EVENTS).await;
    assert!(worker.stop().await.success());
    send(&api, 2 * EVENTS).await;
    let ended = eventually("every run ends", || async { outputs(&api).await.filter(|ended| ended.len() == 3 * EVENTS) }).await;
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>().len(), 3 * EVENTS);
    // What is asked of a server that owns nothing reaches whoever does, and the answer comes back.
    let event = json!({ "type": "load.order", "source": "load", "id": "last", "data": { "n": "last" } });
    let taken = api.post("/api/v1/events", &event).await.expect(202);
    let run = taken["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    api.post(&format!("/api/v1/runs/{run}/cancel"), &json!({ "reason": "never mind" })).await.expect(202);
    api.run_in(&run, "cancelled").await;
    assert!(other.stop().await.success() && door.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_at_one_server_hears_what_another_did() {
    let home = Home::on_postgres();
    let worker = Server::start_with(&home, "127.0.0.1:0", &["--role", "worker"]).await;
    let door = Server::start_with(&home, "127.0.0.1:0", &["--role", "api"]).await;
    let api = door.api(&home).await;
    let source = "name: asked
on: [{ webhook: { path: asked, verify: none, respond: finished } }]
steps: [{ delay: 1ms }, { stop: { output: { said: '{{ event.data.word }}' } } }]
";
    api.publish("asked", source).await;
    let doctor = home.onward(&["doctor", "--json"]).await.good().json();
    let nodes: Vec<&str> =
        doctor["items"].as_array().unwrap().iter().filter(|item| item["subject"] == "node").map(|item| item["text"].as_str().unwrap()).collect();
    assert!(
        nodes.len() == 2 && nodes.iter().any(|node| node.contains("(worker), 256 of 256 shards")) && nodes.iter().any(|node| node.contains("(api), 0 of 256")),
        "{nodes:?}"
    );
    // The server without shards answers the sender as soon as the other has committed the run's end.
    for word in ["one", "two", "three"] {
        let answer = api.post("/hooks/in/asked", &json!({ "word": word })).await.expect(200);
        assert_eq!((&answer["status"], &answer["output"]), (&json!("completed"), &json!({ "said": word })), "{answer}");
    }
    assert!(worker.stop().await.success() && door.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_says_nothing_says_that_it_is_not_ready() {
    let home = Home::on_postgres();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let database = database(&home).await;
    let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
    tx.execute("LOCK TABLE pauses IN ACCESS EXCLUSIVE MODE", args![]).await.unwrap();
    assert_eq!(api.ask("/readyz").await.status, 503);
    tx.rollback().await;
    api.get("/readyz").await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn roles_need_postgres() {
    let home = Home::fresh();
    let refused = home.onward(&["serve", "--role", "worker"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("PostgreSQL"), "{}", refused.err);
}
