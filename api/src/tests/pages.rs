//! Lists, page by page.

use super::Server;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn following_the_cursor_gives_everything_once() {
    let server = Server::start().await;
    for number in 0..7 {
        server.post("/api/v1/contacts", json!({ "name": format!("Contact {number}") })).await.expect(201);
        server.post("/api/v1/events", json!({ "type": "thing.happened", "data": { "number": number } })).await.expect(202);
        server.call(http::Method::PUT, &format!("/api/v1/workflows/flow-{number}/draft"), json!({ "source": "x" })).await.expect(200);
        server.post("/api/v1/connections", json!({ "connector": "http", "name": format!("c{number}") })).await.expect(201);
    }
    for (list, key) in [
        ("contacts?", "id"),
        ("events?type=thing.happened&", "event_id"),
        ("workflows?", "name"),
        ("connections?", "id"),
        ("audit-log?subject=connection&subject_id=x&", "id"),
    ] {
        let expected = if list.starts_with("audit") { 0 } else { 7 };
        let mut seen = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/api/v1/{list}limit=3{cursor}")).await.expect(200).json();
            for item in page["items"].as_array().unwrap() {
                assert!(seen.insert(item[key].as_str().unwrap().to_owned()), "{list}: {item} twice");
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), expected, "{list}");
    }
    let events = server.get("/api/v1/events?type=thing.happened&limit=100").await.items();
    let numbers: Vec<i64> = events.iter().map(|event| event["data"]["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1, 0], "newest first");
}

#[tokio::test]
async fn bad_cursors_and_limits_are_refused() {
    let server = Server::start().await;
    for number in 0..2 {
        server.post("/api/v1/contacts", json!({ "name": format!("Contact {number}") })).await.expect(201);
    }
    let of_contacts = server.get("/api/v1/contacts?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    for list in ["contacts", "events", "runs", "conversations", "connections", "audit-log", "workflows"] {
        server.get(&format!("/api/v1/{list}?cursor=x")).await.problem(400, "bad_cursor");
        server.get(&format!("/api/v1/{list}?limit=0")).await.problem(400, "bad_limit");
        server.get(&format!("/api/v1/{list}?limit=101")).await.problem(400, "bad_limit");
        if list != "contacts" {
            server.get(&format!("/api/v1/{list}?cursor={of_contacts}")).await.problem(400, "bad_cursor");
        }
    }
}
