//! `/ws`: the changes of one's organisation, as they are committed.
//!
//! The server sends `{ "topic", "id", "data" }`; first `ready`, then one for each change, and `resync` when the client was too
//! slow and must read its lists again. The client may send `{ "token": "onw_…" }` (first, when nothing else says who it is)
//! and `{ "subscribe": ["run", "message"] }` (only these topics; `null`: all).

use crate::{
    App, Caller, LocalAdmin, Problem,
    caller::{self, Identity},
    presence::Presence,
};
use axum::{
    Router,
    extract::{
        FromRequestParts, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use onward_accounts::Action;
use onward_core::ports::Change;
use onward_messaging::notifications;
use serde::Deserialize;
use std::collections::BTreeSet;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
};

/// Milliseconds that a client without a cookie or header has to say who it is.
const GREETING_MS: i64 = 10_000;
/// Milliseconds between pings; a client that answered none of two is gone.
const PING_MS: i64 = 30_000;
/// Milliseconds that one message may take to leave.
const SEND_MS: i64 = 10_000;
/// Bytes of a message from a client: none has reason to be larger.
const MESSAGE_BYTES: usize = 16 << 10;
/// The close codes of RFC 6455, and ours from 4000 on.
mod codes {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const UNAUTHORISED: u16 = 4401;
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ws", get(connect))
}

/// Who opens the socket, as far as the request itself says.
struct Opening(Option<Caller>);

impl FromRequestParts<App> for Opening {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let local = parts.extensions.get::<LocalAdmin>().is_some();
        if local || parts.headers.contains_key(header::AUTHORIZATION) {
            return Caller::from_request_parts(parts, app).await.map(|caller| Self(Some(caller)));
        }
        // Any page can open a socket here and the browser adds the cookie, so the page's origin must be ours.
        if caller::session_cookie(&parts.headers).is_some() {
            if !parts.headers.contains_key(header::ORIGIN) {
                return Err(Problem::forbidden("foreign_origin", "a socket that is opened with the session cookie must say its Origin"));
            }
            caller::check_origin(app, &parts.headers)?;
            return Caller::from_request_parts(parts, app).await.map(|caller| Self(Some(caller)));
        }
        Ok(Self(None))
    }
}

async fn connect(State(app): State<App>, Opening(caller): Opening, upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        let status = rejection.status();
        Problem::new(status, "no_upgrade", format!("this address speaks WebSocket: {}", rejection.body_text()))
    })?;
    let Ok(permit) = app.sockets.clone().try_acquire_owned() else { return Err(Problem::unavailable(5_000)) };
    let shared = app.clone();
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| serve(shared, socket, caller, permit)).into_response())
}

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    token: Option<String>,
    #[serde(default)]
    subscribe: Option<Vec<String>>,
}

struct Socket {
    app: App,
    socket: WebSocket,
}

/// The client is gone, or has to go.
struct Ended;

async fn serve(app: App, socket: WebSocket, caller: Option<Caller>, permit: OwnedSemaphorePermit) {
    let mut socket = Socket { app, socket };
    // The only error is that nobody listens any more.
    let _ = socket.run(caller).await;
    drop(permit);
}

impl Socket {
    async fn run(&mut self, caller: Option<Caller>) -> Result<(), Ended> {
        // From here on nothing is missed: whoever reads its lists after `ready` sees what came before.
        let mut changes = self.app.engine().subscribe();
        let caller = match caller {
            Some(caller) => caller,
            None => match self.greeting().await {
                Some(caller) => caller,
                None => return self.close(codes::UNAUTHORISED, "say who you are: {\"token\": \"onw_…\"}").await,
            },
        };
        if caller.may(Action::ReadRecords).is_err() || caller.may(Action::ReadEngine).is_err() {
            return self.close(codes::UNAUTHORISED, "the role may not watch").await;
        }
        let presence = Presence::begin(&self.app, &caller);
        self.say("ready", serde_json::json!({ "organisation": caller.organisation })).await?;
        self.watch(&caller, presence.as_ref(), &mut changes).await
    }

