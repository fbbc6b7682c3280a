//! Workflows, runs, the catalogue, replay.

use super::{Server, WORKFLOW};
use crate::export;
use http::{Method, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

/// Waits for an event that never comes.
const WAITING: &str = "name: waiting
on: [{ manual: {} }]
steps:
  - id: reply
    wait_for: { event: never.comes, match: any }
    timeout: 30d
";

#[tokio::test]
async fn from_draft_to_version_and_back() {
    let server = Server::start().await;
    let path = "/api/v1/workflows/hello";
    let saved = server.call(Method::PUT, &format!("{path}/draft"), json!({ "source": WORKFLOW })).await.expect(200);
    assert_eq!(saved.json()["source"], WORKFLOW);
    let draft = server.get(&format!("{path}/draft")).await.expect(200);
    assert_eq!(draft.headers[header::ETAG], saved.headers[header::ETAG]);
    let listed = server.get("/api/v1/workflows").await.items();
    assert_eq!((&listed[0]["name"], &listed[0]["current_version"]), (&json!("hello"), &Value::Null));
    let published = server.post(&format!("{path}/publish"), Value::Null).await.expect(200).json();
    assert_eq!(published["version"], 1);
    server.get(&format!("{path}/draft")).await.problem(404, "not_found");
    let edited = WORKFLOW.replace("greeted", "welcomed");
    assert_eq!(server.post(&format!("{path}/publish"), json!({ "source": edited })).await.expect(200).json()["version"], 2);
    assert_eq!(
        server.post(&format!("{path}/publish"), json!({ "source": edited })).await.expect(200).json()["version"],
        2,
        "the same file is the same version"
    );
    let versions = server.get(&format!("{path}/versions?limit=1")).await.expect(200).json();
    assert_eq!((&versions["items"][0]["version"], &versions["items"][0]["current"]), (&json!(2), &json!(true)));
    let next = versions["next_cursor"].as_str().unwrap();
    assert_eq!(server.get(&format!("{path}/versions?cursor={next}")).await.items()[0]["version"], 1);
    assert_eq!(server.get(&format!("{path}/versions/1")).await.expect(200).json()["source"], WORKFLOW);
    server.get(&format!("{path}/versions/9")).await.problem(404, "not_found");
    server.get(&format!("{path}/versions/x")).await.problem(404, "not_found");
    let whole = server.get(path).await.expect(200).json();
    assert_eq!((&whole["current_version"], &whole["source"]), (&json!(2), &json!(edited)));
    // An older version is a rollback.
    assert_eq!(server.call(Method::PUT, path, json!({ "current_version": 1 })).await.expect(200).json()["current_version"], 1);
    server.call(Method::PUT, path, json!({ "current_version": 9 })).await.problem(404, "not_found");
    server.call(Method::PUT, path, json!({})).await.problem(422, "invalid_input");
    server.call(Method::DELETE, path, Value::Null).await.expect(204);
    server.get(path).await.problem(404, "not_found");
    let left = server.get("/api/v1/workflows").await.items();
    assert!(left.iter().all(|workflow| workflow["name"] == "send-message" || workflow["name"] == "ask-contact"), "what is built in stays: {left:?}");
    assert_eq!(server.get(&format!("{path}/versions")).await.items().len(), 2, "versions stay for the runs that are on them");
    server.post("/api/v1/workflows/hello/runs", json!({ "input": {} })).await.problem(404, "not_found");
    let actions: Vec<Value> = server.get("/api/v1/audit-log").await.items().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions.iter().filter(|action| *action == "workflow.published").count(), 2, "{actions:?}");
    assert!(actions.contains(&json!("workflow.deleted")) && actions.contains(&json!("workflow.current_version_changed")), "{actions:?}");
}

