//! The built binary as a command.

use super::Home;
use onward_core::Value;
use std::process::Stdio;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// A command that has ended.
pub(crate) struct Finished {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Finished {
    /// It must have gone well.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }
    /// Standard output as the one JSON document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// `onward` in a home, without anything of this process's environment that it reads.
pub(crate) fn onward(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onward"));
    command.current_dir(home.folder()).env_clear().kill_on_drop(true);
    if let Some(postgres) = home.postgres() {
        // There is no file to keep a key beside.
        command.env("ONWARD_DATABASE_URL", postgres.url()).env("ONWARD_SECRET_KEY", "07".repeat(32));
    }
    for name in ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("LANG", "C.UTF-8").env("COLUMNS", "110");
    command
}

pub(super) async fn run(home: &Home, arguments: &[&str], input: &str) -> Finished {
    // A command may become the engine itself, and the sandbox is on this machine.
    let mut child = onward(home)
        .env("ONWARD_ALLOW_PRIVATE_URLS", "true")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing closes its end before it is written to.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Finished {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
