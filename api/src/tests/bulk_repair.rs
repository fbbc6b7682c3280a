//! Repairs of many runs: each once, at a rate, until somebody stops it.

use super::Server;
use crate::{Problem, bulk_repairs::BulkRepairs, idempotency::noting};
use http::Method;
use onward_core::{
    RunId, Timestamp, Value,
    ports::{BoxFuture, WriteError},
};
use serde_json::json;
use std::sync::Arc;

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
    let progress = carried_out(&server, &path).await;
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

/// Fails at its first step and, when that is left out, waits.
const WAITS: &str = "name: waits
on: [{ manual: { input: { type: object } } }]
key: '{{ input.key }}'
steps:
  - { id: pay, if: input.fails, do: debug.fail, with: { code: declined, message: 'no' } }
  - { id: reply, wait_for: { event: never.comes, match: any } }
";

/// So many runs that failed, or that wait; oldest first.
async fn runs(server: &Server, fails: bool, number: usize) -> Vec<String> {
    server.post("/api/v1/workflows/waits/publish", json!({ "source": WAITS })).await.expect(200);
    let mut runs = Vec::new();
    for key in 0..number {
        let input = json!({ "input": { "fails": fails, "key": key.to_string() } });
        let started = server.post("/api/v1/workflows/waits/runs", input).await.expect(202).json();
        let id = started["run_id"].as_str().unwrap().to_owned();
        if fails {
            server.ended(&id).await;
        } else {
            server.waiting(&id).await;
        }
        runs.push(id);
    }
    runs
}

/// Asks for a repair; its path.
async fn begun(server: &Server, body: Value) -> String {
    let begun = server.post("/api/v1/runs/repair", body).await.expect(202).json();
    format!("/api/v1/runs/repair/{}", begun["id"].as_str().unwrap())
}

fn counts(progress: &Value) -> [u64; 4] {
    ["pending", "done", "refused", "stopped"].map(|name| progress[name].as_u64().unwrap())
}

/// Carries out the turns that have come; when the next one is.
async fn turns(server: &Server, path: &str) -> Result<Option<Timestamp>, Problem> {
    let repair = path.rsplit('/').next().unwrap().parse().unwrap();
    BulkRepairs::new(server.app.clone()).turns(server.organisation, repair, &|| false).await
}

/// Lets every turn come, until the repair has ended; how far it came.
async fn carried_out(server: &Server, path: &str) -> Value {
    while turns(server, path).await.unwrap().is_some() {}
    let progress = server.get(path).await.expect(200).json();
    assert!(progress["ended_at"].is_string());
    progress
}

#[tokio::test]
async fn many_failed_steps_are_skipped_with_what_they_are_taken_to_have_given() {
    let server = Server::start().await;
    let failed = runs(&server, true, 3).await;
    let path = begun(&server, json!({ "action": "skip", "workflow": "waits", "output": { "paid": false }, "per_minute": 6000 })).await;
    assert_eq!(counts(&carried_out(&server, &path).await), [0, 3, 0, 0]);
    for id in &failed {
        server.waiting(id).await;
        let history = server.get(&format!("/api/v1/runs/{id}/history")).await.items();
        let skipped = history.iter().find(|entry| entry["kind"] == "step_skipped").unwrap();
        assert_eq!((&skipped["step"], &skipped["output"]), (&json!("pay"), &json!({ "paid": false })));
    }
}

