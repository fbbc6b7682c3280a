//! The client and the node over real connections on loopback.

use super::{
    test_server::{Script, TestServer, answer},
    *,
};
use ::http::{HeaderMap, Method};
use onward_core::{
    ErrorCode, Object, OrganisationId, StepError, Timestamp, Value,
    ports::{Connection, Credentials, Node, Outcome, Secret, StepContext},
};
use onward_database::Tx;
use serde_json::json;
use std::{sync::Arc, time::Duration};

fn request(url: url::Url) -> HttpRequest {
    HttpRequest { method: Method::GET, url, headers: HeaderMap::new(), body: None, timeout: Duration::from_secs(5), max_reply_bytes: 100 }
}

fn open() -> HttpClient {
    HttpClient::new(AllowPrivate::All).unwrap()
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_writing() {
    let client = HttpClient::new(AllowPrivate::None).unwrap();
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://LOCALHOST:1/",
        "http://2130706433:1/",
        "http://0x7f.1:1/",
        "http://0177.0.0.1:1/",
        "http://127.1:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://0.0.0.0:1/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
    ] {
        let error = client.call(request(url.parse().unwrap())).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused(_)), "{url}: {error:?}");
        assert!(error.to_string().contains("private network") && error.to_string().contains("ONWARD_ALLOW_PRIVATE_URLS"), "{url}: {error}");
        assert!(error.surely_not_sent());
    }
    for url in ["ftp://example.com/", "file:///etc/passwd", "http://user:password@example.com/"] {
        let error = client.call(request(url.parse().unwrap())).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused(_)), "{url}: {error:?}");
        assert!(!error.to_string().contains("password@"));
    }
}

#[tokio::test]
async fn an_exact_address_is_reached_and_its_neighbour_is_not() {
    let server = TestServer::start(vec![answer(200, "", "ok")]).await;
    let client = HttpClient::new(AllowPrivate::Exactly(vec![server.address])).unwrap();
    assert_eq!(&client.call(request(server.url("/"))).await.unwrap().body[..], b"ok");
    let mut neighbour = server.url("/");
    neighbour.set_port(Some(server.address.port().wrapping_add(1).max(1))).unwrap();
    assert!(matches!(client.call(request(neighbour)).await, Err(HttpError::Refused(_))));
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let mut server = TestServer::start(vec![answer(302, "Location: http://169.254.169.254/\r\n", "")]).await;
    let reply = open().call(request(server.url("/a"))).await.unwrap();
    assert_eq!(reply.status, 302);
    assert!(server.requests.recv().await.unwrap().starts_with("GET /a "));
    assert!(server.requests.try_recv().is_err());
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let server = TestServer::start(vec![answer(200, "", &"x".repeat(100)), answer(200, "", &"x".repeat(101))]).await;
    let whole = open().call(request(server.url("/"))).await.unwrap();
    assert_eq!((whole.body.len(), whole.truncated), (100, false));
    let cut = open().call(request(server.url("/"))).await.unwrap();
    assert_eq!((cut.body.len(), cut.truncated), (100, true));
}

#[tokio::test]
async fn failures_are_sorted_by_what_may_have_arrived() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed: url::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    assert!(matches!(open().call(request(closed)).await, Err(HttpError::NotSent { .. })));
    assert!(matches!(open().call(request("http://no-such-host.invalid/".parse().unwrap())).await, Err(HttpError::NotSent { .. })));

    let server = TestServer::start(vec![
        Script::Hang,
        Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this".into()),
        Script::Answer("this is no HTTP\r\n\r\n".into()),
        Script::Silence,
    ])
    .await;
    for _ in 0..3 {
        let error = open().call(request(server.url("/"))).await.unwrap_err();
        assert!(matches!(error, HttpError::Broken { .. }) && !error.surely_not_sent(), "{error:?}");
    }
    let error = open().call(HttpRequest { timeout: Duration::from_millis(50), ..request(server.url("/")) }).await.unwrap_err();
    assert_eq!(error, HttpError::TimedOut { host: server.address.to_string(), timeout_ms: 50 });
}

