//! The one client of the API, with three ways to reach it: over the network, through the socket beside a running server's
//! database file, and in this process.
//!
//! What this module must never know: any endpoint. Commands name paths; this carries requests and tells what went wrong.

mod network;
mod reply;
mod socket;

pub(crate) use reply::Reply;

use crate::{
    cli::{Failure, Place},
    server::control_socket,
    wiring::{self, Settings},
};
use axum::body::Body;
use http::{Method, Request, header};
use onward_core::Value;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tower::ServiceExt as _;

/// Bytes of an answer that are read: far above any page, so that only a broken server is cut off.
const REPLY_BYTES: usize = 512 << 20;

/// What ends a segment of a path or a value of a query.
const RESERVED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'/').add(b'<').add(b'=').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// A segment of a path, or a value of a query, as a URL writes it.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A client of the API.
pub(crate) struct Client {
    transport: Transport,
    organisation: Option<String>,
}

enum Transport {
    /// A server somewhere, with a token.
    Network(network::Network),
    /// The server that runs on our database file.
    Socket(socket::Socket),
    /// No server runs: the same router, here.
    Local(Box<wiring::Rooms>),
}

impl Client {
    /// Finds the server, or becomes it.
    pub(crate) async fn connect(place: &Place) -> Result<Self, Failure> {
        if let Some(server) = &place.server {
            if place.org.is_some() {
                return Err(Failure::wrong_use(
                    "--org has no meaning with --server: the token belongs to one organisation; leave --org out, or use another token",
                ));
            }
            let network = network::Network::new(server, place.token.as_deref())?;
            return Ok(Self { transport: Transport::Network(network), organisation: None });
        }
        let organisation = place.org.clone();
        if let Some(socket) = socket::Socket::find(&place.database).await {
            return Ok(Self { transport: Transport::Socket(socket), organisation });
        }
        let rooms = wiring::open(&Settings::for_commands(&place.database)).await?;
        Ok(Self { transport: Transport::Local(Box::new(rooms)), organisation })
    }

    /// A client of rooms that are open in this process already.
    pub(crate) fn local(rooms: wiring::Rooms) -> Self {
        Self { transport: Transport::Local(Box::new(rooms)), organisation: None }
    }

    /// The rooms, when they are open in this process.
    pub(crate) fn rooms(&self) -> Option<&wiring::Rooms> {
        match &self.transport {
            Transport::Local(rooms) => Some(rooms),
            Transport::Network(_) | Transport::Socket(_) => None,
        }
    }

    /// Where requests go, for people.
    pub(crate) fn place(&self) -> String {
        match &self.transport {
            Transport::Network(network) => network.to_string(),
            Transport::Socket(socket) => format!("the server beside {}", socket.database()),
            // Beside a file there would be the server's socket.
            Transport::Local(rooms) if rooms.database().path().is_some() => "the database in this process (no server runs on it)".to_owned(),
            Transport::Local(_) => "the database, beside whatever servers run on it".to_owned(),
        }
    }

    /// Ends what runs in this process: calls in flight settle first.
    pub(crate) async fn close(self) {
        if let Transport::Local(rooms) = self.transport {
            rooms.close().await;
        }
    }

    /// `GET`; the document, or a failure that says what the server said.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.request(Method::GET, path, None).await?.document()
    }

    /// `POST`; the document, or a failure that says what the server said.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.request(Method::POST, path, Some(body)).await?.document()
    }

    /// Every item of a list, page by page, up to `most`.
    pub(crate) async fn all(&self, path: &str, most: usize) -> Result<Vec<Value>, Failure> {
        const PAGE: usize = 100;
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let between = if path.contains('?') { '&' } else { '?' };
            let mut page = format!("{path}{between}limit={}", PAGE.min(most - items.len()).max(1));
            if let Some(cursor) = &cursor {
                page.push_str("&cursor=");
                page.push_str(&escape(cursor));
            }
            let mut document = self.get(&page).await?;
            if let Some(Value::Array(found)) = document.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            cursor = document.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                return Ok(items);
            }
        }
    }

    /// One request; any answer is a [`Reply`].
    pub(crate) async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Failure> {
        if let Transport::Network(network) = &self.transport {
            return network.request(method, path, body).await;
        }
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if let Some(organisation) = &self.organisation {
            request = request.header(onward_api::ORGANISATION_HEADER, organisation);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body).map_err(|error| Failure::because("the request cannot be made", &error))?;
        match &self.transport {
            Transport::Socket(socket) => socket.request(request).await,
            Transport::Local(rooms) => {
                let response = match rooms.local_router().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                let status = response.status();
                let bytes =
                    axum::body::to_bytes(response.into_body(), REPLY_BYTES).await.map_err(|error| Failure::because("the answer cannot be read", &error))?;
                Ok(Reply { status, body: bytes.to_vec() })
            }
            Transport::Network(network) => Err(Failure::new(format!("{network} cannot be reached this way; report this as a bug"))),
        }
    }
}

/// The socket of the server that runs on this database, when the database is a file.
fn socket_of(database: &str) -> Option<control_socket::SocketPath> {
    wiring::database_file(database).map(|file| control_socket::SocketPath::beside(&file))
}
