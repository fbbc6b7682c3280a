//! What the tests share: a folder with a database, the built binary as a server and as a command, the API, the sandbox.
//!
//! Nothing waits for time: a server says its address when it takes requests, and [`eventually`] asks until an answer is as
//! it must become.

mod api;
mod command;
mod home;
mod postgres;
mod sandbox;
mod server;

pub(crate) use api::{Answer, Api};
pub(crate) use home::Home;
pub(crate) use postgres::Postgres;
pub(crate) use sandbox::{Secrets, connect, connected, customer_writes, sandbox, signature};
pub(crate) use server::Server;

use onward_core::{Value, ports::Clock as _};
use onward_database::SystemClock;
use std::{future::Future, path::PathBuf};

/// Milliseconds after which something that must happen counts as never happening: far above what a loaded machine needs.
const PATIENCE_MS: i64 = 90_000;
/// Milliseconds between two questions.
const PAUSE_MS: i64 = 20;

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let clock = SystemClock::new();
    let give_up = clock.now().plus_millis(PATIENCE_MS);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(clock.now() < give_up, "this never happened: {what}");
        pause(PAUSE_MS).await;
    }
}

/// Lets time pass: between two questions, or before a kill.
pub(crate) async fn pause(millis: i64) {
    let clock = SystemClock::new();
    clock.sleep_until(clock.now().plus_millis(millis)).await;
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What `cargo metadata` says of the workspace; needs no network.
pub(crate) fn metadata(more: &[&str]) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let output = std::process::Command::new(cargo).args(arguments).args(more).current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The folder of recorded bodies and official cases, where there is one: `$ONWARD_SHARED`, else `../shared`.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("ONWARD_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    folder.is_dir().then_some(folder)
}
