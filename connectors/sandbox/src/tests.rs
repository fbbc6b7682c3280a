//! Over real HTTP on loopback. Every test waits for signals, never for time.

use crate::*;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use std::time::Duration;
use tokio::{net::TcpListener, sync::mpsc};

const SECRET: &str = "app-secret";

/// A webhook address that records what is posted.
struct Hook {
    url: String,
    posted: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
    status: Arc<AtomicU16>,
}

impl Hook {
    async fn start() -> Self {
        let (sender, posted) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let answered = Arc::clone(&status);
        let router = Router::new().route(
            "/hook",
            post(move |State(sender): State<mpsc::UnboundedSender<(HeaderMap, Bytes)>>, headers: HeaderMap, body: Bytes| async move {
                let _ = sender.send((headers, body));
                crate::reply::status_code(answered.load(Ordering::SeqCst))
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router.with_state(sender)).await });
        Self { url, posted, status }
    }

    /// The next body, after its signature was checked over the exact bytes.
    async fn next(&mut self) -> Value {
        let (headers, body) = self.posted.recv().await.unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&body);
        let signature = headers["x-hub-signature-256"].to_str().unwrap().strip_prefix("sha256=").unwrap();
        mac.verify_slice(&hex::decode(signature).unwrap()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["object"], "whatsapp_business_account");
        assert_eq!(body["entry"][0]["changes"][0]["field"], "messages");
        body["entry"][0]["changes"][0]["value"].clone()
    }

    async fn next_status(&mut self) -> Value {
        self.next().await["statuses"][0].clone()
    }
}

struct World {
    sandbox: SandboxHandle,
    hook: Hook,
    http: reqwest::Client,
}

async fn world(change: impl FnOnce(&mut Config)) -> World {
    let hook = Hook::start().await;
    let mut config = Config::new(Account::new("111", "token", SECRET, "verify").with_webhook(&hook.url), 1);
    config.first_retry = Duration::from_millis(1);
    config.now = Arc::new(|| 1_000_000);
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, config).unwrap();
    World { sandbox, hook, http: reqwest::Client::builder().no_proxy().build().unwrap() }
}

fn text(to: &str, id: &str) -> Value {
    json!({ "messaging_product": "whatsapp", "to": to, "type": "text", "text": { "body": "Hello" }, "biz_opaque_callback_data": id })
}

impl World {
    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.sandbox.base_url())).bearer_auth("token").json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
    async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.sandbox.base_url())).bearer_auth("token").send().await.unwrap().json().await.unwrap()
    }
    async fn send(&self, body: &Value) -> (u16, Value) {
        self.post("/v25.0/111/messages", body).await
    }
}

#[tokio::test]
async fn a_send_is_accepted_and_its_statuses_follow_in_order() {
    let mut world = world(|_| {}).await;
    let (status, answer) = world.send(&text("16505551234", "m1")).await;
    assert_eq!(status, 200);
    let id = answer["messages"][0]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("wamid."));
    assert_eq!(answer["contacts"][0], json!({ "input": "16505551234", "wa_id": "16505551234" }));
    for word in ["sent", "delivered", "read"] {
        let status = world.hook.next_status().await;
        assert_eq!((&status["status"], &status["id"], &status["biz_opaque_callback_data"]), (&json!(word), &json!(id), &json!("m1")));
        assert_eq!(status["timestamp"], "1000000");
    }
    let sends = world.get("/sandbox/sends").await;
    assert_eq!(sends["items"].as_array().unwrap().len(), 1);
    assert_eq!(sends["items"][0]["biz_opaque_callback_data"], "m1");
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused_in_its_shape() {
    let world = world(|_| {}).await;
    let base = || text("1650", "m");
    let with = |change: fn(&mut Value)| {
        let mut body = base();
        change(&mut body);
        body
    };
    let wrong = [
        with(|body| body["messaging_product"] = "sms".into()),
        with(|body| body["to"] = "".into()),
        with(|body| body["type"] = "carrier_pigeon".into()),
        with(|body| body["text"]["body"] = "".into()),
        with(|body| body["text"]["body"] = "x".repeat(4097).into()),
        json!({ "messaging_product": "whatsapp", "to": "1", "type": "template", "template": { "name": "hello" } }),
        json!({ "messaging_product": "whatsapp", "to": "1", "type": "interactive", "interactive": { "type": "button", "body": { "text": "?" }, "action": { "buttons": [] } } }),
        json!({ "messaging_product": "whatsapp", "to": "1", "type": "interactive", "interactive": { "type": "button", "body": { "text": "?" },
            "action": { "buttons": [{ "type": "reply", "reply": { "id": "a", "title": "a title of more than 20" } }] } } }),
    ];
    for body in &wrong {
        let (status, answer) = world.send(body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)), "{body}");
        assert!(answer["error"]["fbtrace_id"].is_string());
    }
    let unauthorised = world.http.post(format!("{}/v25.0/111/messages", world.sandbox.base_url())).bearer_auth("wrong").json(&base()).send().await.unwrap();
    assert_eq!(unauthorised.status(), 401);
    assert_eq!(unauthorised.json::<Value>().await.unwrap()["error"]["code"], 190);
    assert_eq!(world.post("/v25.0/222/messages", &base()).await.1["error"]["code"], 100);
    assert_eq!(world.sandbox.counters().accepted, 0);
    assert!(world.sandbox.sends().is_empty());
}

