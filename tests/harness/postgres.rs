//! A PostgreSQL of a test's own, which can be killed.

use super::workspace;
use std::process::Command;

/// Ends with this process.
pub(crate) struct Postgres {
    url: String,
}

impl Postgres {
    /// Starts one that syncs, as a real one does.
    pub(crate) fn start() -> Self {
        let output = script(&[&std::process::id().to_string(), "durable"]);
        Self { url: output.trim().to_owned() }
    }
    /// Where its database is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
    /// Kills every process of it with -9, and starts it again on what is on the disk.
    pub(crate) async fn crash(&self) {
        let port = self.url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        tokio::task::spawn_blocking(move || script(&["crash", &port])).await.unwrap();
    }
}

fn script(arguments: &[&str]) -> String {
    let output = Command::new(workspace().join("scripts/postgres.sh")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
