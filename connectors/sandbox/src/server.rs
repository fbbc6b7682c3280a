//! Starting and stopping.

use crate::{
    behaviour::Behaviour,
    config::Config,
    control, customer, echo, graph,
    reply::Dropped,
    state::{AcceptedSend, Counters, HttpCall, Inner, Shared},
};
use axum::{
    Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{any, get, post, put},
};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tower::ServiceExt as _;

/// How long a webhook may take.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener has no address.
    #[error("the sandbox's listener cannot be used")]
    Listener(#[from] std::io::Error),
    /// The client for webhooks cannot be made.
    #[error("the sandbox's HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

/// The sandbox.
pub struct Sandbox;

impl Sandbox {
    /// Serves on this listener until the handle is dropped.
    pub fn start(listener: TcpListener, config: Config) -> Result<SandboxHandle, StartError> {
        // Somebody else may have installed one before; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = listener.local_addr()?;
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(WEBHOOK_TIMEOUT).build()?;
        let shared = Shared::new(config, client);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(listener, router(Arc::clone(&shared)), stopped));
        Ok(SandboxHandle { address, shared, _stop: stop })
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(control::page))
        .route("/sandbox/accounts", get(control::accounts))
        .route("/sandbox/accounts/{phone_number_id}", put(control::put_account))
        .route("/sandbox/behaviour", post(control::order).get(control::ordered).delete(control::behave))
        .route("/sandbox/counters", get(control::counters))
        .route("/sandbox/customers", get(control::customers))
        .route("/sandbox/customers/{wa_id}/messages", post(customer::write).get(customer::show))
        .route("/sandbox/sends", get(control::sends))
        .route("/sandbox/http-calls", get(control::http_calls))
        .route("/http", any(echo::echo))
        .route("/http/{*rest}", any(echo::echo))
        .route("/{version}/{phone_number_id}/messages", post(graph::send))
        .route("/{version}/{phone_number_id}/media", post(graph::upload))
        .route("/{version}/{id}", get(graph::object))
        .route("/{version}/{id}/bytes", get(graph::media))
        .with_state(shared)
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on order")]
struct DroppedOnOrder;

async fn serve(listener: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    // Dropping the set ends every connection.
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the sandbox cannot accept a connection");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| answer(router.clone(), request));
        connections.spawn(async move {
            // What goes wrong on one connection is that connection's end, dropping on order included.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, DroppedOnOrder> {
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    if response.extensions().get::<Dropped>().is_some() { Err(DroppedOnOrder) } else { Ok(response) }
}

/// A running sandbox; dropping it stops it.
pub struct SandboxHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

impl Drop for SandboxHandle {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl SandboxHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// Its base address, for `config.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// Posts the webhooks of this number to another address. A number that it does not play stays unknown.
    pub fn set_webhook_url(&self, phone_number_id: &str, url: impl Into<String>) {
        self.shared.change(|inner| {
            if let Some(account) = inner.accounts.get_mut(phone_number_id) {
                account.webhook_url = Some(url.into());
            }
        });
    }
    /// Orders misbehaviour.
    pub fn order(&self, behaviour: Behaviour) {
        self.shared.change(|inner| inner.behaviours.push_back(behaviour));
    }
    /// All as usual again.
    pub fn behave(&self) {
        self.shared.change(|inner| inner.behaviours.clear());
    }
    /// Every accepted send.
    pub fn sends(&self) -> Vec<AcceptedSend> {
        self.shared.lock().sends.clone()
    }
    /// Every call of `/http/…`.
    pub fn http_calls(&self) -> Vec<HttpCall> {
        self.shared.lock().http_calls.clone()
    }
    /// How much of what.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters
    }
    /// Waits until the sends satisfy a condition, and gives them.
    pub async fn wait_for_sends(&self, mut enough: impl FnMut(&[AcceptedSend]) -> bool) -> Vec<AcceptedSend> {
        self.shared.wait_for(move |inner: &Inner| enough(&inner.sends).then(|| inner.sends.clone())).await
    }
    /// Waits until the counters satisfy a condition, and gives them.
    pub async fn wait_for_counters(&self, mut enough: impl FnMut(&Counters) -> bool) -> Counters {
        self.shared.wait_for(move |inner: &Inner| enough(&inner.counters).then_some(inner.counters)).await
    }
}
