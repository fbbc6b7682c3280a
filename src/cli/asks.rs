//! `onward runs asks` and `onward runs answer`: what runs ask people.

use super::{
    Context, Failure, input,
    table::{items, table, text},
};
use crate::{
    client::{Client, escape},
    terminal::Look,
};
use clap::Args;
use serde_json::{Value, json};

/// List what runs ask people now, those of the newest run first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward runs asks
  onward runs asks --workflow refund-approval --json")]
pub(crate) struct Asks {
    /// Of runs of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// How many runs at the most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

impl Asks {
    pub(super) async fn run(self, client: &Client, context: &Context, look: Look) -> Result<(), Failure> {
        let path = match &self.workflow {
            Some(name) => format!("/api/v1/asks?workflow={}", escape(name)),
            None => "/api/v1/asks".to_owned(),
        };
        let found = client.all(&path, self.limit as usize).await?;
        context.print(&json!({ "items": found }), |document| listed(document, look));
        Ok(())
    }
}

fn listed(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|ask| {
        let field = |name: &str| ask.get(name).map(text).unwrap_or_default();
        let answer = if ask["form"].is_null() { "approve or reject".to_owned() } else { "by its form".to_owned() };
        vec![field("run_id"), field("step"), field("title"), asked(&ask["who"]), answer, field("until"), stands(&ask["delivery"])]
    });
    table(look, &["RUN", "STEP", "QUESTION", "FOR", "ANSWER", "UNTIL", "STANDS"], rows, "no run asks anything now")
}

fn asked(who: &Value) -> String {
    who.as_object().and_then(|who| who.iter().next()).map(|(kind, name)| format!("{kind} {}", text(name))).unwrap_or_default()
}

/// How a question stands with its contact: `held: why`.
fn stands(delivery: &Value) -> String {
    match (delivery["status"].as_str(), delivery["problem"].as_str()) {
        (None, _) => String::new(),
        (Some(status), None) => status.to_owned(),
        (Some(status), Some(problem)) => format!("{status}: {problem}"),
    }
}

/// Answer what a run asks; it then goes on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward runs answer RUN_ID --approve
  onward runs answer RUN_ID --step review --answer '{\"discount\": 10}'")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["approve", "reject", "answer"])))]
pub(crate) struct Given {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
    /// The step that asks, when the run asks several things.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Answer `approve`.
    #[arg(long)]
    approve: bool,
    /// Answer `reject`.
    #[arg(long)]
    reject: bool,
    /// What fits the question's form; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    answer: Option<String>,
}

impl Given {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let answer = match &self.answer {
            Some(text) => input::json("--answer", text)?,
            None if self.approve => json!("approve"),
            None => json!("reject"),
        };
        let body = match &self.step {
            Some(step) => json!({ "step": step, "answer": answer }),
            None => json!({ "answer": answer }),
        };
        let answered = client.post(&format!("/api/v1/runs/{}/answer", escape(&self.id)), &body).await?;
        context.print(&answered, |_| format!("run {} has its answer and goes on", self.id));
        Ok(())
    }
}
