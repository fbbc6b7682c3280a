//! Why a run does not move, as the API tells it.

use super::Server;
use http::Method;
use onward_core::Value;
use serde_json::json;

const ONE_AT_A_TIME: &str = "name: waiting
on: [{ manual: {} }]
limits: { concurrency: { max: 1, key: one } }
steps:
  - { id: reply, wait_for: { event: message.received, match: { contact_id: c1 } }, timeout: 30d }
";
const PARENT: &str = "name: parent
on: [{ manual: {} }]
steps:
  - { id: sub, call: napping }
";
const CHILD: &str = "name: napping
on: [{ manual: {} }]
steps:
  - { id: nap, delay: 30d }
";

async fn why(server: &Server, run: &Value) -> Value {
    server.get(&format!("/api/v1/runs/{}/why", run.as_str().unwrap())).await.expect(200).json()
}

#[tokio::test]
async fn what_is_waited_for_who_is_ahead_and_who_paused_it() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/waiting/publish", json!({ "source": ONE_AT_A_TIME })).await.expect(200);
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(server.post("/api/v1/workflows/waiting/runs", json!({})).await.expect(202).json()["run_id"].clone());
    }
    let first = why(&server, &runs[0]).await;
    assert_eq!((&first["status"], &first["more"], first["reasons"].as_array().map(Vec::len)), (&json!("waiting"), &json!(0), Some(1)), "{first:#}");
    let reason = &first["reasons"][0];
    assert_eq!((&reason["kind"], &reason["step"]), (&json!("event"), &json!("reply")));
    assert_eq!(reason["events"], json!([{ "name": "event", "event": "message.received", "match": { "contact_id": "c1" } }]));
    assert!(reason["until"].is_string() && first["owner"]["node"].is_string(), "{first:#}");

    let third = why(&server, &runs[2]).await;
    let reason = &third["reasons"][0];
    assert_eq!(
        (&third["status"], &reason["kind"], &reason["held_by"], &reason["key"]),
        (&json!("held"), &json!("start"), &json!("concurrency"), &json!("one"))
    );
    assert_eq!((&reason["place"], &reason["ahead"], &reason["holders"]), (&json!(2), &json!([runs[1]]), &json!([runs[0]])), "{third:#}");

    let path = "/api/v1/workflows/waiting/pause";
    server.post(path, json!({ "step": "reply", "reason": "not this one" })).await.expect(200);
    server.post(path, json!({ "reason": "the bank is closed" })).await.expect(200);
    let paused = why(&server, &runs[0]).await;
    let reason = &paused["reasons"][0];
    assert_eq!((&reason["kind"], &reason["scope"], &reason["reason"]), (&json!("paused"), &json!("workflow"), &json!("the bank is closed")), "{paused:#}");
    assert!(reason["by"].is_string() && reason["at"].is_string(), "{paused:#}");
    assert_eq!(reason["resume"], "onward workflows resume waiting");
    assert_eq!(paused["reasons"][1]["kind"], "event", "{paused:#}");
}

#[tokio::test]
async fn a_run_that_waits_for_another_tells_that_ones_reason() {
    let server = Server::start().await;
    for (name, source) in [("napping", CHILD), ("parent", PARENT)] {
        server.post(&format!("/api/v1/workflows/{name}/publish"), json!({ "source": source })).await.expect(200);
    }
    let run = server.post("/api/v1/workflows/parent/runs", json!({})).await.expect(202).json()["run_id"].clone();
    let told = why(&server, &run).await;
    let reason = &told["reasons"][0];
    assert_eq!((&reason["kind"], &reason["workflow"]), (&json!("run"), &json!("napping")), "{told:#}");
    assert_eq!((&reason["why"]["status"], &reason["why"]["reasons"][0]["kind"]), (&json!("waiting"), &json!("timer")), "{told:#}");

    server.post(&format!("/api/v1/runs/{}/cancel", run.as_str().unwrap()), json!({ "reason": "enough" })).await.expect(202);
    server.ended(run.as_str().unwrap()).await;
    let ended = why(&server, &run).await;
    assert_eq!((&ended["reasons"][0]["kind"], &ended["reasons"][0]["status"]), (&json!("ended"), &json!("cancelled")), "{ended:#}");
    assert!(ended["reasons"][0]["text"].as_str().unwrap().contains("enough"));

    let (_, stranger) = server.other_organisation().await;
    let path = format!("/api/v1/runs/{}/why", run.as_str().unwrap());
    server.call_as(&stranger, Method::GET, &path, Value::Null).await.problem(404, "not_found");
}
