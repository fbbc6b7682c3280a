//! Questions to people on the built binary: they outlive the server, and the command line answers them.

use super::harness::{Home, Server};
use serde_json::json;

const REFUND: &str = "name: refund
on: [{ manual: {} }]
steps:
  - id: decision
    ask: { who: { role: admin }, title: \"Refund {{ input.amount }}?\", form: { type: object, properties: { amount: { type: integer } }, required: [amount] } }
    timeout: 2d
  - stop: { output: \"{{ steps.decision.answer.amount }}\" }
";

#[tokio::test]
async fn a_question_outlives_the_server_and_is_answered_on_the_command_line() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("refund", REFUND).await;
    let started = api.post("/api/v1/workflows/refund/runs", &json!({ "input": { "amount": 50 } })).await.expect(202);
    let id = started["run_id"].as_str().unwrap();
    server.kill().await;

    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let asked = home.onward(&["runs", "asks"]).await.good();
    for part in [id, "decision", "Refund 50?", "role admin"] {
        assert!(asked.out.contains(part), "{part}: {}", asked.out);
    }
    let shown = home.onward(&["runs", "show", id]).await.good();
    assert!(shown.out.contains("for an answer from role admin at step `decision`"), "{}", shown.out);
    let refused = home.onward(&["runs", "answer", id, "--approve"]).await;
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("object"), "the form is named: {}", refused.err);
    home.onward(&["runs", "answer", id, "--answer", r#"{"amount": 40}"#]).await.good();
    assert_eq!(api.run_in(id, "completed").await["output"], 40);
    assert_eq!(home.onward(&["runs", "asks", "--json"]).await.good().json(), json!({ "items": [] }));
    let twice = home.onward(&["runs", "answer", id, "--answer", r#"{"amount": 41}"#]).await;
    assert!(twice.code == 1 && twice.err.contains("asks nothing now"), "{}", twice.err);
    assert!(server.stop().await.success());
}