#[tokio::test]
async fn the_documented_requests_are_accepted() {
    let world = world(|_| {}).await;
    let interactive = json!({ "messaging_product": "whatsapp", "to": "16505551234", "type": "interactive", "interactive": { "type": "button", "body": { "text": "Confirm?" },
        "action": { "buttons": [{ "type": "reply", "reply": { "id": "yes", "title": "Yes" } }, { "type": "reply", "reply": { "id": "no", "title": "No" } }] } } });
    let template = json!({ "messaging_product": "whatsapp", "to": "16505551234", "type": "template", "template": { "name": "order", "language": { "code": "en_US" },
        "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Asha" }] }] } });
    let user = json!({ "messaging_product": "whatsapp", "recipient": "US.1349", "type": "text", "text": { "body": "Hi" } });
    for body in [interactive, template, user] {
        assert_eq!(world.send(&body).await.0, 200, "{body}");
    }
    let (status, answer) = world.send(&json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X" })).await;
    assert_eq!((status, answer), (200, json!({ "success": true })));
    assert_eq!(world.sandbox.sends().len(), 3);
    let phone = world.get("/sandbox/customers/16505551234/messages?at_least=2").await;
    assert_eq!(phone["items"][0]["buttons"][0], json!({ "reply": "button_reply", "choice": { "id": "yes", "title": "Yes" } }));
    assert_eq!(phone["items"][1]["text"], "[template order: Asha]");
    assert_eq!(world.get("/v25.0/111").await["display_phone_number"], "15550100000");
}

#[tokio::test]
async fn a_customer_writes_and_the_window_opens() {
    let mut world = world(|config| config.enforce_window = true).await;
    assert_eq!(world.send(&text("919812345678", "early")).await.1["error"]["code"], 131_047);
    let (status, answer) = world.post("/sandbox/customers/919812345678/messages", &json!({ "text": "<b>Hi</b>", "name": "Asha", "user_id": "IN.7" })).await;
    assert_eq!((status, &answer["delivered"]), (200, &json!(true)));
    let value = world.hook.next().await;
    let message = &value["messages"][0];
    assert_eq!(
        (&message["from"], &message["from_user_id"], &message["type"], &message["text"]["body"]),
        (&json!("919812345678"), &json!("IN.7"), &json!("text"), &json!("<b>Hi</b>"))
    );
    assert_eq!(message["id"], answer["id"]);
    assert_eq!(value["contacts"][0], json!({ "profile": { "name": "Asha" }, "wa_id": "919812345678", "user_id": "IN.7" }));
    assert_eq!(value["metadata"]["phone_number_id"], "111");
    assert_eq!(world.send(&text("919812345678", "now")).await.0, 200);
    assert_eq!(world.send(&text("16505551234", "other")).await.1["error"]["code"], 131_047);
}

