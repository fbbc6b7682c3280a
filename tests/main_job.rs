//! The main job, from a customer's first message to the end of the run that answered it, over real HTTP, with the sandbox in
//! the place of WhatsApp.

use super::harness::{Home, Server, connected, customer_writes, eventually, workspace};
use onward_core::Value;
use onward_sandbox::{Behaviour, DropAt};
use serde_json::json;

/// Writes as the customer, through the sandbox.
async fn only_run(api: &super::harness::Api) -> Value {
    let runs = api.all("/api/v1/runs?workflow=first-reply").await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    runs[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_writes_is_answered_chooses_and_the_run_goes_on() {
    let home = Home::fresh();
    let (sandbox, server, api, _) = connected(&home, 11).await;
    let source = std::fs::read_to_string(workspace().join("examples/first-reply/first-reply.yaml")).unwrap();
    api.publish("first-reply", &source).await;

    customer_writes(&sandbox, json!({ "name": "Asha Rao", "text": "Hi, I saw your offer" })).await;
    let sends = sandbox.wait_for_sends(|sends| sends.len() == 1).await;
    let id = only_run(&api).await["id"].as_str().unwrap().to_owned();
    let run = api.run_in(&id, "waiting").await;
    assert_eq!(run["waiting_on"]["events"], json!(["message.received"]), "{run:#}");
    assert_eq!(run["waiting_on"]["step"], "answer");

    // Records and messages came of it, and the statuses that the provider posts find their message.
    let contacts = api.all("/api/v1/contacts?phone=%2B919812345678").await;
    assert_eq!(contacts.len(), 1);
    assert_eq!((&contacts[0]["name"], &contacts[0]["tags"]), (&json!("Asha Rao"), &json!(["wrote-to-us"])));
    let conversations = api.all("/api/v1/conversations").await;
    assert_eq!(conversations.len(), 1);
    let messages = format!("/api/v1/conversations/{}/messages", conversations[0]["id"].as_str().unwrap());
    let read = eventually("the answer is read", || async {
        let all = api.all(&messages).await;
        all.into_iter().find(|message| message["direction"] == "outbound" && message["status"] == "read")
    })
    .await;
    assert_eq!(serde_json::to_value(&sends[0]).unwrap()["biz_opaque_callback_data"], read["id"], "the message's id travels with the call");

    // A server that is killed while the run waits changes nothing.
    let address = server.url().trim_start_matches("http://").to_owned();
    server.kill().await;
    let server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    assert_eq!(api.get(&format!("/api/v1/runs/{id}")).await["status"], "waiting");

    customer_writes(&sandbox, json!({ "button_reply": { "id": "call", "title": "Yes please" } })).await;
    let run = api.run_in(&id, "completed").await;
    assert_eq!(run["output"]["outcome"], 2, "{run:#}");
    assert_eq!(only_run(&api).await["id"], id.as_str(), "her answer belongs to the run that waits for it; it starts no other");
    assert_eq!(sandbox.sends().len(), 2);
    let conversation = &api.all("/api/v1/conversations").await[0];
    assert!(conversation.to_string().contains("sales"), "{conversation}");

    // It replays, and its drawing tells the story.
    home.onward(&["replay", &id]).await.good();
    let drawn = home.onward(&["runs", "show", &id]).await.good().out;
    for part in
        ["first-reply version 1  completed", "by event message.received", "variant `", "waited", "takes branch 2", "if: steps.answer.data.reply_id == \"call\""]
    {
        assert!(drawn.contains(part), "{part}: {drawn}");
    }
    assert!(server.stop().await.success());
}

const NOTIFY: &str = "name: notify
on:
  - event: message.received
mode: single
key: \"{{ event.data.contact_id }}\"
steps:
  - id: tell
    do: message.send
    with: { text: \"Thank you\" }
    on_error: continue
  - stop: { output: \"{{ steps.tell }}\" }
";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_is_never_a_second_message() {
    let home = Home::fresh();
    let (sandbox, _server, api, _) = connected(&home, 12).await;
    api.publish("notify", NOTIFY).await;
    let behaviour = Behaviour { drop: Some(DropAt::After), statuses: onward_sandbox::Statuses::None, ..Behaviour::default() };
    sandbox.order(behaviour);
    customer_writes(&sandbox, json!({ "text": "Hi" })).await;
    let run = eventually("the run ends", || async { api.all("/api/v1/runs?workflow=notify&status=completed").await.into_iter().next() }).await;
    assert_eq!(run["output"]["error"]["code"], "outcome_unknown", "{run:#}");
    assert_eq!(sandbox.sends().len(), 1);

    // Where the provider says later that it was sent, or refuses for a while, the run gets its answer.
    sandbox.order(Behaviour { retry_after: Some(1), ..Behaviour::default() });
    customer_writes(&sandbox, json!({ "text": "Hi again" })).await;
    sandbox.wait_for_sends(|sends| sends.len() == 2).await;
    let run = eventually("the second run ends", || async {
        let done = api.all("/api/v1/runs?workflow=notify&status=completed").await;
        (done.len() == 2).then(|| done[0].clone())
    })
    .await;
    assert!(run["output"]["message_id"].is_string(), "{run:#}");
}

const NUDGE: &str = "name: nudge
on:
  - event: nudge.asked
steps:
  - id: first
    do: message.send
    with: { text: \"first\" }
  - id: second
    do: message.send
    with: { text: \"second\" }
  - stop: { output: \"{{ steps.second.message_id }}\" }
";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_begins_without_a_server_is_finished_by_the_next_one() {
    let home = Home::fresh();
    let (sandbox, server, api, _) = connected(&home, 13).await;
    api.publish("nudge", NUDGE).await;
    customer_writes(&sandbox, json!({ "text": "Hi" })).await;
    let contact = api.all("/api/v1/contacts").await[0]["id"].clone();
    assert!(server.stop().await.success());
    sandbox.order(Behaviour { latency_ms: 50, times: None, ..Behaviour::default() });

    let data = json!({ "contact_id": contact }).to_string();
    let sent = home.onward(&["event", "send", "nudge.asked", "--data", &data, "--json"]).await.good().json();
    let id = sent["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    let server = Server::start_with(&home, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let api = server.api(&home).await;
    api.run_in(&id, "completed").await;
    assert_eq!(sandbox.sends().len(), 2, "each message once");
}
