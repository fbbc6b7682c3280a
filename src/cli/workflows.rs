//! `onward workflows`: what is published.

use super::{
    Context, Failure,
    table::{items, table, text},
};
use crate::{client::escape, terminal::Look};
use clap::Subcommand;
use serde_json::{Value, json};

/// More than any list that a person reads.
const LIST_MOST: usize = 10_000;

/// Look at workflows and their versions.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward workflows list
  onward workflows show welcome-new-lead > welcome.yaml
  onward workflows versions welcome-new-lead")]
pub(crate) enum Workflows {
    /// List the workflows.
    List,
    /// Show one: its text, as its author wrote it.
    Show {
        /// The workflow's name.
        name: String,
    },
    /// List the versions of one, the newest first.
    Versions {
        /// The workflow's name.
        name: String,
    },
}

impl Workflows {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let look = Look::of_stdout();
        let result = match &self {
            Self::List => client.all("/api/v1/workflows", LIST_MOST).await.map(|items| json!({ "items": items })),
            Self::Show { name } => client.get(&format!("/api/v1/workflows/{}", escape(name))).await,
            Self::Versions { name } => {
                client.all(&format!("/api/v1/workflows/{}/versions", escape(name)), LIST_MOST).await.map(|items| json!({ "items": items }))
            }
        };
        client.close().await;
        context.print(&result?, |document| match &self {
            Self::List => list(document, look),
            Self::Show { .. } => document.get("source").map(text).unwrap_or_default(),
            Self::Versions { .. } => versions(document, look),
        });
        Ok(())
    }
}

fn list(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|item| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        vec![field("name"), field("current_version"), field("published_at"), field("live_runs"), field("draft_updated_at")]
    });
    table(look, &["NAME", "VERSION", "PUBLISHED", "LIVE RUNS", "DRAFT OF"], rows, "no workflows yet; publish one with `onward publish FILE`")
}

fn versions(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|item| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        let current = if item.get("current").and_then(Value::as_bool).unwrap_or(false) { "live" } else { "" };
        vec![field("version"), current.to_owned(), field("published_at")]
    });
    table(look, &["VERSION", "", "PUBLISHED"], rows, "no version is published; publish one with `onward publish FILE`")
}
