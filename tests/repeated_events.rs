//! One event takes effect once, however often and however fast it comes.

use super::harness::{Home, Server};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;

const ONCE: &str = "name: once
on:
  - event: order.created
steps:
  - id: echo
    do: debug.echo
    with: { order: \"{{ event.data.order }}\" }
";

#[tokio::test(flavor = "multi_thread")]
async fn one_event_posted_200_times_at_once_is_one_run() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("once", ONCE).await;
    let event = json!({ "type": "order.created", "source": "shop", "id": "4711", "data": { "order": 4711 } });
    let answers = join_all((0..200).map(|_| api.post("/api/v1/events", &event))).await;
    let items: Vec<_> = answers.into_iter().map(|answer| answer.expect(202)["items"][0].clone()).collect();
    assert_eq!(items.iter().filter(|item| item["duplicate"] == false).count(), 1);
    let ids: BTreeSet<String> = items.iter().map(|item| item["event_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "the first one's id is everyone's answer");
    let runs = api.all("/api/v1/runs?workflow=once").await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    api.run_in(runs[0]["id"].as_str().unwrap(), "completed").await;
    // Over a restart as well.
    assert!(server.stop().await.success());
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let again = api.post("/api/v1/events", &event).await.expect(202);
    assert_eq!(again["items"][0]["duplicate"], true);
    assert_eq!(api.all("/api/v1/runs?workflow=once").await.len(), 1);
}
