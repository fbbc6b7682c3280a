//! `onward resume`: lets an organisation go on that was paused, by hand or by a restore (SEMANTICS.md 33).

use super::{Context, Failure, table::text};
use clap::Args;
use serde_json::{Value, json};

/// Say what is due, and let the organisation go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward resume --dry-run      what would be set going?
  onward resume")]
pub(crate) struct Resume {
    /// Only say what is due.
    #[arg(long)]
    dry_run: bool,
}

impl Resume {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let result = async {
            let before = client.get("/api/v1/pauses").await?;
            if !context.json {
                crate::terminal::say(&due(&before));
            }
            if !self.dry_run {
                client.post("/api/v1/resume", &json!({})).await?;
            }
            Ok(json!({ "resumed": !self.dry_run, "due": before.get("due") }))
        }
        .await;
        client.close().await;
        context.print(&result?, |document| match document.get("resumed").and_then(Value::as_bool) {
            Some(true) => "the organisation goes on".to_owned(),
            _ => "nothing was changed".to_owned(),
        });
        Ok(())
    }
}

fn due(before: &Value) -> String {
    let field = |name: &str| before.get("due").and_then(|due| due.get(name)).map(text).unwrap_or_default();
    let oldest = match field("oldest") {
        oldest if oldest.is_empty() => String::new(),
        oldest => format!(", the oldest since {oldest}"),
    };
    format!("due: {} timers{oldest}; {} held starts; {} paused runs", field("timers"), field("held_starts"), field("paused_runs"))
}
