//! Sees runs end, through `/ws`: no polling takes the server's time.

use crate::{Result, clock, http::Connection, server::Server};
use futures_util::{SinkExt as _, StreamExt as _};
use onward_core::Timestamp;
use serde::Deserialize;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use uuid::Uuid;

/// After this long without news of a run it is asked for.
const WITHOUT_NEWS: Duration = Duration::from_secs(3);
/// For this long after a gap, a run of which nothing is known is asked for at once.
const AFTER_A_GAP: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// When we saw it.
    pub(crate) at: Instant,
    /// When we saw it (or when it was, where we had to ask), in milliseconds since 1970 UTC.
    pub(crate) wall_millis: f64,
    /// It ended well.
    pub(crate) completed: bool,
}

/// Watches the runs of an organisation.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    address: SocketAddr,
    token: String,
    reader: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Ends that nobody has asked for yet.
    ended: HashMap<Uuid, End>,
    /// Runs whose end somebody waits for.
    awaited: HashMap<Uuid, oneshot::Sender<End>>,
    /// How often the server left changes out, since we took them too slowly.
    gaps: u64,
    /// The last time it did.
    last_gap: Option<Instant>,
    /// The connection is gone.
    closed: bool,
}

/// A change, as far as we care.
#[derive(Deserialize)]
struct Change<'m> {
    #[serde(borrow)]
    topic: &'m str,
    #[serde(borrow, default)]
    id: Option<&'m str>,
    #[serde(borrow, default)]
    data: Option<Data<'m>>,
}
#[derive(Deserialize)]
struct Data<'m> {
    #[serde(borrow, default)]
    status: Option<&'m str>,
}

impl Watch {
    /// Begins to watch. Runs that end before are not seen.
    pub(crate) async fn open(server: &Server) -> Result<Self> {
        let mut request = format!("ws://{}/ws", server.address()).into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", server.token()).parse()?);
        let stream = TcpStream::connect(server.address()).await?;
        stream.set_nodelay(true)?;
        let (mut socket, _) = client_async(request, stream).await?;
        // Nothing but runs; from the answer on nothing is missed.
        socket.send(Message::text(r#"{"subscribe":["run"]}"#)).await?;
        loop {
            let message = socket.next().await.ok_or("the server closed the WebSocket")??;
            if message.to_text().is_ok_and(|text| text.contains(r#""topic":"subscribed""#)) {
                break;
            }
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message {
                    lock(&shared).take_in(&text);
                }
            }
            let mut seen = lock(&shared);
            seen.closed = true;
            // Whoever waits is woken by the loss of the sender.
            seen.awaited.clear();
        });
        Ok(Self { seen, address: server.address(), token: server.token().to_owned(), reader })
    }

    /// Waits until a run has ended.
    pub(crate) async fn end(&self, run: Uuid) -> Result<End> {
        loop {
            let (receiver, patience) = {
                let mut seen = lock(&self.seen);
                if let Some(end) = seen.ended.remove(&run) {
                    return Ok(end);
                }
                if seen.closed {
                    return Err("the server closed the WebSocket".into());
                }
                let (sender, receiver) = oneshot::channel();
                seen.awaited.insert(run, sender);
                let in_doubt = seen.last_gap.is_some_and(|gap| gap.elapsed() < AFTER_A_GAP);
                (receiver, if in_doubt { Duration::ZERO } else { WITHOUT_NEWS })
            };
            if let Ok(Ok(end)) = tokio::time::timeout(patience, receiver).await {
                return Ok(end);
            }
            // No news, or a gap in them.
            if let Some(end) = self.ask(run).await? {
                lock(&self.seen).awaited.remove(&run);
                return Ok(end);
            }
        }
    }

    /// Waits until a run has ended well.
    pub(crate) async fn completion(&self, run: Uuid) -> Result<End> {
        let end = self.end(run).await?;
        if end.completed { Ok(end) } else { Err(format!("run {run} did not complete").into()) }
    }

    /// How often the server said that it had to leave changes out.
    pub(crate) fn gaps(&self) -> u64 {
        lock(&self.seen).gaps
    }

    async fn ask(&self, run: Uuid) -> Result<Option<End>> {
        let mut connection = Connection::open(self.address, Some(&self.token)).await?;
        let found = connection.get(&format!("/api/v1/runs/{run}")).await?.json()?;
        let end = end_of(found["status"].as_str().unwrap_or_default());
        let ended_at = found["ended_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        Ok(end.zip(ended_at).map(|(end, at)| End { wall_millis: at.as_millis() as f64, ..end }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Seen {
    fn take_in(&mut self, text: &str) {
        let Ok(change) = serde_json::from_str::<Change<'_>>(text) else { return };
        match change.topic {
            "resync" => {
                self.gaps += 1;
                self.last_gap = Some(clock::now());
                // Wakes all who wait, so that they ask.
                self.awaited.clear();
            }
            "run" => {
                let Some(end) = change.data.and_then(|data| end_of(data.status?)) else { return };
                let Some(Ok(run)) = change.id.map(Uuid::parse_str) else { return };
                match self.awaited.remove(&run) {
                    // Nobody waits any more: nothing to tell.
                    Some(waiting) => drop(waiting.send(end)),
                    None => drop(self.ended.insert(run, end)),
                }
            }
            _ => {}
        }
    }
}

/// The end that a status means; `None` while the run lives.
fn end_of(status: &str) -> Option<End> {
    matches!(status, "completed" | "failed" | "cancelled").then(|| End {
        at: clock::now(),
        wall_millis: clock::wall_micros() as f64 / 1_000.0,
        completed: status == "completed",
    })
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
