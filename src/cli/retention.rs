//! `onward retention`: how long runs are kept after their end.

use super::{
    Context, Failure,
    table::{table, text},
};
use crate::{client::Client, terminal::Look};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

/// Look at how long runs are kept after their end, and change it.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward retention show
  onward retention set --days 90
  onward retention set --workflow invoice --days 365
  onward retention reset --workflow invoice
  onward retention show --json

Runs that have had their time are forgotten with history and payloads within minutes, for good; with `onward serve --archive-folder` they
are written there before. What lives is never touched.")]
pub(crate) enum Retention {
    /// Show the rules.
    Show,
    Set(Set),
    /// Let a workflow have no rule of its own any more.
    Reset {
        /// The workflow's name.
        #[arg(long)]
        workflow: String,
    },
}

/// Say how many days runs are kept after their end.
#[derive(Args, Debug)]
pub(crate) struct Set {
    /// Days; 1 to 36500.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Of this workflow; left out, of all that have no rule of their own.
    #[arg(long)]
    workflow: Option<String>,
}

const PLACE: &str = "/api/v1/retention";

impl Retention {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let result = self.ask(&client).await;
        client.close().await;
        let look = Look::of_stdout();
        context.print(&result?, |rules| rules_of(rules, look));
        Ok(())
    }

    async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        let mut rules = client.get(PLACE).await?;
        match self {
            Self::Show => return Ok(rules),
            Self::Set(Set { days, workflow: None }) => rules["days"] = json!(days),
            Self::Set(Set { days, workflow: Some(workflow) }) => rules["workflows"][workflow.as_str()] = json!(days),
            Self::Reset { workflow } => {
                let removed = rules["workflows"].as_object_mut().and_then(|rules| rules.remove(workflow));
                removed.ok_or_else(|| Failure::new(format!("workflow {workflow} has no rule of its own")))?;
            }
        }
        client.request(Method::PUT, PLACE, Some(&rules)).await?.document()
    }
}

fn rules_of(rules: &Value, look: Look) -> String {
    let own = rules["workflows"].as_object().into_iter().flatten().map(|(workflow, days)| vec![workflow.clone(), text(days)]);
    table(look, &["WORKFLOW", "DAYS"], own.chain([vec!["(all others)".to_owned(), text(&rules["days"])]]), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lines() {
        let look = Look { colour: false, unicode: true, width: 80 };
        let text = rules_of(&json!({ "days": 30, "workflows": { "invoice": 365 } }), look);
        assert_eq!(text, "WORKFLOW      DAYS\ninvoice       365\n(all others)  30");
    }
}
