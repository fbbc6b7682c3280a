//! Sends spans to a collector, in batches, beside everything else. What the collector does not take is dropped, and counted: traces
//! never hold up a run.

use super::otlp::{self, Span};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use onward_connectors::http::{AllowPrivate, HttpClient, HttpRequest};
use onward_core::{Value, ports::Clock as _};
use onward_database::SystemClock;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc::Receiver};
use url::Url;

/// Spans that wait for their export; more are dropped.
pub(super) const WAITING: usize = 8_192;
/// Spans of one export.
const BATCH: usize = 512;
/// Milliseconds that a span waits for others.
const PATIENCE_MS: i64 = 1_000;
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Collector {
    url: Url,
    headers: HeaderMap,
}

impl Collector {
    /// The collector that the environment names; `None`: traces are off. `ONWARD_OTLP_ENDPOINT` goes before the variables of
    /// OpenTelemetry: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is the whole address, the others are its beginning.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let given = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let base = |name: &'static str| given(name).map(|text| (name, format!("{}/v1/traces", text.trim_end_matches('/'))));
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let found = base("ONWARD_OTLP_ENDPOINT").or_else(|| given(whole).map(|text| (whole, text))).or_else(|| base("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let Some((name, address)) = found else { return Ok(None) };
        let broken = || format!("{name} is no address of a collector; write for example http://127.0.0.1:4318");
        let url: Url = address.parse().map_err(|_| broken())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(broken());
        }
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for pair in given("OTEL_EXPORTER_OTLP_HEADERS").iter().flat_map(|all| all.split(',')).filter(|pair| !pair.trim().is_empty()) {
            let broken = || "OTEL_EXPORTER_OTLP_HEADERS cannot be read; write `name=value,name=value`".to_owned();
            let (name, value) = pair.split_once('=').ok_or_else(broken)?;
            let name: HeaderName = name.trim().parse().map_err(|_| broken())?;
            let mut value = HeaderValue::from_str(value.trim()).map_err(|_| broken())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Some(Self { url, headers }))
    }
}

/// Exports what comes, until it is told to stop; then what is left, and ends.
pub(super) async fn go_on(collector: Collector, client: HttpClient, resource: Vec<(&'static str, Value)>, mut spans: Receiver<Span>, stop: Arc<Notify>) {
    let clock = SystemClock::new();
    let mut batch = Vec::new();
    let mut failing = false;
    loop {
        if !spans.is_closed() {
            tokio::select! {
                _ = spans.recv_many(&mut batch, BATCH) => {}
                () = stop.notified() => spans.close(),
            }
        }
        let due = clock.now().plus_millis(PATIENCE_MS);
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                more = spans.recv_many(&mut batch, room) => if more == 0 { break },
                () = stop.notified() => spans.close(),
                () = clock.sleep_until(due) => break,
            }
        }
        if batch.is_empty() {
            return;
        }
        let exported = export(&collector, &client, &resource, &batch).await;
        match exported {
            Ok(()) => {
                metrics::counter!("onward_spans_exported_total").increment(batch.len() as u64);
                failing = false;
            }
            Err(reason) => {
                metrics::counter!("onward_spans_dropped_total").increment(batch.len() as u64);
                if !failing {
                    tracing::warn!(reason, "the collector does not take traces; they are dropped until it does");
                }
                failing = true;
            }
        }
        batch.clear();
    }
}

async fn export(collector: &Collector, client: &HttpClient, resource: &[(&'static str, Value)], spans: &[Span]) -> Result<(), String> {
    let body = otlp::body(spans, resource).to_string().into_bytes().into();
    let Collector { url, headers } = collector.clone();
    let request = HttpRequest { method: Method::POST, url, headers, body: Some(body), timeout: TIMEOUT, max_reply_bytes: 4_096 };
    let reply = client.call(request).await.map_err(|error| error.to_string())?;
    if (200..300).contains(&reply.status) { Ok(()) } else { Err(format!("it answered {}", reply.status)) }
}

/// The collector is the operator's own and mostly close by.
pub(super) fn client() -> Result<HttpClient, String> {
    HttpClient::new(AllowPrivate::All).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        let variables: Vec<(String, String)> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Collector::of(|name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn where_spans_go() {
        let url = |variables: &[(&str, &str)]| of(variables).unwrap().map(|collector| collector.url.to_string());
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[("ONWARD_OTLP_ENDPOINT", " ")]), None);
        let (ours, base, whole) = ("ONWARD_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        assert_eq!(url(&[(base, "http://a:4318/")]).as_deref(), Some("http://a:4318/v1/traces"));
        assert_eq!(url(&[(base, "http://a:4318"), (whole, "https://b/x")]).as_deref(), Some("https://b/x"));
        assert_eq!(url(&[(whole, "https://b/x"), (ours, "http://c")]).as_deref(), Some("http://c/v1/traces"));
        assert!(of(&[(ours, "ftp://c")]).unwrap_err().contains("ONWARD_OTLP_ENDPOINT"));
        let headers = of(&[(ours, "http://c"), ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret, x-team=a")]).unwrap().unwrap().headers;
        assert_eq!((headers["x-key"].to_str().unwrap(), headers["x-team"].to_str().unwrap()), ("secret", "a"));
        assert!(!format!("{headers:?}").contains("secret"));
        assert!(of(&[(ours, "http://c"), ("OTEL_EXPORTER_OTLP_HEADERS", "nothing")]).is_err());
    }
}
