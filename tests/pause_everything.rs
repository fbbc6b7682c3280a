//! `onward pause --everything`: durable through `kill -9`, held and never skipped, told where people look.

use super::harness::{Home, Server};
use serde_json::json;

const LATER: &str = "name: later
on:
  - event: order.paid
steps:
  - delay: 10ms
  - stop: { output: done }
";

#[tokio::test(flavor = "multi_thread")]
async fn everything_stays_held_when_the_server_is_killed_and_goes_on_when_it_is_told() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("later", LATER).await;
    let paused = home.onward(&["pause", "--everything", "--reason", "the disk is replaced"]).await.good();
    assert!(paused.out.contains("onward resume --everything"), "{}", paused.out);
    let over_the_network = home.onward(&["pause", "--everything", "--server", &server.url(), "--token", api.token()]).await;
    assert!(over_the_network.code == 1 && over_the_network.err.contains("on the machine"), "{}", over_the_network.err);
    server.kill().await;

    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let sent = api.post("/api/v1/events", &json!({ "type": "order.paid", "data": {} })).await.expect(202);
    let held = &sent["items"][0];
    let id = api.all("/api/v1/runs?status=held").await[0]["id"].as_str().unwrap().to_owned();
    assert!(!held["duplicate"].as_bool().unwrap(), "{held}");
    assert_eq!(api.get("/readyz").await["paused"], true);
    let doctor = home.onward(&["doctor"]).await;
    assert!(doctor.out.contains("everything is paused"), "{}", doctor.out);
    let due = home.onward(&["resume", "--everything", "--dry-run"]).await.good();
    assert!(due.err.contains("1 held starts") && due.out.contains("nothing was changed"), "{} {}", due.out, due.err);
    assert!(home.onward(&["resume"]).await.good().out.contains("the organisation goes on"));
    assert_eq!(api.get(&format!("/api/v1/runs/{id}")).await["status"], "held", "it is not for an organisation to let everything go on");
    server.kill().await;

    // While no server runs, the command says it to the file.
    assert!(home.onward(&["resume", "--everything"]).await.good().out.contains("everything goes on"));
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    assert_eq!(api.run_in(&id, "completed").await["output"], "done");
}
