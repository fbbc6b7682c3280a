//! Replay by the built binary: the same, an edited definition, a history that was changed.

use super::harness::{Home, Server};
use serde_json::{Value, json};

const GREET: &str = "name: greet
on:
  - event: greet.asked
key: \"{{ event.data.name }}\"
steps:
  - id: vip
    if: event.data.score >= 70
    then:
      - id: warm
        do: debug.echo
        with: { text: \"Dear {{ event.data.name }}\" }
    else:
      - id: short
        do: debug.echo
        with: { text: \"Hello\" }
";

async fn recorded(home: &Home) -> (Server, Vec<String>) {
    let server = Server::start(home).await;
    let api = server.api(home).await;
    api.publish("greet", GREET).await;
    let mut ids = Vec::new();
    for (name, score) in [("Asha", 80), ("Ravi", 10), ("Meera", 65)] {
        let answer = api.post("/api/v1/events", &json!({ "type": "greet.asked", "data": { "name": name, "score": score } })).await.expect(202);
        let id = answer["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
        api.run_in(&id, "completed").await;
        ids.push(id);
    }
    (server, ids)
}

#[tokio::test]
async fn a_run_makes_the_same_decisions_again() {
    let home = Home::fresh();
    let (_server, ids) = recorded(&home).await;
    let report = home.onward(&["replay", &ids[0], "--json"]).await.good().json();
    assert_eq!(report["runs"][0]["run_id"], ids[0].as_str());
    assert_eq!(report["runs"][0]["same"], true);
    assert_eq!(report["runs"][0]["differences"], json!([]));
}

#[tokio::test]
async fn an_edited_definition_is_reported_run_by_run() {
    let home = Home::fresh();
    let (_server, ids) = recorded(&home).await;
    let edited = home.write("edited.yaml", &GREET.replace(">= 70", ">= 60"));
    let edited = edited.to_str().unwrap();
    let all = home.onward(&["replay", "--workflow", "greet", "--last", "10", "--against", edited, "--json"]).await;
    assert_eq!(all.code, 1, "one run differs: {}", all.out);
    let report = all.json();
    let of = |id: &str| report["runs"].as_array().unwrap().iter().find(|run| run["run_id"] == id).unwrap().clone();
    assert_eq!((&of(&ids[0])["same"], &of(&ids[1])["same"]), (&json!(true), &json!(true)), "{report:#}");
    let meera = of(&ids[2]);
    assert_eq!(meera["same"], false);
    assert_eq!(meera["differences"][0]["was"]["branch"], "else", "{meera:#}");
    assert_eq!(meera["differences"][0]["would"]["branch"], "then");
    assert_eq!((&meera["added"][0]["step"], &meera["missing"][0]["step"]), (&json!("warm"), &json!("short")), "{meera:#}");
    let text = home.onward(&["replay", &ids[2], "--against", edited]).await;
    assert_eq!(text.code, 1);
    assert!(text.out.contains("different") && text.out.contains("would call debug.echo at warm"), "{}", text.out);
}

#[tokio::test]
async fn an_export_replays_anywhere_and_a_changed_one_is_refused() {
    let home = Home::fresh();
    let (server, ids) = recorded(&home).await;
    home.onward(&["runs", "export", &ids[2], "--out", "run.json"]).await.good();
    assert!(server.stop().await.success());
    let elsewhere = Home::fresh();
    let text = std::fs::read_to_string(home.folder().join("run.json")).unwrap();
    elsewhere.write("run.json", &text);
    assert_eq!(elsewhere.onward(&["replay", "run.json", "--json"]).await.good().json()["runs"][0]["same"], true);
    assert!(!elsewhere.database().exists(), "an export needs no database");
    let export: Value = serde_json::from_str(&text).unwrap();
    for (what, pointer, value) in [
        ("a decision", "/history/1/branch", json!("then")),
        ("the definition", "/definition/source", json!(GREET.replace(">= 70", ">= 60"))),
        ("the digest", "/digest", json!("00")),
        ("the run", "/run/status", json!("failed")),
    ] {
        let mut changed = export.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {export:#}")) = value;
        elsewhere.write("changed.json", &changed.to_string());
        let refused = elsewhere.onward(&["replay", "changed.json"]).await;
        assert_eq!(refused.code, 1, "{what}: {}", refused.out);
        assert!(refused.err.contains("refused"), "{what}: {}", refused.err);
    }
}
