//! Pausing and resuming, what is held, and who did it.

use super::Server;
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