#[tokio::test]
async fn a_draft_that_somebody_else_saved_is_not_overwritten() {
    let server = Server::start().await;
    let path = "/api/v1/workflows/hello/draft";
    let bearer = format!("Bearer {}", server.admin);
    let put = async |tag: &str, source: &str| {
        server.call_with(&[("authorization", &bearer), ("if-match", tag)], Method::PUT, path, json!({ "source": source })).await
    };
    put("\"x\"", "one").await.problem(412, "changed");
    let first = server.call(Method::PUT, path, json!({ "source": "one" })).await.expect(200);
    let tag = first.headers[header::ETAG].to_str().unwrap();
    put(tag, "two").await.expect(200);
    put(tag, "three").await.problem(412, "changed");
    assert_eq!(server.get(path).await.json()["source"], "two");
    server.call(Method::DELETE, path, Value::Null).await.expect(204);
    server.call(Method::DELETE, path, Value::Null).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_cannot_run_is_not_published() {
    let server = Server::start().await;
    let wrong = WORKFLOW.replace("debug.log", "debug.lgo");
    let validation = server.post("/api/v1/workflows/validate", json!({ "source": wrong })).await.expect(200).json();
    assert_eq!(validation["valid"], false);
    assert!(validation["problems"][0]["line"].as_u64().unwrap() > 1);
    assert_eq!(server.post("/api/v1/workflows/validate", json!({ "source": WORKFLOW })).await.expect(200).json()["valid"], true);
    let problem = server.post("/api/v1/workflows/hello/publish", json!({ "source": wrong })).await.problem(422, "invalid_workflow");
    assert_eq!(problem["problems"], validation["problems"]);
    server.post("/api/v1/workflows/other/publish", json!({ "source": WORKFLOW })).await.problem(422, "invalid_input");
    server.post("/api/v1/workflows/hello/publish", Value::Null).await.problem(409, "no_draft");
    server.post("/api/v1/workflows/validate", json!({})).await.problem(422, "invalid_input");
    for name in ["Hello", "a_b", "%C3%A9"] {
        server.call(Method::PUT, &format!("/api/v1/workflows/{name}/draft"), json!({ "source": "x" })).await.problem(422, "invalid_input");
    }
    server.call(Method::PUT, "/api/v1/workflows/hello/draft", json!({ "source": "x".repeat((1 << 20) + 1) })).await.problem(422, "invalid_input");
    server.post("/api/v1/workflows/send-message/publish", json!({ "source": WORKFLOW })).await.problem(409, "built_in");
    server.get("/api/v1/workflows/hello").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_run_by_hand_is_seen_from_start_to_end() {
    let server = Server::start().await;
    server.publish().await;
    let started = server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": "Asha" }, "key": "mine" })).await.expect(202).json();
    let id = started["run_id"].as_str().unwrap().to_owned();
    let run = server.ended(&id).await;
    assert_eq!((&run["status"], &run["key"], &run["workflow"], &run["version"]), (&json!("completed"), &json!("mine"), &json!("hello"), &json!(1)));
    assert_eq!((&run["input"], &run["output"]), (&json!({ "name": "Asha" }), &json!({ "greeted": "Asha" })));
    let history = server.get(&format!("/api/v1/runs/{id}/history")).await.expect(200).items();
    assert_eq!((&history[0]["seq"], &history[0]["kind"]), (&json!(1), &json!("run_started")));
    assert_eq!(history.last().unwrap()["kind"], "run_completed");
    // The same, in pages.
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/runs/{id}/history?limit=1{cursor}")).await.expect(200).json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, history);
    for query in ["workflow=hello", "status=completed", "key=mine", ""] {
        assert_eq!(server.get(&format!("/api/v1/runs?{query}")).await.items(), std::slice::from_ref(&run), "{query}");
    }
    for query in ["workflow=other", "status=failed", "key=yours", "contact=x"] {
        assert!(server.get(&format!("/api/v1/runs?{query}")).await.items().is_empty(), "{query}");
    }
    let stats = server.get("/api/v1/workflows/hello/stats").await.expect(200).json();
    assert_eq!((&stats["runs"]["completed"], &stats["steps"][0]["step"]), (&json!(1), &json!("note")));
    server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": 7 } })).await.problem(422, "invalid_input");
    server.post("/api/v1/workflows/nothing/runs", json!({ "input": {} })).await.problem(404, "not_found");
    server.post("/api/v1/workflows/hello/runs", json!({ "key": "" })).await.problem(422, "invalid_input");
}

#[tokio::test]
async fn a_run_ends_when_it_is_asked_to() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/waiting/publish", json!({ "source": WAITING })).await.expect(200);
    let id = server.post("/api/v1/workflows/waiting/runs", json!({ "input": {} })).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/runs/{id}");
    let run = server.get(&path).await.json();
    assert_eq!(run["status"], "waiting");
    assert!(!run["waiting_on"].is_null());
    server.post(&format!("{path}/cancel"), json!({ "reason": "enough" })).await.expect(202);
    assert_eq!(server.ended(&id).await["status"], "cancelled");
    let history = server.get(&format!("{path}/history")).await.items();
    let asked = history.iter().find(|entry| entry["kind"] == "cancel_requested").unwrap();
    assert_eq!(asked["reason"], "enough");
    assert!(asked["by"].as_str().unwrap().starts_with("token "), "{asked}");
    server.post(&format!("/api/v1/runs/{}/cancel", uuid::Uuid::nil()), Value::Null).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_run_is_executed_again() {
    let server = Server::start().await;
    server.publish().await;
    let id =
        server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": "Asha" } })).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    server.ended(&id).await;
    let same = server.post(&format!("/api/v1/runs/{id}/replay"), Value::Null).await.expect(200).json();
    assert_eq!((&same["runs"][0]["run_id"], &same["runs"][0]["same"]), (&json!(id), &json!(true)), "{same}");
    let edited = WORKFLOW.replace("greeted", "welcomed");
    for path in [format!("/api/v1/runs/{id}/replay"), "/api/v1/workflows/hello/replay".to_owned()] {
        let other = server.post(&path, json!({ "source": edited })).await.expect(200).json();
        assert_eq!(other["runs"][0]["same"], false, "{other}");
        assert!(other["runs"][0]["differences"][0]["seq"].as_u64().unwrap() > 1, "{other}");
        server.post(&path, json!({ "source": "nonsense" })).await.problem(422, "invalid_workflow");
    }
    assert_eq!(server.post("/api/v1/workflows/hello/replay", json!({ "last": 5 })).await.expect(200).json()["runs"][0]["same"], true);
    server.post("/api/v1/workflows/hello/replay", json!({ "last": 0 })).await.problem(422, "invalid_input");
    server.post("/api/v1/workflows/nothing/replay", Value::Null).await.problem(404, "not_found");
    assert_eq!(server.get("/api/v1/runs").await.items().len(), 1, "a replay is no run");
}

#[tokio::test]
async fn an_export_is_enough_and_a_changed_one_is_refused() {
    let server = Server::start().await;
    server.publish().await;
    let id =
        server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": "Asha" } })).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    server.ended(&id).await;
    let mut exported = server.get(&format!("/api/v1/runs/{id}/export")).await.expect(200).json();
    let read = export::read(&exported).unwrap();
    assert_eq!((read.run_id.to_string(), read.source.as_str()), (id, WORKFLOW));
    exported["history"][1]["at"] = json!("2030-01-01T00:00:00.000Z");
    assert!(matches!(export::read(&exported), Err(export::ExportError::Digest { .. })));
}

#[tokio::test]
async fn the_gallery_says_what_each_workflow_needs() {
    let server = Server::start().await;
    let items = server.get("/api/v1/gallery").await.expect(200).items();
    assert_eq!((&items[0]["name"], &items[0]["needs"]["templates"], &items[0]["needs"]["teams"]), (&json!("hello"), &json!(["hello"]), &json!([])));
    let one = server.get("/api/v1/gallery/hello").await.expect(200).json();
    assert!(one["source"].as_str().unwrap().starts_with("name: hello"), "{one:#}");
    server.get("/api/v1/gallery/nothing").await.expect(404);
}

#[tokio::test]
async fn the_catalogue_names_nodes_and_event_types() {
    let server = Server::start().await;
    let nodes = server.get("/api/v1/nodes").await.expect(200).items();
    let ids: Vec<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    for id in ["debug.echo", "http.request", "crm.contact.upsert", "message.send"] {
        assert!(ids.contains(&id), "{ids:?}");
    }
    assert_eq!(server.get("/api/v1/nodes/message.send").await.expect(200).json()["effect"], "at_most_once");
    let types = server.get("/api/v1/event-types").await.expect(200).items();
    assert!(types.contains(&json!({ "type": "message.received" })), "{types:?}");
}

#[tokio::test]
async fn segments_and_other_workflows_are_looked_for_at_publish() {
    let server = Server::start().await;
    let file = |segment: &str, other: &str| {
        format!(
            "name: weekly\non: [{{ schedule: {{ cron: 0 9 * * mon, each: {{ segment: {segment} }} }} }}]\nsteps:\n  - {{ id: in, do: crm.segment.contains, with: {{ segment: {segment} }} }}\n  - {{ call: {other} }}\n  - {{ start: weekly }}\n"
        )
    };
    let publish = async |name: &str, source: &str| server.post(&format!("/api/v1/workflows/{name}/publish"), json!({ "source": source })).await;
    let refused = publish("weekly", &file("custmers", "enrich-leed")).await.expect(422).json();
    let errors: Vec<_> =
        refused["problems"].as_array().unwrap().iter().map(|problem| (problem["code"].as_str().unwrap(), problem["line"].as_u64().unwrap())).collect();
    assert_eq!(errors, [("unknown_segment", 2), ("unknown_segment", 4), ("unknown_workflow", 5)], "{refused}");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "each mistake is told: {refused}");

    server.post("/api/v1/segments", json!({ "name": "customers" })).await.expect(201);
    publish("enrich-lead", "name: enrich-lead\non: [{ manual: {} }]\nsteps: [{ stop: {} }]\n").await.expect(200);
    let near = publish("weekly", &file("custmers", "enrich-leed")).await.expect(422).json();
    assert_eq!((&near["problems"][0]["suggestion"], &near["problems"][2]["suggestion"]), (&json!("customers"), &json!("enrich-lead")));
    publish("weekly", &file("customers", "enrich-lead")).await.expect(200);
    let script = "//! name: asks\n//! on: [{ manual: {} }]\ncall(\"enrich-leed\")";
    let refused = publish("asks", script).await.expect(422).json();
    assert_eq!((&refused["problems"][0]["code"], &refused["problems"][0]["line"]), (&json!("unknown_workflow"), &json!(3)), "{refused}");
}

#[tokio::test]
async fn what_the_organisation_does_not_have_is_a_warning_before_and_an_error_at_publish() {
    let server = Server::start().await;
    server.whatsapp(&server.admin, "support", "700").await;
    let file = |connection: &str, user: &str| {
        format!(
            "name: answering\non: [{{ event: message.received }}]\nsteps:\n  - {{ do: message.send, with: {{ text: hello, connection: {connection} }} }}\n  - {{ do: crm.conversation.assign, with: {{ user: {user} }} }}\n"
        )
    };
    let publish = async |source: &str| server.post("/api/v1/workflows/answering/publish", json!({ "source": source })).await;
    let validate = async |source: &str| server.post("/api/v1/workflows/validate", json!({ "source": source })).await.expect(200).json();

    let wrong = file("suport", "nobody@example.com");
    let checked = validate(&wrong).await;
    let shown: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|problem| (problem["severity"].clone(), problem["code"].clone(), problem["line"].clone())).collect();
    assert_eq!(checked["valid"], true);
    assert_eq!(shown, [(json!("warning"), json!("unknown_connection"), json!(4)), (json!("warning"), json!("unknown_user"), json!(5))], "{checked}");
    assert_eq!(checked["problems"][0]["suggestion"], "support");
    let refused = publish(&wrong).await.expect(422).json();
    let errors: Vec<_> = refused["problems"].as_array().unwrap().iter().map(|problem| (&problem["severity"], &problem["code"])).collect();
    assert_eq!(errors, [(&json!("error"), &json!("unknown_connection")), (&json!("error"), &json!("unknown_user"))], "{refused}");

    server.user("asha@example.com", Role::Agent).await;
    publish(&file("support", "asha@example.com")).await.expect(200);
    // What an expression gives is known in a run only.
    publish(&file("'{{ event.data.channel }}'", "'{{ event.data.user }}'")).await.expect(200);
    // Another organisation's things are not ours.
    let (_, other) = server.other_organisation().await;
    server.call_as(&other, Method::POST, "/api/v1/workflows/answering/publish", json!({ "source": file("support", "asha@example.com") })).await.expect(422);
}

