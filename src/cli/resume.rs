//! `onward pause|resume`: holds an organisation or everything on the server, and lets it go on after that or after a restore
//! (SEMANTICS.md 29, 33).

use super::{Context, Failure, backup, table::text};
use crate::client::Client;
use clap::Args;
use serde_json::{Value, json};

/// Pause the organisation, or every organisation of the server: held, never skipped.
#[derive(Args, Debug)]
#[command(after_help = "Nothing starts, no timer fires, no event is delivered; all of it is kept, and applied in order when it goes on.

Examples:
  onward pause --reason \"the provider is down\"
  onward pause --everything --reason \"the disk is replaced\"")]
pub(crate) struct Pause {
    /// Every organisation; only on the machine that the server runs on.
    #[arg(long)]
    everything: bool,
    /// Why, for people.
    #[arg(long)]
    reason: Option<String>,
}

impl Pause {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let path = if self.everything { "/api/v1/server/pause" } else { "/api/v1/pause" };
        let result = client.post(path, &json!({ "reason": self.reason })).await;
        client.close().await;
        let (what, command) = if self.everything { ("everything", "onward resume --everything") } else { ("the organisation", "onward resume") };
        context.print(&result?, |_| format!("{what} is paused; `{command}` lets it go on"));
        Ok(())
    }
}

/// Say what is due, and let the organisation go on, or everything.
#[derive(Args, Debug)]
#[command(after_help = "What was paused by itself stays paused when everything goes on.

Examples:
  onward resume --dry-run      what would be set going?
  onward resume                after a restore: everything
  onward resume --everything")]
pub(crate) struct Resume {
    /// Every organisation; only on the machine that the server runs on.
    #[arg(long)]
    everything: bool,
    /// Only say what is due.
    #[arg(long)]
    dry_run: bool,
}

impl Resume {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let result = async {
            // After a restore it is everything that waits for this word.
            let everything = self.everything || restored(&client).await;
            let (state, resume) = if everything { ("/api/v1/server", "/api/v1/server/resume") } else { ("/api/v1/pauses", "/api/v1/resume") };
            let before = client.get(state).await?;
            if !context.json {
                crate::terminal::say(&due(&before));
            }
            if !self.dry_run {
                client.post(resume, &json!({})).await?;
            }
            Ok(json!({ "resumed": !self.dry_run, "everything": everything, "due": before.get("due") }))
        }
        .await;
        client.close().await;
        context.print(&result?, |document| match document.get("resumed").and_then(Value::as_bool) {
            Some(true) if document["everything"] == true => "everything goes on".to_owned(),
            Some(true) => "the organisation goes on".to_owned(),
            _ => "nothing was changed".to_owned(),
        });
        Ok(())
    }
}

/// Whether everything is paused since a restore. Only the server's own command line is told.
async fn restored(client: &Client) -> bool {
    client.get("/api/v1/server").await.is_ok_and(|server| server["paused"] == true && server["by"] == backup::BY)
}

fn due(before: &Value) -> String {
    let field = |name: &str| before.get("due").and_then(|due| due.get(name)).map(text).unwrap_or_default();
    let oldest = match field("oldest") {
        oldest if oldest.is_empty() => String::new(),
        oldest => format!(", the oldest since {oldest}"),
    };
    format!("due: {} timers{oldest}; {} held starts; {} paused runs", field("timers"), field("held_starts"), field("paused_runs"))
}
