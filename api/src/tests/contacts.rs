//! Contacts.

use super::Server;
use http::{Method, header};
use onward_core::Value;
use serde_json::json;

#[tokio::test]
async fn a_contact_is_made_found_changed_and_erased() {
    let server = Server::start().await;
    let made = server
        .post("/api/v1/contacts", json!({ "name": "Asha Rao", "phone": "+91 98123 45678", "tags": ["lead"], "fields": { "plan": "pro" } }))
        .await
        .expect(201);
    let location = made.headers[header::LOCATION].to_str().unwrap().to_owned();
    let contact = made.json();
    assert_eq!((&contact["phone"], &contact["first_name"]), (&json!("+919812345678"), &json!("Asha")));
    // The same phone finds the same person.
    let again = server.post("/api/v1/contacts", json!({ "phones": ["+919812345678"], "email": "ASHA@example.com" })).await.expect(200).json();
    assert_eq!((&again["id"], &again["email"]), (&contact["id"], &json!("asha@example.com")));
    for query in ["q=asha", "email=Asha@Example.com", "phone=%2B91%2098123%2045678", "tag=lead", ""] {
        let found = server.get(&format!("/api/v1/contacts?{query}")).await.expect(200).items();
        assert_eq!(found.len(), 1, "{query}");
    }
    for query in ["q=nobody", "email=no@example.com", "phone=%2B1", "tag=Lead"] {
        assert!(server.get(&format!("/api/v1/contacts?{query}")).await.expect(200).items().is_empty(), "{query}");
    }
    let changed = server
        .call(Method::PATCH, &location, json!({ "last_name": "Iyer", "fields": { "plan": null, "city": "Pune" }, "timezone": "Asia/Kolkata" }))
        .await
        .expect(200)
        .json();
    assert_eq!((&changed["last_name"], &changed["fields"], &changed["timezone"]), (&json!("Iyer"), &json!({ "city": "Pune" }), &json!("Asia/Kolkata")));
    let timeline = server.get(&format!("{location}/timeline")).await.expect(200).items();
    assert!(!timeline.is_empty());
    server.call(Method::DELETE, &location, Value::Null).await.expect(204);
    server.get(&location).await.problem(404, "not_found");
    server.get(&format!("{location}/timeline")).await.problem(404, "not_found");
    server.call(Method::DELETE, &location, Value::Null).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let server = Server::start().await;
    let made = server.post("/api/v1/contacts", json!({ "name": "Asha" })).await.expect(201);
    let (path, tag) = (made.headers[header::LOCATION].to_str().unwrap().to_owned(), made.headers[header::ETAG].to_str().unwrap().to_owned());
    assert_eq!(server.get(&path).await.headers[header::ETAG].to_str().unwrap(), tag);
    let bearer = format!("Bearer {}", server.admin);
    let with = |tag: &str| vec![("authorization", bearer.clone()), ("if-match", tag.to_owned())];
    let rename = async |tag: &str, name: &str| {
        let headers = with(tag);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        server.call_with(&headers, Method::PATCH, &path, json!({ "name": name })).await
    };
    let first = rename(&tag, "One").await.expect(200);
    rename(&tag, "Two").await.problem(412, "changed");
    assert_eq!(server.get(&path).await.json()["name"], "One");
    let headers = with(&tag);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server.call_with(&headers, Method::DELETE, &path, Value::Null).await.problem(412, "changed");
    rename(first.headers[header::ETAG].to_str().unwrap(), "Three").await.expect(200);
    rename("*", "Four").await.expect(200);
}

#[tokio::test]
async fn mistakes_are_named_by_their_place() {
    let server = Server::start().await;
    for (body, pointer) in [
        (json!({ "phones": ["+919812345678", "12"] }), "/phones/1"),
        (json!({ "emails": ["nobody"] }), "/emails/0"),
        (json!({ "tags": "lead" }), "/tags"),
        (json!({ "fields": [] }), "/fields"),
        (json!({ "timezone": "Mars/Base" }), "/timezone"),
        (json!({ "identities": [{ "channel": "whatsapp", "connection_id": "x", "external_id": "1" }] }), "/identities/0/connection_id"),
        (json!({ "identities": [{ "channel": "whatsapp", "connection_id": uuid::Uuid::nil(), "external_id": "1" }] }), "/identities/0/connection_id"),
        (json!({ "identities": [{ "channel": "whatsapp" }] }), "/identities/0"),
        (json!([]), ""),
        (json!("text"), ""),
    ] {
        let problem = server.post("/api/v1/contacts", body.clone()).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let problem = server.post("/api/v1/contacts", json!({ "fone": "1" })).await.problem(422, "invalid_input");
    assert!(problem["detail"].as_str().unwrap().contains("fone"), "{problem}");
    assert!(server.get("/api/v1/contacts").await.items().is_empty(), "nothing of it is stored");
}

#[tokio::test]
async fn several_candidates_are_a_conflict_that_names_them() {
    let server = Server::start().await;
    let one = server.post("/api/v1/contacts", json!({ "name": "One", "email": "one@example.com" })).await.json();
    let other = server.post("/api/v1/contacts", json!({ "name": "Other", "email": "other@example.com" })).await.json();
    for contact in [&one, &other] {
        let path = format!("/api/v1/contacts/{}", contact["id"].as_str().unwrap());
        server.call(Method::PATCH, &path, json!({ "phones": ["+4915112345678"] })).await.expect(200);
    }
    let problem = server.post("/api/v1/contacts", json!({ "phone": "+4915112345678" })).await.problem(409, "conflict");
    let mut ids: Vec<&str> = problem["ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    ids.sort_unstable();
    let mut expected = [one["id"].as_str().unwrap(), other["id"].as_str().unwrap()];
    expected.sort_unstable();
    assert_eq!(ids, expected);
}
