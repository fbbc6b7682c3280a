//! A lean HTTP/1.1 client: one kept-alive connection, one request at a time, no copies that are not needed. It shares the
//! cores with the server that it measures, so what it costs is taken from the result.

use crate::Result;
use serde_json::Value;
use std::{io::Write as _, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// The `Authorization` line, or nothing.
    authorization: String,
    out: Vec<u8>,
    /// What was read: the answer's head and body, nothing behind them.
    read: Vec<u8>,
}

/// An answer; its body lies in the connection's buffer.
#[derive(Debug)]
pub(crate) struct Answer<'c> {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'c [u8],
}

impl Answer<'_> {
    /// The body as JSON, when the status is of the 200s.
    pub(crate) fn json(&self) -> Result<Value> {
        self.good()?;
        Ok(serde_json::from_slice(self.body)?)
    }

    /// Fails with what the server said unless the status is of the 200s.
    pub(crate) fn good(&self) -> Result<()> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        Err(format!("the server answered {}: {}", self.status, String::from_utf8_lossy(self.body)).into())
    }
}

impl Connection {
    /// Opens a connection; with a token, every request carries it.
    pub(crate) async fn open(address: SocketAddr, token: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        Ok(Self { stream, authorization, out: Vec::with_capacity(4096), read: Vec::with_capacity(4096) })
    }

    /// A `GET`.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer<'_>> {
        self.send("GET", path, "", b"").await
    }

    /// A request with a JSON body.
    pub(crate) async fn json(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer<'_>> {
        self.send(method, path, "", &serde_json::to_vec(body)?).await
    }

    /// A `POST` of bytes that are JSON; `headers` are whole lines, each with its line end.
    pub(crate) async fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> Result<Answer<'_>> {
        self.send("POST", path, headers, body).await
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Answer<'_>> {
        self.out.clear();
        write!(self.out, "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{}{headers}", self.authorization)?;
        if method != "GET" {
            write!(self.out, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())?;
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        self.receive().await
    }

    async fn receive(&mut self) -> Result<Answer<'_>> {
        self.read.clear();
        let (head, length, status) = loop {
            self.fill().await?;
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.read[..end])?;
                break (end + 4, content_length(head)?, head.get(9..12).ok_or("the answer has no status")?.parse()?);
            }
        };
        while self.read.len() < head + length {
            self.fill().await?;
        }
        Ok(Answer { status, body: &self.read[head..head + length] })
    }

    async fn fill(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

fn content_length(head: &str) -> Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                return Ok(value.trim().parse()?);
            }
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("the answer is chunked, which this client does not read".into());
            }
        }
    }
    // 204 and the like.
    Ok(0)
}
