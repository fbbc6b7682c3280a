//! The API over real HTTP.

use super::eventually;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use onward_connectors::http::{AllowPrivate, HttpClient, HttpError, HttpRequest};
use onward_core::Value;
use std::time::Duration;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// The body as JSON; `null` where it is none.
    pub(crate) body: Value,
    /// The body as text.
    pub(crate) text: String,
}

impl Answer {
    /// The document of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Api {
    url: String,
    token: String,
    http: HttpClient,
}

impl Api {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), token: token.to_owned(), http: HttpClient::new(AllowPrivate::All).unwrap() }
    }
    /// The token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Any request.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&'static str, &str)], body: Option<Vec<u8>>) -> Result<Answer, HttpError> {
        let mut all = HeaderMap::new();
        all.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", self.token)).unwrap());
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let url = format!("{}{path}", self.url).parse().unwrap();
        let request = HttpRequest { method, url, headers: all, body: body.map(Into::into), timeout: Duration::from_mins(1), max_reply_bytes: 64 << 20 };
        let reply = self.http.call(request).await?;
        Ok(Answer {
            status: reply.status,
            headers: reply.headers,
            body: serde_json::from_slice(&reply.body).unwrap_or_default(),
            text: String::from_utf8_lossy(&reply.body).into_owned(),
        })
    }
    /// `GET`, which must go well.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, &[], None).await.unwrap().expect(200)
    }
    /// `GET`, whatever the answer.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await.unwrap()
    }
    /// `POST` of a JSON document; `Err` when there was no answer.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, HttpError> {
        self.send(Method::POST, path, &[("content-type", "application/json")], Some(body.to_string().into_bytes())).await
    }
    /// `POST` of a JSON document.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }
    /// Publishes a workflow.
    pub(crate) async fn publish(&self, name: &str, source: &str) -> Value {
        self.post(&format!("/api/v1/workflows/{name}/publish"), &serde_json::json!({ "source": source })).await.expect(200)
    }
    /// Every item of a list.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let between = if path.contains('?') { '&' } else { '?' };
            let mut page = self.get(&format!("{path}{between}limit=100{cursor}")).await;
            items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
    /// Once every run of this workflow has ended. One listing, because a run that goes from one status to another between two
    /// listings would be in neither.
    pub(crate) async fn all_ended(&self, workflow: &str) {
        let path = format!("/api/v1/runs?workflow={workflow}");
        eventually(&format!("all runs of {workflow} end"), || async {
            let open = self.all(&path).await.iter().filter(|run| run["ended_at"].is_null()).count();
            (open == 0).then_some(())
        })
        .await;
    }
    /// The run, once it is in this status.
    pub(crate) async fn run_in(&self, id: &str, status: &str) -> Value {
        let path = format!("/api/v1/runs/{id}");
        eventually(&format!("run {id} is {status}"), || async {
            let run = self.get(&path).await;
            let now = run["status"].as_str().unwrap_or_default().to_owned();
            assert!(now == status || !["completed", "failed", "cancelled"].contains(&now.as_str()), "the run is {now}: {run:#}");
            (now == status).then_some(run)
        })
        .await
    }
    /// The kinds and steps of a run's history.
    pub(crate) async fn history(&self, id: &str) -> Vec<Value> {
        self.all(&format!("/api/v1/runs/{id}/history")).await
    }
}