#[tokio::test]
async fn customers_write_every_kind_and_mistakes_are_explained() {
    let mut world = world(|_| {}).await;
    let kinds = [
        (
            json!({ "button_reply": { "id": "yes", "title": "Yes" } }),
            json!({ "type": "button_reply", "button_reply": { "id": "yes", "title": "Yes" } }),
            "interactive",
        ),
        (
            json!({ "list_reply": { "id": "a", "title": "A" }, "context": "wamid.Q" }),
            json!({ "type": "list_reply", "list_reply": { "id": "a", "title": "A" } }),
            "interactive",
        ),
        (json!({ "location": { "latitude": 1.5, "longitude": 2 } }), json!({ "latitude": 1.5, "longitude": 2 }), "location"),
        (json!({ "image": { "id": "9", "mime_type": "image/png" } }), json!({ "id": "9", "mime_type": "image/png" }), "image"),
        (json!({ "raw": { "type": "unsupported", "unsupported": { "type": "poll" } } }), json!({ "type": "poll" }), "unsupported"),
    ];
    for (written, part, kind) in kinds {
        world.post("/sandbox/customers/1650/messages", &written).await;
        let message = world.hook.next().await["messages"][0].clone();
        assert_eq!((&message["type"], &message[kind]), (&json!(kind), &part));
    }
    world.post("/sandbox/customers/1650/messages", &json!({ "text": "hi", "user_id": "US.1", "without_phone": true })).await;
    let value = world.hook.next().await;
    assert!(value["messages"][0].get("from").is_none() && value["contacts"][0].get("wa_id").is_none());
    for wrong in
        [json!({}), json!({ "text": "a", "image": {} }), json!({ "tekst": "a" }), json!({ "text": "a", "without_phone": true }), json!({ "button_reply": {} })]
    {
        let (status, answer) = world.post("/sandbox/customers/1650/messages", &wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["error"].is_string());
    }
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_is_taken_with_the_same_bytes() {
    let mut world = world(|_| {}).await;
    world.hook.status.store(503, Ordering::SeqCst);
    let (_, answer) = world.post("/sandbox/customers/1650/messages", &json!({ "text": "hi" })).await;
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(false), &json!(503)));
    let first = world.hook.next().await;
    let second = world.hook.next().await;
    assert_eq!(first, second);
    world.hook.status.store(200, Ordering::SeqCst);
    world.sandbox.wait_for_counters(|counters| counters.webhooks_delivered == 1).await;
}

#[tokio::test]
async fn a_webhook_that_nobody_takes_is_given_up() {
    let world = world(|config| config.attempts = 3).await;
    world.hook.status.store(500, Ordering::SeqCst);
    world.post("/sandbox/customers/1650/messages", &json!({ "text": "hi" })).await;
    let counters = world.sandbox.wait_for_counters(|counters| counters.webhooks_given_up == 1).await;
    assert_eq!(counters.webhooks_failed, 3);
}

#[tokio::test]
async fn statuses_misbehave_on_order() {
    for (ordered, expected) in [
        ("none", vec![]),
        ("unread", vec!["sent", "delivered"]),
        ("duplicate", vec!["sent", "sent", "delivered", "delivered", "read", "read"]),
        ("reversed", vec!["read", "delivered", "sent"]),
        ("before_answer", vec!["sent", "delivered", "read"]),
        ("failed", vec!["sent", "failed"]),
    ] {
        let mut world = world(|_| {}).await;
        world.post("/sandbox/behaviour", &json!({ "statuses": ordered })).await;
        assert_eq!(world.send(&text("1650", "m1")).await.0, 200);
        if ordered == "before_answer" {
            assert_eq!(world.sandbox.sends()[0].statuses, expected, "all were posted before the answer");
        }
        let sends = world.sandbox.wait_for_sends(|sends| sends[0].statuses.len() == expected.len()).await;
        assert_eq!(sends[0].statuses, expected);
        for word in expected {
            let status = world.hook.next_status().await;
            assert_eq!(status["status"], word);
            if word == "failed" {
                assert_eq!(status["errors"][0]["code"], 131_026);
            }
        }
        assert!(world.hook.posted.try_recv().is_err());
    }
}

