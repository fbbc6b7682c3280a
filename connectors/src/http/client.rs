//! The one HTTP client of the product.

use super::guard::{AllowPrivate, GuardedResolver, PrivateAddress};
use ::http::{HeaderMap, Method};
use bytes::Bytes;
use onward_core::trace::TARGET;
use std::{error::Error as _, net::SocketAddr, sync::Arc, time::Duration};
use tracing::{Instrument as _, field};
use url::{Host, Url};

/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept without use. Short, because a request on a connection that the other side has just closed
/// ends as "may have arrived", which an at-most-once step cannot repeat.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes every outgoing call. Cheap to clone.
///
/// Redirects are never followed: the answer of the first host decides, and a secret header never travels to another one.
/// Nothing is ever sent twice: retries are the engine's.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    policy: Arc<AllowPrivate>,
}

/// A call.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// Headers; those with secrets are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// From start to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of the answer that are kept; the rest is not read.
    pub max_reply_bytes: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, cut at the limit.
    pub body: Bytes,
    /// The body was longer than the limit.
    pub truncated: bool,
}

/// Why there is no answer, sorted by what the caller may conclude.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The address is not allowed or makes no sense; nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// No connection came about; surely nothing was sent.
    #[error("no connection to {host}: {reason}")]
    NotSent {
        /// The host and port.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// No whole answer in time; the request may have arrived.
    #[error("{host} did not answer within {timeout_ms} ms")]
    TimedOut {
        /// The host and port.
        host: String,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// The connection broke; the request may have arrived.
    #[error("the connection to {host} broke before the whole answer came: {reason}")]
    Broken {
        /// The host and port.
        host: String,
        /// What went wrong.
        reason: String,
    },
}

impl HttpError {
    /// Whether it is certain that the other side never saw the request.
    pub fn surely_not_sent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotSent { .. })
    }
    /// One word for it.
    fn word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotSent { .. } => "not_sent",
            Self::TimedOut { .. } => "timed_out",
            Self::Broken { .. } => "broken",
        }
    }
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct ClientError(String);

impl HttpClient {
    /// A client with this policy on private addresses. Without the system's certificates it still works for plain HTTP, and
    /// every HTTPS call says that the certificate is not trusted.
    pub fn new(policy: AllowPrivate) -> Result<Self, ClientError> {
        // Somebody else may have installed one before; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .dns_resolver(GuardedResolver { policy: Arc::clone(&policy) })
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .user_agent(concat!("onward/", env!("CARGO_PKG_VERSION")))
        };
        let inner = match builder().build() {
            Ok(inner) => inner,
            Err(error) => {
                tracing::warn!(error = chain(&error), "no system certificates: HTTPS calls will fail (install ca-certificates)");
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let tls = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| ClientError(error.to_string()))?
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth();
                builder().tls_backend_preconfigured(tls).build().map_err(|error| ClientError(chain(&error)))?
            }
        };
        Ok(Self { inner, policy })
    }

    /// Makes one call. Any status is an answer.
    pub async fn call(&self, request: HttpRequest) -> Result<HttpReply, HttpError> {
        // Told only where somebody traces. The path may hold a secret, the query even more so.
        let span = tracing::info_span!(
            target: TARGET, "http", method = %request.method, host = request.url.host_str(), port = request.url.port_or_known_default(),
            status = field::Empty, error = field::Empty
        );
        let result = self.make(request).instrument(span.clone()).await;
        match &result {
            Ok(reply) => {
                span.record("status", reply.status);
                if reply.status >= 400 {
                    span.record("error", field::display(reply.status));
                }
            }
            Err(error) => {
                span.record("error", error.word());
            }
        }
        result
    }

    async fn make(&self, request: HttpRequest) -> Result<HttpReply, HttpError> {
        let host = self.check(&request.url)?;
        let timeout = request.timeout;
        let mut builder = self.inner.request(request.method, request.url).headers(request.headers).timeout(timeout);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(|error| sort(&error, &host, timeout))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error, &host, timeout))? {
            let room = request.max_reply_bytes - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                truncated = true;
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpReply { status, headers, body: body.into(), truncated })
    }

    /// Checks what can be checked before a name is resolved; gives host and port for messages.
    fn check(&self, url: &Url) -> Result<String, HttpError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::Refused(format!("\"{}\" is no http or https address", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::Refused("an address must not carry a user name or password; use a connection".into()));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(HttpError::Refused("the address has no host".into()));
        };
        let shown = format!("{host}:{port}");
        let literal = match host {
            Host::Ipv4(address) => Some(SocketAddr::from((address, port))),
            Host::Ipv6(address) => Some(SocketAddr::from((address, port))),
            Host::Domain(_) => None,
        };
        match literal {
            Some(address) if !self.policy.permits(address) => Err(HttpError::Refused(PrivateAddress { host: shown }.to_string())),
            _ => Ok(shown),
        }
    }
}

/// Sorts a failure by whether the request may have arrived.
fn sort(error: &reqwest::Error, host: &str, timeout: Duration) -> HttpError {
    let host = host.to_owned();
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(private) = inner.downcast_ref::<PrivateAddress>() {
            return HttpError::Refused(private.to_string());
        }
        source = inner.source();
    }
    if error.is_connect() {
        HttpError::NotSent { host, reason: chain(error) }
    } else if error.is_builder() {
        HttpError::Refused(chain(error))
    } else if error.is_timeout() {
        HttpError::TimedOut { host, timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) }
    } else {
        HttpError::Broken { host, reason: chain(error) }
    }
}

/// The causes of a failure without its address: an address may hold a secret in its query.
fn chain(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        source = inner.source();
    }
    if parts.is_empty() { "unknown cause".to_owned() } else { parts.join(": ") }
}