/// Hands out one `http` connection, `erp`.
struct OneConnection(String);

#[onward_core::async_trait]
impl Credentials for OneConnection {
    async fn connection(&self, _: OrganisationId, connector: Option<&str>, name: Option<&str>) -> Result<Connection, StepError> {
        assert_eq!(connector, Some("http"));
        if name != Some("erp") {
            return Err(StepError::new(ErrorCode::NotFound, "there is no such connection"));
        }
        let config: Object = [("base_url".to_owned(), Value::from(self.0.clone()))].into_iter().collect();
        let secrets = [("token".to_owned(), Secret::new("erp-token"))].into();
        Ok(Connection { id: uuid::Uuid::nil().into(), connector: "http".into(), name: "erp".into(), config, secrets: Arc::new(secrets) })
    }
}

async fn call(server: &TestServer, input: Value) -> Outcome {
    let context = StepContext {
        organisation: uuid::Uuid::nil().into(),
        run_id: uuid::Uuid::nil().into(),
        workflow: "w".into(),
        step: "s".into(),
        attempt: 1,
        idempotency_key: "0123456789abcdef0123456789abcdef".into(),
        event_id: None,
        now: Timestamp::from_millis(0),
        contact: None,
        company: None,
        deal: None,
        conversation: None,
        depth: 0,
        credentials: Arc::new(OneConnection(server.url("/api").to_string())),
    };
    Node::<Tx>::call(&HttpRequestNode::new(open()), &context, &input).await
}

#[tokio::test]
async fn the_node_calls_with_its_key_and_its_connection() {
    let mut server = TestServer::start(vec![answer(201, "Content-Type: application/json\r\n", "{\"id\":7,\"seen\":\"erp-token\"}")]).await;
    let outcome = call(&server, json!({ "method": "POST", "url": "/orders", "connection": "erp", "body": { "a": 1 } })).await;
    let Outcome::Done { output } = outcome else { panic!("{outcome:?}") };
    assert_eq!((&output["status"], &output["body"]), (&json!(201), &json!({ "id": 7, "seen": "[secret]" })));
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("POST /api/orders HTTP/1.1\r\n"), "{request}");
    let lower = request.to_ascii_lowercase();
    for part in [
        "idempotency-key: 0123456789abcdef0123456789abcdef\r\n",
        "authorization: bearer erp-token\r\n",
        "content-type: application/json\r\n",
        "\r\n\r\n{\"a\":1}",
    ] {
        assert!(lower.contains(part), "{part}: {request}");
    }
}

#[tokio::test]
async fn the_node_sorts_what_goes_wrong() {
    let server = TestServer::start(vec![answer(429, "Retry-After: 3\r\n", ""), Script::Hang, answer(404, "", "gone")]).await;
    let url = server.url("/").to_string();
    let go = async || call(&server, json!({ "url": url })).await;
    assert!(matches!(go().await, Outcome::Retry { after_ms: Some(3_000), .. }));
    assert!(matches!(go().await, Outcome::Unknown { error } if error.code == ErrorCode::Unavailable));
    let Outcome::Failed { error } = go().await else { panic!() };
    assert_eq!((error.code, &error.details), (ErrorCode::NotFound, &json!({ "status": 404, "body": "gone" })));
    let Outcome::Failed { error } = call(&server, json!({ "url": "/x", "connection": "epr" })).await else { panic!() };
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[test]
fn the_node_describes_itself() {
    let node = HttpRequestNode::new(open());
    let descriptor = Node::<Tx>::descriptor(&node);
    assert_eq!(descriptor.id, "http.request");
    let known = descriptor.input["properties"].as_object().unwrap();
    for name in descriptor.example.as_object().unwrap().keys() {
        assert!(known.contains_key(name), "{name}");
    }
    for name in descriptor.ui["order"].as_array().unwrap() {
        assert!(known.contains_key(name.as_str().unwrap()), "{name}");
    }
}
