//! A scripted server for tests: each connection gets the next answer, byte for byte, and what was asked is recorded.

use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

/// What a connection gets.
pub(crate) enum Script {
    /// These bytes, then its end.
    Answer(String),
    /// Its end, once the request was read.
    Hang,
    /// Nothing, for as long as the other side waits.
    Silence,
}

/// An HTTP answer.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Script {
    Script::Answer(format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len()))
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
}

impl TestServer {
    pub(crate) async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            for script in scripts {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !complete(&request) {
                    if stream.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
                match script {
                    Script::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap_or_default(),
                    Script::Hang => {}
                    Script::Silence => silent.push(stream),
                }
            }
            std::future::pending::<()>().await;
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }
}

/// Head and as many bytes as `Content-Length` says.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|length| length.trim().parse::<usize>().ok()));
    body.len() >= length.unwrap_or(0)
}
