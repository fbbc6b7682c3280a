//! Conversations, assigning, closing, and sending.

use super::{
    Server,
    hooks::{deliver_signed, text_message},
};
use http::Method;
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

async fn conversation(server: &Server) -> Value {
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    deliver_signed(server, &connection, &text_message("700", "wamid.1", "hello")).await.expect(200);
    server.get("/api/v1/conversations").await.expect(200).items().remove(0)
}

#[tokio::test]
async fn a_conversation_is_given_to_somebody_and_closed() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let id = conversation(&server).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/conversations/{id}");
    let assigned = server.post(&format!("{path}/assign"), json!({ "user": "meera@example.com" })).await.expect(200).json();
    let user = assigned["assigned_user"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/api/v1/conversations?assigned_user={user}")).await.items().len(), 1);
    assert_eq!(server.post(&format!("{path}/assign"), json!({ "team": "sales" })).await.expect(200).json()["assigned_team"], "sales");
    assert_eq!(server.get("/api/v1/conversations?assigned_team=sales&status=open").await.items().len(), 1);
    assert_eq!(server.post(&format!("{path}/assign"), json!({})).await.expect(200).json()["assigned_team"], Value::Null);
    server.post(&format!("{path}/assign"), json!({ "user": "nobody@example.com" })).await.problem(404, "not_found");
    server.post(&format!("{path}/assign"), json!({ "user": "a", "team": "b" })).await.problem(422, "invalid_input");
    assert_eq!(server.get(&path).await.json()["unread"], 1);
    assert_eq!(server.post(&format!("{path}/read"), Value::Null).await.expect(200).json()["unread"], 0);
    assert_eq!(server.post(&format!("{path}/close"), Value::Null).await.expect(200).json()["status"], "closed");
    assert!(server.get("/api/v1/conversations?status=open").await.items().is_empty());
    server.get("/api/v1/conversations?status=maybe").await.problem(400, "bad_query");
    server.get("/api/v1/conversations?contact=x").await.problem(400, "bad_query");
    for action in ["assign", "close", "read", "messages"] {
        let body = if action == "messages" { json!({ "text": "x" }) } else { json!({}) };
        server.post(&format!("/api/v1/conversations/{}/{action}", uuid::Uuid::nil()), body).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn sending_is_a_run_of_the_built_in_workflow() {
    let server = Server::start().await;
    let conversation = conversation(&server).await;
    let path = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
    server.post(&path, json!({})).await.problem(422, "invalid_input");
    server.post(&path, json!({ "text": "  " })).await.problem(422, "invalid_input");
    let bearer = format!("Bearer {}", server.admin);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "send-1")];
    let sent = server.call_with(&headers, Method::POST, &path, json!({ "text": "On its way." })).await.expect(202).json();
    let again = server.call_with(&headers, Method::POST, &path, json!({ "text": "On its way." })).await.expect(202);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(), sent);
    let runs = server.get("/api/v1/runs?workflow=send-message").await.items();
    assert_eq!(runs.len(), 1, "one message, however often it is asked for");
    assert_eq!(runs[0]["id"], sent["run_id"]);
    let messages = server.get(&path).await.items();
    let outbound: Vec<&Value> = messages.iter().filter(|message| message["direction"] == "outbound").collect();
    assert_eq!(outbound.len(), 1, "{messages:?}");
    assert_eq!((&outbound[0]["text"], &outbound[0]["run_id"]), (&json!("On its way."), &sent["run_id"]));
    // The built-in workflow cannot be taken away.
    server.call(Method::DELETE, "/api/v1/workflows/send-message", Value::Null).await.problem(409, "built_in");
}
