//! Published versions: compared, taken back.

use super::Server;
use onward_core::Value;
use serde_json::json;

const FIRST: &str = "name: letters
on: [{ manual: {} }]
steps:
  - { id: wait, delay: 1h }
  - { id: greeting, do: debug.echo, with: { text: hello } }
";

fn edited() -> String {
    FIRST.replace("hello", "good day").replace("delay: 1h", "delay: 2h")
}

async fn published() -> Server {
    let server = Server::start().await;
    for source in [FIRST.to_owned(), edited()] {
        server.post("/api/v1/workflows/letters/publish", json!({ "source": source })).await.expect(200);
    }
    server
}

#[tokio::test]
async fn versions_are_compared_by_text_and_by_step() {
    let server = published().await;
    let difference = server.get("/api/v1/workflows/letters/diff").await.expect(200).json();
    assert_eq!((&difference["from"], &difference["to"]), (&json!(1), &json!(2)));
    let steps: Vec<[&Value; 3]> =
        difference["steps"].as_array().unwrap().iter().map(|step| [&step["step"], &step["change"], &step["fields"][0]["field"]]).collect();
    assert_eq!(steps, [[&json!("wait"), &json!("changed"), &json!("delay")], [&json!("greeting"), &json!("changed"), &json!("with")]]);
    assert!(difference["text"].as_str().is_some_and(|text| text.contains("-  - { id: wait, delay: 1h }\n")), "{difference}");
    assert_eq!(server.get("/api/v1/workflows/letters/diff?from=2&to=2").await.expect(200).json()["same"], true);

    server.call(http::Method::PUT, "/api/v1/workflows/letters/draft", json!({ "source": FIRST.replace("greeting", "hallo") })).await.expect(200);
    let draft = server.get("/api/v1/workflows/letters/diff?to=draft").await.expect(200).json();
    assert_eq!((&draft["from"], &draft["draft"], &draft["to"]), (&json!(2), &json!(true), &Value::Null));
    assert!(draft["steps"].as_array().unwrap().iter().any(|step| step["change"] == "removed" && step["step"] == "greeting"), "{draft}");

    server.get("/api/v1/workflows/letters/diff?to=1").await.problem(422, "invalid_input");
    server.get("/api/v1/workflows/letters/diff?from=x").await.problem(422, "invalid_input");
    server.get("/api/v1/workflows/letters/diff?from=9").await.problem(404, "not_found");
    server.get("/api/v1/workflows/nobody/diff").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_rollback_makes_an_older_version_current_and_publishes_nothing() {
    let server = published().await;
    let back = server.post("/api/v1/workflows/letters/rollback", json!({})).await.expect(200).json();
    assert_eq!(back, json!({ "version": 1, "was": 2 }));
    let run = server.post("/api/v1/workflows/letters/runs", json!({})).await.expect(202).json();
    let run = server.get(&format!("/api/v1/runs/{}", run["run_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(run["version"], 1);
    let versions = server.get("/api/v1/workflows/letters/versions").await.items();
    assert_eq!(
        versions.iter().map(|version| (&version["version"], &version["current"])).collect::<Vec<_>>(),
        [(&json!(2), &json!(false)), (&json!(1), &json!(true))]
    );
    server.post("/api/v1/workflows/letters/rollback", json!({})).await.problem(409, "no_version");
    server.post("/api/v1/workflows/letters/rollback", json!({ "to": 1 })).await.problem(409, "same_version");
    server.post("/api/v1/workflows/letters/rollback", json!({ "to": 7 })).await.problem(404, "not_found");
    server.post("/api/v1/workflows/letters/rollback", json!({ "to": 2 })).await.expect(200);
    let deeds = server.get("/api/v1/audit-log").await.items();
    let back = deeds.iter().filter(|deed| deed["action"] == "workflow.rolled_back").count();
    assert_eq!(back, 2, "{deeds:?}");
}

#[tokio::test]
async fn a_version_on_trial_is_shown_promoted_and_taken_back() {
    let server = Server::start().await;
    let trial = format!("{FIRST}rollout: {{ share: 20%, hold_if: {{ failed: 5%, of: 50 }} }}\n");
    let workflow = async || server.get("/api/v1/workflows/letters").await.expect(200).json();
    let publish = async |source: &str| server.post("/api/v1/workflows/letters/publish", json!({ "source": source })).await.expect(200).json();
    publish(FIRST).await;
    server.post("/api/v1/workflows/letters/promote", Value::Null).await.problem(409, "no_rollout");
    assert_eq!(publish(&trial).await["version"], 2);
    let shown = workflow().await;
    assert_eq!((&shown["current_version"], &shown["rollout"]["version"], &shown["rollout"]["share"]), (&json!(1), &json!(2), &json!(0.2)));
    assert_eq!(shown["rollout"]["hold_if"], json!({ "failed": 0.05, "of": 50 }));
    let back = server.post("/api/v1/workflows/letters/rollback", json!({})).await.expect(200).json();
    assert_eq!(back, json!({ "version": 1, "was": 2 }));
    assert_eq!(workflow().await["rollout"], Value::Null);
    assert_eq!(publish(&trial.replace("20%", "30%")).await["version"], 3);
    let promoted = server.post("/api/v1/workflows/letters/promote", Value::Null).await.expect(200).json();
    assert_eq!(promoted, json!({ "version": 3, "was": 1 }));
    let shown = workflow().await;
    assert_eq!((&shown["current_version"], &shown["rollout"]), (&json!(3), &Value::Null));
    let deeds = server.get("/api/v1/audit-log").await.items();
    assert!(deeds.iter().any(|deed| deed["action"] == "workflow.promoted"), "{deeds:?}");
}

#[tokio::test]
async fn waiting_runs_are_moved_told_before_and_taken_back() {
    let server = Server::start().await;
    let publish = async |source: &str| server.post("/api/v1/workflows/letters/publish", json!({ "source": source })).await.expect(200);
    publish(FIRST).await;
    let run = server.post("/api/v1/workflows/letters/runs", json!({})).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    publish(&FIRST.replace("id: wait", "id: nap").replace("hello", "good day")).await;
    let migrate = async |body: Value| server.post("/api/v1/workflows/letters/migrate", body).await;
    let version = async || server.get(&format!("/api/v1/runs/{run}")).await.expect(200).json()["version"].clone();

    let stays = migrate(json!({ "dry_run": true })).await.expect(200).json();
    assert_eq!((&stays["obstacles"][0]["code"], &stays["steps"][0]["place"]), (&json!("missing_step"), &json!("stays")), "{stays}");
    let told = migrate(json!({ "map": { "wait": "nap" }, "dry_run": true })).await.expect(200).json();
    assert_eq!((&told["steps"][0]["place"], &told["steps"][0]["to_step"], version().await), (&json!("mapped"), &json!("nap"), json!(1)), "{told}");
    let moved = migrate(json!({ "map": { "wait": "nap" } })).await.expect(200).json();
    assert_eq!((&moved["moved"], &moved["next_cursor"], version().await), (&json!(1), &Value::Null, json!(2)));

    let replayed = server.post(&format!("/api/v1/runs/{run}/replay"), Value::Null).await.expect(200).json();
    assert_eq!(replayed["runs"][0]["same"], true, "{replayed}");
    let export = server.get(&format!("/api/v1/runs/{run}/export")).await.expect(200).json();
    assert_eq!((&export["definition"]["version"], &export["earlier"][0]["version"]), (&json!(2), &json!(1)));
    let read = crate::export::read(&export).expect("an export that is whole");
    assert_eq!(read.earlier.len(), 1);

    let back = migrate(json!({ "undo": true })).await.expect(200).json();
    assert_eq!((&back["steps"][0]["place"], version().await), (&json!("undone"), json!(1)), "{back}");
    migrate(json!({ "map": { "wait": "nowhere" } })).await.problem(422, "invalid_input");
    migrate(json!({ "to": 9 })).await.problem(404, "not_found");
    migrate(json!({ "limit": 0 })).await.problem(422, "invalid_input");
    migrate(json!({ "cursor": "x" })).await.problem(400, "bad_cursor");
    let deeds = server.get("/api/v1/audit-log").await.items();
    assert_eq!(deeds.iter().filter(|deed| deed["action"] == "workflow.runs_migrated").count(), 2, "{deeds:?}");
}
