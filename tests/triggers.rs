//! What starts runs, on the built binary: times through kills, webhooks over real HTTP, hands on the command line.

use super::harness::{Api, Home, Server, eventually, pause, signature};
use http::Method;
use onward_core::{Timestamp, Value};
use serde_json::json;
use std::collections::BTreeMap;

const EACH_SECOND: &str = "name: each-second
on:
  - schedule: { cron: '* * * * * *', timezone: UTC, missed: run_all }
steps:
  - stop: { output: { due: \"{{ event.data.due }}\" } }
";

/// Due times of the completed runs, in milliseconds, with how many runs each has.
async fn due_times(api: &Api) -> BTreeMap<i64, usize> {
    let mut due = BTreeMap::new();
    for run in api.all("/api/v1/runs?workflow=each-second&status=completed").await {
        let moment: Timestamp = run["output"]["due"].as_str().unwrap().parse().unwrap();
        *due.entry(moment.as_millis()).or_default() += 1;
    }
    due
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_each_second_once_through_kills() {
    let home = Home::fresh();
    let mut server = Server::start(&home).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    let api = server.api(&home).await;
    api.publish("each-second", EACH_SECOND).await;
    for moment in [1_300, 2_100, 700, 1_900, 40] {
        pause(moment).await;
        server.kill().await;
        server = Server::start_with(&home, &address, &[]).await;
    }
    let due = eventually("ten due times have fired", || async {
        let due = due_times(&api).await;
        (due.len() >= 10).then_some(due)
    })
    .await;
    assert!(due.values().all(|runs| *runs == 1), "once each: {due:?}");
    let times: Vec<i64> = due.keys().copied().collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "none is left out: {times:?}");
    assert!(times.iter().all(|time| time % 1_000 == 0));
    assert!(server.stop().await.success());
}

const ANSWERS: &str = "name: answers
on:
  - webhook: { path: answers, verify: { connection: partner }, respond: finished }
    with: { name: \"{{ event.data.name }}\" }
  - manual: { input: { type: object, properties: { name: { type: string } }, required: [name] } }
key: \"{{ input.name }}\"
steps:
  - stop: { output: { hello: \"{{ input.name }}\" } }
";

#[tokio::test]
async fn a_webhook_answers_with_the_runs_output_and_a_hand_starts_the_same() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    home.onward(&["connection", "add", "http", "partner", "--secret", "signing_secret=s3cret"]).await.good();
    let file = home.write("answers.yaml", ANSWERS);
    let published = home.onward(&["publish", file.to_str().unwrap()]).await.good();
    assert!(published.out.contains("/hooks/in/answers") && published.out.contains("verified by the connection partner"), "{}", published.out);

    let body = json!({ "name": "Asha" }).to_string().into_bytes();
    let signed = signature("s3cret", &body);
    let headers = [("content-type", "application/json"), ("x-signature", signed.as_str()), ("idempotency-key", "1")];
    let answer = api.send(Method::POST, "/hooks/in/answers", &headers, Some(body.clone())).await.unwrap().expect(200);
    assert_eq!((&answer["status"], &answer["output"]), (&json!("completed"), &json!({ "hello": "Asha" })));
    let forged = [("content-type", "application/json"), ("x-signature", "sha256=00")];
    assert_eq!(api.send(Method::POST, "/hooks/in/answers", &forged, Some(body)).await.unwrap().status, 401);

    let started = home.onward(&["workflows", "start", "answers", "--input", r#"{"name": "Ravi"}"#, "--json"]).await.good().json();
    let run = api.run_in(started["run_id"].as_str().unwrap(), "completed").await;
    assert_eq!(run["output"], json!({ "hello": "Ravi" }));
    let refused = home.onward(&["workflows", "start", "answers", "--input", "{}"]).await;
    assert!(refused.err.contains("name"), "{}", refused.err);
    let shown = home.onward(&["workflows", "show", "answers"]).await.good();
    assert_eq!(shown.out, ANSWERS, "the text alone, so that it can be kept in a file");
    assert!(shown.err.contains("/hooks/in/answers"), "{}", shown.err);
}

#[tokio::test]
async fn past_due_times_are_shown_and_made_up_for() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let file = home.write("w.yaml", "name: w\non: [{ schedule: { cron: 0 9 * * mon } }]\nsteps: [{ stop: {} }]\n");
    home.onward(&["publish", file.to_str().unwrap()]).await.good();
    let backfill = async |more: &[&str]| {
        let mut arguments = vec!["workflows", "backfill", "w", "--from", "2024-06-01", "--to", "2024-06-15", "--json"];
        arguments.extend(more);
        home.onward(&arguments).await.good().json()["items"].as_array().unwrap().clone()
    };
    let due: Vec<Value> = backfill(&["--preview"]).await.iter().map(|item| item["due"].clone()).collect();
    assert_eq!(due, ["2024-06-03T09:00:00.000Z", "2024-06-10T09:00:00.000Z"]);
    assert!(api.all("/api/v1/runs?workflow=w").await.is_empty());
    for duplicate in [false, true] {
        assert!(backfill(&[]).await.iter().all(|item| item["duplicate"] == duplicate));
    }
    assert_eq!(api.all("/api/v1/runs?workflow=w").await.len(), 2);
}

const WITHIN: &str = "name: within
steps:
  - id: open
    delay: { for: 1ms, within: business_hours }
";

/// An organisation has hours from the start, and delays understand them: the run goes on, or waits for the door.
#[tokio::test]
async fn the_organisations_own_hours_are_understood() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("within", WITHIN).await;
    let started = api.post("/api/v1/workflows/within/runs", &json!({ "input": {} })).await.expect(202);
    let path = format!("/api/v1/runs/{}", started["run_id"].as_str().unwrap());
    let run = eventually("the run waits or has ended", || async {
        let run = api.get(&path).await;
        (run["status"] != "running" && run["status"] != "held").then_some(run)
    })
    .await;
    assert!(run["status"] == "waiting" || run["status"] == "completed", "{run:#}");
}
