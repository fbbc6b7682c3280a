//! Bad input gets a precise answer (contracts of the webhooks, problem documents of the API), and the server stays up.

use super::harness::{Api, Home, Secrets, Server, connect, sandbox, signature};
use http::Method;
use serde_json::json;

async fn deliver(api: &Api, path: &str, signature: &str, body: Vec<u8>) -> u16 {
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", signature)];
    match api.send(Method::POST, path, &headers, Some(body)).await {
        Ok(answer) => answer.status,
        // A server that has refused a large body may close the connection while it is still being sent.
        Err(_) => 413,
    }
}

fn nested(depth: usize) -> Vec<u8> {
    format!("{{\"object\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

#[tokio::test]
async fn deliveries() {
    let home = Home::fresh();
    let (server, sandbox) = (Server::start(&home).await, sandbox(1).await);
    let api = server.api(&home).await;
    let path = connect(&server, &api, &sandbox).await;
    let signed = |body: &[u8]| signature(Secrets::APP_SECRET, body);
    let good = json!({ "object": "whatsapp_business_account", "entry": [] }).to_string().into_bytes();
    let unknown = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "moon_phase", "value": { "x": 1 } }] }] })
        .to_string()
        .into_bytes();
    let wrong_types = json!({ "object": "whatsapp_business_account", "entry": [{ "id": 7, "changes": [{ "field": "messages", "value": { "messages": [{ "id": [], "timestamp": {}, "type": 5 }] } }] }] })
        .to_string()
        .into_bytes();
    let cut = good[..good.len() - 3].to_vec();
    for (what, signature, body, expected) in [
        ("right", signed(&good), good.clone(), 200),
        ("unknown kind", signed(&unknown), unknown, 200),
        ("wrong signature", signature("other", &good), good.clone(), 401),
        ("no signature", String::new(), good.clone(), 401),
        ("signature of nonsense", "sha256=zz".into(), good.clone(), 401),
        ("truncated, signed as sent", signed(&cut), cut.clone(), 400),
        ("truncated on the way", signed(&good), cut, 401),
        ("deep nesting", signed(&nested(100_000)), nested(100_000), 400),
        ("10 MB", signed(b"x"), vec![b' '; 10 << 20], 413),
    ] {
        assert_eq!(deliver(&api, &path, &signature, body).await, expected, "{what}");
    }
    let odd = deliver(&api, &path, &signed(&wrong_types), wrong_types).await;
    assert!([200, 400].contains(&odd), "wrong types: {odd}");
    assert_eq!(api.ask("/healthz").await.status, 200);
    // A challenge is answered with the right verify token only.
    let ask = |token: &str| format!("{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=4711");
    let answer = api.ask(&ask(Secrets::VERIFY_TOKEN)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "4711"));
    assert_eq!(api.ask(&ask("wrong")).await.status, 403);
    assert_eq!(deliver(&api, "/hooks/whatsapp/00000000-0000-7000-8000-000000000000", "", good).await, 404);
}

#[tokio::test]
async fn requests() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let json_type = [("content-type", "application/json")];
    let big = format!("{{\"type\":\"a.b\",\"data\":{{\"text\":\"{}\"}}}}", "x".repeat(11 << 20)).into_bytes();
    for (what, method, path, body, allowed) in [
        ("not JSON", Method::POST, "/api/v1/events", b"{".to_vec(), [400, 400]),
        ("no type", Method::POST, "/api/v1/events", b"{}".to_vec(), [422, 422]),
        ("wrong types", Method::POST, "/api/v1/events", br#"{"type":5,"data":{}}"#.to_vec(), [422, 422]),
        (
            "deep",
            Method::POST,
            "/api/v1/events",
            format!("{{\"type\":\"a\",\"data\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
            [400, 422],
        ),
        ("too large", Method::POST, "/api/v1/events", big, [413, 413]),
        ("no route", Method::GET, "/api/v1/nothing", Vec::new(), [404, 404]),
        ("wrong method", Method::DELETE, "/api/v1/events", Vec::new(), [405, 405]),
        ("no id", Method::GET, "/api/v1/runs/nonsense", Vec::new(), [400, 404]),
        ("bad cursor", Method::GET, "/api/v1/runs?cursor=nonsense", Vec::new(), [400, 400]),
        ("bad workflow", Method::POST, "/api/v1/workflows/x/publish", br#"{"source":"name: x\nsteps: 5\n"}"#.to_vec(), [422, 422]),
    ] {
        let body = (method != Method::GET).then_some(body);
        match api.send(method, path, &json_type, body).await {
            Ok(answer) => {
                assert!(allowed.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}");
                assert!(answer.body["code"].is_string(), "{what}: {}", answer.text);
            }
            Err(_) => assert_eq!(allowed[0], 413, "{what}: no answer"),
        }
    }
    let stranger = Api::new(&server.url(), "onw_wrong");
    assert_eq!(stranger.ask("/api/v1/runs").await.status, 401);
    assert_eq!(api.ask("/readyz").await.status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Keys, records, and what goes out of the workflow, all with what the text brings.
const HOSTILE: &str = "name: hostile
on:
  - event: hostile.text
key: \"{{ event.data.text }}\"
steps:
  - id: person
    do: crm.contact.upsert
    with: { first_name: \"{{ event.data.text }}\" }
  - id: note
    do: crm.contact.note
    with: { id: \"{{ steps.person.id }}\", text: \"{{ event.data.text }}\" }
  - id: echo
    do: debug.echo
    with: { text: \"{{ event.data.text }}\" }
  - stop: { reason: \"{{ event.data.text }}\", output: { text: \"{{ steps.echo.text }}\" } }
";

#[tokio::test]
async fn a_text_that_postgres_does_not_store_is_taken_on_both() {
    for home in [Home::fresh(), Home::on_postgres()] {
        let server = Server::start(&home).await;
        let api = server.api(&home).await;
        api.publish("hostile", HOSTILE).await;
        let text = "be\0fore";
        let event = json!({ "type": "hostile.text", "source": text, "id": text, "subject": text, "data": { "text": text, text: [text] } });
        for duplicate in [false, true] {
            assert_eq!(api.post("/api/v1/events", &event).await.expect(202)["items"][0]["duplicate"], duplicate);
        }
        api.all_ended("hostile").await;
        let runs = api.all("/api/v1/runs?workflow=hostile").await;
        assert_eq!(runs.len(), 1);
        let run = api.run_in(runs[0]["id"].as_str().unwrap(), "completed").await;
        assert_eq!((&run["output"]["text"], &run["key"]), (&json!(text), &json!("be\u{FFFD}fore")), "{run:#}");
        let contacts = api.all("/api/v1/contacts").await;
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0]["first_name"], "be\u{FFFD}fore", "{contacts:#?}");
        for path in
            ["/api/v1/runs?key=a%00b", "/api/v1/runs?workflow=a%00b", "/api/v1/events?type=a%00b", "/api/v1/contacts?tag=a%00b", "/api/v1/workflows/a%00b"]
        {
            let answer = api.ask(path).await;
            assert!(answer.status < 500, "{path}: {}", answer.text);
        }
        assert_eq!(api.ask("/readyz").await.status, 200);
        assert!(server.stop().await.success());
    }
}
