//! Repairing runs: the failed step again, without it, a copy, a signal; and who did it.

use super::Server;
use http::Method;
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

/// Fails once, then waits for an event that never comes.
const FLAKY: &str = "name: flaky
on: [{ manual: {} }]
steps:
  - { id: pay, do: debug.flaky, with: { fail_times: 1 }, retry: { max_attempts: 1 } }
  - { id: paid, wait_for: { event: payment.succeeded, match: any } }
  - { stop: { output: '{{ steps.paid.data.amount }}' } }
";

async fn failed(server: &Server) -> String {
    server.post("/api/v1/workflows/flaky/publish", json!({ "source": FLAKY })).await.expect(200);
    let started = server.post("/api/v1/workflows/flaky/runs", json!({ "input": {} })).await.expect(202).json();
    let id = started["run_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&id).await["status"], "failed");
    id
}

fn audited(entries: &[Value], action: &str) -> Vec<Value> {
    entries.iter().filter(|entry| entry["action"] == action).map(|entry| entry["subject"]["id"].clone()).collect()
}

#[tokio::test]
async fn a_failed_run_is_retried_signalled_and_copied() {
    let server = Server::start().await;
    let id = failed(&server).await;
    let path = format!("/api/v1/runs/{id}");
    server.post(&format!("{path}/signal"), json!({ "name": "payment.succeeded" })).await.problem(409, "conflict");
    server.post(&format!("{path}/retry"), json!({ "input": [1] })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/retry"), json!({ "unknown": 1 })).await.problem(422, "invalid_input");
    let taken_up = server.post(&format!("{path}/retry"), Value::Null).await.expect(202).json();
    assert_eq!(taken_up["run_id"], id.as_str());
    server.waiting(&id).await;
    server.post(&format!("{path}/retry"), Value::Null).await.problem(409, "conflict");
    let refused = server.post(&format!("{path}/signal"), json!({ "name": "other" })).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("step paid: payment.succeeded"), "{refused}");
    let copy = server.post(&format!("{path}/fork"), Value::Null).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    assert_ne!(copy, id);
    server.post(&format!("{path}/fork"), json!({ "step": "pay", "seq": 1 })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/signal"), json!({ "name": "payment.succeeded", "data": { "amount": 5 } })).await.expect(202);
    assert_eq!(server.ended(&id).await["output"], 5);
    server.waiting(&copy).await;
    let replayed = server.get(&format!("{path}/history")).await.items();
    assert!(replayed.iter().any(|entry| entry["kind"] == "reopened" && entry["step"] == "pay" && entry["action"] == "retry"));
    let entries = server.get("/api/v1/audit-log").await.items();
    for action in ["run.retried", "run.forked", "run.signalled"] {
        assert_eq!(audited(&entries, action), [json!(id)], "what was refused is not there");
    }
}

#[tokio::test]
async fn a_failed_step_is_skipped_once_however_often_it_is_asked() {
    let server = Server::start().await;
    let id = failed(&server).await;
    let path = format!("/api/v1/runs/{id}/skip");
    let bearer = format!("Bearer {}", server.admin);
    let skip = async |output: i64| {
        server.call_with(&[("authorization", &bearer), ("idempotency-key", "k")], Method::POST, &path, json!({ "output": { "n": output } })).await
    };
    let first = skip(1).await.expect(202).json();
    assert_eq!(skip(1).await.expect(202).json(), first);
    skip(2).await.problem(422, "idempotency_key_reused");
    let history = server.get(&format!("/api/v1/runs/{id}/history")).await.items();
    let skipped: Vec<&Value> = history.iter().filter(|entry| entry["kind"] == "step_skipped").map(|entry| &entry["output"]).collect();
    assert_eq!(skipped, [&json!({ "n": 1 })]);
}

#[tokio::test]
async fn only_who_may_control_runs_repairs_them_and_only_their_own() {
    let server = Server::start().await;
    let id = failed(&server).await;
    let (organisation, stranger) = server.other_organisation().await;
    let viewer = server.token(organisation, Role::Agent).await;
    for verb in ["retry", "skip", "fork", "signal"] {
        let path = format!("/api/v1/runs/{id}/{verb}");
        server.call_as(&stranger, Method::POST, &path, json!({})).await.problem(404, "not_found");
        server.call_as(&viewer, Method::POST, &path, json!({})).await.problem(403, "forbidden");
    }
}
