//! Pausing and resuming, what is held, and who did it.

use super::{Server, WORKFLOW};
use crate::LocalAdmin;
use http::Method;
use onward_core::Value;
use serde_json::json;

const WAITING: &str = "name: waiting
on: [{ manual: {} }]
key: one
limits: { concurrency: { max: 1 } }
steps:
  - { id: reply, wait_for: { event: never.comes, match: any }, timeout: 30d }
";

#[tokio::test]
async fn what_is_paused_is_held_shown_and_goes_on() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/waiting/publish", json!({ "source": WAITING })).await.expect(200);
    let start = || server.post("/api/v1/workflows/waiting/runs", json!({}));
    let first = start().await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    let second = start().await.expect(202).json();
    assert!(second["held"].as_str().is_some_and(|reason| reason.contains("limits.concurrency")), "{second}");
    let held = server.get("/api/v1/runs?status=held").await.items();
    assert_eq!((&held[0]["id"], &held[0]["waiting_on"]["held_by"]), (&second["run_id"], &json!("concurrency")));

    let paused = server.post(&format!("/api/v1/runs/{first}/pause"), json!({ "reason": "wait" })).await.expect(202).json();
    assert_eq!(paused["status"], "paused");
    assert_eq!(server.post(&format!("/api/v1/runs/{first}/resume"), Value::Null).await.expect(202).json()["status"], "waiting");

    for (path, body) in [
        ("/api/v1/workflows/waiting", json!({})),
        ("/api/v1/workflows/waiting", json!({ "step": "reply", "reason": "why" })),
        ("/api/v1/workflows/waiting", json!({ "version": 1 })),
    ] {
        assert_eq!(server.post(&format!("{path}/pause"), body.clone()).await.expect(200).json()["paused"], true);
        assert_eq!(server.post(&format!("{path}/resume"), body).await.expect(200).json()["paused"], false);
    }
    server.post("/api/v1/workflows/waiting/pause", json!({ "step": "replay" })).await.problem(422, "invalid_input");
    server.post("/api/v1/workflows/waiting/pause", json!({ "version": 9 })).await.problem(404, "not_found");
    server.post("/api/v1/workflows/nobody/pause", json!({})).await.problem(404, "not_found");

    server.post("/api/v1/pause", json!({ "reason": "a restore" })).await.expect(200);
    let overview = server.get("/api/v1/pauses").await.expect(200).json();
    assert_eq!((&overview["items"][0]["scope"], &overview["items"][0]["reason"]), (&json!("organisation"), &json!("a restore")));
    assert_eq!(overview["due"]["held_starts"], 1);
    server.post("/api/v1/resume", Value::Null).await.expect(200);
    assert_eq!(server.get("/api/v1/pauses").await.expect(200).json()["items"], json!([]));

    let cancelled = server.post(&format!("/api/v1/runs/{}/cancel", second["run_id"].as_str().unwrap()), json!({})).await.expect(202).json();
    assert_eq!(cancelled["status"], "cancelled");
    let actions: Vec<Value> = server.get("/api/v1/audit-log").await.items().iter().map(|entry| entry["action"].clone()).collect();
    for action in ["run.paused", "run.resumed", "workflow.paused", "workflow.resumed", "organisation.paused", "organisation.resumed"] {
        assert!(actions.contains(&json!(action)), "{action}: {actions:?}");
    }
}

#[tokio::test]
async fn everything_is_held_by_whoever_operates_the_server_and_by_nobody_else() {
    let server = Server::start().await;
    let (_, stranger) = server.other_organisation().await;
    let local = |path: &'static str| server.local(LocalAdmin::default(), &[], path);
    let state = local("/api/v1/server").await.expect(200).json();
    assert_eq!((&state["paused"], &state["organisations"]), (&json!(false), &json!(2)), "it names no organisation, however many there are");
    let nodes = state["nodes"].as_array().unwrap();
    assert!(nodes.len() == 1 && nodes[0]["shards"] == 256 && nodes[0]["lives"] == true && nodes[0]["waiting"] == 0, "{nodes:?}");
    assert_eq!(state["unowned_shards"], 0);
    for path in ["/api/v1/server/pause", "/api/v1/server/resume"] {
        server.post(path, json!({})).await.problem(403, "forbidden");
        server.call_with(&[], Method::POST, path, Value::Null).await.problem(401, "unauthorized");
    }
    server.get("/api/v1/server").await.problem(403, "forbidden");
    server.get("/api/v1/server/size").await.problem(403, "forbidden");
    let size = local("/api/v1/server/size").await.expect(200).json();
    let tables = size["tables"].as_array().unwrap();
    assert!(tables.len() > 40 && tables.iter().all(|table| table["table"].is_string() && table["bytes"].is_u64() && table["rows"].is_u64()), "{size}");

    for token in [&server.admin, &stranger] {
        server.call_as(token, Method::POST, "/api/v1/workflows/hello/publish", json!({ "source": WORKFLOW })).await.expect(200);
    }
    let paused = server.local_post("/api/v1/server/pause", json!({ "reason": "the disk is replaced" })).await.expect(200).json();
    assert_eq!((&paused["paused"], &paused["reason"], &paused["by"]), (&json!(true), &json!("the disk is replaced"), &json!("command line")));
    server.local_post("/api/v1/server/pause", json!({ "why": 1 })).await.problem(422, "invalid_input");
    let mut held = Vec::new();
    for token in [&server.admin, &stranger] {
        let started = server.call_as(token, Method::POST, "/api/v1/workflows/hello/runs", json!({ "input": { "name": "Asha" } })).await.expect(202).json();
        assert!(started["held"].as_str().is_some_and(|reason| reason.contains("onward resume --everything")), "{started}");
        held.push(started["run_id"].as_str().unwrap().to_owned());
    }
    // An admin sees it, and lets nothing go on with it.
    assert_eq!(server.get("/api/v1/pauses").await.expect(200).json()["items"][0]["scope"], "everything");
    server.post("/api/v1/resume", Value::Null).await.expect(200);
    assert_eq!(server.get(&format!("/api/v1/runs/{}", held[0])).await.json()["status"], "held");
    assert_eq!(server.call_with(&[], Method::GET, "/readyz", Value::Null).await.expect(200).json()["paused"], true);
    assert_eq!(local("/api/v1/server").await.expect(200).json()["due"]["held_starts"], 2);

    assert_eq!(server.local_post("/api/v1/server/resume", json!({})).await.expect(200).json()["paused"], false);
    assert_eq!(server.ended(&held[0]).await["status"], "completed");
    let theirs = server.call_as(&stranger, Method::GET, "/api/v1/audit-log", Value::Null).await.items();
    for action in ["server.paused", "server.resumed"] {
        assert_eq!(theirs.iter().filter(|entry| entry["action"] == action).count(), 1, "{theirs:?}");
    }
    assert_eq!(server.call_with(&[], Method::GET, "/readyz", Value::Null).await.expect(200).json()["paused"], false);
}
