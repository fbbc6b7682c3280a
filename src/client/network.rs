//! The API over the network.

use super::{REPLY_BYTES, Reply};
use crate::cli::Failure;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use onward_connectors::http::{AllowPrivate, HttpClient, HttpRequest};
use onward_core::Value;
use std::time::Duration;
use url::Url;

/// The longest that a command waits for an answer: a replay of many runs may take a while.
const ANSWER: Duration = Duration::from_mins(5);

/// A server with a token.
pub(super) struct Network {
    base: Url,
    authorisation: HeaderValue,
    http: HttpClient,
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.base.as_str().trim_end_matches('/'))
    }
}

impl Network {
    pub(super) fn new(server: &str, token: Option<&str>) -> Result<Self, Failure> {
        let base = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(|| Failure::wrong_use(format!("--server {server} is no address; write for example https://onward.example.com")))?;
        let token =
            token.ok_or_else(|| Failure::wrong_use("--server needs a token: --token or ONWARD_TOKEN (make one on the server with `onward token add NAME`)"))?;
        let mut authorisation = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| Failure::wrong_use("the token holds characters that no token has; copy it anew"))?;
        authorisation.set_sensitive(true);
        // The guard against private addresses protects a server from what its users type; this is a user's own command.
        let http = HttpClient::new(AllowPrivate::All).map_err(|error| Failure::because("the HTTP client cannot start", &error))?;
        Ok(Self { base, authorisation, http })
    }

    pub(super) async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Failure> {
        let url = Url::parse(&format!("{self}{path}")).map_err(|error| Failure::because(format!("{self}{path} is no address"), &error))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorisation.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = body.map(|body| body.to_string().into());
        let reply = self.http.call(HttpRequest { method, url, headers, body, timeout: ANSWER, max_reply_bytes: REPLY_BYTES }).await;
        let reply = reply.map_err(|error| Failure::because(format!("{self} cannot be reached"), &error))?;
        let status = StatusCode::from_u16(reply.status).map_err(|error| Failure::because(format!("{self} gave no HTTP answer"), &error))?;
        Ok(Reply { status, body: reply.body.to_vec() })
    }
}