#[tokio::test]
async fn many_living_runs_are_cancelled_and_what_has_ended_is_refused() {
    let server = Server::start().await;
    let waiting = runs(&server, false, 4).await;
    server.post("/api/v1/runs/repair", json!({ "action": "retry", "workflow": "waits", "status": "waiting" })).await.problem(422, "invalid_input");
    server.post("/api/v1/runs/repair", json!({ "action": "cancel", "workflow": "waits", "status": "failed" })).await.problem(422, "invalid_input");
    let wanted =
        |dry_run: bool| json!({ "action": "cancel", "workflow": "waits", "status": "waiting", "reason": "wrong list", "per_minute": 6000, "dry_run": dry_run });
    assert_eq!(server.post("/api/v1/runs/repair", wanted(true)).await.expect(200).json()["count"], 4);
    let path = begun(&server, wanted(false)).await;
    server.post(&format!("/api/v1/runs/{}/cancel", waiting[1]), json!({})).await.expect(202);
    server.ended(&waiting[1]).await;
    let progress = carried_out(&server, &path).await;
    assert_eq!(counts(&progress), [0, 3, 1, 0]);
    assert_eq!(progress["refusals"][0]["run_id"], waiting[1].as_str());
    for id in [&waiting[0], &waiting[2], &waiting[3]] {
        assert_eq!(server.ended(id).await["status"], "cancelled");
        let history = server.get(&format!("/api/v1/runs/{id}/history")).await.items();
        let asked: Vec<&Value> = history.iter().filter(|entry| entry["kind"] == "cancel_requested").map(|entry| &entry["reason"]).collect();
        assert_eq!(asked, [&json!("wrong list")]);
    }
}

#[tokio::test]
async fn a_cancel_and_what_is_noted_of_it_are_one() {
    fn refuses<'t>(_: &'t mut onward_database::Tx, _: &'t Value) -> BoxFuture<'t, Result<(), WriteError>> {
        Box::pin(async { Err(WriteError::Database("planted".into())) })
    }
    let server = Server::start().await;
    let id = runs(&server, false, 1).await.remove(0);
    let run = RunId(id.parse().unwrap());
    let noted = server.app.engine().cancel_guarded(server.organisation, run, "test", None, noting(Arc::new(refuses))).await;
    assert!(noted.is_err(), "{noted:?}");
    assert_eq!(server.get(&format!("/api/v1/runs/{id}")).await.json()["status"], "waiting", "without its note it did not happen");
    let path = begun(&server, json!({ "action": "cancel", "workflow": "waits" })).await;
    assert_eq!(counts(&carried_out(&server, &path).await), [0, 1, 0, 0]);
}

#[tokio::test]
async fn a_repair_keeps_its_rate_and_ends_when_it_is_stopped() {
    let server = Server::start().await;
    let failed = runs(&server, true, 3).await;
    server.post("/api/v1/runs/repair", json!({ "action": "skip", "workflow": "waits", "per_minute": 0 })).await.problem(422, "invalid_input");
    server.post("/api/v1/runs/repair", json!({ "action": "skip", "workflow": "waits", "per_minute": 6_001 })).await.problem(422, "invalid_input");
    let path = begun(&server, json!({ "action": "skip", "workflow": "waits", "per_minute": 1 })).await;
    let before = server.app.now();
    let next = turns(&server, &path).await.unwrap().expect("two are left");
    assert!((59_000..=61_000).contains(&next.millis_since(before)), "one a minute: {} ms", next.millis_since(before));
    // Whoever looks again before that finds no turn.
    for _ in 0..3 {
        assert_eq!(turns(&server, &path).await.unwrap(), Some(next));
    }
    assert_eq!(counts(&server.get(&path).await.json()), [2, 1, 0, 0]);
    let (_, stranger) = server.other_organisation().await;
    server.call_as(&stranger, Method::POST, &format!("{path}/stop"), json!({})).await.problem(404, "not_found");
    let stopped = server.post(&format!("{path}/stop"), Value::Null).await.expect(200).json();
    assert_eq!(counts(&stopped), [0, 1, 0, 2]);
    assert!(stopped["ended_at"].is_string());
    assert_eq!(turns(&server, &path).await.unwrap(), None, "it is over");
    server.waiting(&failed[0]).await;
    for id in &failed[1..] {
        assert_eq!(server.get(&format!("/api/v1/runs/{id}")).await.json()["status"], "failed");
    }
    let actions: Vec<Value> = server.get("/api/v1/audit-log").await.items().iter().map(|entry| entry["action"].clone()).collect();
    assert!(actions.contains(&json!("runs.repaired")) && actions.contains(&json!("runs.repair_stopped")), "{actions:?}");
}
