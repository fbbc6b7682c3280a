//! The built binary as a server.

use super::{Api, Home, command::onward};
use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Child,
};

/// A server; killed when dropped.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts it on the home's database, on a free port.
    pub(crate) async fn start(home: &Home) -> Self {
        Self::start_with(home, "127.0.0.1:0", &[]).await
    }

    /// Starts it with more arguments; returns when it has said its address, from which on it takes requests.
    pub(crate) async fn start_with(home: &Home, listen: &str, more: &[&str]) -> Self {
        Self::try_start(home, listen, more).await.unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// Starts it with more in its environment.
    pub(crate) async fn start_within(home: &Home, environment: &[(&str, &str)]) -> Self {
        Self::spawn(home, "127.0.0.1:0", &[], environment).await.unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// Starts it; what it said when it ended instead.
    pub(crate) async fn try_start(home: &Home, listen: &str, more: &[&str]) -> Result<Self, String> {
        Self::spawn(home, listen, more, &[]).await
    }

    async fn spawn(home: &Home, listen: &str, more: &[&str], environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = onward(home);
        command.args(["serve", "--listen", listen]).args(more);
        command.env("ONWARD_LOG", std::env::var("ONWARD_TEST_LOG").unwrap_or_else(|_| "info".into()));
        command.envs(environment.iter().copied());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let errors = tokio::spawn(collect(process.stderr.take().unwrap(), Arc::clone(&log)));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(address) = line.split_once("Onward serves http://").and_then(|(_, rest)| rest.split_whitespace().next()) {
                let address = address.parse().unwrap();
                // What it says later on is of no interest, but it must be able to say it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { process, address, log });
            }
        }
        let _ = errors.await;
        let status = process.wait().await.unwrap();
        let said = log.lock().unwrap().clone();
        Err(format!("{status}\n{said}"))
    }

    /// `http://127.0.0.1:…`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap()
    }
    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
    /// The API with a fresh token.
    pub(crate) async fn api(&self, home: &Home) -> Api {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let token = home.onward(&["token", "add", &name]).await.good().out;
        Api::new(&self.url(), token.trim())
    }
    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> std::process::ExitStatus {
        // There is no safe call for a signal in the standard library; the shell has one everywhere.
        let asked = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status().unwrap();
        assert!(asked.success());
        self.process.wait().await.unwrap()
    }
}

async fn collect(mut from: impl tokio::io::AsyncRead + Unpin, into: Arc<Mutex<String>>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}
