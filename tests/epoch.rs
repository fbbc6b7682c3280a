//! A server that has lost its lease can write nothing: neither runs, nor what their steps write into the CRM.

use super::harness::{Home, Server, eventually, pause};
use onward_core::{NodeId, Timestamp, ports::Clock as _};
use onward_database::{Database, Query as _, SystemClock, SystemIds, args};
use serde_json::json;
use std::sync::Arc;

const NOTE: &str = "name: note
on:
  - event: note.asked
steps:
  - id: person
    do: crm.contact.upsert
    with: { phone: \"{{ event.data.phone }}\", name: Asha }
";

const LATER: &str = "name: later
on:
  - event: later.asked
steps:
  - delay: 1s
  - id: person
    do: crm.contact.upsert
    with: { phone: \"+919812340000\", name: Meera }
";
/// Milliseconds after which the delay of `later` is over.
const LATER_MS: i64 = 1_500;

/// A second process on the file, as a lock file that somebody has removed would allow.
async fn second(home: &Home) -> Database {
    std::fs::remove_file(home.folder().join("onward.db.lock")).unwrap();
    Database::open(&format!("sqlite://{}", home.database().display()), Arc::new(SystemIds::new())).await.unwrap()
}

async fn take_over(database: &Database, node: NodeId, until: Timestamp) {
    let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
    tx.execute("UPDATE leases SET epoch = epoch + 1, node = $1, expires_at = $2", args![node, until]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    database.reader().fetch_one(sql, args![]).await.unwrap().get("n").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_take_over_every_commit_is_refused() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("note", NOTE).await;
    let ask = |number: i64| json!({ "type": "note.asked", "data": { "phone": format!("+9198123456{number:02}") } });
    let id = api.post("/api/v1/events", &ask(0)).await.expect(202)["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    api.run_in(&id, "completed").await;

    api.publish("later", LATER).await;
    let sleeper =
        api.post("/api/v1/events", &json!({ "type": "later.asked", "data": {} })).await.expect(202)["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    api.run_in(&sleeper, "waiting").await;
    let database = second(&home).await;
    let clock = SystemClock::new();
    let other = NodeId(onward_core::ports::Ids::fresh(&SystemIds::new(), clock.now()));
    take_over(&database, other, clock.now().plus_millis(3_600_000)).await;
    let (contacts, runs, history) = (
        count(&database, "SELECT count(*) AS n FROM contacts").await,
        count(&database, "SELECT count(*) AS n FROM runs").await,
        count(&database, "SELECT count(*) AS n FROM history").await,
    );
    for number in 1..20 {
        let answer = api.post("/api/v1/events", &ask(number)).await;
        assert_eq!(answer.status, 503, "number {number}: {}", answer.text);
        let created = api.post("/api/v1/contacts", &json!({ "name": format!("Nobody {number}") })).await;
        assert_eq!(created.status, 503, "number {number}: {}", created.text);
    }
    pause(LATER_MS).await;
    assert_eq!(api.get(&format!("/api/v1/runs/{sleeper}")).await["status"], "waiting", "its time has come, and this server may not say so");
    assert_eq!(count(&database, "SELECT count(*) AS n FROM contacts").await, contacts, "no step wrote into the CRM");
    assert_eq!(count(&database, "SELECT count(*) AS n FROM runs").await, runs);
    assert_eq!(count(&database, "SELECT count(*) AS n FROM history").await, history);
    assert_eq!(count(&database, "SELECT count(DISTINCT node) AS n FROM leases WHERE node IS NOT NULL").await, 1, "the shards are still the other's");
    // Reading still works, and when the other one's lease has run out the server goes on by itself.
    api.get("/api/v1/runs").await;
    take_over(&database, other, clock.now()).await;
    database.close().await;
    let id = eventually("the server takes its shards again", || async {
        let answer = api.post("/api/v1/events", &ask(50)).await;
        (answer.status == 202).then(|| answer.body["items"][0]["run_ids"][0].as_str().unwrap().to_owned())
    })
    .await;
    api.run_in(&id, "completed").await;
    api.run_in(&sleeper, "completed").await;
    assert_eq!(api.all("/api/v1/contacts?phone=%2B919812340000").await.len(), 1, "what was held is done once");
}
