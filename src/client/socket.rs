//! The API through the socket beside the database file of a running server.

use super::{REPLY_BYTES, Reply, socket_of};
use crate::{cli::Failure, server::control_socket::SocketPath};
use axum::body::Body;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;

/// The socket of a server that runs.
pub(super) struct Socket {
    path: SocketPath,
    database: String,
}

impl Socket {
    /// The socket, when a server listens on it. A socket that a killed server left behind refuses the connection.
    pub(super) async fn find(database: &str) -> Option<Self> {
        let path = socket_of(database)?;
        path.connect().await.ok()?;
        Some(Self { path, database: database.to_owned() })
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) async fn request(&self, request: Request<Body>) -> Result<Reply, Failure> {
        let gone = |error: &dyn std::error::Error| Failure::because(format!("the server beside {} does not answer", self.database), error);
        let stream = self.path.connect().await.map_err(|error| gone(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| gone(&error))?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| gone(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), REPLY_BYTES).collect().await.map_err(|error| gone(&*error))?.to_bytes();
        connection.abort();
        Ok(Reply { status, body: body.to_vec() })
    }
}
