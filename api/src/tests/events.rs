//! Events in.

use super::Server;
use axum::body::Body;
use http::{Method, Request};
use onward_core::Value;
use serde_json::json;

async fn post(server: &Server, headers: &[(&str, &str)], body: &str) -> super::Reply {
    let mut request = Request::post("/api/v1/events").header("authorization", format!("Bearer {}", server.admin));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn an_event_starts_a_run_once() {
    let server = Server::start().await;
    server.publish().await;
    let event = json!({ "type": "hello.said", "source": "test", "id": "1", "subject": "s", "time": "2026-11-20T09:30:00Z", "data": { "name": "Asha" } });
    let first = server.post("/api/v1/events", event.clone()).await.expect(202).items();
    let run = first[0]["run_ids"][0].as_str().unwrap();
    assert_eq!(first[0]["duplicate"], false);
    assert_eq!(server.get(&format!("/api/v1/runs/{run}")).await.expect(200).json()["event_id"], first[0]["event_id"]);
    let again = server.post("/api/v1/events", event).await.expect(202).items();
    assert_eq!(again, [json!({ "event_id": first[0]["event_id"], "duplicate": true, "run_ids": [run] })]);
    let ended = server.ended(run).await;
    assert_eq!((&ended["status"], &ended["output"], &ended["key"]), (&json!("completed"), &json!({ "greeted": "Asha" }), &json!("Asha")));
    let stored = server.get(&format!("/api/v1/events/{}", first[0]["event_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&stored["id"], &stored["source"], &stored["subject"]), (&json!("1"), &json!("test"), &json!("s")));
    assert_eq!(stored["routing"][0]["kind"], "started");
    assert_eq!(server.get("/api/v1/events?type=hello.said&source=test").await.items(), [stored]);
    assert!(server.get("/api/v1/events?source=elsewhere").await.items().is_empty());
}

#[tokio::test]
async fn cloudevents_come_in_every_form() {
    let server = Server::start().await;
    let envelope = |id: &str| json!({ "specversion": "1.0", "type": "thing.happened", "source": "/shop", "id": id, "data": { "n": 1 }, "traceparent": "00-…", "datacontenttype": "application/json" });
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    post(&server, &structured, &envelope("1").to_string()).await.expect(202);
    let batched = [("content-type", "application/cloudevents-batch+json")];
    let batch = json!([envelope("2"), envelope("1"), envelope("2")]).to_string();
    let items = post(&server, &batched, &batch).await.expect(202).items();
    assert_eq!(items.iter().map(|item| item["duplicate"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true, true]);
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "thing.happened"),
        ("ce-source", "/shop"),
        ("ce-id", "3"),
        ("ce-subject", "Caf%C3%A9"),
    ];
    post(&server, &binary, "{\"n\":2}").await.expect(202);
    let plain = json!([{ "type": "thing.happened", "data": { "n": 3 } }, envelope("4")]).to_string();
    post(&server, &[("content-type", "application/json")], &plain).await.expect(202);
    let stored = server.get("/api/v1/events?type=thing.happened").await.items();
    assert_eq!(stored.len(), 5);
    let third = stored.iter().find(|event| event["id"] == "3").unwrap();
    assert_eq!((&third["subject"], &third["data"]), (&json!("Café"), &json!({ "n": 2 })));
    let short = stored.iter().find(|event| event["data"]["n"] == 3).unwrap();
    assert_eq!((&short["source"], &short["id"]), (&json!("api"), &short["event_id"]));
    // Text is a fact too.
    let text = [("content-type", "text/plain"), ("ce-specversion", "1.0"), ("ce-type", "note.taken"), ("ce-source", "/shop"), ("ce-id", "9")];
    post(&server, &text, "just text").await.expect(202);
    assert_eq!(server.get("/api/v1/events?type=note.taken").await.items()[0]["data"], "just text");
}

#[tokio::test]
async fn mistakes_are_named_one_by_one_and_nothing_is_stored() {
    let server = Server::start().await;
    let body = json!([
        { "type": "fine" },
        { "type": "Not Fine", "time": "yesterday" },
        { "type": "fine", "id": "" },
        { "typ": "fine" },
        { "specversion": "0.3", "type": "fine", "source": "s", "id": "i", "data_base64": "AA==" },
        7,
    ]);
    let problem = server.post("/api/v1/events", body).await.problem(422, "invalid_input");
    let pointers: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    for expected in ["/1/type", "/1/time", "/2/id", "/4/specversion", "/4/data_base64", "/5"] {
        assert!(pointers.contains(&expected), "{expected}: {pointers:?}");
    }
    assert!(pointers.iter().any(|pointer| pointer.starts_with("/3")), "{pointers:?}");
    assert!(!pointers.iter().any(|pointer| pointer.starts_with("/0")), "{pointers:?}");
    assert!(server.get("/api/v1/events").await.items().is_empty(), "all or nothing");
    for (headers, text, status, code) in [
        (vec![("content-type", "application/json")], "[]", 422, "invalid_input"),
        (vec![("content-type", "application/json")], "null", 422, "invalid_input"),
        (vec![("content-type", "application/json")], "{\"type\":", 400, "malformed_json"),
        (vec![("content-type", "application/cloudevents-batch+json")], "{}", 422, "invalid_input"),
        (vec![("content-type", "application/xml")], "<a/>", 415, "unsupported_media_type"),
        (vec![("ce-specversion", "1.0"), ("ce-type", "a"), ("ce-source", "b")], "{}", 400, "bad_header"),
        (vec![("ce-specversion", "2.0"), ("ce-type", "a"), ("ce-source", "b"), ("ce-id", "c")], "{}", 400, "bad_header"),
    ] {
        post(&server, &headers, text).await.problem(status, code);
    }
    let many: Vec<Value> = (0..1_001).map(|_| json!({ "type": "a" })).collect();
    server.post("/api/v1/events", json!(many)).await.problem(422, "invalid_input");
    let large = json!({ "type": "a", "data": "x".repeat(10 << 20) });
    server.call(Method::POST, "/api/v1/events", large).await.problem(413, "too_large");
    assert!(server.get("/api/v1/events").await.items().is_empty());
}

#[tokio::test]
async fn a_full_request_is_taken_in_one_commit() {
    let server = Server::start().await;
    let many: Vec<Value> = (0..1_000).map(|number| json!({ "type": "a", "data": { "number": number } })).collect();
    let items = server.post("/api/v1/events", json!(many)).await.expect(202).items();
    assert_eq!(items.len(), 1_000);
    let large = json!({ "type": "large", "data": { "text": "x".repeat(3 << 20) } });
    server.post("/api/v1/events", large).await.expect(202);
    assert_eq!(server.get("/api/v1/events?type=large").await.items()[0]["data"]["text"].as_str().unwrap().len(), 3 << 20);
}

#[tokio::test]
async fn the_same_event_two_hundred_times_at_once_is_one_run() {
    let server = Server::start().await;
    server.publish().await;
    let event = json!({ "type": "hello.said", "source": "test", "id": "once", "data": { "name": "Asha" } });
    let all = futures_util::future::join_all((0..200).map(|_| server.post("/api/v1/events", event.clone()))).await;
    let firsts = all.into_iter().map(|reply| reply.expect(202).items()).filter(|items| items[0]["duplicate"] == false).count();
    assert_eq!(firsts, 1);
    assert_eq!(server.get("/api/v1/runs?workflow=hello").await.items().len(), 1);
}
