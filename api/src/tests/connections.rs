//! Connections and their write-only secrets.

use super::Server;
use http::{Method, header};
use onward_core::Value;
use serde_json::json;

const SECRET: &str = "EAAG-very-secret";

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let server = Server::start().await;
    let body = json!({ "connector": "whatsapp", "name": "support", "config": { "phone_number_id": "700" }, "secrets": { "access_token": SECRET, "app_secret": SECRET } });
    let made = server.post("/api/v1/connections", body).await.expect(201);
    let (path, connection) = (made.headers[header::LOCATION].to_str().unwrap().to_owned(), made.json());
    assert_eq!(connection["webhook_url"], format!("https://onward.test/hooks/whatsapp/{}", connection["id"].as_str().unwrap()));
    assert_eq!((&connection["secrets_set"], &connection["health"]["status"]), (&json!(["access_token", "app_secret"]), &json!("unknown")));
    let changed = server.call(Method::PATCH, &path, json!({ "secrets": { "verify_token": SECRET, "app_secret": null } })).await.expect(200);
    assert_eq!(changed.json()["secrets_set"], json!(["access_token", "verify_token"]));
    for path in ["/api/v1/connections", &path, "/api/v1/audit-log", "/api/v1/events"] {
        let reply = server.get(path).await.expect(200);
        assert!(!reply.text.contains(SECRET), "{path}");
    }
    assert!(!made.text.contains(SECRET) && !changed.text.contains(SECRET));
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    server.get(&path).await.problem(404, "not_found");
    server.call(Method::DELETE, &path, Value::Null).await.problem(404, "not_found");
    let actions: Vec<Value> = server.get("/api/v1/audit-log").await.items().iter().map(|entry| entry["action"].clone()).collect();
    for action in ["connection.created", "connection.updated", "connection.deleted"] {
        assert!(actions.contains(&json!(action)), "{actions:?}");
    }
}

#[tokio::test]
async fn every_mistake_is_named_by_its_place() {
    let server = Server::start().await;
    server.whatsapp(&server.admin, "support", "700").await;
    for (body, status, pointer) in [
        (json!({ "connector": "watsapp", "name": "x" }), 422, "/connector"),
        (json!({ "connector": "whatsapp", "name": "X y", "config": { "phone_number_id": "1" } }), 422, "/name"),
        (json!({ "connector": "whatsapp", "name": "x" }), 422, "/config/phone_number_id"),
        (json!({ "connector": "whatsapp", "name": "x", "config": { "phone_number_id": "1", "phone": "2" } }), 422, "/config/phone"),
        (json!({ "connector": "whatsapp", "name": "x", "config": { "phone_number_id": "1" }, "secrets": { "password": "p" } }), 422, "/secrets/password"),
        (json!({ "connector": "whatsapp", "name": "x", "config": [] }), 422, "/config"),
        (json!({ "name": "x" }), 422, ""),
    ] {
        let reply = server.post("/api/v1/connections", body.clone()).await.expect(status).json();
        let pointers: Vec<&str> = reply["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
        assert!(pointers.contains(&pointer), "{body}: {reply}");
    }
    server.post("/api/v1/connections", json!({ "connector": "http", "name": "support" })).await.problem(409, "conflict");
}

#[tokio::test]
async fn what_the_provider_says_becomes_the_health() {
    let server = Server::start().await;
    // Nothing private can be reached, so this provider cannot.
    let body = json!({ "connector": "whatsapp", "name": "support", "config": { "phone_number_id": "700", "base_url": "http://127.0.0.1:1" }, "secrets": { "access_token": SECRET } });
    let made = server.post("/api/v1/connections", body).await.expect(201);
    let path = made.headers[header::LOCATION].to_str().unwrap().to_owned();
    let test = server.post(&format!("{path}/test"), Value::Null).await.expect(200);
    assert!(!test.text.contains(SECRET));
    assert_eq!((&test.json()["ok"], &test.json()["connection"]["health"]["status"]), (&json!(false), &json!("unhealthy")));
    assert_eq!(server.get(&path).await.json()["health"]["status"], "unhealthy");
    assert_eq!(server.get("/api/v1/events?type=connection.unhealthy").await.items().len(), 1);
}

#[tokio::test]
async fn the_connectors_say_what_they_want() {
    let server = Server::start().await;
    let all = server.get("/api/v1/connectors").await.expect(200).items();
    assert_eq!(all.iter().map(|connector| connector["id"].as_str().unwrap()).collect::<Vec<_>>(), ["http", "whatsapp"]);
    let one = server.get("/api/v1/connectors/whatsapp").await.expect(200).json();
    assert_eq!(one["config"]["required"], json!(["phone_number_id"]));
}
