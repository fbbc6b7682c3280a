//! No organisation sees or touches another's data: every endpoint of the document is asked for it.

use super::{
    Server, contract,
    hooks::{deliver_signed, text_message},
};
use http::Method;
use onward_core::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// One record of each kind in `default`, by the path that names it.
async fn furnish(server: &Server) -> BTreeMap<&'static str, String> {
    server.publish().await;
    server.call(Method::PUT, "/api/v1/workflows/hello/draft", json!({ "source": "theirs" })).await.expect(200);
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    deliver_signed(server, &connection, &text_message("700", "wamid.1", "a very private message")).await.expect(200);
    let conversation = server.get("/api/v1/conversations").await.items().remove(0);
    let event = server.post("/api/v1/events", json!({ "type": "hello.said", "data": { "name": "Very Private" } })).await.expect(202).items().remove(0);
    let user = server.post("/api/v1/users", json!({ "email": "private@example.com", "password": "long enough" })).await.expect(201).json();
    let token = server.post("/api/v1/tokens", json!({ "name": "private" })).await.expect(201).json();
    let team = server.post("/api/v1/teams", json!({ "name": "private", "members": ["private@example.com"] })).await.expect(201).json();
    let drafts = format!("/api/v1/conversations/{}/drafts", conversation["id"].as_str().unwrap());
    let draft = server.post(&drafts, json!({ "text": "very private" })).await.expect(201).json();
    let company = server.post("/api/v1/companies", json!({ "name": "Private" })).await.expect(201).json();
    let deal = server.post("/api/v1/deals", json!({ "title": "Private", "contact_id": conversation["contact_id"] })).await.expect(201).json();
    let task = server.post("/api/v1/tasks", json!({ "title": "Private", "deal_id": deal["id"] })).await.expect(201).json();
    let segment = server.post("/api/v1/segments", json!({ "name": "private" })).await.expect(201).json();
    let job = super::jobs::want(server, server.organisation).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    [
        ("contacts", text(&conversation["contact_id"])),
        ("conversations", text(&conversation["id"])),
        ("connections", connection),
        ("events", text(&event["event_id"])),
        ("runs", text(&event["run_ids"][0])),
        ("users", text(&user["id"])),
        ("tokens", text(&token["id"])),
        ("teams", text(&team["id"])),
        ("drafts", text(&draft["id"])),
        ("notifications", uuid::Uuid::nil().to_string()),
        ("companies", text(&company["id"])),
        ("pipelines", text(&deal["pipeline_id"])),
        ("deals", text(&deal["id"])),
        ("tasks", text(&task["id"])),
        ("segments", text(&segment["id"])),
        ("workflows", "hello".to_owned()),
        ("jobs", job),
    ]
    .into()
}

/// A body that the operation takes.
fn body(method: &Method, template: &str) -> Value {
    match (method.as_str(), template.trim_start_matches("/api/v1")) {
        ("POST", "/conversations/{id}/messages" | "/conversations/{id}/drafts") | ("PUT", "/drafts/{id}") => json!({ "text": "x" }),
        ("PATCH", "/deals/{id}" | "/tasks/{id}") => json!({ "title": "x" }),
        ("PATCH", "/deals/{id}/stage") => json!({ "stage": "Proposal" }),
        ("POST", "/contacts/{id}/merge") => json!({ "other_id": uuid::Uuid::nil() }),
        ("PATCH", "/teams/{id}") => json!({ "members": [] }),
        ("PATCH", _) => json!({ "name": "x" }),
        ("PUT", "/workflows/{name}") => json!({ "current_version": 1 }),
        ("POST", "/workflows/{name}/backfill") => json!({ "from": "2024-01-01", "to": "2024-01-02" }),
        ("POST", "/runs/{id}/answer") => json!({ "answer": "approve" }),
        ("POST", "/workflows/{name}/runs") => json!({ "input": {} }),
        ("POST", "/workflows/{name}/test-step") => json!({ "step": "x" }),
        ("GET" | "DELETE", _) => Value::Null,
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_endpoint_keeps_organisations_apart() {
    let server = Server::start().await;
    let records = furnish(&server).await;
    let (_, stranger) = server.other_organisation().await;
    let before = server.get("/api/v1/audit-log?limit=100").await.items();
    let (mut named, mut listed) = (0, 0);
    for (method, template, operation) in contract::operations() {
        let Some(path) = template.strip_prefix("/api/v1/") else { continue };
        if contract::is_open(operation) {
            continue;
        }
        let room = path.split('/').next().unwrap();
        if matches!(room, "nodes" | "connectors" | "event-types" | "gallery") {
            // The same for all.
            continue;
        }
        if room == "server" {
            // All organisations together: for whoever operates the server, and for no organisation.
            server.call_as(&stranger, method.clone(), template, body(&method, template)).await.problem(403, "forbidden");
            continue;
        }
        if template.contains('{') {
            let record = records.get(room).unwrap_or_else(|| panic!("{template}: put a record of it into `furnish`"));
            let concrete = template.replace("{id}", record).replace("{name}", record).replace("{version}", "1");
            let concrete = if path == "runs/{id}/results" { format!("{concrete}?step=note") } else { concrete };
            let reply = server.call_as(&stranger, method.clone(), &concrete, body(&method, template)).await;
            match (method.as_str(), path) {
                // A name is free in each organisation: this makes the stranger's own draft.
                ("PUT", "workflows/{name}/draft") => {}
                ("POST", "workflows/{name}/publish") => drop(reply.problem(409, "no_draft")),
                _ => drop(reply.problem(404, "not_found")),
            }
            named += 1;
        } else if method == Method::GET {
            let reply = server.call_as(&stranger, method.clone(), template, Value::Null).await.expect(200);
            for (room, record) in &records {
                assert!(*room == "workflows" || !reply.text.contains(record.as_str()), "{template} shows another's {room}");
            }
            assert!(!reply.text.to_lowercase().contains("private"), "{template}: {}", reply.text);
            listed += 1;
        }
    }
    assert!(named >= 30 && listed >= 10, "{named}, {listed}");
    // Nothing of the owner's has changed.
    assert_eq!(server.get("/api/v1/audit-log?limit=100").await.items(), before);
    for (room, record) in &records {
        // A token cannot be asked for, and what a user is told is theirs alone.
        if !matches!(*room, "tokens" | "notifications") {
            server.get(&format!("/api/v1/{room}/{record}")).await.expect(200);
        }
    }
    assert_eq!(server.get("/api/v1/workflows/hello/draft").await.json()["source"], "theirs");
}
