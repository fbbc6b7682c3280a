//! What holds for every request.

use super::{Server, contract};
use axum::body::Body;
use http::{Method, Request, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

fn concrete(template: &str) -> String {
    template.replace("{name}", "hello").replace("{version}", "1").replace("{id}", &uuid::Uuid::nil().to_string())
}

#[tokio::test]
async fn every_endpoint_asks_who_it_is() {
    let server = Server::start().await;
    let mut asked = 0;
    for (method, template, operation) in contract::operations() {
        if contract::is_open(operation) {
            continue;
        }
        for headers in [vec![], vec![("authorization", "Bearer onw_wrong")], vec![("authorization", "Basic eDp5")], vec![("cookie", "onward_session=wrong")]] {
            let reply = server.call_with(&headers, method.clone(), &concrete(template), json!({})).await;
            assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer", "{method} {template}");
            reply.problem(401, "unauthorized");
            asked += 1;
        }
    }
    assert!(asked > 160, "{asked}");
}

#[tokio::test]
async fn an_agent_may_not_do_what_is_for_admins() {
    let server = Server::start().await;
    let agent = server.token(server.organisation, Role::Agent).await;
    for (method, path, body) in [
        (Method::DELETE, "/api/v1/contacts/{id}", Value::Null),
        (Method::POST, "/api/v1/runs/{id}/cancel", Value::Null),
        (Method::PUT, "/api/v1/workflows/hello", json!({ "source": "" })),
        (Method::DELETE, "/api/v1/workflows/hello", Value::Null),
        (Method::PUT, "/api/v1/workflows/hello/draft", json!({ "source": "" })),
        (Method::DELETE, "/api/v1/workflows/hello/draft", Value::Null),
        (Method::POST, "/api/v1/workflows/hello/publish", Value::Null),
        (Method::POST, "/api/v1/connections", json!({ "connector": "http", "name": "x" })),
        (Method::PATCH, "/api/v1/connections/{id}", json!({})),
        (Method::DELETE, "/api/v1/connections/{id}", Value::Null),
        (Method::POST, "/api/v1/connections/{id}/test", Value::Null),
        (Method::POST, "/api/v1/users", json!({ "email": "a@b.co", "password": "long enough" })),
        (Method::PATCH, "/api/v1/users/{id}", json!({})),
        (Method::GET, "/api/v1/tokens", Value::Null),
        (Method::POST, "/api/v1/tokens", json!({ "name": "x", "role": "admin" })),
        (Method::DELETE, "/api/v1/tokens/{id}", Value::Null),
        (Method::GET, "/api/v1/audit-log", Value::Null),
    ] {
        server.call_as(&agent, method, &concrete(path), body).await.problem(403, "forbidden");
    }
    server.call_as(&agent, Method::GET, "/api/v1/contacts", Value::Null).await.expect(200);
    server.call_as(&agent, Method::GET, "/api/v1/connections", Value::Null).await.expect(200);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let server = Server::start().await;
    server.get("/api/v1/nothing").await.problem(404, "no_route");
    server.get("/nothing").await.problem(404, "no_route");
    server.call(Method::DELETE, "/api/v1/contacts", Value::Null).await.problem(405, "method_not_allowed");
    server.call(Method::PUT, "/healthz", Value::Null).await.problem(405, "method_not_allowed");
    for path in ["/api/v1/contacts/x", "/api/v1/runs/0", "/api/v1/events/%20", "/api/v1/users/..%2f", "/api/v1/nodes/nothing", "/api/v1/connectors/nothing"] {
        server.get(path).await.problem(404, "not_found");
    }
    server.get("/api/v1/contacts?fone=1").await.problem(400, "bad_query");
    server.get("/api/v1/contacts?limit=ten").await.problem(400, "bad_query");
    server.get("/api/v1/runs?status=dead").await.problem(400, "bad_query");
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let server = Server::start().await;
    let send = async |kind: Option<&str>, length: Option<&str>, body: Body| {
        let mut request = Request::post("/api/v1/contacts").header("authorization", format!("Bearer {}", server.admin));
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        server.send(request.body(body).unwrap()).await
    };
    let json = Some("application/json");
    for text in ["", "{", "{\"name\":", "nul", "{\"name\": \"x\"} {}", "\u{0}"] {
        send(json, None, Body::from(text)).await.problem(400, "malformed_json");
    }
    send(json, None, Body::from(b"\xff\xfe".as_slice())).await.problem(400, "malformed_json");
    send(json, None, Body::from("[".repeat(100_000))).await.problem(400, "too_deep");
    send(json, None, Body::from(format!("{{\"fields\":{}1{}}}", "{\"a\":".repeat(80), "}".repeat(80)))).await.problem(400, "too_deep");
    send(Some("text/plain"), None, Body::from("{}")).await.problem(415, "unsupported_media_type");
    send(Some("application/x-www-form-urlencoded"), None, Body::from("name=x")).await.problem(415, "unsupported_media_type");
    let ten_megabytes = format!("{{\"name\":\"{}\"}}", "x".repeat(10 << 20));
    send(json, None, Body::from(ten_megabytes.clone())).await.problem(413, "too_large");
    // One that says so is refused before a byte of it is read.
    let never = futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> { panic!("the body was read") });
    send(json, Some("10485760"), Body::from_stream(never)).await.problem(413, "too_large");
    // One that does not say so is refused while it is read.
    let chunks = ten_megabytes.into_bytes().chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(chunk))).collect::<Vec<_>>();
    send(json, None, Body::from_stream(futures_util::stream::iter(chunks))).await.problem(413, "too_large");
    let broken = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{\"na")), Err(std::io::Error::other("connection reset"))]);
    send(json, None, Body::from_stream(broken)).await.problem(400, "truncated");
    server.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn browsers_are_told_to_do_nothing_on_their_own() {
    let server = Server::start().await;
    for path in ["/", "/docs/", "/api/v1/contacts", "/api/v1/nothing", "/healthz", "/openapi.json"] {
        let reply = server.get(path).await;
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn pages_for_people_and_for_those_who_watch() {
    let server = Server::start().await;
    let home = server.call_with(&[], Method::GET, "/", Value::Null).await.expect(200);
    // Whether the app was built is whoever builds this crate's choice: both pages are tested with it.
    assert!(home.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    let docs = server.call_with(&[], Method::GET, "/docs/", Value::Null).await.expect(200);
    assert!(docs.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    assert!(!docs.text.contains("//unpkg") && !docs.text.contains("https://cdn"), "everything comes from the binary");
    assert!(server.get("/docs/swagger-initializer.js").await.expect(200).text.contains("/openapi.json"));
    server.get("/docs/nothing.js").await.problem(404, "not_found");
    assert_eq!(server.get("/docs").await.headers[header::LOCATION], "/docs/");
    assert!(server.call_with(&[], Method::GET, "/openapi.json", Value::Null).await.expect(200).json()["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(server.call_with(&[], Method::GET, "/metrics", Value::Null).await.expect(200).text, "onward_up 1\n");
    server.call_with(&[], Method::GET, "/readyz", Value::Null).await.expect(200);
    server.app.engine().shutdown().await;
    server.call_with(&[], Method::GET, "/healthz", Value::Null).await.expect(200);
    server.call_with(&[], Method::GET, "/readyz", Value::Null).await.problem(503, "unavailable");
    let refused = server.post("/api/v1/contacts", json!({ "name": "x" })).await;
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    refused.problem(503, "unavailable");
}
