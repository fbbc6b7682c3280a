//! Automations of the gallery that a provider's event starts, fed with what the provider posts: signed bodies through the real
//! webhook of the built binary, with the sandbox behind it. The bodies are written after the provider's reference; where the
//! recorded ones are present, those are posted, too.

use super::harness::{Api, Home, Secrets, Server, connected, eventually, shared, signature, workspace};
use http::Method;
use onward_core::{Value, ports::Clock as _};
use onward_database::SystemClock;
use serde_json::json;
use std::collections::BTreeSet;

/// The number of the sandbox's account, and that of the recorded bodies.
const NUMBER: &str = "106540352242922";
const RECORDED_NUMBER: &str = "1122334455667";

/// What the connectors of this build bring in from outside.
const FROM_PROVIDERS: [&str; 1] = ["message.received"];

/// A file of the gallery with other lengths of time or answers, as an admin would change it; each text must be there.
fn gallery(name: &str, changes: &[(&str, &str)]) -> String {
    let mut source = std::fs::read_to_string(workspace().join(format!("workflows/{name}.yaml"))).unwrap();
    for (was, is) in changes {
        assert!(source.contains(was), "{name} says {was:?} no more: {source}");
        source = source.replace(was, is);
    }
    source
}

/// A text message of a customer as WhatsApp posts it.
fn text_message(id: &str, text: &str) -> Vec<u8> {
    let at = (SystemClock::new().now().as_millis() / 1_000).to_string();
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550783881", "phone_number_id": NUMBER },
        "contacts": [{ "profile": { "name": "Asha Rao" }, "wa_id": "919812345678" }],
        "messages": [{ "from": "919812345678", "id": id, "timestamp": at, "type": "text", "text": { "body": text } }],
    });
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290129340398", "changes": [{ "field": "messages", "value": value }] }] });
    body.to_string().into_bytes()
}