#[tokio::test]
async fn the_overview_counts_runs_by_hour_and_events_by_minute() {
    let server = Server::start().await;
    let (_, other) = server.other_organisation().await;
    let empty = server.get("/api/v1/overview").await.expect(200).json();
    assert_eq!((&empty["living"], &empty["hours"]), (&json!({}), &json!([])));
    server.publish().await;
    server.post("/api/v1/workflows/waiting/publish", json!({ "source": WAITING })).await.expect(200);
    let events: Vec<_> = (0..3).map(|number| json!({ "type": "hello.said", "data": { "name": number.to_string() } })).collect();
    let taken = server.post("/api/v1/events", json!(events)).await.expect(202).items();
    for item in taken {
        server.ended(item["run_ids"][0].as_str().unwrap()).await;
    }
    let waiting = server.post("/api/v1/workflows/waiting/runs", json!({ "input": {} })).await.expect(202).json();
    server.waiting(waiting["run_id"].as_str().unwrap()).await;

    let told = server.get("/api/v1/overview?hours=2").await.expect(200).json();
    assert_eq!(told["living"], json!({ "waiting": 1 }));
    // The hour or minute may turn while this runs.
    let sum = |list: &str, value: &dyn Fn(&Value) -> i64| told[list].as_array().unwrap().iter().map(value).sum::<i64>();
    assert_eq!(sum("hours", &|hour| hour["runs"]["completed"].as_i64().unwrap_or(0)), 3);
    assert_eq!(sum("hours", &|hour| hour["runs"]["waiting"].as_i64().unwrap_or(0)), 1);
    assert_eq!(sum("minutes", &|minute| minute["events"].as_i64().unwrap()), 3);
    let foreign = server.call_as(&other, Method::GET, "/api/v1/overview", Value::Null).await.expect(200).json();
    assert_eq!((&foreign["living"], &foreign["hours"], &foreign["minutes"]), (&json!({}), &json!([]), &json!([])));
    for wrong in ["0", "169", "x"] {
        server.get(&format!("/api/v1/overview?hours={wrong}")).await.problem(400, "bad_query");
    }
}
