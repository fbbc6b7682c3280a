//! Teams.

use super::Server;
use http::{Method, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

#[tokio::test]
async fn a_team_is_made_changed_and_removed() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    server.user("ben@example.com", Role::Agent).await;
    let made = server.post("/api/v1/teams", json!({ "name": "sales", "members": ["meera@example.com"] })).await.expect(201);
    let (path, tag) = (made.headers[header::LOCATION].to_str().unwrap().to_owned(), made.headers[header::ETAG].to_str().unwrap().to_owned());
    assert_eq!(made.json()["members"].as_array().unwrap().len(), 1);
    server.post("/api/v1/teams", json!({ "name": "sales" })).await.problem(409, "conflict");
    let problem = server.post("/api/v1/teams", json!({ "name": "x", "members": ["nobody@example.com"] })).await.problem(422, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/members/0");
    assert_eq!(server.get("/api/v1/teams").await.expect(200).items().len(), 1);
    let both = json!({ "members": ["meera@example.com", "ben@example.com"] });
    let changed = server.call(Method::PATCH, &path, both.clone()).await.expect(200).json();
    assert_eq!(changed["members"].as_array().unwrap().len(), 2);
    let bearer = format!("Bearer {}", server.admin);
    let stale = [("authorization", bearer.as_str()), ("if-match", tag.as_str())];
    server.call_with(&stale, Method::PATCH, &path, both.clone()).await.problem(412, "changed");
    server.call_with(&stale, Method::DELETE, &path, Value::Null).await.problem(412, "changed");
    let agent = server.token(server.organisation, Role::Agent).await;
    server.call_as(&agent, Method::GET, &path, Value::Null).await.expect(200);
    server.call_as(&agent, Method::PATCH, &path, both).await.problem(403, "forbidden");
    server.call(Method::DELETE, &path, Value::Null).await.expect(204);
    server.get(&path).await.problem(404, "not_found");
}
