//! Drafts, notifications, conversation tags and merging.

use super::{
    Server,
    harness::PASSWORD,
    hooks::{deliver_signed, text_message},
};
use http::{Method, header};
use onward_accounts::{Actor, Role};
use onward_core::{
    Value,
    ports::{Lane, write},
};
use onward_messaging::notifications::{self, Notice, Recipients};
use serde_json::json;

async fn conversation(server: &Server) -> Value {
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    deliver_signed(server, &connection, &text_message("700", "wamid.1", "hello")).await.expect(200);
    server.get("/api/v1/conversations").await.expect(200).items().remove(0)
}

#[tokio::test]
async fn a_draft_is_written_changed_and_sent() {
    let server = Server::start().await;
    let conversation = conversation(&server).await;
    let drafts = format!("/api/v1/conversations/{}/drafts", conversation["id"].as_str().unwrap());
    server.post(&drafts, json!({})).await.problem(422, "invalid_input");
    server.post(&drafts, json!({ "text": "a", "template": "b" })).await.problem(422, "invalid_input");
    let made = server.post(&drafts, json!({ "text": "Shall we talk?" })).await.expect(201);
    let (path, tag) = (made.headers[header::LOCATION].to_str().unwrap().to_owned(), made.headers[header::ETAG].to_str().unwrap().to_owned());
    let id = made.json()["id"].clone();
    assert_eq!(server.get(&drafts).await.expect(200).items()[0]["id"], id);
    server.call(Method::PUT, &path, json!({ "text": "Shall we talk on Monday?" })).await.expect(200);
    let bearer = format!("Bearer {}", server.admin);
    let stale = [("authorization", bearer.as_str()), ("if-match", tag.as_str())];
    server.call_with(&stale, Method::PUT, &path, json!({ "text": "x" })).await.problem(412, "changed");
    let messages = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
    assert_eq!(server.get(&messages).await.items().len(), 1, "a draft is no message");
    let started = server.post(&format!("{path}/send"), Value::Null).await.expect(202).json();
    let sent = server.get(&messages).await.items().into_iter().find(|message| message["id"] == id).expect("the draft is the message of its id");
    assert_eq!((&sent["text"], &sent["run_id"]), (&json!("Shall we talk on Monday?"), &started["run_id"]));
    server.get(&path).await.problem(404, "not_found");
    server.post(&format!("{path}/send"), Value::Null).await.problem(404, "not_found");
    let second = server.post(&drafts, json!({ "text": "never mind" })).await.expect(201);
    let second = second.headers[header::LOCATION].to_str().unwrap();
    server.call(Method::DELETE, second, Value::Null).await.expect(204);
    assert!(server.get(&drafts).await.items().is_empty());
}

#[tokio::test]
async fn conversations_are_tagged() {
    let server = Server::start().await;
    let conversation = conversation(&server).await;
    let tags = format!("/api/v1/conversations/{}/tags", conversation["id"].as_str().unwrap());
    assert_eq!(server.post(&tags, json!({ "add": ["complaint", "new"] })).await.expect(200).json()["tags"], json!(["complaint", "new"]));
    assert_eq!(server.post(&tags, json!({ "remove": ["new"] })).await.expect(200).json()["tags"], json!(["complaint"]));
    assert_eq!(server.get("/api/v1/conversations?tag=complaint").await.items().len(), 1);
    assert!(server.get("/api/v1/conversations?tag=new").await.items().is_empty());
}

#[tokio::test]
async fn users_read_what_they_are_told() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let organisation = server.organisation;
    let told = write(server.app.engine(), Lane::Normal, move |tx| {
        Box::pin(async move {
            let notice = Notice { title: "A lead".into(), ..Notice::default() };
            notifications::notify(tx, organisation, &Actor::System, &Recipients::Role(Role::Agent), &notice).await?;
            notifications::notify(tx, organisation, &Actor::System, &Recipients::User("meera@example.com".into()), &notice).await
        })
    });
    told.await.unwrap().unwrap();
    let reply = server.call_with(&[], Method::POST, "/api/v1/auth/sign-in", json!({ "email": "meera@example.com", "password": PASSWORD })).await.expect(200);
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let csrf = reply.json()["csrf_token"].as_str().unwrap().to_owned();
    let mine = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    let list = async |query: &str| server.call_with(&mine, Method::GET, &format!("/api/v1/notifications{query}"), Value::Null).await.expect(200);
    let first = list("?limit=1").await.json();
    assert_eq!(first["items"][0]["title"], "A lead");
    assert_eq!(list(&format!("?cursor={}", first["next_cursor"].as_str().unwrap())).await.items().len(), 1);
    let path = format!("/api/v1/notifications/{}/read", first["items"][0]["id"].as_str().unwrap());
    assert!(server.call_with(&mine, Method::POST, &path, Value::Null).await.expect(200).json()["read_at"].is_string());
    assert_eq!(list("?unread=true").await.items().len(), 1);
    let all = server.call_with(&mine, Method::POST, "/api/v1/notifications/read", Value::Null).await.expect(200).json();
    assert_eq!(all, json!({ "read": 1 }));
    // A token is nobody who could be told.
    assert!(server.get("/api/v1/notifications").await.expect(200).items().is_empty());
    server.post(&path, Value::Null).await.problem(404, "not_found");
    assert_eq!(server.post("/api/v1/notifications/read", Value::Null).await.expect(200).json(), json!({ "read": 0 }));
}

#[tokio::test]
async fn two_contacts_are_merged_and_the_old_id_means_the_one_that_stays() {
    let server = Server::start().await;
    let one = server.post("/api/v1/contacts", json!({ "name": "Asha", "email": "a@example.com" })).await.expect(201).json();
    let two = server.post("/api/v1/contacts", json!({ "phone": "+4915112345678", "tags": ["lead"] })).await.expect(201).json();
    let path = format!("/api/v1/contacts/{}", one["id"].as_str().unwrap());
    let agent = server.token(server.organisation, Role::Agent).await;
    server.call_as(&agent, Method::POST, &format!("{path}/merge"), json!({ "other_id": two["id"] })).await.problem(403, "forbidden");
    let merged = server.post(&format!("{path}/merge"), json!({ "other_id": two["id"] })).await.expect(200).json();
    assert_eq!((&merged["id"], &merged["phone"], &merged["tags"]), (&one["id"], &json!("+4915112345678"), &json!(["lead"])));
    assert_eq!(server.get("/api/v1/contacts").await.items().len(), 1);
    let old = format!("/api/v1/contacts/{}", two["id"].as_str().unwrap());
    assert_eq!(server.get(&old).await.expect(200).json()["id"], one["id"]);
    server.post(&format!("{path}/merge"), json!({ "other_id": two["id"] })).await.problem(404, "not_found");
    server.post(&format!("{path}/merge"), json!({ "other_id": one["id"] })).await.problem(422, "invalid_input");
    assert_eq!(server.get("/api/v1/events?type=contact.merged").await.items()[0]["data"]["merged_id"], two["id"]);
}
