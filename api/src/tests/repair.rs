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

/// Fails once in each run; the message names the run.
const MANY: &str = "name: many
on: [{ manual: { input: { type: object } } }]
steps:
  - { id: pay, do: debug.flaky, with: { fail_times: '{{ input.fails }}' }, retry: { max_attempts: 1 } }
";

#[tokio::test]
async fn many_runs_are_repaired_by_cause_each_once() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/many/publish", json!({ "source": MANY })).await.expect(200);
    let mut runs = Vec::new();
    for fails in [1, 1, 1, 2] {
        let started = server.post("/api/v1/workflows/many/runs", json!({ "input": { "fails": fails } })).await.expect(202).json();
        let id = started["run_id"].as_str().unwrap().to_owned();
        assert_eq!(server.ended(&id).await["status"], "failed");
        runs.push(id);
    }
    let causes = server.get("/api/v1/runs/failures?workflow=many").await.expect(200).items();
    assert_eq!(causes.len(), 1, "numbers do not tell causes apart: {causes:?}");
    assert_eq!((&causes[0]["count"], &causes[0]["step"], &causes[0]["code"]), (&json!(4), &json!("pay"), &json!("unavailable")));
    assert_eq!(causes[0]["example"], runs[3].as_str());
    let asked = |dry_run: bool| json!({ "action": "retry", "cause": causes[0]["id"], "per_minute": 6000, "dry_run": dry_run });
    let preview = server.post("/api/v1/runs/repair", asked(true)).await.expect(200).json();
    assert_eq!((&preview["count"], &preview["causes"][0]["count"]), (&json!(4), &json!(4)));
    server.post("/api/v1/runs/repair", json!({ "action": "retry" })).await.problem(422, "invalid_input");
    server.post("/api/v1/runs/repair", json!({ "action": "dance", "workflow": "many" })).await.problem(422, "invalid_input");
    let begun = server.post("/api/v1/runs/repair", asked(false)).await.expect(202).json();
    let path = format!("/api/v1/runs/repair/{}", begun["id"].as_str().unwrap());
    // One of them is repaired by hand meanwhile: that one refuses.
    server.post(&format!("/api/v1/runs/{}/skip", runs[0]), Value::Null).await.expect(202);
    let progress = loop {
        crate::sweep::repair_due(&server.app).await.unwrap();
        let progress = server.get(&path).await.expect(200).json();
        if !progress["ended_at"].is_null() {
            break progress;
        }
    };
    assert_eq!((&progress["done"], &progress["refused"], &progress["pending"]), (&json!(3), &json!(1), &json!(0)));
    assert_eq!(progress["refusals"][0]["run_id"], runs[0].as_str());
    for id in &runs {
        server.ended(id).await;
        let history = server.get(&format!("/api/v1/runs/{id}/history")).await.items();
        assert_eq!(history.iter().filter(|entry| entry["kind"] == "reopened").count(), 1);
    }
    let left = server.get("/api/v1/runs/failures").await.items();
    assert_eq!(left.iter().map(|cause| &cause["count"]).collect::<Vec<_>>(), [&json!(1)], "only the one that fails twice");
    let (_, stranger) = server.other_organisation().await;
    server.call_as(&stranger, Method::GET, &path, Value::Null).await.problem(404, "not_found");
    server.post(&format!("{path}/stop"), Value::Null).await.expect(200);
}
