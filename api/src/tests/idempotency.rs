//! `Idempotency-Key`.

use super::{Reply, Server};
use http::Method;
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

async fn post(server: &Server, token: &str, key: &str, path: &str, body: Value) -> Reply {
    server.call_with(&[("authorization", &format!("Bearer {token}")), ("idempotency-key", key)], Method::POST, path, body).await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_ones_answer() {
    let server = Server::start().await;
    server.publish().await;
    for (path, body, counted) in [
        ("/api/v1/contacts", json!({ "name": "Asha" }), "/api/v1/contacts"),
        ("/api/v1/connections", json!({ "connector": "http", "name": "x" }), "/api/v1/connections"),
        ("/api/v1/events", json!({ "type": "thing.happened" }), "/api/v1/events?type=thing.happened"),
        ("/api/v1/workflows/hello/runs", json!({ "input": { "name": "Asha" } }), "/api/v1/runs?workflow=hello"),
    ] {
        let first = post(&server, &server.admin, "key-1", path, body.clone()).await;
        assert!(first.status.is_success() && !first.headers.contains_key("idempotency-replayed"), "{path}: {}", first.text);
        let again = post(&server, &server.admin, "key-1", path, body.clone()).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
        assert_eq!(again.headers["idempotency-replayed"], "true", "{path}");
        for name in ["location", "etag"] {
            assert_eq!(again.headers.get(name), first.headers.get(name), "{path} {name}");
        }
        let mut other = body.clone();
        other["x"] = json!(1);
        post(&server, &server.admin, "key-1", path, other).await.expect(422);
        assert_eq!(server.get(counted).await.items().len(), 1, "{path}");
    }
    let changed = post(&server, &server.admin, "key-1", "/api/v1/contacts", json!({ "name": "Other" })).await;
    changed.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn keys_belong_to_a_caller_and_a_route() {
    let server = Server::start().await;
    let agent = server.token(server.organisation, Role::Agent).await;
    let (_, other) = server.other_organisation().await;
    for token in [&server.admin, &agent, &other] {
        let reply = post(&server, token, "same", "/api/v1/contacts", json!({ "name": "Asha" })).await.expect(201);
        assert!(!reply.headers.contains_key("idempotency-replayed"));
    }
    post(&server, &server.admin, "same", "/api/v1/events", json!({ "type": "a" })).await.expect(202);
    for key in ["", "ü", &"x".repeat(256)] {
        let refused = post(&server, &server.admin, key, "/api/v1/contacts", json!({ "name": "Asha" })).await;
        refused.problem(400, "bad_header");
    }
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_with_the_same_key() {
    let server = Server::start().await;
    post(&server, &server.admin, "key", "/api/v1/connections", json!({ "connector": "http", "name": "Bad Name" })).await.problem(422, "invalid_input");
    post(&server, &server.admin, "key", "/api/v1/connections", json!({ "connector": "http", "name": "good-name" })).await.expect(201);
    post(&server, &server.admin, "run", "/api/v1/workflows/hello/runs", json!({ "input": {} })).await.problem(404, "not_found");
    server.publish().await;
    post(&server, &server.admin, "run", "/api/v1/workflows/hello/runs", json!({ "input": { "name": "A" } })).await.expect(202);
}

#[tokio::test]
async fn one_that_is_still_running_is_told_to_wait() {
    let server = Server::start().await;
    let replies = futures_util::future::join_all((0..20).map(|_| post(&server, &server.admin, "key", "/api/v1/contacts", json!({ "name": "Asha" })))).await;
    let mut made = 0;
    for reply in replies {
        match reply.status.as_u16() {
            201 => made += u32::from(!reply.headers.contains_key("idempotency-replayed")),
            _ => drop(reply.problem(409, "still_running")),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(server.get("/api/v1/contacts").await.items().len(), 1);
    post(&server, &server.admin, "key", "/api/v1/contacts", json!({ "name": "Asha" })).await.expect(201);
}
