//! What providers deliver.

use super::{Reply, Server};
use axum::body::Body;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, header};
use onward_core::{Value, limits};
use serde_json::json;

/// A text message as the Cloud API posts it, to this account.
pub(super) fn text_message(account: &str, wamid: &str, text: &str) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "800", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp", "metadata": { "display_phone_number": "15550001111", "phone_number_id": account },
        "contacts": [{ "profile": { "name": "Asha" }, "wa_id": "919812345678" }],
        "messages": [{ "from": "919812345678", "id": wamid, "timestamp": "1790000000", "type": "text", "text": { "body": text } }],
    } }] }] })
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"app-secret").unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub(super) async fn deliver(server: &Server, connection: &str, body: &[u8], signature: Option<&str>) -> Reply {
    let mut request = Request::post(format!("/hooks/whatsapp/{connection}")).header(header::CONTENT_TYPE, "application/json");
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    server.send(request.body(Body::from(body.to_vec())).unwrap()).await
}

pub(super) async fn deliver_signed(server: &Server, connection: &str, body: &Value) -> Reply {
    let body = body.to_string().into_bytes();
    deliver(server, connection, &body, Some(&sign(&body))).await
}

#[tokio::test]
async fn a_message_becomes_contact_conversation_and_event_before_the_answer() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let body = text_message("700", "wamid.1", "hello");
    for _ in 0..3 {
        let reply = deliver_signed(&server, &connection, &body).await.expect(200);
        assert!(reply.text.is_empty());
    }
    let conversations = server.get("/api/v1/conversations").await.expect(200).items();
    assert_eq!(conversations.len(), 1);
    let messages = server.get(&format!("/api/v1/conversations/{}/messages", conversations[0]["id"].as_str().unwrap())).await.expect(200).items();
    assert_eq!(messages.len(), 1, "a repeated delivery makes no second message");
    assert_eq!((&messages[0]["text"], &messages[0]["direction"], &messages[0]["status"]), (&json!("hello"), &json!("inbound"), &json!("received")));
    let contact = server.get(&format!("/api/v1/contacts/{}", conversations[0]["contact_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(
        (&contact["name"], &contact["phone"], &contact["identities"][0]["connection_id"]),
        (&json!("Asha"), &json!("+919812345678"), &json!(connection))
    );
    let events = server.get("/api/v1/events?type=message.received").await.items();
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["id"], &events[0]["data"]["contact_id"]), (&json!("wamid.1"), &contact["id"]));
    // A page and a run of the same contact can be found.
    assert!(server.get(&format!("/api/v1/contacts/{}/timeline", contact["id"].as_str().unwrap())).await.items().iter().any(|item| item["kind"] == "message"));
}

#[tokio::test]
async fn what_is_forged_leaves_no_trace() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let body = text_message("700", "wamid.1", "hello").to_string().into_bytes();
    let right = sign(&body);
    let flipped = if right.ends_with('0') { format!("{}1", &right[..right.len() - 1]) } else { format!("{}0", &right[..right.len() - 1]) };
    for signature in
        [None, Some("sha256="), Some("sha256=zz"), Some(&*flipped), Some(right.trim_start_matches("sha256=")), Some(&*right.replace("sha256", "sha1"))]
    {
        deliver(&server, &connection, &body, signature).await.problem(401, "unauthorized");
    }
    let mut changed = body.clone();
    changed.push(b' ');
    deliver(&server, &connection, &changed, Some(&right)).await.problem(401, "unauthorized");
    assert!(server.get("/api/v1/events").await.items().is_empty());
    assert!(server.get("/api/v1/contacts").await.items().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_the_server_stays_up() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let whole = text_message("700", "wamid.1", "hello").to_string().into_bytes();
    for body in [&b""[..], b"{", b"null", b"[]", b"{\"object\":7}", &whole[..whole.len() / 2], &b"[".repeat(100_000), b"\xff\xff"] {
        deliver(&server, &connection, body, Some(&sign(body))).await.problem(400, "unreadable");
    }
    let large = vec![b' '; (4 << 20) + 1];
    deliver(&server, &connection, &large, Some(&sign(&large))).await.problem(413, "too_large");
    let never = futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> { panic!("the body was read") });
    let request = Request::post(format!("/hooks/whatsapp/{connection}")).header(header::CONTENT_LENGTH, "4194305").body(Body::from_stream(never)).unwrap();
    server.send(request).await.problem(413, "too_large");
    assert!(server.get("/api/v1/events").await.items().is_empty());
    deliver_signed(&server, &connection, &text_message("700", "wamid.1", "hello")).await.expect(200);
}

#[tokio::test]
async fn what_is_not_known_is_kept() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "800", "changes": [{ "field": "something_new", "value": { "a": 1 } }] }] });
    deliver_signed(&server, &connection, &body).await.expect(200);
    let kept = server.get("/api/v1/events?type=whatsapp.raw").await.items();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[tokio::test]
