//! The built binary as a server on a folder of its own.

use crate::{
    Result,
    arguments::Settings,
    clock,
    http::Connection,
    postgres::Postgres,
    process::{self, Memory},
};
use serde_json::json;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Child;

/// How long a server may take until it is ready.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a server that starts is asked whether it is ready: this long a start may be reported too long.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// A folder with a database, and perhaps a server on it. Killed and removed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    folder: TempDir,
    postgres: Option<Postgres>,
    /// The database's URL.
    database: String,
    address: SocketAddr,
    token: String,
    process: Option<Child>,
    /// How long the last start took until requests were accepted.
    pub(crate) ready_in: Duration,
}

impl Server {
    /// Starts a server on a fresh database and makes a token.
    pub(crate) async fn fresh(settings: &Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("server-").tempdir_in(&settings.folder)?;
        let database = settings.postgres.as_ref().map(Postgres::database).transpose()?.unwrap_or_else(|| "sqlite://onward.db".to_owned());
        let mut server = Self {
            binary: settings.binary.clone(),
            folder,
            postgres: settings.postgres.clone(),
            database,
            address: free_address()?,
            token: String::new(),
            process: None,
            ready_in: Duration::ZERO,
        };
        if server.postgres.is_some() {
            server.token = server.command(&["token", "add", "bench", "--role", "admin"])?;
            server.start().await?;
            return Ok(server);
        }
        server.start().await?;
        // Requests are accepted before the socket for commands is there; the server says where it serves once both are.
        while !fs::read_to_string(server.log())?.contains("Onward serves") {
            clock::pause(ASK_EVERY).await;
        }
        server.token = server.command(&["token", "add", "bench", "--role", "admin"])?;
        Ok(server)
    }

    /// Starts it on the database that is there.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = self.in_folder();
        // What is called from outside stands on this machine, too.
        command.env("ONWARD_ALLOW_PRIVATE_URLS", "true");
        command.args(["serve", "--listen", &self.address.to_string()]).stdout(log.try_clone()?).stderr(log);
        let begun = clock::now();
        let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(|error| format!("{}: {error}", self.binary.display()))?;
        loop {
            if let Ok(mut connection) = Connection::open(self.address, None).await
                && connection.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
            {
                break;
            }
            if let Some(status) = process.try_wait()? {
                return Err(format!("the server ended with {status}:\n{}", self.last_words()).into());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("the server is not ready after {PATIENCE:?}:\n{}", self.last_words()).into());
            }
            clock::pause(ASK_EVERY).await;
        }
        self.ready_in = begun.elapsed();
        self.process = Some(process);
        Ok(())
    }

    /// Asks it to end, and waits for it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            let id = process.id().ok_or("the server has ended by itself")?;
            // The shell's own `kill`: sending a signal from here would take unsafe code or another crate.
            let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id.to_string()]).status()?;
            if !sent.success() {
                return Err(format!("the server {id} could not be told to end").into());
            }
            process.wait().await?;
        }
        Ok(())
    }

    /// Ends it with `kill -9`.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A token of an administrator.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A new connection with the token.
    pub(crate) async fn connection(&self) -> Result<Connection> {
        Connection::open(self.address, Some(&self.token)).await
    }

    /// Makes a workflow live.
    pub(crate) async fn publish(&self, name: &str, source: &str) -> Result<()> {
        let mut connection = self.connection().await?;
        connection.json("PUT", &format!("/api/v1/workflows/{name}/draft"), &json!({ "source": source })).await?.good()?;
        connection.json("POST", &format!("/api/v1/workflows/{name}/publish"), &json!({})).await?.good()
    }

    /// What its commits came to so far: messages in one, and milliseconds of one, on average.
    pub(crate) async fn commits(&self) -> Result<(f64, f64)> {
        let mut connection = self.connection().await?;
        let text = std::str::from_utf8(connection.get("/metrics").await?.body)?.to_owned();
        let value = |name: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("/metrics does not say {name}"))?;
            Ok(line.trim().parse()?)
        };
        let commits = value("onward_commit_seconds_count")?;
        Ok((value("onward_commit_batch_items_sum")? / commits, value("onward_commit_seconds_sum")? * 1000.0 / commits))
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        process::memory(self.id()?)
    }

    /// The share of one core that it uses while nobody asks anything of it, in percent.
    pub(crate) async fn processor_share(&self, length: Duration) -> Result<f64> {
        let id = self.id()?;
        let (before, begun) = (process::processor_time(id)?, clock::now());
        clock::pause(length).await;
        let used = process::processor_time(id)?.saturating_sub(before);
        Ok(used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0)
    }

    /// Size of the database's files in bytes, the write-ahead log included.
    pub(crate) fn database_bytes(&self) -> Result<u64> {
        if let Some(postgres) = &self.postgres {
            return postgres.bytes(&self.database);
        }
        let mut bytes = 0;
        for entry in fs::read_dir(self.folder.path())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("onward.db") {
                bytes += entry.metadata()?.len();
            }
        }
        Ok(bytes)
    }

    /// Runs a command of the binary beside the server; what it prints.
    fn command(&self, arguments: &[&str]) -> Result<String> {
        let output = self.in_folder().args(arguments).output()?;
        if !output.status.success() {
            return Err(format!("onward {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// The binary with nothing of this process's surroundings that would change what is measured.
    fn in_folder(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ONWARD_")) {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path()).env("ONWARD_DATABASE_URL", &self.database).env("ONWARD_LOG", "warn").stdin(Stdio::null());
        if self.postgres.is_some() {
            // There is no file to keep a key beside.
            command.env("ONWARD_SECRET_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
        }
        command
    }

    fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().and_then(Child::id).ok_or("the server does not run")?)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// The end of what it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// An address that is free now; taken by the server a moment later.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
