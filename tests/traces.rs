//! Traces of the built binary, told to a collector over OTLP.

use super::harness::{Home, Server, eventually};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use http::Method;
use onward_core::Value;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

const TRACED: &str = "name: traced
on: [{ event: order.paid }]
steps:
  - { id: note, do: crm.contact.upsert, with: { name: \"{{ event.data.name }}\", phone: \"+919812345678\" } }
  - { id: ask, do: http.request, with: { method: POST, url: \"{{ event.data.url }}\", body: { name: \"{{ event.data.name }}\" } } }
  - { id: reply, wait_for: { event: order.shipped, match: any } }
  - { id: last, do: debug.echo, with: { n: 1 } }
";
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector, and beside it a server that steps call.
#[derive(Clone, Default)]
struct Collector {
    bodies: Arc<Mutex<Vec<Value>>>,
    /// `traceparent` of the calls.
    called_with: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start() -> (Self, String) {
        async fn take(State(collector): State<Collector>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
            assert_eq!((&headers["content-type"], &headers["x-key"]), (&"application/json".parse().unwrap(), &"of-the-collector".parse().unwrap()));
            collector.bodies.lock().unwrap().push(body);
            Json(json!({}))
        }
        async fn called(State(collector): State<Collector>, headers: HeaderMap) -> StatusCode {
            collector.called_with.lock().unwrap().push(headers["traceparent"].to_str().unwrap().to_owned());
            StatusCode::OK
        }
        let collector = Self::default();
        let router = Router::new().route("/v1/traces", post(take)).route("/orders", post(called)).with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    /// Every span so far.
    fn spans(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap();
        let all = bodies.iter().flat_map(|body| body["resourceSpans"].as_array().unwrap()).flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
        all.flat_map(|scope| scope["spans"].as_array().unwrap().clone()).collect()
    }
    /// The one of that name, once it has come.
    async fn span(&self, name: &str) -> Value {
        eventually(&format!("the span {name:?}"), || async { self.spans().into_iter().find(|span| span["name"] == name) }).await
    }
}

fn attribute(span: &Value, key: &str) -> Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key);
    found.map(|attribute| attribute["value"].as_object().unwrap().values().next().unwrap().clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_followed_through_its_run_its_steps_and_a_crash() {
    let (collector, url) = Collector::start().await;
    let home = Home::fresh();
    let environment = [
        ("ONWARD_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector"),
        ("ONWARD_ALLOW_PRIVATE_URLS", "true"),
        ("ONWARD_LOG", "warn"),
    ];
    let server = Server::start_within(&home, &environment).await;
    let api = server.api(&home).await;
    api.publish("traced", TRACED).await;
    let event = json!({ "type": "order.paid", "data": { "name": "Secret Asha", "url": format!("{url}/orders") } });
    let headers = [("content-type", "application/json"), ("traceparent", CALLER)];
    let sent = api.send(Method::POST, "/api/v1/events", &headers, Some(event.to_string().into_bytes())).await.unwrap().expect(202);
    let (event_id, run) = (sent["items"][0]["event_id"].as_str().unwrap(), sent["items"][0]["run_ids"][0].as_str().unwrap());
    let trace = event_id.replace('-', "");
    api.run_in(run, "waiting").await;

    let routed = collector.span("event order.paid").await;
    let (written, asked, called) = (collector.span("step note").await, collector.span("step ask").await, collector.span("POST").await);
    assert!([&routed, &written, &asked, &called].iter().all(|span| span["traceId"] == trace.as_str()), "{:#?}", collector.spans());
    assert_eq!((&called["parentSpanId"], called["kind"].as_u64(), attribute(&called, "status")), (&asked["spanId"], Some(3), json!("200")));
    assert_eq!(asked["parentSpanId"], written["parentSpanId"]);
    let header = format!("00-{trace}-{}-01", asked["spanId"].as_str().unwrap());
    assert_eq!(*collector.called_with.lock().unwrap(), [header], "what was called can go on with the trace");
    let requests = eventually("the request in both traces", || async {
        let of_events = |span: &Value| span["name"] == "POST /api/v1/events";
        let found: BTreeMap<String, Value> =
            collector.spans().into_iter().filter(of_events).map(|span| (span["traceId"].as_str().unwrap().to_owned(), span)).collect();
        (found.len() == 2).then_some(found)
    })
    .await;
    let (ours, theirs) = (&requests[&trace], &requests["4bf92f3577b34da6a3ce929d0e0e4736"]);
    assert_eq!((&routed["parentSpanId"], ours["kind"].as_u64()), (&ours["spanId"], Some(2)));
    assert_eq!((&theirs["parentSpanId"], &theirs["links"][0]["spanId"]), (&json!("00f067aa0ba902b7"), &ours["spanId"]));

    // What a later process tells joins the same trace.
    server.kill().await;
    let server = Server::start_within(&home, &environment).await;
    let api = server.api(&home).await;
    api.post("/api/v1/events", &json!({ "type": "order.shipped", "data": {} })).await.expect(202);
    api.run_in(run, "completed").await;
    assert!(server.stop().await.success(), "the last spans are exported at the stop");
    let (last, whole) = (collector.span("step last").await, collector.span("run traced").await);
    assert_eq!((&last["traceId"], &whole["traceId"]), (&json!(trace), &json!(trace)));
    assert_eq!((&whole["spanId"], &whole["parentSpanId"]), (&asked["parentSpanId"], &routed["spanId"]));
    assert_eq!(last["parentSpanId"], whole["spanId"]);
    assert_eq!((attribute(&whole, "status"), attribute(&whole, "run")), (json!("completed"), json!(run)));
    let nanos = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos(&whole, "startTimeUnixNano") <= nanos(&asked, "startTimeUnixNano") && nanos(&whole, "endTimeUnixNano") >= nanos(&asked, "endTimeUnixNano"));

    let all = serde_json::to_string(&*collector.bodies.lock().unwrap()).unwrap();
    for secret in ["Secret Asha", "+919812345678", api.token(), "/orders", "of-the-collector"] {
        assert!(!all.contains(secret), "{secret} is in a trace");
    }
    assert!(all.contains("service.instance.id"));
}
