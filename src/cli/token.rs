//! `onward token`: API tokens.

use super::{Context, Failure, table::text};
use crate::terminal;
use clap::{Args, Subcommand};
use serde_json::json;

/// Make API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Add(Add),
}

/// Make an API token and print it, alone, on standard output. It is shown once: only its hash is stored.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  TOKEN=$(onward token add ci)
  onward token add reports --role agent")]
pub(crate) struct Add {
    /// What it is called.
    name: String,
    /// What it may do: admin or agent.
    #[arg(long, default_value = "admin")]
    role: String,
}

impl Token {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let Self::Add(add) = self;
        let client = context.client().await?;
        let result = client.post("/api/v1/tokens", &json!({ "name": add.name, "role": add.role })).await;
        client.close().await;
        let document = result?;
        let token =
            document.get("token").map(text).filter(|token| !token.is_empty()).ok_or_else(|| Failure::new("the server made a token and did not show it"))?;
        if context.json {
            super::print_json(&document);
        } else {
            terminal::print(&token);
        }
        Ok(())
    }
}
