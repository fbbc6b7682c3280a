//! Questions to contacts on the built binary, with the sandbox in the place of WhatsApp: asked with buttons, answered by what the
//! contact taps or writes, over kills, and held where nothing may be sent.

use super::harness::{Api, Home, Server, connected, customer_writes, eventually, pause};
use onward_core::Value;
use onward_sandbox::{Behaviour, SandboxHandle};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const BOOKING: &str = "name: booking
on: [{ event: message.received, if: event.data.text == \"book\" }]
mode: single
key: \"{{ event.data.contact_id }}\"
steps:
  - id: slot
    ask:
      who: contact
      title: Which time suits you?
      form: { type: object, properties: { slot: { enum: [\"10:00\", \"11:00\", \"12:00\"] } }, required: [slot] }
  - id: sure
    ask: { who: contact, title: \"Shall we book {{ steps.slot.answer.slot }}?\" }
  - do: message.send
    with: { text: \"Done\" }
  - stop: { output: { slot: \"{{ steps.slot.answer.slot }}\", sure: \"{{ steps.sure.answer }}\", by: \"{{ steps.sure.by }}\" } }
";

/// What the customer's phone shows of the business, once it shows this much: text and what can be tapped.
async fn phone(sandbox: &SandboxHandle, count: usize) -> Vec<(String, Vec<Value>)> {
    let outside = Api::new(&sandbox.base_url(), "none");
    let lines = outside.get(&format!("/sandbox/customers/919812345678/messages?at_least={count}")).await;
    let lines = lines["items"].as_array().unwrap().iter().filter(|line| line["from"] == "business");
    lines.map(|line| (line["text"].as_str().unwrap().to_owned(), line["buttons"].as_array().cloned().unwrap_or_default())).collect()
}

/// Taps the choice with this title of the last message.
async fn tap(sandbox: &SandboxHandle, shown: &[(String, Vec<Value>)], title: &str) {
    let (_, choices) = shown.last().unwrap();
    let choice = choices.iter().find(|choice| choice["choice"]["title"] == title).unwrap_or_else(|| panic!("{title}: {choices:?}"));
    customer_writes(sandbox, json!({ choice["reply"].as_str().unwrap(): choice["choice"] })).await;
}

async fn the_ask(api: &Api) -> Value {
    eventually("something is asked", || async { api.all("/api/v1/asks").await.into_iter().next() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_asked_with_buttons_asked_again_and_answers_over_kills() {
    let home = Home::fresh();
    let (sandbox, server, api, _) = connected(&home, 21).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    api.publish("booking", BOOKING).await;
    customer_writes(&sandbox, json!({ "text": "book", "name": "Asha" })).await;
    let shown = phone(&sandbox, 1).await;
    assert_eq!(shown[0].0, "Which time suits you?");
    server.kill().await;

    let server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    let ask = the_ask(&api).await;
    assert_eq!((&ask["step"], &ask["delivery"]["misfits"], &ask["mine"]), (&json!("slot"), &json!(0), &json!(true)), "{ask}");
    let id = ask["run_id"].as_str().unwrap().to_owned();
    customer_writes(&sandbox, json!({ "text": "in the evening" })).await;
    let shown = phone(&sandbox, 2).await;
    assert_eq!(shown[1].0, "Please choose one of these.\n\nWhich time suits you?");
    tap(&sandbox, &shown, "11:00").await;
    let shown = phone(&sandbox, 3).await;
    assert_eq!(shown[2].0, "Shall we book 11:00?");
    server.kill().await;

    let server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    // A button that is pressed late answers nothing: the run asks something else now.
    tap(&sandbox, &shown[..2], "12:00").await;
    customer_writes(&sandbox, json!({ "text": " APPROVE. " })).await;
    assert_eq!(phone(&sandbox, 4).await[3].0, "Done");
    let run = api.run_in(&id, "completed").await;
    let contact = &api.all("/api/v1/contacts").await[0]["id"];
    assert_eq!(run["output"], json!({ "slot": "11:00", "sure": "approve", "by": format!("contact {}", contact.as_str().unwrap()) }), "{run:#}");
    assert_eq!(sandbox.sends().len(), 4, "each message once");
    assert_eq!(api.all("/api/v1/asks").await, Vec::<Value>::new());
    let received = api.all("/api/v1/events?type=message.received").await;
    assert_eq!(received.len(), 5, "an answer is a message like any other");
    home.onward(&["replay", &id]).await.good();
    assert!(server.stop().await.success());
}

const LEAD: &str = "name: lead
on: [{ event: lead.captured }]
steps:
  - do: crm.contact.upsert
    with: { phone: \"{{ event.data.phone }}\" }
  - id: plan
    ask:
      who: contact
      title: Which plan?
      form: { enum: [Starter, Basic, Plus, Pro] }
  - stop: { output: { plan: \"{{ steps.plan.answer }}\", by: \"{{ steps.plan.by }}\" } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_may_not_be_sent_is_held_and_says_why() {
    let home = Home::fresh();
    let (sandbox, server, api, _) = connected(&home, 22).await;
    api.publish("lead", LEAD).await;
    let lead = json!({ "type": "lead.captured", "data": { "phone": "+919812345678" } });
    api.post("/api/v1/events", &lead).await.expect(202);
    let ask = the_ask(&api).await;
    assert_eq!(ask["delivery"]["status"], "held", "{ask}");
    assert!(ask["delivery"]["problem"].as_str().unwrap().contains("24 hours"), "{ask}");
    let told = home.onward(&["runs", "asks"]).await.good().out;
    assert!(told.contains("held") && told.contains("24 hours"), "{told}");
    assert!(sandbox.sends().is_empty());

    // Whoever writes opens the window; what they write is no answer to what they have not seen.
    customer_writes(&sandbox, json!({ "text": "Pro" })).await;
    let shown = phone(&sandbox, 1).await;
    assert_eq!((shown[0].0.as_str(), shown[0].1.len(), &shown[0].1[0]["reply"]), ("Which plan?", 4, &json!("list_reply")));
    tap(&sandbox, &shown, "Plus").await;
    let id = ask["run_id"].as_str().unwrap();
    assert_eq!(api.run_in(id, "completed").await["output"]["plan"], "Plus");

    // Refused by the contact: it stays open, and a person can pass the answer on; what waited is not sent any more.
    customer_writes(&sandbox, json!({ "text": "STOP" })).await;
    api.post("/api/v1/events", &lead).await.expect(202);
    let ask = the_ask(&api).await;
    assert!(ask["delivery"]["problem"].as_str().unwrap().contains("refused"), "{ask}");
    let id = ask["run_id"].as_str().unwrap();
    home.onward(&["runs", "answer", id, "--answer", "\"Basic\""]).await.good();
    assert_eq!(api.run_in(id, "completed").await["output"]["plan"], "Basic");
    eventually("nothing waits to be sent", || async { api.all("/api/v1/runs?workflow=ask-contact&status=completed").await.get(1).cloned() }).await;
    assert_eq!(sandbox.sends().len(), 1);
    assert!(server.stop().await.success());
}

const IMPATIENT: &str = "name: impatient
on: [{ event: message.received, if: event.data.text == \"hi\" }]
steps:
  - id: name
    ask: { who: contact, title: Your name?, form: { type: string }, remind_every: 1s }
    timeout: 3s
  - stop: { output: { timed_out: \"{{ steps.name.timed_out }}\" } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_reminded_and_too_late_is_an_ordinary_message() {
    let home = Home::fresh();
    let (sandbox, server, api, _) = connected(&home, 24).await;
    api.publish("impatient", IMPATIENT).await;
    customer_writes(&sandbox, json!({ "text": "hi" })).await;
    let shown = phone(&sandbox, 2).await;
    assert_eq!((shown[0].0.as_str(), shown[1].0.as_str()), ("Your name?", "Your name?"));
    let runs = eventually("it times out", || async {
        let done = api.all("/api/v1/runs?workflow=impatient&status=completed").await;
        (!done.is_empty()).then_some(done)
    })
    .await;
    assert_eq!(runs[0]["output"]["timed_out"], true);
    let sent = sandbox.sends().len();
    assert!((2..=3).contains(&sent), "{sent}");
    customer_writes(&sandbox, json!({ "text": "Asha" })).await;
    let conversation = &api.all("/api/v1/conversations").await[0];
    assert_eq!((&conversation["unread"], sandbox.sends().len()), (&json!(2), sent), "{conversation}");
    assert!(server.stop().await.success());
}

/// Kills while many are asked at once.
const KILLS: i64 = 4;
const CUSTOMERS: usize = 8;

/// A message that was on its way when the server died may never have left, and is never sent again by itself: the reminder asks anew.
const PATIENT: &str = "name: booking
on: [{ event: message.received, if: event.data.text == \"book\" }]
mode: single
reentry: never
key: \"{{ event.data.contact_id }}\"
steps:
  - id: slot
    ask: { who: contact, title: When?, form: { properties: { slot: { enum: [\"10:00\", \"11:00\"] } } }, remind_every: 2s }
  - id: sure
    ask: { who: contact, title: \"{{ steps.slot.answer.slot }}?\", remind_every: 2s }
  - stop: { output: [\"{{ steps.slot.answer.slot }}\", \"{{ steps.sure.answer }}\"] }
";

/// Begins, and taps what the phone shows last, each thing once it was taken, until it is over.
async fn customer(outside: Api, path: String, over: Arc<AtomicBool>) {
    // Once: what was not taken is brought again, as providers do. Whoever says it again and again has answered the question wrongly as often,
    // and after three times it is left to people.
    outside.post(&path, &json!({ "text": "book" })).await.expect(200);
    let mut tapped = BTreeSet::new();
    while !over.load(Ordering::Acquire) {
        let lines = outside.get(&path).await;
        let last = lines["items"].as_array().unwrap().iter().rfind(|line| line["from"] == "business").cloned().unwrap_or_default();
        let choices = last["buttons"].as_array().cloned().unwrap_or_default();
        let wanted = choices.iter().find(|choice| choice["choice"]["title"] == "10:00" || choice["choice"]["title"] == "Approve");
        if let Some(choice) = wanted.filter(|choice| !tapped.contains(&choice["choice"]["id"].to_string())) {
            let taken = outside.post(&path, &json!({ choice["reply"].as_str().unwrap(): choice["choice"] })).await.expect(200);
            if taken["delivered"] == true {
                tapped.insert(choice["choice"]["id"].to_string());
            }
        }
        pause(10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_contacts_answer_nothing_is_sent_twice_and_no_answer_is_lost() {
    let home = Home::fresh();
    let (sandbox, mut server, api, _) = connected(&home, 23).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    api.publish("booking", PATIENT).await;
    sandbox.order(Behaviour { latency_ms: 15, times: None, ..Behaviour::default() });
    let over = Arc::new(AtomicBool::new(false));
    let outside = Api::new(&sandbox.base_url(), "none");
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| tokio::spawn(customer(outside.clone(), format!("/sandbox/customers/91981234560{number}/messages"), Arc::clone(&over))))
        .collect();
    for kill in 1..=KILLS {
        pause(37 * kill).await;
        server.kill().await;
        server = Server::start_with(&home, &address, &["--allow-private-urls"]).await;
    }
    let runs = eventually("every run has its answers", || async {
        let done = api.all("/api/v1/runs?workflow=booking&status=completed").await;
        (done.len() == CUSTOMERS).then_some(done)
    })
    .await;
    over.store(true, Ordering::Release);
    for customer in customers {
        customer.await.unwrap();
    }
    assert!(runs.iter().all(|run| run["output"] == json!(["10:00", "approve"])), "{runs:#?}");
    assert_eq!(api.all("/api/v1/runs?workflow=booking").await.len(), CUSTOMERS);
    let sends = sandbox.sends();
    let ids: BTreeSet<&String> = sends.iter().filter_map(|send| send.biz_opaque_callback_data.as_ref()).collect();
    assert_eq!(ids.len(), sends.len(), "no message was sent twice");
    for run in &runs {
        home.onward(&["replay", run["id"].as_str().unwrap()]).await.good();
    }
    assert!(server.stop().await.success());
}