async fn an_entry_belongs_to_the_connection_of_its_account() {
    let server = Server::start().await;
    let first = server.whatsapp(&server.admin, "support", "700").await;
    let second = server.whatsapp(&server.admin, "sales", "701").await;
    deliver_signed(&server, &first, &text_message("701", "wamid.1", "to sales")).await.expect(200);
    let conversations = server.get("/api/v1/conversations").await.items();
    assert_eq!(conversations[0]["connection_id"], second);
    // An account that nobody has: kept, quarantined, shown.
    deliver_signed(&server, &first, &text_message("999", "wamid.2", "to nobody")).await.expect(200);
    assert_eq!(server.get("/api/v1/conversations").await.items().len(), 1);
    let kept = server.get("/api/v1/events?type=whatsapp.raw").await.items();
    assert_eq!((&kept[0]["data"]["quarantined"], &kept[0]["data"]["account"]), (&json!(true), &json!("999")));
    let waiting = onward_messaging::raw::quarantined(&mut server.app.reader(), server.organisation, None, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
}

#[tokio::test]
async fn a_foreign_organisations_account_is_unknown_here() {
    let server = Server::start().await;
    let (_, other) = server.other_organisation().await;
    let ours = server.whatsapp(&server.admin, "support", "700").await;
    server.whatsapp(&other, "support", "701").await;
    deliver_signed(&server, &ours, &text_message("701", "wamid.1", "for them?")).await.expect(200);
    assert!(server.call_as(&other, Method::GET, "/api/v1/conversations", Value::Null).await.items().is_empty());
    assert!(server.get("/api/v1/conversations").await.items().is_empty());
}

#[tokio::test]
async fn addresses_are_verified_and_unknown_ones_say_nothing() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let get = async |path: String| server.call_with(&[], Method::GET, &path, Value::Null).await;
    let right = get(format!("/hooks/whatsapp/{connection}?hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=%3Cb%3E42")).await.expect(200);
    assert_eq!((right.text.as_str(), right.headers[header::CONTENT_TYPE].to_str().unwrap()), ("<b>42", "text/plain; charset=utf-8"));
    get(format!("/hooks/whatsapp/{connection}?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=42")).await.problem(403, "forbidden");
    get(format!("/hooks/whatsapp/{connection}")).await.problem(403, "forbidden");
    for path in [
        format!("/hooks/whatsapp/{}", uuid::Uuid::nil()),
        "/hooks/whatsapp/x".to_owned(),
        format!("/hooks/http/{connection}"),
        format!("/hooks/nothing/{connection}"),
    ] {
        get(path.clone()).await.problem(404, "not_found");
        server.call_with(&[], Method::POST, &path, json!({})).await.problem(404, "not_found");
    }
    server.call(Method::DELETE, &format!("/api/v1/connections/{connection}"), Value::Null).await.expect(204);
    deliver_signed(&server, &connection, &text_message("700", "wamid.1", "hello")).await.problem(404, "not_found");
}

#[tokio::test]
async fn overload_is_told_before_the_body_is_read() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    server.app.engine().shutdown().await;
    let never = futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> { panic!("the body was read") });
    let reply = server.send(Request::post(format!("/hooks/whatsapp/{connection}")).body(Body::from_stream(never)).unwrap()).await;
    assert_eq!(reply.headers[header::RETRY_AFTER], "1");
    reply.problem(503, "unavailable");
}

#[tokio::test]
async fn a_nearly_full_disk_is_kept_for_what_was_admitted() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    server.disk.leave(limits::DISK_RESERVE_BYTES - 1);
    let never = futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> { panic!("the body was read") });
    let reply = server.send(Request::post(format!("/hooks/whatsapp/{connection}")).body(Body::from_stream(never)).unwrap()).await;
    assert_eq!(reply.headers[header::RETRY_AFTER], "60");
    assert!(reply.problem(503, "disk_low")["detail"].as_str().unwrap().contains("255 MiB are left"));
    server.post("/api/v1/events", json!({ "type": "a.b", "data": {} })).await.problem(503, "disk_low");
    server.call_with(&[], Method::GET, "/readyz", Value::Null).await.problem(503, "disk_low");
    // Whoever makes room must be able to look and to write.
    server.get("/api/v1/conversations").await.expect(200);
    server.call(Method::PATCH, &format!("/api/v1/connections/{connection}"), json!({ "name": "other" })).await.expect(200);
    server.disk.leave(limits::DISK_RESERVE_BYTES);
    server.call_with(&[], Method::GET, "/readyz", Value::Null).await.expect(200);
    deliver_signed(&server, &connection, &text_message("700", "wamid.1", "hello")).await.expect(200);
}

#[tokio::test]
async fn a_connection_that_changed_decides_as_it_is_now() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    let deliver_with = async |secret: &[u8], wamid: &str| {
        let body = text_message("700", wamid, "hello").to_string().into_bytes();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
        mac.update(&body);
        deliver(&server, &connection, &body, Some(&format!("sha256={}", hex::encode(mac.finalize().into_bytes())))).await
    };
    deliver_with(b"app-secret", "wamid.1").await.expect(200);
    server.call(Method::PATCH, &format!("/api/v1/connections/{connection}"), json!({ "secrets": { "app_secret": "new-secret" } })).await.expect(200);
    // The first is genuine by what is remembered, and by nothing else any more.
    deliver_with(b"app-secret", "wamid.2").await.problem(401, "unauthorized");
    deliver_with(b"new-secret", "wamid.3").await.expect(200);
    server.call(Method::PATCH, &format!("/api/v1/connections/{connection}"), json!({ "secrets": { "app_secret": "third-secret" } })).await.expect(200);
    deliver_with(b"third-secret", "wamid.4").await.expect(200);
    let ids: Vec<Value> = server.get("/api/v1/events?type=message.received").await.items().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(!ids.contains(&json!("wamid.2")));
}