    async fn watch(&mut self, caller: &Caller, presence: Option<&Presence>, changes: &mut broadcast::Receiver<Change>) -> Result<(), Ended> {
        let clock = std::sync::Arc::clone(&self.app.parts.clock);
        let mut topics: Option<BTreeSet<String>> = None;
        let mut silent_pings = 0;
        let mut ping = clock.sleep_until(clock.now().plus_millis(PING_MS));
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) if change.topic == Change::RESYNC => self.say(Change::RESYNC, onward_core::Value::Null).await?,
                    Ok(change) => {
                        let wanted = topics.as_ref().is_none_or(|topics| topics.contains(&*change.topic));
                        if change.organisation == caller.organisation && wanted && is_for(&change, caller) {
                            let text = serde_json::to_string(&change).unwrap_or_default();
                            self.send(Message::Text(text.into())).await?;
                        }
                    }
                    Err(RecvError::Lagged(missed)) => self.say(Change::RESYNC, serde_json::json!({ "missed": missed })).await?,
                    Err(RecvError::Closed) => return self.close(codes::GOING_AWAY, "the server stops").await,
                },
                received = self.socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => match serde_json::from_str::<Said>(text.as_str()) {
                        Ok(said) => {
                            topics = said.subscribe.map(|topics| topics.into_iter().collect());
                            let now: Option<Vec<&String>> = topics.as_ref().map(|topics| topics.iter().collect());
                            self.say("subscribed", serde_json::json!({ "topics": now })).await?;
                        }
                        Err(error) => self.say("error", serde_json::json!({ "detail": format!("say {{\"subscribe\": [\"run\"]}}: {error}") })).await?,
                    },
                    Some(Ok(Message::Pong(_))) => silent_pings = 0,
                    Some(Ok(Message::Ping(_) | Message::Binary(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                },
                () = &mut ping => {
                    if silent_pings >= 2 {
                        return Ok(());
                    }
                    if !still_good(&self.app, caller).await {
                        return self.close(codes::UNAUTHORISED, "the session or token has ended").await;
                    }
                    if let Some(presence) = presence {
                        presence.go_on();
                    }
                    silent_pings += 1;
                    self.send(Message::Ping(axum::body::Bytes::new())).await?;
                    ping = clock.sleep_until(clock.now().plus_millis(PING_MS));
                }
            }
        }
    }

    /// Waits for the token of a client that sent neither cookie nor header.
    async fn greeting(&mut self) -> Option<Caller> {
        let clock = std::sync::Arc::clone(&self.app.parts.clock);
        let received = tokio::select! {
            received = self.socket.recv() => received?.ok()?,
            () = clock.sleep_until(clock.now().plus_millis(GREETING_MS)) => return None,
        };
        let Message::Text(text) = received else { return None };
        let token = serde_json::from_str::<Said>(text.as_str()).ok()?.token?;
        caller::by_token(&self.app, &token).await.ok().flatten()
    }

    async fn say(&mut self, topic: &str, data: onward_core::Value) -> Result<(), Ended> {
        let text = serde_json::json!({ "topic": topic, "id": "", "data": data }).to_string();
        self.send(Message::Text(text.into())).await
    }

    /// A client that takes nothing for too long is given up: what it misses is bounded by the channel, its socket by this.
    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        let clock = std::sync::Arc::clone(&self.app.parts.clock);
        tokio::select! {
            sent = self.socket.send(message) => sent.map_err(|_| Ended),
            () = clock.sleep_until(clock.now().plus_millis(SEND_MS)) => Err(Ended),
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Ended> {
        self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await
    }
}

/// What a user is told is for them alone.
fn is_for(change: &Change, caller: &Caller) -> bool {
    if change.topic != notifications::TOPIC {
        return true;
    }
    matches!(&caller.identity, Identity::Session { user, .. } if change.data["user_id"] == user.id.to_string())
}

/// A revoked token or an ended session watches no longer than until the next ping.
async fn still_good(app: &App, caller: &Caller) -> bool {
    match &caller.identity {
        Identity::Local => true,
        Identity::Session { token, .. } => caller::by_session(app, token).await.is_ok_and(|found| found.is_some()),
        Identity::Token(token) => {
            let found = onward_accounts::tokens::list(&mut app.reader(), token.organisation).await;
            found.is_ok_and(|all| all.iter().any(|known| known.id == token.id && known.revoked_at.is_none()))
        }
    }
}
