//! Background jobs as people see them.

use super::Server;
use http::Method;
use onward_core::{
    OrganisationId, Value,
    ports::{Lane, write},
};
use onward_database::jobs::{self, NewJob, SERVER};
use serde_json::json;

/// A job that nobody here does.
pub(crate) async fn want(server: &Server, organisation: OrganisationId) -> String {
    let job = NewJob::new(organisation, "trial", json!({ "of": "private" })).unique("one");
    let wanted = write(server.app.engine(), Lane::Normal, move |tx| Box::pin(jobs::enqueue(tx, job.clone()))).await;
    wanted.unwrap().unwrap().unwrap().to_string()
}

#[tokio::test]
async fn jobs_are_listed_called_off_and_asked_for_again() {
    let server = Server::start().await;
    let id = want(&server, server.organisation).await;
    let path = format!("/api/v1/jobs/{id}");
    let job = server.get(&path).await.expect(200).json();
    assert_eq!((&job["state"], &job["queue"], &job["input"]["of"]), (&json!("pending"), &json!("trial"), &json!("private")));
    assert_eq!(server.get("/api/v1/jobs?state=pending&queue=trial").await.expect(200).json()["items"], json!([job]));
    assert_eq!(server.get("/api/v1/jobs?state=failed").await.items(), Vec::<Value>::new());
    server.get("/api/v1/jobs?state=lost").await.problem(400, "bad_query");
    assert_eq!(server.post(&format!("{path}/cancel"), Value::Null).await.expect(200).json()["state"], "cancelled");
    server.post(&format!("{path}/cancel"), Value::Null).await.problem(409, "conflict");
    assert_eq!(server.post(&format!("{path}/retry"), Value::Null).await.expect(200).json()["state"], "pending");
    server.post(&format!("{path}/cancel"), Value::Null).await.expect(200);
    want(&server, server.organisation).await;
    let refused = server.post(&format!("{path}/retry"), Value::Null).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("not over yet"), "{refused}");
    let actions: Vec<Value> = server.get("/api/v1/audit-log").await.items().iter().map(|entry| entry["action"].clone()).collect();
    assert!(actions.contains(&json!("job.retried")) && actions.contains(&json!("job.cancelled")), "{actions:?}");
    let agent = server.token(server.organisation, onward_accounts::Role::Agent).await;
    server.call_as(&agent, Method::POST, &format!("{path}/retry"), Value::Null).await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_servers_own_jobs_are_for_its_own_command_line() {
    let server = Server::start().await;
    let id = want(&server, SERVER).await;
    server.get(&format!("/api/v1/jobs/{id}")).await.problem(404, "not_found");
    assert_eq!(server.get("/api/v1/jobs").await.items(), Vec::<Value>::new());
    let listed = server.local(crate::LocalAdmin::default(), &[], "/api/v1/server/jobs").await.expect(200);
    assert_eq!(listed.items()[0]["id"], json!(id));
    let cancelled = server.local_post(&format!("/api/v1/server/jobs/{id}/cancel"), json!({})).await.expect(200).json();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(server.local_post(&format!("/api/v1/server/jobs/{id}/retry"), json!({})).await.expect(200).json()["state"], "pending");
}
