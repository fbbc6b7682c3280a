//! Questions to people, and the results of long loops.

use super::Server;
use http::Method;
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

const ASKING: &str = "name: asking
on: [{ manual: {} }]
steps:
  - id: both
    parallel:
      discount:
        - id: review
          ask:
            who: { role: agent }
            title: \"How much for {{ input.name }}?\"
            form: { type: object, properties: { percent: { type: integer, maximum: 20 } }, required: [percent] }
            values: { percent: 5 }
      release:
        - id: approval
          ask: { who: { role: admin }, title: \"Send it?\" }
          timeout: 2d
  - stop: { output: { percent: \"{{ steps.both.discount.answer.percent }}\", sent: \"{{ steps.both.release.answer }}\" } }
";

#[tokio::test]
async fn whoever_is_asked_answers_once_and_the_run_goes_on() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/asking/publish", json!({ "source": ASKING })).await.expect(200);
    let started = server.post("/api/v1/workflows/asking/runs", json!({ "input": { "name": "Asha" } })).await.expect(202).json();
    let id = started["run_id"].as_str().unwrap();
    let agent = server.token(server.organisation, Role::Agent).await;
    let asks = server.get("/api/v1/asks").await.items();
    let of = |step: &str| asks.iter().find(|ask| ask["step"] == step).unwrap();
    assert_eq!((&of("review")["title"], &of("review")["values"]), (&json!("How much for Asha?"), &json!({ "percent": 5 })));
    assert!(of("approval")["until"].is_string() && of("approval")["form"].is_null(), "{asks:?}");
    assert_eq!(server.get("/api/v1/asks?workflow=nobody").await.items(), Vec::<Value>::new());
    assert_eq!(server.get(&format!("/api/v1/runs/{id}")).await.json()["questions"].as_array().unwrap().len(), 2);
    let mine: Vec<bool> = server.call_as(&agent, Method::GET, "/api/v1/asks", Value::Null).await.items().iter().map(|ask| ask["mine"] == true).collect();
    assert_eq!(mine.iter().filter(|mine| **mine).count(), 1, "an agent is asked one of the two");

    let path = format!("/api/v1/runs/{id}/answer");
    let as_agent = |body: Value| server.call_as(&agent, Method::POST, &path, body);
    assert!(as_agent(json!({ "answer": "approve" })).await.problem(422, "invalid_input").to_string().contains("approval"), "which of the two is not said");
    as_agent(json!({ "step": "approval", "answer": "approve" })).await.problem(403, "forbidden");
    let misfit = as_agent(json!({ "step": "review", "answer": { "percent": 50 } })).await.problem(422, "invalid_input");
    assert!(misfit.to_string().contains("answer/percent"), "{misfit}");
    as_agent(json!({ "step": "review", "answer": { "percent": 10 } })).await.expect(202);
    as_agent(json!({ "step": "review", "answer": { "percent": 15 } })).await.problem(409, "not_asked");
    // An admin may answer, and need not name the only question.
    server.post(&path, json!({ "answer": "approve" })).await.expect(202);
    let run = server.ended(id).await;
    assert_eq!((&run["output"], &run["questions"]), (&json!({ "percent": 10, "sent": "approve" }), &Value::Null), "{run}");
    assert_eq!(server.get("/api/v1/asks").await.items(), Vec::<Value>::new());
    server.post(&path, json!({ "answer": "approve" })).await.problem(409, "not_asked");
    server.post(&format!("/api/v1/runs/{}/answer", uuid::Uuid::nil()), json!({ "answer": "approve" })).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_results_of_a_long_loop_are_read_in_pages() {
    let server = Server::start().await;
    let source = "name: long\non: [{ manual: {} }]\nsteps:\n  - id: each\n    for_each: \"{{ input.list }}\"\n    steps:\n      - { id: note, set: { twice: \"{{ item * 2 }}\" } }\n  - stop: { output: \"{{ steps.each }}\" }\n";
    server.post("/api/v1/workflows/long/publish", json!({ "source": source })).await.expect(200);
    let list: Vec<u32> = (0..1_200).collect();
    let started = server.post("/api/v1/workflows/long/runs", json!({ "input": { "list": list } })).await.expect(202).json();
    let run = server.ended(started["run_id"].as_str().unwrap()).await;
    assert_eq!(run["output"]["count"], 1_200, "{run}");
    let reference = run["output"]["results_ref"].as_str().unwrap();
    let (mut results, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{reference}{cursor}")).await.expect(200);
        results.extend(page.items());
        let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<Value> = list.iter().map(|item| json!({ "twice": item * 2 })).collect();
    assert_eq!(results, expected);
    assert_eq!(server.get(&format!("{reference}&limit=2")).await.items().len(), 2);
    server.get(&reference.replace("step=each", "step=note")).await.problem(404, "not_found");
}