#[tokio::test]
async fn failures_are_answered_on_order_and_only_so_often() {
    let world = world(|_| {}).await;
    world
        .post("/sandbox/behaviour", &json!([{ "fail": 131_026, "times": 2 }, { "retry_after": 7 }, { "status": 503 }, { "fail": 131_048, "to": "1999" }]))
        .await;
    for _ in 0..2 {
        let (status, answer) = world.send(&text("1650", "a")).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(131_026)));
    }
    let limited =
        world.http.post(format!("{}/v25.0/111/messages", world.sandbox.base_url())).bearer_auth("token").json(&text("1650", "a")).send().await.unwrap();
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(limited.json::<Value>().await.unwrap()["error"]["code"], 130_429);
    let (status, answer) = world.send(&text("1650", "a")).await;
    assert_eq!((status, answer), (503, Value::Null));
    assert_eq!(world.send(&text("1650", "a")).await.0, 200, "the last order is for somebody else");
    assert_eq!(world.send(&text("1999", "a")).await.1["error"]["code"], 131_048);
    assert_eq!(world.send(&text("1999", "a")).await.0, 200);
    assert_eq!(world.sandbox.counters().refused, 5);
    let (status, answer) = world.post("/sandbox/behaviour", &json!({ "latency": 5 })).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("latency_ms"), "{answer}");
}

#[tokio::test]
async fn a_dropped_connection_gives_no_answer_whether_it_took_effect_or_not() {
    let mut world = world(|_| {}).await;
    for (drop, accepted) in [(DropAt::Before, 0), (DropAt::After, 1)] {
        world.sandbox.order(Behaviour { drop: Some(drop), ..Behaviour::default() });
        let request = world.http.post(format!("{}/v25.0/111/messages", world.sandbox.base_url())).bearer_auth("token").json(&text("1650", "m1"));
        let error = request.send().await.unwrap_err();
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!(world.sandbox.counters().accepted, accepted);
    }
    // The customer got it, and its statuses tell.
    assert_eq!(world.hook.next_status().await["biz_opaque_callback_data"], "m1");
}

#[tokio::test]
async fn the_http_endpoint_records_and_misbehaves() {
    let world = world(|_| {}).await;
    let call = || world.http.put(format!("{}/http/orders/7?x=1", world.sandbox.base_url())).header("Idempotency-Key", "k1").json(&json!({ "a": 1 }));
    let answer: Value = call().send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({ "number": 1, "method": "PUT", "path": "/orders/7?x=1", "idempotency_key": "k1", "body": { "a": 1 } }));
    world.sandbox.order(Behaviour { target: Target::Http, status: Some(503), retry_after: Some(2), ..Behaviour::default() });
    world.sandbox.order(Behaviour { target: Target::Http, drop: Some(DropAt::After), ..Behaviour::default() });
    world.sandbox.order(Behaviour { target: Target::Http, drop: Some(DropAt::Before), ..Behaviour::default() });
    let failed = call().send().await.unwrap();
    assert_eq!((failed.status().as_u16(), failed.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    assert!(call().send().await.is_err());
    assert!(call().send().await.is_err());
    let calls = world.get("/sandbox/http-calls?at_least=3").await["items"].clone();
    let answered: Vec<&Value> = calls.as_array().unwrap().iter().map(|call| &call["answered"]).collect();
    assert_eq!(answered, [&json!(200), &json!(503), &Value::Null], "dropped before: not recorded");
    assert_eq!(calls[2]["headers"]["idempotency-key"], "k1");
}

#[tokio::test]
async fn numbers_can_be_added_and_pointed_elsewhere() {
    let world = world(|_| {}).await;
    let other = Hook::start().await;
    let url = format!("{}/sandbox/accounts/222", world.sandbox.base_url());
    let answer: Value = world.http.put(&url).json(&json!({ "webhook_url": other.url, "access_token": "t2" })).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["webhook_url"], other.url);
    assert!(answer.get("access_token").is_none());
    let send =
        |token: &'static str| world.http.post(format!("{}/v25.0/222/messages", world.sandbox.base_url())).bearer_auth(token).json(&text("1650", "m")).send();
    assert_eq!(send("token").await.unwrap().status(), 400);
    assert_eq!(send("t2").await.unwrap().status(), 200);
    let mut other = other;
    assert_eq!(other.next_status().await["status"], "sent");
    let refused = world.http.put(&url).json(&json!({ "webhook_url": "nowhere" })).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn the_page_is_self_contained() {
    let world = world(|_| {}).await;
    let page = world.http.get(world.sandbox.base_url()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Onward sandbox"));
    for outside in ["http://", "https://", "innerHTML"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn a_stopped_sandbox_answers_nothing() {
    let world = world(|_| {}).await;
    let url = world.sandbox.base_url();
    drop(world.sandbox);
    // The listener closes with its task; until then a connection may be taken and ended.
    while tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
