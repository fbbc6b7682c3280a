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

/// Look at workflows and their versions, pause them, let them go on.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward workflows list
  onward workflows show welcome-new-lead > welcome.yaml
  onward workflows versions welcome-new-lead
  onward workflows pause welcome-new-lead --step invoice
  onward workflows hold welcome-new-lead --version 4")]
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
    /// Hold new starts and runs where they stand; nothing is skipped.
    #[command(disable_version_flag = true)]
    Pause {
        /// The workflow's name.
        name: String,
        #[command(flatten)]
        part: Part,
        /// Why; shown to others.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let it go on: what fell due meanwhile is applied in order.
    #[command(disable_version_flag = true)]
    Resume {
        /// The workflow's name.
        name: String,
        #[command(flatten)]
        part: Part,
    },
    /// Hold everything that one version started, and its new starts.
    #[command(disable_version_flag = true)]
    Hold {
        /// The workflow's name.
        name: String,
        /// The version.
        #[arg(long)]
        version: u32,
        /// Why; shown to others.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// What of a workflow is meant; without either, all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Part {
    /// Only this step: every run that reaches it is held before it.
    #[arg(long, conflicts_with = "version")]
    step: Option<String>,
    /// Only this version: what it started, and its new starts.
    #[arg(long)]
    version: Option<u32>,
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
            Self::Pause { name, part, reason } => {
                let body = json!({ "step": part.step, "version": part.version, "reason": reason });
                client.post(&format!("/api/v1/workflows/{}/pause", escape(name)), &body).await
            }
            Self::Resume { name, part } => {
                client.post(&format!("/api/v1/workflows/{}/resume", escape(name)), &json!({ "step": part.step, "version": part.version })).await
            }
            Self::Hold { name, version, reason } => {
                client.post(&format!("/api/v1/workflows/{}/pause", escape(name)), &json!({ "version": version, "reason": reason })).await
            }
        };
        client.close().await;
        context.print(&result?, |document| match &self {
            Self::List => list(document, look),
            Self::Show { .. } => document.get("source").map(text).unwrap_or_default(),
            Self::Versions { .. } => versions(document, look),
            Self::Pause { name, .. } => format!("{name} is paused; `onward workflows resume {name}` lets it go on"),
            Self::Resume { name, .. } => format!("{name} goes on"),
            Self::Hold { name, version, .. } => {
                format!("version {version} of {name} is held; `onward workflows resume {name} --version {version}` lets it go on")
            }
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
