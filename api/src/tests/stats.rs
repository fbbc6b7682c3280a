//! How the runs of a workflow fare: failures of today, variants and their goals.

use super::Server;
use onward_core::Value;
use serde_json::json;

const FAILS: &str = "name: fails
on: [{ manual: {} }]
steps:
  - { id: fine, do: debug.echo, with: {} }
  - { id: broken, do: debug.fail, with: { code: declined, message: no } }
";

const TEST: &str = "name: letters
on: [{ event: lead.captured }]
key: \"{{ event.data.contact_id }}\"
steps:
  - id: test
    split:
      variants: { short: 1, long: 1 }
      goal: { event: order.paid, match: contact, within: 3d, if: incoming.data.total > 5 }
  - { id: other, split: { variants: { only: 1, never: 0 }, goal: { event: order.paid, match: { shop: \"{{ event.data.shop }}\" } } } }
  - { id: reply, wait_for: { event: message.received, match: contact } }
";

#[tokio::test]
async fn a_step_tells_how_many_runs_it_failed_today() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/fails/publish", json!({ "source": FAILS })).await.expect(200);
    for _ in 0..2 {
        let run = server.post("/api/v1/workflows/fails/runs", json!({ "input": {} })).await.expect(202).json();
        assert_eq!(server.ended(run["run_id"].as_str().unwrap()).await["status"], "failed");
    }
    let stats = server.get("/api/v1/workflows/fails/stats").await.expect(200).json();
    let counts = |step: usize| (stats["steps"][step]["step"].clone(), stats["steps"][step]["failed_today"].clone());
    assert_eq!((counts(0), counts(1)), ((json!("fine"), json!(0)), (json!("broken"), json!(2))));
    assert_eq!(stats["runs"], json!({ "failed": 2 }));
    assert!(stats["today"].as_str().unwrap().ends_with("T00:00:00.000Z"), "{stats}");
    // One that was mended has failed no more.
    let run = server.get("/api/v1/runs?workflow=fails").await.items()[0]["id"].as_str().unwrap().to_owned();
    server.post(&format!("/api/v1/runs/{run}/skip"), json!({})).await.expect(202);
    assert_eq!(server.ended(&run).await["status"], "completed");
    assert_eq!(server.get("/api/v1/workflows/fails/stats").await.json()["steps"][1]["failed_today"], 1);
}

#[tokio::test]
async fn variants_tell_who_came_to_the_end_and_to_the_goal() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/letters/publish", json!({ "source": TEST })).await.expect(200);
    let contact = |name: &'static str| {
        let server = &server;
        async move { server.post("/api/v1/contacts", json!({ "name": name })).await.expect(201).json()["id"].as_str().unwrap().to_owned() }
    };
    let (asha, ravi) = (contact("Asha").await, contact("Ravi").await);
    let tell = |kind: &'static str, data: Value| {
        let server = &server;
        async move { server.post("/api/v1/events", json!({ "type": kind, "source": "test", "data": data })).await.expect(202) }
    };
    for of in [&asha, &ravi] {
        tell("order.paid", json!({ "contact_id": of, "total": 100 })).await;
        tell("lead.captured", json!({ "contact_id": of, "shop": "north" })).await;
    }
    tell("order.paid", json!({ "contact_id": asha, "total": 10 })).await;
    tell("order.paid", json!({ "contact_id": ravi, "total": 1 })).await;
    tell("message.received", json!({ "contact_id": asha })).await;
    let found = server.get("/api/v1/workflows/letters/variants").await.expect(200).json();
    let splits = found["splits"].as_array().unwrap();
    assert_eq!((&splits[0]["step"], &splits[0]["goal"], &splits[0]["not_told"]), (&json!("test"), &json!("order.paid"), &Value::Null));
    let sum = |field: &str| splits[0]["variants"].as_array().unwrap().iter().map(|variant| variant[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!([sum("entered"), sum("completed"), sum("failed"), sum("reached")], [2, 1, 0, 1], "{found}");
    let names: Vec<&Value> = splits[0]["variants"].as_array().unwrap().iter().map(|variant| &variant["variant"]).collect();
    assert_eq!(names, ["short", "long"]);
    // Which variant came to the goal is the one that Asha was given.
    let run = server.get(&format!("/api/v1/runs?contact={asha}")).await.items()[0]["id"].as_str().unwrap().to_owned();
    let history = server.get(&format!("/api/v1/runs/{run}/history")).await.items();
    let given = &history.iter().find(|entry| entry["kind"] == "variant_chosen").unwrap()["variant"];
    let reached: Vec<&Value> =
        splits[0]["variants"].as_array().unwrap().iter().filter(|variant| variant["reached"] == 1).map(|variant| &variant["variant"]).collect();
    assert_eq!(reached, [given]);
    // A goal that compares with the run's own values says so.
    assert_eq!((&splits[1]["variants"][0]["entered"], &splits[1]["variants"][0]["reached"]), (&json!(2), &Value::Null));
    assert!(splits[1]["not_told"].as_str().is_some_and(|why| why.contains("match: contact")), "{found}");
    server.get("/api/v1/workflows/nothing/variants").await.problem(404, "not_found");
}