async fn deliver(api: &Api, path: &str, secret: &str, body: Vec<u8>) {
    let signature = signature(secret, &body);
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", signature.as_str())];
    let answer = api.send(Method::POST, path, &headers, Some(body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The runs of a workflow, oldest first.
async fn runs(api: &Api, workflow: &str) -> Vec<Value> {
    let mut runs = api.all(&format!("/api/v1/runs?workflow={workflow}")).await;
    runs.reverse();
    runs
}

/// The runs of a workflow once they are as many, and each in this status.
async fn runs_in(api: &Api, workflow: &str, statuses: &[&str]) -> Vec<Value> {
    eventually(&format!("the runs of {workflow} are {statuses:?}"), || async {
        let found = runs(api, workflow).await;
        let now: Vec<&str> = found.iter().filter_map(|run| run["status"].as_str()).collect();
        (now == statuses).then_some(found)
    })
    .await
}

#[test]
fn every_gallery_file_that_a_provider_starts_is_fed() {
    let mut started = BTreeSet::new();
    for file in std::fs::read_dir(workspace().join("workflows")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".yaml").filter(|name| name.strip_suffix(".test").is_none()) else { continue };
        let source = gallery(name, &[]);
        let triggers = source.split("\non:").nth(1).and_then(|rest| rest.split("\nsteps:").next()).unwrap_or_default();
        if FROM_PROVIDERS.iter().any(|kind| triggers.lines().any(|line| line.starts_with(&format!("  - event: {kind}")))) {
            started.insert(name.to_owned());
        }
    }
    let fed = ["approve-ai-draft", "hot-lead-alert", "out-of-hours-reply"].map(str::to_owned);
    assert_eq!(started, BTreeSet::from(fed), "feed it below");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_writes_carries_each_automation_to_where_it_should_be() {
    let home = Home::fresh();
    let (sandbox, server, api, path) = connected(&home, 7).await;
    let member = api.post("/api/v1/users", &json!({ "email": "ravi@example.com", "password": "correct horse battery" })).await.expect(201);
    for team in ["sales", "support"] {
        api.post("/api/v1/teams", &json!({ "name": team, "members": [member["id"]] })).await.expect(201);
    }
    let model = json!({ "connector": "http", "name": "ai", "config": { "base_url": format!("{}/http", sandbox.base_url()) }, "secrets": { "token": "t" } });
    api.post("/api/v1/connections", &model).await.expect(201);
    api.publish("hot-lead-alert", &gallery("hot-lead-alert", &[("hot_from: 60", "hot_from: 40")])).await;
    // It is night, and bursts are short; the model says what it was asked.
    let night = [("- id: open\n          delay: { for: 1s, within: business_hours }", "- id: open\n          delay: 30d"), ("- delay: 5s", "- delay: 10ms")];
    api.publish("out-of-hours-reply", &gallery("out-of-hours-reply", &night)).await;
    let quick = [
        ("wait: 20s, max_wait: 2m", "wait: 50ms, max_wait: 2m"),
        ("steps.completion.body.choices[0].message.content", "steps.completion.body.body.messages[1].content"),
    ];
    api.publish("approve-ai-draft", &gallery("approve-ai-draft", &quick)).await;

    deliver(&api, &path, Secrets::APP_SECRET, text_message("wamid.1", "What is the price of a demo?")).await;
    let cool = runs_in(&api, "hot-lead-alert", &["completed"]).await;
    assert_eq!(cool[0]["output"], json!({ "hot": false }));
    // We are away: the customer hears it at once.
    runs_in(&api, "out-of-hours-reply", &["waiting"]).await;
    let away = eventually("the customer hears that we are away", || async { sandbox.sends().into_iter().next() }).await;
    assert!(away.body["text"]["body"].as_str().is_some_and(|text| text.contains("We are away")), "{:?}", away.body);
    // A draft waits for a colleague, who changes it.
    let drafted = runs_in(&api, "approve-ai-draft", &["waiting"]).await.remove(0);
    let asked = eventually("somebody is asked", || async { api.all("/api/v1/asks").await.into_iter().next() }).await;
    assert_eq!(asked["question"]["values"]["text"].as_str().or(asked["values"]["text"].as_str()), Some("What is the price of a demo?"), "{asked}");
    let id = drafted["id"].as_str().unwrap();
    home.onward(&["runs", "answer", id, "--answer", r#"{ "send": true, "text": "It is free." }"#]).await.good();
    assert_eq!(api.run_in(id, "completed").await["output"], json!({ "sent": true, "edited": true }));
    let sends = sandbox.sends();
    assert_eq!(sends.last().map(|send| send.body["text"]["body"].clone()), Some(json!("It is free.")), "{sends:?}");

    // A second delivery of the same message is none; another one makes them hot.
    deliver(&api, &path, Secrets::APP_SECRET, text_message("wamid.1", "What is the price of a demo?")).await;
    deliver(&api, &path, Secrets::APP_SECRET, text_message("wamid.2", "I buy")).await;
    let hot = runs_in(&api, "hot-lead-alert", &["completed", "waiting"]).await.remove(1);
    let task = api.all("/api/v1/tasks").await.into_iter().find(|task| task["title"].as_str().is_some_and(|title| title.contains("is hot"))).unwrap();
    let tags = api.get(&format!("/api/v1/contacts/{}", task["contact_id"].as_str().unwrap())).await["tags"].clone();
    assert!(tags.as_array().is_some_and(|tags| tags.contains(&json!("hot"))), "{tags}");
    api.post(&format!("/api/v1/tasks/{}/complete", task["id"].as_str().unwrap()), &json!({})).await.expect(200);
    assert_eq!(api.run_in(hot["id"].as_str().unwrap(), "completed").await["output"], json!({ "hot": true, "in_time": true }));
    assert_eq!(runs(&api, "out-of-hours-reply").await.len(), 1, "one answer a night");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_bodies_start_what_they_should() {
    let Some(folder) = shared().map(|shared| shared.join("contracts/fixtures/whatsapp")).filter(|folder| folder.is_dir()) else {
        println!("the recorded bodies are not here (set ONWARD_SHARED): skipped");
        return;
    };
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let secrets = json!({ "access_token": "t", "app_secret": "s", "verify_token": "v" });
    let made = json!({ "connector": "whatsapp", "name": "recorded", "config": { "phone_number_id": RECORDED_NUMBER }, "secrets": secrets });
    let path = format!("/hooks/whatsapp/{}", api.post("/api/v1/connections", &made).await.expect(201)["id"].as_str().unwrap());
    api.publish("hot-lead-alert", &gallery("hot-lead-alert", &[("hot_from: 60", "hot_from: 1000000")])).await;
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if !name.starts_with("message.") {
            continue;
        }
        // Most recordings share one id: each gets its own.
        let text = std::fs::read_to_string(file.path()).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let own = body["entry"][0]["changes"][0]["value"]["messages"][0]["id"].as_str().unwrap();
        deliver(&api, &path, "s", text.replace(&format!("\"{own}\""), &format!("\"wamid.{name}\"")).into_bytes()).await;
    }
    let received = api.all("/api/v1/events?type=message.received").await;
    let counts = received.iter().filter(|event| event["data"]["kind"].as_str().is_some_and(|kind| ["text", "interactive"].contains(&kind))).count();
    assert!(counts > 3 && counts < received.len(), "{counts} of {}", received.len());
    let ended = runs_in(&api, "hot-lead-alert", &vec!["completed"; counts]).await;
    assert!(ended.iter().all(|run| run["output"] == json!({ "hot": false })), "{ended:?}");
    println!("{} recorded bodies were posted, {counts} of them are counted", received.len());
}
