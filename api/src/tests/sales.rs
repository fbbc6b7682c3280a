//! Companies, pipelines, deals, tasks and segments.

use super::Server;
use http::{Method, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

async fn location(server: &Server, path: &str, body: Value) -> (String, Value) {
    let made = server.post(path, body).await.expect(201);
    (made.headers[header::LOCATION].to_str().unwrap().to_owned(), made.json())
}

/// A change with the `ETag` of an earlier state is refused.
async fn refuses_stale(server: &Server, path: &str, tag: &str, body: Value) {
    let bearer = format!("Bearer {}", server.admin);
    let stale = [("authorization", bearer.as_str()), ("if-match", tag)];
    server.call_with(&stale, Method::PATCH, path, body).await.problem(412, "changed");
    server.call_with(&stale, Method::DELETE, path, Value::Null).await.problem(412, "changed");
}

fn tag(reply: &super::Reply) -> String {
    reply.headers[header::ETAG].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_company_is_made_found_changed_and_removed() {
    let server = Server::start().await;
    let (path, company) = location(&server, "/api/v1/companies", json!({ "name": "Acme", "domain": "https://acme.example" })).await;
    let before = tag(&server.get(&path).await);
    let again = server.post("/api/v1/companies", json!({ "domain": "www.acme.example", "phone": "+4930901820" })).await.expect(200).json();
    assert_eq!((&again["id"], &again["phone"]), (&company["id"], &json!("+4930901820")));
    refuses_stale(&server, &path, &before, json!({ "name": "x" })).await;
    for query in ["q=acm", "domain=ACME.example", ""] {
        assert_eq!(server.get(&format!("/api/v1/companies?{query}")).await.expect(200).items().len(), 1, "{query}");
    }
    let worker = server.post("/api/v1/contacts", json!({ "email": "a@acme.example", "company_id": company["id"] })).await.expect(201).json();
    let at = format!("/api/v1/contacts?company={}", company["id"].as_str().unwrap());
    assert_eq!(server.get(&at).await.items()[0]["id"], worker["id"]);
    assert_eq!(server.call(Method::PATCH, &path, json!({ "phone": null })).await.expect(200).json()["phone"], Value::Null);
    let problem = server.call(Method::PATCH, &path, json!({ "domain": "no domain" })).await.problem(422, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/domain");
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    server.get(&path).await.problem(404, "not_found");
    let worker = format!("/api/v1/contacts/{}", worker["id"].as_str().unwrap());
    assert_eq!(server.get(&worker).await.json()["company_id"], Value::Null);
}

#[tokio::test]
async fn a_deal_goes_over_the_board() {
    let server = Server::start().await;
    let agent = server.token(server.organisation, Role::Agent).await;
    let stages = json!([{ "name": "Asked" }, { "name": "Trial", "probability": 50 }]);
    server.call_as(&agent, Method::POST, "/api/v1/pipelines", json!({ "name": "P", "stages": stages })).await.problem(403, "forbidden");
    let (pipeline_path, pipeline) = location(&server, "/api/v1/pipelines", json!({ "name": "Coaching", "stages": stages })).await;
    assert_eq!(pipeline["default"], true);
    let contact = server.post("/api/v1/contacts", json!({ "name": "Asha" })).await.expect(201).json();
    let new = json!({ "contact_id": contact["id"], "amount": 50_000, "currency": "INR", "expected_close": "2026-12-24" });
    let (path, deal) = location(&server, "/api/v1/deals", new).await;
    assert_eq!((&deal["title"], &deal["stage"], &deal["pipeline"]), (&json!("Asha"), &json!("Asked"), &json!("Coaching")));
    let before = tag(&server.get(&path).await);
    let moved = server.call(Method::PATCH, &format!("{path}/stage"), json!({ "stage": "Trial" })).await.expect(200).json();
    assert_eq!(moved["stage_id"], pipeline["stages"][1]["id"]);
    refuses_stale(&server, &path, &before, json!({ "title": "x" })).await;
    let problem = server.call(Method::PATCH, &format!("{path}/stage"), json!({ "stage": "Nowhere" })).await.problem(422, "invalid_input");
    assert!(problem["detail"].as_str().unwrap().contains("Asked, Trial"), "{problem}");
    let board = format!("/api/v1/deals?pipeline={}&stage={}", pipeline["id"].as_str().unwrap(), pipeline["stages"][1]["id"].as_str().unwrap());
    assert_eq!(server.get(&board).await.items().len(), 1);
    server.get("/api/v1/deals?status=maybe").await.problem(400, "bad_query");
    assert_eq!(server.post(&format!("{path}/win"), Value::Null).await.expect(200).json()["status"], "won");
    server.post(&format!("{path}/lose"), json!({ "reason": "x" })).await.problem(409, "conflict");
    assert_eq!(server.post(&format!("{path}/reopen"), Value::Null).await.expect(200).json()["closed_at"], Value::Null);
    assert_eq!(server.post(&format!("{path}/lose"), json!({ "reason": "no time" })).await.expect(200).json()["lost_reason"], "no time");
    assert_eq!(server.get("/api/v1/deals?status=lost").await.items().len(), 1);
    let changed = server.call(Method::PATCH, &path, json!({ "amount": null, "expected_close": null, "title": "Ten sessions" })).await.expect(200).json();
    assert_eq!((&changed["amount"], &changed["expected_close"]), (&Value::Null, &Value::Null));
    let types: Vec<Value> = server.get("/api/v1/events?source=onward/records").await.items().iter().map(|event| event["type"].clone()).collect();
    for kind in ["deal.created", "deal.stage_changed", "deal.won", "deal.reopened", "deal.lost", "deal.updated"] {
        assert!(types.contains(&json!(kind)), "{kind}: {types:?}");
    }
    let audit = server.get("/api/v1/audit-log").await.items();
    assert!(audit.iter().any(|entry| entry["action"] == "deal.stage_changed" && entry["subject"]["id"] == deal["id"]), "a person's doing is in the audit log");
    server.call(Method::PATCH, &pipeline_path, json!({ "stages": [{ "name": "Only" }] })).await.problem(409, "conflict");
    server.call(Method::DELETE, &pipeline_path, Value::Null).await.problem(409, "conflict");
    server.call_as(&agent, Method::DELETE, &path, Value::Null).await.problem(403, "forbidden");
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    let (second, _) = location(&server, "/api/v1/pipelines", json!({ "name": "Other", "stages": [{ "name": "A" }] })).await;
    server.call(Method::PATCH, &second, json!({ "default": true })).await.expect(200);
    server.call(Method::DELETE, &pipeline_path, Value::Null).await.expect(204);
    assert_eq!(server.get("/api/v1/pipelines").await.items().len(), 1);
}

#[tokio::test]
async fn a_task_is_made_given_and_done() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let (path, task) = location(&server, "/api/v1/tasks", json!({ "title": "Call", "user": "meera@example.com", "due_at": "2026-12-01T09:00:00Z" })).await;
    let user = task["assigned_user"].as_str().unwrap().to_owned();
    for query in [format!("assigned_user={user}&status=open"), "due_before=2026-12-02T00:00:00Z".to_owned(), String::new()] {
        assert_eq!(server.get(&format!("/api/v1/tasks?{query}")).await.expect(200).items().len(), 1, "{query}");
    }
    let before = tag(&server.get(&path).await);
    let changed = server.call(Method::PATCH, &path, json!({ "team": "sales", "due_at": null })).await.expect(200).json();
    assert_eq!((&changed["assigned_user"], &changed["assigned_team"], &changed["due_at"]), (&Value::Null, &json!("sales"), &Value::Null));
    refuses_stale(&server, &path, &before, json!({ "title": "x" })).await;
    assert_eq!(server.call(Method::PATCH, &path, json!({ "team": null })).await.json()["assigned_team"], Value::Null);
    assert_eq!(server.post(&format!("{path}/complete"), Value::Null).await.expect(200).json()["status"], "done");
    assert!(server.get("/api/v1/tasks?status=open").await.items().is_empty());
    assert_eq!(server.post(&format!("{path}/reopen"), Value::Null).await.expect(200).json()["completed_at"], Value::Null);
    server.get("/api/v1/tasks?status=maybe").await.problem(400, "bad_query");
    for (body, pointer) in [
        (json!({ "title": " " }), "/title"),
        (json!({ "title": "x", "due_at": "soon" }), "/due_at"),
        (json!({ "title": "x", "user": "a", "team": "b" }), "/team"),
    ] {
        assert_eq!(server.post("/api/v1/tasks", body).await.problem(422, "invalid_input")["errors"][0]["pointer"], pointer);
    }
    server.post("/api/v1/tasks", json!({ "title": "x", "user": "nobody@example.com" })).await.problem(404, "not_found");
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    server.get(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn contacts_enter_and_leave_a_segment() {
    let server = Server::start().await;
    let (path, _) = location(&server, "/api/v1/segments", json!({ "name": "vip" })).await;
    server.post("/api/v1/segments", json!({ "name": "vip" })).await.problem(409, "conflict");
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(server.post("/api/v1/contacts", json!({ "email": format!("c{n}@example.com") })).await.expect(201).json()["id"].clone());
    }
    let members = format!("{path}/members");
    let changed = server.post(&members, json!({ "add": ids })).await.expect(200).json();
    assert_eq!(changed, json!({ "entered": 3, "left": 0 }));
    assert_eq!(server.post(&members, json!({ "add": [ids[0]], "remove": [ids[1]] })).await.json(), json!({ "entered": 0, "left": 1 }));
    let first = server.get(&format!("{members}?limit=1")).await.expect(200).json();
    assert_eq!(first["items"][0]["id"], ids[0]);
    let rest = server.get(&format!("{members}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&ids[2], &Value::Null));
    server.post(&members, json!({ "add": [uuid::Uuid::nil()] })).await.problem(404, "not_found");
    let many: Vec<Value> = (0..501).map(|n| json!(uuid::Uuid::from_u128(n))).collect();
    server.post(&members, json!({ "add": many })).await.problem(422, "invalid_input");
    assert_eq!(server.get("/api/v1/events?type=segment.entered").await.items().len(), 3);
    let before = tag(&server.get(&path).await);
    server.call(Method::PATCH, &path, json!({ "description": "The best" })).await.expect(200);
    refuses_stale(&server, &path, &before, json!({ "name": "x" })).await;
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    server.get(&members).await.problem(404, "not_found");
    assert!(server.get("/api/v1/segments").await.items().is_empty());
}
