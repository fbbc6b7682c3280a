//! Simulation, single steps, and what an edit would have changed.

use super::Server;
use serde_json::json;

const REMINDER: &str = "name: reminder
on: [{ event: order.created }, { manual: {} }]
steps:
  - id: pay
    wait_for: { event: payment.succeeded, match: { order: \"{{ event.data.order }}\" } }
    timeout: 2d
  - id: fork
    if: steps.pay.timed_out
    then: [{ id: remind, do: debug.echo, with: { order: \"{{ event.data.order }}\" } }]
";

#[tokio::test]
async fn a_draft_is_simulated_once_and_for_a_crowd() {
    let server = Server::start().await;
    let path = "/api/v1/workflows/reminder";
    server.post(&format!("{path}/simulate"), json!({})).await.problem(404, "not_found");
    server.call(http::Method::PUT, &format!("{path}/draft"), json!({ "source": REMINDER })).await.expect(200);
    let event = json!({ "type": "order.created", "data": { "order": "a" } });
    let once = server.post(&format!("{path}/simulate"), json!({ "event": event })).await.expect(200).json();
    let timeline = &once["timeline"];
    assert_eq!((&timeline["runs"][0]["status"], &timeline["calls"][0]["step"]), (&json!("completed"), &json!("remind")), "{once:#}");
    assert_eq!(timeline["calls"][0]["input"], json!({ "order": "a" }));
    let scenario = json!({ "answers": { "pay": [{ "share": 100, "after": "1h" }] } });
    let crowd =
        server.post(&format!("{path}/simulate"), json!({ "event": event, "scenario": scenario, "contacts": 50, "for": "30d" })).await.expect(200).json();
    assert_eq!(crowd["counts"]["statuses"], json!({ "completed": 50 }), "{crowd:#}");
    assert_eq!(crowd["counts"]["steps"][0]["branches"], json!({ "event": 50, "timed_out": 0 }));
    let wrong = server.post(&format!("{path}/simulate"), json!({ "event": event, "scenario": { "answers": { "pya": [{ "share": 1 }] } } })).await;
    assert!(wrong.problem(422, "invalid_input")["errors"][0]["detail"].as_str().unwrap().contains("did you mean \"pay\"?"));
    server.post(&format!("{path}/simulate"), json!({ "event": {} })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "contacts": 0 })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "contacts": 10_001 })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "for": "soon" })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "event": event, "schedule": "30d" })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "schedule": "30d" })).await.problem(422, "invalid_input");
    server.post(&format!("{path}/simulate"), json!({ "webhook": { "body": {} } })).await.problem(422, "invalid_input");
    let form = "name: form\non: [{ webhook: { path: site-form, verify: none } }]\nlimits: { rate: { max: 60, per: 1h } }\nsteps: [{ do: debug.echo }]\n";
    let posted = json!({ "source": form, "webhook": { "path": "site-form", "body": {} }, "contacts": 10 });
    let counts = &server.post(&format!("{path}/simulate"), posted).await.expect(200).json()["counts"];
    assert_eq!((&counts["together"], &counts["delays"]["limits.rate"]["let_through"]), (&json!(true), &json!(9)), "{counts:#}");
}

#[tokio::test]
async fn a_step_is_tried_alone() {
    let server = Server::start().await;
    let path = "/api/v1/workflows/reminder/test-step";
    let tried = server.post(path, json!({ "source": REMINDER, "step": "remind", "event": { "data": { "order": "a" } } })).await.expect(200).json();
    assert_eq!((&tried["input"], &tried["output"]), (&json!({ "order": "a" }), &json!({ "order": "a" })), "{tried:#}");
    let fork = server.post(path, json!({ "source": REMINDER, "step": "fork", "steps": { "pay": { "timed_out": true } } })).await.expect(200).json();
    assert_eq!(fork["branch"], "then");
    let failed = server.post(path, json!({ "source": REMINDER, "step": "remind", "event": { "data": {} } })).await.expect(200).json();
    assert_eq!(failed["error"]["code"], "invalid_input", "{failed:#}");
    server.post(path, json!({ "source": REMINDER, "step": "pay" })).await.problem(422, "invalid_input");
    server.post(path, json!({ "source": REMINDER, "step": "nothing" })).await.problem(422, "invalid_input");
}

#[tokio::test]
async fn a_replay_says_in_a_sentence_what_an_edit_would_have_changed() {
    let server = Server::start().await;
    let source = "name: greet\non: [{ manual: {} }]\nsteps:\n  - { id: hello, do: debug.echo, with: { n: \"{{ input.n }}\" } }\n";
    server.post("/api/v1/workflows/greet/publish", json!({ "source": source })).await.expect(200);
    for number in 0..3 {
        let run = server.post("/api/v1/workflows/greet/runs", json!({ "input": { "n": number } })).await.expect(202).json();
        server.ended(run["run_id"].as_str().unwrap()).await;
    }
    let same = server.post("/api/v1/workflows/greet/replay", json!({ "source": source, "last": 10 })).await.expect(200).json();
    assert_eq!(same["summary"]["text"], "over the last 3 runs: nothing would change", "{same:#}");
    let edited = source.replace("  - {", "  - { id: check, if: input.n == 2, then: [{ stop: { status: failed, reason: two } }] }\n  - {");
    let other = server.post("/api/v1/workflows/greet/replay", json!({ "source": edited, "last": 10 })).await.expect(200).json();
    assert_eq!(other["summary"]["text"], "over the last 3 runs: 1 run would fail that did not, 3 runs would go otherwise", "{other:#}");
    assert_eq!(other["summary"]["calls"], json!({ "debug.echo": { "was": 3, "would": 2 } }));
    assert_eq!(other["summary"]["would_fail_runs"].as_array().unwrap().len(), 1);
    assert_eq!(other["runs"].as_array().unwrap().len(), 3);
    server.post("/api/v1/workflows/greet/replay", json!({ "last": 10_001 })).await.problem(422, "invalid_input");
}
