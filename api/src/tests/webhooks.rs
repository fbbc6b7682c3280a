//! Webhook triggers, asked over HTTP.

use super::{Reply, Server};
use axum::body::Body;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request};
use onward_core::Value;
use serde_json::json;

fn source(name: &str, trigger: &str, steps: &str) -> Value {
    let source = format!("name: {name}\non:\n  - webhook: {trigger}\n    with: {{ name: '{{{{ event.data.name }}}}' }}\nsteps:\n{steps}\n");
    json!({ "source": source })
}

const ECHO: &str = "  - { id: a, do: debug.echo, with: { name: '{{ input.name }}' } }\n  - stop: { output: { hello: '{{ steps.a.name }}' } }";

impl Server {
    async fn listens(&self, name: &str, trigger: &str) {
        self.post(&format!("/api/v1/workflows/{name}/publish"), source(name, trigger, ECHO)).await.expect(200);
    }
    async fn http_connection(&self, config: Value, secrets: Value) {
        self.post("/api/v1/connections", json!({ "connector": "http", "name": "partner", "config": config, "secrets": secrets })).await.expect(201);
    }
}

async fn deliver(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = Request::post(format!("/hooks/in/{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn first_run(reply: &Reply) -> String {
    reply.json()["run_ids"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_delivery_starts_a_run_and_is_answered_after_it_is_stored() {
    let server = Server::start().await;
    server.listens("leads", "{ path: partner-leads, verify: none }").await;
    let reply = deliver(&server, "partner-leads", &[JSON], r#"{"name":"Asha"}"#).await.expect(202);
    let run = server.ended(&first_run(&reply)).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("completed"), &json!({ "hello": "Asha" })));
    let events = server.get("/api/v1/events?type=webhook.partner-leads").await.items();
    assert_eq!((events.len(), &events[0]["data"]), (1, &json!({ "name": "Asha" })));
}

#[tokio::test]
async fn forms_and_texts_are_read_and_the_rest_is_refused_with_the_reason() {
    let server = Server::start().await;
    server.listens("leads", "{ path: leads, verify: none }").await;
    let form = deliver(&server, "leads", &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")], "name=Asha+K&tag=a&tag=b").await.expect(202);
    assert_eq!(server.ended(&first_run(&form)).await["output"], json!({ "hello": "Asha K" }));
    deliver(&server, "leads", &[("content-type", "text/plain")], "hello").await.expect(202);
    deliver(&server, "leads", &[], r#"{"name":"bare"}"#).await.expect(202);
    deliver(&server, "leads", &[], "").await.expect(202);
    let facts: Vec<Value> = server.get("/api/v1/events?type=webhook.leads").await.items().into_iter().map(|event| event["data"].clone()).collect();
    let expected = [json!({}), json!({ "name": "bare" }), json!("hello"), json!({ "name": "Asha K", "tag": ["a", "b"] })];
    assert_eq!(facts, expected);
    deliver(&server, "leads", &[JSON], "{").await.problem(400, "unreadable");
    deliver(&server, "leads", &[JSON], &"[".repeat(100)).await.problem(400, "unreadable");
    deliver(&server, "leads", &[("content-type", "image/png")], "x").await.problem(415, "unsupported_media_type");
    deliver(&server, "leads", &[JSON], &" ".repeat((4 << 20) + 1)).await.problem(413, "too_large");
    deliver(&server, "nobody", &[JSON], "{}").await.problem(404, "not_found");
    let other = server.call(Method::GET, "/hooks/in/leads", Value::Null).await;
    assert_eq!(other.status, 405);
}

#[tokio::test]
async fn a_repeated_delivery_takes_effect_once() {
    let server = Server::start().await;
    server.listens("leads", "{ path: leads, verify: none }").await;
    for header in ["idempotency-key", "webhook-id"] {
        let first = deliver(&server, "leads", &[JSON, (header, "d-1")], r#"{"name":"a"}"#).await.expect(202).json();
        let again = deliver(&server, "leads", &[JSON, (header, "d-1")], r#"{"name":"b"}"#).await.expect(202).json();
        assert_eq!((&first["run_ids"], &first["event_id"]), (&again["run_ids"], &again["event_id"]));
        assert_eq!(again["duplicate"], true);
    }
    assert_eq!(server.get("/api/v1/runs?workflow=leads").await.items().len(), 1, "the id is the same by either name");
    for _ in 0..2 {
        deliver(&server, "leads", &[JSON], r#"{"name":"a"}"#).await.expect(202);
    }
    assert_eq!(server.get("/api/v1/runs?workflow=leads").await.items().len(), 3, "without an id nothing is known to be the same");
}

#[tokio::test]
async fn only_who_signs_may_deliver() {
    let server = Server::start().await;
    let trigger = "{ path: leads, verify: { connection: partner } }";
    let early = server.post("/api/v1/workflows/leads/publish", source("leads", trigger, ECHO)).await.expect(422);
    assert!(early.text.contains("unknown_connection"), "{}", early.text);
    server.http_connection(json!({ "id_header": "X-Delivery" }), json!({ "signing_secret": "s3cret" })).await;
    server.listens("leads", trigger).await;
    let sign = |body: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(body.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    };
    let body = r#"{ "name": "Asha" }"#;
    let signature = sign(body);
    for _ in 0..2 {
        deliver(&server, "leads", &[JSON, ("x-signature", &signature), ("x-delivery", "1")], body).await.expect(202);
    }
    deliver(&server, "leads", &[JSON, ("x-signature", &signature)], r#"{"name": "Asha"}"#).await.problem(401, "unauthorized");
    deliver(&server, "leads", &[JSON], body).await.problem(401, "unauthorized");
    // A body that cannot be read is no concern before it is known who sent it.
    deliver(&server, "leads", &[JSON, ("x-signature", "00")], "{").await.problem(401, "unauthorized");
    let events = server.get("/api/v1/events?type=webhook.leads").await.items();
    assert_eq!((events.len(), &events[0]["id"]), (1, &json!("1")), "what is forged leaves no trace");
}

#[tokio::test]
async fn a_sender_can_wait_for_the_runs_output() {
    let server = Server::start().await;
    server.listens("answers", "{ path: answers, verify: none, respond: finished }").await;
    let reply = deliver(&server, "answers", &[JSON, ("idempotency-key", "1")], r#"{"name":"Asha"}"#).await.expect(200).json();
    assert_eq!((&reply["status"], &reply["output"], &reply["error"]), (&json!("completed"), &json!({ "hello": "Asha" }), &Value::Null));
    assert_eq!(reply["run_ids"], json!([reply["run_id"]]));
    let again = deliver(&server, "answers", &[JSON, ("idempotency-key", "1")], "{}").await.expect(200).json();
    assert_eq!((&again["duplicate"], &again["output"]), (&json!(true), &json!({ "hello": "Asha" })), "a repetition is told the first one's output");
    let failing = source("fails", "{ path: fails, verify: none, respond: finished }", "  - { do: debug.fail, with: { code: declined, message: secret } }");
    server.post("/api/v1/workflows/fails/publish", failing).await.expect(200);
    let reply = deliver(&server, "fails", &[JSON], r#"{"name":"x"}"#).await.expect(200).json();
    assert_eq!((&reply["status"], &reply["error"]), (&json!("failed"), &json!({ "code": "declined" })));
}

#[tokio::test]
async fn an_address_belongs_to_one_workflow_of_one_organisation() {
    let server = Server::start().await;
    let (_, theirs) = server.other_organisation().await;
    server.listens("leads", "{ path: leads, verify: none }").await;
    let second = server.post("/api/v1/workflows/second/publish", source("second", "{ path: leads, verify: none }", ECHO)).await.expect(422).json();
    assert!(second.to_string().contains("duplicate_path") && second.to_string().contains("taken by workflow leads"), "{second}");
    let publish = "/api/v1/workflows/leads/publish";
    server.call_as(&theirs, Method::POST, publish, source("leads", "{ path: leads, verify: none }", ECHO)).await.expect(200);
    let run = first_run(&deliver(&server, "other/leads", &[JSON], r#"{"name":"x"}"#).await.expect(202));
    server.get(&format!("/api/v1/runs/{run}")).await.problem(404, "not_found");
    server.call_as(&theirs, Method::GET, &format!("/api/v1/runs/{run}"), Value::Null).await.expect(200);
    let ours = first_run(&deliver(&server, "leads", &[JSON], r#"{"name":"x"}"#).await.expect(202));
    server.get(&format!("/api/v1/runs/{ours}")).await.expect(200);
    let named = first_run(&deliver(&server, "default/leads", &[JSON], r#"{"name":"x"}"#).await.expect(202));
    server.get(&format!("/api/v1/runs/{named}")).await.expect(200);
    deliver(&server, "nobody/leads", &[JSON], "{}").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_workflow_shows_what_starts_it() {
    let server = Server::start().await;
    let source = "
name: shown
on:
  - event: lead.captured
  - schedule: { cron: '0 9 * * mon-fri', timezone: Asia/Kolkata, jitter: 5m }
  - webhook: { path: shown, verify: none }
  - manual: { input: { type: object, properties: { phone: { type: string } }, required: [phone] } }
steps: [{ stop: }]
";
    server.post("/api/v1/workflows/shown/publish", json!({ "source": source })).await.expect(200);
    let triggers = server.get("/api/v1/workflows/shown").await.expect(200).json()["triggers"].clone();
    assert_eq!(triggers[0], json!({ "kind": "event", "event": "lead.captured" }));
    assert_eq!(
        (&triggers[1]["cron"], &triggers[1]["timezone"], &triggers[1]["missed"]),
        (&json!("0 9 * * mon-fri"), &json!("Asia/Kolkata"), &json!("run_once"))
    );
    let next: Vec<String> = triggers[1]["next"].as_array().unwrap().iter().map(|moment| moment.as_str().unwrap().to_owned()).collect();
    assert!(next.len() == 5 && next.is_sorted() && next[0] > server.app.now().to_string(), "{next:?}");
    assert!(next.iter().all(|moment| moment[11..16] >= *"03:30" && moment[11..16] <= *"03:35"), "{next:?}");
    assert_eq!(triggers[2]["url"], "https://onward.test/hooks/in/shown");
    assert_eq!(triggers[3]["input"]["required"], json!(["phone"]), "a form can be made of it");
    let refused = server.post("/api/v1/workflows/shown/runs", json!({ "input": {} })).await.expect(422).json();
    assert!(refused["detail"].as_str().unwrap().contains("phone"), "{refused}");
    server.post("/api/v1/workflows/shown/runs", json!({ "input": { "phone": "+91" } })).await.expect(202);
}

#[tokio::test]
async fn past_due_times_are_made_up_for_once() {
    let server = Server::start().await;
    let source = "
name: nightly
on: [{ schedule: { cron: '0 3 * * *', timezone: Asia/Kolkata } }]
steps: [{ stop: {} }]
";
    server.post("/api/v1/workflows/nightly/publish", json!({ "source": source })).await.expect(200);
    let ask = async |body: Value| server.post("/api/v1/workflows/nightly/backfill", body).await;
    let week = json!({ "from": "2026-03-01", "to": "2026-03-08", "preview": true });
    let preview = ask(week).await.expect(200).items();
    assert_eq!((preview.len(), &preview[0]), (7, &json!({ "due": "2026-02-28T21:30:00.000Z" })), "days as clocks in Kolkata show them");
    assert!(server.get("/api/v1/runs?workflow=nightly").await.items().is_empty());
    let fired = ask(json!({ "from": "2026-03-01", "to": "2026-03-04" })).await.expect(202).items();
    assert!(fired.len() == 3 && fired.iter().all(|item| item["duplicate"] == false && item["run_ids"].as_array().unwrap().len() == 1), "{fired:?}");
    let again = ask(json!({ "from": "2026-03-03", "to": "2026-03-06" })).await.expect(202).items();
    let twice: Vec<bool> = again.iter().map(|item| item["duplicate"].as_bool().unwrap()).collect();
    assert_eq!(twice, [true, false, false]);
    assert_eq!(server.get("/api/v1/runs?workflow=nightly").await.items().len(), 5);
    for (body, pointer) in [
        (json!({ "from": "soon", "to": "2026-03-08" }), "/from"),
        (json!({ "from": "2026-03-01", "to": "2999-01-01" }), "/to"),
        (json!({ "from": "2026-03-02", "to": "2026-03-01" }), "/from"),
        (json!({ "from": "2020-03-01", "to": "2026-03-01" }), "/to"),
        (json!({ "from": "2026-03-01", "to": "2026-03-08", "trigger": 4 }), "/trigger"),
    ] {
        assert_eq!(ask(body).await.problem(422, "invalid_input")["errors"][0]["pointer"], pointer);
    }
    server.post("/api/v1/workflows/none/backfill", json!({ "from": "2026-03-01", "to": "2026-03-02" })).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_schedule_starts_a_run_for_each_contact_of_a_segment() {
    let server = Server::start().await;
    let mut contacts = Vec::new();
    for name in ["Asha", "Ravi", "Mira"] {
        contacts.push(server.post("/api/v1/contacts", json!({ "name": name })).await.expect(201).json()["id"].clone());
    }
    let segment = server.post("/api/v1/segments", json!({ "name": "newcomers" })).await.expect(201).json()["id"].as_str().unwrap().to_owned();
    server.post(&format!("/api/v1/segments/{segment}/members"), json!({ "add": contacts[..2] })).await.expect(200);
    let mut changes = server.app.engine().subscribe();
    let source = "
name: greet-each
on: [{ schedule: { cron: '* * * * * *', each: { segment: newcomers } } }]
mode: single
reentry: never
steps:
  - stop: { output: { name: '{{ contact.name }}' } }
";
    server.post("/api/v1/workflows/greet-each/publish", json!({ "source": source })).await.expect(200);
    let ended = loop {
        let runs = server.get("/api/v1/runs?workflow=greet-each&status=completed").await.items();
        if runs.len() == 2 {
            break runs;
        }
        changes.recv().await.unwrap();
    };
    let mut seen: Vec<(Value, Value)> = ended.iter().map(|run| (run["key"].clone(), run["output"]["name"].clone())).collect();
    seen.sort_by_key(|(key, _)| key.to_string());
    assert_eq!(seen, [(contacts[0].clone(), json!("Asha")), (contacts[1].clone(), json!("Ravi"))]);
}
